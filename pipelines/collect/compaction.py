"""Compaction: the files of closed days of ``core.readings``, many and small, into one a day.

Belongs here: rewriting days in order and without the readings that came twice. Does not: bringing rows in (landing.py).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from pipelines.collect.tables import IDENTITY, PARTITION, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake import Lake, Provenance, connect, uncommitted
from pipelines.lake.log import add_action, properties, remove_action

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import duckdb
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

    from pipelines.lake import DataFile
    from pipelines.settings import Settings


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Attributes:
        days: the days that were rewritten; none means there was nothing to do.
        files_before: their files before.
        rows: readings that remain in them.
        duplicates: readings that were there more than once and went.
        version: the version it made of ``core.readings``, if any.
    """

    days: tuple[date, ...] = ()
    files_before: int = 0
    rows: int = 0
    duplicates: int = 0
    version: int | None = None


def compact_readings(settings: Settings, days: Collection[date] | None = None) -> CompactReport:
    """Rewrite days of ``core.readings`` as one sorted file each, every reading once, the copy received first.

    Readings that land meanwhile stay untouched: only the files that were read are replaced, in one commit. A day of a
    single file is left alone, so running this again does nothing.

    Args:
        settings: where the lake is.
        days: UTC days of the readings; all days before today when absent.

    Raises:
        LakeError: somebody else rewrote the same files; run it again.
    """
    lake = Lake(settings.lake)
    if not lake.exists(READINGS):
        return CompactReport()
    held = lake.snapshot(READINGS)
    files = _files_by_day(held.files)
    today = datetime.now(UTC).date()
    chosen = sorted(
        day for day, held in files.items() if len(held) > 1 and (day < today if days is None else day in days)
    )
    if not chosen:
        return CompactReport()
    actions: list[AddAction | RemoveAction] = []
    rows, before = 0, 0
    with connect(settings) as con, uncommitted(lake, READINGS) as new_file:
        for day in chosen:
            target = new_file({"day": day.isoformat()})
            had, has = _rewrite(con, [Path(each.path) for each in files[day]], target)
            changed = had != has  # else the same readings in another order: readers of changes need not look again
            actions.append(add_action(lake.path(READINGS), target, changed=changed))
            actions += [remove_action(lake.path(READINGS), each, changed=changed) for each in files[day]]
            before, rows = before + had, rows + has
        details = {"rows": rows, "days": [day.isoformat() for day in chosen], "duplicates": before - rows}
        _commit(lake.open(READINGS, held.version), actions, Provenance("compact", details=details))
    return CompactReport(
        tuple(chosen), sum(len(files[day]) for day in chosen), rows, before - rows, lake.version(READINGS)
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


def _files_by_day(files: Iterable[DataFile]) -> dict[date, list[DataFile]]:
    days: dict[date, list[DataFile]] = defaultdict(list)
    for file in files:
        days[date.fromisoformat(str(file.partition["day"]))].append(file)
    return days


def _rewrite(con: duckdb.DuckDBPyConnection, sources: list[Path], target: Path) -> tuple[int, int]:
    """One file out of several, without repeats; returns the rows before and after."""
    columns = ", ".join(f'"{name}"' for name in READINGS_SCHEMA.names if name not in PARTITION)
    paths = [str(source) for source in sources]
    identity = ", ".join(f'"{name}"' for name in IDENTITY)
    con.execute(
        f"""
        COPY (
          SELECT {columns} FROM read_parquet($paths, hive_partitioning=false)
          QUALIFY row_number() OVER (PARTITION BY {identity} ORDER BY received_at) = 1
          ORDER BY vehicle, signal, ts
        ) TO $target (FORMAT parquet, COMPRESSION zstd)
        """,
        {"paths": paths, "target": str(target)},
    )
    return sum(pq.read_metadata(source).num_rows for source in sources), pq.read_metadata(target).num_rows
