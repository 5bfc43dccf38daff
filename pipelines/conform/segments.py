"""A large text file as several, each beginning with a line, for a scan in which rows must be numbered.

Numbering rows in the order of a file takes one thread. So that all cores work, each reads a part of its own, whose first line
number was counted beforehand.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from io import SEEK_CUR
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A range is at least this long: below, one thread is through before a second has begun.
SMALLEST = 8 << 20
_PIECE = 1 << 20


@dataclass(frozen=True)
class Segment:
    """The bytes ``start`` to ``end`` of ``path``, the first of which begins line ``line`` (from 1)."""

    path: Path
    start: int
    end: int
    line: int

    @property
    def first_record(self) -> int:
        """The number (from 1) of its first record, where each takes one line and line 1 is the header."""
        return max(1, self.line - 1)


def segments_of(path: Path, wanted: int, marks: Sequence[tuple[int, int]] = ()) -> list[Segment]:
    """``path`` in at most ``wanted`` ranges of about equal length; one where it is short or its lines are very long.

    Args:
        path: a text.
        wanted: how many ranges.
        marks: places in it and the line that each is on, in order: no line need be counted before the last of them.
    """
    size = path.stat().st_size
    count = max(1, min(wanted, size // SMALLEST))
    with path.open("rb") as file:
        cuts = [0]
        for number in range(1, count):
            file.seek(max(cuts[-1], size * number // count))
            file.readline(_PIECE)
            file.seek(-1, SEEK_CUR)
            if file.read(1) == b"\n":
                cuts.append(file.tell())
    ranges = zip(cuts, [*cuts[1:], size], strict=True)
    return [Segment(path, start, end, _line(path, start, marks)) for start, end in ranges]


def _line(path: Path, at: int, marks: Sequence[tuple[int, int]]) -> int:
    """The line (from 1) that begins at ``at``."""
    number = bisect_right(marks, at, key=itemgetter(0))
    begin, line = marks[number - 1] if number else (0, 1)
    with path.open("rb", buffering=0) as file:
        file.seek(begin)
        while piece := file.read(min(at - begin, _PIECE)):
            line += piece.count(b"\n")
            begin += len(piece)
    return line
