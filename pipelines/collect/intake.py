"""From messages to rows: consent, pseudonyms, checks and duplicates, before anything touches a disk.

Belongs here: which messages are kept, which rows of them, under which names, and what waits in quarantine. Does not:
MQTT (session.py), durability (journal.py).

A car whose consent is not known is silent. But its consent may be on the way: brokers keep the order of messages
within a topic, not between two, and a car that is switched on for the first time publishes both at once. So the first
messages of an unknown car are held in memory, unacknowledged, for ``PATIENCE_S`` after the car is first heard of, and
then dropped.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.collect.checks import Rules
from pipelines.collect.formats import Kind, Message, Unreadable, read_batch, read_consent, subject
from pipelines.collect.rows import Telemetry, rows_of
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.privacy.consent import SILENT, UNKNOWN, ConsentLedger
from pipelines.privacy.pseudonyms import KeyDestroyed, month_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.collect.seen import Seen
    from pipelines.contracts.signals import Signal
    from pipelines.privacy.pseudonyms import Pseudonyms

PATIENCE_S = 2.0
"""Seconds that the first messages of an unknown car wait for its consent."""

_STRANGERS = 100_000  # unknown cars remembered, so that their later messages do not wait
_DAY_US = 86_400_000_000


@dataclass
class Taken:
    """What became of some messages.

    Attributes:
        readings: rows of ``core.readings``.
        rejected: rows of ``quarantine.messages``.
        held: messages that wait for the consent of a car heard of for the first time.
        consents: consent messages that were read.
        duplicates: messages that were durable already.
        silent: messages of which nothing may be kept: of silent cars, or of a month whose key was destroyed.
        ignored: messages that are neither telemetry nor consent.
    """

    readings: pa.Table = field(default_factory=READINGS_SCHEMA.empty_table)
    rejected: pa.Table = field(default_factory=QUARANTINE_SCHEMA.empty_table)
    held: list[Message] = field(default_factory=list)
    consents: int = 0
    duplicates: int = 0
    silent: int = 0
    ignored: int = 0


@dataclass
class _Work:
    """A batch under way: what becomes of it, messages to lay out as rows, messages to set aside whole."""

    taken: Taken
    kept: list[Telemetry] = field(default_factory=list)
    poison: list[dict[str, object]] = field(default_factory=list)


class Intake:
    """Turns messages into rows.

    Args:
        catalogue: the signals that are known.
        ledger: consents; consent messages are recorded in it, the caller flushes it.
        pseudonyms: names for cars and drivers.
        seen: what is durable; what is taken is added, on the caller's promise to make it durable.
        oldest_ms: device clocks before this are faulty, epoch milliseconds.
        ahead_ms: milliseconds that a device clock may run ahead of the time of receipt.
        room: messages held at most.
    """

    def __init__(
        self,
        catalogue: Mapping[str, Signal],
        ledger: ConsentLedger,
        pseudonyms: Pseudonyms,
        seen: Seen,
        *,
        oldest_ms: float,
        ahead_ms: float,
        room: int,
    ) -> None:
        self._rules = Rules(catalogue)
        self._ledger = ledger
        self._pseudonyms = pseudonyms
        self._seen = seen
        self._oldest_ms = oldest_ms
        self._ahead_ms = ahead_ms
        self._room = room
        self._strangers: OrderedDict[str, float] = OrderedDict()

    def take(self, messages: Sequence[Message]) -> Taken:
        """What ``messages``, in the order of receipt, amount to."""
        work = _Work(Taken())
        for message in messages:
            who = subject(message.topic)
            if who is None:
                work.taken.silent += 1  # a topic that nobody can have consented to
            elif who[1] == "consent":
                self._hear(who[0], message, work)
            elif who[1] == "telemetry":
                self._admit(who[0], message, work)
            else:
                work.taken.ignored += 1  # state and advice come by the same subscription
        taken = work.taken
        taken.readings, rejected, silent = rows_of(work.kept, self._rules, self._oldest_ms, self._ahead_ms)
        taken.silent += silent
        taken.rejected = pa.concat_tables([rejected, pa.Table.from_pylist(work.poison, QUARANTINE_SCHEMA)])
        return taken

    def hear_retained(self, message: Message) -> None:
        """Take up a retained consent; one that cannot be read changes nothing and is reported when it is published."""
        who = subject(message.topic)
        if who is not None and who[1] == "consent":
            with suppress(Unreadable):
                self._record(who[0], message)

    def _hear(self, vehicle: str, message: Message, work: _Work) -> None:
        try:
            self._record(vehicle, message)
        except Unreadable as fault:
            self._set_aside(vehicle, "consent", message, fault, work)
        else:
            work.taken.consents += 1

    def _record(self, vehicle: str, message: Message) -> None:
        newest_ms = message.received_ms + self._ahead_ms
        said = read_consent(message.payload, message.received_ms, self._oldest_ms, newest_ms)
        self._ledger.record(vehicle, said.level, said.since_ms, message.received_ms)

    def _admit(self, vehicle: str, message: Message, work: _Work) -> None:
        timeline = self._ledger.timeline(vehicle)
        if timeline is UNKNOWN and len(work.taken.held) < self._room and self._is_new(vehicle):
            work.taken.held.append(message)
            return
        if timeline.silent:
            work.taken.silent += 1
            return
        try:
            batch = read_batch(message.payload, message.content_type)
        except Unreadable as fault:
            self._set_aside(vehicle, "telemetry", message, fault, work)
            return
        believable = self._oldest_ms <= batch.t0_ms <= message.received_ms + self._ahead_ms
        month_ms = batch.t0_ms if believable else message.received_ms
        try:
            name = self._pseudonyms.vehicle(vehicle, month_ms)
        except KeyDestroyed:
            if month_of(month_ms) == month_of(message.received_ms):
                raise  # of the month that runs: an accident, and everything would be lost
            work.taken.silent += 1
            return
        if self._seen.has(name, batch.boot, batch.seq):
            work.taken.duplicates += 1
            return
        self._seen.add(name, batch.boot, batch.seq, batch.seq, message.received_ms)
        driver = None if batch.driver is None else self._pseudonyms.driver(batch.driver, month_ms)
        work.kept.append(Telemetry(batch, message.received_ms, timeline, name, driver))

    def _is_new(self, vehicle: str) -> bool:
        now = time.monotonic()
        first = self._strangers.setdefault(vehicle, now)
        if len(self._strangers) > _STRANGERS:
            self._strangers.popitem(last=False)
        return now - first < PATIENCE_S

    def _set_aside(self, vehicle: str, kind: Kind, message: Message, fault: Unreadable, work: _Work) -> None:
        """A message that cannot be read, into quarantine with its bytes; of a silent car only the fact that it came."""
        silent = self._ledger.timeline(vehicle).between(message.received_ms, message.received_ms) == SILENT
        if silent and kind == "telemetry":
            work.taken.silent += 1
            return
        name = None if silent else self._pseudonyms.vehicle(vehicle, message.received_ms)
        if not self._seen.add_poison(f"{kind}:{name or message.topic}", message.payload):
            work.taken.duplicates += 1
            return
        received_us = round(message.received_ms * 1000)
        work.poison.append(
            {
                "day": received_us // _DAY_US,
                "received_at": received_us,
                "vehicle": name,
                "reason": fault.reason,
                "detail": f"{kind}: {'the level cannot be read; nothing has changed' if silent else fault.detail}",
                "payload": None if silent else message.payload,
            }
        )
