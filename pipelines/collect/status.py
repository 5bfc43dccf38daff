"""The status of collectors: a small file each, written every second, read by whoever asks.

Belongs here: the files, and what they tell of a collector that is no longer there. Does not: counting (meter.py), tables
and pages (show, metrics.py).

The file is replaced, and written over only on a full disk, and not synced: a reader sees a whole one, and after a power
cut nobody needs it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from pipelines.collect.lander import waiting

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.collect.meter import Meter
    from pipelines.collect.session import Session
    from pipelines.settings import Settings

_EVERY_S = 1.0
STALE_S = 10.0
"""Seconds without a sign of life after which a collector is taken for down."""

State = Literal["up", "no broker", "disk full", "lake fails", "stopped", "down"]


@dataclass(frozen=True)
class Status:
    """What is known of one collector.

    Attributes:
        name: its client id.
        state: ``up``; ``no broker``, ``disk full`` and ``lake fails`` while it tries again; ``stopped`` after an orderly
            end; ``down`` when it ended otherwise.
        since: epoch seconds of its last sign of life.
        rate: messages a second, of late.
        lag_s: age of the oldest journal segment that waits for the lake, seconds.
        segments: journal segments that wait for the lake.
        journal_bytes: their size.
        hint: what an operator should know or do, or None.
        figures: all counts; see ``Meter``.
    """

    name: str
    state: State
    since: float
    rate: float
    lag_s: float
    segments: int
    journal_bytes: int
    hint: str | None
    figures: dict[str, Any]


class Beat:
    """Writes the status file of a running collector on a thread of its own.

    Args:
        settings: where, and under which name.
        meter: what to tell.
        session: whether the broker is there.
        folder: the journal's.
    """

    def __init__(self, settings: Settings, meter: Meter, session: Session | None, folder: Path) -> None:
        self._file = status_folder(settings) / f"{settings.collector_name}.json"
        self._meter, self._session, self._folder = meter, session, folder
        self._end = threading.Event()
        self._rate = 0.0
        self._last = (time.monotonic(), 0)
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that the collector has ended in order."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._write(ended=True)

    def remove(self) -> None:
        """Leave no trace: the collector is no more."""
        self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            self._write(ended=False)
            if self._end.wait(_EVERY_S):
                return

    def _write(self, *, ended: bool) -> None:
        now = time.monotonic()
        then, count = self._last
        if now - then >= _EVERY_S / 2:
            self._rate = (self._meter.received - count) / (now - then)
            self._last = (now, self._meter.received)
        figures = self._meter.figures() | {
            "name": self._file.stem,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "at": time.time(),
            "ended": ended,
            "connected": self._session is None or self._session.connected,
            "rate": round(self._rate, 1),
        }
        said = orjson.dumps(figures)
        draft = self._file.with_suffix(".tmp")
        try:
            draft.write_bytes(said)
            draft.replace(self._file)
        except OSError:
            self._write_over(said, draft)

    def _write_over(self, said: bytes, draft: Path) -> None:
        """On a full disk, into the block that the last one has; whoever reads meanwhile sees one length and one write."""
        with suppress(OSError):  # nothing of this may end the collector
            draft.unlink(missing_ok=True)
            handle = os.open(self._file, os.O_WRONLY)
            try:
                os.pwrite(handle, said.ljust(os.fstat(handle).st_size), 0)
            finally:
                os.close(handle)


def status_folder(settings: Settings) -> Path:
    """Where status files are."""
    return settings.root / "status"


def collectors(settings: Settings) -> list[Status]:
    """All collectors that this home knows, by name."""
    files = {file.stem: file for file in status_folder(settings).glob("*.json")}
    folders = {file.parent.name for file in settings.journal.glob("*/*.arrow")}
    return [_status(settings, name, files.get(name)) for name in sorted(files.keys() | folders)]


def _status(settings: Settings, name: str, file: Path | None) -> Status:
    figures: dict[str, Any] = orjson.loads(file.read_bytes()) if file is not None else {}
    segments, size, oldest = waiting(settings.journal / name)
    now = time.time()
    at = float(figures.get("at", 0.0))
    state = _state(figures, now - at)
    lag = max(0.0, now - oldest) if oldest is not None else 0.0
    hint = None
    if state == "down":
        hint = "its messages wait at the broker under its id: start it again under the same name"
    elif state in ("disk full", "lake fails"):
        hint = figures.get("fault") or "make room on its disk; it goes on by itself"
    if segments and state in ("down", "stopped"):
        hint = f"{hint + '; ' if hint else ''}{segments} segments wait in {settings.journal / name}"
    return Status(
        name=name,
        state=state,
        since=at,
        rate=float(figures.get("rate", 0.0)) if state not in ("down", "stopped") else 0.0,
        lag_s=round(lag, 1),
        segments=segments,
        journal_bytes=size,
        hint=hint,
        figures=figures,
    )


def _state(figures: dict[str, Any], age_s: float) -> State:
    if figures.get("ended"):
        return "stopped"
    if not figures or age_s > STALE_S or _gone(figures):
        return "down"
    if figures["stuck_since"] is not None:
        return "disk full"
    if figures["failed"]:
        return "lake fails"
    return "up" if figures["connected"] else "no broker"


def _gone(figures: dict[str, Any]) -> bool:
    """Whether its process is known to have ended; of another machine's nothing is known."""
    if figures["host"] != socket.gethostname():
        return False
    try:
        os.kill(figures["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is there, and somebody else's
        return False
    return False
