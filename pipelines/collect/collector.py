"""The collector: a long-lived process that brings telemetry from the broker into the lake.

Belongs here: the loop, and starting and stopping it in order. Does not: MQTT (session.py), what is kept (intake.py),
files (journal.py), commits (landing.py).

The network thread only enqueues. The loop takes a batch, makes it durable and acknowledges it, always in the order of
receipt: a message that waits for its car's consent holds back the acknowledgements of those behind it, never their
rows. A third thread lands the journal in the lake. When landing cannot keep up the loop stops taking, so the window
fills and the broker holds the queue.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.collect.intake import Intake
from pipelines.collect.journal import Journal
from pipelines.collect.landing import Lander, LandReport, land, next_number
from pipelines.collect.recall import horizon, recall
from pipelines.collect.session import Session, check_window, retained_consents
from pipelines.contracts.signals import load_signals
from pipelines.lake.store import Lake
from pipelines.privacy.consent import ConsentLedger
from pipelines.privacy.pseudonyms import Pseudonyms
from pipelines.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.collect.formats import Message
    from pipelines.collect.seen import Seen
    from pipelines.progress import Step
    from pipelines.settings import Settings

_TICK_S = 0.1  # how soon a stop is noticed
_BACKLOG = 500  # segments that may wait for the lake before the broker has to
_FORGET_S = 3600.0

# Many brokers keep fewer messages in flight than our window allows (EMQX 32, rumqttd 100, by default): then no more come
# until we acknowledge, so a batch with some company does not wait through a lull.
_LULL_S = 0.02
_COMPANY = 10


@dataclass(frozen=True)
class Until:
    """When a collector stops by itself; never, by default.

    Attributes:
        idle_s: after so many seconds without a message.
        messages: after so many messages.
    """

    idle_s: float | None = None
    messages: int | None = None


@dataclass(frozen=True)
class CollectReport:
    """What a run of the collector did.

    Attributes:
        messages: messages received, telemetry and consent, redelivered ones included.
        consents: consent messages read.
        readings: readings made durable.
        quarantined: quarantined rows by reason.
        duplicates: messages that were durable already.
        silent: messages of which nothing may be kept.
        redelivered: messages that the broker marked as sent before.
        segments: journal segments landed, of former runs too.
        commits: versions of the lake's tables made.
        seconds: how long it ran.
    """

    messages: int
    consents: int
    readings: int
    quarantined: Mapping[str, int]
    duplicates: int
    silent: int
    redelivered: int
    segments: int
    commits: int
    seconds: float


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
    """

    def __init__(self, settings: Settings, *, until: Until | None = None, progress: Progress | None = None) -> None:
        check_window(settings)
        self.ready = threading.Event()
        self._settings = settings
        self._until = until or Until()
        self._progress = progress or Silent()
        self._stopping = False
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._counts = _Counts()

    def stop(self) -> None:
        """Finish what was received, land it, and return from ``run``."""
        self._stopping = True

    def run(self) -> CollectReport:
        """Collect.

        Raises:
            CollectError: the broker cannot be had, or the journal is taken or broken.
            LakeError: a commit failed; what was received is in the journal.
        """
        began = time.monotonic()
        settings = self._settings
        journal = Journal(settings.journal / settings.collector_name)
        lake = Lake(settings.lake)
        with journal.locked():
            before = land(lake, journal)
            seen = recall(settings)
            ledger = ConsentLedger(settings.root / "privacy", settings.keys / "consent.key")
            intake = _intake(settings, ledger, seen)
            for message in retained_consents(settings):
                intake.hear_retained(message)
            ledger.flush()
            session = Session(settings, self._notes.put)
            lander = Lander(lake, journal, settings.land_seconds)
            work = _Work(session, intake, ledger, journal, next_number(lake, journal), seen)
            session.open()
            try:
                self.ready.set()
                lander.start()
                with self._progress.step("collect", unit="messages") as step:
                    self._loop(work, lander, step)
            finally:
                session.close()
                lander.stop()
            after = land(lake, journal)
        return self._counts.report([before, *lander.reports, after], time.monotonic() - began)

    def _loop(self, work: _Work, lander: Lander, step: Step) -> None:
        last = time.monotonic()
        forgot = last
        while not self._ended(last):
            lander.check()
            if lander.backlog() > _BACKLOG:
                time.sleep(_TICK_S)
                continue
            batch = self._batch(work.session)
            if batch:
                last = time.monotonic()
                step.advance(len(batch))
            work.do(batch, self._counts)
            while not self._notes.empty():
                self._progress.note(self._notes.get())
            if time.monotonic() - forgot > _FORGET_S:
                forgot = time.monotonic()
                work.seen.forget((time.time() - horizon(self._settings).total_seconds()) * 1000)
        work.do(_rest(work.session, self._missing()), self._counts)

    def _ended(self, last: float) -> bool:
        until = self._until
        return (
            self._stopping
            or (until.idle_s is not None and time.monotonic() - last >= until.idle_s)
            or self._missing() == 0
        )

    def _missing(self) -> int | None:
        """Messages still to come before we stop; None for no end."""
        return None if self._until.messages is None else max(0, self._until.messages - self._counts.messages)

    def _batch(self, session: Session) -> list[Message]:
        """Up to a batch of messages; empty when none came for a tick."""
        most = self._settings.batch_messages
        if (missing := self._missing()) is not None:
            most = min(most, missing)
        try:
            batch = [session.inbox.get(timeout=_TICK_S)]
        except queue.Empty:
            return []
        deadline = time.monotonic() + self._settings.batch_seconds
        while len(batch) < most and not self._stopping and (left := deadline - time.monotonic()) > 0:
            try:
                batch.append(session.inbox.get(timeout=min(left, _LULL_S)))
            except queue.Empty:
                if len(batch) >= _COMPANY:
                    break
        return batch


