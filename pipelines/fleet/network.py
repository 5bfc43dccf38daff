"""All roads together: which communes are neighbours, the quickest way from one to another, and what lies along it.

Two communes are neighbours when no third lies within the circle that has their line as its diameter (the Gabriel graph:
planar and whole); the quickest way is the one of Floyd and Warshall over the roads' usual speeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet.communes import communes
from pipelines.fleet.roads import SPACING_M, Way, distance_m, kind_of, make_road

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_USUAL_MS = {"street": 8.0, "country": 18.0, "motorway": 31.0}
_THROUGH_S = 120.0  # what passing a commune costs


@dataclass(frozen=True)
class Route(Way):
    """Roads one after the other, from a commune to another: the numbers of ``communes`` on the way."""

    communes: tuple[int, ...]

    @property
    def grade(self) -> Array:
        """Rise over run at each point, in the direction of the trip."""
        return np.gradient(self.altitude_m, self.way_m)


@dataclass(frozen=True)
class Place:
    """A place on a road that drivers remember.

    Args:
        kind: ``pothole`` or ``braking_spot``.
        latitude: degrees.
        longitude: degrees.
        road: the communes that it joins, by INSEE code.
        strength: a pothole's vertical acceleration in m/s² at 50 km/h; 0 for a braking spot.
    """

    kind: str
    latitude: float
    longitude: float
    road: tuple[str, str]
    strength: float


@cache
def distances_m() -> Array:
    """Great-circle distances between all communes, shape (communes, communes)."""
    latitude, longitude = np.array([(each.latitude, each.longitude) for each in communes()]).T
    return distance_m(latitude[:, None], longitude[:, None], latitude, longitude)


@cache
def neighbours() -> tuple[tuple[int, int], ...]:
    """Pairs of communes joined by a road, the lower number first."""
    square = distances_m() ** 2
    pairs = []
    for one in range(len(square)):
        for other in range(one + 1, len(square)):
            inside = square[one] + square[other] < square[one, other]
            inside[[one, other]] = False
            if not inside.any():
                pairs.append((one, other))
    return tuple(pairs)


@cache
def road(one: int, other: int) -> Way:
    """The road between two neighbours, seen from ``one``: the same road for both directions."""
    if one > other:
        return _reversed(road(other, one))
    places = communes()
    return make_road(places[one], places[other])


@cache
def route(origin: int, destination: int) -> Route:
    """The quickest way between two communes (numbers in ``communes()``)."""
    following = _quickest()
    stops = [origin]
    while stops[-1] != destination:
        stops.append(int(following[stops[-1], destination]))
    return _joined(tuple(stops))


@cache
def round_trip(home: int, there: int) -> Route:
    """To another commune and home again, the same roads."""
    out = route(home, there).communes
    return _joined((*out, *reversed(out[:-1])))


def places(pairs: set[tuple[int, int]]) -> list[Place]:
    """Potholes and braking spots of the roads between these neighbours (the lower number first)."""
    found: list[Place] = []
    for one, other in sorted(pairs):
        each = road(one, other)
        codes = (communes()[one].insee, communes()[other].insee)
        for kind, ways, strengths in (
            ("pothole", each.potholes_m, each.potholes_ms2),
            ("braking_spot", each.spots_m, np.zeros(len(each.spots_m))),
        ):
            latitude, longitude, _ = each.at(ways)
            for lat, lon, strength in zip(latitude.tolist(), longitude.tolist(), strengths.tolist(), strict=True):
                found.append(Place(kind, round(lat, 6), round(lon, 6), codes, round(strength, 2)))
    return found


@cache
def _quickest() -> NDArray[np.int64]:
    """Next commune on the way from row to column (Floyd 1962, Warshall 1962)."""
    every = communes()
    count = len(every)
    seconds = np.full((count, count), np.inf)
    following = np.tile(np.arange(count), (count, 1))
    for one, other in neighbours():
        usual = _USUAL_MS[kind_of(every[one], every[other])]
        seconds[one, other] = seconds[other, one] = distances_m()[one, other] / usual + _THROUGH_S
    np.fill_diagonal(seconds, 0)
    for middle in range(count):
        through = seconds[:, middle, None] + seconds[middle]
        better = through < seconds
        seconds = np.where(better, through, seconds)
        following = np.where(better, following[:, middle, None], following)
    return following


def _reversed(forward: Way) -> Way:
    length = forward.length_m
    names = ("latitude", "longitude", "altitude_m", "limit_ms", "is_town")
    turned = {name: getattr(forward, name)[::-1] for name in names}
    marks = {
        name: (length - getattr(forward, name))[::-1] for name in ("way_m", "crossings_m", "potholes_m", "spots_m")
    }
    return replace(
        forward, curvature=-forward.curvature[::-1], potholes_ms2=forward.potholes_ms2[::-1], **turned, **marks
    )


def _joined(stops: tuple[int, ...]) -> Route:
    """One road behind the other, points again ``SPACING_M`` apart."""
    roads = [road(one, other) for one, other in pairwise(stops)]
    starts = np.concatenate([[0.0], np.cumsum([each.length_m for each in roads])])
    way = np.concatenate([each.way_m + start for each, start in zip(roads, starts, strict=False)])
    even = np.linspace(0, starts[-1], int(starts[-1] / SPACING_M) + 1)
    lines: dict[str, Array] = {}
    for name in ("latitude", "longitude", "altitude_m", "limit_ms", "curvature"):
        lines[name] = np.interp(even, way, np.concatenate([getattr(each, name) for each in roads]))
    inside = np.interp(even, way, np.concatenate([each.is_town for each in roads]).astype(float))
    marks = {
        name: np.concatenate([getattr(each, name) + start for each, start in zip(roads, starts, strict=False)])
        for name in ("crossings_m", "potholes_m", "spots_m")
    }
    strengths = np.concatenate([each.potholes_ms2 for each in roads])
    return Route(communes=stops, way_m=even, is_town=inside > 0.5, potholes_ms2=strengths, **lines, **marks)  # noqa: PLR2004
