"""What a car writes on the wire: the Rocade JSON batch.

What belongs here: the batch, as this side of the broker writes it. Sending is ``publish``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import uuid

ROWS_PER_BATCH = 10
"""Rows in a message: ten seconds at 1 Hz. It is the number of messages that costs (broker and collector handle about as
many long ones a second as short ones), and ten seconds is what a car may lose when it is switched off unsaved."""

Value = float | int | bool | str
Row = tuple[int, Mapping[str, Value]]
"""Instant (epoch, milliseconds) and the readings at it, by VSS path."""


@dataclass(frozen=True)
class Message:
    """One telemetry message, ready to go.

    Args:
        vehicle: id in the topic.
        payload: the encoded batch.
        ends_ms: device time of its last row (epoch, milliseconds): when a car would send it.
        rows: rows in it.
        readings: values in it.
    """

    vehicle: str
    payload: bytes
    ends_ms: int
    rows: int
    readings: int


def batch_messages(vehicle: str, boot: uuid.UUID, rows: Sequence[Row], driver: str | None = None) -> list[Message]:
    """The messages of one boot: ``rows`` in time order, ``ROWS_PER_BATCH`` a message, seq from 0.

    The same boot and rows give the same messages, so that a second sending is known for what it is.
    """
    return [
        _message(vehicle, boot, seq, rows[first : first + ROWS_PER_BATCH], driver)
        for seq, first in enumerate(range(0, len(rows), ROWS_PER_BATCH))
    ]


def _message(vehicle: str, boot: uuid.UUID, seq: int, rows: Sequence[Row], driver: str | None) -> Message:
    t0 = rows[0][0]
    batch: dict[str, Any] = {"vss": "6.0", "boot": str(boot), "seq": seq, "t0": t0}
    if driver is not None:
        batch["driver"] = driver
    batch["rows"] = [[instant - t0, values] for instant, values in rows]
    return Message(
        vehicle=vehicle,
        payload=orjson.dumps(batch),
        ends_ms=rows[-1][0],
        rows=len(rows),
        readings=sum(len(values) for _, values in rows),
    )
