"""Intake alone: from messages in memory to the two Arrow tables, without broker, journal or lake.

Small messages are what a connected car sends every second: 220 bytes, 5 readings. The fusion profile is a car with 800
sensors, several rows a message, in Rocade JSON and as an Arrow IPC stream. CPU time of this process counts, since the
machine is shared; beside it the least that a plain script does: json, a list of dicts, a table. Bars: 12 µs a small
message, 80 MB/s of fusion JSON. `--profile` shows where the time goes.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path

import orjson
import pyarrow as pa
from side_by_side import SHORT, Row, report

from pipelines.collect.formats import Message
from pipelines.collect.formats.arrow_ipc import CONTENT_TYPE
from pipelines.collect.intake import Intake
from pipelines.collect.seen import Seen
from pipelines.contracts.signals import load_signals
from pipelines.privacy.consent import ALWAYS, ConsentLedger
from pipelines.privacy.pseudonyms import Pseudonyms

MESSAGES = 10_000 if SHORT else 200_000
FUSION_ROWS = 400 if SHORT else 6_000
BATCH = 5_000
PROFILE = "--profile" in sys.argv[1:]
CARS = 1_000
NOW_MS = 1_770_000_000_000
DRAW = random.Random(4)  # noqa: S311 - nothing is secret here
SMALL = (
    "Vehicle.Speed",
    "Vehicle.IsMoving",
    "Vehicle.OBD.FuelRate",
    "Vehicle.OBD.MAF",
    "Vehicle.OBD.MAP",
)


def intake(folder: Path, cars: list[str]) -> Intake:
    """An intake in which ``cars`` have consented."""
    ledger = ConsentLedger(folder / "privacy", folder / "keys" / "consent.key")
    for car in cars:
        ledger.record(car, 2, ALWAYS, NOW_MS)
    return Intake(
        load_signals(), ledger, Pseudonyms(folder / "keys"), Seen(), oldest_ms=0, ahead_ms=86_400_000, room=1000
    )


def message(car: str, payload: bytes, content_type: str | None = None) -> Message:
    """A message as the session hands it over."""
    return Message(
        mid=1,
        epoch=0,
        qos=1,
        again=False,
        topic=f"rocade/v1/{car}/telemetry",
        payload=payload,
        content_type=content_type,
        received_ms=NOW_MS,
    )


def small_messages(count: int, cars: list[str]) -> list[Message]:
    """Messages of 5 readings, a second of a car each."""
    boots = {car: str(uuid.uuid4()) for car in cars}
    made = []
    for at in range(count):
        car = cars[at % len(cars)]
        values = (round(DRAW.uniform(0, 130), 1), True, 4.76, 12.4, DRAW.randrange(20, 99))
        row = dict(zip(SMALL, values, strict=True))
        batch = {"vss": "6.0", "boot": boots[car], "seq": at // len(cars), "t0": NOW_MS + at, "rows": [[0, row]]}
        made.append(message(car, orjson.dumps(batch)))
    return made


def fusion_rows(rows: int) -> tuple[list[str], list[dict[str, object]]]:
    """Rows of 800 known signals with plausible values."""
    signals = [each for each in load_signals().values() if each.type != "text"][:800]
    made = []
    for _ in range(rows):
        row: dict[str, object] = {}
        for each in signals:
            low, high = each.minimum or 0.0, 100.0 if each.maximum is None else min(each.maximum, 1000.0)
            if each.type == "enum":
                row[each.path] = DRAW.choice(each.allowed)
            elif each.type == "boolean":
                row[each.path] = DRAW.random() < 0.5
            elif each.type == "integer":
                row[each.path] = DRAW.randint(int(max(low, -1000)), int(high))
            else:
                row[each.path] = round(DRAW.uniform(max(low, -1000.0), high), 3)
        made.append(row)
    return [each.path for each in signals], made


def fusion_json(messages: int, rows: int, cars: list[str]) -> list[Message]:
    """The fusion profile in Rocade JSON."""
    _, made = fusion_rows(rows)
    boots = {car: str(uuid.uuid4()) for car in cars}
    return [
        message(
            cars[at % len(cars)],
            orjson.dumps(
                {
                    "vss": "6.0",
                    "boot": boots[cars[at % len(cars)]],
                    "seq": at,
                    "t0": NOW_MS,
                    "rows": [[10 * number, row] for number, row in enumerate(made)],
                }
            ),
        )
        for at in range(messages)
    ]


def fusion_arrow(messages: int, rows: int, cars: list[str]) -> list[Message]:
    """The fusion profile as Arrow IPC streams."""
    paths, made = fusion_rows(rows)
    columns = {path: [row[path] for row in made] for path in paths}
    boots = {car: str(uuid.uuid4()) for car in cars}
    out = []
    for at in range(messages):
        head = {"vss": "6.0", "boot": boots[cars[at % len(cars)]], "seq": at, "t0": NOW_MS}
        table = pa.table({"dt_ms": list(range(0, 10 * rows, 10)), **columns})
        table = table.replace_schema_metadata({"rocade": orjson.dumps(head)})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        out.append(message(cars[at % len(cars)], sink.getvalue().to_pybytes(), CONTENT_TYPE))
    return out


def taken_in(messages: list[Message], cars: list[str], per_batch: int) -> tuple[float, int, int]:
    """CPU seconds, bytes and readings of taking ``messages`` in, ``per_batch`` at a time."""
    with tempfile.TemporaryDirectory() as folder:
        taking = intake(Path(folder), cars)
        taking.take(messages[:per_batch])  # the first batch fills the caches
        rest = messages[per_batch:]
        profiler = cProfile.Profile()
        if PROFILE:
            profiler.enable()
        began, readings = time.process_time(), 0
        for first in range(0, len(rest), per_batch):
            taken = taking.take(rest[first : first + per_batch])
            readings += taken.readings.num_rows
            if taken.rejected.num_rows or taken.duplicates or taken.silent:
                sys.exit(f"messages were not taken in: {taken.rejected.slice(0, 3).to_pylist()}")
        spent = time.process_time() - began
        profiler.disable()
    if PROFILE:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(22)
    return spent, sum(len(each.payload) for each in rest), readings


def plain(messages: list[Message], per_batch: int) -> float:
    """CPU seconds of the plain script: no consent, no checks, no duplicates."""
    began = time.process_time()
    for first in range(0, len(messages), per_batch):
        rows = []
        for each in messages[first : first + per_batch]:
            said = json.loads(each.payload)
            for offset, signals in said["rows"]:
                rows += [
                    {
                        "boot": said["boot"],
                        "seq": said["seq"],
                        "ts": said["t0"] + offset,
                        "signal": path,
                        "value": float(value),
                    }
                    for path, value in signals.items()
                    if not isinstance(value, str)
                ]
        pa.Table.from_pylist(rows)
    return time.process_time() - began


def main() -> None:
    """Measure, print, append."""
    cars = [f"CAR{at:05d}" for at in range(CARS)]
    small = small_messages(MESSAGES + BATCH, cars)
    spent, size, _ = taken_in(small, cars, BATCH)
    beside = plain(small[BATCH:], BATCH) / MESSAGES * 1e6
    each = spent / MESSAGES * 1e6
    rows = [
        Row(f"intake, {size / MESSAGES:.0f} B messages", each, "µs each", "bar", 12, bar=1, at_most=True),
        Row(f"intake, {size / MESSAGES:.0f} B messages", each, "µs each", "plain json + pyarrow", beside),
    ]
    for height in (10, 100):
        messages = fusion_json(FUSION_ROWS // height, height, cars[:10])
        spent, size, readings = taken_in(messages, cars, 200 // height)
        what = f"intake, fusion, {height} rows a message"
        rows.append(Row(f"{what}, JSON", size / spent / 1e6, "MB/s", "bar", 80, bar=1))
        beside = size / plain(messages[200 // height :], 200 // height) / 1e6
        rows.append(Row(f"{what}, JSON", size / spent / 1e6, "MB/s", "plain json + pyarrow", beside))
        in_json = spent / readings * 1e9
        spent, size, readings = taken_in(fusion_arrow(FUSION_ROWS // height, height, cars[:10]), cars, 200 // height)
        rows.append(Row(f"{what}, Arrow", size / spent / 1e6, "MB/s", "bar", 80))
        rows.append(Row(f"{what}, Arrow", spent / readings * 1e9, "ns a reading", "the same in JSON", in_json))
    report(rows)


if __name__ == "__main__":
    main()
