"""Simulated trips, many driven side by side: rows as the cars would send them, and the truth that they were made from.

What belongs here: what a car carries from trip to trip, from driving to rows, and the account of what really happened.
The driving is in ``traffic`` (free trips) and ``drive`` (cycles), the sensors in ``signals``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet import drive, signals
from pipelines.fleet.drive import Moment
from pipelines.fleet.models import park
from pipelines.fleet.powertrain import SOC_TARGET
from pipelines.fleet.traffic import Leg, Traffic
from pipelines.fleet.truth import Plan, TripTruth, account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.fleet.batches import Row, Value
    from pipelines.fleet.models import Park
    from pipelines.fleet.vehicles import Car

    Array = NDArray[np.float64]

_GNSS_M, _GNSS_S = 2.0, 30  # standard deviation of a position, wandering over half a minute
_LEVEL_S, _TEMPERATURE_S = 10, 60  # fuel and battery level, outside temperature: seconds between readings
_REFUEL_BELOW, _CHARGE_BELOW = 0.15, 0.3
_MOST_KWH_PER_M = 0.25e-3  # on a motorway in winter
_J_PER_KWH = 3.6e6
_DEGREE_M = 111_195.0
_LONGEST_S = 20 * 3600
_COMPACT = 0.7  # share of cars still driving below which the others are let go


@dataclass
class CarState:
    """What a car carries from one trip to the next.

    Args:
        odometer_m: all its way.
        fuel: share of the tank that is full.
        charge: share of the battery that is full.
    """

    odometer_m: float
    fuel: float
    charge: float


def drive_together(
    plans: Sequence[Plan], states: Sequence[CarState], rng: np.random.Generator
) -> list[tuple[list[Row], TripTruth]]:
    """Rows and truth of each trip; ``states``, a plan's each (the same object for the same car), move on.

    The trips are driven side by side whatever their departures; they must have ``hz`` and ``cycle`` in common.
    """
    cars = park([plan.car.model for plan in plans], _load(rng, len(plans)))
    every = max(1, math.ceil(1 / plans[0].hz))  # below 1 Hz the driving is finer than the rows
    hz = plans[0].hz * every
    moments = _driven(cars, plans, states, rng, hz)
    trips = []
    for place, (plan, state, moment) in enumerate(zip(plans, states, moments, strict=True)):
        trips.append(_trip(plan, state, cars.take(np.array([place])), moment, hz, every, rng))
    return trips


def _load(rng: np.random.Generator, cars: int) -> Array:
    """People and luggage in kg: one to four of 75 kg, most drive alone, and up to 60 kg more."""
    people = rng.choice([1, 2, 3, 4], cars, p=[0.65, 0.22, 0.08, 0.05])
    return np.asarray(np.round(75 * people + rng.uniform(0, 60, cars)))


def range_m(car: Car) -> float:
    """How far a full electric car gets at a consumption that no trip exceeds, metres; no bound for one that refuels on the way."""
    return car.model.battery_kwh / _MOST_KWH_PER_M if car.model.powertrain == "ELECTRIC" else math.inf


def _make_ready(plan: Plan, state: CarState) -> None:
    """Refuel and charge before departure what is low, or will not do for the way."""
    if state.fuel < _REFUEL_BELOW:
        state.fuel = 1.0
    if state.charge < max(_CHARGE_BELOW, plan.route.length_m / range_m(plan.car)):
        state.charge = 1.0


def _driven(
    cars: Park, plans: Sequence[Plan], states: Sequence[CarState], rng: np.random.Generator, hz: float
) -> list[Moment]:
    """For each plan the moments of its trip, arrays of shape (samples,)."""
    charge = np.array([state.charge if plan.car.model.powertrain == "ELECTRIC" else SOC_TARGET
                       for plan, state in zip(plans, states, strict=True)])  # fmt: skip
    shift = np.array([plan.shift_rpm for plan in plans])
    if (cycle := plans[0].cycle) is not None:
        speed, grade = cycle.at(hz)
        steps = drive.along(cars, speed, grade, shift, hz, drive.fresh(cars, charge))
        return [Moment(*(np.array([getattr(each, name)[place] for each in steps]) for name in Moment._fields))
                for place in range(len(plans))]  # fmt: skip
    legs = [Leg(plan.route, plan.driver.style, plan.shift_rpm) for plan in plans]
    return _free(Traffic(cars, legs, rng, hz, charge), len(plans), hz)


def _free(traffic: Traffic, cars: int, hz: float) -> list[Moment]:
    """Drive until all have arrived; those who have are let go now and then."""
    left = np.arange(cars)
    tables: list[Array] = []
    owners: list[NDArray[np.int64]] = []
    for _ in range(round(_LONGEST_S * hz)):
        arrived = traffic.arrived
        if arrived.all():
            break
        if (~arrived).mean() < _COMPACT:
            going = np.flatnonzero(~arrived)
            traffic.keep(going)
            left, arrived = left[going], arrived[going]
        moment = traffic.step()
        tables.append(np.stack(moment)[:, ~arrived])
        owners.append(left[~arrived])
    table, owner = np.concatenate(tables, axis=1), np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=cars))
    return [Moment(*columns) for columns in np.split(table[:, order], ends[:-1], axis=1)]


def _trip(
    plan: Plan, state: CarState, car: Park, moment: Moment, hz: float, every: int, rng: np.random.Generator
) -> tuple[list[Row], TripTruth]:
    model, samples = plan.car.model, len(moment.speed)
    _make_ready(plan, state)
    instants = np.arange(samples) / hz
    burnt = np.cumsum(moment.fuel_w) / hz / car.fuel_j_per_l
    drawn = np.cumsum(moment.cell_w) / hz
    fuel = np.maximum(state.fuel - burnt / max(model.tank_l, 1), 0)
    charge = moment.soc if model.powertrain == "HYBRID" else np.clip(
        state.charge - drawn / max(model.battery_kwh * _J_PER_KWH, 1), 0, 1
    )  # fmt: skip
    air = _temperature(plan.departure_ms) + rng.normal(0, 1.5)
    latitude, longitude, altitude, heading = _position(plan, moment, hz, rng)
    truth = signals.Truth(
        car, moment, instants, state.odometer_m + moment.way, latitude, longitude, altitude, heading, fuel, burnt, charge,
        air + 0.2 * np.sin(instants / 300),
    )  # fmt: skip
    rows = _rows(plan, truth, every)
    state.odometer_m += float(moment.way[-1])
    state.fuel, state.charge = float(fuel[-1]), float(charge[-1]) if model.powertrain == "ELECTRIC" else state.charge
    return rows, account(plan, car, rows, moment, burnt, hz)


def _position(plan: Plan, moment: Moment, hz: float, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Where a receiver thinks it is; the heading stays what it was while the car stands."""
    samples = len(moment.way)
    latitude, longitude, altitude = plan.route.at(moment.way)
    if plan.cycle is not None:
        altitude = altitude[0] + np.cumsum(moment.slope * moment.speed / hz)
    narrow = np.cos(np.radians(latitude))
    east, north = np.gradient(longitude) * narrow, np.gradient(latitude)
    moves = (east != 0) | (north != 0)
    last = np.maximum.accumulate(np.where(moves, np.arange(samples), -1))
    heading = (np.degrees(np.arctan2(east, north)) % 360)[np.where(last < 0, int(np.argmax(moves)), last)]
    return (
        latitude + _wandering(samples, hz, rng) / _DEGREE_M,
        longitude + _wandering(samples, hz, rng) / _DEGREE_M / narrow,
        altitude,
        heading,
    )


