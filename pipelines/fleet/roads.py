"""Roads between real communes, invented between them.

The thirty towns and their coordinates are real (rounded to about 100 m); the road from one to the next is not: a
straight line with bends and hills laid over it, 15 to 35 % longer than the line. Good for distances, speeds and
densities; not for matching to a map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TOWNS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "Lille": (
        ("Lille", 50.6292, 3.0573),
        ("Roubaix", 50.6928, 3.1746),
        ("Tourcoing", 50.7240, 3.1612),
        ("Villeneuve-d'Ascq", 50.6192, 3.1314),
        ("Armentières", 50.6881, 2.8811),
        ("Seclin", 50.5489, 3.0306),
        ("Carvin", 50.4917, 2.9586),
        ("Lens", 50.4289, 2.8319),
        ("Douai", 50.3703, 3.0797),
        ("Orchies", 50.4747, 3.2444),
    ),
    "Lyon": (
        ("Lyon", 45.7640, 4.8357),
        ("Villeurbanne", 45.7719, 4.8902),
        ("Bron", 45.7394, 4.9139),
        ("Vénissieux", 45.6978, 4.8867),
        ("Meyzieu", 45.7667, 5.0036),
        ("Givors", 45.5914, 4.7689),
        ("Vienne", 45.5242, 4.8781),
        ("L'Arbresle", 45.8361, 4.6169),
        ("Villefranche-sur-Saône", 45.9897, 4.7189),
        ("Saint-Priest", 45.6964, 4.9439),
    ),
    "Toulouse": (
        ("Toulouse", 43.6045, 1.4440),
        ("Colomiers", 43.6117, 1.3367),
        ("Blagnac", 43.6364, 1.3906),
        ("Muret", 43.4603, 1.3261),
        ("Castanet-Tolosan", 43.5156, 1.4983),
        ("Grenade", 43.7711, 1.2931),
        ("Fronton", 43.8394, 1.3894),
        ("Montastruc-la-Conseillère", 43.7194, 1.5903),
        ("Lavaur", 43.6986, 1.8189),
        ("Villefranche-de-Lauragais", 43.3997, 1.7178),
    ),
}
_NEAR_M, _FAR_M = 10_000, 19_000  # straight-line length of a commute
_SPACING_M = 20.0
_EARTH_M = 6_371_000.0


@dataclass(frozen=True)
class Route:
    """A road as points 20 to 30 m apart.

    Args:
        way_m: distance along the road at each point, from 0.
        latitude: degrees.
        longitude: degrees.
        altitude_m: metres.
    """

    way_m: Array
    latitude: Array
    longitude: Array
    altitude_m: Array

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

    def grade(self, way_m: Array) -> Array:
        """Slope at distances along the road, as rise over run in the direction of growing distance."""
        return np.asarray(np.interp(way_m, self.way_m, np.gradient(self.altitude_m, self.way_m)))


def random_route(rng: np.random.Generator, *, hilly: bool = True) -> Route:
    """A road between two towns of one agglomeration, 10 to 19 km apart as the crow flies."""
    towns = _TOWNS[str(rng.choice(sorted(_TOWNS)))]
    pairs = [
        ((lat, lon), (lat2, lon2))
        for _, lat, lon in towns
        for _, lat2, lon2 in towns
        if _NEAR_M <= distance_m(lat, lon, lat2, lon2) <= _FAR_M
    ]
    origin, destination = pairs[rng.integers(len(pairs))]
    return _route(origin, destination, rng, hilly=hilly)


def distance_m(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """Great-circle distance in metres (haversine)."""
    north, east = math.radians(latitude2 - latitude), math.radians(longitude2 - longitude)
    half = (
        math.sin(north / 2) ** 2
        + math.cos(math.radians(latitude)) * math.cos(math.radians(latitude2)) * math.sin(east / 2) ** 2
    )
    return 2 * _EARTH_M * math.asin(math.sqrt(half))


def _route(
    origin: tuple[float, float], destination: tuple[float, float], rng: np.random.Generator, *, hilly: bool
) -> Route:
    (lat, lon), (lat2, lon2) = origin, destination
    north, east = math.radians(lat2 - lat) * _EARTH_M, math.radians(lon2 - lon) * _EARTH_M * math.cos(math.radians(lat))
    straight = math.hypot(north, east)
    along = np.linspace(0, straight, math.ceil(straight / _SPACING_M) + 1)
    aside = _bends(along, rng)
    x = (along * east - aside * north) / straight
    y = (along * north + aside * east) / straight
    way = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    hills = [
        rng.uniform(5, 12) * np.sin(2 * np.pi * way / rng.uniform(3000, 8000) + rng.uniform(0, 2 * np.pi))
        for _ in range(2)
    ]
    return Route(
        way_m=way,
        latitude=lat + np.degrees(y / _EARTH_M),
        longitude=lon + np.degrees(x / (_EARTH_M * math.cos(math.radians(lat)))),
        altitude_m=rng.uniform(40, 200) + (hills[0] + hills[1]) * hilly,
    )


def _bends(along: Array, rng: np.random.Generator) -> Array:
    """Sideways offset in metres, 0 at both ends; its slopes make the road 15 to 35 % longer."""
    straight = along[-1]
    waves = sorted({int(wave) for wave in rng.integers(3, 16, size=5)})
    offset = sum(rng.normal() / wave * np.sin(np.pi * wave * along / straight) for wave in waves)
    slope = np.gradient(offset, along)
    longer = rng.uniform(1.15, 1.35)
    low, high = 0.0, 100 * straight
    for _ in range(60):  # bisection: the length grows with the amplitude
        middle = (low + high) / 2
        low, high = (middle, high) if np.sqrt(1 + (middle * slope) ** 2).mean() < longer else (low, middle)
    return np.asarray(offset * low)
