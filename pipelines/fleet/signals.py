"""What a car's sensors say: VSS signals from what is true of it.

Works on any number of instants at once: one car over time, or many cars at one instant. Signals beyond those of ``CORE``
and ``MORE`` are fillers: they wander within the catalogue's bounds and mean nothing; they are there for the load.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipelines.contracts.signals import load_signals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.fleet.drive import Moment
    from pipelines.fleet.models import Park

    Array = NDArray[np.float64]
    Column = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_] | NDArray[np.str_]

PEDAL = "Vehicle.Chassis.Accelerator.PedalPosition"
_BRAKE = "Vehicle.Chassis.Brake.PedalPosition"
_ENGINE = "Vehicle.Powertrain.CombustionEngine"
_BATTERY = "Vehicle.Powertrain.TractionBattery"
_WHEELS = tuple((row, side) for row in (1, 2) for side in ("Left", "Right"))

_FULL_BRAKE = 0.6  # of the weight: brake force at the end of the pedal's way
_TRACK_M, _WHEELBASE_M, _STEERING = 1.5, 2.6, 15.0
_STOICHIOMETRIC = 14.7  # kg of air a kg of petrol
_KG_PER_L = 0.745
_CELLS_V, _CELLS_OHM = 360.0, 0.1
_WARM_C, _WARMING_S = 88.0, 240.0
_EMERGENCY_MS2, _ABS_MS2 = 5.0, 8.0
_SLIP_LPER100 = 99.9
_FILLER_S = (20.0, 900.0)  # periods of a filler's wandering
_ENOUGH = 10_000
_FILLER_TYPES = frozenset({"float", "integer", "boolean"})


@dataclass(frozen=True)
class Truth:
    """What is true at n instants; arrays of shape (n,).

    Args:
        park: the cars: n of them, or one.
        moment: motion and powers.
        seconds: since the car was started.
        odometer_m: all its way.
        latitude: degrees.
        longitude: degrees.
        altitude_m: metres.
        heading: degrees from north.
        fuel: share of the tank that is full.
        burnt_l: since the start.
        charge: share of the battery that is full.
        air_c: outside.
    """

    park: Park
    moment: Moment
    seconds: Array
    odometer_m: Array
    latitude: Array
    longitude: Array
    altitude_m: Array
    heading: Array
    fuel: Array
    burnt_l: Array
    charge: Array
    air_c: Array


def readings(truth: Truth, most: int | None = None) -> dict[str, Column]:
    """Signals by path, each of shape (n,), rounded as a car would; the cars must be of one powertrain.

    Args:
        truth: what is true.
        most: how many signals: the first so many of what the car has, fillers where it has no more. The core when absent.
    """
    columns = _motion(truth)
    electric, hybrid = bool(truth.park.is_electric[0]), bool(truth.park.is_hybrid[0])
    if not electric:
        columns |= _engine(truth)
    if electric or hybrid:
        columns |= _battery(truth)
    if most is None:
        return columns
    if most > len(columns):
        columns |= _chassis(truth) | _supplies(truth) | ({} if electric else _engine_more(truth))
    if most > len(columns):
        columns |= _fillers(truth, columns, most - len(columns))
    return dict(list(columns.items())[:most])


def typed(path: str, column: Array) -> Column:
    """``column`` as its signal's type: whole numbers, booleans, or as it is."""
    kind = _types().get(path)
    if kind == "integer":
        return np.rint(column).astype(np.int64)
    return column > 0 if kind == "boolean" else column


