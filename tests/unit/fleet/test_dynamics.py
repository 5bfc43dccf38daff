"""Physics: consumption on the cycle is plausible, energy goes where it should."""

import numpy as np
import pytest

from pipelines.fleet import dynamics
from pipelines.fleet.cycles.nedc import nedc
from pipelines.fleet.vehicles import DACIA_DUSTER, PEUGEOT_208, RENAULT_CLIO, RENAULT_MEGANE, RENAULT_ZOE, Model

FLAT = np.zeros(1181)
KM = nedc().sum() / 1000


@pytest.mark.parametrize(("model", "low", "high"), [(PEUGEOT_208, 4, 9), (RENAULT_CLIO, 4, 9), (DACIA_DUSTER, 4, 8)])
def test_litres_per_100_km_on_the_nedc(model: Model, low: float, high: float) -> None:
    power = dynamics.wheel_power(model, nedc(), FLAT, 1)
    litres = dynamics.fuel_rate(model, power, nedc()).sum() / 3600
    assert low < 100 * litres / KM < high


@pytest.mark.parametrize("model", [RENAULT_ZOE, RENAULT_MEGANE])
def test_kilowatt_hours_per_100_km_on_the_nedc(model: Model) -> None:
    power = dynamics.wheel_power(model, nedc(), FLAT, 1)
    kwh = dynamics.battery_power(model, power, nedc()).sum() / 3.6e6
    assert 10 < 100 * kwh / KM < 20


def test_steady_speed_on_the_flat_needs_drag_and_rolling_resistance() -> None:
    speed = np.full(3, 25.0)
    drag = 0.5 * 1.2 * 0.62 * 25**3
    rolling = (1165 + 100) * 9.81 * 0.0095 * 25
    assert dynamics.wheel_power(PEUGEOT_208, speed, np.zeros(3), 1) == pytest.approx(drag + rolling)


def test_a_hill_takes_weight_times_height() -> None:
    speed, grade = np.full(3, 10.0), np.full(3, 0.05)
    flat = dynamics.wheel_power(RENAULT_ZOE, speed, np.zeros(3), 1)
    climb = dynamics.wheel_power(RENAULT_ZOE, speed, grade, 1) - flat
    assert climb == pytest.approx(1600 * 9.81 * 0.05 * 10, rel=0.01)


def test_fuel_is_cut_while_the_car_drives_the_engine_and_not_when_standing() -> None:
    speed = np.array([20.0, 18.0, 16.0, 0.0, 0.0])
    rate = dynamics.fuel_rate(PEUGEOT_208, np.array([-5000.0, -5000.0, -5000.0, 0.0, 0.0]), speed)
    assert rate[:2].tolist() == [0, 0]
    assert rate[4] > PEUGEOT_208.idle_lph


def test_braking_charges_the_battery_less_than_it_took_to_get_there() -> None:
    up = np.linspace(0, 25, 26)
    taken = dynamics.battery_power(RENAULT_ZOE, dynamics.wheel_power(RENAULT_ZOE, up, np.zeros(26), 1), up).sum()
    down = up[::-1]
    given = dynamics.battery_power(RENAULT_ZOE, dynamics.wheel_power(RENAULT_ZOE, down, np.zeros(26), 1), down).sum()
    assert given < 0 < taken
    assert 0.3 < -given / taken < 0.8


def test_the_battery_gives_more_than_the_wheels_get_and_receives_less() -> None:
    power, speed = np.array([10_000.0, -10_000.0, -90_000.0]), np.full(3, 15.0)
    electrics = 450
    drawn = dynamics.battery_power(RENAULT_ZOE, power, speed) - electrics
    assert drawn == pytest.approx([10_000 / 0.88, -8_800, -40_000 * 0.88])


def test_gears_go_up_with_speed_and_the_engine_never_stalls() -> None:
    speed = np.linspace(0, 36, 100)
    gear, rpm = dynamics.gears(PEUGEOT_208, speed, 2400)
    assert gear[0] == 0
    assert gear[-1] == 6
    assert (np.diff(gear) >= 0).all()
    assert rpm.min() == dynamics.IDLE_RPM
    assert rpm[gear < 6].max() <= 2400
