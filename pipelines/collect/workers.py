"""Several collectors on one machine: processes that share the telemetry, and the one that minds them and lands for all.

Belongs here: starting and stopping workers, starting a dead one again, ending sessions of workers that are no longer
wanted. Does not: collecting (collector.py), the child's side of the talk (worker.py).

Each worker has a fixed client id, ``NAME-1`` to ``NAME-N``: what the broker had given to one that dies waits under its id
and comes when it is back. With fewer workers than before, the others' sessions would keep what they hold, and go on
getting their share: so they are retired, which means drained and forgotten. The same befalls the session of a single
collector when it becomes several.
"""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import threading
import time
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pipelines.collect.collector import FILTERS, Collector, Until
from pipelines.collect.journal import Journal, JournalBusy
from pipelines.collect.lander import Lander
from pipelines.collect.meter import CollectReport, Meter
from pipelines.collect.once import Once
from pipelines.collect.preflight import TakenOver, check_window
from pipelines.collect.recall import horizon, recall
from pipelines.collect.status import Beat
from pipelines.errors import CollectError, RocadeError
from pipelines.lake.store import Lake
from pipelines.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.progress import Step
    from pipelines.settings import Settings

_TICK_S = 0.1
_BACKOFF_S = (1.0, 60.0)
_STEADY_S = 60.0  # after which a worker that dies is started again at once
_RETIRED_IDLE_S = 3.0  # a session that is being ended has nothing more after so long
_FAREWELL_S = 60.0  # to stop in order, before a worker is killed


class Workers:
    """``count`` collectors under the care of this process; used like a ``Collector``.

    Args:
        settings: broker, window, folders; ``collector_name`` is the first part of all names.
        count: workers.
        until: when to stop unasked.
        progress: where to report.

    Raises:
        SettingsError: MQTT 3.1.1 cannot share.
        CollectError: the window is too small.
    """

    def __init__(
        self, settings: Settings, count: int, *, until: Until | None = None, progress: Progress | None = None
    ) -> None:
        check_window(settings, shared=True)
        self.ready = threading.Event()
        self._settings, self._until = settings, until or Until()
        self._progress = progress or Silent()
        self._stopping = False
        self._events: queue.SimpleQueue[tuple[_Worker, dict[str, Any]]] = queue.SimpleQueue()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._meter = Meter()
        names = [f"{settings.collector_name}-{number}" for number in range(1, count + 1)]
        self._workers = [_Worker(name, settings, self._events) for name in names]
        self._retiring = [
            _Worker(name, settings, self._events, retire=True) for name in _former(settings) if name not in names
        ]
        self._received = 0

    def stop(self) -> None:
        """Have all finish what they received, land it, and return from ``run``."""
        self._stopping = True

    def run(self) -> CollectReport:
        """Collect.

        Raises:
            CollectError: the broker cannot be had, for a reason that all workers share, or a supervisor of this name is
                at work already.
            LakeError: the last commit failed; what was received is in the journals.
        """
        with Journal(self._settings.journal / self._settings.collector_name).locked():
            return self._run([*self._workers, *self._retiring])

    def _run(self, everyone: Sequence[_Worker]) -> CollectReport:
        settings = self._settings
        journals = [Journal(settings.journal / worker.name) for worker in everyone]
        for journal in journals:
            journal.folder.mkdir(parents=True, exist_ok=True)
        once = Once(recall(settings))
        lander = Lander(
            Lake(settings.lake),
            journals,
            settings.land_seconds,
            self._meter,
            self._notes.put,
            once=once,
            horizon_s=horizon(settings).total_seconds(),
        )
        beat = Beat(settings, self._meter, None, settings.journal / settings.collector_name)
        beat.start()
        lander.start()
        try:
            for worker in everyone:
                worker.start()
            with self._progress.step("collect", unit="messages") as step:
                self._mind(everyone, step)
        finally:
            _stop(everyone)
            self._hear(everyone, None)
            lander.stop()
            beat.stop()
        lander.land()
        return self._report(everyone)

    def _mind(self, everyone: Sequence[_Worker], step: Step) -> None:
        last = time.monotonic()
        while not self._stopping:
            if self._hear(everyone, step):
                last = time.monotonic()
            if not self.ready.is_set() and all(worker.ready for worker in self._workers):
                self.ready.set()
                last = time.monotonic()
            for worker in everyone:
                self._revive(worker)
            if self._until.idle_s is not None and self.ready.is_set() and time.monotonic() - last > self._until.idle_s:
                return
            if self._until.messages is not None and self._received >= self._until.messages:
                return
            time.sleep(_TICK_S)

    def _hear(self, everyone: Sequence[_Worker], step: Step | None) -> bool:
        """Take up what workers said; whether a message came."""
        came = False
        while not self._notes.empty():
            self._progress.note(self._notes.get())
        while not self._events.empty():
            worker, said = self._events.get()
            if count := said.get("received"):
                came = True
                self._received += count
                if step is not None:
                    step.advance(count)
            if "note" in said:
                self._progress.note(f"{worker.name}: {said['note']}")
            if "ready" in said:
                worker.ready = True
            if "report" in said:
                worker.reports.append(said["report"])
            if "error" in said:
                worker.error = pickle.loads(b64decode(said["error"]))  # noqa: S301 - of a child of ours
        if not self.ready.is_set() and all(worker.ended and not worker.ready for worker in everyone):
            self._refuse(everyone)
        return came

    def _refuse(self, everyone: Sequence[_Worker]) -> None:
        """All failed before they had begun: starting them again does not help."""
        for worker in everyone:
            # A busy journal is that of a worker whose supervisor died before it: it is about to end.
            if (
                isinstance(worker.error, CollectError)
                and not isinstance(worker.error, JournalBusy)
                and not self._stopping
            ):
                self._stopping = True
                raise worker.error

    def _revive(self, worker: _Worker) -> None:
        if not worker.ended or worker.done:
            return
        now = time.monotonic()
        if worker.due is None:
            worker.ready = False
            if now - worker.began > _STEADY_S:
                worker.delay_s = _BACKOFF_S[0]
            worker.due = now + worker.delay_s
            worker.delay_s = min(2 * worker.delay_s, _BACKOFF_S[1])
            why = worker.error.what if worker.error else f"it ended with code {worker.code}"
            again = "it is not started again" if worker.given_up else f"again in {worker.due - now:.0f} s"
            self._progress.note(f"{worker.name} is down: {why}; {again}, its messages wait at the broker under its id")
            if worker.given_up and all(each.given_up for each in self._workers) and worker.error:
                raise worker.error
        if now >= worker.due and not worker.given_up:
            worker.start()

    def _report(self, everyone: Sequence[_Worker]) -> CollectReport:
        whole = self._meter
        total: Counter[str] = Counter()
        for worker in everyone:
            for report in worker.reports:
                whole.quarantined.update(report.pop("quarantined"))
                total.update(report)
        for name in ("messages", "consents", "readings", "duplicates", "silent", "redelivered", "stale", "unknown"):
            setattr(whole, name, getattr(whole, name) + total[name])
        return whole.report()


