from __future__ import annotations

import errno
import os
import random
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.collect import landing, parquet
from pipelines.collect.journal import Journal
from pipelines.collect.landing import LandReport, land, land_pending, next_number
from pipelines.collect.recall import recall
from pipelines.collect.seen import Seen
from pipelines.collect.tables import QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake.store import Lake
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime.now(UTC)


class Crash(BaseException):
    """The process is gone."""


def readings(seq: int, *, days: int = 1, received: datetime = NOW) -> pa.Table:
    rows = [
        {
            "day": date(2026, 2, 1) + timedelta(days=day),
            "vehicle": "v",
            "boot": "b",
            "seq": seq,
            "row": day,
            "ts": datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=day),
            "signal": signal,
            "value": 1.0,
            "received_at": received,
        }
        for signal in ("Vehicle.Speed", "Vehicle.AverageSpeed")
        for day in range(days)
    ]
    return pa.Table.from_pylist(rows, READINGS_SCHEMA)


def rejected(seq: int, payload: bytes | None = None) -> pa.Table:
    row = {
        "day": NOW.date(),
        "received_at": NOW,
        "vehicle": "v",
        "boot": None if payload else "b",
        "seq": None if payload else seq,
        "reason": "not_json" if payload else "wrong_type",
        "payload": payload,
    }
    return pa.Table.from_pylist([row], QUARANTINE_SCHEMA)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake)


@pytest.fixture
def journal(settings: Settings) -> Iterator[Journal]:
    journal = Journal(settings.journal / "one")
    with journal.locked():
        yield journal


def seqs(lake: Lake, table: str) -> list[int]:
    return sorted(lake.open(table).to_pyarrow_table()["seq"].to_pylist()) if lake.exists(table) else []


def test_segments_become_versions(lake: Lake, journal: Journal) -> None:
    for number in range(3):
        journal.append(number, readings(number), rejected(number))
    assert land(lake, journal) == LandReport(readings=6, rejected=3, segments=3, commits=2)
    assert journal.numbers() == []
    assert seqs(lake, READINGS) == [0, 0, 1, 1, 2, 2]
    assert seqs(lake, QUARANTINE) == [0, 1, 2]
    assert lake.committed_sequence(READINGS, "collector:one") == 2
    newest = lake.history(READINGS)[0]
    assert (newest.operation, newest.resource, newest.rows_added) == ("collect", "collector:one", 6)
    assert land(lake, journal) == LandReport()


def test_late_readings_land_in_their_own_day_in_order(lake: Lake, journal: Journal) -> None:
    journal.append(0, readings(0, days=3), QUARANTINE_SCHEMA.empty_table())
    assert land(lake, journal).commits == 1
    for day in ("2026-02-01", "2026-02-02", "2026-02-03"):
        (file,) = lake.files(READINGS, partitions={"day": [day]})
        assert f"day={day}" in file
    assert not lake.exists(QUARANTINE)


def test_numbers_go_up_for_ever(lake: Lake, journal: Journal) -> None:
    assert next_number(lake, journal) == 0
    journal.append(0, readings(0), QUARANTINE_SCHEMA.empty_table())
    journal.append(1, READINGS_SCHEMA.empty_table(), rejected(1))
    assert next_number(lake, journal) == 2
    land(lake, journal)
    assert next_number(lake, journal) == 2


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("crash_at", range(1, 9))
def test_killed_before_or_after_any_step_each_segment_lands_once(
    lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch, crash_at: int, *, done: bool
) -> None:
    steps = [0]

    def dying(work: Any) -> Any:
        def step(*args: Any, **more: Any) -> Any:
            steps[0] += 1
            if steps[0] == crash_at:
                if done:
                    work(*args, **more)
                raise Crash
            return work(*args, **more)

        return step

    for number in range(4):
        journal.append(number, readings(number), rejected(number))
    with monkeypatch.context() as patch:
        patch.setattr(landing, "_write", dying(landing._write))  # noqa: SLF001 - a step that a kill may hit
        patch.setattr(Lake, "publish", dying(Lake.publish))
        patch.setattr(Journal, "delete", dying(Journal.delete))
        with pytest.raises(Crash):
            land(lake, journal)
    journal.append(4, readings(4), rejected(4))
    land(lake, journal)
    assert seqs(lake, READINGS) == sorted([0, 1, 2, 3, 4] * 2)
    assert seqs(lake, QUARANTINE) == [0, 1, 2, 3, 4]
    assert journal.numbers() == []
    for table in (READINGS, QUARANTINE):  # and of what failed nothing is left behind
        assert sorted(map(str, lake.path(table).rglob("*.parquet"))) == sorted(lake.files(table))


