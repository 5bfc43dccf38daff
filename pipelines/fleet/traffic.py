"""Drivers on their routes, many at once, step by step: the speed that each wants, and what the car makes of it.

An honest sketch, not a traffic model: the cars do not see each other. A driver heads for the limit times an
Ornstein-Uhlenbeck factor (5 %, 15 s), brakes at constant deceleration for lower limits, bends and red lights, waits
there, and brakes hard at some of the spots where people do. Tyres and power have the last word (``drive.step``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet import drive
from pipelines.fleet.roads import SPACING_M

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.fleet.drive import Moment
    from pipelines.fleet.models import Park
    from pipelines.fleet.network import Route
    from pipelines.fleet.vehicles import Style

    Array = NDArray[np.float64]
    Ints = NDArray[np.int64]

_STANDING_S = 5.0  # before setting off and after arriving
_ACCELERATION = 1.7  # m/s² from rest, an ordinary driver
_DECELERATION = 1.4  # m/s², same
_FASTEST = 55.0  # m/s at which nothing is left to accelerate with
_PRESSED = 1.4  # times the usual deceleration, at most
_NONE_M = 1e6  # further than any place ahead
_CREEP = 0.8  # m/s towards a line that is nearly reached
_RED = 0.45  # share of crossings that stop a car
_WAIT_S = (4.0, 40.0)
_HARD = (3.6, 5.5)  # m/s², braking at a spot
_SPOT_SHARE = 0.4  # of the speed left there
_WANDER, _WANDER_S = 0.05, 15.0
_ROUGH = 0.02  # vertical acceleration in m/s² per m/s of speed, standard deviation
_POTHOLE_MS = 50 / 3.6  # speed at which a pothole's strength is told


@dataclass(frozen=True)
class Leg:
    """A car about to drive a route."""

    route: Route
    style: Style
    shift_rpm: float


class Traffic:
    """n cars on their routes, all at the beginning of them.

    Args:
        park: the cars.
        legs: what each drives.
        rng: source of lights, waits, surprises and wandering.
        hz: steps a second.
        soc: charge of the batteries.
    """

    def __init__(self, park: Park, legs: Sequence[Leg], rng: np.random.Generator, hz: float, soc: Array) -> None:
        self._park, self._rng, self._dt = park, rng, 1 / hz
        self._charge = drive.fresh(park, soc)
        self._acceleration = np.array([leg.style.acceleration for leg in legs])
        self._shift = np.array([leg.shift_rpm for leg in legs])
        self._length = np.array([leg.route.length_m for leg in legs])
        self._offset, self._wish, self._slope, self._curvature = _lines(legs)
        stops = [_red(leg.route, rng) for leg in legs]
        self._stops = _Marks(stops, [rng.uniform(*_WAIT_S, len(each)) for each in stops])
        spots = [leg.route.spots_m[rng.random(len(leg.route.spots_m)) < leg.style.surprise] for leg in legs]
        self._spots = _Marks(spots, [rng.uniform(*_HARD, len(each)) for each in spots])
        self._holes = _Marks([leg.route.potholes_m for leg in legs], [leg.route.potholes_ms2 for leg in legs])
        cars = len(legs)
        self._way, self._speed, self._wander = np.zeros(cars), np.zeros(cars), np.zeros(cars)
        self._wait = np.full(cars, _STANDING_S)
        self._ended = self._halting = np.zeros(cars, dtype=bool)

    @property
    def arrived(self) -> NDArray[np.bool_]:
        """Which cars have stood at their destination long enough, shape (n,)."""
        return self._ended & (self._wait <= 0)

    def keep(self, cars: Ints) -> None:
        """Go on with the cars at these places only."""
        self._park = self._park.take(cars)
        for name in ("_acceleration", "_shift", "_length", "_offset", "_way", "_speed", "_wander", "_wait", "_ended"):
            setattr(self, name, getattr(self, name)[cars])
        for marks in (self._stops, self._spots, self._holes):
            marks.keep(cars)
        self._charge = type(self._charge)(self._charge.gear[cars], self._charge.soc[cars], self._charge.on_s[cars])

    def restart(self) -> NDArray[np.bool_]:
        """Those who have arrived set off again at the beginning of their route; who they are, shape (n,)."""
        again = self.arrived
        if again.any():
            self._way = np.where(again, 0.0, self._way)
            self._wait = np.where(again, _STANDING_S, self._wait)
            self._ended &= ~again
            for marks in (self._stops, self._spots, self._holes):
                marks.restart(again)
        return again

    def step(self) -> Moment:
        """Drive on for an interval."""
        way, speed, dt = self._way, self._speed, self._dt
        here = self._offset + np.minimum(way / SPACING_M, self._last()).astype(np.int64)
        slope, curvature = self._slope[here], self._curvature[here]
        following, moment = drive.step(self._park, self._charge, speed, way, self._wanted(), slope, self._shift, dt)
        mean = (speed + following) / 2
        self._way = np.minimum(way + mean * dt, self._length)
        self._speed = following
        vertical = self._rng.standard_normal(len(way)) * _ROUGH * mean
        passed, strength = self._holes.next()
        hit = self._way >= passed
        vertical = np.where(hit, strength * np.sqrt(mean / _POTHOLE_MS), vertical)
        self._holes.advance(hit)
        self._stop()
        return moment._replace(lateral=curvature * mean**2, vertical=vertical)

    def _wanted(self) -> Array:
        """Speed that each driver wants at the end of the interval."""
        way, speed, dt = self._way, self._speed, self._dt
        noise = self._rng.standard_normal(len(way))
        self._wander += -self._wander * dt / _WANDER_S + _WANDER * math.sqrt(2 * dt / _WANDER_S) * noise
        self._wander = np.clip(self._wander, -2 * _WANDER, 2 * _WANDER)
        ahead = self._offset + np.minimum((way + speed * dt) / SPACING_M, self._last()).astype(np.int64)
        wanted = self._wish[ahead] * np.exp(self._wander)
        brake = _DECELERATION * self._acceleration
        line = self._stops.next()[0] - way - speed * dt / 2
        wanted = np.minimum(wanted, np.maximum(_CREEP, _in_time(np.maximum(line, 0), 0.0, brake, dt)))
        spot, hard = self._spots.next()
        room = spot - way - speed * dt / 2
        calm = _in_time(np.clip(room, 0, _NONE_M), _SPOT_SHARE * self._wish[ahead], hard, dt)
        startled = calm < speed
        self._spots.advance(way >= spot)
        wanted = np.where(room < _NONE_M, np.minimum(wanted, calm), wanted)
        fastest = speed + _ACCELERATION * self._acceleration * (1 - speed / _FASTEST) * dt
        slowest = speed - np.where(startled, np.maximum(hard, _PRESSED * brake), _PRESSED * brake) * dt
        wanted = np.maximum(np.minimum(wanted, fastest), np.maximum(slowest, 0))
        self._wait = np.maximum(self._wait - dt, 0)
        self._halting = (line <= np.maximum(1.0 - speed * dt / 2, 0)) & (self._wait <= 0) & ~self._ended
        return np.where((self._wait > 0) | self._ended | self._halting, 0.0, wanted)

    def _stop(self) -> None:
        """Those who have reached their line stand there."""
        line, wait = self._stops.next()
        halted = self._halting & (self._speed <= 0)
        ends = halted & (line >= self._length)
        self._way = np.where(halted, np.minimum(line, self._length), self._way)
        self._wait = np.where(halted, np.where(ends, _STANDING_S, wait), self._wait)
        self._stops.advance(halted & ~ends)
        self._ended |= ends

    def _last(self) -> Array:
        return np.floor(self._length / SPACING_M) - 1


def _in_time(room: Array, then: Array | float, brake: Array, dt: float) -> Array:
    """Speed at the interval's end from which braking with ``brake`` still gives ``then`` at the place.

    v² = then² + 2·b·(room - v·dt/2), with ``room`` what is left if the car's own speed at the end were 0: solved for v.
    """
    half = brake * dt / 2
    return np.asarray(np.sqrt(half**2 + then**2 + 2 * brake * room) - half)


class _Marks:
    """Places ahead of each car, the next one at hand: ``places`` and a value each, in the order of the way."""

    def __init__(self, places: Sequence[Array], values: Sequence[Array]) -> None:
        counts = np.array([len(each) + 1 for each in places])
        self._first = self._at = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._places = np.concatenate([np.append(each, np.inf) for each in places])
        self._values = np.concatenate([np.append(each, 0.0) for each in values])

    def next(self) -> tuple[Array, Array]:
        return self._places[self._at], self._values[self._at]

    def advance(self, cars: NDArray[np.bool_]) -> None:
        self._at = self._at + (cars & np.isfinite(self._places[self._at]))

    def restart(self, cars: NDArray[np.bool_]) -> None:
        self._at = np.where(cars, self._first, self._at)

    def keep(self, cars: Ints) -> None:
        self._first, self._at = self._first[cars], self._at[cars]


def _red(route: Route, rng: np.random.Generator) -> Array:
    """Crossings that stop this car, and the end."""
    return np.append(route.crossings_m[rng.random(len(route.crossings_m)) < _RED], route.length_m)


def _lines(legs: Sequence[Leg]) -> tuple[Ints, Array, Array, Array]:
    """Routes one behind the other: where each car's begins, and wished speed, slope and curvature of all points.

    The wished speed is low enough for lower ones ahead: v² ≤ v_j² + 2·b·(s_j - s) for every point j ahead, which is a
    running minimum from the end.
    """
    known: dict[tuple[tuple[int, ...], Style], int] = {}
    offsets, wishes, slopes, curvatures = [], [], [], []
    size = 0
    for leg in legs:
        key = (leg.route.communes, leg.style)
        if key not in known:
            known[key] = size
            brake = 2 * _DECELERATION * leg.style.acceleration
            bound = (leg.route.limit_ms * leg.style.pace) ** 2 + brake * leg.route.way_m
            wishes.append(np.sqrt(np.minimum.accumulate(bound[::-1])[::-1] - brake * leg.route.way_m))
            slopes.append(leg.route.grade)
            curvatures.append(leg.route.curvature)
            size += len(leg.route.way_m)
        offsets.append(known[key])
    return np.array(offsets), np.concatenate(wishes), np.concatenate(slopes), np.concatenate(curvatures)
