"""One message as it came from the broker, and what is said of one that cannot be read.

Belongs here: the values that the session, the intake and every wire format share. Does not: any format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.collect.values import Values

Kind = Literal["telemetry", "consent", "state", "advice"]
Reason = Literal[
    "not_json",
    "bad_batch",
    "too_large",
    "unknown_signal",
    "out_of_range",
    "wrong_type",
    "clock_past",
    "clock_future",
    "bad_consent",
]
BIGGEST_SEQ = 2**62 - 1
"""The largest seq that a sender may count to; larger ones are ours (``tables.SYNTHETIC``)."""

_SHOWN = 80  # characters of a foreign text that a message quotes


class Unreadable(Exception):  # noqa: N818 - the state of the message is its name
    """A message that has to wait in quarantine as a whole.

    Args:
        reason: the code under which it waits.
        detail: what is wrong and what to do, without the place.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


@dataclass(slots=True)
class Message:
    """One message as it came from the broker.

    Attributes:
        mid: packet id, for the acknowledgement.
        epoch: number of the connection it came on; an acknowledgement is good on that one alone.
        qos: as delivered, 0 or 1.
        again: whether the broker marks it as a redelivery.
        topic: the whole topic.
        payload: its bytes.
        content_type: MQTT 5 content type, if any.
        received_ms: when it was received, epoch milliseconds.
        done: whether it is durable or refused, so that it may be acknowledged.
        retained: whether the broker had kept it from before we subscribed, so that nobody knows its age.
    """

    mid: int
    epoch: int
    qos: int
    again: bool
    topic: str
    payload: bytes
    content_type: str | None
    received_ms: float
    done: bool = False
    retained: bool = False


Row = Sequence[Any]
"""``[ms after the batch's t0, {path: value}]``; a value is what JSON can hold."""


@dataclass(slots=True)
class Batch:
    """What a telemetry message says, in whichever format it came.

    Attributes:
        boot: the run of the car's computer that counts ``seq``, a UUID in lower case; None in formats that have none.
        seq: number of the message within the boot; without a boot, whether the message carries its own time (1) or not.
        t0_ms: epoch milliseconds to which the offsets of the rows are added.
        driver: raw id of the driver, if said.
        rows: the readings, an instant a row; not looked into yet.
        table: the same as columns, of a format that has columns; then ``rows`` is empty.
    """

    boot: str | None
    seq: int
    t0_ms: float
    driver: str | None
    rows: Sequence[Row]
    table: Grid | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows by signal, as columnar formats have them.

    Attributes:
        offsets_ms: one a row.
        lanes: names of signals, their values one signal after the other, and where a row has none: a signal a line, a row
            a column, whether there is a reading; None where there always is.
    """

    offsets_ms: NDArray[np.float64]
    lanes: Sequence[tuple[tuple[str, ...], Values, NDArray[np.bool_] | None]]


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic tells of the messages on it.

    Attributes:
        kind: what they are about, None for a topic that no car of ours can have.
        vehicle: the car's raw id.
        tenant: whose car it is, if anybody's.
        format: name of the wire format where no content type tells.
        tail: the rest of the topic, its levels joined by ``/``: which metric, in formats with a topic a metric.
        service: whether the subscription's owner has consented for the car.
    """

    kind: Kind | None
    vehicle: str = ""
    tenant: str | None = None
    format: str = "rocade"
    tail: str = ""
    service: bool = False


def clipped(text: str) -> str:
    """``text``, cut to what a message to people may quote."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def quoted(payload: bytes) -> str:
    """The beginning of ``payload``, for people."""
    return clipped(repr(payload[: 4 * _SHOWN].decode("utf-8", "replace")))


def shown(said: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` for people, or that it is missing."""
    return clipped(repr(said[key])) if key in said else "missing"


def json_type(value: object) -> str:
    """What JSON calls ``value``."""
    names = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
