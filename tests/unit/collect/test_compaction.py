from __future__ import annotations

import random
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipelines.collect import compaction, merging
from pipelines.collect.compaction import CompactReport, compact_readings
from pipelines.collect.tables import IDENTITY, PARTITION, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake.store import Lake, Provenance
from pipelines.settings import Settings, load_settings

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
    report = compact_readings(settings)
    assert (report.days, report.files_before, report.rows, report.duplicates) == ((DAY,), 3, 12, 0)
    assert (report.version, report.files) == (4, 1)
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
    assert (compact_readings(settings).rows, lake.version(READINGS)) == (3, 4)


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
    rewrite = merging.merge  # the moment between reading and committing

    def slow(*args: Any) -> tuple[int, int]:
        land(lake, 3)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "merge", slow)
    assert compact_readings(settings).rows == 2
    assert [seq for _, seq, _ in found(lake)] == [1, 2, 3]


def test_two_compactions_at_once_do_not_double(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = merging.merge

    def slow(*args: Any) -> tuple[int, int]:
        monkeypatch.setattr(compaction, "merge", rewrite)
        compact_readings(settings)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "merge", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [1, 2]


def test_two_compactions_with_a_landing_between_their_starts_do_not_double(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, 1)
    land(lake, 2)
    rewrite = merging.merge

    def slow(*args: Any) -> tuple[int, int]:
        monkeypatch.setattr(compaction, "merge", rewrite)
        land(lake, 3)  # the other one starts from a later version than ours
        compact_readings(settings)
        return rewrite(*args)

    monkeypatch.setattr(compaction, "merge", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [1, 2, 3]


def test_a_compaction_that_is_stopped_leaves_no_file_behind(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, 1)
    land(lake, 2)
    before = sorted(lake.path(READINGS).rglob("*.parquet"))
    rewrite = merging.merge

    def stopped(*args: Any) -> tuple[int, int]:
        rewrite(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(compaction, "merge", stopped)
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
    rewrite = merging.merge

    def slow(*args: Any) -> tuple[int, int]:
        done = rewrite(*args)
        lake.open(READINGS).delete("seq = 1")
        return done

    monkeypatch.setattr(compaction, "merge", slow)
    with pytest.raises(LakeError, match="could not compact"):
        compact_readings(settings)
    assert [seq for _, seq, _ in found(lake)] == [2]


def test_readers_of_the_former_version_are_not_disturbed(settings: Settings, lake: Lake) -> None:
    land(lake, 1)
    land(lake, 2)
    former = DeltaTable(lake.path(READINGS))
    compact_readings(settings)
    assert former.to_pyarrow_table().num_rows == 2


def random_readings(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Readings of few identities, so that many stand twice: with other values, instants and times of receipt."""
    return [
        {
            "day": DAY,
            "vehicle": f"v{rng.randrange(9):02d}",
            "boot": rng.choice("ab"),
            "seq": rng.randrange(40),
            "row": rng.randrange(3),
            "ts": FIRST + timedelta(seconds=rng.randrange(5000)),
            "signal": rng.choice(("Vehicle.Speed", "Vehicle.AverageSpeed", "Vehicle.Brand")),
            "type": "float",
            "value": rng.choice((None, rng.random())),
            "text": rng.choice((None, "x")),
            "known": rng.choice((True, False)),
            "consent": rng.choice(("service", "service+statistics")),
            "received_at": FIRST + timedelta(microseconds=rng.randrange(10**12)),
        }
        for _ in range(count)
    ]


def test_merging_agrees_with_pandas(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_PART_ROWS", 200)
    monkeypatch.setattr(compaction, "merge", lambda *args: merging.merge(*args[:3], goal=8_000, least=6_000))
    rng = random.Random(11)
    rows = random_readings(rng, 3_000)
    for first in range(0, 3_000, 500):
        table = pa.Table.from_pylist(rows[first : first + 500], READINGS_SCHEMA)
        lake.append(READINGS, table, Provenance("collect"), partition_by=PARTITION)
    frame = pd.DataFrame(rows).sort_values("received_at").drop_duplicates(list(IDENTITY))
    report = compact_readings(settings)
    assert report.files > 2
    assert (report.rows, report.duplicates) == (len(frame), 3_000 - len(frame))
    files = [pq.ParquetFile(file).read() for file in lake.files(READINGS)]
    files.sort(key=lambda file: file["vehicle"][0].as_py())
    found = pa.concat_tables(files).to_pylist()
    assert [(row["vehicle"], row["signal"], row["ts"]) for row in found] == sorted(
        (row.vehicle, row.signal, row.ts) for row in frame.itertuples()
    )
    kept = {tuple(rows[at][name] for name in IDENTITY): rows[at] for at in frame.index}
    for row in found:
        assert {"day": DAY, **row} == kept[tuple(row[name] for name in IDENTITY)] | {"driver": None, "tenant": None}
    monkeypatch.setattr(compaction, "LEAST", 1)
    assert compact_readings(settings) == CompactReport()


def test_late_readings_rewrite_the_files_of_their_cars_alone(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(5)
    rows = random_readings(rng, 6_000)
    for seq, row in enumerate(rows):
        row |= {"vehicle": f"v{seq % 3}", "seq": seq, "value": rng.random()}
    for part in (rows[:3_000], rows[3_000:]):
        table = pa.Table.from_pylist(part, READINGS_SCHEMA)
        lake.append(READINGS, table, Provenance("collect"), partition_by=PARTITION)
    monkeypatch.setattr(merging, "_PART_ROWS", 2_000)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "merge", lambda *args: merging.merge(*args[:3], goal=1, least=1))
        assert compact_readings(settings).files == 3  # a car each
    before = set(lake.files(READINGS))
    land(lake, 10_000)  # of v1
    monkeypatch.setattr(compaction, "LEAST", 15_000)
    monkeypatch.setattr(compaction, "GOAL", 30_000)
    report = compact_readings(settings)
    assert report.files_before == 2
    assert len(before & set(lake.files(READINGS))) == 2
    assert [seq for _, seq, _ in found(lake)] == [*range(6_000), 10_000]
    assert compact_readings(settings) == CompactReport()


def test_late_readings_of_other_cars_do_not_stay_small(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, *range(300))
    monkeypatch.setattr(compaction, "LEAST", min(file.size for file in lake.snapshot(READINGS).files))
    late = {
        "day": DAY,
        "vehicle": "z",
        "boot": "b",
        "seq": 1,
        "row": 0,
        "ts": FIRST,
        "signal": "Vehicle.Speed",
        "value": 1.0,
    }
    lake.append(READINGS, pa.Table.from_pylist([late], READINGS_SCHEMA), Provenance("collect"), partition_by=PARTITION)
    assert compact_readings(settings).files_before == 2
    assert (len(lake.files(READINGS)), len(found(lake))) == (1, 301)


def test_a_day_that_goes_on_has_its_many_small_files_merged(settings: Settings, lake: Lake) -> None:
    today = datetime.now(UTC).date()
    for seq in range(compaction._CROWD - 1):  # noqa: SLF001 - how many are many
        land(lake, seq, day=today)
    assert compact_readings(settings) == CompactReport()
    land(lake, 99, day=today)
    assert compact_readings(settings).files == 1
    assert len(found(lake)) == compaction._CROWD  # noqa: SLF001 - as above
    assert compact_readings(settings) == CompactReport()


def test_one_that_was_stopped_has_done_the_days_before(
    settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        land(lake, 1, day=date(2026, 2, day))
        land(lake, 2, day=date(2026, 2, day))
    rewrite, days = merging.merge, [0]

    def stopped(*args: Any) -> Any:
        days[0] += 1
        if days[0] == 3:
            raise KeyboardInterrupt
        return rewrite(*args)

    with monkeypatch.context() as patch:
        patch.setattr(compaction, "merge", stopped)
        with pytest.raises(KeyboardInterrupt):
            compact_readings(settings)
    assert len(lake.files(READINGS)) == 4
    assert compact_readings(settings).days == (date(2026, 2, 3),)


def test_very_much_is_merged_in_two_rounds(settings: Settings, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for seq in range(0, 60, 3):
        land(lake, seq, seq + 1, seq + 2)
    land(lake, 1, 4, received=7)  # again
    monkeypatch.setattr(compaction, "_ROWS_AT_ONCE", 15)
    report = compact_readings(settings)
    assert report.files_before == 20 + 5  # four batches of five, then what they became and the one left over
    assert (report.duplicates, len(lake.files(READINGS))) == (2, 1)
    assert [(seq, value) for _, seq, value in found(lake)] == [(seq, 0) for seq in range(60)]
