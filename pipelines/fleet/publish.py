"""Sending what cars say, over MQTT 5 with QoS 1.

What belongs here: the connection, consent before telemetry, pacing, and the rule that nothing counts as sent before the
broker has acknowledged it. What a car says is made elsewhere (``simulate``, ``replay``); ``batches`` writes it down.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import orjson
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.errors import CollectError
from pipelines.mqtt import ANSWER_S, ENDED, JSON_BATCH, TOPICS, connect, new_client, place, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from paho.mqtt.reasoncodes import ReasonCode

    from pipelines.fleet.batches import Message
    from pipelines.progress import Step
    from pipelines.settings import Settings

_IN_FLIGHT = 500  # unacknowledged messages; enough to fill the pipe, little enough to hold in memory
_PATIENCE_S = 30.0  # without a single acknowledgement, before the broker is taken for gone
_PARKED_MS = 60_000  # a silence of all cars longer than this is skipped when playing in real time
_UNHEARD = 0x10  # reason code of a PUBACK: no matching subscribers


@dataclass(frozen=True)
class Published:
    """What the broker has acknowledged.

    Args:
        messages: telemetry messages.
        rows: rows in them.
        readings: values in them.
        bytes: length of their payloads.
        seconds: from the connection to the last acknowledgement.
        unheard: messages that the broker acknowledged and nobody was subscribed to (brokers may choose not to say).
    """

    messages: int
    rows: int
    readings: int
    bytes: int
    seconds: float
    unheard: int


class Publisher:
    """A connection to the broker of ``settings.mqtt_url`` while the ``with`` block lasts.

    ::

        with Publisher(settings) as publisher:
            publisher.consent({"car-01": ("service", start_ms)})
            publisher.send(messages)
        publisher.published

    Raises:
        SettingsError: the address or a certificate file does not make sense.
        CollectError: the broker cannot be reached, refuses us, or stops answering.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # A name of its own: two replays at once must not throw each other out.
        self._client = new_client(settings, f"rocade-fleet-{uuid.uuid4().hex[:12]}", manual_ack=False)
        self._client.max_inflight_messages = 0  # bounded here, by what the broker takes
        self._client.max_queued_messages = 0
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._changed = threading.Condition()
        self._greeted = False
        self._refused: str | None = None
        self._in_flight = 0
        self._limit = _IN_FLIGHT
        self._acknowledged = self._unheard = 0
        self._published = Published(0, 0, 0, 0, 0, 0)
        self._start = 0.0

    @property
    def published(self) -> Published:
        """What all calls of ``send`` that returned have brought to the broker."""
        return self._published

    def consent(self, levels: Mapping[str, tuple[str, int]]) -> None:
        """Publish each car's consent, retained, and wait until the broker has them all.

        Args:
            levels: by vehicle, the level (one of ``LEVELS``) and from when it rules (epoch, milliseconds).
        """
        for vehicle, (level, since_ms) in levels.items():
            payload = orjson.dumps({"consent": level, "ts": since_ms})
            self._publish(f"{TOPICS}/{vehicle}/consent", payload, retain=True)
        self._drain()
        self._unheard = 0  # retained: whoever comes later hears it

    def send(self, messages: Iterable[Message], *, speed: float = 0, step: Step | None = None) -> None:
        """Publish telemetry and wait until the broker has it all.

        Args:
            messages: in the order of ``ends_ms`` when ``speed`` is not 0.
            speed: 1 is real time, 60 a minute in a second, 0 as fast as the broker takes it. Time in which no car says
                anything for more than a minute is skipped.
            step: advanced by a row at a time.
        """
        pace = _Pace(speed)
        done = self._published
        for message in messages:
            pace.wait_until(message.ends_ms)
            self._publish(f"{TOPICS}/{message.vehicle}/telemetry", message.payload, message.content_type)
            done = replace(
                done,
                messages=done.messages + 1,
                rows=done.rows + message.rows,
                readings=done.readings + message.readings,
                bytes=done.bytes + len(message.payload),
            )
            if step is not None:
                step.advance(message.rows)
        self._drain()
        self._published = replace(done, seconds=time.monotonic() - self._start, unheard=self._unheard)

    def __enter__(self) -> Self:
        connect(self._client, self._settings, clean=True)
        self._client.loop_start()
        try:
            self._await_greeting()
        except BaseException:
            self._client.loop_stop()
            raise
        self._start = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, topic: str, payload: bytes, content_type: str = JSON_BATCH, *, retain: bool = False) -> None:
        self._await(lambda: self._in_flight < self._limit)
        with self._changed:
            self._in_flight += 1
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.ContentType = content_type
        # Not under our lock: the network thread may hold paho's and be waiting for ours in _on_publish.
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)

    def _drain(self) -> None:
        self._await(lambda: self._in_flight == 0)

    def _await_greeting(self) -> None:
        if not self._happens(lambda: self._greeted, ANSWER_S):
            raise refusal(self._settings, None)

    def _await(self, done: Callable[[], bool]) -> None:
        """Wait for ``done``, as long as the broker keeps acknowledging something."""
        while True:
            before = self._acknowledged
            if self._happens(done, _PATIENCE_S):
                return
            if self._acknowledged == before:
                raise CollectError(
                    f"no acknowledgement for {_PATIENCE_S:g} s, {self._in_flight} messages are outstanding",
                    where=place(self._settings),
                    fix="see whether the broker still runs and what its log says; sending again does no harm",
                )

    def _happens(self, done: Callable[[], bool], seconds: float) -> bool:
        with self._changed:
            happened = self._changed.wait_for(lambda: done() or self._refused is not None, seconds)
            if self._refused is not None:
                raise refusal(self._settings, self._refused)
            return happened

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, properties: Any) -> None:
        with self._changed:
            self._greeted |= not reason.is_failure
            if reason.is_failure:
                self._refused = f"the broker refused the connection: {reason}"
            # Mosquitto allows 20 by default and ends the connection of who sends more; paho does not look at it.
            self._limit = min(_IN_FLIGHT, getattr(properties, "ReceiveMaximum", _IN_FLIGHT))
            self._changed.notify_all()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        with self._changed:
            if not self._greeted and self._refused is None:
                self._refused = ENDED
                self._changed.notify_all()
            # Else paho connects again by itself and sends what was not acknowledged.

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._changed:
            self._in_flight -= 1
            self._acknowledged += 1
            if reason.is_failure:
                self._refused = f"the broker refused a message: {reason}"
            self._unheard += reason.value == _UNHEARD
            self._changed.notify_all()


class _Pace:
    """Waits until a device instant is due, ``speed`` times as fast as it happened."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._last_ms: int | None = None
        self._due = time.monotonic()

    def wait_until(self, device_ms: int) -> None:
        if not self._speed:
            return
        if self._last_ms is not None and 0 < device_ms - self._last_ms <= _PARKED_MS:
            self._due += (device_ms - self._last_ms) / 1000 / self._speed
        self._last_ms = device_ms
        time.sleep(max(0.0, self._due - time.monotonic()))
