"""Wire formats: from the bytes of one message to its rows, or to the reason why not.

Belongs here: a module a format, and which one reads what. Does not: whether the values make sense (checks.py), whether
they may be kept (intake.py), which topics there are (subscriptions.py).

A format's content type (MQTT 5) chooses its decoder; where there is none, the subscription names it. A decoder takes a
message and what its topic tells, and gives a ``Batch``; it never raises anything but ``Unreadable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.collect.formats import arrow_ipc, ovms, rocade_json, senml, teslamate, viss
from pipelines.collect.formats.consent import Statement, read_consent
from pipelines.collect.formats.message import Batch, Kind, Message, Place, Reason, Unreadable, clipped
from pipelines.mqtt import JSON_BATCH

if TYPE_CHECKING:
    from pipelines.contracts.signals import Signal

Decode = Callable[[Message, Place], Batch]

CONTENT_TYPES = {JSON_BATCH: "rocade", senml.CONTENT_TYPE: "senml", arrow_ipc.CONTENT_TYPE: "arrow"}
"""The formats that have a content type."""

FORMATS = ("rocade", "senml", "arrow", "ovms", "teslamate", "viss")
"""Names of all formats, as a subscription names them."""

_OWN = frozenset(CONTENT_TYPES.values())


def decoders(catalogue: Mapping[str, Signal]) -> Mapping[str, Decode]:
    """The decoder of each format, for readings of the signals in ``catalogue``."""
    return {
        "rocade": lambda message, _: rocade_json.read_batch(message.payload),
        "senml": lambda message, _: senml.read_pack(message.payload, message.received_ms, catalogue),
        "arrow": lambda message, _: arrow_ipc.read_stream(message.payload),
        "ovms": lambda message, place: ovms.read_metric(message.payload, place.tail, message.received_ms, catalogue),
        "teslamate": lambda message, place: teslamate.read_topic(
            message.payload, place.tail, message.received_ms, catalogue
        ),
        "viss": lambda message, _: viss.read_event(message.payload, catalogue),
    }


def format_of(content_type: str | None, place: Place) -> str:
    """The name of the format in which a message is written.

    Raises:
        Unreadable: its content type has no decoder.
    """
    if not content_type:
        return place.format
    found = CONTENT_TYPES.get(content_type) or CONTENT_TYPES.get(content_type.split(";")[0].strip().lower())
    if found is not None:
        return found
    if place.format not in _OWN:  # bare texts of foreign software: whatever it calls them
        return place.format
    raise Unreadable(
        "bad_batch",
        f"content type {clipped(content_type)!r} has no decoder here; send {', '.join(CONTENT_TYPES)}, or none at all",
    )


__all__ = [
    "CONTENT_TYPES",
    "FORMATS",
    "Batch",
    "Decode",
    "Kind",
    "Message",
    "Place",
    "Reason",
    "Statement",
    "Unreadable",
    "decoders",
    "format_of",
    "read_consent",
]
