"""Which messages are already durable, so that what comes again lands once.

Belongs here: the set of (vehicle, boot, seq) as runs of consecutive numbers, a few dozen bytes a boot however many
messages it sent; the latest messages of formats in which cars do not count; and the digests of unreadable messages.
Does not: where they are read back from (recall.py).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict

from pipelines.collect.identity import TICKS, TIMED
from pipelines.collect.tables import SYNTHETIC

_POISON_KEPT = 100_000
_SAME_MOMENT = 10_000
_UNCOUNTED_KEPT = 200_000  # more than a broker leaves unacknowledged; 40 MB or so


class Runs:
    """Whole numbers as disjoint runs of consecutive ones, in ascending order."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number)
        return at > 0 and number <= self._lasts[at - 1]

    def __len__(self) -> int:
        return len(self._firsts)

    def add(self, first: int, last: int) -> None:
        """Take in all numbers from ``first`` to ``last``, both included."""
        if self._lasts and first == self._lasts[-1] + 1:  # the next message of a boot: nearly always
            self._lasts[-1] = last
            return
        low = bisect_right(self._lasts, first - 2)  # the first run that touches or follows
        high = bisect_right(self._firsts, last + 1)  # the first that begins after the gap
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]


class Seen:
    """What is durable, by message.

    Boots that nobody has touched for long are forgotten with ``forget``.
    """

    def __init__(self) -> None:
        self._boots: dict[tuple[str, str], Runs] = {}
        self._touched: dict[tuple[str, str], float] = {}
        self._poison: OrderedDict[bytes, None] = OrderedDict()
        self._uncounted: OrderedDict[tuple[str, int], int] = OrderedDict()

    def has(self, vehicle: str, boot: str, seq: int) -> bool:
        """Whether that message is durable; ``vehicle`` is the pseudonym."""
        runs = self._boots.get((vehicle, boot))
        return runs is not None and seq in runs

    def fresh(self, vehicle: str, boot: str, seq: int, *, again: bool) -> int:
        """The seq under which a message is new, or -1 where it is durable.

        A seq of ours (identity.py) may move on by one, where a message without a time comes twice within a millisecond.

        Args:
            vehicle: the pseudonym.
            boot: of the message.
            seq: of the message.
            again: whether the broker marks it as a redelivery.
        """
        if seq < SYNTHETIC:
            runs = self._boots.get((vehicle, boot))
            return -1 if runs is not None and seq in runs else seq
        last = self._uncounted.get(_uncounted(boot, seq))
        if last is None:
            return seq
        if again or seq & TIMED:
            return -1
        return last + 1 if seq <= last < seq + _SAME_MOMENT else seq

    def add(self, vehicle: str, boot: str, first: int, last: int, at_ms: float) -> None:
        """Messages ``first`` to ``last`` of a boot are durable since about ``at_ms`` (epoch milliseconds)."""
        if first >= SYNTHETIC:
            for seq in range(first, last + 1):
                uncounted = _uncounted(boot, seq)
                self._uncounted[uncounted] = seq
                self._uncounted.move_to_end(uncounted)
            while len(self._uncounted) > _UNCOUNTED_KEPT:
                self._uncounted.popitem(last=False)
            return
        key = (vehicle, boot)
        runs = self._boots.get(key)
        if runs is None:
            runs = self._boots[key] = Runs()
        runs.add(first, last)
        self._touched[key] = max(at_ms, self._touched.get(key, at_ms))

    def has_poison(self, topic_name: str, payload: bytes) -> bool:
        """Whether this unreadable message is durable."""
        return _digest(topic_name, payload) in self._poison

    def add_poison(self, topic_name: str, payload: bytes) -> bool:
        """Whether this unreadable message is new; it counts as durable from now on.

        Args:
            topic_name: the car's pseudonym, standing for its topic.
            payload: the bytes; only their digest is kept, and of the latest messages alone.
        """
        digest = _digest(topic_name, payload)
        new = digest not in self._poison
        self._poison[digest] = None
        self._poison.move_to_end(digest)
        if len(self._poison) > _POISON_KEPT:
            self._poison.popitem(last=False)
        return new

    def forget(self, before_ms: float) -> None:
        """Drop boots without a message since ``before_ms`` (epoch milliseconds)."""
        for key in [key for key, touched in self._touched.items() if touched < before_ms]:
            del self._boots[key], self._touched[key]


def _digest(topic_name: str, payload: bytes) -> bytes:
    return hashlib.sha256(topic_name.encode() + b"\0" + payload).digest()


def _uncounted(boot: str, seq: int) -> tuple[str, int]:
    """What a message in which the car does not count is known by when it comes again."""
    return boot, seq if seq & TIMED else seq // TICKS
