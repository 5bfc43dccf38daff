"""The MQTT session as the collector sees it: persistent, bounded, and acknowledged by hand.

Belongs here: what a session promises, what is subscribed to, and the inbox between its thread and the collector's. Does
not: which of the two it is (sessions.py), packets (session_mqtt5.py, session_paho.py), what the messages say (intake.py),
whether a broker is safe to collect from (preflight.py).

Three things that MQTT leaves to its users are settled by every session.

*The window.* The broker sends at most Receive Maximum messages that we have not acknowledged, and then waits. But
messages may be long, and MQTT 3.1.1 has no such window, so the inbox counts bytes as well: above its limit the socket is
not read, until the broker has to hold what it has.

*The epoch.* Packet ids belong to a connection. After a reconnect the broker sends everything unacknowledged again,
with ids that may name other messages now, so an acknowledgement from before is dropped: each message carries the
number of its connection.

*The order of consent.* A persistent session delivers what was queued while we were away before anything that a new
SUBSCRIBE brings, so a car's retained consent would come after its telemetry: see consents.py. Changes that come later
are in order as long as consent and telemetry come by one subscription; between two, some brokers keep no order. Workers
that share the telemetry need two: a consent concerns all of them. A broker for several workers has to keep the order
within a connection, as Mosquitto does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.collect.formats import Message
    from pipelines.collect.subscriptions import Subscription

GROUP = "rocade"
"""The share name of workers."""

_TICK_S = 0.1  # how soon a stop is noticed

# Many brokers keep fewer messages in flight than our window allows (EMQX 32, rumqttd 100, by default): then no more come
# until we acknowledge, so a batch with some company does not wait through a lull.
_LULL_S = 0.02
_COMPANY = 10


@dataclass(frozen=True)
class Wanted:
    """A topic filter to be subscribed to, with the quality of service that has to be granted."""

    filter: str
    qos: int = 1


class Session(Protocol):
    """One collector's connection to the broker; it comes back by itself when it breaks."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""

    def open(self) -> None:
        """Connect and subscribe.

        Raises:
            CollectError: the broker cannot be reached, refuses, or would lose data.
        """

    def take(self, most: int, wait_s: float, most_bytes: float) -> list[Message]:
        """Messages in the order of receipt; none when none came for a tick.

        Args:
            most: so many at most.
            wait_s: seconds that the first one waits for company, at most.
            most_bytes: of payloads; a longer message comes alone.

        Raises:
            CollectError: the session is over for good.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that ``messages``, in the order of receipt, are ours; not those of a broken connection."""

    def close(self, *, forget: bool = False) -> None:
        """Send what is to be acknowledged, and leave; the broker keeps the session, unless it is to ``forget``."""


class Inbox:
    """What was received and not yet taken, in pieces as they were received.

    Args:
        limit: bytes from which on it is full.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._pieces: deque[tuple[list[Message], int]] = deque()
        self._count = self._bytes = 0
        self._changed = threading.Condition()
        self._error: Exception | None = None

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether the broker has to wait."""
        return self._bytes >= self._limit

    def put(self, messages: list[Message], size: int) -> None:
        """Add a piece of ``size`` bytes."""
        with self._changed:
            self._pieces.append((messages, size))
            self._count += len(messages)
            self._bytes += size
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Nothing more will come; ``take`` says why."""
        with self._changed:
            self._error = error
            self._changed.notify()

    def take(self, most: int, wait_s: float, most_bytes: float) -> list[Message]:
        """See ``Session.take``."""
        with self._changed:
            if not self._pieces and self._error is None:
                self._changed.wait(_TICK_S)
            if not self._pieces:
                if self._error is not None:
                    raise self._error
                return []
            deadline = time.monotonic() + wait_s
            while self._count < most and self._bytes < most_bytes and not self.full and self._error is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                if not self._changed.wait(min(left, _LULL_S)) and self._count >= _COMPANY:
                    break
            return self._some(most, most_bytes)

    def _some(self, most: int, most_bytes: float) -> list[Message]:
        taken: list[Message] = []
        size = 0
        while self._pieces and len(taken) < most:
            piece, weight = self._pieces[0]
            if taken and size + weight > most_bytes:
                break
            self._pieces.popleft()
            if len(taken) + len(piece) > most:
                cut = most - len(taken)
                rest = weight * (len(piece) - cut) // len(piece)
                self._pieces.appendleft((piece[cut:], rest))
                piece, weight = piece[:cut], weight - rest
            taken += piece
            size += weight
        self._count -= len(taken)
        self._bytes -= size
        return taken


def filters_for(subscriptions: Sequence[Subscription], *, shared: bool) -> list[Wanted]:
    """What a collector subscribes to, filters of nothing but consents first.

    Args:
        subscriptions: what is to be collected.
        shared: whether other workers take part of the telemetry. Consents then come to every worker, and of Rocade's own
            topics nothing else but telemetry is subscribed to.
    """
    ordered = sorted(subscriptions, key=lambda each: each.kind != "consent")
    if shared:
        wanted = [Wanted(found) for each in ordered if (found := each.only("consent"))]
        wanted += [Wanted(f"$share/{GROUP}/{found}", each.qos) for each in ordered if (found := each.only("telemetry"))]
    else:
        wanted = [Wanted(each.filter, each.qos) for each in ordered]
    firsts: dict[str, Wanted] = {}
    for each in wanted:
        firsts.setdefault(each.filter, each)
    return list(firsts.values())
