"""The MQTT session: persistent, bounded, and acknowledged by hand.

Belongs here: connecting, subscribing, receiving, acknowledging, and the retained consents of a start. Does not: what
the messages say.

Three things that MQTT leaves to its users are settled here.

*The window.* The broker sends at most Receive Maximum messages that we have not acknowledged, and then waits: that
bounds our memory. But we acknowledge only whole batches, so a window smaller than a batch would wait for ever; it
must hold two.

*The epoch.* Packet ids belong to a connection. After a reconnect the broker sends everything unacknowledged again,
with ids that may name other messages now, so an acknowledgement from before is dropped: each message carries the
number of its connection. The lock makes the check and the queueing one step; what was queued before a connection
broke, paho discards before it connects again.

*The order of consent.* A persistent session delivers what was queued while we were away before anything that a new
SUBSCRIBE brings, so a car's retained consent would come after its telemetry. Hence ``retained_consents``: before the
session opens, a short clean connection fetches all of them. Its barrier is a second SUBSCRIBE: the broker has sent
the retained messages of the first by the time it grants the second; a short quiet time covers brokers that answer out
of turn. Changes that come later are in order, since consent and telemetry come by one subscription: between two, some
brokers keep no order. A subscription that is new asks for retained messages, one that persisted does not.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from paho.mqtt.subscribeoptions import SubscribeOptions

from pipelines.collect.formats import Message
from pipelines.errors import CollectError
from pipelines.mqtt import ANSWER_S, ENDED, TOPICS, connect, new_client, place, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from pipelines.settings import Settings

_ALL, _CONSENT = f"{TOPICS}/+/+", f"{TOPICS}/+/consent"
_BARRIER = f"{TOPICS}/-/barrier"  # nobody publishes here; only its grant matters
_QUIET_S = 0.2
_WIDEST_WINDOW = 65_535
_FAILURE = 0x80  # reason codes from here on are refusals


class Session:
    """One collector's connection to the broker.

    Messages arrive in ``inbox``, in the order of receipt.

    Args:
        settings: address, name, window and expiry.
        notify: told, on the network thread, when the connection breaks and when it is back.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._settings = settings
        self._notify = notify
        self._epoch = 0
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._lost = False
        self._refused: str | None = None
        self._closing = False
        self._client = new_client(settings, settings.collector_name, manual_ack=True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def open(self) -> None:
        """Connect and subscribe; afterwards the connection comes back by itself when it breaks.

        Raises:
            CollectError: the broker cannot be reached, or refuses.
        """
        connect(
            self._client,
            self._settings,
            clean=False,
            SessionExpiryInterval=self._settings.session_expiry_s,
            ReceiveMaximum=self._settings.receive_maximum,
        )
        self._client.loop_start()
        if not self._open.wait(ANSWER_S) or self._refused:
            self.close()
            raise refusal(self._settings, self._refused)

    def close(self) -> None:
        """Send what is to be acknowledged, and leave; the broker keeps the session."""
        self._closing = True
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that ``messages``, in the order of receipt, are ours; not those of a broken connection."""
        with self._lock:
            for message in messages:
                if message.qos and message.epoch == self._epoch:
                    self._client.ack(message.mid, message.qos)

    def _on_connect(
        self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._refuse(f"the broker refuses the connection: {reason}")
            return
        # Retained messages only with a subscription that is new: those of a session that persisted were heard.
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        client.subscribe(_ALL, options=options)
        if flags.session_present:
            # It holds already; a broker with a small window grants it again only once we have acknowledged the backlog.
            self._settle()

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object
    ) -> None:
        if reasons[0].value == 1:
            self._settle()
        else:
            self._refuse(f"the broker does not grant {_ALL} with quality of service 1: {reasons[0]}")

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _more: object
    ) -> None:
        with self._lock:
            self._epoch += 1
        if not self._open.is_set() and not self._closing:
            self._refuse(ENDED)
        elif self._open.is_set() and not self._lost and not self._closing:
            self._lost = True
            self._notify(f"the connection to {place(self._settings)} is lost ({reason}); trying again")

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # nobody's
        # Without acknowledgements nothing but the socket slows a sender down, so it has to wait here.
        while not message.qos and self.inbox.qsize() >= self._settings.receive_maximum and not self._closing:
            time.sleep(0.01)
        self.inbox.put(_received(message, self._epoch, topic))

    def _settle(self) -> None:
        if self._lost:
            self._lost = False
            self._notify("the broker is back")
        self._open.set()

    def _refuse(self, why: str) -> None:
        if self._open.is_set():
            self._notify(why)
        else:
            self._refused = why
            self._open.set()


def check_window(settings: Settings) -> None:
    """Refuse settings under which the broker would wait for us and we for the broker.

    Raises:
        CollectError: Receive Maximum is under two batches.
    """
    if settings.receive_maximum < 2 * settings.batch_messages:
        raise CollectError(
            f"receive_maximum {settings.receive_maximum} is less than two batches of {settings.batch_messages} messages"
            ": the broker would stop before a batch is full",
            where="settings",
            fix=f"set ROCADE_RECEIVE_MAXIMUM to {min(2 * settings.batch_messages, _WIDEST_WINDOW)} or more"
            if 2 * settings.batch_messages <= _WIDEST_WINDOW
            else f"set ROCADE_BATCH_MESSAGES to {_WIDEST_WINDOW // 2} or less",
        )


def retained_consents(settings: Settings) -> list[Message]:
    """All consents that the broker retains now.

    Raises:
        CollectError: the broker cannot be reached, or refuses.
        SettingsError: the address or a certificate does not make sense.
    """
    client = new_client(settings, f"{settings.collector_name}-consents", manual_ack=False)
    found: list[Message] = []
    events: queue.SimpleQueue[str] = queue.SimpleQueue()  # what happened, a refusal in words

    def on_connect(_client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
        if reason.is_failure:
            events.put(f"the broker refuses the connection: {reason}")
            return
        client.subscribe(_CONSENT, options=SubscribeOptions(qos=1))

    def on_subscribe(_client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object) -> None:
        events.put(f"the broker does not grant {_CONSENT}: {reasons[0]}" if reasons[0].value >= _FAILURE else "")

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        found.append(_received(message, 0, message.topic))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.on_disconnect = lambda *_: events.put(ENDED)
    # Else a broker sends the first twenty, and drops what its queue cannot hold.
    connect(client, settings, clean=True, ReceiveMaximum=_WIDEST_WINDOW)
    client.loop_start()
    try:
        _await(events, settings)
        client.subscribe(_BARRIER)
        _await(events, settings, refusal_counts=False)
        heard = -1
        while heard != len(found):
            heard = len(found)
            time.sleep(_QUIET_S)
        if not events.empty():  # a broken connection: what was retained may have been cut short
            raise refusal(settings, events.get())
    finally:
        client.disconnect()
        client.loop_stop()
    return found


def _await(events: queue.SimpleQueue[str], settings: Settings, *, refusal_counts: bool = True) -> None:
    try:
        refused = events.get(timeout=ANSWER_S)
    except queue.Empty as error:
        raise refusal(settings, None) from error
    if refused == ENDED or (refused and refusal_counts):
        raise refusal(settings, refused)


def _received(message: MQTTMessage, epoch: int, topic: str) -> Message:
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
    )
