"""What each car has consented to, since when, and where that is written down.

A car's consent is a timeline: a level rules from its timestamp on, until the next. Before the first entry, and for a
car that never said anything, the level is silent. Belongs here: timelines and the ledger that keeps them. Does not:
the wire format of a consent message (collect/formats/consent.py), dropping rows (collect/intake.py).

The ledger is an append-only file of JSON lines, a line a change, synced before the message that caused it is
acknowledged. Each line holds what the car said and the whole timeline that follows from it, so that the last line of
a car rules and messages that arrive out of order need no replay. A car is named by an HMAC under a key of its own
that never changes: monthly pseudonyms would lose the consent with the month. A car that has only ever been silent
leaves no line.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from pipelines.disk import sync_folder
from pipelines.errors import LakeError
from pipelines.privacy.pseudonyms import key_at

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LEVELS = ("silent", "service", "service+statistics")
SILENT = 0
ALWAYS = float("-inf")
"""The start of a level that holds for everything not yet processed."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Levels in force, as indices into ``LEVELS``.

    Attributes:
        starts: epoch milliseconds, ascending; ``ALWAYS`` for a level without a beginning.
        levels: the level from each start on.
    """

    starts: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether no instant is anything but silent."""
        return not any(self.levels)

    def between(self, first_ms: float, last_ms: float) -> int | None:
        """The one level from ``first_ms`` to ``last_ms`` (epoch milliseconds), or None where it changes between."""
        at = bisect_right(self.starts, first_ms)
        if at != bisect_right(self.starts, last_ms):
            return None
        return self.levels[at - 1] if at else SILENT

    def at(self, instants_ms: NDArray[np.float64]) -> NDArray[np.int8]:
        """The level at each instant (epoch milliseconds)."""
        levels = np.array((SILENT, *self.levels), np.int8)
        return levels[np.searchsorted(np.array(self.starts, np.float64), instants_ms, side="right")]

    def with_level(self, level: int, since_ms: float) -> Timeline:
        """The timeline after a car has said ``level`` from ``since_ms`` on.

        A repeated grant adds nothing. Of a run of withdrawals the first and the latest stay: the latest still ends a
        grant that arrives late.
        """
        if since_ms == ALWAYS:
            return Timeline((ALWAYS,), (level,))
        at = bisect_left(self.starts, since_ms)
        after = at + (at < len(self.starts) and self.starts[at] == since_ms)
        last = at == len(self.starts)
        if last and level != SILENT and self.levels[-1:] == (level,):
            return self
        if last and level == SILENT and self.levels[-2:] == (SILENT, SILENT):
            at -= 1
        return Timeline(
            (*self.starts[:at], since_ms, *self.starts[after:]), (*self.levels[:at], level, *self.levels[after:])
        )


UNKNOWN = Timeline()


class ConsentLedger:
    """The timelines of all cars, kept in ``folder/consent.jsonl``.

    Args:
        folder: made with the first line.
        key: file of the key that names cars in the ledger; made at first use.
        name: of the collector that hears. Several may share the file, each hearing all consents in its own time, so a
            line says who wrote it: a collector's own last word on a car rules for it, else the last of anybody.

    Raises:
        LakeError: the file holds a line that is not a ledger line.
    """

    def __init__(self, folder: Path, key: Path, *, name: str = "") -> None:
        self._by = name
        self._file = folder / "consent.jsonl"
        self._lock = FileLock(folder / "consent.lock")
        self._key = key
        self._name = lru_cache(maxsize=200_000)(self._make_name)
        self._unwritten: list[str] = []
        self._written: dict[str, Timeline] = {}
        self._silent: dict[str, Timeline] = {}  # cars that only ever said silent: never on disk
        if self._file.exists():
            with self._lock:
                self._written = _read(self._file, name)

    def timeline(self, vehicle: str) -> Timeline:
        """What rules for ``vehicle`` (its raw id)."""
        if not self._written and not self._silent:
            return UNKNOWN
        name = self._name(vehicle)
        return self._written.get(name) or self._silent.get(name) or UNKNOWN

    def record(self, vehicle: str, level: int, since_ms: float, received_ms: float) -> bool:
        """Take up what a car says; on disk with the next ``flush``.

        Args:
            vehicle: its raw id, which is not kept.
            level: index into ``LEVELS``.
            since_ms: epoch milliseconds, or ``ALWAYS``.
            received_ms: when it was heard, epoch milliseconds.

        Returns:
            Whether it changed anything.
        """
        before = self.timeline(vehicle)
        after = before.with_level(level, since_ms)
        if after == before:
            return False
        name = self._name(vehicle)
        if after.silent and name not in self._written:
            self._silent[name] = after
            return True
        self._silent.pop(name, None)
        self._written[name] = after
        self._unwritten.append(
            json.dumps(
                {
                    "car": name,
                    **({"by": self._by} if self._by else {}),
                    "received_ms": round(received_ms),
                    "consent": LEVELS[level],
                    "since_ms": None if since_ms == ALWAYS else since_ms,
                    "timeline": [
                        [None if start == ALWAYS else start, LEVELS[each]]
                        for start, each in zip(after.starts, after.levels, strict=True)
                    ],
                }
            )
        )
        return True

    def flush(self) -> None:
        """Write what was recorded and sync it; after this the messages may be acknowledged.

        Raises:
            LakeError: the disk is full or does not take it; the messages may not be acknowledged.
        """
        if not self._unwritten:
            return
        lines = "".join(line + "\n" for line in self._unwritten).encode()
        try:
            self._append(lines)
        except OSError as error:
            raise LakeError(
                f"the consent ledger cannot be written: {error.strerror or error}",
                where=str(self._file),
                fix="make room on that disk and start again: nothing was acknowledged, the broker still has it",
            ) from error
        self._unwritten.clear()

    def _append(self, lines: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            new = not self._file.exists()
            handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _write_or_leave(handle, lines)
            finally:
                os.close(handle)
        if new:
            sync_folder(self._file.parent)

    def _make_name(self, vehicle: str) -> str:
        return hmac.digest(key_at(self._key), vehicle.encode(), hashlib.sha256)[:16].hex()


def _write_or_leave(handle: int, lines: bytes) -> None:
    """Append whole ``lines``, synced, or nothing: behind half a line the next one would be lost, and the file damaged."""
    end = os.fstat(handle).st_size
    while end and os.pread(handle, 1, end - 1) != b"\n":  # another collector was killed while its disk was full
        end -= 1
    os.ftruncate(handle, end)
    try:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, end)
        raise


def _read(file: Path, by: str) -> dict[str, Timeline]:
    whole = file.read_bytes()
    end = whole.rfind(b"\n") + 1
    if end < len(whole):  # cut by a crash: never synced, so never acknowledged, so it comes again
        os.truncate(file, end)
    timelines: dict[str, Timeline] = {}
    own: dict[str, Timeline] = {}
    for number, line in enumerate(whole[:end].splitlines(), 1):
        try:
            said: dict[str, Any] = json.loads(line)
            timeline = Timeline(
                tuple(ALWAYS if start is None else float(start) for start, _ in said["timeline"]),
                tuple(LEVELS.index(level) for _, level in said["timeline"]),
            )
            timelines[said["car"]] = timeline
            if said.get("by") == by:
                own[said["car"]] = timeline
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"this is not a line of the consent ledger: {error}",
                where=f"{file} line {number}",
                fix="restore the file from a backup; without it every car is silent until it says otherwise",
            ) from error
    return timelines | own
