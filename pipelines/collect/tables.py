"""The two tables that the collector writes: their names, columns and keys.

In memory and in the journal, columns that repeat few values are dictionary arrays: an int32 a row instead of a string.
The dictionaries of two tables differ, and may hold an entry twice or unused, so compare values, not indices.
The lake has plain strings: Delta takes either and stores the same.
"""

from __future__ import annotations

import pyarrow as pa

READINGS = "core.readings"
QUARANTINE = "quarantine.messages"
PARTITION = ("day",)

SYNTHETIC = 2**62
"""A seq from here on was made by us, for a format in which cars do not count: no gap can be told from it."""

_INSTANT = pa.timestamp("us", "UTC")
_REPEATED = pa.dictionary(pa.int32(), pa.string())

READINGS_SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32()),
        pa.field("vehicle", _REPEATED),
        pa.field("driver", _REPEATED),
        pa.field("boot", _REPEATED),
        pa.field("seq", pa.int64()),
        pa.field("row", pa.int32()),
        pa.field("ts", _INSTANT),
        pa.field("signal", _REPEATED),
        pa.field("type", _REPEATED),
        pa.field("value", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("known", pa.bool_()),
        pa.field("consent", _REPEATED),
        pa.field("received_at", _INSTANT),
        pa.field("tenant", _REPEATED),
    ]
)
"""``core.readings``: one value of one signal at one instant; ``day`` is the UTC day of ``ts``.

``type`` is what the value is: float, integer, boolean (0 or 1), enum or text. ``known`` tells whether the catalogue has
the signal; of one that it does not have, a text is not kept and ``text`` is null.
"""

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
