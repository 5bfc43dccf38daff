"""What became of logs that were replayed: every line accounted for, and the two files that can be had of it.

The rest of a log is in the clear and may tell where somebody was, so it is written only where the caller says.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.fleet.layouts.sheet import raw_lines
from pipelines.fleet.results import TruthFile, writing

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.fleet.layouts import Fault
    from pipelines.fleet.publish import Published


@dataclass(frozen=True)
class ReplayedDrive:
    """One boot that was published.

    Args:
        vehicle: id on the topic.
        boot: identity of this drive, made from the file's bytes.
        first: instant of the first row (UTC).
        last: instant of the last row (UTC).
        rows: lines in it.
    """

    vehicle: str
    boot: uuid.UUID
    first: datetime
    last: datetime
    rows: int


@dataclass(frozen=True)
class LabelledEvent:
    """What somebody saw happen, to check tables against.

    Args:
        vehicle: id on the topic.
        boot: the drive in which it happened.
        kind: such as ``harsh_braking``; ``calm`` is none.
        start: its beginning (UTC).
        end: its end (UTC).
        line: where it is written, in the file of labels beside the log.
    """

    vehicle: str
    boot: uuid.UUID
    kind: str
    start: datetime
    end: datetime
    line: int


@dataclass(frozen=True)
class ReplayedFile:
    """What became of one log: ``lines == rows + sum(set_aside.values())``.

    Args:
        file: the log.
        drives: what was published of it.
        lines: lines of data in the file.
        rows: lines that were published.
        set_aside: how many lines were not, by reason.
        cells_left_out: how many cells were not although their line was, by column and reason.
        repaired: line numbers whose instant was restored; they are among ``rows``.
        rejected: lines that were not published.
        left_out: cells that were not published although their line was.
        dropped_columns: columns that no VSS signal corresponds to, or that hold nothing.
        remarks: how the log was understood.
        events: labelled events that came with it.
    """

    file: Path
    drives: tuple[ReplayedDrive, ...]
    lines: int
    rows: int
    set_aside: Mapping[str, int]
    cells_left_out: Mapping[str, int]
    repaired: tuple[int, ...]
    rejected: tuple[Fault, ...]
    left_out: tuple[Fault, ...]
    dropped_columns: tuple[str, ...]
    remarks: tuple[str, ...]
    events: tuple[LabelledEvent, ...]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay read and sent.

    Args:
        vehicles: ids on the topics.
        layout: name of the layout.
        consent: the level published before the first row.
        files: in the order of their first row.
        published: what the broker acknowledged.
    """

    vehicles: tuple[str, ...]
    layout: str
    consent: str
    files: tuple[ReplayedFile, ...]
    published: Published

    @property
    def rejected(self) -> tuple[Fault, ...]:
        """Lines that were not published, of all files."""
        return tuple(fault for file in self.files for fault in file.rejected)

    @property
    def left_out(self) -> tuple[Fault, ...]:
        """Cells that were not published although their line was, of all files."""
        return tuple(fault for file in self.files for fault in file.left_out)


def write_rejects(target: Path, files: Sequence[ReplayedFile]) -> None:
    """What was not published, a line each; ``scope`` says whether the whole line of the log is meant.

    The log's own text stands beside it, but for lines that hold an identity.

    Raises:
        SettingsError: it cannot be written.
    """
    with writing(target), target.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", "line", "scope", "column", "value", "reason", "text"])
        for file in files:
            faults = [("line", fault) for fault in file.rejected] + [("cell", fault) for fault in file.left_out]
            texts = {source: raw_lines(source) for source in {fault.file for _, fault in faults}}
            for scope, fault in faults:
                text = "" if fault.secret else texts[fault.file][fault.line - 1]
                writer.writerow([fault.file, fault.line, scope, fault.column, fault.value, fault.reason, text])


def write_truth(target: Path | None, files: Sequence[ReplayedFile]) -> None:
    """The labelled events, a JSON object a line; nothing without a target.

    Raises:
        SettingsError: it cannot be written.
    """
    with TruthFile(target) as written:
        written.write(event for file in files for event in file.events)
