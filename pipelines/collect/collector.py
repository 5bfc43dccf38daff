"""The collector: a long-lived process that brings telemetry from the broker into the lake.

Belongs here: the loop, and starting and stopping it in order. Does not: MQTT (session*.py), what is kept (intake.py),
files (journal.py), commits (landing.py), several processes (workers.py).

Four threads overlap: the session's receives and decodes packets; this one's loop makes batches into rows; another makes
them durable and acknowledges (durable.py); the last lands the journal in the lake (lander.py). Between two of them there
is little room, so that one that is slow slows those before it, up to the broker.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from pipelines.collect.consents import retained_consents
from pipelines.collect.durable import Durable
from pipelines.collect.intake import Intake
from pipelines.collect.journal import Journal
from pipelines.collect.lander import FORGET_S, Lander, waiting
from pipelines.collect.landing import next_number
from pipelines.collect.meter import CollectReport, Meter
from pipelines.collect.preflight import check_window
from pipelines.collect.recall import horizon, recall
from pipelines.collect.seen import Seen
from pipelines.collect.session import Session, filters_for
from pipelines.collect.sessions import open_session
from pipelines.collect.status import Beat
from pipelines.collect.subscriptions import load_subscriptions
from pipelines.contracts.signals import load_signals
from pipelines.disk import write_whole
from pipelines.lake.store import Lake
from pipelines.privacy.consent import ConsentLedger
from pipelines.privacy.pseudonyms import Pseudonyms
from pipelines.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.collect.formats import Message
    from pipelines.progress import Step
    from pipelines.settings import Settings

FILTERS = "filters.json"
"""In a journal's folder: what the broker may hold for its collector."""

_TICK_S = 0.1  # how soon a stop is noticed
_LOOK_S = 1.0  # between two looks at how much waits for the lake
_PATIENCE_S = 10.0  # for a full disk, once we are to stop


@dataclass(frozen=True)
class Until:
    """When a collector stops by itself; never, by default.

    Attributes:
        idle_s: after so many seconds without a message.
        messages: after so many messages.
    """

    idle_s: float | None = None
    messages: int | None = None


def collect(settings: Settings, *, until: Until | None = None, progress: Progress | None = None) -> CollectReport:
    """Collect until ``until``; see ``Collector``.

    Raises:
        CollectError: the broker cannot be had, or the journal is taken or broken.
        LakeError: a commit failed; what was received is in the journal.
    """
    return Collector(settings, until=until, progress=progress).run()


