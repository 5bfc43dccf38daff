"""The text of a log: header, numbered lines, cells. What all layouts that are CSV in some way have in common.

Not the csv module: one stray quote would swallow the lines after it, and no cell of these logs holds their separator.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import ConformError
from pipelines.fleet.layouts.model import Fault, NotAValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipelines.fleet.batches import Value
    from pipelines.fleet.layouts.model import Log


_UNREADABLE = "does not read as a value of its column"
_LINE_END = re.compile(r"\r\n|\n|\r")
_SHOWN = 120  # characters of a line that is quoted whole


@dataclass(frozen=True)
class Sheet:
    """The text of a log.

    Args:
        file: where it is from.
        header: the titles.
        lines: the cells of each line that is not blank, by line number from 1 (the header's).
    """

    file: Path
    header: list[str]
    lines: dict[int, list[str]]

    def place(self, title: str) -> int:
        """Where the column stands, by its plain title."""
        return [plain_title(name) for name in self.header].index(title)

    def fault(self, line: int, title: str, value: str, reason: str) -> Fault:
        """A fault in the column of that plain title."""
        return Fault(self.file, line, self.header[self.place(title)], value, reason)

    def uneven(self, line: int) -> Fault | None:
        """The fault of a line that has not as many cells as the header; blank ones at its end do not count."""
        cells = self.lines[line]
        if len(cells) >= len(self.header) and not any(cells[len(self.header) :]):
            return None
        missing = self.header[len(cells)] if len(cells) < len(self.header) else ""
        reason = f"has {len(cells)} cells, the header has {len(self.header)}"
        return Fault(self.file, line, missing, ",".join(cells)[:_SHOWN], reason)

    def values(
        self, line: int, signals: Mapping[str, tuple[str, Callable[[str], Value]]], log: Log
    ) -> dict[str, Value]:
        """The readings of a line by VSS path; blank cells give none, unreadable ones go to ``log.left_out``."""
        values: dict[str, Value] = {}
        for title, text in zip(self.header, self.lines[line], strict=False):
            if not text or (signal := signals.get(plain_title(title))) is None:
                continue
            path, cast = signal
            try:
                values[path] = cast(text)
            except NotAValue as fault:
                log.left_out.append(Fault(self.file, line, title, text, str(fault)))
            except ValueError:
                log.left_out.append(Fault(self.file, line, title, text, _UNREADABLE))
        return values


def read_sheet(file: Path, layout: str, columns: Sequence[str], separator: str) -> Sheet:
    """The text of ``file``.

    Args:
        file: a log.
        layout: name of the layout, for messages.
        columns: plain titles that must be in the header.
        separator: between cells.

    Raises:
        ConformError: the file cannot be read or has no such header.
    """
    lines = {
        number: [cell.strip().strip('"').strip() for cell in line.split(separator)]
        for number, line in enumerate(raw_lines(file), start=1)
        if line.strip()
    }
    if not lines:
        raise ConformError("the file is empty", where=str(file), fix="leave this file out")
    first = min(lines)
    header = lines.pop(first)
    while header and not header[-1]:  # a line that ends with a separator, as the lines of data may
        header.pop()
    if not set(columns) <= {plain_title(title) for title in header}:
        raise ConformError(
            f"no header with the columns {' and '.join(columns)}, but {separator.join(header)[:80]!r}",
            where=f"{file}, line {first}",
            fix=f"this is no log of layout {layout}: name the layout it has, or leave this file out",
        )
    return Sheet(file, header, lines)


def raw_lines(file: Path) -> list[str]:
    """The lines of a log as they stand, the first one's byte order mark gone.

    Raises:
        ConformError: the file cannot be read.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ConformError(f"cannot be read: {error.strerror}", where=str(file), fix="check the path") from error
    return _LINE_END.split(text)


def plain_title(title: str) -> str:
    """A column's title without what varies: case, and the empty brackets where carOBD would have a unit."""
    return title.casefold().removesuffix("()").strip()


def number(text: str) -> float:
    """A finite number as Python writes it, without underscores."""
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def whole(text: str) -> int:
    """A number that happens to be whole."""
    value = number(text)
    if value % 1:
        raise ValueError(text)
    return int(value)
