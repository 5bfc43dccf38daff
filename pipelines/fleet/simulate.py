"""A simulated fleet on the road, publishing over MQTT, with the truth kept aside.

What belongs here: who drives when, the few deliberate faults, and the account of it all. A first model: see ``roads``
for what is invented about the roads, ``cycles`` for what is invented about the driving, ``dynamics`` for the physics.
"""

from __future__ import annotations

import heapq
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import orjson

from pipelines.errors import SettingsError
from pipelines.fleet.batches import Message, batch_messages
from pipelines.fleet.publish import Published, Publisher
from pipelines.fleet.roads import random_route
from pipelines.fleet.trips import PEDAL, CarState, Plan, TripTruth, drive
from pipelines.fleet.vehicles import fleet
from pipelines.privacy.consent import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pipelines.fleet.batches import Row
    from pipelines.fleet.roads import Route
    from pipelines.fleet.vehicles import Car
    from pipelines.progress import Progress
    from pipelines.settings import Settings

DRIVING = ("commute", "nedc")
FAULTS = ("out_of_range", "unknown_signal", "not_json", "clock_past", "duplicate_batch")
"""What ``faults`` puts in, one of each: three as readings or rows in quarantine, one as a whole message there, and one
batch that leaves no trace because it was there before."""

_NAMESPACE = uuid.UUID("5f6c8f0e-6c0b-5d0a-9a57-0d8a6f1b7c11")
_LEGS_H = ((6.0, 2.0), (16.0, 2.5))  # hours (UTC) and spread of the morning's and the evening's departure


@dataclass(frozen=True)
class SimulationReport:
    """What a simulation sent, and what it should have been understood as.

    Args:
        consents: by car, the level published before its first row.
        trips: truth by trip, in the order of departure.
        faults: deliberate faults by kind (see ``FAULTS``); empty without them.
        published: what the broker acknowledged, deliberate faults included.
    """

    consents: dict[str, str]
    trips: tuple[TripTruth, ...]
    faults: dict[str, int]
    published: Published


def simulate(
    settings: Settings,
    *,
    vehicles: int,
    start: datetime,
    trips: int = 2,
    hz: float = 1,
    seed: int = 1,
    speed: float = 0,
    consent: str | None = None,
    driving: str = "commute",
    faults: bool = False,
    truth: Path | None = None,
    progress: Progress,
) -> SimulationReport:
    """Drive a fleet and publish what its cars say.

    The same arguments give the same messages, so that a second run is known for a duplicate.

    Args:
        settings: which broker.
        vehicles: how many cars.
        start: midnight of the first day, with a time zone.
        trips: trips a car: two a day, out in the morning and home in the evening.
        hz: rows a second.
        seed: another seed, other roads and trips.
        speed: 1 is real time, 60 a minute in a second, 0 as fast as the broker takes it.
        consent: level of all cars; when absent mixed, see ``vehicles.fleet``.
        driving: ``commute`` (stop-and-go on a hilly road) or ``nedc`` (the cycle, on a flat one).
        faults: put one of each of ``FAULTS`` into the first car's first trip.
        truth: file for the truth, a JSON object a line and trip; written when all is sent.
        progress: told of each row.

    Raises:
        SettingsError: an argument does not make sense.
        CollectError: the broker cannot be reached or stops answering.
    """
    _check(vehicles=vehicles, start=start, trips=trips, hz=hz, speed=speed, consent=consent, driving=driving)
    cars = fleet(vehicles, consent)
    plans = _plans(cars, start, trips, hz=hz, seed=seed, driving=driving)
    truths: list[TripTruth] = []
    with Publisher(settings) as publisher, progress.step(f"{vehicles} cars, {trips} trips each", None, "rows") as step:
        publisher.consent({car.vehicle: (car.consent, _first_departure(plans, car)) for car in cars})
        driven = _driven(plans, seed, truths, faults=faults)
        publisher.send(_in_time_order(driven), speed=speed, step=step)
    if truth is not None:
        truth.write_bytes(b"".join(orjson.dumps(trip, option=orjson.OPT_APPEND_NEWLINE) for trip in truths))
    counts = dict.fromkeys(FAULTS, 1) if faults else {}
    return SimulationReport({car.vehicle: car.consent for car in cars}, tuple(truths), counts, publisher.published)


