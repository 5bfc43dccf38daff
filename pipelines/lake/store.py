"""Delta tables by name: open, commit with provenance, look back.

Files are written under the table's folder first and become visible only with the commit, so a reader sees the whole of a
version or nothing of it. Every commit carries who made it and from which bytes.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from pipelines.errors import LakeError
from pipelines.lake.snapshot import changed_files, relation_sql, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pipelines.lake.snapshot import DataFile, Snapshot

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


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


class Lake:
    """The Delta tables under one folder, by ``layer.table`` name.

    Args:
        root: the lake's folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The folder of table ``name`` (``core.accidents`` → ``root/core/accidents``).

        Raises:
            LakeError: the name is not ``layer.plural_noun``.
        """
        if not _NAME.fullmatch(name):
            raise LakeError(f"{name!r} is not a table name", fix="names are layer.table, as in core.accidents")
        layer, table = name.split(".")
        return self.root / layer / table

    def names(self) -> list[str]:
        """All tables that have at least one version, sorted."""
        return sorted(f"{log.parent.parent.name}.{log.parent.name}" for log in self.root.glob("*/*/_delta_log"))

    def exists(self, name: str) -> bool:
        """Whether ``name`` has at least one version."""
        return (self.path(name) / "_delta_log").is_dir()

    def open(self, name: str, version: int | None = None) -> DeltaTable:
        """The Delta table, at its newest version or at ``version``.

        Raises:
            LakeError: there is no such table or version.
        """
        try:
            return DeltaTable(self.path(name), version=version)
        except (TableNotFoundError, DeltaError) as error:
            at = "" if version is None else f" at version {version}"
            raise LakeError(
                f"there is no table {name}{at} in the lake",
                where=str(self.root),
                fix="`rocade tables` lists what is there",
            ) from error

    def version(self, name: str) -> int | None:
        """The newest version number, or None where nothing was ever committed."""
        return self.open(name).version() if self.exists(name) else None

    def files(
        self, name: str, *, version: int | None = None, partitions: Mapping[str, Iterable[str]] | None = None
    ) -> list[str]:
        """Paths of the Parquet files of a version, narrowed to ``{column: allowed values}`` of partition columns."""
        return [file.path for file in self.snapshot(name, version).files if _is_in(file.partition, partitions or {})]

    def relation_sql(
        self, name: str, *, version: int | None = None, partitions: Mapping[str, Iterable[str]] | None = None
    ) -> str:
        """A DuckDB table expression over a version; every engine that reads Parquet can use the same files.

        A version with no file left (or none in ``partitions``) gives an empty relation with the table's columns.
        """
        table = self.open(name, version)
        files = self.files(name, version=version, partitions=partitions)
        return relation_sql(pa.schema(table.schema().to_arrow()), table.metadata().partition_columns, files)

    def snapshot(self, name: str, version: int | None = None) -> Snapshot:
        """The files of a version, for those who read some of them at a time."""
        return snapshot_of(name, self.open(name, version))

    def changed_files(self, name: str, since: int, until: int) -> list[DataFile] | None:
        """Files that versions ``since + 1`` to ``until`` added or removed; None where the log cannot tell."""
        return changed_files(self.path(name), since, until)

    def new_file(self, name: str, partition: Mapping[str, str] | None = None) -> Path:
        """A fresh path under the table's folder for a file that ``publish`` will commit; its folder exists after this."""
        folder = self.path(name)
        for column, value in (partition or {}).items():
            folder /= f"{column}={value}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"part-{uuid.uuid4().hex}.zstd.parquet"

    def publish(
        self,
        name: str,
        files: Sequence[Path],
        schema: pa.Schema,
        provenance: Provenance,
        *,
        partition_by: Sequence[str] = (),
        replace: Mapping[str, Iterable[str]] | None = None,
        overwrite: bool = False,
    ) -> int:
        """Commit written ``files`` as one new version and return its number.

        Args:
            name: the table; created by its first commit.
            files: paths from ``new_file``, complete on disk.
            schema: the whole schema, partition columns included.
            provenance: kept in the commit.
            partition_by: the table's partition columns (all strings or dates).
            replace: partitions whose present files leave in the same commit, as ``{column: values}``.
            overwrite: all present files leave in the same commit, and the schema becomes ``schema``.

        Raises:
            LakeError: another writer changed the same files, or the schema does not fit.
        """
        folder = self.path(name)
        adds = [_add_action(folder, file) for file in files]
        removes: list[RemoveAction] = []
        if replace is not None and self.exists(name):
            removes = _remove_actions(self.open(name), replace)
        try:
            if not self.exists(name):
                # Two commits: the first must not look as if these rows were already in.
                DeltaTable.create(
                    folder,
                    schema=schema,
                    partition_by=list(partition_by) or None,
                    commit_properties=_properties(Provenance("create") if adds else provenance),
                )
                if not adds:
                    return 0
            self.open(name).create_write_transaction(
                [*adds, *removes],
                "overwrite" if overwrite else "append",
                schema,
                partition_by=list(partition_by) or None,
                commit_properties=_properties(provenance),
            )
        except DeltaError as error:
            raise LakeError(f"could not commit: {error}", where=name, fix="run the command again") from error
        return self.open(name).version()

    def append(
        self,
        name: str,
        rows: pa.Table,
        provenance: Provenance,
        *,
        partition_by: Sequence[str] = (),
        transaction: tuple[str, int] | None = None,
        overwrite: str | None = None,
    ) -> int:
        """Write and commit ``rows`` in one go, for small or already sorted batches; returns the version.

        Args:
            name: the table; created by its first commit.
            rows: in the table's schema.
            provenance: kept in the commit.
            partition_by: the table's partition columns.
            transaction: (application, its own sequence number), kept in the log for ``committed_sequence``.
            overwrite: a predicate; the rows it names are replaced in the same commit.

        Raises:
            LakeError: the commit failed; nothing of it is visible.
        """
        try:
            keys, properties = list(partition_by) or None, _properties(provenance, transaction)
            how = WriterProperties(compression="ZSTD")
            if overwrite is not None and self.exists(name):
                write_deltalake(
                    self.path(name),
                    rows,
                    mode="overwrite",
                    predicate=overwrite,
                    partition_by=keys,
                    commit_properties=properties,
                    writer_properties=how,
                )
            else:
                write_deltalake(
                    self.path(name),
                    rows,
                    mode="append",
                    partition_by=keys,
                    commit_properties=properties,
                    writer_properties=how,
                )
        except DeltaError as error:
            raise LakeError(f"could not commit: {error}", where=name, fix="run the command again") from error
        return self.open(name).version()

    def committed_sequence(self, name: str, application: str) -> int:
        """The last sequence number that ``application`` committed to ``name`` through ``append``; -1 when none."""
        if not self.exists(name):
            return -1
        last = self.open(name).transaction_version(application)
        return -1 if last is None else last

    def history(self, name: str, limit: int | None = None) -> list[Commit]:
        """The commits of ``name``, newest first."""
        return [_commit(entry) for entry in self.open(name).history(limit)]


