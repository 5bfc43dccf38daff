from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.collect import compaction
from pipelines.collect.gaps import GAPS, GapReport, OpenGaps, find_gaps, open_gaps
from pipelines.collect.tables import PARTITION, QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA, SYNTHETIC
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

START = datetime(2026, 2, 1, 23, 59, tzinfo=UTC)


def instant(seq: int) -> datetime:
    return START + timedelta(seconds=10 * seq)


def land(lake: Lake, seqs: Iterable[int], boot: str = "b", vehicle: str = "v", hour: int = 0) -> None:
    rows = [
        {
            "day": instant(min(seq, 10_000)).date(),
            "vehicle": vehicle,
            "boot": boot,
            "seq": seq,
            "row": row,
            "ts": instant(min(seq, 10_000)) + timedelta(seconds=row),
            "signal": "Vehicle.Speed",
            "received_at": START + timedelta(hours=hour),
        }
        for seq in seqs
        for row in range(2)
    ]
    lake.append(READINGS, pa.Table.from_pylist(rows, READINGS_SCHEMA), Provenance("collect"), partition_by=PARTITION)


def gaps(lake: Lake, boot: str = "b") -> list[tuple[Any, ...]]:
    rows = [row for row in lake.open(GAPS).to_pyarrow_table().to_pylist() if row["boot"] == boot]
    return sorted((row["first"], row["last"], row["closed_at"] is not None) for row in rows if row["last"] is not None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings.lake)


def test_without_readings_there_is_no_gap(settings: Settings, lake: Lake) -> None:
    assert find_gaps(settings) == GapReport()
    assert not lake.exists(GAPS)


def test_a_run_that_did_not_come_is_a_row_and_so_is_a_boot_that_begins_late(settings: Settings, lake: Lake) -> None:
    land(lake, [2, 3, 7])
    land(lake, [0, 1], boot="c")
    report = find_gaps(settings)
    assert (report.boots, report.open, report.missing) == (2, 2, 5)
    assert gaps(lake) == [(0, 1, False), (4, 6, False)]
    assert gaps(lake, "c") == []
    rows = {(row["boot"], row["first"]): row for row in lake.open(GAPS).to_pyarrow_table().to_pylist()}
    edge, hole, rest = rows["b", 0], rows["b", 4], rows["b", 8]
    assert (edge["since"], edge["until"]) == (None, instant(2))
    assert (hole["since"], hole["until"]) == (instant(3) + timedelta(seconds=1), instant(7))
    assert (rest["last"], rest["since"], rest["until"]) == (None, instant(7) + timedelta(seconds=1), None)
    assert {row["day"] for row in rows.values()} == {START.date()}


def test_a_second_update_has_nothing_to_do(settings: Settings, lake: Lake) -> None:
    land(lake, [0, 2])
    version = find_gaps(settings).version
    assert find_gaps(settings) == GapReport(boots=0, open=1, missing=1)
    assert lake.version(GAPS) == version


def test_late_messages_close_a_gap_piece_by_piece(settings: Settings, lake: Lake) -> None:
    land(lake, [0, 10])
    find_gaps(settings)
    land(lake, [4, 5], hour=3)
    assert find_gaps(settings).missing == 7
    assert gaps(lake) == [(1, 3, False), (4, 5, True), (6, 9, False)]
    land(lake, [1, 2, 3, 6, 7, 8, 9], hour=5)
    assert find_gaps(settings).open == 0
    assert gaps(lake) == [(1, 3, True), (4, 5, True), (6, 9, True)]
    closed = {row["first"]: row["closed_at"] for row in lake.open(GAPS).to_pyarrow_table().to_pylist()}
    assert (closed[4], closed[6]) == (START + timedelta(hours=3), START + timedelta(hours=5))


def test_a_message_that_waits_in_quarantine_is_not_missing(settings: Settings, lake: Lake) -> None:
    land(lake, [0, 2])
    row = {"day": START.date(), "received_at": START, "vehicle": "v", "boot": "b", "seq": 1, "reason": "wrong_type"}
    poison = row | {"boot": None, "seq": None, "payload": b"x"}
    table = pa.Table.from_pylist([row, poison], QUARANTINE_SCHEMA)
    lake.append(QUARANTINE, table, Provenance("collect"), partition_by=PARTITION)
    find_gaps(settings)
    assert gaps(lake) == []


