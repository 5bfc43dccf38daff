"""Real logs, sent through MQTT as if the car were driving now.

What belongs here: which boots and messages a log becomes, and the account of what was sent and what was not. How a file
is read is its layout's business (``layouts``), how messages travel is ``publish``'s.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import ConformError, SettingsError
from pipelines.fleet.batches import Message, batch_messages
from pipelines.fleet.layouts import LAYOUTS
from pipelines.fleet.publish import Published, Publisher
from pipelines.privacy.consent import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.fleet.batches import Row, Value
    from pipelines.fleet.layouts import Fault, Layout, Log
    from pipelines.progress import Progress
    from pipelines.settings import Settings

VEHICLE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class ReplayedFile:
    """What became of one log: ``lines == rows + len(rejected)``.

    Args:
        file: the log.
        boot: identity of this drive, made from the file's bytes.
        first: instant of the first row (UTC).
        last: instant of the last row (UTC).
        lines: lines of data in the file.
        rows: lines that were published.
        repaired: line numbers whose instant was restored; they are among ``rows``.
        rejected: lines that were not published.
        left_out: cells that were not published although their line was.
        dropped_columns: columns that no VSS signal corresponds to.
    """

    file: Path
    boot: uuid.UUID
    first: datetime
    last: datetime
    lines: int
    rows: int
    repaired: tuple[int, ...]
    rejected: tuple[Fault, ...]
    left_out: tuple[Fault, ...]
    dropped_columns: tuple[str, ...]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay read and sent.

    Args:
        vehicle: id on the topics.
        layout: name of the layout.
        consent: the level published before the first row.
        files: in the order of their first row.
        published: what the broker acknowledged.
    """

    vehicle: str
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


def replay(
    files: Sequence[Path],
    layout: str,
    settings: Settings,
    *,
    speed: float = 1,
    consent: str = "service+statistics",
    vehicle: str | None = None,
    progress: Progress,
) -> ReplayReport:
    """Publish ``files`` as one car's drives and say what became of each line.

    A file is one boot whose identity comes from its bytes: replayed twice, the second time is known for a duplicate.

    Args:
        files: logs of one car.
        layout: a name in ``layouts.LAYOUTS``.
        settings: which broker, and which dates a clock may show.
        speed: 1 is real time, 60 a minute in a second, 0 as fast as the broker takes it; parked time is skipped.
        consent: silent, service or service+statistics; rules from the first row on.
        vehicle: id of the car; the layout's own when absent.
        progress: told of each row.

    Raises:
        SettingsError: an argument does not make sense.
        ConformError: a file is no log of this layout, or has no row to send; nothing was sent.
        CollectError: the broker cannot be reached or stops answering.
    """
    kind = _layout(layout)
    car = vehicle or kind.vehicle
    _check(files, car, consent, speed)
    drives = _drives(files, kind, settings, car, progress)
    total = sum(file.rows for file, _ in drives)
    with Publisher(settings) as publisher, progress.step(f"replay of {car}", total, "rows") as step:
        publisher.consent({car: (consent, _milliseconds(drives[0][0].first))})
        publisher.send((message for _, messages in drives for message in messages), speed=speed, step=step)
    return ReplayReport(car, layout, consent, tuple(file for file, _ in drives), publisher.published)


def _layout(name: str) -> Layout:
    if name not in LAYOUTS:
        raise SettingsError(
            f"{name!r} is not a layout of logs", where="--layout", fix=f"known layouts: {', '.join(sorted(LAYOUTS))}"
        )
    return LAYOUTS[name]


def _check(files: Sequence[Path], vehicle: str, consent: str, speed: float) -> None:
    if not files:
        raise SettingsError("there is no file to replay", fix="name at least one")
    if not VEHICLE.fullmatch(vehicle):
        raise SettingsError(
            f"{vehicle!r} cannot be a vehicle's id", where="--vehicle", fix="use 1 to 64 letters, digits, - and _"
        )
    if consent not in LEVELS:
        raise SettingsError(
            f"{consent!r} is not a level of consent", where="--consent", fix=f"one of {', '.join(LEVELS)}"
        )
    if not 0 <= speed < float("inf"):
        raise SettingsError(f"a speed of {speed} is not possible", where="--speed", fix="0 or more; 1 is real time")


def _drives(
    files: Sequence[Path], layout: Layout, settings: Settings, vehicle: str, progress: Progress
) -> list[tuple[ReplayedFile, list[Message]]]:
    newest = datetime.now(UTC) + timedelta(seconds=settings.clock_ahead_s)
    drives: dict[uuid.UUID, tuple[ReplayedFile, list[Message]]] = {}
    with progress.step("logs", len(files), "files") as step:
        for file in files:
            log = layout.read(file, settings.oldest_reading, newest)
            if not log.rows:
                first = f"; the first: {log.rejected[0]}" if log.rejected else ""
                raise ConformError(
                    f"none of its {log.lines} lines can be published{first}", where=str(file), fix="leave this file out"
                )
            boot = _boot(file)
            if boot in drives:
                raise SettingsError(
                    f"{file} and {drives[boot][0].file} hold the same bytes",
                    fix="name each drive once",
                )
            rows = _identified(log.rows, layout.identification)
            drives[boot] = (_replayed(file, boot, log), batch_messages(vehicle, boot, rows))
            step.advance()
    return sorted(drives.values(), key=lambda drive: drive[0].first)


def _boot(file: Path) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")


def _identified(rows: Sequence[Row], identification: Mapping[str, Value]) -> list[Row]:
    (instant, values), *rest = rows
    return [(instant, {**identification, **values}), *rest]


def _replayed(file: Path, boot: uuid.UUID, log: Log) -> ReplayedFile:
    return ReplayedFile(
        file=file,
        boot=boot,
        first=datetime.fromtimestamp(log.rows[0][0] / 1000, UTC),
        last=datetime.fromtimestamp(log.rows[-1][0] / 1000, UTC),
        lines=log.lines,
        rows=len(log.rows),
        repaired=tuple(log.repaired),
        rejected=tuple(log.rejected),
        left_out=tuple(log.left_out),
        dropped_columns=tuple(log.dropped_columns),
    )


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
