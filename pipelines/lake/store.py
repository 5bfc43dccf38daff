"""Delta tables by name: open, commit with provenance, look back.

Files are written under the table's folder first and become visible only with the commit, so a reader sees the whole of a
version or nothing of it. Every commit carries who made it and from which bytes.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable, Schema, WriterProperties, write_deltalake
from deltalake import Field as DeltaField
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from pipelines.errors import LakeError
from pipelines.lake.log import Commit, Provenance, add_action, commit_of, is_in, properties, remove_actions
from pipelines.lake.snapshot import changed_files, relation_sql, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pipelines.lake.snapshot import DataFile, Snapshot

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
#: What stands the same in a folder's name, in the Delta log (URL-encoded) and in a hive partition.
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
#: How often a commit is tried over when other writers keep coming first.
_TRIES = 10


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
        return sorted(
            f"{log.parent.parent.name}.{log.parent.name}"
            for log in self.root.glob("*/*/_delta_log")
            if _has_version(log)
        )

    def exists(self, name: str) -> bool:
        """Whether ``name`` has at least one version; a folder left by a first commit that was killed has none."""
        return _has_version(self.path(name) / "_delta_log")

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
        return [file.path for file in self.snapshot(name, version).files if is_in(file.partition, partitions or {})]

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
        """A fresh path under the table's folder for a file that ``publish`` will commit; its folder exists after this.

        A file that is never committed (the process was killed in between) is in no version and does no harm; it takes
        space until the table is vacuumed.

        Raises:
            LakeError: a partition value would not stand the same in a path as in the log.
        """
        folder = self.path(name)
        for column, value in (partition or {}).items():
            if not _PLAIN.fullmatch(value):
                raise LakeError(
                    f"{value!r} cannot be a value of partition {column}",
                    where=name,
                    fix="letters, digits, dot, dash and underscore; see fetch.resource_key",
                )
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

        What ``replace`` and ``overwrite`` take out is what the very version holds that the commit follows, so two writers
        at once neither double rows nor lose the other's: the later one looks again.

        Args:
            name: the table; created by its first commit.
            files: paths from ``new_file``, complete on disk.
            schema: the whole schema, partition columns included. Columns that the table lacks are added to it; the rows
                it holds have nulls there.
            provenance: kept in the commit.
            partition_by: the table's partition columns (all strings or dates).
            replace: partitions whose present files leave in the same commit, as ``{column: values}``.
            overwrite: all present files leave in the same commit, and the schema becomes ``schema``.

        Raises:
            LakeError: a column has another type in the table, or the commit failed.
        """
        folder = self.path(name)
        adds = [add_action(folder, file) for file in files]
        try:
            if not self.exists(name):
                # Two commits: the first must not look as if these rows were already in.
                DeltaTable.create(
                    folder,
                    schema=schema,
                    mode="ignore",  # another process may come first
                    partition_by=list(partition_by) or None,
                    commit_properties=properties(Provenance("create") if adds else provenance),
                )
                if not adds:
                    return 0
            if not overwrite:
                self._widen(name, schema)
            for last in [False] * (_TRIES - 1) + [True]:
                table = self.open(name)
                removes = remove_actions(table, replace) if replace is not None else []
                try:
                    table.create_write_transaction(
                        [*adds, *removes],
                        "overwrite" if overwrite else "append",
                        schema,
                        partition_by=list(partition_by) or None,
                        commit_properties=properties(provenance, retries=0),
                    )
                    return table.version() + 1  # without retries it is the next one or none
                except CommitFailedError:
                    if last:
                        raise
        except DeltaError as error:
            raise LakeError(f"could not commit: {error}", where=name, fix="run the command again") from error
        raise LakeError("could not commit", where=name, fix="run the command again")

    def _widen(self, name: str, schema: pa.Schema) -> None:
        table = self.open(name)
        held = {field.name: field for field in table.schema().fields}
        wanted = Schema.from_arrow(schema).fields
        for column in wanted:
            if column.name in held and held[column.name].type != column.type:
                raise LakeError(
                    f"column {column.name} would become {_type(column)}; the table has it as {_type(held[column.name])}",
                    where=name,
                    fix=f"give the field another name, or remove {self.path(name)} (its earlier versions go with it) and "
                    "ingest again: the raw bytes are kept",
                )
        if new := [column for column in wanted if column.name not in held]:
            # The rows that are there have no value for it, whatever the schema promises of new ones.
            table.alter.add_columns(
                [DeltaField(column.name, column.type, nullable=True) for column in new],
                commit_properties=properties(
                    Provenance("add columns", None, {"columns": [column.name for column in new]})
                ),
            )

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
            keys, carried = list(partition_by) or None, properties(provenance, transaction)
            how = WriterProperties(compression="ZSTD")
            if overwrite is not None and self.exists(name):
                write_deltalake(
                    self.path(name),
                    rows,
                    mode="overwrite",
                    predicate=overwrite,
                    partition_by=keys,
                    commit_properties=carried,
                    writer_properties=how,
                )
            else:
                write_deltalake(
                    self.path(name),
                    rows,
                    mode="append",
                    partition_by=keys,
                    commit_properties=carried,
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
        return [commit_of(entry) for entry in self.open(name).history(limit)]


def _has_version(log: Path) -> bool:
    return log.is_dir() and any(entry.name[:1].isdigit() for entry in log.iterdir())


def _type(field: DeltaField) -> str:
    return str(field.type).split('"')[1] if '"' in str(field.type) else str(field.type)
