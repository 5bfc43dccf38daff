from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipelines.collect import compaction
from pipelines.collect.compaction import CompactReport, compact_readings
from pipelines.collect.tables import PARTITION, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake.store import Lake, Provenance
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
DAY = FIRST.date()


def land(lake: Lake, *seqs: int, day: date = DAY, received: int = 0) -> None:
    rows = [
        {
            "day": day,
            "vehicle": f"v{seq % 3}",
            "boot": "b",
            "seq": seq,
            "row": 0,
            "ts": datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=100 - seq),
            "signal": "Vehicle.Speed",
            "value": float(received),
            "consent": "service",
            "received_at": FIRST + timedelta(seconds=received),
        }
        for seq in seqs
    ]
    lake.append(READINGS, pa.Table.from_pylist(rows, READINGS_SCHEMA), Provenance("collect"), partition_by=PARTITION)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake)


def found(lake: Lake) -> list[tuple[Any, ...]]:
    table = lake.open(READINGS).to_pyarrow_table()
    return sorted(zip(*(table[name].to_pylist() for name in ("day", "seq", "value")), strict=True))


def test_a_day_becomes_one_file_in_order(settings: Settings, lake: Lake) -> None:
    for seq in range(0, 12, 4):
        land(lake, *range(seq, seq + 4))
    land(lake, 0, day=date(2026, 2, 2))
    before = found(lake)
    assert compact_readings(settings) == CompactReport((FIRST.date(),), 3, 12, 0, 4)
    assert found(lake) == before
    (file,) = lake.files(READINGS, partitions={"day": ["2026-02-01"]})
    rows = pq.ParquetFile(file).read(["vehicle", "signal", "ts"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: tuple(row.values()))
    newest = lake.history(READINGS)[0]
    assert (newest.operation, newest.rows_added, newest.details["days"]) == ("compact", 12, ["2026-02-01"])


def test_a_second_time_there_is_nothing_to_do(settings: Settings, lake: Lake) -> None:
    land(lake, 1)
    land(lake, 2)
    assert compact_readings(settings).version == 2
    assert compact_readings(settings) == CompactReport()
    assert lake.version(READINGS) == 2
    land(lake, 3)
    assert compact_readings(settings) == CompactReport((FIRST.date(),), 2, 3, 0, 4)


def test_what_came_twice_stays_once_as_first_received(settings: Settings, lake: Lake) -> None:
    land(lake, 1, 2, received=50)
    land(lake, 2, 3, received=10)
    assert compact_readings(settings).duplicates == 1
    assert [(seq, value) for _, seq, value in found(lake)] == [(1, 50), (2, 10), (3, 10)]


def test_open_days_are_left_alone_unless_named(settings: Settings, lake: Lake) -> None:
    today = datetime.now(UTC).date()
    land(lake, 1, day=today)
    land(lake, 2, day=today)
    assert compact_readings(settings) == CompactReport()
    assert compact_readings(settings, [FIRST.date()]) == CompactReport()
    assert compact_readings(settings, [today]).days == (today,)


def test_without_readings_there_is_nothing_to_do(settings: Settings) -> None:
    assert compact_readings(settings) == CompactReport()


def test_readings_that_land_meanwhile_stay(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = compaction._rewrite  # noqa: SLF001 - the moment between reading and committing

    def slow(*args: Any) -> tuple[int, int]:
        land(lake, 3)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "_rewrite", slow)
    assert compact_readings(settings).rows == 2
    assert [seq for _, seq, _ in found(lake)] == [1, 2, 3]


def test_two_compactions_at_once_do_not_double(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = compaction._rewrite  # noqa: SLF001 - as above

    def slow(*args: Any) -> tuple[int, int]:
        monkeypatch.setattr(compaction, "_rewrite", rewrite)
        compact_readings(settings)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "_rewrite", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [1, 2]


def test_two_compactions_with_a_landing_between_their_starts_do_not_double(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = compaction._rewrite  # noqa: SLF001 - as above

    def slow(*args: Any) -> tuple[int, int]:
        monkeypatch.setattr(compaction, "_rewrite", rewrite)
        land(lake, 3)  # the other one starts from a later version than ours
        compact_readings(settings)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "_rewrite", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [1, 2, 3]


def test_a_compaction_that_is_stopped_leaves_no_file_behind(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, 1)
    land(lake, 2)
    before = sorted(lake.path(READINGS).rglob("*.parquet"))
    rewrite = compaction._rewrite  # noqa: SLF001 - as above

    def stopped(*args: Any) -> tuple[int, int]:
        rewrite(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(compaction, "_rewrite", stopped)
    with pytest.raises(KeyboardInterrupt):
        compact_readings(settings)
    assert sorted(lake.path(READINGS).rglob("*.parquet")) == before


def test_landing_and_two_compactions_at_the_same_time_keep_every_reading_once(settings: Settings, lake: Lake) -> None:
    land(lake, 0)
    done = threading.Event()
    made: list[int] = []

    def compacting() -> None:
        while not done.is_set():
            with suppress(LakeError):  # the two collide, and say so
                made.append(len(compact_readings(settings).days))

    others = [threading.Thread(target=compacting) for _ in range(2)]
    for other in others:
        other.start()
    for seq in range(1, 60):
        land(lake, seq)
    done.set()
    for other in others:
        other.join()
    assert [seq for _, seq, _ in found(lake)] == list(range(60))
    assert sum(made) > 0


def test_rows_that_are_erased_meanwhile_do_not_come_back(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = compaction._rewrite  # noqa: SLF001 - as above

    def slow(*args: Any) -> tuple[int, int]:
        done = rewrite(*args)
        lake.open(READINGS).delete("seq = 1")
        return done

    monkeypatch.setattr(compaction, "_rewrite", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [2]


def test_readers_of_the_former_version_are_not_disturbed(settings: Settings, lake: Lake) -> None:
    land(lake, 1)
    land(lake, 2)
    former = DeltaTable(lake.path(READINGS))
    compact_readings(settings)
    assert former.to_pyarrow_table().num_rows == 2
