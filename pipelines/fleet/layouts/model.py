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
        reason: what is wrong with it, in words that do not change from line to line.
        secret: whether the line names somebody, so that its text is not to be repeated anywhere.
    """

    file: Path
    line: int
    column: str
    value: str
    reason: str
    secret: bool = False

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}, line {self.line}{column}: {self.value!r} {self.reason}"


class NotAValue(ValueError):  # noqa: N818 - the state of the cell is its name
    """A cell of which more can be said than that it does not read: the text is the fault's reason."""


@dataclass
class Drive:
    """What one car did.

    Args:
        rows: in time order; milliseconds since 1970, or since the log's beginning where the layout has no clock.
        vehicle: the log's own name of the car when it holds several, else empty.
    """

    rows: list[Row] = field(default_factory=list)
    vehicle: str = ""


@dataclass(frozen=True)
class Event:
    """Something that people who were there saw happen: truth beside the readings.

    Args:
        kind: such as ``harsh_braking``; ``calm`` is a stretch in which nothing harsh happened.
        start_ms: on the clock of the log's rows.
        end_ms: as ``start_ms``.
        line: where it is written, in the file of the labels.
    """

    kind: str
    start_ms: int
    end_ms: int
    line: int


@dataclass
class Log:
    """One log file, read.

    Args:
        drives: what can be published, a car each.
        lines: lines of data in the file, blank ones not counted: ``len(rows) + len(rejected)``.
        rejected: one fault a line that is not in ``rows``.
        left_out: cells that are not in ``rows`` although their line is.
        repaired: lines whose instant was restored from their neighbours.
        dropped_columns: columns that no VSS signal corresponds to, or that hold nothing.
        remarks: what the reader should know of how the log was understood.
        events: labelled events that came with the log.
    """

    drives: list[Drive] = field(default_factory=list)
    lines: int = 0
    rejected: list[Fault] = field(default_factory=list)
    left_out: list[Fault] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)
    dropped_columns: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """The rows of all drives, one drive after the other."""
        return [row for drive in self.drives for row in drive.rows]


@dataclass(frozen=True)
class Layout:
    """How to read one kind of log.

    Args:
        name: as given to ``--layout``.
        vehicle: id of the car whose logs these are, unless the caller names another.
        identification: VSS attributes of that car.
        columns: titles that make a header one of this layout's, as ``sheet.plain_title`` writes them.
        separator: between the cells of a line.
        has_clock: whether its instants are real ones; else they count from the log's beginning.
        read: reads a file; readings before the second argument or after the third come from a faulty clock.
    """

    name: str
    vehicle: str
    identification: Mapping[str, Value]
    columns: tuple[str, ...]
    separator: str
    has_clock: bool
    read: Callable[[Path, datetime, datetime], Log]
