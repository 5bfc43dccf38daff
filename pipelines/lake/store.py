"""Delta tables by name: commits, with provenance; whatever only reads is in ``reading``.

Files are written under the table's folder first and become visible only with the commit, so a reader sees the whole of a
version or nothing of it. Every commit carries who made it and from which bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from pipelines.errors import LakeError
from pipelines.lake.files import fresh_path
from pipelines.lake.log import (
    Provenance,
    add_action,
    properties,
    remove_action,
    remove_actions,
)
from pipelines.lake.reading import LakeReader
from pipelines.lake.schema import widen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from pipelines.lake.snapshot import DataFile, Snapshot

#: How often a commit is tried over when other writers keep coming first.
_TRIES = 10
_CREATE = Provenance("create")
#: Open data: what is read today must be there to be compared with in ten years.
_FOREVER = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


class Lake(LakeReader):
    """The Delta tables under one folder, by ``layer.table`` name, to be read and committed to.

    Args:
        root: the lake's folder; made when first written to.
    """

    def new_file(self, name: str, partition: Mapping[str, str] | None = None) -> Path:
        """A fresh path under the table's folder for a file that ``publish`` will commit; its folder exists after this.

        A file that is never committed (the process was killed in between) is in no version and does no harm; it takes
        space until the table is vacuumed.

        Raises:
            LakeError: a partition value would not stand the same in a path as in the log.
        """
        return fresh_path(self.path(name), name, partition or {})

    def create(
        self,
        name: str,
        schema: pa.Schema,
        *,
        partition_by: Sequence[str],
        provenance: Provenance = _CREATE,
        forever: bool = False,
    ) -> None:
        """Make the table ``name`` without a row; nothing happens where it is there.

        Args:
            name: the table.
            schema: its whole schema, partition columns included.
            partition_by: its partition columns.
            provenance: kept in the commit.
            forever: every version stays readable: no log entry and no file of an old version is ever cleaned away.
        """
        DeltaTable.create(
            self.path(name),
            schema=schema,
            mode="ignore",  # another process may come first
            partition_by=list(partition_by) or None,
            configuration=_FOREVER if forever else None,
            commit_properties=properties(provenance),
        )

    def rewrite(
        self,
        held: Snapshot,
        files: Iterable[DataFile],
        removed: Iterable[DataFile],
        provenance: Provenance,
        *,
        schema: pa.Schema | None = None,
    ) -> int | None:
        """Commit ``files`` in the place of those ``removed``, if ``held`` is still the newest version.

        Args:
            held: the version that was looked at to know what is to be done.
            files: written under paths from ``new_file``.
            removed: some of the files of ``held``.
            provenance: kept in the commit.
            schema: the table's new schema, when no file of ``held`` stays; unchanged when absent.

        Returns:
            The new version; None where another writer came first: nothing was committed, look again.

        Raises:
            LakeError: the commit failed.
        """
        folder = self.path(held.name)
        adds = [add_action(folder, Path(file.path)) for file in files]
        # An overwrite removes the files by itself.
        removes = [] if schema else [remove_action(folder, file) for file in removed]
        try:
            table = self.open(held.name, held.version)
            table.create_write_transaction(
                [*adds, *removes],
                "overwrite" if schema else "append",
                schema or held.schema,
                partition_by=list(held.partition_columns) or None,
                commit_properties=properties(provenance, retries=0),
            )
        except DeltaError as error:
            if isinstance(error, CommitFailedError) and self.version(held.name) != held.version:
                return None
            raise LakeError(f"could not commit: {error}", where=held.name, fix="run the command again") from error
        return held.version + 1  # without retries it is the next one or none

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
        forever: bool = False,
        transaction: tuple[str, int] | None = None,
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
            forever: see ``create``.
            transaction: (application, its own sequence number), kept in the log for ``committed_sequence``.

        Raises:
            LakeError: a column has another type in the table, or the commit failed.
        """
        folder = self.path(name)
        adds = [add_action(folder, file) for file in files]
        try:
            if not self.exists(name):
                # Two commits: the first must not look as if these rows were already in.
                made = _CREATE if adds else provenance
                self.create(name, schema, partition_by=partition_by, provenance=made, forever=forever)
                if not adds:
                    return 0
            if not overwrite:
                widen(self.open(name), schema, name)
            for last in [False] * (_TRIES - 1) + [True]:
                table = self.open(name)
                removes = remove_actions(table, replace) if replace is not None else []
                try:
                    table.create_write_transaction(
                        [*adds, *removes],
                        "overwrite" if overwrite else "append",
                        schema,
                        partition_by=list(partition_by) or None,
                        commit_properties=properties(provenance, transaction, retries=0),
                    )
                    return table.version() + 1  # without retries it is the next one or none
                except CommitFailedError:
                    if last:
                        raise
        except DeltaError as error:
            raise LakeError(f"could not commit: {error}", where=name, fix="run the command again") from error
        raise LakeError("could not commit", where=name, fix="run the command again")

    def append(
        self,
        name: str,
        rows: pa.Table,
        provenance: Provenance,
        *,
        partition_by: Sequence[str] = (),
        overwrite: str | None = None,
    ) -> int:
        """Write and commit ``rows`` in one go, for small or already sorted batches; returns the version.

        Args:
            name: the table; created by its first commit.
            rows: in the table's schema.
            provenance: kept in the commit.
            partition_by: the table's partition columns.
            overwrite: a predicate; the rows it names are replaced in the same commit.

        Raises:
            LakeError: the commit failed; nothing of it is visible.
        """
        try:
            keys, carried = list(partition_by) or None, properties(provenance)
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
