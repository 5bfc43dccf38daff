"""A simulated fleet on the road, publishing over MQTT, with the truth kept aside.

What belongs here: from itineraries to messages, the few deliberate faults, and the account of it all. The physics is in
``dynamics`` and ``powertrain``, what is invented about roads, people and driving in ``roads``, ``itinerary``, ``traffic``.
"""

from __future__ import annotations

import heapq
import uuid
import zlib
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import SettingsError
from pipelines.fleet.batches import CONTENT_TYPES, Message, batch_messages
from pipelines.fleet.cycles.file import Cycle, read_cycle
from pipelines.fleet.cycles.nedc import nedc_cycle
from pipelines.fleet.itinerary import travels
from pipelines.fleet.network import places, route
from pipelines.fleet.publish import Published, Publisher
from pipelines.fleet.results import TruthFile
from pipelines.fleet.signals import PEDAL
from pipelines.fleet.trips import CarState, drive_together, range_m
from pipelines.fleet.truth import Plan, TripTruth
from pipelines.fleet.vehicles import fleet
from pipelines.privacy.consent import LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from pipelines.fleet.batches import Row, Wire
    from pipelines.fleet.vehicles import Car
    from pipelines.progress import Progress
    from pipelines.settings import Settings

FAULTS = ("out_of_range", "unknown_signal", "not_json", "clock_past", "duplicate_batch")
"""What ``faults`` puts in, one of each: three as readings or rows in quarantine, one as a whole message there, and one
batch that leaves no trace because it was there before."""

_NAMESPACE = uuid.UUID("5f6c8f0e-6c0b-5d0a-9a57-0d8a6f1b7c11")
_TOGETHER = 64  # trips driven side by side


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
    cycle: str | Path | None = None,
    signals: int | None = None,
    wire: Wire = "json",
    faults: bool = False,
    truth: Path | None = None,
    progress: Progress,
) -> SimulationReport:
    """Drive a fleet and publish what its cars say.

    The same arguments give the same messages, so that a second run is known for a duplicate.

    Args:
        settings: which broker.
        vehicles: how many cars.
        start: the first day, with a time zone.
        trips: trips a car: out and home again on most days (see ``itinerary``).
        hz: rows a second.
        seed: another seed, other roads and trips.
        speed: 1 is real time, 60 a minute in a second, 0 as fast as the broker takes it.
        consent: level of all cars; when absent mixed, see ``vehicles.fleet``.
        cycle: what every trip drives instead of its road's limits: ``nedc`` or a file (see ``cycles.file``).
        signals: signals a row; some twenty when absent.
        wire: format of the messages.
        faults: put one of each of ``FAULTS`` into the first car's first trip.
        truth: file for the truth, a JSON object a line: first the trips, then potholes and braking spots of all roads
            that were driven; ``kind`` says which. Written when all is sent.
        progress: told of each row.

    Raises:
        SettingsError: an argument does not make sense, or the file for the truth cannot be written.
        CollectError: the broker cannot be reached or stops answering.
    """
    _check(vehicles=vehicles, start=start, trips=trips, hz=hz, speed=speed, consent=consent, signals=signals, wire=wire)
    known = _cycle(cycle)
    cars = fleet(vehicles, consent)
    plans = _plans(cars, start, trips, hz=hz, seed=seed, cycle=known, signals=signals)
    truths: list[TripTruth] = []
    what = f"{vehicles} cars, {trips} trips each"
    with TruthFile(truth) as written:
        with Publisher(settings) as publisher, progress.step(what, None, "rows") as step:
            driven = _driven(plans, seed, truths, wire, faults=faults)
            first = next(driven)  # drives many trips: before the consents, so that no long silence follows them
            publisher.consent({car.vehicle: (car.consent, _first_departure(plans, car)) for car in cars})
            publisher.send(_in_time_order(chain([first], driven)), speed=speed, step=step)
        written.write(_truth_lines(truths, [] if known else plans))
    counts = dict.fromkeys(FAULTS, 1) if faults else {}
    return SimulationReport({car.vehicle: car.consent for car in cars}, tuple(truths), counts, publisher.published)


