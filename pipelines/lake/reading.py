"""Reading Delta tables by name: which there are, their versions, the files of a version, what was committed.

Belongs here: whatever changes nothing. Does not: commits (store), the shape of log entries (log).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from pipelines.errors import LakeError
from pipelines.lake.log import Commit, commit_of, is_in
from pipelines.lake.snapshot import changed_files, relation_sql, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pipelines.lake.snapshot import DataFile, Snapshot

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class LakeReader:
    """The Delta tables under one folder, by ``layer.table`` name; changes none.

    Args:
        root: the lake's folder.
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
                fix=f"`rocade history {name}` lists its versions" if at else "`rocade tables` lists what is there",
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

    def history(self, name: str, limit: int | None = None) -> list[Commit]:
        """The commits of ``name``, newest first."""
        return [commit_of(entry) for entry in self.open(name).history(limit)]

    def committed_sequence(self, name: str, application: str) -> int:
        """The last sequence number that ``application`` committed to ``name`` through ``publish``; -1 when none."""
        if not self.exists(name):
            return -1
        last = self.open(name).transaction_version(application)
        return -1 if last is None else last


def _has_version(log: Path) -> bool:
    return log.is_dir() and any(entry.name[:1].isdigit() for entry in log.iterdir())
