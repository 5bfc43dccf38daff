"""Arrow IPC stream: one column a signal, a row an instant.

The schema's metadata has ``rocade``, a JSON object with the head of a Rocade batch: vss, boot, seq, and t0 and driver
where they are needed. ``dt_ms`` counts from t0, or ``ts`` is the instant itself; every other column is a signal, null
where there is no reading.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.collect.formats.message import Batch, Grid, Unreadable, clipped
from pipelines.collect.formats.rocade_json import read_head
from pipelines.collect.values import BOOLEAN, FLOAT, INTEGER, TEXT, Values, column_values, number_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONTENT_TYPE = "application/vnd.apache.arrow.stream"

_LARGEST = 128 * 1024 * 1024  # bytes once unpacked; a few hundred bytes of a packed stream may claim any size
_MOST_VALUES = 20_000_000
_PER_MS = {"s": 0.001, "ms": 1.0, "us": 1e3, "ns": 1e6}
_OFFSET_TYPES = (pa.int64(), pa.float64(), pa.int32(), pa.uint32())
_FIX = "send an Arrow IPC stream of record batches"


def read_stream(payload: bytes) -> Batch:
    """A telemetry message that is a stream of record batches.

    Raises:
        Unreadable: it is not one; nothing of it can be trusted.
    """
    try:
        _check_packing(payload)
        return _read(payload)
    except (pa.ArrowException, OSError, MemoryError, ValueError, TypeError, KeyError, struct.error) as error:
        raise Unreadable("bad_batch", f"the payload cannot be read ({clipped(str(error))}); {_FIX}") from error


def _read(payload: bytes) -> Batch:
    with pa.ipc.open_stream(payload) as stream:
        batches = list(stream)
        batch = batches[0] if len(batches) == 1 else _together(batches, stream.schema)
    # Offsets and indices that point outside would crash whoever follows them.
    batch.validate(full=True)
    if batch.num_rows * batch.num_columns > _MOST_VALUES:
        raise Unreadable("bad_batch", f"{batch.num_rows} rows of {batch.num_columns} columns are too many; {_FIX}")
    plan = _planned(batch.schema)
    head = _head(batch.schema.metadata or {})
    instants = _instants_ms(batch.column(plan.clock), plan.clock_name)
    if plan.clock_name == "ts":
        head["t0"] = float(instants[0]) if len(instants) else 0.0
        instants = instants - head["t0"]
    lanes = [(names, *_lane(batch, kind, names, places)) for kind, names, places in plan.lanes]
    return Batch(*read_head(head), [], Grid(instants, lanes))


def _lane(
    batch: pa.RecordBatch, kind: int, names: Sequence[str], places: Sequence[int]
) -> tuple[Values, NDArray[np.bool_] | None]:
    """The values of all columns of a kind, one column after the other, and where there are none."""
    if kind in (FLOAT, INTEGER):
        try:
            matrix = batch.select(places).to_tensor(row_major=False).to_numpy()
        except (pa.ArrowTypeError, pa.ArrowNotImplementedError):
            pass  # there are nulls, or no type that holds them all: column by column
        else:
            return number_values(matrix.ravel(order="F"), kind), None
    columns = [batch.column(at) for at in places]
    if kind == TEXT:
        columns = [_text(column, name) for name, column in zip(names, columns, strict=True)]
    if not any(column.null_count for column in columns):
        return column_values(columns, kind), None
    there = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in columns])
    return column_values([column.drop_null() for column in columns], kind), there


def _together(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    for batch in batches:
        batch.validate(full=True)
    if not any(batch.num_rows for batch in batches):
        return pa.RecordBatch.from_pylist([], schema)
    return pa.Table.from_batches(batches, schema).combine_chunks().to_batches()[0]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which column of a schema is what.

    Attributes:
        schema: that it is for.
        clock_name: ``dt_ms`` or ``ts``.
        clock: where it is.
        lanes: for each kind of values the names and places of its columns.
    """

    schema: pa.Schema
    clock_name: str
    clock: int
    lanes: Sequence[tuple[int, tuple[str, ...], Sequence[int]]]


_plans: deque[_Plan] = deque(maxlen=32)  # schemas met lately: a fleet has few, and comparing costs less than planning


