"""Landing: journal segments into the lake, each exactly once.

Belongs here: commits of ``core.readings`` and ``quarantine.messages`` from the journal, at run time and after a crash.
Does not: rewriting what has landed (compaction.py).

Segments are numbered upwards for ever. A commit carries the number of the last segment it holds, in Delta's own
transaction log and so atomically with the rows; a segment is deleted only when both tables have it, files and log
synced. Killed at any point, the next start finds for each table which segments it already has. A file that was written
and not committed is in no version; vacuum removes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.collect.journal import Journal, JournalBusy
from pipelines.collect.parquet import in_order, write_file
from pipelines.collect.tables import PARTITION, QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA
from pipelines.disk import sync_file, sync_folder
from pipelines.errors import LakeError
from pipelines.lake import Lake, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from pipelines.collect.once import Once
    from pipelines.settings import Settings

_ROWS_AT_ONCE = 400_000  # rows of one commit: a backlog lands in steps, so that the collector stays under 600 MB


@dataclass(frozen=True)
class LandReport:
    """What came into the lake.

    Attributes:
        readings: rows of ``core.readings``.
        rejected: rows of ``quarantine.messages``.
        segments: journal segments that are done.
        commits: versions made, of both tables.
        busy: names of collectors that are at work and land their segments themselves.
    """

    readings: int = 0
    rejected: int = 0
    segments: int = 0
    commits: int = 0
    busy: tuple[str, ...] = ()


def application(collector: str) -> str:
    """The name under which ``collector`` counts its segments in the lake."""
    return f"collector:{collector}"


def next_number(lake: Lake, journal: Journal) -> int:
    """The number of the next segment: above all that were ever landed or written."""
    name = application(journal.folder.name)
    written = journal.numbers()  # first: what another process lands meanwhile is in one of the two
    landed = [lake.committed_sequence(table, name) for table in (READINGS, QUARANTINE)]
    return max(*landed, *written, -1) + 1


def land(lake: Lake, journal: Journal, once: Once | None = None) -> LandReport:
    """Bring all segments of ``journal`` into ``lake``; the collector that writes it may go on meanwhile.

    Args:
        lake: where to.
        journal: what to land.
        once: what has landed of several journals, where messages may come twice.

    Raises:
        LakeError: a commit failed; the segments stay.
        CollectError: a segment cannot be read.
    """
    if not journal.numbers():
        return LandReport()
    with journal.landing():
        try:
            return _land(lake, journal, once)
        finally:
            if once is not None:
                once.abandon()


def _land(lake: Lake, journal: Journal, once: Once | None) -> LandReport:
    name = application(journal.folder.name)
    total = LandReport()
    waiting = journal.numbers()
    landed = {table: lake.committed_sequence(table, name) for table in (READINGS, QUARANTINE)}
    while waiting:
        numbers, readings, rejected = _load(journal, waiting, landed, once)
        waiting = waiting[len(numbers) :]
        commits = _commit(lake, READINGS, name, readings, numbers) + _commit(lake, QUARANTINE, name, rejected, numbers)
        if once is not None:
            once.settle()
        for number in numbers:
            journal.delete(number)
        total = LandReport(
            readings=total.readings + readings.num_rows,
            rejected=total.rejected + rejected.num_rows,
            segments=total.segments + len(numbers),
            commits=total.commits + commits,
        )
    return total


def land_pending(settings: Settings) -> LandReport:
    """Bring in what collectors that are no longer running have left in their journals.

    Raises:
        LakeError: a commit failed; run again.
        CollectError: a segment cannot be read.
    """
    lake = Lake(settings.lake)
    total, busy = LandReport(), []
    folders = sorted(settings.journal.iterdir()) if settings.journal.is_dir() else []
    for folder in folders:
        journal = Journal(folder)
        try:
            with journal.locked():
                done = land(lake, journal)
        except JournalBusy:
            busy.append(folder.name)
            continue
        total = LandReport(
            readings=total.readings + done.readings,
            rejected=total.rejected + done.rejected,
            segments=total.segments + done.segments,
            commits=total.commits + done.commits,
        )
    return LandReport(total.readings, total.rejected, total.segments, total.commits, tuple(busy))


def _load(
    journal: Journal, waiting: Sequence[int], landed: dict[str, int], once: Once | None
) -> tuple[list[int], pa.Table, pa.Table]:
    """The next segments together, as many as go into one commit, without what either table has already."""
    numbers: list[int] = []
    readings, rejected = [READINGS_SCHEMA.empty_table()], [QUARANTINE_SCHEMA.empty_table()]
    rows = 0
    for number in waiting:
        if rows >= _ROWS_AT_ONCE:
            break
        good, bad = journal.read(number)
        if once is not None:
            if number > max(landed.values()):
                good, bad = once.admit(good, bad)
            elif number > landed[QUARANTINE]:
                bad = once.finish(good, bad)
            elif number > landed[READINGS]:  # readings go first, so there were none but those that had landed before
                good = good.slice(0, 0)
        if number > landed[READINGS]:
            readings.append(good)
        if number > landed[QUARANTINE]:
            rejected.append(bad)
        rows += good.num_rows + bad.num_rows
        numbers.append(number)
    return numbers, pa.concat_tables(readings), pa.concat_tables(rejected)


def _commit(lake: Lake, table: str, name: str, rows: pa.Table, numbers: Sequence[int]) -> int:
    if not rows.num_rows:
        return 0
    provenance = Provenance(
        operation="collect",
        resource=name,
        details={"rows": rows.num_rows, "first_segment": numbers[0], "last_segment": numbers[-1]},
    )
    files: list[Path] = []
    try:
        for day, part in _by_day(rows):
            files.append(lake.new_file(table, dict.fromkeys(PARTITION, day.isoformat())))
            _write(table, part, files[-1])
        version = lake.publish(
            table, files, rows.schema, provenance, partition_by=PARTITION, transaction=(name, numbers[-1])
        )
    except BaseException as error:
        # A commit may fail after it has been made, in what Delta does afterwards: then the files belong to the table.
        if lake.committed_sequence(table, name) < numbers[-1]:
            for file in files:
                file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise LakeError(
                f"the lake cannot be written: {error.strerror or error}",
                where=str(lake.path(table)),
                fix="make room on that disk; the journal keeps the readings until it is done",
            ) from error
        raise
    log = lake.path(table) / "_delta_log"
    sync_file(log / f"{version:020d}.json")
    for folder in {*(file.parent for file in files), lake.path(table), log}:
        sync_folder(folder)
    return 1


def _write(table: str, rows: pa.Table, file: Path) -> None:
    if table == READINGS:
        write_file(in_order(rows), file)
        return
    ordered = rows.sort_by([("reason", "ascending"), ("received_at", "ascending")])
    pq.write_table(ordered.drop_columns(list(PARTITION)), file, compression="zstd")
    sync_file(file)


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    (partition,) = PARTITION
    days = rows.column(partition)
    every = pc.unique(days)
    for day in every:
        yield day.as_py(), rows if len(every) == 1 else rows.filter(pc.equal(days, day))
