"""An MQTT 3.1.1 session, by paho-mqtt.

Belongs here: connecting, subscribing, receiving and acknowledging with paho, which costs ten times as much a message as
session_mqtt5.py and is enough for the brokers that speak no MQTT 5. Does not: what the messages say.

MQTT 3.1.1 has no Receive Maximum: how much is in flight is the broker's setting, and what bounds our memory is that paho's
thread waits in its callback while the inbox is full, so that nobody reads the socket. When that lasts longer than the
keepalive the broker ends the connection; nothing is lost by it, it sends again what was not acknowledged.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from pipelines.collect.formats import Message
from pipelines.collect.preflight import INVISIBLE
from pipelines.collect.session import Inbox
from pipelines.mqtt import ANSWER_S, ENDED, connect, discard, new_client, place, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from pipelines.collect.session import Wanted
    from pipelines.settings import Settings

_OVERHEAD = 100  # bytes of a message besides topic and payload, about


class PahoSession:
    """See ``Session``.

    Args:
        settings: address, name and window.
        wanted: what to subscribe to.
        notify: told on paho's thread of what an operator wants to know.
        unwanted: filters that the broker may still hold for us.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """

    def __init__(
        self,
        settings: Settings,
        wanted: Sequence[Wanted],
        notify: Callable[[str], None],
        *,
        unwanted: Sequence[str] = (),
    ) -> None:
        self._settings, self._wanted, self._notify, self._unwanted = settings, list(wanted), notify, list(unwanted)
        self._inbox = Inbox(settings.inbox_mb * 1e6)
        self._epoch = 0
        self._lock = threading.Lock()  # makes the check of the epoch and the queueing of an acknowledgement one step
        self._open = threading.Event()
        self._up = self._lost = False
        self._refused: str | None = None
        self._closing = False
        self._client = new_client(settings, settings.collector_name, manual_ack=True, clean=False)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._up

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return len(self._inbox)

    def open(self) -> None:
        """See ``Session.open``."""
        connect(self._client, self._settings, clean=False)
        self._client.loop_start()
        if not self._open.wait(ANSWER_S) or self._refused:
            self.close()
            raise refusal(self._settings, self._refused)
        self._notify(INVISIBLE)

    def take(self, most: int, wait_s: float, most_bytes: float) -> list[Message]:
        """See ``Session.take``."""
        return self._inbox.take(most, wait_s, most_bytes)

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """See ``Session.acknowledge``; what was queued before a connection broke, paho discards by itself."""
        with self._lock:
            for message in messages:
                if message.qos and message.epoch == self._epoch:
                    self._client.ack(message.mid, message.qos)

    def close(self, *, forget: bool = False) -> None:
        """See ``Session.close``; to be forgotten takes a clean session in 3.1.1."""
        self._closing = True
        self._up = False
        self._client.disconnect()
        self._client.loop_stop()
        discard(self._client)
        if forget:
            client = new_client(self._settings, self._settings.collector_name, manual_ack=False, clean=True)
            connect(client, self._settings, clean=True)
            client.disconnect()
            discard(client)

    def _on_connect(
        self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._refuse(f"the broker refuses the connection: {reason}")
            return
        if self._lost and not flags.session_present:
            self._notify(
                f"the broker at {place(self._settings)} has forgotten our session: what it had queued for us is lost, "
                "unless the cars send it again"
            )
        for each in self._unwanted:
            client.unsubscribe(each)
        if self._wanted:
            client.subscribe([(each.filter, each.qos) for each in self._wanted])
        if flags.session_present or not self._wanted:
            # It holds already; a broker with a small window grants it again only once we have acknowledged the backlog.
            self._settle()

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object
    ) -> None:
        for each, reason in zip(self._wanted, reasons, strict=True):
            if reason.value != each.qos:
                self._refuse(f"the broker does not grant {each.filter} with quality of service {each.qos}: {reason}")
                return
        self._settle()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        self._up = False
        with self._lock:
            self._epoch += 1
        if not self._open.is_set() and not self._closing:
            self._refuse(ENDED)
        elif self._open.is_set() and not self._lost and not self._closing:
            self._lost = True
            self._notify(f"the connection to {place(self._settings)} is lost ({reason}); trying again")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        while self._inbox.full and not self._closing:
            time.sleep(0.01)
        taken = received(message, self._epoch)
        self._inbox.put([taken], len(taken.payload) + len(taken.topic) + _OVERHEAD)

    def _settle(self) -> None:
        if self._lost:
            self._lost = False
            self._notify("the broker is back")
        self._up = True
        self._open.set()

    def _refuse(self, why: str) -> None:
        if self._open.is_set():
            self._notify(why)
        else:
            self._refused = why
            self._open.set()


def received(message: MQTTMessage, epoch: int) -> Message:
    """A message of paho's as one of ours; a topic that is not UTF-8 is nobody's."""
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    content_type: Any = getattr(message.properties, "ContentType", None)
    return Message(
        mid=message.mid,
        epoch=epoch,
        qos=message.qos,
        again=message.dup,
        topic=topic,
        payload=bytes(message.payload),
        content_type=content_type,
        received_ms=time.time() * 1000,
        retained=message.retain,
    )
