"""The identity of messages in formats in which cars do not count: OVMS, TeslaMate, VISS, SenML.

``core.readings`` tells readings apart by vehicle, boot, seq, row and signal, so each message needs a boot and a seq that
come out the same when it comes again. The boot is a UUIDv5 of the format, the tenant and the car's pseudonym, never of its
raw id: whoever knows a VIN could look for it. The seq is above ``SYNTHETIC`` and tells no order.

A message that carries its own time (VISS, SenML with absolute times) is what its bytes are: the same bytes on the same
topic are the same message, however often they come. One that carries none is a new reading each time, ``50`` a minute
after ``50``; only a redelivery is the same, and that MQTT marks: DUP, under the same packet id. So its seq is a digest of
packet id, topic and payload, followed by the time of receipt, and a redelivery is looked up by the digest alone.
"""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING

from pipelines.collect.tables import SYNTHETIC

if TYPE_CHECKING:
    from pipelines.collect.formats import Message, Place

TIMED = 2**61
"""Set in the seq of a message that carries its own time."""

TICKS = 2**31
"""Milliseconds of receipt that a seq has room for, 24 days; what is above them is the digest."""

_NAMESPACE = uuid.UUID("6b7c3f0e-6f2c-5d0c-9a52-6a1f0c8f2f11")


@lru_cache(maxsize=100_000)
def boot_of(name: str, tenant: str | None, vehicle: str) -> str:
    """The boot of all messages of a car in a format.

    Args:
        name: of the format.
        tenant: whose car it is, if anybody's.
        vehicle: its pseudonym.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{name}\0{tenant or ''}\0{vehicle}"))


def seq_of(place: Place, message: Message, *, timed: bool) -> int:
    """The seq of a message.

    Args:
        place: what its topic tells.
        message: as it came.
        timed: whether it carries its own time.
    """
    digest = hashlib.blake2b(place.tail.encode("utf-8", "replace") + b"\0" + message.payload, digest_size=8)
    if timed:
        return SYNTHETIC | TIMED | (int.from_bytes(digest.digest()) & (TIMED - 1))
    digest.update(message.mid.to_bytes(4))
    return SYNTHETIC | (int.from_bytes(digest.digest()) % (TIMED // TICKS)) * TICKS | (int(message.received_ms) % TICKS)
