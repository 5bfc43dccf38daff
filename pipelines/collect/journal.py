"""The journal: batches of rows that are durable before the lake has them.

Belongs here: numbered segments in a folder, a collector each. Does not: what a segment becomes (landing.py).

A segment is one file with two Arrow IPC streams, readings and quarantined rows. It is written under another name,
synced, renamed and its folder synced, so a segment that is there is whole; then its messages may be acknowledged. One
process at a time works on a folder, which a lock ensures.

Why not commit to the lake at once? Measured by benchmarks/bench_landing.py on two cores, CPU a reading of small messages
(5 readings, 25,000 readings a batch, a hundred batches, ten of them a landing): journal 90 to 130 ns, with landing 660 ns,
where a commit a batch takes 2,150 ns, more with every commit that the log holds, and leaves ten times as many files.
Parquet files a batch that one commit adopts would take 340 ns in all, but keep a message waiting four times as long for
its acknowledgement, and leave as many files too. lz4 makes a segment a sixth as long for 30 ns; zstd would halve that
again for 50 ns more.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from filelock import FileLock, Timeout

from pipelines.disk import sync_folder
from pipelines.errors import CollectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DIGITS = 20
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class JournalBusy(CollectError):  # noqa: N818 - the state of the journal is its name
    """Another process works on this journal."""


class Journal:
    """The segments of one collector.

    Args:
        folder: one collector's own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out while the context is open; what a crash left half-written goes.

        Raises:
            JournalBusy: somebody else is at work here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "journal.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise JournalBusy(
                f"a collector named {self.folder.name} is at work already",
                where=str(self.folder),
                fix="stop it, or give this one another name by ROCADE_COLLECTOR_NAME",
            ) from error
        try:
            for draft in self.folder.glob("*.tmp"):
                draft.unlink()
            yield
        finally:
            lock.release()

    @contextmanager
    def landing(self) -> Iterator[None]:
        """Keep others from landing these segments meanwhile; writing new ones goes on."""
        with FileLock(self.folder / "landing.lock"):
            yield

    def numbers(self) -> list[int]:
        """Numbers of the segments that are there, ascending."""
        return sorted(int(file.stem) for file in self.folder.glob("*.arrow"))

    def append(self, number: int, readings: pa.Table, rejected: pa.Table) -> None:
        """Write segment ``number``; when this returns, it is durable.

        Raises:
            CollectError: the disk is full or does not take it; nothing of it may be acknowledged.
        """
        draft = self.folder / f"{number:0{_DIGITS}d}.tmp"
        try:
            with draft.open("wb") as handle:
                for table in (readings, rejected):
                    with pa.ipc.new_stream(handle, table.schema, options=_OPTIONS) as stream:
                        stream.write_table(table)
                handle.flush()
                os.fsync(handle.fileno())
            draft.rename(self._file(number))
            sync_folder(self.folder)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise CollectError(
                f"the journal cannot be written: {error.strerror or error}",
                where=str(self.folder),
                fix="make room on that disk and start again: nothing was acknowledged, the broker still has it",
            ) from error

    def read(self, number: int) -> tuple[pa.Table, pa.Table]:
        """The readings and the quarantined rows of segment ``number``.

        Raises:
            CollectError: the disk does not give back what was written.
        """
        file = self._file(number)
        try:
            with file.open("rb") as handle:
                return _table(handle), _table(handle)
        except (pa.ArrowException, OSError) as error:
            raise CollectError(
                f"the journal segment cannot be read: {error}",
                where=str(file),
                fix="check the disk; moving the file away gives up its messages, which were acknowledged",
            ) from error

    def delete(self, number: int) -> None:
        """Remove segment ``number``, which the lake has."""
        self._file(number).unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:0{_DIGITS}d}.arrow"


def _table(handle: Any) -> pa.Table:
    with pa.ipc.open_stream(handle) as stream:
        return stream.read_all()
