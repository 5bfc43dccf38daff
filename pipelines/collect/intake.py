"""From messages to rows: consent, pseudonyms, checks and duplicates, before anything touches a disk.

Belongs here: which messages are kept, which rows of them, under which names, and what waits in quarantine. Does not:
MQTT (session.py), durability (journal.py), wire formats (formats/).

A car whose consent is not known is silent. But its consent may be on the way: brokers keep the order of messages
within a topic, not between two, and a car that is switched on for the first time publishes both at once. So the first
messages of an unknown car are held in memory, unacknowledged, for ``PATIENCE_S`` after the car is first heard of, and
then dropped.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.collect.checks import Rules
from pipelines.collect.columns import Columns
from pipelines.collect.formats import Kind, Message, Place, Unreadable, decoders, format_of, read_consent
from pipelines.collect.identity import boot_of, seq_of
from pipelines.collect.rows import Made, Telemetry, rows_of
from pipelines.collect.subscriptions import OWN, Router, Subscription
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.privacy.consent import ALWAYS, LEVELS, SILENT, UNKNOWN, ConsentLedger, Timeline
from pipelines.privacy.pseudonyms import KeyDestroyed, month_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.collect.seen import Seen
    from pipelines.contracts.signals import Signal
    from pipelines.privacy.pseudonyms import Pseudonyms

PATIENCE_S = 2.0
"""Seconds that the first messages of an unknown car wait for its consent."""

LARGEST_BYTES = 8_000_000
"""Bytes of the longest payload that is read, unless the caller says otherwise."""

_STRANGERS = 100_000  # unknown cars remembered, so that their later messages do not wait
_NAMES_KEPT = 200_000
_DAY_MS = 86_400_000
_DAY_US = 86_400_000_000
_KEPT_BYTES = 1024  # of a payload that is too long to be kept whole
_SERVICE = Timeline((ALWAYS,), (LEVELS.index("service"),))


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
        stale: messages that the broker had retained and that do not tell of when they are.
        unknown: readings kept of signals that the catalogue does not have.
    """

    readings: pa.Table = field(default_factory=READINGS_SCHEMA.empty_table)
    rejected: pa.Table = field(default_factory=QUARANTINE_SCHEMA.empty_table)
    held: list[Message] = field(default_factory=list)
    consents: int = 0
    duplicates: int = 0
    silent: int = 0
    ignored: int = 0
    stale: int = 0
    unknown: int = 0


