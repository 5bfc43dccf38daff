"""Stop-and-go driving between two towns: speed limits, crossings, and a driver who wanders about the limit.

An honest sketch, not a traffic model: no other car is simulated. The driver heads for the limit times an
Ornstein-Uhlenbeck factor (5 %, 15 s), brakes at constant deceleration for lower limits and for crossings where the
light is red, and waits there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.fleet.vehicles import Style

_STANDING_S = 5  # before setting off and after arriving
_ACCELERATION = 1.7  # m/s² from rest, an ordinary driver
_DECELERATION = 1.4  # m/s², same
_FASTEST = 55.0  # m/s at which nothing is left to accelerate with
_CREEP = 0.8  # m/s towards a line that is nearly reached
_TOWN_CROSSING_M, _COUNTRY_CROSSING_M = 600.0, 4000.0  # mean distance between crossings that stop the car
_WANDER, _WANDER_S = 0.05, 15.0


@dataclass(frozen=True)
class _Stretch:
    start_m: float
    limit_ms: float


def commute(length_m: float, style: Style, rng: np.random.Generator, hz: float = 1) -> NDArray[np.float64]:
    """Speed in m/s at 0, 1/hz, … s of a drive of about ``length_m`` that begins and ends standing.

    Args:
        length_m: way from door to door; the drive's own length is within 20 m of it.
        style: how the driver drives.
        rng: source of limits, crossings, waits and wandering.
        hz: samples a second.
    """
    stretches = _stretches(length_m, rng)
    stops = [*_crossings(length_m, rng), length_m]
    brake = _DECELERATION * style.acceleration
    step = 1 / hz
    standing = [0.0] * round(_STANDING_S * hz)
    speeds, speed, way, wander = list(standing), 0.0, 0.0, 0.0
    while True:
        to_stop = stops[0] - way
        if to_stop <= max(1.0, speed * step / 2):
            stops.pop(0)
            speeds.append(0.0)
            way += speed * step / 2
            speed = 0.0
            if not stops:
                return np.array([*speeds, *standing])
            speeds += [0.0] * round(rng.uniform(4, 40) * hz)
            continue
        wander += -wander * step / _WANDER_S + _WANDER * math.sqrt(2 * step / _WANDER_S) * rng.standard_normal()
        wanted = _limit(stretches, way, brake) * style.pace * math.exp(wander)
        wanted = min(wanted, max(_CREEP, math.sqrt(2 * brake * max(to_stop - speed * step / 2, 0))))
        fastest = speed + _ACCELERATION * style.acceleration * (1 - speed / _FASTEST) * step
        following = max(min(wanted, fastest), speed - 2 * brake * step, 0.0)
        way += (speed + following) / 2 * step
        speed = following
        speeds.append(speed)


def _stretches(length_m: float, rng: np.random.Generator) -> list[_Stretch]:
    """Town at both ends, a country road or a dual carriageway between."""
    town = rng.uniform(0.12, 0.22) * length_m
    between = rng.choice([80, 80, 90, 110])
    plan = [(0.0, 30), (0.2 * town, 50), (town, between), (length_m - town, 50), (length_m - 0.2 * town, 30)]
    return [_Stretch(start, limit / 3.6) for start, limit in plan]


def _crossings(length_m: float, rng: np.random.Generator) -> list[float]:
    stops: list[float] = []
    way = 0.0
    while True:
        in_town = way < length_m * 0.2 or way > length_m * 0.8
        way += 50 + rng.exponential(_TOWN_CROSSING_M if in_town else _COUNTRY_CROSSING_M)
        if way >= length_m - 50:
            return stops
        stops.append(way)


def _limit(stretches: Sequence[_Stretch], way: float, brake: float) -> float:
    """The limit here, and low enough for the lower limits ahead."""
    here = max((stretch for stretch in stretches if stretch.start_m <= way), key=lambda stretch: stretch.start_m)
    ahead = (
        math.sqrt(stretch.limit_ms**2 + 2 * brake * (stretch.start_m - way))
        for stretch in stretches
        if stretch.start_m > way
    )
    return min((here.limit_ms, *ahead))
