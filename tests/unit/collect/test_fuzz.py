"""Payloads damaged at random, between good ones: nothing but Unreadable comes of them, and every good one arrives."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipelines.collect.formats import CONTENT_TYPES, FORMATS
from pipelines.collect.intake import Intake
from pipelines.collect.subscriptions import OWN, Subscription
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.contracts.signals import load_signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Inlet

    from pipelines.collect.formats import Message

NOW = 1_770_000_000_000
BOOT = "00000000-0000-4000-8000-000000000001"
BATCH = {
    "vss": "6.0",
    "boot": BOOT,
    "seq": 1,
    "t0": NOW,
    "driver": "d",
    "rows": [
        [0, {"Vehicle.Speed": 5, "A": "x", "Vehicle.IsMoving": True}],
        [1.5, {"Vehicle.Powertrain.Type": "ELECTRIC"}],
    ],
}
EVENT = {
    "action": "subscription",
    "data": [{"path": "Vehicle.Speed", "dp": {"value": "50", "ts": "2026-02-02T02:40:00Z"}}],
}
PACK = [{"bn": "urn:dev:x:", "bt": 1.77e9, "bu": "km/h", "n": "Vehicle.Speed", "v": 1}, {"t": 2, "n": "B", "vs": "y"}]
TOPICS = {"ovms": "v/b/soc", "teslamate": "location"}


def arrow() -> bytes:
    texts = pa.array(["ELECTRIC", None, "HYBRID"])
    table = pa.table(
        {
            "dt_ms": [0, 1, 2],
            "Vehicle.Speed": [1.0, None, 3.0],
            "Vehicle.IsMoving": [True, False, None],
            "Vehicle.Powertrain.Type": texts.dictionary_encode(),
            "Vehicle.VehicleIdentification.Brand": texts,
            "Count": [1, 2, 3],
        }
    )
    head = {"vss": "6.0", "boot": BOOT, "seq": 5, "t0": NOW}
    table = table.replace_schema_metadata({"rocade": json.dumps(head)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=DRAW.choice([None, "lz4"]))
    ) as out:
        out.write_table(table)
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


DRAW = random.Random(8428)
SEEDS: dict[str, Callable[[], bytes]] = {
    "rocade": lambda: json.dumps(BATCH).encode(),
    "senml": lambda: json.dumps(PACK).encode(),
    "viss": lambda: json.dumps(EVENT).encode(),
    "arrow": arrow,
    "ovms": lambda: DRAW.choice([b"50", b"12.5V", b"yes", b"1,2,3,4"]),
    "teslamate": lambda: b'{"latitude":35.2,"longitude":29.7}',
}
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1e308,
        -1e308,
        2**53,
        2**63,
        2**64,
        10**30,
        1e-320,
        "",
        "x",
        "é\u0000",
        [],
        {},
        [[]],
        {"a": {}},
    ),
    *(
        "NaN",
        "Infinity",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59+14:00",
        "0001-01-01T00:00:00-12:00",
        [1, "a"],
        0.1,
    ),
)


def damaged(payload: bytes) -> bytes:
    """``payload`` with bytes changed, lost, doubled, or altogether others."""
    how = DRAW.randrange(7)
    if how == 0:
        return DRAW.randbytes(DRAW.randrange(200))
    if how == 1:
        return payload[: DRAW.randrange(len(payload) + 1)]
    if how == 2:
        at = DRAW.randrange(len(payload) + 1)
        return payload[:at] + payload[at // 2 : at] + payload[at:]
    body = bytearray(payload)
    for _ in range(DRAW.choice([1, 1, 2, 5, 20])):
        body[DRAW.randrange(len(body))] = DRAW.choice([0, 255, 127, 128, DRAW.randrange(256)])
    return bytes(body)


def odd(value: Any) -> Any:
    """JSON like ``value``, in which something is not what it was."""
    if DRAW.random() < 0.15:
        return DRAW.choice(ODD)
    if isinstance(value, dict):
        found = {
            key if DRAW.random() > 0.05 else DRAW.choice(["", "bn", "é", "x" * 300]): odd(each)
            for key, each in value.items()
        }
        return found if DRAW.random() > 0.1 else dict(list(found.items())[1:])
    return [odd(each) for each in value] if isinstance(value, list) else value


def broken(name: str) -> bytes:
    payload = SEEDS[name]()
    if name in ("rocade", "senml", "viss", "teslamate") and DRAW.random() < 0.6:
        return json.dumps(odd(json.loads(payload))).encode("utf-8", "replace")
    return damaged(payload)


def fuzz(inlet: Inlet, message: Callable[..., Message], name: str, count: int, tmp_path: Path) -> None:
    own = {kind: content for content, kind in CONTENT_TYPES.items()}
    foreign = Subscription("x/+/#", name, "x/{vehicle}/{topic…}", consent="service")
    intake = Intake(
        load_signals(),
        inlet.ledger,
        inlet.names,
        inlet.seen,
        oldest_ms=1.2e12,
        ahead_ms=8.64e7,
        room=9,
        subscriptions=(OWN, foreign),
    )
    inlet.consent("GOOD")
    inlet.consent("BAD")
    good, arrived, told = 0, 0, 0
    for first in range(0, count, 500):
        messages = []
        for _ in range(first, min(first + 500, count)):
            bad = message(broken(name), "BAD", content_type=own.get(name))
            if name in TOPICS or name == "viss":
                bad.topic = f"x/BAD/{TOPICS.get(name, 'events')}"
            messages.append(bad)
            if DRAW.random() < 0.3:
                row = [[0, {"Vehicle.Speed": good % 100}]]
                messages.append(message(BATCH | {"seq": good, "rows": row}, "GOOD"))
                good += 1
        taken = intake.take(messages)
        assert taken.readings.schema == READINGS_SCHEMA
        assert taken.rejected.schema == QUARANTINE_SCHEMA
        taken.readings.validate(full=True)
        taken.rejected.validate(full=True)
        mine = inlet.names.vehicle("GOOD", NOW)
        arrived += sum(row["vehicle"] == mine for row in taken.readings.to_pylist())
        told += taken.rejected.num_rows
    assert arrived == good > count / 5
    assert told > 0


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_payloads_between_good_ones(
    inlet: Inlet, message: Callable[..., Message], tmp_path: Path, name: str
) -> None:
    fuzz(inlet, message, name, 1_000, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_damaged_payloads_between_good_ones(
    inlet: Inlet, message: Callable[..., Message], tmp_path: Path, name: str
) -> None:
    fuzz(inlet, message, name, 10_000, tmp_path)


@pytest.mark.parametrize(
    "payload", [b"[" * 50_000_000, b'{"rows":[' + b'[0,{"A":1}],' * 4_000_000], ids=["nested", "rows"]
)
def test_a_message_of_50_mb_costs_neither_memory_nor_time(
    inlet: Inlet, message: Callable[..., Message], payload: bytes
) -> None:
    inlet.consent("CAR1")
    long = message(payload)
    tracemalloc.start()
    began = time.process_time()
    taken = inlet.intake.take([long])
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken.rejected["reason"].to_pylist() == ["too_large"]
    assert peak < 1_000_000
    assert spent < 2
