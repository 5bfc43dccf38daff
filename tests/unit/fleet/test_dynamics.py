"""Physics: forces are the textbook's, energy goes where it should, nobody goes faster than tyres and power allow."""

import numpy as np
import pytest

from pipelines.fleet import dynamics
from pipelines.fleet.cycles.nedc import nedc
from pipelines.fleet.drive import Moment, along, cell_kwh, fresh, fuel_l
from pipelines.fleet.models import (
    DACIA_DUSTER,
    FORD_FUSION,
    PEUGEOT_208,
    RENAULT_CLIO,
    RENAULT_MEGANE,
    RENAULT_ZOE,
    TOYOTA_PRIUS,
    TOYOTA_YARIS,
    Model,
    Park,
    park,
)

KM = nedc().sum() / 1000
ALL = [PEUGEOT_208, RENAULT_CLIO, DACIA_DUSTER, TOYOTA_YARIS, RENAULT_ZOE, RENAULT_MEGANE]
SHIFT = np.full(len(ALL), 2200.0)


def one(model: Model, load: float = 100.0) -> Park:
    return park([model], np.array([load]))


def column(moments: list[Moment], name: str) -> np.ndarray:
    return np.array([getattr(moment, name) for moment in moments])


@pytest.fixture(scope="module")
def nedc_moments() -> list[Moment]:
    return along(park(ALL, np.full(len(ALL), 100.0)), nedc(), np.zeros(1181), SHIFT)


def test_consumption_on_the_nedc_is_plausible(nedc_moments: list[Moment]) -> None:
    cars = park(ALL, np.full(len(ALL), 100.0))
    litres = 100 * fuel_l(cars, nedc_moments) / KM
    kwh = 100 * cell_kwh(nedc_moments) / KM
    assert ((litres[:3] > 4) & (litres[:3] < 7.5)).all(), litres
    assert 3 < litres[3] < 5
    assert ((kwh[4:] > 10) & (kwh[4:] < 17)).all(), kwh


def test_steady_speed_on_the_flat_needs_drag_and_rolling_resistance() -> None:
    car, speed = one(PEUGEOT_208), np.array([25.0])
    drag = 0.5 * 1.2 * 0.62 * 25**3
    rolling = (1165 + 100) * 9.81 * 0.0095 * 25
    power = dynamics.wheel_power(car, speed, speed, np.zeros(1), np.array([3.0]), 1)
    assert power == pytest.approx(drag + rolling)


def test_a_hill_takes_weight_times_height() -> None:
    car, speed, flat, up = one(RENAULT_ZOE), np.array([10.0]), np.zeros(1), np.array([0.05])
    ratio = np.array([9.3])
    climb = dynamics.wheel_power(car, speed, speed, up, ratio, 1) - dynamics.wheel_power(
        car, speed, speed, flat, ratio, 1
    )
    assert climb == pytest.approx((1464 + 100) * 9.81 * 0.05 * 10, rel=0.01)


def test_turning_parts_make_a_car_heavier_most_in_first_gear() -> None:
    car = one(PEUGEOT_208)
    first, last, none = (dynamics.effective_mass(car, np.array([ratio])) / car.mass_kg for ratio in (13.6, 2.55, 0.0))
    assert 1.2 < first < 1.35
    assert 1.02 < none < last < 1.06


def test_work_at_the_wheels_is_drag_rolling_hill_and_motion(nedc_moments: list[Moment]) -> None:
    cars = park(ALL, np.full(len(ALL), 100.0))
    work = column(nedc_moments, "wheel_w").sum(axis=0)
    speed = column(nedc_moments, "speed")
    mean = (speed + np.vstack([speed[1:], speed[-1:]])) / 2
    drag = (0.5 * 1.2 * cars.drag_area_m2 * mean**3).sum(axis=0)
    rolling = (cars.mass_kg * 9.81 * cars.rolling * mean).sum(axis=0)
    # Standing at both ends: what is left is the turning parts' energy, which a change of gear takes or gives.
    assert work == pytest.approx(drag + rolling, rel=0.02)
    assert work[4:] == pytest.approx((drag + rolling)[4:], rel=1e-9)  # one gear


def test_fuel_is_what_crank_friction_and_efficiency_say(nedc_moments: list[Moment]) -> None:
    cars = park(ALL, np.full(len(ALL), 100.0))
    fuel, crank, friction = (column(nedc_moments, name) for name in ("fuel_w", "crank_w", "friction_w"))
    burning = fuel > 0
    assert (fuel * cars.indicated)[burning] == pytest.approx((crank + friction)[burning])
    assert (crank + friction)[~burning].max() <= 1e-6


