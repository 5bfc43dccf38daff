"""A road from one commune to the next: its class and its places are invented, its ends are real.

The straight line with bends and hills laid over it. The same two communes always have the same road, with the same
crossings, potholes and spots where people brake hard, whatever the seed of a simulation: results can be held against the
places that ``network.Place`` names. Good for distances, speeds and densities; not for matching to a map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.fleet.communes import Commune

    Array = NDArray[np.float64]
    Degrees = float | Array

RoadClass = Literal["street", "country", "motorway"]

SPACING_M = 10.0
"""Between the points of a road, along the straight line; a little more along the road."""

EARTH_M = 6_371_000.0

_DETOUR = {"street": (1.25, 1.35), "country": (1.15, 1.3), "motorway": (1.06, 1.15)}  # road over straight line
_STREET_M, _COUNTRY_M = 8_000, 32_000  # straight line up to which two communes are joined by such a road
_CROSSING_M = {"town": 450.0, "street": 1_000.0, "country": 5_000.0}  # mean distance between crossings
_POTHOLE_M = {"street": 3_000.0, "country": 5_000.0, "motorway": 60_000.0}  # mean distance between potholes
_SPOT_M = {"street": 9_000.0, "country": 11_000.0, "motorway": 60_000.0}  # between spots where people brake hard
_HILL_M = {"street": 5.0, "country": 12.0, "motorway": 18.0}
_STEEPEST = 0.06
_SIDE_MS2 = 3.0  # lateral acceleration that a driver allows in a bend
_WORLD = 20_260_101  # seed of all roads


@dataclass(frozen=True)
class Way:
    """A way as points ``SPACING_M`` to 14 m apart, from its beginning to its end; arrays of shape (points,), of marks (marks,).

    Args:
        way_m: distance along it, from 0.
        latitude: degrees.
        longitude: degrees.
        altitude_m: metres.
        limit_ms: speed limit or what bends allow, if that is less, in m/s.
        curvature: 1/radius in 1/m; positive to the left.
        is_town: whether the point lies in a built-up area.
        crossings_m: where crossings are that may stop a car.
        potholes_m: where potholes are.
        potholes_ms2: vertical acceleration that each gives a car at 50 km/h.
        spots_m: where people brake hard.
    """

    way_m: Array
    latitude: Array
    longitude: Array
    altitude_m: Array
    limit_ms: Array
    curvature: Array
    is_town: NDArray[np.bool_]
    crossings_m: Array
    potholes_m: Array
    potholes_ms2: Array
    spots_m: Array

    @property
    def length_m(self) -> float:
        """From one end to the other."""
        return float(self.way_m[-1])

    def at(self, way_m: Array) -> tuple[Array, Array, Array]:
        """Latitude, longitude and altitude at distances along the road; the ends beyond it."""
        return (
            np.interp(way_m, self.way_m, self.latitude),
            np.interp(way_m, self.way_m, self.longitude),
            np.interp(way_m, self.way_m, self.altitude_m),
        )


def distance_m(latitude: Degrees, longitude: Degrees, latitude2: Degrees, longitude2: Degrees) -> Array:
    """Great-circle distance in metres (haversine), of the shape that the four (in degrees) have together."""
    one, other = np.radians(latitude), np.radians(latitude2)
    north, east = other - one, np.radians(longitude2) - np.radians(longitude)
    half = np.sin(north / 2) ** 2 + np.cos(one) * np.cos(other) * np.sin(east / 2) ** 2
    return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(half)))


def straight_m(origin: Commune, destination: Commune) -> float:
    """Great-circle distance of two communes in metres."""
    return float(distance_m(origin.latitude, origin.longitude, destination.latitude, destination.longitude))


def kind_of(origin: Commune, destination: Commune) -> RoadClass:
    """Class of the road between two neighbours: by how far they are apart."""
    straight = straight_m(origin, destination)
    if straight <= _STREET_M:
        return "street"
    return "country" if straight <= _COUNTRY_M else "motorway"


def make_road(origin: Commune, destination: Commune) -> Way:
    """The road between two communes; always the same."""
    kind = kind_of(origin, destination)
    rng = np.random.default_rng([_WORLD, int(origin.insee), int(destination.insee)])
    north = math.radians(destination.latitude - origin.latitude) * EARTH_M
    middle = math.radians((origin.latitude + destination.latitude) / 2)
    east = math.radians(destination.longitude - origin.longitude) * EARTH_M * math.cos(middle)
    straight = math.hypot(north, east)
    along = np.linspace(0, straight, math.ceil(straight / SPACING_M) + 1)
    aside = _bends(along, rng, rng.uniform(*_DETOUR[kind]))
    x, y = (along * east - aside * north) / straight, (along * north + aside * east) / straight
    way = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    curvature = _curvature(x, y)
    limit, is_town = _limits(kind, way, origin, destination, rng)
    bend = np.sqrt(_SIDE_MS2 / np.maximum(np.abs(curvature), 1e-6))
    potholes = _scattered(way[-1], _POTHOLE_M[kind], rng)
    return Way(
        way_m=way,
        latitude=origin.latitude + np.degrees(y / EARTH_M),
        longitude=origin.longitude + np.degrees(x / (EARTH_M * math.cos(middle))),
        altitude_m=_altitude(way, kind, origin.altitude_m, destination.altitude_m, rng),
        limit_ms=np.minimum(limit, bend),
        curvature=curvature,
        is_town=is_town,
        crossings_m=_crossings(kind, way, is_town, rng),
        potholes_m=potholes,
        potholes_ms2=rng.uniform(5, 12, len(potholes)),
        spots_m=_scattered(way[-1], _SPOT_M[kind], rng),
    )


def _bends(along: Array, rng: np.random.Generator, longer: float) -> Array:
    """Sideways offset in metres, 0 at both ends; its slopes make the road ``longer`` times the straight line."""
    straight = along[-1]
    waves = sorted({int(wave) for wave in rng.integers(2, max(4, straight // 1_500), size=6)})
    offset = sum(rng.normal() / wave * np.sin(np.pi * wave * along / straight) for wave in waves)
    slope = np.gradient(offset, along)
    low, high = 0.0, 100 * straight
    for _ in range(60):  # bisection: the length grows with the amplitude
        middle = (low + high) / 2
        low, high = (middle, high) if np.sqrt(1 + (middle * slope) ** 2).mean() < longer else (low, middle)
    return np.asarray(offset * low)


def _curvature(x: Array, y: Array) -> Array:
    """(x'·y'' - y'·x'') / (x'² + y'²)^1.5 by differences."""
    dx, dy = np.gradient(x), np.gradient(y)
    return np.asarray((dx * np.gradient(dy) - dy * np.gradient(dx)) / np.maximum(dx**2 + dy**2, 1e-9) ** 1.5)


def _limits(
    kind: RoadClass, way: Array, origin: Commune, destination: Commune, rng: np.random.Generator
) -> tuple[Array, NDArray[np.bool_]]:
    """Limits in m/s (Code de la route R413-2, R413-3: 50 in town, 80 or 90, 110, 130) and what is built up."""
    length = way[-1]
    towns = [min(0.45 * length, 250 * (place.population / 1000) ** 0.5) for place in (origin, destination)]
    is_town = (way < towns[0]) | (way > length - towns[1])
    centre = (way < 0.15 * towns[0]) | (way > length - 0.15 * towns[1])
    between = {"street": [50, 70], "country": [80, 80, 90], "motorway": [110, 130, 130]}[kind]
    limit = np.where(centre, 30.0, np.where(is_town, 50.0, float(rng.choice(between))))
    ring = ((way < 2 * towns[0]) | (way > length - 2 * towns[1])) & ~is_town
    if kind == "motorway":
        limit = np.where(ring, 90.0, limit)
    return limit / 3.6, is_town


def _crossings(kind: RoadClass, way: Array, is_town: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """Places of crossings: many in town, few outside, none on a motorway; none near the ends."""
    places: list[float] = []
    place = 0.0
    while True:
        in_town = bool(is_town[min(int(np.searchsorted(way, place)), len(way) - 1)])
        if not in_town and kind == "motorway":
            ahead = np.flatnonzero(is_town & (way > place))
            if not len(ahead):
                return np.array(places)
            place = float(way[ahead[0]])
        place += 60 + rng.exponential(_CROSSING_M["town" if in_town or kind == "motorway" else kind])
        if place >= way[-1] - 60:
            return np.array(places)
        places.append(place)


def _scattered(length: float, every: float, rng: np.random.Generator) -> Array:
    """Places at random, ``every`` metres on average, a hundred metres off the ends."""
    count = rng.poisson(length / every)
    return np.sort(rng.uniform(min(100.0, length / 3), max(length - 100, length * 2 / 3), count))


def _altitude(way: Array, kind: RoadClass, start: float, end: float, rng: np.random.Generator) -> Array:
    """From one commune's altitude to the other's, hills between, nowhere steeper than 6 %."""
    share = way / way[-1]
    base = start + (end - start) * (3 * share**2 - 2 * share**3)
    hills = sum(
        rng.uniform(0.4, 1) * _HILL_M[kind] * np.sin(2 * np.pi * way / rng.uniform(2_500, 7_000) + rng.uniform(0, 6.28))
        for _ in range(2)
    ) * np.minimum(1, 4 * share * (1 - share))
    steepest = np.abs(np.gradient(base + hills, way)).max()
    milder = min(1.0, _STEEPEST / steepest) if np.abs(np.gradient(base, way)).max() < _STEEPEST else 1.0
    return np.asarray(base + hills * milder)