def _wandering(samples: int, hz: float, rng: np.random.Generator) -> Array:
    window = max(1, round(_GNSS_S * hz))
    sums = np.cumsum(rng.standard_normal(samples + window))
    return np.asarray((sums[window:] - sums[:-window]) * _GNSS_M / np.sqrt(window))


def _rows(plan: Plan, truth: signals.Truth, every: int) -> list[Row]:
    columns = {path: column[::every].tolist() for path, column in signals.readings(truth, plan.signals).items()}
    rows: list[dict[str, Value]] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    instants = plan.departure_ms + np.round(np.arange(len(rows)) * 1000 / plan.hz).astype(int)
    for path, seconds, column in _seldom(plan, truth):
        step = max(1, round(seconds * plan.hz))
        for row, value in zip(rows[::step], column[::every][::step].tolist(), strict=True):
            row[path] = value
    rows[0] = {**_identification(plan.car), **rows[0]}
    return list(zip(instants.tolist(), rows, strict=True))


def _seldom(plan: Plan, truth: signals.Truth) -> list[tuple[str, float, signals.Column]]:
    """Signals that are not sent with every row: path, seconds between two, values."""
    model = plan.car.model
    slow = [("Vehicle.Exterior.AirTemperature", _TEMPERATURE_S, np.round(truth.air_c * 2) / 2)]
    if model.battery_kwh:
        soc = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"
        slow.append((soc, _LEVEL_S, np.round(100 * truth.charge, 2)))
    if model.tank_l:
        slow.append(("Vehicle.Powertrain.FuelSystem.RelativeLevel", _LEVEL_S, 100 * truth.fuel))
    return [(path, seconds, signals.typed(path, column)) for path, seconds, column in slow]


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
        attributes["Vehicle.Powertrain.TractionBattery.NetCapacity"] = model.battery_kwh
    if model.tank_l:
        attributes["Vehicle.Powertrain.FuelSystem.TankCapacity"] = model.tank_l
    return attributes


def _temperature(epoch_ms: int) -> float:
    """Degrees Celsius outside, as in an ordinary French year: coldest in mid-January and at four in the morning."""
    instant = datetime.fromtimestamp(epoch_ms / 1000, UTC)
    day, hour = instant.timetuple().tm_yday, instant.hour + instant.minute / 60
    return float(12 - 8 * np.cos(2 * np.pi * (day - 15) / 365) - 4 * np.cos(2 * np.pi * (hour - 4) / 24))
