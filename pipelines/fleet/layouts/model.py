"""What a layout is, and what reading a log with it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from pipelines.fleet.batches import Row, Value


@dataclass(frozen=True)
class Fault:
    """Something in a log that could not be published as it stands.

    Args:
        file: the log.
        line: its line, from 1 (the header's).
        column: the header's name, or empty when the whole line is meant.
        value: what stands there.
        reason: what is wrong with it.
    """

    file: Path
    line: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}, line {self.line}{column}: {self.value!r} {self.reason}"


@dataclass
class Log:
    """One log file, read.

    Args:
        rows: in time order, what can be published.
        lines: lines of data in the file, blank ones not counted: ``len(rows) + len(rejected)``.
        rejected: one fault a line that is not in ``rows``.
        left_out: cells that are not in ``rows`` although their line is.
        repaired: lines whose instant was restored from their neighbours.
        dropped_columns: columns that no VSS signal corresponds to.
    """

    rows: list[Row] = field(default_factory=list)
    lines: int = 0
    rejected: list[Fault] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)
    dropped_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """How to read one kind of log.

    Args:
        name: as given to ``--layout``.
        vehicle: id of the car whose logs these are, unless the caller names another.
        identification: VSS attributes of that car.
        read: reads a file; readings before the second argument or after the third come from a faulty clock.
    """

    name: str
    vehicle: str
    identification: Mapping[str, Value]
    read: Callable[[Path, datetime, datetime], Log]
