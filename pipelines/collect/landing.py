"""Landing: journal segments into the lake, each exactly once.

Belongs here: commits of ``core.readings`` and ``quarantine.messages`` from the journal, at run time and after a crash.
Does not: rewriting what has landed (compaction.py).

Segments are numbered upwards for ever. A commit carries the number of the last segment it holds, in Delta's own
transaction log and so atomically with the rows; a segment is deleted only when both tables have it. Killed at any
point, the next start finds for each table which segments it already has.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.collect.journal import Journal, JournalBusy
from pipelines.collect.tables import PARTITION, QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA, plain
from pipelines.lake import Lake, Provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings

_ROWS_AT_ONCE = 2_000_000  # rows of one commit, about 400 MB in memory
_ORDER = {
    READINGS: [("vehicle", "ascending"), ("signal", "ascending"), ("ts", "ascending")],
    QUARANTINE: [("reason", "ascending"), ("received_at", "ascending")],
}


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
    landed = [lake.committed_sequence(table, name) for table in (READINGS, QUARANTINE)]
    return max(*landed, *journal.numbers(), -1) + 1


def land(lake: Lake, journal: Journal) -> LandReport:
    """Bring all segments of ``journal`` into ``lake``; the caller holds the journal's lock.

    Raises:
        LakeError: a commit failed; the segments stay.
        CollectError: a segment cannot be read.
    """
    name = application(journal.folder.name)
    total = LandReport()
    landed = {table: lake.committed_sequence(table, name) for table in (READINGS, QUARANTINE)}
    waiting = journal.numbers()
    while waiting:
        numbers, readings, rejected = _load(journal, waiting, landed)
        waiting = waiting[len(numbers) :]
        commits = _commit(lake, READINGS, name, readings, numbers) + _commit(lake, QUARANTINE, name, rejected, numbers)
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


class Lander:
    """Lands a journal every so often, on a thread of its own.

    Args:
        lake: where to.
        journal: whose lock the caller holds.
        every_s: seconds between two landings.
    """

    def __init__(self, lake: Lake, journal: Journal, every_s: float) -> None:
        self.reports: list[LandReport] = []
        self._lake, self._journal, self._every_s = lake, journal, every_s
        self._end = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="lander")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for a landing under way; there is no other after it."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def check(self) -> None:
        """Raise what went wrong on the thread.

        Raises:
            LakeError: a commit failed; the segments stay.
            CollectError: a segment cannot be read.
        """
        if self._error is not None:
            raise self._error

    def backlog(self) -> int:
        """Segments that wait for the lake."""
        return len(self._journal.numbers())

    def _run(self) -> None:
        try:
            while not self._end.wait(self._every_s):
                self.reports.append(land(self._lake, self._journal))
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop raises it
            self._error = error


def _load(journal: Journal, waiting: Sequence[int], landed: dict[str, int]) -> tuple[list[int], pa.Table, pa.Table]:
    """The next segments together, as many as go into one commit, without what either table has already."""
    numbers: list[int] = []
    readings, rejected = [READINGS_SCHEMA.empty_table()], [QUARANTINE_SCHEMA.empty_table()]
    rows = 0
    for number in waiting:
        if rows >= _ROWS_AT_ONCE:
            break
        good, bad = journal.read(number)
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
    lake.append(
        table,
        plain(rows).sort_by(_ORDER[table]),
        provenance,
        partition_by=PARTITION,
        transaction=(name, numbers[-1]),
    )
    return 1
