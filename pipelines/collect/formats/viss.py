"""COVESA VISS v3: events of a subscription, and answers to a get, which look alike.

``{"action":"subscription","subscriptionId":"…","data":{"path":…,"dp":{"value":"50","ts":"2025-…Z"}},"ts":"…"}``; data
and dp may be lists. Values are strings, so the catalogue says what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.collect.formats.json_payload import loads
from pipelines.collect.formats.message import Batch, Unreadable, clipped, json_type
from pipelines.collect.formats.moments import epoch_ms
from pipelines.collect.formats.typed import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts.signals import Signal


def read_event(payload: bytes, catalogue: Mapping[str, Signal]) -> Batch:
    """The data points of an event, a row an instant.

    Raises:
        Unreadable: it is no event with data.
    """
    said = loads(payload, "a VISS v3 event")
    if type(said) is not dict:
        raise Unreadable("bad_batch", f"the payload is a JSON {json_type(said)}, not an object; send a VISS v3 event")
    if "data" not in said:
        if "error" in said or said.get("action") in ("subscribe", "unsubscribe", "set"):
            return Batch(None, 1, 0.0, None, [])  # an answer that tells nothing of the car
        raise Unreadable("bad_batch", "there is no data; send a VISS v3 event")
    rows: dict[float, dict[str, Any]] = {}
    for entry in _list(said["data"]):
        path = entry.get("path") if type(entry) is dict else None
        if type(path) is not str:
            raise Unreadable("bad_batch", f"data has {clipped(repr(entry))}, which names no path; send a VISS v3 event")
        for point in _list(entry.get("dp")):
            if type(point) is not dict or "value" not in point:
                raise Unreadable(
                    "bad_batch", f"{clipped(path)} has the data point {clipped(repr(point))}, without a value"
                )
            value = point["value"]
            instant = epoch_ms(point.get("ts"))
            name = path.replace("/", ".")
            rows.setdefault(instant, {})[name] = typed(value, catalogue.get(name)) if type(value) is str else value
    first = min(rows, default=0.0)
    return Batch(None, 1, first, None, [[instant - first, readings] for instant, readings in rows.items()])


def _list(value: object) -> list[Any]:
    return value if type(value) is list else [value]