def _check(
    *,
    vehicles: int,
    start: datetime,
    trips: int,
    hz: float,
    speed: float,
    consent: str | None,
    signals: int | None,
    wire: str,
) -> None:
    wrong = {
        f"{vehicles} vehicles": vehicles < 1,
        f"{trips} trips": trips < 1,
        f"a start of {start.isoformat()} without a time zone": start.tzinfo is None,
        f"{hz} rows a second (0.1 to 100 are possible)": not 0.1 <= hz <= 100,  # noqa: PLR2004 - said beside it
        f"a speed of {speed}": not 0 <= speed < float("inf"),
        f"consent {consent!r} (one of {', '.join(LEVELS)})": consent not in {None, *LEVELS},
        f"{signals} signals a row": signals is not None and signals < 1,
        f"format {wire!r} (one of {', '.join(CONTENT_TYPES)})": wire not in CONTENT_TYPES,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise SettingsError(f"cannot simulate with {what}", fix="see `rocade simulate --help`")


def _cycle(cycle: str | Path | None) -> Cycle | None:
    if cycle is None:
        return None
    return nedc_cycle() if str(cycle) == "nedc" else read_cycle(Path(cycle))


def _plans(
    cars: Sequence[Car],
    start: datetime,
    trips: int,
    *,
    hz: float,
    seed: int,
    cycle: Cycle | None,
    signals: int | None,
) -> list[Plan]:
    plans = []
    for car in cars:
        rng = np.random.default_rng([seed, car.number, 0])
        for number, travel in enumerate(islice(travels(start.date(), rng, range_m(car)), trips)):
            departure_ms = round(travel.departure.timestamp()) * 1000
            # All that the rows depend on is in the boot's name: other rows, another boot.
            driving = "free" if cycle is None else f"{cycle.name}-{zlib.crc32(cycle.speed_ms.tobytes())}"
            name = f"{seed}/{len(cars)}/{trips}/{car.vehicle}/{number}/{departure_ms}/{hz}/{driving}/{signals}"
            boot = uuid.uuid5(_NAMESPACE, name)
            way = route(travel.origin, travel.destination)
            reason = travel.reason if cycle is None else "cycle"
            plans.append(Plan(car, number, boot, departure_ms, hz, way, reason, cycle, signals))
    return sorted(plans, key=lambda plan: (plan.departure_ms, plan.car.number))


def _first_departure(plans: Iterable[Plan], car: Car) -> int:
    return next(plan.departure_ms for plan in plans if plan.car is car)


def _driven(
    plans: Sequence[Plan], seed: int, truths: list[TripTruth], wire: Wire, *, faults: bool
) -> Iterator[tuple[int, list[Message]]]:
    """Departure and messages of each trip, made when asked for; the truth is added to ``truths``."""
    states: dict[int, CarState] = {}
    for first in range(0, len(plans), _TOGETHER):
        group = plans[first : first + _TOGETHER]
        for plan in group:
            rng = np.random.default_rng([seed, plan.car.number, 1])
            fresh = CarState(rng.uniform(5e6, 9e7), rng.uniform(0.4, 0.95), rng.uniform(0.5, 0.95))
            states.setdefault(plan.car.number, fresh)
        together = drive_together(
            group, [states[plan.car.number] for plan in group], np.random.default_rng([seed, 2, first])
        )
        for plan, (rows, truth) in zip(group, together, strict=True):
            truths.append(truth)
            is_faulty = faults and plan.car.number == 1 and plan.number == 0
            yield plan.departure_ms, _faulty(plan, rows, wire) if is_faulty else _messages(plan, rows, wire)


def _truth_lines(trips: Sequence[TripTruth], plans: Sequence[Plan]) -> Iterator[object]:
    pairs = {(min(one, other), max(one, other)) for plan in plans for one, other in pairwise(plan.route.communes)}
    yield from ({"kind": "trip", **asdict(trip)} for trip in trips)
    yield from places(pairs)


def _messages(plan: Plan, rows: Sequence[Row], wire: Wire) -> list[Message]:
    return batch_messages(plan.car.vehicle, plan.boot, rows, plan.driver.name, wire)


def _faulty(plan: Plan, rows: list[Row], wire: Wire) -> list[Message]:
    """The trip's messages with one of each of ``FAULTS``."""
    third = len(rows) // 3
    rows[third] = (rows[third][0], {**rows[third][1], PEDAL: 250})
    rows[2 * third] = (rows[2 * third][0], {**rows[2 * third][1], "Vehicle.Cabin.CoffeeTemperature": 71.5})
    first, *others = _messages(plan, rows, wire)
    unset = batch_messages(
        plan.car.vehicle, uuid.uuid5(plan.boot, "clock"), [(5000, {"Vehicle.Speed": 0.0})], wire=wire
    )
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