def _motion(truth: Truth) -> dict[str, Column]:
    moment, park = truth.moment, truth.park
    asked = np.maximum(moment.wheel_w, 0) / (park.engine_w + park.motor_w)
    raw: dict[str, Array] = {
        "Vehicle.Speed": np.round(moment.speed * 3.6, 2),
        "Vehicle.TraveledDistance": np.floor(truth.odometer_m),
        "Vehicle.Acceleration.Longitudinal": np.round(moment.acceleration, 3),
        "Vehicle.Acceleration.Lateral": np.round(moment.lateral, 3),
        "Vehicle.Acceleration.Vertical": np.round(moment.vertical, 2),
        PEDAL: 100 * np.clip(asked, 0, 1) ** 0.6,
        _BRAKE: 100 * np.clip(_braking(truth) / (_FULL_BRAKE * 9.81 * park.mass_kg), 0, 1),
        "Vehicle.CurrentLocation.Latitude": np.round(truth.latitude, 6),
        "Vehicle.CurrentLocation.Longitude": np.round(truth.longitude, 6),
        "Vehicle.CurrentLocation.Altitude": np.round(truth.altitude_m, 1),
        "Vehicle.CurrentLocation.Heading": np.round(truth.heading, 1) % 360,
    }
    return _all_typed(raw)


def _braking(truth: Truth) -> Array:
    """Force of the friction brakes in N."""
    moment = truth.moment
    return np.asarray(moment.brake_w / np.maximum(moment.speed + moment.acceleration / 2, 0.5))


def _engine(truth: Truth) -> dict[str, Column]:
    moment, park = truth.moment, truth.park
    raw = {
        "Vehicle.OBD.FuelRate": np.round(moment.fuel_w / park.fuel_j_per_l * 3600, 3),
        f"{_ENGINE}.Speed": np.round(moment.rpm),
        "Vehicle.Powertrain.Transmission.CurrentGear": moment.gear,
    }
    return _all_typed(raw)


def _battery(truth: Truth) -> dict[str, Column]:
    # VSS: positive while charging.
    return _all_typed({f"{_BATTERY}.CurrentPower": -np.round(truth.moment.battery_w)})


def _chassis(truth: Truth) -> dict[str, Column]:
    moment = truth.moment
    curvature = moment.lateral / np.maximum(moment.speed, 1) ** 2
    raw: dict[str, Array] = {
        "Vehicle.IsMoving": (moment.speed > 0).astype(float),
        "Vehicle.AngularVelocity.Yaw": np.round(np.degrees(moment.speed * curvature), 2),
        "Vehicle.Chassis.SteeringWheel.Angle": np.degrees(np.arctan(_WHEELBASE_M * curvature)) * _STEERING,
        "Vehicle.ADAS.ABS.IsEngaged": (moment.acceleration < -_ABS_MS2).astype(float),
        "Vehicle.Chassis.Brake.IsDriverEmergencyBrakingDetected": (moment.acceleration < -_EMERGENCY_MS2).astype(float),
        "Vehicle.TraveledDistanceSinceStart": moment.way,
        "Vehicle.AverageSpeed": np.round(3.6 * moment.way / np.maximum(truth.seconds, 1), 2),
    }
    for row, side in _WHEELS:
        inner = -1 if side == "Left" else 1
        name = f"Vehicle.Chassis.Axle.Row{row}.Wheel.{side}"
        raw[f"{name}.Speed"] = np.round(3.6 * moment.speed * (1 + inner * curvature * _TRACK_M / 2), 2)
        raw[f"{name}.Tire.Pressure"] = 230 + 15 * (1 - np.exp(-truth.seconds / 900)) + 2 * row
    lights = np.where(_braking(truth) > 0, "ACTIVE", "INACTIVE")
    return {**_all_typed(raw), "Vehicle.Body.Lights.Brake.IsActive": lights}