@dataclass
class _Counts:
    """The report in the making."""

    messages: int = 0
    consents: int = 0
    readings: int = 0
    duplicates: int = 0
    silent: int = 0
    redelivered: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    def report(self, landed: list[LandReport], seconds: float) -> CollectReport:
        return CollectReport(
            messages=self.messages,
            consents=self.consents,
            readings=self.readings,
            quarantined=dict(self.quarantined),
            duplicates=self.duplicates,
            silent=self.silent,
            redelivered=self.redelivered,
            segments=sum(each.segments for each in landed),
            commits=sum(each.commits for each in landed),
            seconds=seconds,
        )


@dataclass
class _Work:
    """One batch after the other made durable and acknowledged."""

    session: Session
    intake: Intake
    ledger: ConsentLedger
    journal: Journal
    number: int
    seen: Seen
    held: list[Message] = field(default_factory=list)
    unacknowledged: deque[Message] = field(default_factory=deque)

    def do(self, batch: list[Message], counts: _Counts) -> None:
        """Take ``batch`` behind what is held; when this returns, all but what is still held is durable."""
        if not batch and not self.held:
            return
        taken = self.intake.take([*self.held, *batch])
        self.ledger.flush()
        if taken.readings.num_rows or taken.rejected.num_rows:
            self.journal.append(self.number, taken.readings, taken.rejected)
            self.number += 1
        for message in (*self.held, *batch):
            message.done = True
        for message in taken.held:
            message.done = False
        self.held = taken.held
        self.unacknowledged.extend(batch)
        ready: list[Message] = []
        while self.unacknowledged and self.unacknowledged[0].done:
            ready.append(self.unacknowledged.popleft())
        self.session.acknowledge(ready)
        counts.messages += len(batch) - taken.ignored
        counts.redelivered += sum(message.again for message in batch)
        counts.consents += taken.consents
        counts.readings += taken.readings.num_rows
        counts.duplicates += taken.duplicates
        counts.silent += taken.silent
        counts.quarantined.update(taken.rejected.column("reason").to_pylist())


def _rest(session: Session, most: int | None) -> list[Message]:
    """What has been received and not yet taken."""
    count = session.inbox.qsize()
    return [session.inbox.get_nowait() for _ in range(count if most is None else min(count, most))]


def _intake(settings: Settings, ledger: ConsentLedger, seen: Seen) -> Intake:
    return Intake(
        load_signals(),
        ledger,
        Pseudonyms(settings.keys),
        seen,
        oldest_ms=settings.oldest_reading.timestamp() * 1000,
        ahead_ms=settings.clock_ahead_s * 1000,
        room=settings.receive_maximum // 4,
    )