def _check(
    *, vehicles: int, start: datetime, trips: int, hz: float, speed: float, consent: str | None, driving: str
) -> None:
    wrong = {
        f"{vehicles} vehicles": vehicles < 1,
        f"{trips} trips": trips < 1,
        f"a start of {start.isoformat()} without a time zone": start.tzinfo is None,
        f"{hz} rows a second (0.1 to 100 are possible)": not 0.1 <= hz <= 100,  # noqa: PLR2004 - said beside it
        f"a speed of {speed}": not 0 <= speed < float("inf"),
        f"consent {consent!r} (one of {', '.join(LEVELS)})": consent not in {None, *LEVELS},
        f"driving {driving!r} (one of {', '.join(DRIVING)})": driving not in DRIVING,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise SettingsError(f"cannot simulate with {what}", fix="see `rocade simulate --help`")


def _plans(cars: Sequence[Car], start: datetime, trips: int, *, hz: float, seed: int, driving: str) -> list[Plan]:
    plans = []
    for car in cars:
        rng = np.random.default_rng([seed, car.number, 0])
        for number in range(trips):
            hour, spread = _LEGS_H[number % 2]
            departure = start + timedelta(days=number // 2, hours=hour + spread * rng.random())
            # All that the rows depend on is in the boot's name: other rows, another boot.
            name = f"{seed}/{car.vehicle}/{number}/{start.astimezone(UTC).isoformat()}/{hz}/{driving}"
            departure_ms = round(departure.timestamp()) * 1000
            plans.append(Plan(car, number, uuid.uuid5(_NAMESPACE, name), departure_ms, hz, driving))
    return sorted(plans, key=lambda plan: (plan.departure_ms, plan.car.number))


def _first_departure(plans: Iterable[Plan], car: Car) -> int:
    return next(plan.departure_ms for plan in plans if plan.car is car)


def _driven(
    plans: Iterable[Plan], seed: int, truths: list[TripTruth], *, faults: bool
) -> Iterator[tuple[int, list[Message]]]:
    """Departure and messages of each trip, made when asked for; the truth is added to ``truths``."""
    roads: dict[int, tuple[Route, CarState]] = {}
    for plan in plans:
        car = plan.car
        if car.number not in roads:
            rng = np.random.default_rng([seed, car.number, 1])
            route = random_route(rng, hilly=plan.driving != "nedc")
            roads[car.number] = route, CarState(rng.uniform(5e6, 9e7), 0, rng.uniform(0.4, 0.95))
        rows, truth = drive(plan, *roads[car.number], np.random.default_rng([seed, car.number, 2, plan.number]))
        truths.append(truth)
        is_faulty = faults and car.number == 1 and plan.number == 0
        yield plan.departure_ms, _faulty(plan, rows) if is_faulty else _messages(plan, rows)


def _messages(plan: Plan, rows: Sequence[Row]) -> list[Message]:
    return batch_messages(plan.car.vehicle, plan.boot, rows, plan.driver.name)


def _faulty(plan: Plan, rows: list[Row]) -> list[Message]:
    """The trip's messages with one of each of ``FAULTS``."""
    third = len(rows) // 3
    rows[third] = (rows[third][0], {**rows[third][1], PEDAL: 250})
    rows[2 * third] = (rows[2 * third][0], {**rows[2 * third][1], "Vehicle.Cabin.CoffeeTemperature": 71.5})
    first, *others = _messages(plan, rows)
    unset = batch_messages(plan.car.vehicle, uuid.uuid5(plan.boot, "clock"), [(5000, {"Vehicle.Speed": 0.0})])
    noise = replace(first, payload=b"\x00\x1fnot JSON", rows=0, readings=0)
    return [first, noise, *(replace(message, ends_ms=first.ends_ms) for message in unset), first, *others]


def _in_time_order(trips: Iterable[tuple[int, list[Message]]]) -> Iterator[Message]:
    """The messages of trips that overlap, as a broker would receive them."""
    waiting: list[tuple[int, int, Message]] = []
    count = 0
    for departure_ms, messages in trips:
        while waiting and waiting[0][0] < departure_ms:
            yield heapq.heappop(waiting)[2]
        for message in messages:
            heapq.heappush(waiting, (message.ends_ms, count, message))
            count += 1
    while waiting:
        yield heapq.heappop(waiting)[2]
