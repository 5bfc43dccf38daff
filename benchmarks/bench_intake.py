"""Intake alone: from messages in memory to the two Arrow tables, without broker, journal or lake.

Small messages are what a connected car sends every second: 220 bytes, 5 readings. The fusion profile is a car with 800
sensors, several rows a message, in Rocade JSON and as an Arrow IPC stream. CPU time of this process counts, since the
machine is shared; beside it the least that a plain script does (json, a list of dicts, a table), and beside Arrow the same
readings in JSON. No bar is set on any of it. `--profile` shows where the time goes.
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
from typing import TYPE_CHECKING

import pyarrow as pa
from side_by_side import SHORT, Row, report

from pipelines.collect.formats import Message
from pipelines.collect.intake import Intake
from pipelines.collect.seen import Seen
from pipelines.contracts.signals import load_signals
from pipelines.fleet.batches import Head, encode
from pipelines.mqtt import TOPICS
from pipelines.privacy.consent import ALWAYS, ConsentLedger
from pipelines.privacy.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.fleet.batches import Row as FleetRow
    from pipelines.fleet.batches import Value, Wire

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


def message(head: Head, rows: Sequence[FleetRow], wire: Wire = "json") -> Message:
    """A car's message as the session hands it over."""
    made = encode(head, rows, wire)
    return Message(
        mid=1,
        epoch=0,
        qos=1,
        again=False,
        topic=f"{TOPICS}/{head.vehicle}/telemetry",
        payload=made.payload,
        content_type=made.content_type,
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
        made.append(message(Head(car, boots[car], at // len(cars)), [(NOW_MS + at, row)]))
    return made


def fusion_rows(rows: int) -> list[FleetRow]:
    """Rows of 800 known signals with plausible values."""
    signals = [each for each in load_signals().values() if each.type != "text"][:800]
    made: list[FleetRow] = []
    for number in range(rows):
        row: dict[str, Value] = {}
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
        made.append((NOW_MS + 10 * number, row))
    return made


def fusion(messages: int, height: int, cars: list[str], wire: Wire) -> list[Message]:
    """The fusion profile: so many messages of ``height`` rows."""
    rows = fusion_rows(height)
    boots = {car: str(uuid.uuid4()) for car in cars}
    turns = (cars[at % len(cars)] for at in range(messages))
    return [message(Head(car, boots[car], at), rows, wire) for at, car in enumerate(turns)]


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
    rows = [Row(f"intake, {size / MESSAGES:.0f} B messages", each, "µs each", "plain json + pyarrow", beside)]
    for height in (10, 100):
        messages = fusion(FUSION_ROWS // height, height, cars[:10], "json")
        spent, size, readings = taken_in(messages, cars, 200 // height)
        what = f"intake, fusion, {height} rows a message"
        beside = size / plain(messages[200 // height :], 200 // height) / 1e6
        rows.append(Row(f"{what}, JSON", size / spent / 1e6, "MB/s", "plain json + pyarrow", beside))
        in_json = size / spent / 1e6, spent / readings * 1e9
        messages = fusion(FUSION_ROWS // height, height, cars[:10], "arrow")
        spent, size, readings = taken_in(messages, cars, 200 // height)
        rows.append(Row(f"{what}, Arrow", size / spent / 1e6, "MB/s", "the same in JSON", in_json[0]))
        rows.append(Row(f"{what}, Arrow", spent / readings * 1e9, "ns a reading", "the same in JSON", in_json[1]))
    report(rows)


if __name__ == "__main__":
    main()
