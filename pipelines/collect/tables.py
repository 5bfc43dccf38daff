"""The two tables that the collector writes: their names, columns and keys."""

from __future__ import annotations

import pyarrow as pa

READINGS = "core.readings"
QUARANTINE = "quarantine.messages"
PARTITION = ("day",)

_INSTANT = pa.timestamp("us", "UTC")

READINGS_SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32()),
        pa.field("vehicle", pa.string()),
        pa.field("driver", pa.string()),
        pa.field("boot", pa.string()),
        pa.field("seq", pa.int64()),
        pa.field("row", pa.int32()),
        pa.field("ts", _INSTANT),
        pa.field("signal", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("consent", pa.string()),
        pa.field("received_at", _INSTANT),
    ]
)
"""``core.readings``: one value of one signal at one instant; ``day`` is the UTC day of ``ts``."""

IDENTITY = ("vehicle", "boot", "seq", "row", "signal")
"""What makes two readings the same reading."""

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32()),
        pa.field("received_at", _INSTANT),
        pa.field("vehicle", pa.string()),
        pa.field("boot", pa.string()),
        pa.field("seq", pa.int64()),
        pa.field("row", pa.int32()),
        pa.field("ts", _INSTANT),
        pa.field("signal", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("payload", pa.binary()),
    ]
)
"""``quarantine.messages``: a rejected reading, or a whole message with its bytes; ``day`` is the UTC day of receipt."""
