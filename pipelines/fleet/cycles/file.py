"""Driving cycles from files: a CSV with a header (FASTSim's), or a bare list of speeds (the regulations').

``cycSecs,cycMps,cycGrade,…``: seconds, m/s and rise over run; the grade may be missing. A bare list is km/h, a second a
value, separated by white space. A byte order mark is skipped. A speed list of the regulations begins with second 0 or
with second 1: one that does not begin standing is given a standing first second.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_FASTEST_MS = 120.0


@dataclass(frozen=True)
class Cycle:
    """Speed over time.

    Args:
        name: what it is called.
        seconds: of each point, from 0.
        speed_ms: at each point.
        grade: rise over run at each point.
    """

    name: str
    seconds: Array
    speed_ms: Array
    grade: Array

    def at(self, hz: float) -> tuple[Array, Array]:
        """Speed and grade at 0, 1/hz, … s to the cycle's end; straight lines between the points."""
        instants = np.arange(0, self.seconds[-1] + 0.5 / hz, 1 / hz)
        return np.interp(instants, self.seconds, self.speed_ms), np.interp(instants, self.seconds, self.grade)


def read_cycle(file: Path) -> Cycle:
    """The cycle in ``file``.

    Raises:
        SettingsError: the file cannot be read as either of the two layouts.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        numbers = _table(text) if "cycSecs" in text[:1000] else _list(text)
    except (OSError, UnicodeDecodeError, ValueError, KeyError) as error:
        raise _unreadable(file, str(error)) from error
    cycle = Cycle(file.stem, *numbers)
    speeds = cycle.speed_ms
    if len(speeds) < 2 or not np.isfinite(speeds).all() or speeds.min() < 0 or speeds.max() > _FASTEST_MS:  # noqa: PLR2004
        raise _unreadable(file, "a speed is missing, negative or beyond 432 km/h, or there are fewer than two")
    if (np.diff(cycle.seconds) <= 0).any():
        raise _unreadable(file, "time does not go forward")
    return cycle


def _table(text: str) -> tuple[Array, Array, Array]:
    lines = list(csv.DictReader(text.splitlines()))
    seconds = np.array([float(line["cycSecs"]) for line in lines])
    grade = [float(line.get("cycGrade") or 0) for line in lines]
    return seconds - seconds[0], np.array([float(line["cycMps"]) for line in lines]), np.array(grade)


def _list(text: str) -> tuple[Array, Array, Array]:
    speeds = np.array([float(word) for word in text.split()]) / 3.6
    if len(speeds) and speeds[0] > 0:
        speeds = np.append(0.0, speeds)
    return np.arange(len(speeds), dtype=float), speeds, np.zeros(len(speeds))


def _unreadable(file: Path, why: str) -> SettingsError:
    return SettingsError(
        f"no driving cycle can be read: {why}",
        where=str(file),
        fix="give a CSV with cycSecs,cycMps,cycGrade (s, m/s, rise over run) or a bare list of km/h, one a second",
    )
