"""Values of many readings as typed columns: numbers, texts, and what each one was.

Belongs here: lists of JSON values, and Arrow columns, into ``Values``. Does not: what a value may be (checks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FLOAT, INTEGER, BOOLEAN, TEXT, LIST, OTHER = range(6)
"""What a value was when it came."""

_LONGEST = 5_000  # characters kept of a list or an object that is written out; more than any that is accepted


class _Kinds(dict[type, int]):
    def __missing__(self, _: type) -> int:
        return OTHER


_KINDS = _Kinds({float: FLOAT, int: INTEGER, bool: BOOLEAN, str: TEXT, list: LIST})
_PLAIN = {FLOAT: frozenset((float, int)), BOOLEAN: frozenset((bool,)), TEXT: frozenset((str,))}


@dataclass(frozen=True, slots=True)
class Values:
    """The values of n readings.

    Attributes:
        kinds: what each one was.
        numbers: n numbers; booleans as 0 and 1, NaN where there is none.
        texts: n strings, null where there is none; lists and objects as JSON.
    """

    kinds: NDArray[np.int8]
    numbers: NDArray[np.float64]
    texts: pa.StringArray

    def take(self, at: NDArray[np.int64]) -> Values:
        """Those at the places ``at``."""
        return Values(self.kinds[at], self.numbers[at], self.texts.take(pa.array(at)))


def split_values(values: Sequence[object], expected: int | None = None) -> Values:
    """JSON values as typed columns; those of one kind cost no Python step each.

    Args:
        values: numbers, booleans, strings, lists, dicts, None.
        expected: FLOAT, BOOLEAN or TEXT where the values are probably all of that kind; a number then counts as FLOAT
            whether it is whole or not.
    """
    size = len(values)
    if expected is not None and _PLAIN[expected].issuperset(map(type, values)):
        kinds = np.full(size, expected, np.int8)
        if expected == TEXT:
            return Values(kinds, np.full(size, np.nan), pa.array(values, pa.string()))
        return Values(kinds, np.fromiter(values, np.float64, size), pa.nulls(size, pa.string()))
    kinds = np.fromiter(map(_KINDS.__getitem__, map(type, values)), np.int8, size)
    objects = np.fromiter(values, object, size)
    numbers = np.full(size, np.nan)
    numeric = kinds <= BOOLEAN
    numbers[numeric] = objects[numeric].astype(np.float64)
    texts = np.full(size, None, object)
    texts[kinds == TEXT] = objects[kinds == TEXT]
    for at in np.flatnonzero(kinds >= LIST):
        texts[at] = _written(objects[at])
    return Values(kinds, numbers, pa.array(texts, pa.string()))


def number_values(numbers: NDArray[Any], kind: int) -> Values:
    """Numbers or booleans, as ``kind`` says, in an array of whatever width."""
    size = len(numbers)
    return Values(np.full(size, kind, np.int8), numbers.astype(np.float64, copy=False), pa.nulls(size, pa.string()))


def column_values(columns: Sequence[pa.Array], kind: int) -> Values:
    """Arrow columns without nulls, one after the other: numbers or booleans, or strings where ``kind`` is TEXT."""
    if kind in (FLOAT, INTEGER):  # of several widths
        parts = [column.to_numpy(zero_copy_only=False) for column in columns]
        return number_values(np.concatenate(parts, dtype=np.float64, casting="unsafe"), kind)
    column = pa.concat_arrays(columns)
    if kind == TEXT:
        return Values(np.full(len(column), TEXT, np.int8), np.full(len(column), np.nan), column)
    return number_values(column.to_numpy(zero_copy_only=False), kind)


def join_values(parts: Sequence[Values]) -> Values:
    """The values of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Values(
        np.concatenate([each.kinds for each in parts]),
        np.concatenate([each.numbers for each in parts]),
        pa.concat_arrays([each.texts for each in parts]),
    )


def _written(value: object) -> str:
    # A list of numbers or words is a value; anything else is only quoted.
    return orjson.dumps(value).decode()[:_LONGEST]
