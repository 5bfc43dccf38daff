"""Compaction: the files of closed days of ``core.readings``, many and small, into one a day.

Belongs here: rewriting days in order and without the readings that came twice. Does not: bringing rows in (landing.py).
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from pipelines.collect.tables import IDENTITY, PARTITION, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake import Lake, Provenance
from pipelines.lake.duck import connect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date
    from pathlib import Path

    import duckdb
    from deltalake import DeltaTable

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
    table = lake.open(READINGS)
    files = _files_by_day(pa.table(table.get_add_actions(flatten=True)).to_pylist())
    today = datetime.now(UTC).date()
    chosen = sorted(
        day for day, held in files.items() if len(held) > 1 and (day < today if days is None else day in days)
    )
    if not chosen:
        return CompactReport()
    actions: list[AddAction | RemoveAction] = []
    rows, before = 0, 0
    with connect(settings) as con, _uncommitted() as targets:
        for day in chosen:
            target = lake.new_file(READINGS, {"day": day.isoformat()})
            targets.append(target)
            had, has = _rewrite(con, [lake.path(READINGS) / unquote(each["path"]) for each in files[day]], target)
            changed = had != has  # else the same readings in another order: readers of changes need not look again
            actions.append(_add_action(lake.path(READINGS), target, day, has, changed=changed))
            actions += [_remove_action(each, day, changed=changed) for each in files[day]]
            before, rows = before + had, rows + has
        details = {"rows": rows, "days": [day.isoformat() for day in chosen], "duplicates": before - rows}
        _commit(table, actions, Provenance("compact", details=details))
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
            commit_properties=CommitProperties(
                custom_metadata={"rocade": json.dumps(asdict(provenance))},
                # Delta notices files that went meanwhile only where data changed; this makes two compactions collide.
                app_transactions=[Transaction("compaction", table.version())],
            ),
        )
    except DeltaError as error:
        raise LakeError(f"could not compact: {error}", where=READINGS, fix="run the command again") from error


@contextmanager
def _uncommitted() -> Iterator[list[Path]]:
    """Collects files, and removes them again unless the block ends well: what was erased meanwhile is still in them."""
    files: list[Path] = []
    try:
        yield files
    except BaseException:
        for file in files:
            file.unlink(missing_ok=True)
        raise


def _files_by_day(actions: list[dict[str, Any]]) -> dict[date, list[dict[str, Any]]]:
    files: dict[date, list[dict[str, Any]]] = {}
    for action in actions:
        files.setdefault(action["partition.day"], []).append(action)
    return files


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


def _add_action(folder: Path, file: Path, day: date, rows: int, *, changed: bool) -> AddAction:
    state = file.stat()
    return AddAction(
        path=str(file.relative_to(folder)),
        size=state.st_size,
        partition_values={"day": day.isoformat()},
        modification_time=int(state.st_mtime * 1000),
        data_change=changed,
        stats=json.dumps({"numRecords": rows}),
    )


def _remove_action(action: dict[str, Any], day: date, *, changed: bool) -> RemoveAction:
    return RemoveAction(
        path=action["path"],
        data_change=changed,
        deletion_timestamp=int(datetime.now(UTC).timestamp() * 1000),
        partition_values={"day": day.isoformat()},
        size=action["size_bytes"],
    )