def _add_action(folder: Path, file: Path) -> AddAction:
    metadata = pq.read_metadata(file)
    relative = file.relative_to(folder)
    partition = dict(part.split("=", 1) for part in relative.parts[:-1])
    return AddAction(
        path=str(relative),
        size=file.stat().st_size,
        partition_values=partition,
        modification_time=int(file.stat().st_mtime * 1000),
        data_change=True,
        stats=json.dumps({"numRecords": metadata.num_rows}),
    )


def _remove_actions(table: DeltaTable, partitions: Mapping[str, Iterable[str]]) -> list[RemoveAction]:
    listed = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    keys = table.metadata().partition_columns
    now = int(datetime.now(UTC).timestamp() * 1000)
    actions = []
    for entry in listed:
        values = {key: _text(entry[f"partition.{key}"]) for key in keys}
        if _is_in(values, partitions):
            actions.append(
                RemoveAction(
                    path=entry["path"],
                    deletion_timestamp=now,
                    data_change=True,
                    partition_values=values,
                    size=entry["size_bytes"],
                )
            )
    return actions


def _is_in(values: Mapping[str, str | None], partitions: Mapping[str, Iterable[str]]) -> bool:
    return all(values[column] in set(allowed) for column, allowed in partitions.items())


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _properties(provenance: Provenance, transaction: tuple[str, int] | None = None) -> CommitProperties:
    return CommitProperties(
        custom_metadata={"rocade": json.dumps(asdict(provenance), default=str)},
        app_transactions=[Transaction(*transaction)] if transaction else None,
    )


def _commit(entry: dict[str, Any]) -> Commit:
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
