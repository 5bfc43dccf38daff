"""What goes into the Delta log with a commit and comes out of it again: files added and removed, provenance, history.

Belongs here: the shape of log entries. Does not: when something is committed (store), which files a version has (snapshot).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from deltalake import CommitProperties, Transaction
from deltalake.transaction import AddAction, RemoveAction

from pipelines.lake.snapshot import local_path, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deltalake import DeltaTable

    from pipelines.lake.snapshot import DataFile


@dataclass(frozen=True)
class Provenance:
    """Where the rows of a commit come from; goes into the commit itself.

    ``details`` holds whatever else the stage knows: URL, sha256, ETag, encoding, separator, contract version, verdict.
    """

    operation: str
    resource: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Commit:
    """One version of a table, as `rocade history` shows it."""

    version: int
    committed_at: datetime
    operation: str
    resource: str | None
    rows_added: int | None
    details: Mapping[str, Any]


def add_action(folder: Path, file: Path, *, changed: bool = True) -> AddAction:
    """``file`` enters the table in ``folder``; not ``changed``: its rows are those of files that leave with the same commit."""
    metadata = pq.read_metadata(file)
    relative = file.relative_to(folder)
    partition = dict(part.split("=", 1) for part in relative.parts[:-1])
    return AddAction(
        path=str(relative),
        size=file.stat().st_size,
        partition_values=partition,
        modification_time=int(file.stat().st_mtime * 1000),
        data_change=changed,
        stats=json.dumps({"numRecords": metadata.num_rows}),
    )


def remove_action(folder: Path, file: DataFile, *, changed: bool = True) -> RemoveAction:
    """``file`` leaves the table in ``folder``; ``changed`` as in ``add_action``."""
    return RemoveAction(
        path=Path(file.path).relative_to(folder).as_posix(),
        deletion_timestamp=int(datetime.now(UTC).timestamp() * 1000),
        data_change=changed,
        partition_values=dict(file.partition),
        size=file.size,
    )


def remove_actions(table: DeltaTable, partitions: Mapping[str, Iterable[str]]) -> list[RemoveAction]:
    """The files of ``partitions`` leave the version that ``table`` is open at."""
    held = snapshot_of("", table)
    return [
        remove_action(Path(local_path(table.table_uri)), file)
        for file in held.files
        if is_in(file.partition, partitions)
    ]


def is_in(values: Mapping[str, str | None], partitions: Mapping[str, Iterable[str]]) -> bool:
    """Whether a file with these partition values is among ``{column: allowed values}``."""
    return all(values[column] in set(allowed) for column, allowed in partitions.items())


def properties(
    provenance: Provenance, transaction: tuple[str, int] | None = None, retries: int | None = None
) -> CommitProperties:
    """What a commit carries beside its files; ``retries`` is how often Delta itself may put it on a newer version."""
    return CommitProperties(
        custom_metadata={"rocade": json.dumps(asdict(provenance), default=str)},
        max_commit_retries=retries,
        app_transactions=[Transaction(*transaction)] if transaction else None,
    )


def commit_of(entry: dict[str, Any]) -> Commit:
    """An entry of the table's history."""
    ours = json.loads(entry.get("rocade") or "{}")
    metrics = entry.get("operationMetrics") or {}
    rows = metrics.get("num_added_rows") or metrics.get("numOutputRows") or (ours.get("details") or {}).get("rows")
    return Commit(
        version=entry["version"],
        committed_at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
        operation=ours.get("operation") or entry.get("operation", ""),
        resource=ours.get("resource"),
        rows_added=int(rows) if rows is not None else None,
        details=ours.get("details") or {},
    )
