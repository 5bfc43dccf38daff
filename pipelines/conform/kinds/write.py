"""Values of any origin as the text of a cell, and records as a CSV file."""

from __future__ import annotations

import csv
import json
import math
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: What separates the cells of every file written here.
SEPARATOR = ";"


@contextmanager
def csv_file(path: Path) -> Iterator[Callable[[Sequence[str]], object]]:
    """A new CSV file at ``path``; gives the function that writes one row of texts to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        try:
            yield csv.writer(file, delimiter=SEPARATOR, lineterminator="\n").writerow
        except UnicodeEncodeError as error:
            raise ConformError("holds half a character (a lone surrogate)", fix="tell the publisher") from error


def text_of(value: Any) -> str:
    """``value`` as its publisher would write it: blank for nothing, ISO dates, nested values as JSON."""
    if isinstance(value, str):
        return value
    writer = next((write for kinds, write in _WRITERS if isinstance(value, kinds)), _json)
    return writer(value)


def sheet_text_of(value: Any) -> str:
    """As ``text_of`` for the cell of a sheet, where every number is a float and a day is a midnight."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return text_of(value)


_EXACT = 2**53  # whole numbers up to here are exact as floats


def _float(value: float) -> str:
    """The shortest digits that mean this float, never with an exponent: 1e-07 is 0.0000001."""
    return format(Decimal(repr(value)), "f") if math.isfinite(value) else ""


def _span(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _decimal(value: Decimal) -> str:
    """All digits; but 1e999999999 stays as it is, for written out it would fill the disk."""
    return format(value, "f") if abs(value.adjusted()) < _LONGEST else str(value)


_LONGEST = 400  # digits; floats have 308 before the point


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_inside_json)
    except RecursionError as error:
        raise ConformError("holds a value that is nested a thousand times", fix="tell the publisher") from error


def _inside_json(value: Any) -> float | str:
    """A number whose digits a float would lose is kept as a text."""
    if isinstance(value, Decimal):
        near = float(value)
        return near if math.isfinite(near) and Decimal(repr(near)) == value else _decimal(value)
    return text_of(value)


#: The first whose kind fits: True is an int to Python, and a datetime a date.
_WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (type(None), lambda _: ""),
    (bool, lambda value: "true" if value else "false"),
    (int, str),
    (Decimal, _decimal),
    (float, _float),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, _span),
    (bytes, bytes.hex),
)
