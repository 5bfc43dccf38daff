"""The signal catalogue: which vehicle signals exist, of what type, in what unit and within what bounds.

Belongs here: reading schemas/signals.csv into objects. Does not: judging readings (collect/checks.py). Where the
facts come from is told in schemas/signals.md.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from pipelines.errors import ContractError
from pipelines.settings import data_folder

if TYPE_CHECKING:
    from pathlib import Path

SignalType = Literal["float", "integer", "boolean", "enum", "text"]
Source = Literal["vss-6.0", "obd-overlay", "rocade"]

_COLUMNS = ["path", "type", "unit", "min", "max", "allowed", "source"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One line of the catalogue.

    Attributes:
        path: the full name, as in ``Vehicle.Speed``.
        type: what a value must be.
        unit: as VSS spells it, empty for counts, states and names.
        minimum: the lowest value accepted, in ``unit``; None means no bound.
        maximum: the highest.
        allowed: the values of an ``enum``.
        source: where the line's facts come from.
    """

    path: str
    type: SignalType
    unit: str
    minimum: float | None
    maximum: float | None
    allowed: tuple[str, ...]
    source: Source

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense: an integer without a unit, such as a gear."""
        return self.type == "integer" and not self.unit


def load_signals(file: Path | None = None) -> dict[str, Signal]:
    """The catalogue by path, in the file's order.

    Args:
        file: another catalogue than schemas/signals.csv.

    Raises:
        ContractError: a line does not say what a signal is.
    """
    file = file or data_folder("schemas") / "signals.csv"
    with file.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        if reader.fieldnames != _COLUMNS:
            raise ContractError(
                f"the columns are {reader.fieldnames}", where=str(file), fix=f"they must be {', '.join(_COLUMNS)}"
            )
        signals: dict[str, Signal] = {}
        for line in reader:
            where = f"{file} line {reader.line_num}"
            signal = _signal(line, where)
            if signal.path in signals:
                raise ContractError(f"{signal.path} is listed twice", where=where, fix="keep one of the two lines")
            signals[signal.path] = signal
    return signals


def _signal(line: dict[str, str | None], where: str) -> Signal:
    if None in line or None in line.values():
        raise ContractError(f"the line does not have {len(_COLUMNS)} cells", where=where, fix="check its commas")
    cells = cast("dict[str, str]", line)
    for column, known in (("type", get_args(SignalType)), ("source", get_args(Source))):
        if cells[column] not in known:
            raise ContractError(
                f"{column} is {cells[column]!r}", where=where, fix=f"it must be one of {', '.join(known)}"
            )
    allowed = tuple(cells["allowed"].split("|")) if cells["allowed"] else ()
    if bool(allowed) != (cells["type"] == "enum"):
        raise ContractError(
            "an enum needs allowed values, and nothing else has any", where=where, fix="check `allowed`"
        )
    return Signal(
        path=cells["path"],
        type=cast("SignalType", cells["type"]),
        unit=cells["unit"],
        minimum=_bound(cells["min"], where),
        maximum=_bound(cells["max"], where),
        allowed=allowed,
        source=cast("Source", cells["source"]),
    )


def _bound(cell: str, where: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise ContractError(f"the bound {cell!r} is not a number", where=where, fix="write it like -12.5") from error