def test_files_and_log_are_synced_before_a_segment_goes(
    lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(parquet, "sync_file", lambda path: steps.append(path.suffix))
    monkeypatch.setattr(landing, "sync_file", lambda path: steps.append(path.suffix))
    monkeypatch.setattr(landing, "sync_folder", lambda folder: steps.append(folder.name))
    delete = Journal.delete
    monkeypatch.setattr(Journal, "delete", lambda *args: (steps.append("delete"), delete(*args)))
    journal.append(0, readings(0), rejected(0))
    land(lake, journal)
    assert steps.count(".parquet") == steps.count(".json") == steps.count("_delta_log") == 2
    assert steps[-1] == "delete"
    assert steps.count("delete") == 1


def test_a_file_has_its_rows_by_vehicle_signal_and_instant(lake: Lake, journal: Journal) -> None:
    rng = random.Random(3)
    rows = [
        row | {"vehicle": f"v{rng.randrange(30)}", "ts": row["ts"] + timedelta(seconds=rng.randrange(9)), "seq": seq}
        for seq in range(200)
        for row in readings(seq).to_pylist()
    ]
    for number, first in enumerate(range(0, 400, 100)):
        segment = pa.Table.from_pylist(rows[first : first + 100], READINGS_SCHEMA)
        journal.append(number, segment, QUARANTINE_SCHEMA.empty_table())
    land(lake, journal)
    (file,) = lake.files(READINGS)
    found = pq.ParquetFile(file).read().to_pylist()
    order = [(row["vehicle"], row["signal"], row["ts"]) for row in found]
    assert order == sorted(order)
    assert sorted((row["vehicle"], row["seq"]) for row in found) == sorted((row["vehicle"], row["seq"]) for row in rows)


def test_a_large_backlog_lands_in_several_commits(
    lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "_ROWS_AT_ONCE", 3)
    for number in range(5):
        journal.append(number, readings(number), QUARANTINE_SCHEMA.empty_table())
    assert land(lake, journal) == LandReport(readings=10, segments=5, commits=3)
    assert seqs(lake, READINGS) == sorted([0, 1, 2, 3, 4] * 2)


def test_a_failed_commit_keeps_the_segments(lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> int:
        raise LakeError("could not commit: the disk is full")

    journal.append(0, readings(0), rejected(0))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "publish", full)
        with pytest.raises(LakeError, match="disk is full"):
            land(lake, journal)
    assert journal.numbers() == [0]


def test_a_full_disk_keeps_the_segments_and_leaves_no_file(
    lake: Lake, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    journal.append(0, readings(0), rejected(0))
    with monkeypatch.context() as patch:
        patch.setattr(parquet, "sync_file", full)
        with pytest.raises(LakeError, match="cannot be written: No space left on device"):
            land(lake, journal)
    assert not list(lake.root.rglob("*.parquet"))
    assert land(lake, journal).segments == 1
    assert seqs(lake, READINGS) == [0, 0]


def test_leftovers_of_the_dead_land_and_the_living_are_left_alone(settings: Settings, journal: Journal) -> None:
    dead = Journal(settings.journal / "two")
    with dead.locked():
        dead.append(0, readings(7), rejected(7))
    journal.append(0, readings(8), rejected(8))
    report = land_pending(settings)
    assert report == LandReport(readings=2, rejected=1, segments=1, commits=2, busy=("one",))
    assert seqs(Lake(settings.lake), READINGS) == [7, 7]
    assert journal.numbers() == [0]


def test_there_may_be_no_journal_at_all(settings: Settings) -> None:
    assert land_pending(settings) == LandReport()


def test_what_has_landed_is_recalled(settings: Settings, lake: Lake, journal: Journal) -> None:
    long_ago = NOW - timedelta(seconds=settings.session_expiry_s) - timedelta(days=2)
    for number, seq in enumerate((0, 1, 2, 5, 6)):
        journal.append(number, readings(seq), QUARANTINE_SCHEMA.empty_table())
    journal.append(5, readings(40, received=long_ago), rejected(9))
    journal.append(6, READINGS_SCHEMA.empty_table(), rejected(0, b"{"))
    land(lake, journal)
    seen = recall(settings)
    assert [seq for seq in range(50) if seen.has("v", "b", seq)] == [0, 1, 2, 5, 6, 9]
    assert not seen.add_poison("telemetry:v", b"{")
    assert seen.add_poison("consent:v", b"{")


def test_there_may_be_nothing_to_recall(settings: Settings) -> None:
    assert vars(recall(settings)) == vars(Seen())