@dataclass
class _Work:
    """A batch under way: what becomes of it, rows so far, messages to make rows of, messages to set aside whole."""

    taken: Taken
    made: list[Made] = field(default_factory=list)
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
        subscriptions: what the topics tell.
        largest_bytes: a longer payload is not read.
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
        subscriptions: Sequence[Subscription] = (OWN,),
        largest_bytes: int = LARGEST_BYTES,
    ) -> None:
        self._rules = Rules(catalogue)
        self._columns = Columns(catalogue)
        self._decoders = decoders(catalogue)
        self._place = Router(subscriptions).place
        self._ledger = ledger
        self._pseudonyms = pseudonyms
        self._names: dict[tuple[str, float], str] = {}
        self._seen = seen
        self._oldest_ms = oldest_ms
        self._ahead_ms = ahead_ms
        self._room = room
        self._largest_bytes = largest_bytes
        self._strangers: OrderedDict[str, float] = OrderedDict()

    def take(self, messages: Sequence[Message]) -> Taken:
        """What ``messages``, in the order of receipt, amount to."""
        work = _Work(Taken())
        self._columns.clear()
        for message in messages:
            place = self._place(message.topic)
            if place.kind == "telemetry":
                self._admit(place, message, work)
            elif place.kind == "consent":
                self._hear(place, message, work)
            elif place.kind is None:
                work.taken.silent += 1  # a topic that nobody can have consented to
            else:
                work.taken.ignored += 1  # state and advice come by the same subscription
        self._finish(work)
        taken = work.taken
        taken.readings = pa.concat_tables([made.readings for made in work.made])
        rejected = [made.rejected for made in work.made]
        taken.rejected = pa.concat_tables([*rejected, pa.Table.from_pylist(work.poison, QUARANTINE_SCHEMA)])
        taken.silent += sum(made.silent for made in work.made)
        taken.unknown = sum(made.unknown for made in work.made)
        return taken

    def hear_retained(self, message: Message) -> None:
        """Take up a retained consent; one that cannot be read changes nothing and is reported when it is published."""
        place = self._place(message.topic)
        if place.kind == "consent":
            with suppress(Unreadable):
                self._record(place.vehicle, message)

    def _hear(self, place: Place, message: Message, work: _Work) -> None:
        try:
            self._record(place.vehicle, message)
        except Unreadable as fault:
            self._set_aside(place.vehicle, "consent", message, fault, self._ledger.timeline(place.vehicle), work)
        else:
            work.taken.consents += 1

    def _record(self, vehicle: str, message: Message) -> None:
        newest_ms = message.received_ms + self._ahead_ms
        said = read_consent(message.payload, message.received_ms, self._oldest_ms, newest_ms)
        self._ledger.record(vehicle, said.level, said.since_ms, message.received_ms)

    def _admit(self, place: Place, message: Message, work: _Work) -> None:
        vehicle = place.vehicle
        timeline = self._ledger.timeline(vehicle)
        if timeline is UNKNOWN:
            if place.service:
                timeline = _SERVICE
            elif len(work.taken.held) < self._room and self._is_new(vehicle):
                work.taken.held.append(message)
                return
        if timeline.silent:
            work.taken.silent += 1
            return
        try:
            self._read(place, message, timeline, work)
        except Unreadable as fault:
            self._set_aside(vehicle, "telemetry", message, fault, timeline, work)

    def _read(self, place: Place, message: Message, timeline: Timeline, work: _Work) -> None:
        """Take in the rows of a message of a car that is not silent throughout.

        Raises:
            Unreadable: nothing of it was taken in.
        """
        name = format_of(message.content_type, place)
        if len(message.payload) > self._largest_bytes:
            raise _too_large(message.payload, self._largest_bytes)
        batch = self._decoders[name](message, place)
        if message.retained and batch.boot is None and not batch.seq:  # it does not tell of when it is
            work.taken.stale += 1
            return
        believable = self._oldest_ms <= batch.t0_ms <= message.received_ms + self._ahead_ms
        month_ms = batch.t0_ms if believable else message.received_ms
        try:
            vehicle = self._pseudonym(place.vehicle, month_ms)
        except KeyDestroyed:
            if month_of(month_ms) == month_of(message.received_ms):
                raise  # of the month that runs: an accident, and everything would be lost
            work.taken.silent += 1
            return
        boot, seq = batch.boot, batch.seq
        if boot is None:
            boot, seq = boot_of(name, place.tenant, vehicle), seq_of(place, message, timed=bool(seq))
        seq = self._seen.fresh(vehicle, boot, seq, again=message.again)
        if seq < 0:
            work.taken.duplicates += 1
            return
        if self._columns.full:
            self._finish(work)
        if batch.table is None:
            self._columns.add(batch.rows)
        else:
            self._columns.add_grid(batch.table)
        self._seen.add(vehicle, boot, seq, seq, message.received_ms)
        driver = None if batch.driver is None else self._pseudonyms.driver(batch.driver, month_ms)
        work.kept.append(
            Telemetry(message.received_ms, timeline, vehicle, driver, boot, seq, batch.t0_ms, place.tenant)
        )

    def _finish(self, work: _Work) -> None:
        """Make rows of what was read so far."""
        work.made.append(rows_of(work.kept, self._columns, self._rules, self._oldest_ms, self._ahead_ms))
        work.kept = []
        self._columns.clear()

    def _pseudonym(self, vehicle: str, at_ms: float) -> str:
        key = (vehicle, at_ms // _DAY_MS)
        name = self._names.get(key)
        if name is None:
            if len(self._names) >= _NAMES_KEPT:
                self._names.clear()
            name = self._names[key] = self._pseudonyms.vehicle(vehicle, at_ms)
        return name

    def _is_new(self, vehicle: str) -> bool:
        now = time.monotonic()
        first = self._strangers.setdefault(vehicle, now)
        if len(self._strangers) > _STRANGERS:
            self._strangers.popitem(last=False)
        return now - first < PATIENCE_S

    def _set_aside(
        self, vehicle: str, kind: Kind, message: Message, fault: Unreadable, timeline: Timeline, work: _Work
    ) -> None:
        """A message that cannot be read, into quarantine with its bytes; of a silent car only the fact that it came."""
        silent = timeline.between(message.received_ms, message.received_ms) == SILENT
        if silent and kind == "telemetry":
            work.taken.silent += 1
            return
        payload = _kept(message.payload, self._largest_bytes)
        name = None if silent else self._pseudonym(vehicle, message.received_ms)
        if not self._seen.add_poison(f"{kind}:{name or message.topic}", payload):
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
                "payload": None if silent else payload,
            }
        )


def _too_large(payload: bytes, largest: int) -> Unreadable:
    return Unreadable(
        "too_large",
        f"the payload has {len(payload)} bytes, of which {largest} are read; send fewer rows a message, or raise "
        "ROCADE_PAYLOAD_MB",
    )


def _kept(payload: bytes, largest: int) -> bytes:
    """What quarantine keeps of a payload: all of it, or its beginning and what tells it from others."""
    if len(payload) <= largest:
        return payload
    mark = f"… {len(payload)} bytes, sha256 {hashlib.sha256(payload).hexdigest()}"
    return payload[:_KEPT_BYTES] + mark.encode()