@dataclass(eq=False)
class _Worker:
    """One child, over all its lives."""

    name: str
    settings: Settings
    events: queue.SimpleQueue[tuple[_Worker, dict[str, Any]]]
    retire: bool = False
    ready: bool = False
    began: float = 0.0
    due: float | None = None
    delay_s: float = _BACKOFF_S[0]
    error: RocadeError | None = None
    reports: list[dict[str, Any]] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    listener: threading.Thread | None = None

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def ended(self) -> bool:
        """Whether it has ended and all that it said has been heard of."""
        return self.code is not None and self.listener is not None and not self.listener.is_alive()

    @property
    def done(self) -> bool:
        """Whether it has ended because there is nothing left to do."""
        return self.retire and self.code == 0

    @property
    def given_up(self) -> bool:
        """Whether starting it again would make things worse."""
        return isinstance(self.error, TakenOver)

    def start(self) -> None:
        """Begin, or begin again."""
        self.ready, self.due, self.error, self.began = False, None, None, time.monotonic()
        settings = self.settings.model_copy(update={"collector_name": self.name, "home": self.settings.root})
        task = {
            "settings": settings.model_dump(mode="json"),
            "retire": self.retire,
            "idle_s": _RETIRED_IDLE_S if self.retire else None,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.collect.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stdin is not None  # noqa: S101 - for the types; Popen was told so
        self.process.stdin.write(orjson.dumps(task) + b"\n")
        self.process.stdin.flush()
        self.listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self.listener.start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101 - as above
        with process.stdout as lines:
            for line in lines:
                self.events.put((self, orjson.loads(line)))
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _stop(everyone: Sequence[_Worker]) -> None:
    """End all in order, and by force those that do not."""
    processes = [worker.process for worker in everyone if worker.process is not None]
    for process in processes:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + _FAREWELL_S
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()  # what it had not acknowledged, the broker keeps
            process.wait()
    for worker in everyone:
        if worker.listener is not None:
            worker.listener.join()


def retire_former(settings: Settings, progress: Progress) -> None:
    """End the sessions of workers that have run here under numbers, before a single collector takes their place.

    Raises:
        CollectError: the broker cannot be had.
    """
    for name in _former(settings):
        if name != settings.collector_name:
            progress.note(f"ending the session of {name}: taking what the broker holds for it")
            former = settings.model_copy(update={"collector_name": name, "home": settings.root})
            Collector(former, until=Until(idle_s=_RETIRED_IDLE_S), progress=progress, retire=True).run()


def _former(settings: Settings) -> list[str]:
    """Collectors that have run here under this name or a number of it."""
    name = settings.collector_name
    if not settings.journal.is_dir():
        return []
    return sorted(
        folder.name
        for folder in settings.journal.iterdir()
        if (folder / FILTERS).exists()
        and (folder.name == name or (folder.name.startswith(f"{name}-") and folder.name[len(name) + 1 :].isdigit()))
    )
