"""From bytes on a connection to messages, as many at once as there are.

Belongs here: the receive buffer, and what to make of a packet that the `mqtt5` codec cannot read. Does not: the socket
(session_mqtt5.py), what a message says (formats).

A PUBLISH that a broker lets pass with a topic or a property that is not UTF-8 would come again after every reconnect and
stop everything behind it, so it becomes a message of nobody's topic, which can be acknowledged. (The codec, version 0.8,
panics there; the panic leaves nothing behind.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mqtt5
from mqtt5 import DisconnectReasonCode

from pipelines.collect.formats import Message

if TYPE_CHECKING:
    from mqtt5 import Packet

_BUFFER = 2**20
_PUBLISH = 3
_LONGEST_HEADER = 5  # bytes: type, and up to four of length


@dataclass(frozen=True)
class Fault:
    """Why nothing more can be read from a connection."""

    code: DisconnectReasonCode
    words: str


class Reader:
    """Bytes in, messages out.

    Args:
        longest: bytes of the longest packet that we take.
    """

    def __init__(self, longest: int) -> None:
        self.fault: Fault | None = None
        self._longest = longest
        self._view = memoryview(bytearray(_BUFFER))
        self._have = 0

    def room(self) -> memoryview:
        """Where the next bytes go; empty when it is full."""
        return self._view[self._have :]

    def filled(self, count: int) -> None:
        """So many bytes were put into ``room``."""
        self._have += count

    def decode(
        self, epoch: int, now_ms: float, messages: list[Message], packets: list[Packet], most: int | None = None
    ) -> int:
        """Take out whatever is whole.

        Args:
            epoch: number of the connection.
            now_ms: time of receipt, epoch milliseconds.
            messages: the PUBLISH packets are added here.
            packets: all others here.
            most: packets to take out, all when absent.

        Returns:
            Bytes of the messages. A fault is in ``fault``; what came before it stands.
        """
        view, have, at, others = self._view, self._have, 0, 0
        read, publish, add = mqtt5.read, mqtt5.PublishPacket, messages.append
        while at < have and most != len(packets):
            try:
                packet, size = read(view[at:have])
            except BaseException as error:  # the codec's panic is no Exception
                if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                    raise
                length = _length(view[at:have])
                if length is None or (at + length > have and length <= self._longest):
                    break  # it is not whole yet
                salvaged = None if length > self._longest else _salvaged(view[at : at + length], epoch, now_ms)
                if salvaged is None:
                    self.fault = _fault(length, self._longest, error)
                    break
                add(salvaged)
                at += length
                continue
            if type(packet) is publish:
                mid = packet.packet_id
                add(
                    Message(
                        mid or 0,
                        epoch,
                        0 if mid is None else 1,
                        packet.duplicate,
                        packet.topic,
                        packet.payload,
                        packet.content_type,
                        now_ms,
                        False,  # noqa: FBT003 - by position, for speed: not done yet
                        packet.retain,
                    )
                )
            else:
                packets.append(packet)
                others += size
            at += size
        self._keep(at, have)
        return at - others

    def _keep(self, at: int, have: int) -> None:
        """Move what is not yet whole to the front, of a buffer that has room for all of it."""
        rest = self._view[at:have]
        length = _length(rest) or 0
        size = max(_BUFFER, min(length, self._longest))
        if size != len(self._view):
            fresh = memoryview(bytearray(size))
            fresh[: len(rest)] = rest
            self._view = fresh
        elif at and len(rest):
            self._view[: len(rest)] = bytes(rest)
        self._have = have - at


def _length(data: memoryview) -> int | None:
    """Bytes of the packet that begins with ``data``, header included; None while that cannot be told."""
    length = 0
    for at in range(1, min(len(data), _LONGEST_HEADER)):
        length |= (data[at] & 0x7F) << 7 * (at - 1)
        if data[at] < 0x80:  # noqa: PLR2004 - the bit that says that another byte follows
            return 1 + at + length
    return 2**32 if len(data) >= _LONGEST_HEADER else None  # four bytes that all go on: longer than any packet


def _salvaged(packet: memoryview, epoch: int, now_ms: float) -> Message | None:
    """A whole PUBLISH with a fault inside, as a message of nobody's; None when there is nothing to acknowledge."""
    qos = packet[0] >> 1 & 3
    if packet[0] >> 4 != _PUBLISH or qos > 1:
        return None
    at = 1
    while packet[at] >= 0x80:  # noqa: PLR2004 - as above
        at += 1
    topic_ends = at + 3 + int.from_bytes(packet[at + 1 : at + 3], "big")
    if topic_ends + 2 * qos > len(packet):
        return None
    mid = int.from_bytes(packet[topic_ends : topic_ends + 2], "big") if qos else 0
    return Message(mid, epoch, qos, bool(packet[0] & 8), "", bytes(packet[topic_ends + 2 * qos :]), None, now_ms)


def _fault(length: int, longest: int, error: BaseException) -> Fault:
    if length > longest:
        return Fault(DisconnectReasonCode.PACKET_TOO_LARGE, f"it sent a packet of more than {longest} bytes")
    return Fault(DisconnectReasonCode.MALFORMED_PACKET, f"it sent a malformed packet: {error}")
