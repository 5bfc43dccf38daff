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
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.dropped = 0
        self._coming: dict[tuple[str, str, int], float] = {}
        self._poison: set[tuple[str, bytes]] = set()

    def admit(self, readings: pa.Table, rejected: pa.Table) -> tuple[pa.Table, pa.Table]:
        """A segment without the messages that have landed, or come before it in the same commit.

        All rows of a message are in one segment. Messages with neither a number nor a time of their own pass: what makes
        them different is when they were received.
        """
        fresh: dict[tuple[str, str, int], bool] = {}
        readings = readings.filter(pa.array(self._new(readings, fresh)))
        rejected = rejected.filter(pa.array(self._new(rejected, fresh)))
        whole = rejected.column("payload").is_valid().to_numpy()
        if whole.any():
            rejected = rejected.filter(pa.array(self._unheard(rejected, whole)))
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
        self.abandon()

    def abandon(self) -> None:
        """What was admitted has not landed: it will be asked about again."""
        self._coming.clear()
        self._poison.clear()

    def _new(self, rows: pa.Table, fresh: dict[tuple[str, str, int], bool]) -> NDArray[np.bool_]:
        """Whether each row belongs to a message that is new; ``fresh`` carries the answers of this segment."""
        keep = np.ones(rows.num_rows, np.bool_)
        if not rows.num_rows:
            return keep
        rows = rows.select([*_KEY, "received_at"]).combine_chunks()
        named = pc.and_(rows.column("boot").is_valid(), rows.column("vehicle").is_valid())
        seq = pc.fill_null(rows.column("seq"), SYNTHETIC)
        told_apart = pc.or_(pc.less(seq, SYNTHETIC), pc.not_equal(pc.bit_wise_and(seq, TIMED), 0))
        named = pc.and_(named, told_apart)
        at = np.flatnonzero(named.to_numpy())
        if not len(at):
            return keep
        names, vehicle = _codes(rows.column("vehicle"))
        boots, boot = _codes(rows.column("boot"))
        seq = seq.to_numpy()
        received = rows.column("received_at").cast(pa.int64()).to_numpy()
        vehicle, boot, seq = vehicle[at], boot[at], seq[at]
        change = np.ones(len(at), np.bool_)
        change[1:] = (vehicle[1:] != vehicle[:-1]) | (boot[1:] != boot[:-1]) | (seq[1:] != seq[:-1])
        starts = np.flatnonzero(change)
        has, coming = self.seen.has, self._coming
        answers = np.ones(len(starts), np.bool_)
        for index, (one, two, number, us) in enumerate(
            zip(
                vehicle[starts].tolist(),
                boot[starts].tolist(),
                seq[starts].tolist(),
                received[at[starts]].tolist(),
                strict=True,
            )
        ):
            key = (names[one], boots[two], number)
            new = fresh.get(key)
            if new is None:
                new = fresh[key] = key not in coming and not has(*key)
                if new:
                    coming[key] = us / 1000
                else:
                    self.dropped += 1
            answers[index] = new
        keep[at] = answers[np.cumsum(change) - 1]
        return keep

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
                self.dropped += 1
            else:
                self._poison.add(known)
        return keep


def _codes(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct values of a column, and the place of each row's among them; that of null is of no account."""
    chunk = column.combine_chunks()
    if isinstance(chunk, pa.ChunkedArray):
        chunk = chunk.chunk(0)
    if not isinstance(chunk, pa.DictionaryArray):
        chunk = chunk.dictionary_encode()
    return chunk.dictionary.to_pylist(), chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
