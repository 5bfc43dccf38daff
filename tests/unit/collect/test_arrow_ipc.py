from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.collect.formats import Unreadable, arrow_ipc
from pipelines.collect.formats.arrow_ipc import CONTENT_TYPE, read_stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Inlet

    from pipelines.collect.formats import Message

NOW = 1_770_000_000_000
BOOT = "00000000-0000-4000-8000-000000000001"
HEAD: dict[str, Any] = {"vss": "6.0", "boot": BOOT, "seq": 3, "t0": NOW, "driver": "D1"}


def stream(*tables: pa.Table, head: dict[str, Any] | None = None, **options: Any) -> bytes:
    schema = tables[0].schema.with_metadata({"rocade": json.dumps(HEAD if head is None else head)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for table in tables:
            writer.write_table(table.replace_schema_metadata(schema.metadata))
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


COLUMNS: dict[str, Any] = {
    "dt_ms": [0, 100, 200],
    "Vehicle.Speed": [1.5, None, 3.5],
    "Vehicle.AverageSpeed": pa.array([1, 2, 3], pa.float32()),
    "Vehicle.Powertrain.Transmission.CurrentGear": pa.array([1, 2, None], pa.int8()),
    "Vehicle.IsMoving": [True, False, None],
    "Vehicle.Powertrain.Type": pa.array(["ELECTRIC", None, "HYBRID"]).dictionary_encode(),
    "Vehicle.VehicleIdentification.Brand": pa.array(["a", "b", None], pa.large_string()),
    "Maker.Count": [7, 8, 2**53],
    "Maker.Nothing": pa.nulls(3, pa.float64()),
}
READINGS = {
    (0, "Vehicle.Speed", "float", 1.5, None),
    (2, "Vehicle.Speed", "float", 3.5, None),
    *((row, "Vehicle.AverageSpeed", "float", row + 1.0, None) for row in range(3)),
    (0, "Vehicle.Powertrain.Transmission.CurrentGear", "integer", 1, None),
    (1, "Vehicle.Powertrain.Transmission.CurrentGear", "integer", 2, None),
    (0, "Vehicle.IsMoving", "boolean", 1, None),
    (1, "Vehicle.IsMoving", "boolean", 0, None),
    (0, "Vehicle.Powertrain.Type", "enum", None, "ELECTRIC"),
    (2, "Vehicle.Powertrain.Type", "enum", None, "HYBRID"),
    (0, "Vehicle.VehicleIdentification.Brand", "text", None, "a"),
    (1, "Vehicle.VehicleIdentification.Brand", "text", None, "b"),
    (0, "Maker.Count", "integer", 7, None),
    (1, "Maker.Count", "integer", 8, None),
}


def readings_of(table: pa.Table) -> set[tuple[Any, ...]]:
    return {tuple(row[name] for name in ("row", "signal", "type", "value", "text")) for row in table.to_pylist()}


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"compression": "lz4"}])
def test_columns_become_readings(inlet: Inlet, message: Callable[..., Message], options: dict[str, Any]) -> None:
    inlet.consent("CAR1")
    taken = inlet.intake.take([message(stream(pa.table(COLUMNS), **options), content_type=CONTENT_TYPE)])
    assert readings_of(taken.readings) == READINGS
    assert [(row["row"], row["signal"], row["reason"]) for row in taken.rejected.to_pylist()] == [
        (2, "Maker.Count", "out_of_range")
    ]
    first = taken.readings.to_pylist()[0]
    assert (first["boot"], first["seq"], first["driver"]) == (BOOT, 3, inlet.names.driver("D1", NOW))
    assert {row["ts"] for row in taken.readings.to_pylist()} == {
        datetime.fromtimestamp((NOW + each) / 1000, UTC) for each in (0, 100, 200)
    }


def test_json_and_arrow_say_the_same(inlet: Inlet, message: Callable[..., Message], batch: Callable[..., Any]) -> None:
    inlet.consent("CAR1")
    table = pa.table(COLUMNS)
    rows = [
        [row.pop("dt_ms"), {name: value for name, value in row.items() if value is not None}]
        for row in table.to_pylist()
    ]
    ours = inlet.intake.take([message(stream(table), content_type=CONTENT_TYPE)])
    plain = inlet.intake.take([message(batch(*rows, seq=9))])
    assert readings_of(ours.readings) == readings_of(plain.readings)


def test_formats_may_be_mixed_in_a_batch(
    inlet: Inlet, message: Callable[..., Message], batch: Callable[..., Any]
) -> None:
    for car in ("CAR1", "CAR2"):
        inlet.consent(car)
    table = pa.table({"dt_ms": [0, 1], "Vehicle.Speed": [1.0, 2.0]})
    taken = inlet.intake.take(
        [
            message(batch([0, {"Vehicle.Speed": 9}], seq=0)),
            message(stream(table), "CAR2", content_type=CONTENT_TYPE),
            message(batch([0, {"Vehicle.Speed": 8}], seq=1)),
            message(stream(table), content_type=CONTENT_TYPE),
        ]
    )
    one, two = inlet.names.vehicle("CAR1", NOW), inlet.names.vehicle("CAR2", NOW)
    found = {(row["vehicle"], row["seq"], row["row"], row["value"]) for row in taken.readings.to_pylist()}
    assert found == {(one, 0, 0, 9), (one, 1, 0, 8), (one, 3, 0, 1), (one, 3, 1, 2), (two, 3, 0, 1), (two, 3, 1, 2)}