def test_numbers_that_we_made_ourselves_have_no_gaps(settings: Settings, lake: Lake) -> None:
    land(lake, [SYNTHETIC + 5, SYNTHETIC + 9])
    assert find_gaps(settings).open == 0


def test_compaction_between_two_updates_changes_nothing(settings: Settings, lake: Lake) -> None:
    land(lake, [0, 1])
    land(lake, [5])
    find_gaps(settings)
    land(lake, [3])
    compaction.compact_readings(settings, [START.date(), instant(6).date()])
    find_gaps(settings)
    assert gaps(lake) == [(2, 2, False), (3, 3, True), (4, 4, False)]


def test_files_that_vacuum_took_before_they_were_seen_are_no_loss(settings: Settings, lake: Lake) -> None:
    land(lake, [0, 5])
    find_gaps(settings)
    land(lake, [3])
    land(lake, [2])
    compaction.compact_readings(settings, [START.date(), instant(6).date()])
    lake.open(READINGS).vacuum(0, dry_run=False, enforce_retention_duration=False)
    find_gaps(settings)
    assert gaps(lake) == [(1, 1, False), (4, 4, False)]


def test_whatever_comes_when_the_open_gaps_are_what_is_missing(settings: Settings, lake: Lake) -> None:
    rng = random.Random(8)
    waiting = [(boot, seq) for boot in "abc" for seq in range(60) if rng.random() < 0.8]
    rng.shuffle(waiting)
    come: set[tuple[str, int]] = set()
    while waiting:
        now, waiting = waiting[:24], waiting[24:]
        come |= set(now)
        for boot in "abc":
            if seqs := [seq for each, seq in now if each == boot]:
                land(lake, seqs, boot)
        find_gaps(settings)
        for boot in "abc":
            seqs = {seq for each, seq in come if each == boot}
            lost = [seq for seq in range(max(seqs, default=0)) if seq not in seqs]
            runs = [[seq for _, seq in run] for _, run in groupby(enumerate(lost), lambda pair: pair[1] - pair[0])]
            found = gaps(lake, boot) if seqs else []
            assert [row[:2] for row in found if not row[2]] == [(run[0], run[-1]) for run in runs]
            filled = [seq for first, last, closed in found if closed for seq in range(first, last + 1)]
            assert len(filled) == len(set(filled))
            assert set(filled) <= seqs


def test_status_tells_what_is_missing_and_of_which_cars_most(settings: Settings, lake: Lake) -> None:
    def status(*options: str) -> str:
        environment = {"ROCADE_HOME": str(settings.home), "COLUMNS": "200"}
        shown = CliRunner().invoke(app, ["status", *options], env=environment, catch_exceptions=False)
        return " ".join(shown.output.split())

    assert open_gaps(settings) is None
    assert "gaps" not in status()
    land(lake, [0, 1, 2])
    find_gaps(settings)
    assert open_gaps(settings) == OpenGaps(0, 0, 0, ())
    assert "no open gaps" in status()
    land(lake, [0, 2, 5], vehicle="w")  # 1, 3 and 4 are missing
    land(lake, [1], boot="c", vehicle="w")  # 0 is
    for name, last in (("x", 2001), ("y", 2), ("z", 3)):
        land(lake, [0, last], vehicle=name)
    find_gaps(settings)
    land(lake, [1], vehicle="y", hour=1)  # late: closed
    find_gaps(settings)
    assert open_gaps(settings) == OpenGaps(5, 2006, 3, (("x", 2000), ("w", 4), ("z", 2)))
    assert "open gaps: 5, 2 006 messages of 3 cars; most are missing of x (2 000), w (4), z (2)" in status()
    assert json.loads(status("--json"))["gaps"] == {
        "count": 5,
        "missing": 2006,
        "vehicles": 3,
        "worst": [["x", 2000], ["w", 4], ["z", 2]],
    }