def test_power_to_the_wheels_is_engine_and_motor_less_what_is_lost(nedc_moments: list[Moment]) -> None:
    cars = park(ALL, np.full(len(ALL), 100.0))
    wheel, crank, motor, brake = (column(nedc_moments, name) for name in ("wheel_w", "crank_w", "motor_w", "brake_w"))
    shaft = np.where(wheel > 0, wheel / cars.transmission, wheel * cars.transmission)
    belt = np.where(cars.is_electric | cars.is_hybrid, 0, cars.accessories_w)
    assert crank + motor - brake == pytest.approx(shaft + belt, abs=1e-6)
    battery, cell = column(nedc_moments, "battery_w"), column(nedc_moments, "cell_w")
    assert cell == pytest.approx(np.where(battery > 0, battery / cars.cell, battery * cars.cell))
    assert (brake >= 0).all()


def test_nothing_is_gained_by_speeding_up_and_braking_again() -> None:
    speed = np.concatenate([np.linspace(0, 25, 26), np.linspace(25, 0, 26)])
    (moments,) = [along(one(RENAULT_ZOE), speed, np.zeros(52), np.array([2000.0]))]
    drawn = column(moments, "cell_w")
    taken, given = drawn[:26].sum(), drawn[26:].sum()
    assert given < 0 < taken
    assert 0.3 < -given / taken < 0.8


def test_fuel_is_cut_while_the_car_drives_the_engine_and_not_when_standing() -> None:
    speed = np.concatenate([np.full(30, 25.0), np.linspace(25, 0, 20), np.zeros(10)])
    moments = along(one(PEUGEOT_208), speed, np.zeros(60), np.array([2200.0]))
    fuel = column(moments, "fuel_w")[:, 0]
    assert fuel[31:42].max() < 1e-6
    idle = fuel[-1] / 31.5e6 * 3600
    assert 0.3 < idle < 0.9


def test_a_full_battery_takes_nothing_back() -> None:
    speed = np.linspace(25, 0, 20)
    charge = fresh(one(RENAULT_ZOE), soc=1.0)
    assert column(along(one(RENAULT_ZOE), speed, np.zeros(20), np.array([2000.0]), 1, charge), "motor_w").min() >= 0


def test_gears_go_up_with_speed_and_the_engine_neither_stalls_nor_races() -> None:
    speed = np.linspace(0, 36, 200)
    moments = along(one(PEUGEOT_208), speed, np.zeros(200), np.array([2400.0]))
    gear, rpm = column(moments, "gear")[:, 0], column(moments, "rpm")[:, 0]
    assert gear[0] <= 1
    assert gear[-1] == 6
    assert (np.diff(gear) >= 0).all()
    assert rpm.min() == PEUGEOT_208.idle_rpm
    assert rpm[gear < 6].max() <= 2400


def test_a_hill_makes_the_driver_shift_down() -> None:
    speed, up = np.full(60, 25.0), np.concatenate([np.zeros(30), np.full(30, 0.1)])
    gear = column(along(one(RENAULT_CLIO), speed, up, np.array([2200.0])), "gear")[:, 0]
    assert gear[40] < gear[20]


def test_nobody_speeds_up_more_than_tyres_or_engine_allow() -> None:
    wanted = np.full(40, 60.0)
    wanted[0] = 0
    for model in (FORD_FUSION, PEUGEOT_208, RENAULT_MEGANE, TOYOTA_PRIUS):
        car = one(model)
        moments = along(car, wanted, np.zeros(40), np.array([6000.0]))
        acceleration, speed = column(moments, "acceleration")[:, 0], column(moments, "speed")[:, 0]
        assert acceleration.max() <= 0.85 * 9.81 * model.driven_share
        assert column(moments, "wheel_w").max() <= (model.engine_kw + model.motor_kw) * 1000
        hundred = np.interp(27.8, speed, np.arange(40.0))
        assert 4 < hundred < 16, (model.name, hundred)


def test_nobody_brakes_harder_than_tyres_allow() -> None:
    moments = along(one(PEUGEOT_208), np.array([30.0, 0.0, 0.0, 0.0, 0.0]), np.zeros(5), np.array([2000.0]))
    assert column(moments, "acceleration").min() == pytest.approx(-0.85 * 9.81)


def test_a_hybrid_comes_back_to_its_charge() -> None:
    car = one(TOYOTA_PRIUS)
    charge = fresh(car, soc=0.45)
    for _ in range(4):
        along(car, nedc(), np.zeros(1181), np.array([2000.0]), 1, charge)
    before = charge.soc.copy()
    moments = along(car, nedc(), np.zeros(1181), np.array([2000.0]), 1, charge)
    assert charge.soc == pytest.approx(before, abs=0.01)
    assert 0.2 < (column(moments, "rpm") == 0).mean() < 0.9
