"""Who goes where and when: commutes, outings and holidays of a car, day by day.

A car has a home and a work commune 9 to 45 km apart. On a working day it goes there and back; at a weekend or on a
public holiday sometimes to another commune near; in the first days of its zone's school holidays it may go far, to
where people spend them, and comes back before they end. Shares and distances are invented; homes follow population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.fleet.communes import communes
from pipelines.fleet.holidays import is_public_holiday, school_holiday
from pipelines.fleet.network import distances_m, route

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEAR_M, _FAR_M = 9_000, 45_000  # straight line of a commute
_USUAL_M = 15_000  # fewer go further
_HOLIDAY_M = 100_000  # a holiday is at least so far away
_PARIS = ZoneInfo("Europe/Paris")
_MORNING_H, _EVENING_H = (6.5, 2.5), (16.5, 2.5)  # local time and spread of departures
_WORKS, _WORKS_IN_HOLIDAYS = 0.95, 0.65  # share of cars that go to work on a working day
_OUTING = 0.5  # share that goes out on a day off
_GOES_AWAY, _AWAY_DAYS = 0.12, (5, 15)  # chance a day of a holiday's first ten to leave; length of the stay
_LEAVING_DAYS = 10
_SATURDAY = 5
_LONGEST_DAYS = 3_650


@dataclass(frozen=True)
class Travel:
    """A trip to be driven.

    Args:
        origin: number of a commune.
        destination: number of a commune.
        departure: with a time zone.
        reason: ``work``, ``outing`` or ``holiday``; the way back has the reason of the way out.
    """

    origin: int
    destination: int
    departure: datetime
    reason: str


def travels(start: date, rng: np.random.Generator, range_m: float = math.inf) -> Iterator[Travel]:
    """What a car does from ``start`` on, in the order of departure: even trips leave home, odd ones return.

    A car always has something to do within ten years; then the trips end. It goes nowhere that is further than
    ``range_m`` along the roads: charging on the way is not simulated.
    """
    home, work = _home_and_work(rng)
    day, last = start, start + timedelta(days=_LONGEST_DAYS)
    while day < last:
        period = school_holiday(communes()[home].zone, day)
        resort = None
        if period and (day - period[0]).days < _LEAVING_DAYS and rng.random() < _GOES_AWAY:
            resort = _within(home, _resort(home, rng), range_m)
        if period and resort is not None:
            back = min(day + timedelta(days=int(rng.integers(*_AWAY_DAYS))), period[1])
            yield Travel(home, resort, _at(day, 6.0, 5.0, rng), "holiday")
            yield Travel(resort, home, _at(max(back, day + timedelta(days=1)), 9.0, 6.0, rng), "holiday")
            day = max(back, day + timedelta(days=1))
        elif day.weekday() >= _SATURDAY or is_public_holiday(day):
            if rng.random() < _OUTING and (there := _within(home, _near(home, rng), range_m)) is not None:
                yield from _there_and_back(home, there, day, "outing", (10.0, 3.0), (15.5, 4.0), rng)
        elif rng.random() < (_WORKS_IN_HOLIDAYS if period else _WORKS):
            yield from _there_and_back(home, work, day, "work", _MORNING_H, _EVENING_H, rng)
        day += timedelta(days=1)


def _there_and_back(
    home: int,
    there: int,
    day: date,
    reason: str,
    out: tuple[float, float],
    back: tuple[float, float],
    rng: np.random.Generator,
) -> Iterator[Travel]:
    yield Travel(home, there, _at(day, *out, rng), reason)
    yield Travel(there, home, _at(day, *back, rng), reason)


def _at(day: date, hour: float, spread: float, rng: np.random.Generator) -> datetime:
    seconds = round(3600 * (hour + spread * rng.random()))
    return datetime(day.year, day.month, day.day, tzinfo=_PARIS) + timedelta(seconds=seconds)


@cache
def _commutes() -> tuple[tuple[int, int], ...]:
    distance = distances_m()
    return tuple(
        (int(one), int(other)) for one, other in np.argwhere((distance >= _NEAR_M) & (distance <= _FAR_M)).tolist()
    )


def _home_and_work(rng: np.random.Generator) -> tuple[int, int]:
    """A pair of communes by gravity: the product of populations' roots, falling with distance (after Wilson 1971)."""
    pairs = np.array(_commutes())
    people = np.sqrt([each.population for each in communes()])
    weight = people[pairs[:, 0]] * people[pairs[:, 1]] * np.exp(-distances_m()[pairs[:, 0], pairs[:, 1]] / _USUAL_M)
    home, work = pairs[rng.choice(len(pairs), p=weight / weight.sum())]
    return int(home), int(work)


def _near(home: int, rng: np.random.Generator) -> int:
    """Somewhere for an afternoon."""
    weight = np.exp(-distances_m()[home] / (2 * _USUAL_M))
    weight[home] = 0
    return int(rng.choice(len(weight), p=weight / weight.sum()))


def _resort(home: int, rng: np.random.Generator) -> int:
    """Somewhere for a holiday, nearer ones more often."""
    distance = distances_m()[home]
    is_far = np.array([each.is_resort for each in communes()]) & (distance > _HOLIDAY_M)
    weight = is_far / np.maximum(distance, 1)
    return int(rng.choice(len(weight), p=weight / weight.sum()))


def _within(home: int, there: int, range_m: float) -> int | None:
    """``there``, if the way to it is no longer than ``range_m``."""
    return there if math.isinf(range_m) or route(home, there).length_m <= range_m else None
