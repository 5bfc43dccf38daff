"""Real logs, sent through MQTT as if the car were driving now.

What belongs here: which boots and messages a log becomes, and on which clock. How a file is read is its layout's business
(``layouts``), how messages travel is ``publish``'s, the account of both is in ``account``.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from pipelines.errors import ConformError, SettingsError
from pipelines.fleet.account import (
    LabelledEvent,
    ReplayedDrive,
    ReplayedFile,
    ReplayReport,
    write_rejects,
    write_truth,
)
from pipelines.fleet.batches import Message, batch_messages
from pipelines.fleet.layouts import LAYOUTS, layout_of
from pipelines.fleet.publish import Publisher
from pipelines.privacy.consent import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.fleet.batches import Row, Value
    from pipelines.fleet.layouts import Layout, Log
    from pipelines.progress import Progress
    from pipelines.settings import Settings

VEHICLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_APART = timedelta(hours=1)  # between logs whose own time is not known: far enough to be drives of their own


def replay(
    files: Sequence[Path],
    layout: str | None,
    settings: Settings,
    *,
    speed: float = 1,
    consent: str = "service+statistics",
    vehicle: str | None = None,
    start: datetime | None = None,
    rejects: Path | None = None,
    truth: Path | None = None,
    progress: Progress,
) -> ReplayReport:
    """Publish ``files`` as the drives of one car, or of the cars a log names, and say what became of each line.

    A car in a file is one boot whose identity comes from the file's bytes: replayed twice, the second time is known for
    a duplicate.

    Args:
        files: logs of one layout.
        layout: a name in ``layouts.LAYOUTS``; told from the headers when None.
        settings: which broker, and which dates a clock may show.
        speed: 1 is real time, 60 a minute in a second, 0 as fast as the broker takes it; parked time is skipped.
        consent: silent, service or service+statistics; rules from the first row on.
        vehicle: id of the car, or what the ids begin with when a log holds several; the layout's own when absent.
        start: when the first log begins, for layouts without a clock; such that the last one ends now when absent.
        rejects: CSV to write the lines and cells into that were not published, if there are any; among the settings' private
            files when absent.
        truth: JSON lines to write the labelled events into.
        progress: told of each row.

    Raises:
        SettingsError: an argument does not make sense, or a file of results cannot be written.
        ConformError: a file is no log of this layout, or has no row to send; nothing was sent.
        CollectError: the broker cannot be reached or stops answering.
    """
    _check(files, consent, speed)
    kind = _layout(files, layout)
    car = vehicle or kind.vehicle
    _check_vehicle(car)
    if start is not None and kind.has_clock:
        raise SettingsError(
            f"logs of layout {kind.name} have a clock of their own", where="--start", fix="leave it out"
        )
    logs = _logs(files, kind, settings, progress)
    if not kind.has_clock:
        _set_clock([log for _, log in logs.values()], start)
    found = [_replayed(file, digest, log, kind, car) for digest, (file, log) in logs.items()]
    replayed = tuple(sorted((file for file, _ in found), key=lambda file: file.drives[0].first))
    messages = sorted(chain.from_iterable(each for _, each in found), key=lambda message: message.ends_ms)
    _set_aside(rejects, replayed, settings, progress)
    write_truth(truth, replayed)
    since: dict[str, tuple[str, int]] = {}
    for drive in sorted((drive for file in replayed for drive in file.drives), key=lambda drive: drive.first):
        since.setdefault(drive.vehicle, (consent, _milliseconds(drive.first)))
    total = sum(file.rows for file in replayed)
    with Publisher(settings) as publisher, progress.step(f"replay of {car}", total, "rows") as step:
        publisher.consent(since)
        publisher.send(messages, speed=speed, step=step)
    return ReplayReport(tuple(since), kind.name, consent, replayed, publisher.published)


def _set_aside(target: Path | None, files: Sequence[ReplayedFile], settings: Settings, progress: Progress) -> None:
    """Lines and cells that cannot be sent, where their owner finds them; they may tell in the clear where somebody was."""
    count = sum(len(file.rejected) + len(file.left_out) for file in files)
    if target is None and count:
        folder = settings.root / "replay"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = folder / f"{files[0].file.name}.rejects.csv"
    if target is not None:
        write_rejects(target, files)
        progress.note(f"{count:,} lines and cells that cannot be sent are in {target}")


def _check(files: Sequence[Path], consent: str, speed: float) -> None:
    if not files:
        raise SettingsError("there is no file to replay", fix="name at least one")
    if consent not in LEVELS:
        raise SettingsError(
            f"{consent!r} is not a level of consent", where="--consent", fix=f"one of {', '.join(LEVELS)}"
        )
    if not 0 <= speed < float("inf"):
        raise SettingsError(f"a speed of {speed} is not possible", where="--speed", fix="0 or more; 1 is real time")


def _check_vehicle(vehicle: str) -> None:
    if not VEHICLE.fullmatch(vehicle):
        raise SettingsError(
            f"{vehicle!r} cannot be a vehicle's id", where="--vehicle", fix="use 1 to 64 letters, digits, - and _"
        )


def _layout(files: Sequence[Path], name: str | None) -> Layout:
    if name is None:
        found = {file: layout_of(file) for file in files}
        first = found[files[0]]
        for file, layout in found.items():
            if layout is not first:
                raise SettingsError(
                    f"{files[0]} has layout {first.name} and {file} has {layout.name}",
                    fix="replay the logs of one layout at a time",
                )
        return first
    if name not in LAYOUTS:
        raise SettingsError(
            f"{name!r} is not a layout of logs", where="--layout", fix=f"known layouts: {', '.join(sorted(LAYOUTS))}"
        )
    return LAYOUTS[name]


def _logs(files: Sequence[Path], layout: Layout, settings: Settings, progress: Progress) -> dict[str, tuple[Path, Log]]:
    """Each file and its log, by the hash of its bytes."""
    newest = datetime.now(UTC) + timedelta(seconds=settings.clock_ahead_s)
    logs: dict[str, tuple[Path, Log]] = {}
    with progress.step("logs", len(files), "files") as step:
        for file in files:
            log = layout.read(file, settings.oldest_reading, newest)
            if not log.rows:
                first = f"; the first: {log.rejected[0]}" if log.rejected else ""
                raise ConformError(
                    f"none of its {log.lines} lines can be published{first}", where=str(file), fix="leave this file out"
                )
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest in logs:
                raise SettingsError(f"{file} and {logs[digest][0]} hold the same bytes", fix="name each drive once")
            logs[digest] = (file, log)
            step.advance()
    return logs


def _set_clock(logs: Sequence[Log], start: datetime | None) -> None:
    """Move logs that count from their beginning to real instants: one after the other, ``_APART`` between them."""
    lengths = [timedelta(milliseconds=max(drive.rows[-1][0] for drive in log.drives)) for log in logs]
    begin = start or datetime.now(UTC).replace(microsecond=0) - sum(lengths, (len(logs) - 1) * _APART)
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    for log, length in zip(logs, lengths, strict=True):
        shift = _milliseconds(begin)
        for drive in log.drives:
            drive.rows = [(at + shift, values) for at, values in drive.rows]
        given = "as given" if start else "so that the last log ends now; --start names another time"
        log.remarks.append(f"taken to begin at {begin:%Y-%m-%d %H:%M:%S} UTC, {given}")
        begin += length + _APART


def _replayed(file: Path, digest: str, log: Log, layout: Layout, car: str) -> tuple[ReplayedFile, list[Message]]:
    drives: list[ReplayedDrive] = []
    messages: list[Message] = []
    for drive in log.drives:
        name = f"{car}-{drive.vehicle}" if drive.vehicle else car
        _check_vehicle(name)
        boot = uuid.uuid5(uuid.NAMESPACE_URL, f"sha256:{digest}" + (f"#{drive.vehicle}" if drive.vehicle else ""))
        rows = _identified(drive.rows, layout.identification)
        first, last = (_instant(row[0]) for row in (rows[0], rows[-1]))
        drives.append(ReplayedDrive(name, boot, first, last, len(rows)))
        messages += batch_messages(name, boot, rows)
    drives.sort(key=lambda drive: drive.first)
    events = tuple(
        LabelledEvent(
            drives[0].vehicle, drives[0].boot, each.kind, _instant(each.start_ms), _instant(each.end_ms), each.line
        )
        for each in log.events
    )
    return ReplayedFile(
        file=file,
        drives=tuple(drives),
        lines=log.lines,
        rows=len(log.rows),
        set_aside=dict(Counter(fault.reason for fault in log.rejected).most_common()),
        cells_left_out=dict(Counter(f"{fault.column} {fault.reason}" for fault in log.left_out).most_common()),
        repaired=tuple(log.repaired),
        rejected=tuple(log.rejected),
        left_out=tuple(log.left_out),
        dropped_columns=tuple(log.dropped_columns),
        remarks=tuple(log.remarks),
        events=events,
    ), messages


def _identified(rows: Sequence[Row], identification: Mapping[str, Value]) -> list[Row]:
    (instant, values), *rest = rows
    return [(instant, {**identification, **values}), *rest]


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
