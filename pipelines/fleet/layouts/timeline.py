"""Instants of lines that have a rounded time and a run time: what both together allow.

Each line says two things: that its instant lies in an interval (its rounded time), and how far it is from the engine's start
(its run time, whole seconds). The start must then lie in the intersection of all intervals, each moved back by its run time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEAR_S = 60  # lines between two run times this near are placed evenly between them
_WHOLE_MS = 1000  # a run time is cut to whole seconds


@dataclass(frozen=True)
class Point:
    """What one line says of its instant.

    Args:
        line: its number.
        span_ms: between which epoch milliseconds, if it says so.
        run_s: the engine's run time, if it says so.
    """

    line: int
    span_ms: tuple[float, float] | None
    run_s: int | None


@dataclass
class Placed:
    """Where lines lie.

    Args:
        instants: epoch milliseconds by line; lines that cannot be placed are not in it.
        repaired: lines placed between their neighbours.
        remarks: how well the instants are known.
        contradiction: why none could be placed, if so.
    """

    instants: dict[int, int] = field(default_factory=dict)
    repaired: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    contradiction: str = ""


def place(points: Sequence[Point]) -> Placed:
    """Instants for the lines of one car, in the order of the file.

    A run time that stands still says nothing: the engine is off. One that falls tells of a new start; the lines go on one
    usual step later, since how long the engine was off is not known.
    """
    placed = Placed()
    runs = _continued(points, placed)
    spans = [
        (p.span_ms[0] - runs[p.line] * 1000 - _WHOLE_MS, p.span_ms[1] - runs[p.line] * 1000)
        for p in points
        if p.span_ms is not None and p.line in runs
    ]
    if not spans:
        placed.contradiction = "is no time, and no line of this car has both a time and a run time"
        return placed
    low, high = max(span[0] for span in spans), min(span[1] for span in spans)
    if low > high:
        placed.contradiction = "contradicts the run times: no start of the engine fits all lines of this car"
        return placed
    start = (low + high) / 2
    _interpolate(points, runs, placed)
    placed.instants = {line: round(start + runs[line] * 1000) for line in sorted(runs)}
    first = datetime.fromtimestamp(min(placed.instants.values()) / 1000, UTC)
    known = f"{(high - low) / 2000:,.0f} s".replace(",", " ")
    placed.remarks.append(f"from {first:%Y-%m-%d %H:%M:%S} UTC, known to within {known}; spacing to the second")
    return placed


def _continued(points: Sequence[Point], placed: Placed) -> dict[int, float]:
    """Run times by line, as if the engine had been started once."""
    known = [p for p in points if p.run_s is not None]
    steps = [b.run_s - a.run_s for a, b in pairwise(known) if a.run_s is not None and b.run_s is not None]
    usual = median([step for step in steps if step > 0] or [1])
    runs: dict[int, float] = {}
    before: int | None = None
    ahead = 0.0
    for point in known:
        now = point.run_s
        if now is None or now == before:
            continue
        if before is not None and now < before:
            ahead += before + usual - now
            placed.remarks.append(
                f"line {point.line}: the engine was started again ({before} s, then {now} s); how long it was off is not "
                f"known, {usual:g} s are assumed"
            )
        runs[point.line] = now + ahead
        before = now
    return runs


def _interpolate(points: Sequence[Point], runs: dict[int, float], placed: Placed) -> None:
    """Give lines between two near ones that have a run time an instant evenly between them."""
    lines = [point.line for point in points]
    timed = [at for at, line in enumerate(lines) if line in runs]
    for first, last in pairwise(timed):
        begin, end = runs[lines[first]], runs[lines[last]]
        if last - first > 1 and end - begin <= _NEAR_S:
            for at in range(first + 1, last):
                runs[lines[at]] = begin + (end - begin) * (at - first) / (last - first)
                placed.repaired.append(lines[at])