def _supplies(truth: Truth) -> dict[str, Column]:
    moment, park = truth.moment, truth.park
    ones = np.ones_like(moment.speed)
    raw: dict[str, Array] = {
        "Vehicle.Exterior.AirTemperature": np.round(truth.air_c * 2) / 2 * ones,
        "Vehicle.CurrentOverallWeight": park.mass_kg * ones,
        "Vehicle.LowVoltageBattery.CurrentVoltage": np.round(14.1 + 0.1 * np.sin(truth.seconds / 7), 2),
        "Vehicle.CurrentLocation.HorizontalAccuracy": np.round(2.5 + np.sin(truth.seconds / 40), 1),
        "Vehicle.Powertrain.Range": np.floor(1e6 * 0.5 * (truth.fuel + truth.charge)),
    }
    if bool(park.is_electric[0] | park.is_hybrid[0]):
        volts = _CELLS_V - _CELLS_OHM * moment.battery_w / _CELLS_V
        raw |= {
            f"{_BATTERY}.StateOfCharge.Current": np.round(100 * truth.charge, 2),
            f"{_BATTERY}.CurrentVoltage": np.round(volts, 1),
            f"{_BATTERY}.CurrentCurrent": np.round(-moment.battery_w / volts, 1),
            f"{_BATTERY}.Temperature.Average": np.round(truth.air_c + 8 * (1 - np.exp(-truth.seconds / 1800)), 1),
        }
    return _all_typed(raw)


def _engine_more(truth: Truth) -> dict[str, Column]:
    moment, park = truth.moment, truth.park
    litres = moment.fuel_w / park.fuel_j_per_l  # a second
    turning = np.maximum(moment.rpm, 1) * np.pi / 30
    load = np.clip(moment.crank_w / np.maximum(park.engine_w, 1), 0, 1)
    warm = truth.air_c + (_WARM_C - truth.air_c) * (1 - np.exp(-truth.seconds / _WARMING_S))
    per_100 = np.minimum(litres / np.maximum(moment.speed, 0.3) * 1e5, _SLIP_LPER100)
    raw = {
        f"{_ENGINE}.Torque": moment.crank_w / turning,
        f"{_ENGINE}.Power": np.maximum(moment.crank_w, 0) / 1000,
        f"{_ENGINE}.EngineCoolant.Temperature": np.round(warm, 1),
        f"{_ENGINE}.EngineOil.Temperature": np.round(warm - 4, 1),
        f"{_ENGINE}.TPS": 100 * load**0.7,
        f"{_ENGINE}.IsRunning": (moment.rpm > 0).astype(float),
        "Vehicle.OBD.MAF": np.round(litres * _KG_PER_L * 1000 * _STOICHIOMETRIC, 2),
        "Vehicle.OBD.EngineLoad": np.round(100 * load, 1),
        "Vehicle.Powertrain.FuelSystem.InstantConsumption": np.round(per_100, 1),
        "Vehicle.Powertrain.FuelSystem.ConsumptionSinceStart": np.round(truth.burnt_l, 3),
        "Vehicle.Powertrain.FuelSystem.RelativeLevel": 100 * truth.fuel,
    }
    return _all_typed(raw)


def _fillers(truth: Truth, taken: Mapping[str, Column], count: int) -> dict[str, Column]:
    """``count`` signals more: catalogue's numbers and switches, then unknown ones."""
    rng = np.random.default_rng(count)
    names = [path for path, kind in _types().items() if kind in _FILLER_TYPES and path not in taken]
    names += [f"Vehicle.Private.Sensor{number:04d}" for number in range(1, max(0, count - len(names)) + 1)]
    low, high = np.array([_bounds(path) for path in names[:count]]).T[:, :, None]
    pace, phase = 2 * np.pi / rng.uniform(*_FILLER_S, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1))
    waves = np.sin(pace * truth.seconds + phase + truth.odometer_m / 7e5)
    lines = np.round((low + high) / 2 + (high - low) / 4 * waves, 2)
    return {path: typed(path, line) for path, line in zip(names[:count], lines, strict=True)}


@cache
def _types() -> dict[str, str]:
    return {path: signal.type for path, signal in load_signals().items()}


@cache
def _bounds(path: str) -> tuple[float, float]:
    signal = load_signals().get(path)
    if signal is None or signal.type == "boolean":
        return (-1.0, 1.0) if signal else (0.0, 100.0)
    low = max(signal.minimum if signal.minimum is not None else 0.0, -_ENOUGH)
    return low, min(signal.maximum if signal.maximum is not None else low + 100, low + _ENOUGH)


def _all_typed(raw: Mapping[str, Array]) -> dict[str, Column]:
    return {path: typed(path, column) for path, column in raw.items()}
