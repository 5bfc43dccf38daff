"""A whole fleet at once, for load: every car drives all the time, and its messages come as a broker would see them.

What belongs here: many cars side by side (numpy over cars and instants), from driving to encoded messages. Each car
drives to another commune and home again, over and over. The cars are dealt out to cohorts whose messages are due one
after the other, so that the load is even. What a trip is, and its truth, is in ``trips``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.fleet import signals
from pipelines.fleet.batches import CONTENT_TYPES, Head, Message, arrow_stream, encode
from pipelines.fleet.itinerary import travels
from pipelines.fleet.models import park
from pipelines.fleet.network import round_trip
from pipelines.fleet.powertrain import SOC_TARGET
from pipelines.fleet.traffic import Leg, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from pipelines.fleet.batches import Wire
    from pipelines.fleet.drive import Moment
    from pipelines.fleet.network import Route
    from pipelines.fleet.vehicles import Car

    Array = NDArray[np.float64]

FUSION_SIGNALS, FUSION_BYTES_S = 800, 20e9 / 3600
"""The profile ``fusion``: a Ford Fusion with 800 signals that makes 20 GB an hour."""

_NAMESPACE = uuid.UUID("8d5c2a34-6d4c-5b29-9d0e-3c8e7f1f4a60")
_ROUTES = 400  # different routes in a crowd; cars share them
_FUSION_MESSAGES_S = 4  # messages a second and car of that profile
_CHARGE, _FUEL = 0.8, 0.7  # at the start
_AIR_C = 14.0


@dataclass(frozen=True)
class Load:
    """What a crowd sends.

    Args:
        hz: rows a second and car.
        signals: readings a row.
        batch: rows a message.
        wire: format of the messages.
    """

    hz: float
    signals: int
    batch: int
    wire: Wire


@dataclass(frozen=True)
class CarTruth:
    """What a car of a crowd really did.

    Args:
        vehicle: its id.
        boot: identity of its messages.
        mass_kg: with all that was in it.
        rows: rows sent.
        distance_m: driven.
        fuel_l: burnt.
        battery_kwh: taken from the battery less what came back.
    """

    vehicle: str
    boot: str
    mass_kg: float
    rows: int
    distance_m: float
    fuel_l: float
    battery_kwh: float


def fusion(car: Car, wire: Wire, day: date) -> Load:
    """The profile ``fusion`` in this format: at the rate that makes 20 GB an hour of a car like this one."""
    # The first message of a lone car has one row, the second a batch: what a message costs, and what a row does.
    short, long = islice(Crowd([car], Load(100, FUSION_SIGNALS, 100, wire), 0, day, seed=1).messages(2), 2)
    row = (len(long.payload) - len(short.payload)) / (long.rows - short.rows)
    message = len(short.payload) - row * short.rows
    hz = round((FUSION_BYTES_S - _FUSION_MESSAGES_S * message) / row, 1)
    return Load(hz, FUSION_SIGNALS, max(1, round(hz / _FUSION_MESSAGES_S)), wire)


class Crowd:
    """Cars that drive at the same time.

    Args:
        cars: who.
        load: what each sends.
        start_ms: device time of the first row (epoch, milliseconds).
        day: decides where the cars go.
        seed: another seed, other roads and lights.
    """

    def __init__(self, cars: Sequence[Car], load: Load, start_ms: int, day: date, *, seed: int) -> None:
        routes = _routes(min(len(cars), _ROUTES), day, seed)
        count = min(load.batch, len(cars))
        self._load = load
        self._cohorts = [
            _Cohort(cars[place::count], routes, load, start_ms, np.random.default_rng([seed, place]))
            for place in range(count)
        ]

    @property
    def truth(self) -> list[CarTruth]:
        """What each car has done so far."""
        return [each for cohort in self._cohorts for each in cohort.truth()]

    def messages(self, seconds: float) -> Iterator[Message]:
        """All messages of so many seconds, in the order in which cars would send them."""
        rows, batch, count = round(seconds * self._load.hz), self._load.batch, len(self._cohorts)
        first = [1 + place * batch // count for place in range(count)]  # rows of each cohort's first message
        for row in range(1, rows + 1):
            for cohort, begin in zip(self._cohorts, first, strict=True):
                if row >= begin and (row - begin) % batch == 0:
                    yield from cohort.advance(row - cohort.rows)
        for cohort in self._cohorts:
            if cohort.rows < rows:
                yield from cohort.advance(rows - cohort.rows)


class _Cohort:
    """Cars whose messages are due at the same time."""

    def __init__(
        self, cars: Sequence[Car], routes: Sequence[Route], load: Load, start_ms: int, rng: np.random.Generator
    ) -> None:
        self.rows = 0
        self._load, self._start_ms, self._seq = load, start_ms, 0
        styles = [car.drivers[0].style for car in cars]
        self._legs = [
            Leg(routes[car.number % len(routes)], style, car.shift_rpm(style))
            for car, style in zip(cars, styles, strict=True)
        ]
        self._cars = park([car.model for car in cars], rng.uniform(75, 300, len(cars)))
        soc = np.where(self._cars.is_electric, _CHARGE, SOC_TARGET)
        self._traffic = Traffic(self._cars, self._legs, rng, load.hz, soc)
        self._last = self._odometer = self._start = rng.uniform(5e6, 9e7, len(cars))
        self._lengths = np.array([leg.route.length_m for leg in self._legs])
        self._burnt, self._drawn = np.zeros(len(cars)), np.zeros(len(cars))
        name = f"{start_ms}/{load}/{rng.bit_generator.state['state']['state']}"
        self._heads = [
            Head(car.vehicle, str(uuid.uuid5(_NAMESPACE, f"{car.vehicle}/{name}")), 0, car.drivers[0].name)
            for car in cars
        ]
        self._kinds = [
            np.flatnonzero(mask)
            for mask in (self._cars.is_electric, self._cars.is_hybrid, ~(self._cars.is_electric | self._cars.is_hybrid))
            if mask.any()
        ]
        self._tanks = np.array([max(car.model.tank_l, 1) for car in cars])
        self._lines = [
            (leg.route.way_m, leg.route.latitude, leg.route.longitude, leg.route.altitude_m) for leg in self._legs
        ]

    def advance(self, rows: int) -> list[Message]:
        """Drive for so many rows and say so: a message a car."""
        moments, odometers, burnt = [], [], []
        for _ in range(rows):
            self._odometer = np.where(self._traffic.restart(), self._odometer + self._lengths, self._odometer)
            moment = self._traffic.step()
            self._burnt = self._burnt + moment.fuel_w / self._load.hz / self._cars.fuel_j_per_l
            self._drawn = self._drawn + moment.battery_w / self._load.hz
            moments.append(moment)
            odometers.append(self._odometer + moment.way)
            burnt.append(self._burnt)
        instants = (self.rows + np.arange(rows)) / self._load.hz
        self._last = odometers[-1]
        messages: list[Message | None] = [None] * len(self._heads)
        for kind in self._kinds:
            self._say(messages, kind, moments, np.array(odometers), np.array(burnt), instants)
        self.rows += rows
        self._seq += 1
        return [message for message in messages if message is not None]

    def truth(self) -> list[CarTruth]:
        """What each car has done so far."""
        moved = self._last - self._start
        return [
            CarTruth(
                head.vehicle,
                head.boot,
                round(float(mass), 1),
                self.rows,
                round(float(way), 1),
                float(fuel),
                float(drawn) / 3.6e6,
            )
            for head, mass, way, fuel, drawn in zip(
                self._heads, self._cars.mass_kg, moved, self._burnt, self._drawn, strict=True
            )
        ]

    def _say(
        self,
        messages: list[Message | None],
        kind: NDArray[np.int64],
        moments: Sequence[Moment],
        odometers: Array,
        burnt: Array,
        instants: Array,
    ) -> None:
        """Messages of the cars in ``kind`` (places), which have one kind of powertrain: car after car, row after row."""
        rows, cars = len(instants), len(kind)
        flat = type(moments[0])(*(np.stack(column)[:, kind].T.ravel() for column in zip(*moments, strict=True)))
        place = np.repeat(kind, rows)
        truth = signals.Truth(
            self._cars.take(place),
            flat,
            np.tile(instants, cars),
            odometers[:, kind].T.ravel(),
            *self._positions(kind, flat.way.reshape(cars, rows)),
            1 - (1 - _FUEL + (burnt[:, kind].T.ravel() / self._tanks[place])) % 1.0,
            burnt[:, kind].T.ravel(),
            flat.soc,
            np.full(len(place), _AIR_C),
        )
        columns = signals.readings(truth, self._load.signals)
        steps = instants * 1000
        writer = _arrow_messages if self._load.wire == "arrow" else _row_messages
        heads = [self._heads[each] for each in kind.tolist()]
        made = writer(heads, self._seq, self._start_ms, steps, columns, self._load.wire)
        for each, message in zip(kind.tolist(), made, strict=True):
            messages[each] = message

    def _positions(self, kind: NDArray[np.int64], way: Array) -> tuple[Array, Array, Array, Array]:
        found = np.empty((4, *way.shape))
        for row, each in enumerate(kind.tolist()):
            ways, latitude, longitude, altitude = self._lines[each]
            # Points are evenly spaced: no search.
            at = np.minimum(way[row] / ways[1], len(ways) - 1.001)
            point = at.astype(np.int64)
            share = at - point
            for line, values in enumerate((latitude, longitude, altitude)):
                found[line, row] = values[point] * (1 - share) + values[point + 1] * share
            east = (longitude[point + 1] - longitude[point]) * np.cos(np.radians(latitude[point]))
            found[3, row] = np.degrees(np.arctan2(east, latitude[point + 1] - latitude[point])) % 360
        latitude, longitude, altitude, heading = found.reshape(4, -1)
        return latitude, longitude, altitude, heading


def _row_messages(
    heads: Sequence[Head], seq: int, start_ms: int, steps: Array, columns: dict[str, signals.Column], wire: Wire
) -> Iterator[Message]:
    instants = (start_ms + np.rint(steps).astype(np.int64)).tolist()
    paths, count = list(columns), len(instants)
    values = [
        dict(zip(paths, row, strict=True)) for row in zip(*(each.tolist() for each in columns.values()), strict=True)
    ]
    for place, head in enumerate(heads):
        mine = values[place * count : (place + 1) * count]
        rows = list(zip(instants, mine, strict=True))
        yield encode(Head(head.vehicle, head.boot, seq, head.driver), rows, wire)


def _arrow_messages(
    heads: Sequence[Head], seq: int, start_ms: int, steps: Array, columns: dict[str, signals.Column], wire: Wire
) -> Iterator[Message]:
    count = len(steps)
    late = steps - steps[0]
    dt = pa.array(np.rint(late).astype(np.int64) if (late == np.rint(late)).all() else late)
    arrays = {
        path: pa.array(each.tolist()).dictionary_encode() if each.dtype.kind == "U" else pa.array(each)
        for path, each in columns.items()
    }
    t0 = start_ms + int(steps[0])
    for place, head in enumerate(heads):
        mine = {path: each.slice(place * count, count) for path, each in arrays.items()}
        payload = arrow_stream(Head(head.vehicle, head.boot, seq, head.driver), t0, {"dt_ms": dt, **mine})
        yield Message(head.vehicle, payload, start_ms + round(steps[-1]), count, count * len(mine), CONTENT_TYPES[wire])


def _routes(count: int, day: date, seed: int) -> list[Route]:
    found = []
    for place in range(count):
        travel = next(travels(day, np.random.default_rng([seed, place, 7])))
        found.append(round_trip(travel.origin, travel.destination))
    return found
