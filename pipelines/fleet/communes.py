"""Real communes that simulated cars live in: communes.csv, one line each, read once.

Facts, put together for this project: INSEE code, name, latitude and longitude of the centre (about 1 km), population
(rounded, about 2021), altitude (rounded), school holiday zone, and whether people go there on holiday (our judgement).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

Zone = Literal["A", "B", "C"]


@dataclass(frozen=True)
class Commune:
    """A commune.

    Args:
        insee: its code.
        name: its name.
        latitude: of its centre, degrees.
        longitude: of its centre, degrees.
        population: inhabitants, rounded.
        altitude_m: of its centre, rounded.
        zone: of its schools' holidays.
        is_resort: whether people go there on holiday.
    """

    insee: str
    name: str
    latitude: float
    longitude: float
    population: int
    altitude_m: float
    zone: Zone
    is_resort: bool


@cache
def communes() -> tuple[Commune, ...]:
    """All communes of the table, in its order."""
    with (Path(__file__).parent / "communes.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Commune(
                line["insee"],
                line["name"],
                float(line["latitude"]),
                float(line["longitude"]),
                int(line["population"]),
                float(line["altitude_m"]),
                cast("Zone", line["zone"]),
                line["holiday"] == "1",
            )
            for line in csv.DictReader(file)
        )
