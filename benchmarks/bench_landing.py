"""What it costs to make readings durable and to bring them into the lake: journal and landing against direct commits.

    python benchmarks/bench_landing.py [--folder FOLDER] [--short]

Two loads, as Arrow tables like those the intake makes: small messages (5 readings, 2,000 cars, 5,000 messages a batch) and
the fusion profile (10 cars, 10 rows of 800 signals, a batch a second). Three ways: segments in the journal, landed ten at
a time (what Rocade does); every batch committed to the lake at once; and a file a batch in the lake's folder, ten of them
adopted by one commit. CPU is of this process, all threads; FOLDER, in which a folder of its own comes and goes, should
be on the disk that the lake would be on.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from side_by_side import SHORT, Row, report

from pipelines.collect.journal import Journal
from pipelines.collect.landing import land
from pipelines.collect.parquet import in_order, write_file
from pipelines.collect.tables import PARTITION, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA
from pipelines.lake import Lake, Provenance

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = 10 if SHORT else 100
TOGETHER = 10
LOADS = {"small": (5_000, 2_000, 1, 5), "fusion": (10, 10, 10, 800)}


def main() -> None:
    """Run all ways under both loads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--large", action="store_true")
    where = parser.parse_args().folder
    ways: dict[str, Callable[[Path, list[pa.Table]], None]] = {
        "journal, then landing": _journal,
        "a commit a batch": _direct,
        "a file a batch, adopted": _adopted,
    }
    with tempfile.TemporaryDirectory(dir=where) as own:  # what is imported and started once counts for nobody
        _journal(Path(own), [readings(number, 10, 10, 1, 5) for number in range(TOGETHER)])
    compared: list[Row] = []
    for load, shape in LOADS.items():
        spent: dict[str, float] = {}
        tables = [readings(number, *shape) for number in range(BATCHES)]
        rows = sum(table.num_rows for table in tables)
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(dir=where) as own:
                folder = Path(own)
                cpu, wall = time.process_time(), time.perf_counter()
                way(folder, tables)
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                files = Lake(folder / "lake").snapshot(READINGS).files
            spent[name] = cpu / rows * 1e9
            print(
                f"{load:7} {name:24} {spent[name]:5.0f} ns CPU a reading, {wall / BATCHES * 1e3:5.1f} ms a batch, "
                f"{len(files):3} files, {sum(each.size for each in files) / rows:.1f} bytes a reading"
            )
        (ours, cost), *others = spent.items()
        compared += [Row(f"{load} loads, {ours}", cost, "ns CPU a reading", peer, of) for peer, of in others]
    report(compared)


def readings(number: int, messages: int, cars: int, rows: int, signals: int) -> pa.Table:
    """Batch ``number`` of so many messages of so many cars, each with so many rows of so many signals."""
    rng = np.random.default_rng(number)
    message = np.repeat(np.arange(messages), rows * signals)
    row = np.tile(np.repeat(np.arange(rows), signals), messages)
    signal = np.tile(np.arange(signals), messages * rows)
    car, turn = message % cars, message // cars
    turns = -(-messages // cars)
    instant = 1_770_000_000_000_000 + (number * turns + turn) * 1_000_000 + row * 100_000
    names = [uuid.UUID(int=each * 2**100 + each).hex for each in range(cars)]
    columns = {
        "day": pa.array((instant // 86_400_000_000).astype(np.int32)).cast(pa.date32()),
        "vehicle": _few(car, names),
        "driver": _few(car, names),
        "boot": _few(car, [str(uuid.UUID(name)) for name in names]),
        "seq": pa.array(number * turns + turn),
        "row": pa.array(row.astype(np.int32)),
        "ts": pa.array(instant, READINGS_SCHEMA.field("ts").type),
        "signal": _few(signal, [f"Vehicle.Branch{each // 20}.Sensor{each}.Value" for each in range(signals)]),
        "type": _few(signal * 0, ["float"]),
        "value": pa.array(np.round(rng.normal(50, 20, len(message)), 2)),
        "text": pa.nulls(len(message), pa.string()),
        "known": pa.array(np.ones(len(message), np.bool_)),
        "consent": _few(signal * 0, ["service+statistics"]),
        "received_at": pa.array(instant + 80_000 + message * 100, READINGS_SCHEMA.field("received_at").type),
        "tenant": pa.nulls(len(message), READINGS_SCHEMA.field("tenant").type),
    }
    return pa.table(columns, READINGS_SCHEMA)


def _few(which: np.ndarray, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(which.astype(np.int32), pa.array(names))


def _journal(folder: Path, tables: list[pa.Table]) -> None:
    lake, journal = Lake(folder / "lake"), Journal(folder / "journal" / "bench")
    with journal.locked():
        for number, table in enumerate(tables):
            journal.append(number, table, QUARANTINE_SCHEMA.empty_table())
            if number % TOGETHER == TOGETHER - 1:
                land(lake, journal)


def _direct(folder: Path, tables: list[pa.Table]) -> None:
    lake = Lake(folder / "lake")
    for table in tables:
        _commit(lake, [_file(lake, table)])


def _adopted(folder: Path, tables: list[pa.Table]) -> None:
    lake, files = Lake(folder / "lake"), []
    for table in tables:
        files.append(_file(lake, table))
        if len(files) == TOGETHER:
            _commit(lake, files)
            files.clear()


def _file(lake: Lake, table: pa.Table) -> Path:
    file = lake.new_file(READINGS, {"day": str(table.column("day")[0])})
    write_file(in_order(table), file)
    return file


def _commit(lake: Lake, files: list[Path]) -> None:
    lake.publish(READINGS, files, READINGS_SCHEMA, Provenance("bench"), partition_by=PARTITION)


if __name__ == "__main__":
    main()
