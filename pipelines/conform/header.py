"""Where a table begins in a text: its separator, its header, and the lines before it.

The separator is the one under which most of the first lines have as many cells as most. The header is line 1, unless the
first lines are no part of the table: a title, a source, a date, blank lines. Such lines have few filled cells where the
table's have many, and the header is then the first full row of names below them.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

#: Separates nothing: the file has one column. No text holds this character.
NONE = "\x1f"
_SEPARATORS = ";,\t|"
_HEAD = 256 << 10
_VOTERS = 50
#: Lines before the header, at most.
MOST_PREAMBLE = 30
#: Lines that one record among the first may take; more are rows swallowed by a quote.
_LONGEST_HEADER = 20
_VALUE = re.compile(r"[+-]?[\d\s.,/:%-]*\d[\d\s.,/:%+TZ-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """Where the table begins.

    Attributes:
        separator: one of ``; , TAB |``, or ``NONE``.
        names: of the columns, without quotes and blanks around them and without empty ones at the end. A name that
            stands a second time ends in ``__2``, so that each column can be told apart.
        doubled: names that stand more than once, as published.
        preamble: physical lines before the header.
    """

    separator: str
    names: tuple[str, ...]
    doubled: frozenset[str]
    preamble: int


@dataclass(frozen=True)
class _Row:
    line: int  # physical, from 0
    cells: list[str]
    broken: bool = False  # a quote in it does not end

    @property
    def filled(self) -> int:
        return sum(1 for cell in self.cells if cell.strip())


def find_header(path: Path, name: str, separator: str | None = None) -> Header:
    """Where the table in the UTF-8 text at ``path`` begins.

    Args:
        path: the text.
        name: for messages.
        separator: where it is known.

    Raises:
        ConformError: no header in the first lines.
    """
    lines = _first_lines(path)
    separator = separator or _separator(lines[: MOST_PREAMBLE + _VOTERS])
    rows = _rows(lines, separator)
    if not rows:
        raise _no_table(name)
    row = _header_row(rows)
    if row.broken:
        raise _no_table(name)
    if len(row.cells) == 1 and row.filled:
        separator = NONE  # what looked like one is part of the texts: `12, rue de la Paix`
    cells = [cell.strip(' \t\u00a0\ufeff"') for cell in row.cells]
    while cells and not cells[-1]:
        cells.pop()  # separators at the end of a line, on which nothing depends
    if not cells:
        raise ConformError(
            "line 1 is blank; the names of the columns are expected there",
            where=f"{name}, line 1",
            fix="the last good version stays published; look at the file",
        )
    names, doubled = _told_apart(cells)
    return Header(separator, names, doubled, row.line)


def is_value(cell: str) -> bool:
    """Whether a cell of a header is what cells below it are: a number, a date, a time; a year may be a name."""
    return _VALUE.fullmatch(cell) is not None and not _is_year(cell)


def _first_lines(path: Path) -> list[str]:
    """The whole lines at the beginning, each with its line end."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    text = head.decode("utf-8-sig", errors="replace")
    # Not splitlines(), which also cuts at characters that are no line ends in a table.
    lines = text.replace("\r\n", "\n").split("\n")
    if len(head) == _HEAD or not lines[-1]:
        lines = lines[:-1]  # the last one is cut, or nothing
    return [f"{line}\n" for line in lines]


def _separator(lines: list[str]) -> str:
    """The separator under which most lines have the same number of cells, and more than one."""

    def votes(separator: str) -> tuple[int, int]:
        rows = _rows(lines, separator)
        widths = Counter(len(row.cells) for row in rows if row.cells)
        width, count = next(iter(widths.most_common(1)), (0, 0))
        if width < 2 or len(_header_row(rows).cells) < 2 or _is_prose(lines, separator, width):  # noqa: PLR2004
            return (0, width)  # a decimal comma in each row makes no columns: the names are not separated by it
        return (count, width)

    best = max(_SEPARATORS, key=votes)
    return best if votes(best)[0] else NONE


def _is_prose(lines: list[str], separator: str, width: int) -> bool:
    """One column of texts such as `rue X, Paris`: commas that blanks follow, and none in the first line."""
    filled = [line for line in lines if line.strip()]
    return (
        separator == ","
        and width == 2  # noqa: PLR2004
        and "," not in filled[0]
        and all(re.search(r",(?! )", line.rstrip("\n")) is None for line in filled)
    )


def _rows(lines: list[str], separator: str) -> list[_Row]:
    """The records of ``lines``, blank ones with no cell.

    Words above a table may hold a quote that stands alone: such a line is one cell, and reading begins anew below it.
    """
    rows: list[_Row] = []
    start = 0
    while start < len(lines):
        reader, before = csv.reader(lines[start:], delimiter=separator, strict=False), start
        try:
            for cells in reader:
                now = start + reader.line_num
                if now - before > _LONGEST_HEADER and before < MOST_PREAMBLE:
                    break
                rows.append(_Row(before, cells))
                before = now
            else:
                return rows
        except csv.Error:
            pass
        rows.append(_Row(before, [lines[before].strip()], broken=True))
        start = before + 1
    return rows


def _header_row(rows: list[_Row]) -> _Row:
    """The first row, unless it and those after it are words above the table."""
    width = _usual_width(rows)
    if _lacks_first_name(rows[0], width):
        return rows[0]
    for row in rows:
        if row.line > MOST_PREAMBLE:
            break
        if row.filled > max(1, width // 2) or (width == 1 and row.filled):
            # Below words the header must be a row of names; alone it may be whatever the publisher calls columns.
            return row if row is rows[0] or _are_names(row, width) else rows[0]
    return rows[0]


def _lacks_first_name(row: _Row, width: int) -> bool:
    """Whether only the first cell is blank, as above the index that pandas writes; a title would stand just there."""
    return row.filled == width - 1 and len(row.cells) >= width and not row.cells[0].strip() and row.filled > 0


def _usual_width(rows: list[_Row]) -> int:
    """Filled cells of most rows, blanks at the end not counted."""
    return Counter(row.filled for row in rows if row.filled).most_common(1)[0][0] if any(r.filled for r in rows) else 0


def _are_names(row: _Row, width: int) -> bool:
    cells = [cell.strip() for cell in row.cells if cell.strip()]
    return len(cells) >= width / 2 and not any(map(is_value, cells))


def _is_year(cell: str) -> bool:
    return re.fullmatch(r"(19|20)\d\d", cell) is not None


def _told_apart(cells: list[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    doubled = frozenset(cell for cell, count in Counter(cells).items() if count > 1)
    names: list[str] = []
    for cell in cells:
        name, times = cell, 1
        while name in names or (times > 1 and name in cells):
            times += 1
            name = f"{cell}__{times}"
        names.append(name)
    return tuple(names), doubled


def _no_table(name: str) -> ConformError:
    return ConformError(
        "this is no table: its first lines do not end, or a quote in them does not",
        where=f"{name}, line 1",
        fix="look at the beginning of the file; the last good version stays published",
    )
