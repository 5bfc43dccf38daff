"""A publisher for load: QoS 1 over MQTT 5, packets written before the clock starts, acknowledgements counted.

What belongs here: how many messages a second reach a broker. paho (``publish``) spends its time a message at a time;
here packets lie one behind the other in one buffer, packet ids are written into all of them at once, and the socket gets
as much as the broker's window allows. It resends nothing and ends with its connection: what a car needs is in ``publish``.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

import mqtt5
import numpy as np

from pipelines.errors import CollectError, SettingsError
from pipelines.mqtt import ANSWER_S, JSON_BATCH, place

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from numpy.typing import NDArray

    from pipelines.settings import Settings

    Ids = NDArray[np.int64]

_PORT = 1883
_WINDOW = (
    20_000  # messages on their way at most; the broker's Receive Maximum (Mosquitto: max_inflight_messages) may be less
)
_IDS = 65_535  # packet ids go from 1 to here
_CHUNK = 1 << 18
_PATIENCE_S = 60.0  # without a single acknowledgement, before the broker is taken for gone
_TICK_S = 0.002  # between two looks whether the rate allows more
_TAKEN = (mqtt5.PubAckReasonCode.SUCCESS, mqtt5.PubAckReasonCode.NO_MATCHING_SUBSCRIBERS)
_PUBACK = 0x4002  # what a PUBACK without reason code begins with; its packet id follows, and that is all


@dataclass(frozen=True)
class Packets:
    """PUBLISH packets ready to go, their packet ids still to be filled in.

    Args:
        buffer: the packets, one behind the other.
        ends: where each ends in ``buffer``.
        ids: where each packet's id is in ``buffer``.
        payload_bytes: bytes of their payloads.
    """

    buffer: bytearray
    ends: Ids
    ids: Ids
    payload_bytes: int


@dataclass(frozen=True)
class Acknowledged:
    """What the broker has acknowledged.

    Args:
        messages: acknowledged messages.
        payload_bytes: bytes of their payloads.
        seconds: from the first byte sent to the last acknowledgement.
        unheard: messages that nobody was subscribed to (brokers may choose not to say).
    """

    messages: int
    payload_bytes: int
    seconds: float
    unheard: int


def packets(messages: Iterable[tuple[str, bytes]], content_type: str = JSON_BATCH, *, retain: bool = False) -> Packets:
    """PUBLISH packets (MQTT 5 §3.3, QoS 1) of ``(topic, payload)``, in their order."""
    parts: list[bytes] = []
    sizes: list[int] = []
    ids: list[int] = []
    total = 0
    for topic, payload in messages:
        name = topic.encode()
        kind = content_type.encode()
        # Properties: their length, then 0x03 and the content type.
        head = len(name).to_bytes(2) + name + b"\0\0" + _varint(3 + len(kind)) + b"\x03" + len(kind).to_bytes(2) + kind
        first = bytes([0x32 | retain]) + _varint(len(head) + len(payload))
        parts += (first, head, payload)
        sizes.append(len(first) + len(head) + len(payload))
        ids.append(len(first) + 2 + len(name))
        total += len(payload)
    ends = np.cumsum(np.array(sizes, dtype=np.int64))
    return Packets(bytearray(b"".join(parts)), ends, ends - sizes + np.array(ids, dtype=np.int64), total)


class Loader:
    """A connection to the broker of ``settings.mqtt_url`` while the ``with`` block lasts.

    ::

        with Loader(settings) as loader:
            loader.send(packets((topic, payload) for …))
        loader.load.messages

    Args:
        settings: which broker; ``mqtt://`` only, user and password as in the address.
        rate: messages a second at most; as fast as the broker takes them when absent.

    Raises:
        SettingsError: the address asks for TLS or does not make sense.
        CollectError: the broker cannot be reached, refuses us or a message, or stops answering.
    """

    def __init__(self, settings: Settings, *, rate: float | None = None) -> None:
        self._settings = settings
        place(settings)  # raises where the address makes no sense
        self._address = urlsplit(settings.mqtt_url)
        if self._address.scheme != "mqtt":
            raise SettingsError(
                "the publisher for load does not speak TLS",
                where="setting ROCADE_MQTT_URL",
                fix="use a listener without it (mqtt://), or send less with `rocade simulate`",
            )
        self._window = _WINDOW
        self._rate = rate
        self._socket: socket.socket | None = None
        self._incoming = bytearray()
        self._sent = self._acknowledged = self._unheard = self._payload_bytes = 0
        self._begun: float | None = None
        self._heard = 0.0

    @property
    def load(self) -> Acknowledged:
        """What has been acknowledged so far."""
        begun = self._heard if self._begun is None else self._begun
        return Acknowledged(self._acknowledged, self._payload_bytes, self._heard - begun, self._unheard)

    def send(self, batch: Packets) -> None:
        """Send all of ``batch`` once and return when the last byte has left; acknowledgements may still be missing.

        ``batch`` may be sent again: its packet ids are written anew.
        """
        count = len(batch.ends)
        if self._begun is None:
            self._begun = self._heard = time.monotonic()
        _number(batch, self._sent)
        view = memoryview(batch.buffer)
        at, base = 0, self._sent
        while at < len(view):
            allowed = min(count, self._acknowledged + self._window - base, self._due() - base)
            limit = int(batch.ends[allowed - 1]) if allowed > 0 else 0
            at += self._exchange(view[at:limit] if limit > at else None)
            self._sent = base + int(np.searchsorted(batch.ends, at, side="right"))
        self._payload_bytes += batch.payload_bytes

    def listen(self, seconds: float) -> None:
        """Wait so long and take what acknowledgements come."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._connection()], [], [], left)[0]:
                self._exchange(None)

    def drain(self) -> None:
        """Wait until everything sent is acknowledged."""
        while self._acknowledged < self._sent:
            self._exchange(None)

    def __enter__(self) -> Self:
        try:
            self._socket = socket.create_connection(
                (self._address.hostname or "", self._address.port or _PORT), ANSWER_S
            )
            self._greet(self._socket)
        except OSError as error:
            self._close()
            raise self._failure(f"the broker cannot be reached: {error}") from error
        except CollectError:
            self._close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(0)  # select tells when
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.drain()
        finally:
            self._close()

    def _greet(self, connection: socket.socket) -> None:
        greeting = mqtt5.ConnectPacket(
            f"rocade-load-{uuid.uuid4().hex[:12]}",
            username=None if self._address.username is None else unquote(self._address.username),
            password=None if self._address.password is None else unquote(self._address.password).encode(),
            clean_start=True,
        )
        connection.sendall(greeting.write())
        while True:
            data = connection.recv(_CHUNK)
            if not data:
                raise self._failure("the broker ended the connection instead of answering")
            self._incoming += data
            with contextlib.suppress(IndexError):
                answer, size = mqtt5.read(memoryview(bytes(self._incoming)))
                break
        del self._incoming[:size]
        if not isinstance(answer, mqtt5.ConnAckPacket) or answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            raise self._failure(f"the broker refused the connection: {answer}")
        self._window = min(self._window, answer.receive_max)

    def _due(self) -> int:
        """How many messages may have been sent by now."""
        if self._rate is None or self._begun is None:
            return self._sent + _IDS
        return int((time.monotonic() - self._begun) * self._rate)

    def _exchange(self, outgoing: memoryview | None) -> int:
        """Bytes of ``outgoing`` that the socket took; reads what came in. Waits until one of the two is possible."""
        connection = self._connection()
        patience = _TICK_S if self._rate is not None and outgoing is None else _PATIENCE_S
        readable, writable, _ = select.select([connection], [connection] if outgoing else [], [], patience)
        if readable:
            try:
                data = connection.recv(_CHUNK)
            except OSError as error:
                raise self._failure(f"the connection broke: {error}") from error
            if not data:
                raise self._failure("the broker ended the connection")
            self._take(data)
        elif not writable and self._sent > self._acknowledged and time.monotonic() - self._heard > _PATIENCE_S:
            raise self._failure(f"no acknowledgement for {_PATIENCE_S:g} s")
        if not writable or not outgoing:
            return 0
        try:
            return connection.send(outgoing[:_CHUNK])
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._failure(f"the connection broke: {error}") from error

    def _take(self, data: bytes) -> None:
        """Count the acknowledgements in ``data`` and see that they come in the order of sending (MQTT-4.6.0-2)."""
        pending = bytes(self._incoming) + data
        view = memoryview(pending)
        at = 0
        while at < len(pending):
            plain = _plain(view[at:])
            if len(plain):
                self._count(plain)
                at += 4 * len(plain)
                continue
            try:
                packet, size = mqtt5.read(view[at:])
            except IndexError:
                break  # the rest is still on its way
            if not isinstance(packet, mqtt5.PubAckPacket):
                raise self._failure(f"the broker sent {packet} instead of an acknowledgement")
            if packet.reason_code not in _TAKEN:
                raise self._failure(f"the broker refused a message: {packet.reason_code}")
            self._unheard += packet.reason_code == _TAKEN[1]
            self._count(np.array([packet.packet_id]))
            at += size
        self._incoming = bytearray(pending[at:])
        self._heard = time.monotonic()

    def _count(self, ids: Ids) -> None:
        expected = (self._acknowledged + np.arange(len(ids))) % _IDS + 1
        if (ids != expected).any():
            raise self._failure("the broker acknowledges out of order")
        self._acknowledged += len(ids)

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise CollectError("the publisher is not connected", fix="use it inside its `with` block")
        return self._socket

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _failure(self, what: str) -> CollectError:
        return CollectError(
            f"{what}; {self._acknowledged} messages were acknowledged",
            where=place(self._settings),
            fix="see whether the broker runs and what its log says",
        )


def _number(batch: Packets, first: int) -> None:
    """Write packet ids into ``batch``: the message that is ``n``-th of all (from 0) gets n mod 65535 + 1."""
    ids = (first + np.arange(len(batch.ends))) % _IDS + 1
    view = np.frombuffer(batch.buffer, dtype=np.uint8)
    view[batch.ids] = ids >> 8
    view[batch.ids + 1] = ids & 0xFF


def _plain(view: memoryview) -> Ids:
    """Packet ids of the PUBACKs without reason code at the start of ``view``, up to the first other packet."""
    words = np.frombuffer(view[: len(view) // 4 * 4], dtype=">u2").reshape(-1, 2)
    other = words[:, 0] != _PUBACK
    return words[: int(other.argmax()) if other.any() else len(words), 1].astype(np.int64)


def _varint(number: int) -> bytes:
    """Variable byte integer, MQTT 5 §1.5.5."""
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | 0x80 if number else digit)
        if not number:
            return bytes(out)
