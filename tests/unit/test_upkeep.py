from __future__ import annotations

import os
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.collect.gaps import GAPS
from pipelines.collect.tables import PARTITION, QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings, load_settings
from pipelines.upkeep import clear, upkeep

DAY = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path, keep_old_files_h=1)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake)


def land(lake: Lake, seq: int) -> None:
    reading = {
        "day": DAY.date(),
        "vehicle": "v",
        "boot": "b",
        "seq": seq,
        "row": 0,
        "ts": DAY,
        "signal": "Vehicle.Speed",
    }
    reading |= {"received_at": DAY + timedelta(seconds=seq)}
    rejected = {"day": DAY.date(), "received_at": DAY, "vehicle": "v", "boot": "b", "seq": seq, "reason": "wrong_type"}
    for name, schema, row in ((READINGS, READINGS_SCHEMA, reading), (QUARANTINE, QUARANTINE_SCHEMA, rejected)):
        lake.append(name, pa.Table.from_pylist([row], schema), Provenance("collect"), partition_by=PARTITION)


def age(lake: Lake, name: str) -> None:
    """Everything in the table's folder was written two hours ago."""
    past = time.time() - 7200
    for file in lake.path(name).rglob("*.parquet"):
        os.utime(file, (past, past))


def test_each_step_runs(settings: Settings, lake: Lake) -> None:
    for seq in (0, 1, 5):
        land(lake, seq)
    report = upkeep(settings)
    assert report.compacted.days == (date(2026, 2, 1),)
    assert report.gaps.missing == 3
    assert report.cleared.merged == 3
    assert set(report.cleared.files) == {READINGS, QUARANTINE, GAPS}
    assert len(lake.files(QUARANTINE)) == len(lake.files(READINGS)) == 1
    assert lake.open(QUARANTINE).to_pyarrow_table().num_rows == 3


def test_old_files_stay_for_their_readers_and_then_go(settings: Settings, lake: Lake) -> None:
    for seq in range(3):
        land(lake, seq)
    before = lake.snapshot(READINGS)
    upkeep(settings)
    assert all(Path(file.path).exists() for file in before.files)
    assert clear(settings).files[READINGS] == 0  # they left the table just now


def test_what_a_killed_process_never_committed_goes_when_it_is_old(settings: Settings, lake: Lake) -> None:
    land(lake, 0)
    orphan, fresh = (lake.new_file(READINGS, {"day": "2026-02-01"}) for _ in range(2))
    orphan.write_bytes(b"half")
    age(lake, READINGS)
    fresh.write_bytes(b"under way")
    assert clear(settings).files[READINGS] == 1
    assert (orphan.exists(), fresh.exists()) == (False, True)
    assert lake.open(READINGS).to_pyarrow_table().num_rows == 1


def test_upkeep_of_nothing_and_a_second_one_change_nothing(settings: Settings, lake: Lake) -> None:
    upkeep(settings)
    land(lake, 0)
    upkeep(settings)
    versions = [lake.version(name) for name in (READINGS, QUARANTINE, GAPS)]
    upkeep(settings)
    upkeep(settings)
    assert [lake.version(name) for name in (READINGS, QUARANTINE)] == versions[:2]
