"""The signal catalogue: which vehicle signals exist, of what type, in what unit and within what bounds.

Belongs here: reading schemas/signals.csv into objects. Does not: judging readings (collect/checks.py). Where the
facts come from is told in schemas/signals.md.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from pipelines.errors import ContractError
from pipelines.settings import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SignalType = Literal["float", "integer", "boolean", "enum", "text"]
Source = Literal["vss-6.0", "obd-overlay", "fms-overlay", "rocade"]

_COLUMNS = ["path", "type", "unit", "min", "max", "allowed", "source", "meaning"]
_TYPES, _SOURCES = frozenset(get_args(SignalType)), frozenset(get_args(Source))


class Signal(NamedTuple):
    """One line of the catalogue.

    Attributes:
        path: the full name, as in ``Vehicle.Speed``.
        type: what a value must be.
        unit: as VSS spells it, empty for counts, states and names.
        minimum: the lowest value accepted, in ``unit``; None means no bound.
        maximum: the highest.
        allowed: the values of an ``enum``.
        source: where the line's facts come from.
        meaning: a few words where the path does not say it all.
    """

    path: str
    type: SignalType
    unit: str
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    source: Source
    meaning: str = ""

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense: an integer without a unit, such as a gear."""
        return self.type == "integer" and not self.unit


def load_signals(file: Path | None = None) -> Mapping[str, Signal]:
    """The catalogue by path, in the file's order; read once in a process.

    Args:
        file: another catalogue than schemas/signals.csv.

    Raises:
        ContractError: a line does not say what a signal is.
    """
    return _read(file or data_folder("schemas") / "signals.csv")


@lru_cache(maxsize=4)
def _read(file: Path) -> Mapping[str, Signal]:
    signals: dict[str, Signal] = {}
    with file.open(encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        if header != _COLUMNS:
            raise ContractError(f"the columns are {header}", where=str(file), fix=f"they must be {', '.join(_COLUMNS)}")
        for cells in reader:
            signal = _signal(cells, file, reader.line_num)
            if signal.path in signals:
                raise _error(f"{signal.path} is listed twice", file, reader.line_num, "keep one of the two lines")
            signals[signal.path] = signal
    return MappingProxyType(signals)


def _signal(cells: list[str], file: Path, line: int) -> Signal:
    if len(cells) != len(_COLUMNS):
        raise _error(f"the line does not have {len(_COLUMNS)} cells", file, line, "check its commas")
    path, kind, unit, low, high, listed, source, meaning = cells
    if kind not in _TYPES:
        raise _error(f"type is {kind!r}", file, line, f"it must be one of {', '.join(sorted(_TYPES))}")
    if source not in _SOURCES:
        raise _error(f"source is {source!r}", file, line, f"it must be one of {', '.join(sorted(_SOURCES))}")
    allowed = tuple(listed.split("|")) if listed else ()
    if bool(allowed) != (kind == "enum"):
        raise _error("an enum needs allowed values, and nothing else has any", file, line, "check `allowed`")
    try:
        bounds = [float(cell) if cell else None for cell in (low, high)]
    except ValueError as error:
        raise _error(f"a bound of {path} is not a number: {error}", file, line, "write it like -12.5") from error
    return Signal(path, cast("SignalType", kind), unit, bounds[0], bounds[1], allowed, cast("Source", source), meaning)


def _error(what: str, file: Path, line: int, fix: str) -> ContractError:
    return ContractError(what, where=f"{file} line {line}", fix=fix)
