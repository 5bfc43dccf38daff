"""Judging readings against the signal catalogue, a whole batch at once.

Belongs here: the reason why a reading cannot be believed, in code and in words. Does not: clocks and consent (rows.py),
how values become columns (values.py), the catalogue itself (contracts/signals.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.collect.values import BOOLEAN, FLOAT, INTEGER, LIST, OTHER, TEXT, Values
from pipelines.contracts.signals import SignalType

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
TYPES: tuple[str, ...] = get_args(SignalType)

EXACT = 2.0**53
"""From here on a double does not hold every whole number."""
LONGEST_TEXT = 4096
"""Characters of the longest text that is kept."""

_SHOWN = 80  # characters of a foreign text that is quoted
_KIND_NAMES = {
    FLOAT: "is a number",
    INTEGER: "is a number",
    BOOLEAN: "is a boolean",
    TEXT: "is a text",
    LIST: "is a list",
    OTHER: "is no number, boolean, text or list",
}
_TYPE = {name: at for at, name in enumerate(TYPES)}
_TYPE_OF_KIND = np.array([_TYPE["float"], _TYPE["integer"], _TYPE["boolean"], _TYPE["text"], _TYPE["text"]], np.int8)
# What a signal of each type takes; one more for signals that nobody knows, which take whatever has a type.
_TAKES = np.zeros((len(TYPES) + 1, OTHER + 1), np.bool_)
_TAKES[[_TYPE["float"], _TYPE["integer"]], FLOAT : INTEGER + 1] = True
_TAKES[_TYPE["boolean"], BOOLEAN] = True
_TAKES[[_TYPE["enum"], _TYPE["text"]], TEXT] = True
_TAKES[_TYPE["text"], LIST] = True
_TAKES[len(TYPES), : TEXT + 1] = True


class Rules:
    """The catalogue, laid out for whole columns.

    Signals are numbered in the catalogue's order; a number from ``known`` on is a signal that it does not have.

    Args:
        catalogue: signals by path.
    """

    def __init__(self, catalogue: Mapping[str, Signal]) -> None:
        self._signals = list(catalogue.values())
        self.known = len(self._signals)
        self._type = np.array([*(_TYPE[s.type] for s in self._signals), len(TYPES)], np.int8)
        self._minimum = np.array([*(_or(s.minimum, -np.inf) for s in self._signals), -np.inf])
        self._maximum = np.array([*(_or(s.maximum, np.inf) for s in self._signals), np.inf])
        self._whole = np.array([*(s.whole for s in self._signals), False])
        self._enums = {at: pa.array(s.allowed) for at, s in enumerate(self._signals) if s.allowed}
        self._is_enum = self._type == _TYPE["enum"]

    def judge(self, code: NDArray[np.int32], values: Values) -> NDArray[np.int8]:
        """The reason against each reading, as an index into ``REASONS``."""
        signal = np.minimum(code, self.known)
        numbers, kinds = values.numbers, values.kinds
        numeric = kinds <= INTEGER
        integer = (kinds == INTEGER) | (self._type[signal] == _TYPE["integer"])
        with np.errstate(invalid="ignore"):  # NaN, where there is no number, compares as false
            outside = (numbers < self._minimum[signal]) | (numbers > self._maximum[signal])
            outside |= integer & (np.abs(numbers) >= EXACT)
            broken = self._whole[signal] & (numbers != np.floor(numbers))
        reasons = np.zeros(len(signal), np.int8)
        reasons[outside | (numeric & ~np.isfinite(numbers))] = OUT_OF_RANGE
        worded = np.flatnonzero((kinds == TEXT) | (kinds == LIST))
        if len(worded):
            self._judge_texts(reasons, signal, values.texts, worded)
        reasons[~_TAKES[self._type[signal], kinds] | (numeric & broken)] = WRONG_TYPE
        return reasons

    def types(self, code: NDArray[np.int32], values: Values) -> NDArray[np.int8]:
        """What each reading is, as an index into ``TYPES``: what the catalogue says, else what was sent.

        A fraction of a signal that the catalogue calls an integer, for the width of a car's bus, is a float.
        """
        types = self._type[np.minimum(code, self.known)]
        strange = np.flatnonzero(types == len(TYPES))
        types[strange] = _TYPE_OF_KIND[values.kinds[strange]]
        with np.errstate(invalid="ignore"):
            broken = values.numbers != np.floor(values.numbers)
        types[(types == _TYPE["integer"]) & broken] = _TYPE["float"]
        return types

    def explain(  # noqa: PLR0911 - one sentence a case
        self, reason: int, code: int, path: str, kind: int, number: float, text: str | None
    ) -> str:
        """Why a reading of ``path`` waits in quarantine, and what to do; for reasons that ``judge`` gives."""
        if reason == UNKNOWN_SIGNAL:
            return f"telemetry: {path[:_SHOWN]!r} cannot be the name of a signal; write it like Vehicle.Speed"
        shown = repr((text or "")[:_SHOWN]) if kind == TEXT else text if kind >= LIST else f"{number:.15g}"
        value = f"telemetry: {path[:_SHOWN]} = {bool(number) if kind == BOOLEAN else shown}"
        if code >= self.known:
            value = f"telemetry: {path[:_SHOWN]}, which the catalogue does not have,"
            if reason == WRONG_TYPE:
                return f"{value} {_KIND_NAMES[kind]}; send a number, a boolean or a text"
            return f"{value} = {number:.15g} cannot be kept exactly; check the sensor"
        signal = self._signals[code]
        if reason == WRONG_TYPE:
            if signal.whole and kind <= INTEGER:
                return f"{value} is not a whole number; correct the sender"
            return f"{value} {_KIND_NAMES[kind]} where the catalogue has {signal.type}; correct the sender"
        if signal.allowed:
            return f"{value} is none of {', '.join(signal.allowed)}; correct the sender"
        if kind >= TEXT:
            return f"{value}… is longer than {LONGEST_TEXT} characters; correct the sender"
        low, high = _or(signal.minimum, -np.inf), _or(signal.maximum, np.inf)
        if np.isnan(number):
            return f"{value} is not a number; check the sensor"
        bound = f"below the minimum {low:.15g}" if number < low else f"above the maximum {high:.15g}"
        return f"{value} {signal.unit} is {bound} of schemas/signals.csv; check the sensor, or correct the bound"

    def _judge_texts(
        self, reasons: NDArray[np.int8], signal: NDArray[np.int32], texts: pa.StringArray, at: NDArray[np.int64]
    ) -> None:
        words = texts.take(pa.array(at))
        long = pc.greater(pc.utf8_length(words), LONGEST_TEXT).to_numpy(zero_copy_only=False)
        reasons[at[long]] = OUT_OF_RANGE
        mine = signal[at]
        for enum in np.unique(mine[self._is_enum[mine]]).tolist():
            place = np.flatnonzero(mine == enum)
            foreign = pc.invert(pc.is_in(words.take(pa.array(place)), self._enums[enum]))
            reasons[at[place[foreign.to_numpy(zero_copy_only=False)]]] = OUT_OF_RANGE


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
