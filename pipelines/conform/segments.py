"""A large text file as several, each beginning with a line, for a scan in which rows must be numbered.

Numbering rows in the order of a file takes one thread. So that all cores work, each reads a range of its own, whose first
line number was counted beforehand. DuckDB opens a range through a file system of ours, so nothing is copied.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

#: A range is at least this long: below, one thread is through before a second has begun.
SMALLEST = 8 << 20
_PIECE = 1 << 20
_PROTOCOL = "range"


@dataclass(frozen=True)
class Segment:
    """The bytes ``start`` to ``end`` of ``path``, the first of which begins line ``line`` (from 1)."""

    path: Path
    start: int
    end: int
    line: int


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


class Ranges(AbstractFileSystem):  # type: ignore[misc]
    """The file system in which ``range://x/0``, ``range://x/1``, … are ``segments``.

    Args:
        segments: what can be opened.
        on_read: told how many bytes were read, from whichever thread read them.
    """

    protocol = _PROTOCOL
    cachable = False

    def __init__(self, segments: Sequence[Segment], on_read: Callable[[int], None]) -> None:
        super().__init__()
        self._segments = segments
        self._on_read = on_read

    def open(self, path: str, *_: Any, **__: Any) -> _Range:
        """The bytes of one segment."""
        return _Range(self._segment(path), self._on_read)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether there is such a segment."""
        return self._number(path) < len(self._segments)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and kind, as fsspec wants them."""
        segment = self._segment(path)
        return {"name": path, "size": segment.end - segment.start, "type": "file"}

    def glob(self, path: str, **_: Any) -> list[str]:
        """The path itself: there are no patterns here."""
        return [path]

    def modified(self, path: str) -> datetime:
        """When the file behind the segment was written."""
        return datetime.fromtimestamp(self._segment(path).path.stat().st_mtime, UTC)

    def _number(self, path: str) -> int:
        return int(path.rsplit("/", 1)[-1])

    def _segment(self, path: str) -> Segment:
        return self._segments[self._number(path)]


def address(number: int) -> str:
    """The path under which DuckDB finds segment ``number``."""
    return f"{_PROTOCOL}://x/{number}"


class _Range(RawIOBase):
    def __init__(self, segment: Segment, on_read: Callable[[int], None]) -> None:
        super().__init__()
        self._file = segment.path.open("rb", buffering=0)
        self._segment = segment
        self._on_read = on_read
        self._at = 0

    @property
    def size(self) -> int:
        return self._segment.end - self._segment.start

    def read(self, size: int = -1) -> bytes:
        left = self.size - self._at
        data = os.pread(self._file.fileno(), left if size < 0 else min(size, left), self._segment.start + self._at)
        self._at += len(data)
        self._on_read(len(data))
        return data

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
