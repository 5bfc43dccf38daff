"""What a car writes on the wire: a batch of rows as Rocade JSON, SenML JSON or an Arrow IPC stream.

What belongs here: the batch, as this side of the broker writes it. Sending is ``publish``'s business.

- Rocade JSON: ``{"vss","boot","seq","t0","driver"?,"rows":[[dt_ms,{path:value}],…]}``.
- SenML (RFC 8428 §4, §5): base name the vehicle and a slash, base time the first row's; it knows no boot, no seq and no
  driver.
- Arrow IPC stream: one record batch, ``dt_ms`` and a column a signal, null where there is no reading; what JSON has
  beside its rows is in the schema's metadata under ``rocade``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pyarrow as pa

from pipelines.errors import SettingsError
from pipelines.mqtt import JSON_BATCH

if TYPE_CHECKING:
    import uuid

Wire = Literal["json", "senml", "arrow"]

CONTENT_TYPES: dict[Wire, str] = {
    "json": JSON_BATCH,
    "senml": "application/senml+json",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""Content type by wire format."""

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
        content_type: what the payload is.
    """

    vehicle: str
    payload: bytes
    ends_ms: int
    rows: int
    readings: int
    content_type: str = JSON_BATCH


@dataclass(frozen=True)
class Head:
    """What a batch says beside its rows.

    Args:
        vehicle: id in the topic.
        boot: the on-board unit's run.
        seq: number of the batch in it, from 0.
        driver: who drives, if known.
    """

    vehicle: str
    boot: str
    seq: int
    driver: str | None = None

    def fields(self, t0: float) -> dict[str, Any]:
        """As JSON and Arrow metadata have it."""
        named = {} if self.driver is None else {"driver": self.driver}
        return {"vss": "6.0", "boot": self.boot, "seq": self.seq, "t0": t0, **named}


def wire_named(name: str) -> Wire:
    """The wire format of this name.

    Raises:
        SettingsError: there is none.
    """
    for wire in CONTENT_TYPES:
        if wire == name:
            return wire
    raise SettingsError(f"there is no wire format {name!r}", fix=f"choose one of {', '.join(CONTENT_TYPES)}")


def batch_messages(
    vehicle: str, boot: uuid.UUID, rows: Sequence[Row], driver: str | None = None, wire: Wire = "json"
) -> list[Message]:
    """The messages of one boot: ``rows`` in time order, ``ROWS_PER_BATCH`` a message, seq from 0.

    The same boot and rows give the same messages, so that a second sending is known for what it is.
    """
    return [
        encode(Head(vehicle, str(boot), seq, driver), rows[first : first + ROWS_PER_BATCH], wire)
        for seq, first in enumerate(range(0, len(rows), ROWS_PER_BATCH))
    ]


def encode(head: Head, rows: Sequence[Row], wire: Wire) -> Message:
    """One message of ``rows`` (at least one)."""
    encoder = {"json": _json, "senml": _senml, "arrow": _arrow}[wire]
    return Message(
        vehicle=head.vehicle,
        payload=encoder(head, rows),
        ends_ms=rows[-1][0],
        rows=len(rows),
        readings=sum(len(values) for _, values in rows),
        content_type=CONTENT_TYPES[wire],
    )


def arrow_stream(head: Head, t0: float, columns: Mapping[str, pa.Array]) -> bytes:
    """An Arrow IPC stream of one record batch: ``dt_ms`` and a column a signal, of equal lengths."""
    metadata = {b"rocade": orjson.dumps(head.fields(t0))}
    schema = pa.schema([(path, column.type) for path, column in columns.items()], metadata=metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


def _json(head: Head, rows: Sequence[Row]) -> bytes:
    t0 = rows[0][0]
    return orjson.dumps({**head.fields(t0), "rows": [[instant - t0, values] for instant, values in rows]})


def _senml(head: Head, rows: Sequence[Row]) -> bytes:
    t0 = rows[0][0]
    records: list[dict[str, Any]] = []
    for instant, values in rows:
        later = {"t": (instant - t0) / 1000} if instant != t0 else {}
        for path, value in values.items():
            key = "vb" if isinstance(value, bool) else "vs" if isinstance(value, str) else "v"
            records.append({"n": path, key: value, **later})
    records[0] = {"bn": f"{head.vehicle}/", "bt": t0 / 1000, **records[0]}
    return orjson.dumps(records)


def _arrow(head: Head, rows: Sequence[Row]) -> bytes:
    t0 = rows[0][0]
    paths = list(dict.fromkeys(path for _, values in rows for path in values))
    columns: dict[str, pa.Array] = {"dt_ms": pa.array([instant - t0 for instant, _ in rows])}
    for path in paths:
        column = pa.array([values.get(path) for _, values in rows])
        columns[path] = column.dictionary_encode() if pa.types.is_string(column.type) else column
    return arrow_stream(head, t0, columns)
