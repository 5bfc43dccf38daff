"""One simulated trip: what the car's sensors say at each instant, and the truth they were made from.

What belongs here: signals and their rates. The physics is in ``dynamics``, the way in ``roads``, the speed in
``cycles``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet import dynamics
from pipelines.fleet.cycles.commute import commute
from pipelines.fleet.cycles.nedc import nedc

if TYPE_CHECKING:
    import uuid

    from numpy.typing import NDArray

    from pipelines.fleet.batches import Row, Value
    from pipelines.fleet.roads import Route
    from pipelines.fleet.vehicles import Car, Driver

    Array = NDArray[np.float64]

PEDAL = "Vehicle.Chassis.Accelerator.PedalPosition"

_GNSS_M = 2.0  # standard deviation of a position, wandering over half a minute
_GNSS_S = 30
_LEVEL_S, _TEMPERATURE_S = 10, 60  # fuel and battery level, outside temperature: seconds between readings
_REFUEL_BELOW, _CHARGE_BELOW, _CHARGE_TO = 0.15, 0.3, 0.9
_JOULES_PER_KWH = 3.6e6
_ENGINE_BRAKE_MS2 = 0.6  # deceleration without touching the brake
_FULL_BRAKE_MS2 = 6.0


@dataclass(frozen=True)
class TripTruth:
    """What really happened on a trip, to hold results against.

    Args:
        vehicle: id of the car.
        driver: who drove.
        consent: level in force.
        brand: of the car.
        model: of the car.
        boot: identity of the trip's messages.
        start: instant of the first row (UTC).
        end: instant of the last row (UTC).
        rows: rows of the trip.
        distance_m: length of the way.
        stops: times it came to a standstill before the end.
        fuel_l: fuel burnt; 0 for an electric car.
        battery_kwh: energy out of the battery less what came back; 0 for a combustion car.
    """

    vehicle: str
    driver: str
    consent: str
    brand: str
    model: str
    boot: str
    start: datetime
    end: datetime
    rows: int
    distance_m: float
    stops: int
    fuel_l: float
    battery_kwh: float


@dataclass
class CarState:
    """What a car carries from one trip to the next.

    Args:
        odometer_m: all its way.
        way_m: where on its road it stands.
        level: share of tank or battery that is full.
    """

    odometer_m: float
    way_m: float
    level: float


@dataclass(frozen=True)
class Plan:
    """A trip that is to be driven.

    Args:
        car: which car.
        number: which of its trips, from 0; even ones leave home, odd ones return.
        boot: identity of its messages.
        departure_ms: first row (epoch, milliseconds).
        hz: rows a second.
        driving: ``commute`` or ``nedc``.
    """

    car: Car
    number: int
    boot: uuid.UUID
    departure_ms: int
    hz: float
    driving: str

    @property
    def driver(self) -> Driver:
        """Whose turn it is."""
        return self.car.drivers[self.number % len(self.car.drivers)]


def drive(plan: Plan, route: Route, state: CarState, rng: np.random.Generator) -> tuple[list[Row], TripTruth]:
    """Rows and truth of a trip; ``state`` moves on."""
    model = plan.car.model
    direction = 1 if plan.number % 2 == 0 else -1
    speed = _speed(plan, route.length_m - state.way_m if direction > 0 else state.way_m, rng)
    travelled = np.concatenate([[0], np.cumsum(dynamics.mean_speed(speed) / plan.hz)[:-1]])
    way = state.way_m + travelled * direction
    latitude, longitude, altitude = route.at(way)
    power = dynamics.wheel_power(model, speed, route.grade(way) * direction, plan.hz)
    if state.level < (_CHARGE_BELOW if model.battery_kwh else _REFUEL_BELOW):
        state.level = _CHARGE_TO if model.battery_kwh else 1.0
    readings: dict[str, Array] = {
        "Vehicle.Speed": np.round(speed * 3.6, 2),
        "Vehicle.TraveledDistance": np.floor(state.odometer_m + travelled),
        "Vehicle.Acceleration.Longitudinal": np.round(dynamics.acceleration(speed, plan.hz), 3),
        PEDAL: np.round(100 * np.clip(power / (model.power_kw * 1000), 0, 1) ** 0.6),
        "Vehicle.Chassis.Brake.PedalPosition": _brake(speed, plan.hz),
        **_position(latitude, longitude, altitude, plan.hz, rng),
    }
    if model.battery_kwh:
        energy, level = _electric(plan, power, speed, state, readings)
    else:
        energy, level = _combustion(plan, power, speed, state, readings)
    rows = _rows(plan, readings, level, rng)
    state.odometer_m += float(travelled[-1])
    state.way_m = float(way[-1])
    return rows, _truth(plan, rows, float(travelled[-1]), speed, energy)


def _speed(plan: Plan, length_m: float, rng: np.random.Generator) -> Array:
    return nedc(plan.hz) if plan.driving == "nedc" else commute(length_m, plan.driver.style, rng, plan.hz)


def _brake(speed: Array, hz: float) -> Array:
    slowing = -dynamics.acceleration(speed, hz) - _ENGINE_BRAKE_MS2
    return np.asarray(np.round(100 * np.clip(slowing / _FULL_BRAKE_MS2, 0, 1)))


def _position(
    latitude: Array, longitude: Array, altitude: Array, hz: float, rng: np.random.Generator
) -> dict[str, Array]:
    metres_north, metres_east = (_wandering(len(latitude), hz, rng) for _ in range(2))
    degree_m = 111_195.0
    east, north = np.gradient(longitude) * np.cos(np.radians(latitude)), np.gradient(latitude)
    return {
        "Vehicle.CurrentLocation.Latitude": np.round(latitude + metres_north / degree_m, 6),
        "Vehicle.CurrentLocation.Longitude": np.round(
            longitude + metres_east / degree_m / np.cos(np.radians(latitude)), 6
        ),
        "Vehicle.CurrentLocation.Altitude": np.round(altitude, 1),
        "Vehicle.CurrentLocation.Heading": _held(np.degrees(np.arctan2(east, north)) % 360, (east != 0) | (north != 0)),
    }


def _wandering(samples: int, hz: float, rng: np.random.Generator) -> Array:
    window = max(1, round(_GNSS_S * hz))
    noise = np.convolve(rng.standard_normal(samples + window - 1), np.ones(window), "valid")
    return np.asarray(noise * _GNSS_M / np.sqrt(window))


def _held(values: Array, known: NDArray[np.bool_]) -> Array:
    """``values`` where known, else the last known before (the first known at the start)."""
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    first = int(np.argmax(known))
    return np.asarray(np.round(values[np.where(last < 0, first, last)], 1))


def _combustion(
    plan: Plan, power: Array, speed: Array, state: CarState, readings: dict[str, Array]
) -> tuple[tuple[float, float], dict[str, Array]]:
    """Adds the engine's readings; (fuel in l, 0) and the level's readings."""
    model = plan.car.model
    rate = dynamics.fuel_rate(model, power, speed)
    burnt = np.cumsum(rate) / 3600 / plan.hz
    gear, rpm = dynamics.gears(model, speed, plan.driver.style.shift_rpm)
    readings["Vehicle.OBD.FuelRate"] = np.round(rate, 3)
    readings["Vehicle.Powertrain.CombustionEngine.Speed"] = np.round(rpm)
    readings["Vehicle.Powertrain.Transmission.CurrentGear"] = gear
    level = np.maximum(state.level - burnt / model.tank_l, 0)
    state.level = float(level[-1])
    return (float(burnt[-1]), 0.0), {"Vehicle.Powertrain.FuelSystem.RelativeLevel": np.round(100 * level)}


def _electric(
    plan: Plan, power: Array, speed: Array, state: CarState, readings: dict[str, Array]
) -> tuple[tuple[float, float], dict[str, Array]]:
    """Adds the battery's readings; (0, energy drawn in kWh) and the level's readings."""
    model = plan.car.model
    drawn = dynamics.battery_power(model, power, speed)
    energy = np.cumsum(drawn) / plan.hz / _JOULES_PER_KWH
    readings["Vehicle.Powertrain.TractionBattery.CurrentPower"] = -np.round(drawn)  # VSS: positive while charging
    level = np.clip(state.level - energy / model.battery_kwh, 0, 1)
    state.level = float(level[-1])
    soc = {"Vehicle.Powertrain.TractionBattery.StateOfCharge.Current": np.round(100 * level, 2)}
    return (0.0, float(energy[-1])), soc


_WHOLE = frozenset(
    {
        "Vehicle.TraveledDistance",
        PEDAL,
        "Vehicle.Chassis.Brake.PedalPosition",
        "Vehicle.Powertrain.Transmission.CurrentGear",
        "Vehicle.Powertrain.FuelSystem.RelativeLevel",
    }
)


def _rows(plan: Plan, readings: dict[str, Array], level: dict[str, Array], rng: np.random.Generator) -> list[Row]:
    samples = len(readings["Vehicle.Speed"])
    instants = plan.departure_ms + np.round(np.arange(samples) * 1000 / plan.hz).astype(int)
    columns = [_values(path, column) for path, column in readings.items()]
    rows: list[dict[str, Value]] = [dict(zip(readings, values, strict=True)) for values in zip(*columns, strict=True)]
    for path, column in level.items():
        every = max(1, round(_LEVEL_S * plan.hz))
        for row, value in zip(rows[::every], _values(path, column[::every]), strict=True):
            row[path] = value
    temperature = _temperature(plan.departure_ms) + rng.normal(0, 1.5)
    for row in rows[:: max(1, round(_TEMPERATURE_S * plan.hz))]:
        row["Vehicle.Exterior.AirTemperature"] = round((temperature + rng.normal(0, 0.2)) * 2) / 2
    rows[0] = {**_identification(plan.car), **rows[0]}
    return list(zip(instants.tolist(), rows, strict=True))


def _values(path: str, column: Array) -> list[Value]:
    values: list[Value] = (column.astype(int) if path in _WHOLE else column).tolist()
    return values


def _identification(car: Car) -> dict[str, Value]:
    model = car.model
    attributes: dict[str, Value] = {
        "Vehicle.VehicleIdentification.Brand": model.brand,
        "Vehicle.VehicleIdentification.Model": model.name,
        "Vehicle.VehicleIdentification.Year": model.year,
        "Vehicle.Powertrain.Type": model.powertrain,
        "Vehicle.CurbWeight": model.mass_kg,
    }
    if model.battery_kwh:
        return {**attributes, "Vehicle.Powertrain.TractionBattery.NetCapacity": model.battery_kwh}
    return {**attributes, "Vehicle.Powertrain.FuelSystem.TankCapacity": model.tank_l}


def _temperature(epoch_ms: int) -> float:
    """Degrees Celsius outside, as in an ordinary French year: coldest in mid-January and at four in the morning."""
    instant = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    day, hour = instant.timetuple().tm_yday, instant.hour + instant.minute / 60
    return float(12 - 8 * np.cos(2 * np.pi * (day - 15) / 365) - 4 * np.cos(2 * np.pi * (hour - 4) / 24))


def _truth(plan: Plan, rows: list[Row], distance: float, speed: Array, energy: tuple[float, float]) -> TripTruth:
    moving = speed > 0
    return TripTruth(
        vehicle=plan.car.vehicle,
        driver=plan.driver.name,
        consent=plan.car.consent,
        brand=plan.car.model.brand,
        model=plan.car.model.name,
        boot=str(plan.boot),
        start=datetime.fromtimestamp(rows[0][0] / 1000, UTC),
        end=datetime.fromtimestamp(rows[-1][0] / 1000, UTC),
        rows=len(rows),
        distance_m=distance,
        stops=int((moving[:-1] & ~moving[1:]).sum()) - 1,
        fuel_l=energy[0],
        battery_kwh=energy[1],
    )