def _planned(schema: pa.Schema) -> _Plan:
    for plan in _plans:
        if plan.schema.equals(schema, check_metadata=False):
            return plan
    names = schema.names
    if len(set(names)) < len(names):
        raise Unreadable("bad_batch", f"a column stands twice; {_FIX}")
    clock = "dt_ms" if "dt_ms" in names else "ts"
    if clock not in names:
        raise Unreadable("bad_batch", "there is neither a column dt_ms nor a column ts")
    lanes: dict[int, list[int]] = {}
    for at, field in enumerate(schema):
        if field.name != clock:
            lanes.setdefault(_kind(field.type, field.name), []).append(at)
    named = [(kind, tuple(names[at] for at in places), places) for kind, places in lanes.items()]
    plan = _Plan(schema.remove_metadata(), clock, names.index(clock), named)
    _plans.appendleft(plan)
    return plan


def _kind(column: pa.DataType, name: str) -> int:
    if pa.types.is_floating(column):
        return FLOAT
    if pa.types.is_integer(column):
        return INTEGER
    if pa.types.is_boolean(column):
        return BOOLEAN
    if _is_text(column) or (pa.types.is_dictionary(column) and _is_text(column.value_type)):
        return TEXT
    raise Unreadable("bad_batch", f"{clipped(name)} is {clipped(str(column))}; send numbers, booleans or texts")


def _head(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    try:
        head = orjson.loads(metadata.get(b"rocade", b""))
    except orjson.JSONDecodeError as error:
        raise Unreadable("bad_batch", f"the schema's metadata `rocade` is no JSON ({error}); {_FIX} with it") from error
    if type(head) is not dict:
        raise Unreadable("bad_batch", f"the schema's metadata `rocade` is no JSON object; {_FIX} with it")
    return head


def _instants_ms(column: pa.Array, clock: str) -> NDArray[np.float64]:
    kind = column.type
    fit = pa.types.is_timestamp(kind) if clock == "ts" else kind in _OFFSET_TYPES
    if not fit or column.null_count:
        wanted = "timestamps" if clock == "ts" else "int64 or float64"
        raise Unreadable(
            "bad_batch", f"{clock} is {clipped(str(kind))}, {column.null_count} null; it must be {wanted}, all set"
        )
    if clock == "ts":
        return np.asarray(column.cast(pa.int64()).to_numpy() / _PER_MS[kind.unit], np.float64)
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _text(column: pa.Array, name: str) -> pa.StringArray:
    """A column of text; of a dictionary, written out."""
    if not pa.types.is_dictionary(column.type):
        return column if column.type == pa.string() else column.cast(pa.string())
    # Written out, an entry can come as often as there are rows: look before.
    sizes = pc.binary_length(column.dictionary).take(column.indices)
    if (pc.sum(sizes).as_py() or 0) > _LARGEST:
        raise Unreadable("bad_batch", f"{clipped(name)} is longer than {_LARGEST} bytes; {_FIX}")
    return column.dictionary_decode().cast(pa.string())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_packing(payload: bytes) -> None:
    """Refuse a packed stream that claims to be larger than what we unpack.

    Each packed buffer begins with its size once unpacked. Arrow allocates whatever it says, so it is read first, from
    the flatbuffer that describes the message (format/Message.fbs of Arrow).
    """
    reader = pa.ipc.MessageReader.open_stream(payload)
    size = 0
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if message.type in ("record batch", "dictionary"):
            size += _unpacked(bytes(message.metadata), message.body, is_dictionary=message.type == "dictionary")
            if size > _LARGEST:
                raise Unreadable("bad_batch", f"it unpacks to {size} bytes, of which {_LARGEST} are allowed; send less")


def _unpacked(meta: bytes, body: pa.Buffer, *, is_dictionary: bool) -> int:
    header = _member(meta, _u32(meta, 0), 2)
    batch = header + _u32(meta, header)
    if is_dictionary:
        data = _member(meta, batch, 1)
        batch = data + _u32(meta, data)
    if not _member(meta, batch, 3):  # not packed: no larger than it is
        return 0
    vector = _member(meta, batch, 2)
    vector += _u32(meta, vector)
    size = 0
    for at in range(_u32(meta, vector)):
        offset, length = struct.unpack_from("<qq", meta, vector + 4 + 16 * at)
        if length >= 8:  # noqa: PLR2004 - the size itself
            size += max(0, struct.unpack_from("<q", body, offset)[0])
    return size


def _member(meta: bytes, table: int, number: int) -> int:
    """Where field ``number`` of a flatbuffer table is; 0 where it is left out."""
    vtable = table - int(struct.unpack_from("<i", meta, table)[0])
    place = 4 + 2 * number
    if place >= struct.unpack_from("<H", meta, vtable)[0]:
        return 0
    offset = int(struct.unpack_from("<H", meta, vtable + place)[0])
    return table + offset if offset else 0


def _u32(meta: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", meta, at)[0])
