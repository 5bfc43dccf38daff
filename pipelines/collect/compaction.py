"""Compaction: the files of ``core.readings``, many and small, into few large ones in order.

Belongs here: which files of which days, and the commits. Does not: bringing rows in (landing.py), the rows themselves
(merging.py), removing the old files (pipelines/upkeep.py).

A day that is over is settled when it is one file, or files of ``LEAST`` bytes and more. Readings that come late unsettle
it: then its small files are merged, and with them those large ones that have readings of the same cars; the others stay
as they are. A day that goes on is only kept from having too many files: small ones become files that still count as
small, so that the whole day is put in order and freed of repeats once, when it is over.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from pipelines.collect.merging import MEMORY, merge
from pipelines.collect.tables import PARTITION, READINGS, READINGS_SCHEMA
from pipelines.disk import sync_folder
from pipelines.errors import LakeError
from pipelines.lake import Lake, Provenance, connect, uncommitted
from pipelines.lake.log import add_action, properties, remove_action

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import duckdb
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

    from pipelines.lake import DataFile, Snapshot
    from pipelines.settings import Settings

LEAST = 128 << 20
"""Bytes from which on a file is large."""

GOAL = 256 << 20
"""Bytes of a new file, about; at most as much again as would make no file of its own."""

_CROWD = 16  # small files of a day that goes on, from which on they are merged
_RUN = 32 << 20  # bytes from which on such a file waits for the end of its day
_ROWS_AT_ONCE = 50_000_000  # of small files: each part of a merge looks at all of them, so more would cost their square


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        days: the days in which files were merged; none means there was nothing to do.
        files_before: files that were merged, in all rounds.
        rows: readings written; a day of very many small files is written twice.
        duplicates: readings that were there more than once and went.
        version: the last version it made of ``core.readings``, if any.
        files: what the merged files have become.
        bytes_before: size of the files that were merged.
        bytes: size of what they have become.
    """

    days: tuple[date, ...] = ()
    files_before: int = 0
    rows: int = 0
    duplicates: int = 0
    version: int | None = None
    files: int = 0
    bytes_before: int = 0
    bytes: int = 0


def compact_readings(settings: Settings, days: Collection[date] | None = None) -> CompactReport:
    """Merge what is not settled of ``core.readings``, one commit a day; of readings that came twice the first stays.

    Readings that land meanwhile stay untouched: only the files that were read are replaced. Stopped in between, the days
    that are done are done. Running it again does nothing.

    Args:
        settings: where the lake is.
        days: UTC days of the readings, to be treated as over; all days when absent.

    Raises:
        LakeError: somebody else rewrote the same files; run it again.
    """
    lake = Lake(settings.lake)
    report = CompactReport()
    if not lake.exists(READINGS):
        return report
    today = datetime.now(UTC).date()
    for day, files in sorted(_by_day(lake.snapshot(READINGS).files).items()):
        over = days is not None or day < today
        if days is not None and day not in days:
            continue
        for batch in _batches(files, over=over):
            report = _compact(settings, lake, day, report, batch)
        if over and _due(files):
            report = _compact(settings, lake, day, report)
    return report


def _compact(
    settings: Settings, lake: Lake, day: date, report: CompactReport, batch: Sequence[DataFile] | None = None
) -> CompactReport:
    """``report`` with what was done for ``day``: files of ``batch`` merged, or all that is not settled."""
    held = lake.snapshot(READINGS)  # again: what came before took its time
    with connect(settings, at_most=MEMORY) as con, uncommitted(lake, READINGS) as new_file:
        sources = _with_shared(con, held, _by_day(held.files)[day]) if batch is None else batch
        goal, least = (GOAL, LEAST) if batch is None else (LEAST * 3 // 4, _RUN)
        merged = merge(con, held.relation_sql(sources), lambda: new_file({"day": day.isoformat()}), goal, least)
        for folder in {file.parent for file in merged.files}:
            sync_folder(folder)
        details = {"rows": merged.rows, "days": [day.isoformat()], "duplicates": merged.before - merged.rows}
        changed = merged.before != merged.rows  # else readers of changes need not look again
        _commit(
            lake.open(READINGS, held.version),
            [
                *(add_action(lake.path(READINGS), each, changed=changed) for each in merged.files),
                *(remove_action(lake.path(READINGS), each, changed=changed) for each in sources),
            ],
            Provenance("compact", details=details),
        )
    return CompactReport(
        days=(*report.days, *([] if day in report.days else [day])),
        files_before=report.files_before + len(sources),
        rows=report.rows + merged.rows,
        duplicates=report.duplicates + merged.before - merged.rows,
        version=lake.version(READINGS),
        files=report.files + len(merged.files),
        bytes_before=report.bytes_before + sum(each.size for each in sources),
        bytes=report.bytes + sum(each.stat().st_size for each in merged.files),
    )


def _commit(table: DeltaTable, actions: list[AddAction | RemoveAction], provenance: Provenance) -> None:
    try:
        table.create_write_transaction(
            actions,
            "append",
            READINGS_SCHEMA,
            partition_by=list(PARTITION),
            # Delta notices files that went meanwhile only where data changed; this makes two compactions collide.
            commit_properties=properties(provenance, ("compaction", table.version())),
        )
    except DeltaError as error:
        raise LakeError(f"could not compact: {error}", where=READINGS, fix="run the command again") from error


def _by_day(files: Iterable[DataFile]) -> dict[date, list[DataFile]]:
    days: dict[date, list[DataFile]] = defaultdict(list)
    for file in files:
        days[date.fromisoformat(str(file.partition["day"]))].append(file)
    return days


def _due(files: Sequence[DataFile]) -> bool:
    """Whether a day that is over is not settled."""
    return len(files) > 1 and any(file.size < LEAST for file in files)


def _batches(files: Sequence[DataFile], *, over: bool) -> list[list[DataFile]]:
    """Small files to be merged among themselves: of a day that goes on if they are many, else if they hold much."""
    small = [file for file in files if file.size < _RUN]
    if sum(file.rows or 0 for file in small) <= _ROWS_AT_ONCE if over else len(small) < _CROWD:
        return []
    batches: list[list[DataFile]] = [[]]
    rows = 0
    for file in small:
        rows += file.rows or 0
        if rows > _ROWS_AT_ONCE and len(batches[-1]) > 1:
            batches.append([])
            rows = file.rows or 0
        batches[-1].append(file)
    return [batch for batch in batches if len(batch) > 1]


def _with_shared(con: duckdb.DuckDBPyConnection, held: Snapshot, files: Sequence[DataFile]) -> list[DataFile]:
    """The small ``files``, and of the large ones those that have readings of the same cars."""
    small = [file for file in files if file.size < LEAST]
    large = [file for file in files if file.size >= LEAST]
    if not large:
        return small
    query = f"SELECT DISTINCT vehicle FROM {held.relation_sql(small)} ORDER BY 1"
    vehicles = [vehicle for (vehicle,) in con.execute(query).fetchall()]
    shared = [file for file in large if _has_one_of(Path(file.path), vehicles)]
    if not shared and sum(file.size for file in small) < LEAST:
        shared = [min(large, key=lambda file: file.size)]  # else it would stay small, and be merged again and again
    return [*small, *shared]


def _has_one_of(file: Path, vehicles: Sequence[str]) -> bool:
    """Whether the range of vehicles of a file has room for one of ``vehicles``."""
    metadata = pq.read_metadata(file)
    place = metadata.schema.to_arrow_schema().get_field_index("vehicle")
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group).column(place).statistics
        if found is None or not found.has_min_max or any(found.min <= each <= found.max for each in vehicles):
            return True
    return False
