"""The consents that a broker retains, fetched before a collector takes its first message.

A persistent session delivers what was queued while we were away before anything that a new SUBSCRIBE brings, so a car's
retained consent would come after its telemetry. Hence a short clean connection fetches all of them first. Its barrier is
a second SUBSCRIBE: the broker has sent the retained messages of the first by the time it grants the second; a short quiet
time covers brokers that answer out of turn.
"""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

from pipelines.collect.session_paho import received
from pipelines.collect.subscriptions import load_subscriptions
from pipelines.mqtt import ANSWER_S, ENDED, TOPICS, WIDEST_WINDOW, connect, discard, new_client, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
    from paho.mqtt.reasoncodes import ReasonCode

    from pipelines.collect.formats import Message
    from pipelines.settings import Settings

_BARRIER = f"{TOPICS}/-/barrier"  # nobody publishes here; only its grant matters
_QUIET_S = 0.2


def retained_consents(settings: Settings) -> list[Message]:
    """All consents that the broker retains now.

    Raises:
        CollectError: the broker cannot be reached, or refuses.
        SettingsError: the address or a certificate does not make sense.
    """
    filters = dict.fromkeys(topics for each in load_subscriptions(settings) if (topics := each.only("consent")))
    client = new_client(settings, f"{settings.collector_name}-consents", manual_ack=False)
    found: list[Message] = []
    events: queue.SimpleQueue[str] = queue.SimpleQueue()  # what happened, a refusal in words

    def on_connect(_client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
        events.put(f"the broker refuses the connection: {reason}" if reason.is_failure else "")

    def on_subscribe(_client: Client, _data: object, _mid: int, reasons: Sequence[ReasonCode], _more: object) -> None:
        events.put(str(reasons[0]) if reasons[0].is_failure else "")

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        found.append(received(message, 0))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.on_disconnect = lambda *_: events.put(ENDED)
    # Else a broker sends the first twenty, and drops what its queue cannot hold.
    connect(client, settings, clean=True, ReceiveMaximum=WIDEST_WINDOW)
    client.loop_start()
    try:
        _await(events, settings)
        for each in filters:
            client.subscribe(each, qos=1)
            _await(events, settings, f"the broker does not grant {each}: ")
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
        discard(client)
    return found


def _await(
    events: queue.SimpleQueue[str], settings: Settings, before: str = "", *, refusal_counts: bool = True
) -> None:
    try:
        refused = events.get(timeout=ANSWER_S)
    except queue.Empty as error:
        raise refusal(settings, None) from error
    if refused == ENDED:
        raise refusal(settings, refused)
    if refused and refusal_counts:
        raise refusal(settings, before + refused)