def test_a_stream_of_several_batches() -> None:
    parts = [
        pa.table({"dt_ms": [at], "Vehicle.Speed": [float(at)], "T": pa.array([str(at)]).dictionary_encode()})
        for at in range(3)
    ]
    batch = read_stream(stream(*parts))
    assert batch.table is not None
    assert batch.table.offsets_ms.tolist() == [0, 1, 2]
    lanes = {names: (values.numbers.tolist(), values.texts.to_pylist()) for names, values, _ in batch.table.lanes}
    assert lanes[("Vehicle.Speed",)][0] == [0, 1, 2]
    assert lanes[("T",)][1] == ["0", "1", "2"]


def test_instants_instead_of_offsets() -> None:
    for unit in ("s", "ms", "us", "ns"):
        instants = pa.array([NOW, NOW + 2000], pa.timestamp("ms", "UTC")).cast(pa.timestamp(unit, "UTC"))
        head = {key: value for key, value in HEAD.items() if key != "t0"}
        batch = read_stream(stream(pa.table({"ts": instants, "Vehicle.Speed": [1.0, 2.0]}), head=head))
        assert batch.table is not None
        assert (batch.t0_ms, batch.table.offsets_ms.tolist()) == (NOW, [0, 2000])


def test_a_stream_without_rows() -> None:
    batch = read_stream(
        stream(pa.table({"dt_ms": pa.array([], pa.int64()), "Vehicle.Speed": pa.array([], pa.float64())}))
    )
    assert batch.table is not None
    assert len(batch.table.offsets_ms) == 0


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"Vehicle.Speed": [1.0]}, "neither a column dt_ms nor"),
        ({"dt_ms": ["0"], "Vehicle.Speed": [1.0]}, "dt_ms is string"),
        ({"dt_ms": pa.array([None], pa.int64()), "Vehicle.Speed": [1.0]}, "1 null"),
        ({"ts": [5], "Vehicle.Speed": [1.0]}, "ts is int64"),
        ({"dt_ms": [0], "Vehicle.Speed": [[1.0]]}, "Vehicle.Speed is list"),
        ({"dt_ms": [0], "Vehicle.Speed": [datetime(2020, 1, 1, tzinfo=UTC)]}, "Vehicle.Speed is timestamp"),
    ],
)
def test_columns_that_make_no_sense(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_stream(stream(pa.table(columns)))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ({}, "vss is missing"),
        (HEAD | {"boot": "x"}, "boot is 'x'"),
        (HEAD | {"seq": -1}, "seq is -1"),
        ([1], "no JSON object"),
    ],
)
def test_a_head_that_makes_no_sense(head: Any, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_stream(stream(pa.table({"dt_ms": [0]}), head=head))


def test_a_column_that_stands_twice() -> None:
    table = pa.Table.from_arrays([pa.array([0]), pa.array([1.0]), pa.array([2.0])], ["dt_ms", "A", "A"])
    with pytest.raises(Unreadable, match="stands twice"):
        read_stream(stream(table))


def test_a_packed_stream_that_claims_to_be_huge_is_not_unpacked() -> None:
    table = pa.table({"dt_ms": np.zeros(100_000, np.int64), "Vehicle.Speed": np.zeros(100_000)})
    payload = stream(table, compression="lz4")
    size = struct.pack("<q", 800_000)
    assert payload.count(size) == 2
    huge = payload.replace(size, struct.pack("<q", 1 << 40))
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(Unreadable, match="unpacks to 2199023255552 bytes"):
        read_stream(huge)
    assert pa.default_memory_pool().max_memory() - before < 10_000_000


def test_a_dictionary_that_grows_when_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_ipc, "_LARGEST", 10_000)
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int8)), pa.array(["x" * 1000]))
    with pytest.raises(Unreadable, match="longer than 10000 bytes"):
        read_stream(stream(pa.table({"dt_ms": np.arange(1000), "Vehicle.Powertrain.Type": words})))


def test_large_columns_are_made_rows_of_in_parts(
    inlet: Inlet, message: Callable[..., Message], batch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.collect.columns._MOST_GRID_READINGS", 4)
    inlet.consent("CAR1")
    messages = []
    for seq in range(5):
        table = pa.table(
            {"dt_ms": range(3), "Vehicle.Speed": [seq * 10.0 + at for at in range(3)], f"Own.{seq}": [1, 2, 3]}
        )
        messages.append(message(stream(table, head=HEAD | {"seq": seq}), content_type=CONTENT_TYPE))
        messages.append(message(batch([0, {"Vehicle.Speed": -99, "Vehicle.AverageSpeed": seq}], seq=100 + seq)))
    taken = inlet.intake.take(messages)
    rows = taken.readings.to_pylist()
    speeds = {(row["seq"], row["row"]): row["value"] for row in rows if row["signal"] == "Vehicle.Speed"}
    assert speeds == {(seq, at): seq * 10 + at for seq in range(5) for at in range(3)}
    own = {(row["seq"], row["signal"]) for row in rows if row["signal"].startswith("Own")}
    assert own == {(seq, f"Own.{seq}") for seq in range(5)}
    assert sorted(taken.rejected["seq"].to_pylist()) == [100, 101, 102, 103, 104]
    assert taken.unknown == 15
