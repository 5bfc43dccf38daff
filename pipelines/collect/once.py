"""Landing what several workers received, once.

Belongs here: dropping messages that another worker, or a former run of the same one, has landed already. Does not: what
one collector drops by itself before its journal (intake.py, seen.py).

Under a shared subscription a message that a car sends again may go to another worker than before, and what one worker
knows to be durable the others do not. So the one process that lands all their journals asks about every message, just
before its commit; compared with the lake itself, recalled at start, so that it needs no memory of its own on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.collect.identity import TIMED
from pipelines.collect.tables import SYNTHETIC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.collect.seen import Seen

_KEY = ("vehicle", "boot", "seq")


class Once:
    """What has landed, and what is about to.

    Args:
        seen: what the lake has.

    Attributes:
        dropped: messages that had landed before, of the segments that are settled.
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.dropped = self._dropping = 0
        self._coming: dict[tuple[str, str, int], float] = {}
        self._poison: set[tuple[str, bytes]] = set()

    def admit(self, readings: pa.Table, rejected: pa.Table) -> tuple[pa.Table, pa.Table]:
        """A segment without the messages that have landed, or come before it in the same commit.

        All rows of a message are in one segment. Messages with neither a number nor a time of their own pass: what makes
        them different is when they were received.
        """
        fresh: dict[tuple[str, str, int], bool] = {}
        readings = _only(readings, self._new(readings, fresh))
        rejected = _only(rejected, self._new(rejected, fresh))
        self._dropping += sum(not new for new in fresh.values())
        whole = rejected.column("payload").is_valid().to_numpy()
        if whole.any():
            rejected = _only(rejected, self._unheard(rejected, whole))
        return readings, rejected

    def finish(self, readings: pa.Table, rejected: pa.Table) -> pa.Table:
        """What of a segment's quarantined rows is to land, where its readings have.

        Of single readings all: their message's number does not tell them from its own readings that have landed.
        """
        fresh: dict[tuple[str, str, int], bool] = {}
        for rows in (readings, rejected):
            self._new(rows, fresh)  # they are settled with the rest
        whole = rejected.column("payload").is_valid().to_numpy()
        return rejected.filter(pa.array(self._unheard(rejected, whole))) if whole.any() else rejected

    def settle(self) -> None:
        """What was admitted has landed."""
        for (vehicle, boot, seq), at_ms in self._coming.items():
            self.seen.add(vehicle, boot, seq, seq, at_ms)
        for name, payload in self._poison:
            self.seen.add_poison(name, payload)
        self.dropped += self._dropping
        self.abandon()

    def abandon(self) -> None:
        """What was admitted has not landed: it will be asked about again."""
        self._coming.clear()
        self._poison.clear()
        self._dropping = 0

    def _new(self, rows: pa.Table, fresh: dict[tuple[str, str, int], bool]) -> NDArray[np.bool_]:
        """Whether each row belongs to a message that is new; ``fresh`` carries the answers of this segment."""
        if not rows.num_rows:
            return np.ones(0, np.bool_)
        rows = rows.select([*_KEY, "received_at"]).combine_chunks()
        names, vehicle = _codes(rows.column("vehicle"))
        boots, boot = _codes(rows.column("boot"))
        seq = pc.fill_null(rows.column("seq"), SYNTHETIC).to_numpy()
        change = np.ones(len(seq), np.bool_)  # the rows of a message lie side by side: only their first is looked at
        change[1:] = (vehicle[1:] != vehicle[:-1]) | (boot[1:] != boot[:-1]) | (seq[1:] != seq[:-1])
        starts = np.flatnonzero(change)
        received = rows.column("received_at").cast(pa.int64()).to_numpy()[starts].tolist()
        vehicle, boot, seq = vehicle[starts], boot[starts], seq[starts]
        named = (vehicle >= 0) & (boot >= 0) & ((seq < SYNTHETIC) | ((seq & TIMED) != 0))
        has, coming = self.seen.has, self._coming
        answers = np.ones(len(starts), np.bool_)
        for index in np.flatnonzero(named).tolist():
            key = (names[vehicle[index]], boots[boot[index]], int(seq[index]))
            new = fresh.get(key)
            if new is None:
                new = fresh[key] = key not in coming and not has(*key)
                if new:
                    coming[key] = received[index] / 1000
            answers[index] = new
        return np.repeat(answers, np.diff(starts, append=len(change)))

    def _unheard(self, rejected: pa.Table, whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each row is no message that already waits in quarantine as a whole."""
        keep = np.ones(rejected.num_rows, np.bool_)
        whole &= rejected.column("vehicle").is_valid().to_numpy()
        at = np.flatnonzero(whole)
        some = rejected.select(["reason", "vehicle", "payload"]).take(pa.array(at)).to_pylist()
        for index, row in zip(at.tolist(), some, strict=True):
            kind = "consent" if row["reason"] == "bad_consent" else "telemetry"  # as intake and recall name them
            known = (f"{kind}:{row['vehicle']}", row["payload"])
            if known in self._poison or self.seen.has_poison(*known):
                keep[index] = False
                self._dropping += 1
            else:
                self._poison.add(known)
        return keep


def _only(rows: pa.Table, keep: NDArray[np.bool_]) -> pa.Table:
    """The rows to keep: nearly always all, which then are not copied."""
    return rows if keep.all() else rows.filter(pa.array(keep))


def _codes(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct values of a column, and the place of each row's among them; -1 for null."""
    chunk = column.combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):
        chunk = chunk.chunk(0)
    if not isinstance(chunk, pa.DictionaryArray):
        chunk = chunk.dictionary_encode()
    return chunk.dictionary.to_pylist(), chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)
