"""How often what happens in a sample accident: round figures, by the publisher's codes.

The codes are those of the BAAC notice; None stands for "not recorded". The shares are of the right order and no more.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import TypeVar

from pipelines.demo.sample_towns import TOWNS

T = TypeVar("T")
Odds = Callable[[Random], T]


def odds(table: Mapping[T, float]) -> Odds[T]:
    """Draws the keys of ``table`` in proportion to their figures."""
    keys, steps = list(table), list(accumulate(table.values()))
    return lambda rng: keys[bisect(steps, rng.random() * steps[-1])]


@dataclass(frozen=True)
class Scene:
    """A kind of accident: how many vehicles, which collision codes, which obstacles."""

    vehicles: Odds[int]
    collision: Odds[int | None]
    fixed: Odds[int]
    moving: int
    pedestrian: bool = False


NO_OBSTACLE = odds({0: 96, 1: 2, 14: 1, 12: 1})
# fmt: off
HIT_SOMETHING = odds({
    0: 25, 1: 6, 2: 12, 3: 10, 4: 9, 5: 1, 6: 7, 7: 2, 8: 8, 9: 4, 10: 1, 11: 2, 12: 6, 13: 15, 14: 3, 15: 4, 16: 5,
    17: 1,
})
# fmt: on
WITH_PEDESTRIAN = Scene(odds({1: 1}), odds({6: 1}), NO_OBSTACLE, 1, pedestrian=True)
ALONE = Scene(odds({1: 1}), odds({7: 55, 6: 45}), HIT_SOMETHING, 0)
TWO = Scene(odds({2: 1}), odds({1: 16, 2: 22, 3: 48, 6: 13.5, None: 0.5}), NO_OBSTACLE, 2)
MORE = Scene(odds({3: 80, 4: 20}), odds({4: 55, 5: 45}), NO_OBSTACLE, 2)
SCENES_IN_TOWN = odds({WITH_PEDESTRIAN: 22, ALONE: 13, TWO: 58, MORE: 7})
SCENES_OUTSIDE = odds({WITH_PEDESTRIAN: 3, ALONE: 38, TWO: 48, MORE: 11})

TOWN = odds({town: town.weight for town in TOWNS if not town.commune.startswith("98")})
TOWN_SINCE_2019 = odds({town: town.weight for town in TOWNS})
MONTH = odds(dict(enumerate((7.6, 6.7, 7.8, 7.9, 8.6, 9.3, 8.7, 7.5, 9.3, 9.4, 8.6, 8.4), start=1)))
# fmt: off
HOUR = odds(dict(enumerate((
    1.2, 0.9, 0.8, 0.7, 0.8, 1.2, 2.2, 4, 5.6, 4.6, 4.4, 4.9, 5.2, 5.4, 5.7, 6.2, 7.4, 8.6, 8.2, 6.4, 4.7, 3.4, 2.7,
    2,
))))
# fmt: on
SUNRISE = (8.6, 7.9, 7.0, 7.0, 6.2, 5.8, 6.1, 6.7, 7.4, 8.1, 7.9, 8.6)  # local time, a month each
SUNSET = (17.3, 18.1, 18.9, 20.6, 21.3, 21.8, 21.7, 21.0, 20.0, 19.0, 17.2, 16.9)
LAMPS_IN_TOWN = odds({5: 93, 3: 4, 4: 3})
LAMPS_OUTSIDE = odds({3: 82, 5: 15, 4: 3})
WEATHER: Odds[int | None] = odds({1: 80, 2: 10, 3: 2, 4: 0.5, 5: 0.7, 6: 0.4, 7: 1, 8: 3.6, 9: 0.8, None: 0.2})
CROSSING_IN_TOWN = odds({1: 62, 2: 14, 3: 13, 4: 1.5, 5: 1, 6: 3.5, 7: 1.5, 8: 0.1, 9: 3.4})
CROSSING_OUTSIDE = odds({1: 86, 2: 4, 3: 5, 4: 1, 5: 0.2, 6: 2, 8: 0.1, 9: 1.7})

ROAD_IN_TOWN = odds({4: 66, 3: 22, 2: 3, 1: 3, 6: 1, 5: 0.3, 9: 1})
ROAD_OUTSIDE = odds({3: 62, 1: 16, 2: 10, 4: 11, 5: 0.3, 9: 0.7})
LIMIT_IN_TOWN = odds({50: 80, 30: 17, 70: 3})
LIMITS_OUTSIDE = {1: odds({130: 60, 110: 25, 90: 15}), 2: odds({110: 35, 90: 35, 80: 30})}
LIMIT_OUTSIDE = odds({80: 78, 90: 14, 70: 8})
REGIME: Odds[int | None] = odds({2: 64, 1: 18, 3: 16, 4: 0.6, None: 1.4})
LANES = odds({2: 61, 1: 12, 4: 12, 3: 8, 0: 3, 6: 2.6, 5: 1.4})
RESERVED = odds({0: 92, 1: 3, 2: 2, 3: 3})
GRADIENT: Odds[int | None] = odds({1: 80, 2: 16, 3: 1.7, 4: 1.6, None: 0.7})
BENDS: Odds[int | None] = odds({1: 80, 2: 9.5, 3: 8.5, 4: 1.3, None: 0.7})
DRY: Odds[int | None] = odds({1: 93, 2: 5, 9: 0.6, 8: 0.3, 7: 0.3, None: 0.8})
WET: Odds[int | None] = odds({2: 94, 3: 4, 4: 1, 1: 1})
WINTRY: Odds[int | None] = odds({5: 60, 7: 30, 2: 10})
INFRASTRUCTURE = odds({0: 87, 5: 6, 3: 2, 2: 1.6, 1: 1.1, 6: 1, 4: 0.4, 7: 0.1, 8: 0.4, 9: 0.4})
SITUATION = odds({1: 86, 3: 8, 4: 2, 2: 0.5, 5: 1.5, 6: 0.5, 8: 1.5})
SCHOOL = odds({0: 80, 99: 18, 3: 2})

CARS = {7: 61, 10: 6.5, 13: 0.4, 14: 0.8, 15: 1, 16: 0.1, 17: 0.9, 20: 0.3, 21: 0.4, 37: 0.7, 38: 0.2, 40: 0.2, 99: 1}
TWO_WHEELS = {1: 5, 2: 4, 3: 0.5, 30: 2.8, 31: 2.5, 32: 2, 33: 8.4, 34: 1.8, 36: 0.3}
NEW_KINDS = {43: 0.8, 50: 1.6, 60: 0.5, 80: 0.6}  # counted apart since 2019
CATEGORY = odds(CARS | TWO_WHEELS)
CATEGORY_SINCE_2019 = odds(CARS | TWO_WHEELS | NEW_KINDS)
UNPROTECTED = frozenset(TWO_WHEELS) - {3} | frozenset(NEW_KINDS)
BICYCLES = frozenset({1, 80})
SCOOTERS = frozenset({50, 60})
LARGE = frozenset({13, 14, 15, 16, 17, 20, 21, 37, 38, 40})
DIRECTION = odds({1: 48, 2: 33, 3: 12, 0: 7})
IMPACT = odds({1: 36, 3: 15, 2: 12, 4: 10, 8: 7.2, 7: 6, 0: 5.3, 6: 3.8, 5: 2.9, 9: 1.8})
# fmt: off
MANOEUVRE = odds({
    1: 40, 2: 12.6, 15: 8.2, 0: 7.9, 13: 4.7, 17: 3.4, 23: 2.9, 9: 2.7, 19: 2.7, 16: 2.7, 14: 2, 21: 1.8, 11: 1.2,
    12: 1.1, 5: 0.7, 4: 0.9, 10: 1, 20: 0.8, 22: 0.5, 26: 2.2,
})
# fmt: on
MOTOR: Odds[int | None] = odds({1: 84, 0: 10, 2: 3, 3: 2, 6: 0.8, None: 0.2})

PASSENGERS = odds({0: 75, 1: 16, 2: 6, 3: 2, 4: 1})
PILLION = odds({0: 91, 1: 9})
HURT = {
    # (unprotected, in town): unharmed, killed, hospitalised, slightly injured
    (False, True): odds({1: 52, 2: 0.4, 3: 7.6, 4: 40}),
    (False, False): odds({1: 39, 2: 4.5, 3: 18.5, 4: 38}),
    (True, True): odds({1: 6, 2: 1.6, 3: 26.4, 4: 66}),
    (True, False): odds({1: 5, 2: 9, 3: 43, 4: 43}),
}
HURT_IN_A_LORRY = odds({1: 86, 2: 0.5, 3: 2.5, 4: 11})
PURPOSE = odds({5: 40, 0: 26, 1: 12, 4: 9, 9: 8, 3: 3, 2: 2})
CROSSING_WHERE = odds({1: 8, 2: 26, 3: 28, 4: 22, 5: 7, 6: 3, 7: 1, 8: 1, 0: 4})
CROSSING_HOW = odds({3: 72, 1: 6, 2: 5, 4: 2, 5: 6, 6: 0.3, 9: 5, 0: 3.7})
COMPANY: Odds[int | None] = odds({1: 70, 2: 18, 3: 5, None: 7})

STREET_KINDS = ("Rue", "Rue", "Rue", "Avenue", "Boulevard", "Route", "Place", "Allée", "Chemin")
# fmt: off
STREET_NAMES = (
    "de la République", "du Général Leclerc", "Jean Jaurès", "Victor Hugo", "de Paris", "Gambetta", "du Château",
    "des Écoles", "de l'Église", "du Maréchal Foch", "Pasteur", "de Verdun", "du Moulin", "de la Gare", "des Acacias",
    "Émile Zola", "de la Forêt", "du Chêne", "de la Plaine", "des Prés",
)
# fmt: on