class Collector:
    """Brings telemetry from the broker into the lake until it is stopped.

    ``stop`` may be called from a signal handler or another thread; ``ready`` is set once the subscription holds, so
    that nothing published afterwards is missed.

    Args:
        settings: broker, window, folders.
        until: when to stop unasked.
        progress: where to report.
        shared: whether other workers take part of the telemetry; somebody else then lands all journals.
        retire: end the session for good: take what the broker holds for us, and have it forget us.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        until: Until | None = None,
        progress: Progress | None = None,
        shared: bool = False,
        retire: bool = False,
    ) -> None:
        check_window(settings, shared=shared)
        self.ready = threading.Event()
        self._settings = settings
        self._until = until or Until()
        self._progress = progress or Silent()
        self._shared, self._retire = shared, retire
        self._stopping = False
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._meter = Meter()
        self._journal = Journal(settings.journal / settings.collector_name)
        self._filters = self._journal.folder / FILTERS

    def stop(self) -> None:
        """Finish what was received, land it, and return from ``run``."""
        self._stopping = True

    def run(self) -> CollectReport:
        """Collect.

        Raises:
            CollectError: the broker cannot be had, or the journal is taken or broken.
            LakeError: the last commit failed; what was received is in the journal.
        """
        settings = self._settings
        lake = Lake(settings.lake)
        lander = Lander(lake, [self._journal], settings.land_seconds, self._meter, self._notes.put)
        with self._journal.locked():
            if not self._shared:
                lander.land()
            seen = Seen() if self._shared else recall(settings)  # whoever lands for us asks the lake
            ledger = self._ledger()
            intake = _intake(settings, ledger, seen)
            for message in retained_consents(settings):
                intake.hear_retained(message)
            ledger.flush()
            session = self._session()

            def meanwhile() -> None:
                self._tell()
                if self._stopping:
                    durable.hurry(_PATIENCE_S)

            number = next_number(lake, self._journal)
            durable = Durable(self._journal, number, session, self._meter, self._notes.put, meanwhile)
            beat = Beat(settings, self._meter, session, self._journal.folder)
            session.open()
            drained = False
            try:
                self.ready.set()
                beat.start()
                durable.start()
                if not self._shared:
                    lander.start()
                with self._progress.step("collect", unit="messages") as step:
                    self._loop(session, _Work(intake, ledger, durable, self._meter), seen, step)
                durable.finish(_PATIENCE_S)
                drained = not self._stopping
            finally:
                session.close(forget=self._retire and drained)
                lander.stop()
                beat.stop()
                self._tell()
            if not self._shared:
                lander.land()
            if self._retire and drained:
                self._filters.unlink(missing_ok=True)
                beat.remove()
        return self._meter.report()

    def _loop(self, session: Session, work: _Work, seen: Seen, step: Step) -> None:
        last = forgot = time.monotonic()
        looked = 0.0
        full = False
        while not self._ended(last):
            now = time.monotonic()
            self._tell()
            if now - looked > _LOOK_S:
                looked, full = now, self._full(full=full)
            if now - forgot > FORGET_S:
                forgot = now
                seen.forget((time.time() - horizon(self._settings).total_seconds()) * 1000)
            if full:
                work.durable.check()
                time.sleep(_TICK_S)
                continue
            batch = self._batch(session, self._settings.batch_seconds)
            if batch:
                last = time.monotonic()
                step.advance(len(batch))
            work.do(batch)
        rest = session.waiting  # under load there is always more; what comes from now on the broker keeps
        while rest > 0 and (batch := self._batch(session, 0, rest)):
            rest -= len(batch)
            work.do(batch)

    def _batch(self, session: Session, wait_s: float, most: int | None = None) -> list[Message]:
        limits = [self._settings.batch_messages, *(each for each in (most, self._missing()) if each is not None)]
        return session.take(min(limits), wait_s, self._settings.batch_mb * 1e6) if min(limits) else []

    def _ended(self, last: float) -> bool:
        until = self._until
        return (
            self._stopping
            or (until.idle_s is not None and time.monotonic() - last >= until.idle_s)
            or self._missing() == 0
        )

    def _missing(self) -> int | None:
        """Messages still to come before we stop; None for no end."""
        return None if self._until.messages is None else max(0, self._until.messages - self._meter.received)

    def _full(self, *, full: bool) -> bool:
        """Whether so much waits for the lake that the broker has to wait."""
        now = waiting(self._journal.folder)[1] > self._settings.journal_gb * 1e9
        if now and not full:
            self._notes.put(
                f"the journal holds {self._settings.journal_gb:g} GB that the lake has not: the broker has to wait"
            )
        return now

    def _tell(self) -> None:
        while not self._notes.empty():
            self._progress.note(self._notes.get())

    def _ledger(self) -> ConsentLedger:
        settings = self._settings
        return ConsentLedger(settings.root / "privacy", settings.keys / "consent.key", name=settings.collector_name)

    def _session(self) -> Session:
        """The session, without what an earlier run subscribed to and this one does not."""
        wanted = [] if self._retire else filters_for(load_subscriptions(self._settings), shared=self._shared)
        before: list[str] = orjson.loads(self._filters.read_bytes()) if self._filters.exists() else []
        names = [each.filter for each in wanted]
        unwanted = [each for each in before if each not in names]
        if before != names:
            write_whole(self._filters, orjson.dumps([*names, *unwanted]).decode())
        return open_session(self._settings, wanted, self._notes.put, unwanted=unwanted)


@dataclass
class _Work:
    """One batch after the other made into rows and handed on."""

    intake: Intake
    ledger: ConsentLedger
    durable: Durable
    meter: Meter
    held: Sequence[Message] = ()

    def do(self, batch: list[Message]) -> None:
        """Take ``batch`` behind what is held."""
        if batch:
            self.meter.took(batch)
        elif not self.held:
            self.durable.check()
            return
        taken = self.intake.take([*self.held, *batch])
        self.durable.retry(self.ledger.flush)
        self.durable.put(taken, batch, self.held)
        self.held = taken.held


def _intake(settings: Settings, ledger: ConsentLedger, seen: Seen) -> Intake:
    return Intake(
        load_signals(),
        ledger,
        Pseudonyms(settings.keys),
        seen,
        oldest_ms=settings.oldest_reading.timestamp() * 1000,
        ahead_ms=settings.clock_ahead_s * 1000,
        room=settings.receive_maximum // 4,
        subscriptions=load_subscriptions(settings),
        largest_bytes=round(settings.payload_mb * 1e6),
    )
