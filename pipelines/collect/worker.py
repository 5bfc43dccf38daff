"""One of several collectors, in a process of its own: `python -m pipelines.collect.worker`, started by workers.py.

Belongs here: the child's side of the talk with its supervisor. Settings come as one JSON line on standard input, which
stays open: when it ends, the supervisor is gone, and the worker stops in order. What happens goes to standard output, a
JSON object a line: ``ready``, ``received`` (messages since the last line), ``note``, at the end ``report`` or ``error``.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from base64 import b64encode
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.collect.collector import Collector, Until
from pipelines.errors import RocadeError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.progress import Step

_TELL_S = 0.25


class _Talk:
    """Tells the supervisor; a ``Progress``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0.0

    def say(self, **said: Any) -> None:
        with self._lock, suppress(BrokenPipeError):  # the supervisor is gone, and we are about to stop
            sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
            sys.stdout.buffer.flush()

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Step]:  # noqa: ARG002
        """Counts."""
        yield self
        self.tell()

    def advance(self, amount: float = 1, total: float | None = None) -> None:  # noqa: ARG002
        """Count, to be told soon."""
        with self._lock:
            self._count += amount

    def tell(self) -> None:
        """Say how many came since the last time."""
        with self._lock:
            count, self._count = self._count, 0.0
        if count:
            self.say(received=count)

    def note(self, text: str) -> None:
        """Pass on."""
        self.say(note=text)


def main() -> None:
    """Collect until told to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches all of us; the supervisor stops us in order
    task: dict[str, Any] = orjson.loads(sys.stdin.buffer.readline())
    talk = _Talk()
    try:
        collector = Collector(
            Settings.model_validate(task["settings"]),
            until=Until(idle_s=task["idle_s"]),
            progress=talk,
            shared=True,
            retire=task["retire"],
        )
        signal.signal(signal.SIGTERM, lambda *_: collector.stop())
        threading.Thread(target=_outlive, args=(collector,), daemon=True).start()
        threading.Thread(target=_announce, args=(collector, talk), daemon=True).start()
        report = collector.run()
    except RocadeError as error:
        talk.say(error=b64encode(pickle.dumps(error)).decode())
        sys.exit(error.exit_code)
    talk.say(report=asdict(report))


def _outlive(collector: Collector) -> None:
    while os.read(sys.stdin.fileno(), 1):  # until the supervisor ends; a buffered read would hold up our own end
        pass
    collector.stop()


def _announce(collector: Collector, talk: _Talk) -> None:
    collector.ready.wait()
    talk.say(ready=True)
    while True:
        time.sleep(_TELL_S)
        talk.tell()


if __name__ == "__main__":
    main()
