"""Judging readings against the signal catalogue, a whole batch at once.

Belongs here: splitting JSON values into typed columns, and the reason why a reading cannot be believed. Does not:
clocks and consent (intake.py), the catalogue itself (contracts/signals.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipelines.collect.formats import Reason
    from pipelines.contracts.signals import Signal

REASONS: tuple[Reason | None, ...] = (
    None,
    "unknown_signal",
    "wrong_type",
    "out_of_range",
    "clock_past",
    "clock_future",
)
FINE, UNKNOWN_SIGNAL, WRONG_TYPE, OUT_OF_RANGE, CLOCK_PAST, CLOCK_FUTURE = range(len(REASONS))

_NUMBER, _BOOLEAN, _TEXT, _OTHER, _NOTHING = range(5)
_WANTED = {"float": _NUMBER, "integer": _NUMBER, "boolean": _BOOLEAN, "enum": _TEXT, "text": _TEXT}
_KIND_NAMES = ("number", "boolean", "text", "list, object or null")
_SHOWN = 80  # characters of a foreign text that is kept or quoted


class _Kinds(dict[type, int]):
    def __missing__(self, _: type) -> int:
        return _OTHER


_KINDS = _Kinds({int: _NUMBER, float: _NUMBER, bool: _BOOLEAN, str: _TEXT})


@dataclass(frozen=True, slots=True)
class Values:
    """The values of n readings.

    Attributes:
        kinds: what each one was in JSON.
        numbers: n numbers; booleans as 0 and 1, NaN where there is none.
        texts: n strings, null where there is none.
    """

    kinds: NDArray[np.int8]
    numbers: NDArray[np.float64]
    texts: pa.StringArray


def split_values(values: list[object]) -> Values:
    """JSON values as typed columns; numbers alone cost no Python step each."""
    size = len(values)
    if {int, float}.issuperset(map(type, values)):
        return Values(np.zeros(size, np.int8), np.array(values, np.float64), pa.nulls(size, pa.string()))
    kinds = np.fromiter(map(_KINDS.__getitem__, map(type, values)), np.int8, size)
    objects = np.fromiter(values, object, size)
    numbers = np.full(size, np.nan)
    numeric = kinds <= _BOOLEAN
    numbers[numeric] = objects[numeric].astype(np.float64)
    texts = np.full(size, None, object)
    texts[kinds == _TEXT] = objects[kinds == _TEXT]
    for at in np.flatnonzero(kinds == _OTHER):
        texts[at] = orjson.dumps(objects[at]).decode()[:_SHOWN]
    return Values(kinds, numbers, pa.array(texts, pa.string()))


class Rules:
    """The catalogue, laid out for whole columns.

    Args:
        catalogue: signals by path.
    """

    def __init__(self, catalogue: Mapping[str, Signal]) -> None:
        self._signals = list(catalogue.values())
        self._index = {path: at for at, path in enumerate(catalogue)}
        # One more slot at the end: a signal that nobody knows wants nothing.
        self._wanted = np.array([*(_WANTED[s.type] for s in self._signals), _NOTHING], np.int8)
        self._minimum = np.array([*(_or(s.minimum, -np.inf) for s in self._signals), -np.inf])
        self._maximum = np.array([*(_or(s.maximum, np.inf) for s in self._signals), np.inf])
        self._whole = np.array([*(s.whole for s in self._signals), False])
        self._enums = {at: pa.array(s.allowed) for at, s in enumerate(self._signals) if s.allowed}

    def judge(self, paths: pa.DictionaryArray, values: Values) -> NDArray[np.int8]:
        """The reason against each reading, as an index into ``REASONS``."""
        unknown = len(self._signals)
        known = np.array([self._index.get(path, unknown) for path in paths.dictionary.to_pylist()], np.int32)
        signal = known[paths.indices.to_numpy(zero_copy_only=False)]
        reasons = np.zeros(len(signal), np.int8)
        numeric = values.kinds == _NUMBER
        with np.errstate(invalid="ignore"):  # NaN, where there is no number, compares as false
            outside = (values.numbers < self._minimum[signal]) | (values.numbers > self._maximum[signal])
            broken = self._whole[signal] & (values.numbers % 1 != 0)
        reasons[outside | (numeric & ~np.isfinite(values.numbers))] = OUT_OF_RANGE
        for at in self._enums.keys() & set(known.tolist()):
            mine = np.flatnonzero(signal == at)
            foreign = pc.invert(pc.is_in(values.texts.take(pa.array(mine)), self._enums[at]))
            reasons[mine[foreign.to_numpy(zero_copy_only=False)]] = OUT_OF_RANGE
        reasons[(values.kinds != self._wanted[signal]) | (numeric & broken)] = WRONG_TYPE
        reasons[signal == unknown] = UNKNOWN_SIGNAL
        return reasons

    def types(self, paths: pa.StringArray) -> list[str | None]:
        """The type of each signal, None for one that the catalogue does not have."""
        found = [self._index.get(path) for path in paths.to_pylist()]
        return [None if at is None else self._signals[at].type for at in found]

    def explain(self, reason: int, path: str, kind: int, number: float, text: str | None) -> str:
        """Why a reading of ``path`` waits in quarantine, and what to do; for reasons that ``judge`` gives."""
        if reason == UNKNOWN_SIGNAL:
            fix = "correct its name, or add it to schemas/signals.csv"
            return f"telemetry: {path[:_SHOWN]} is not in the signal catalogue; {fix}"
        signal = self._signals[self._index[path]]
        shown = repr((text or "")[:_SHOWN]) if kind == _TEXT else text if kind == _OTHER else f"{number:.15g}"
        value = f"telemetry: {path} = {bool(number) if kind == _BOOLEAN else shown}"
        if reason == WRONG_TYPE:
            if signal.whole and kind == _NUMBER:
                return f"{value} is not a whole number; correct the sender"
            return f"{value} is a {_KIND_NAMES[kind]} where the catalogue has {signal.type}; correct the sender"
        if signal.allowed:
            return f"{value} is none of {', '.join(signal.allowed)}; correct the sender"
        low, high = _or(signal.minimum, -np.inf), _or(signal.maximum, np.inf)
        bound = f"below the minimum {low:.15g}" if number < low else f"above the maximum {high:.15g}"
        return f"{value} {signal.unit} is {bound} of schemas/signals.csv; check the sensor, or correct the bound"


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
