from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.collect.tables import PARTITION, READINGS, READINGS_SCHEMA
from pipelines.lake.store import Lake, Provenance
from pipelines.quality.readings import judge_readings
from pipelines.settings import Settings, load_settings

DAY = date(2026, 2, 1)
AT = datetime(2026, 2, 1, 12, tzinfo=UTC)


def land(settings: Settings, seq: int, **wrong: Any) -> None:
    row: dict[str, Any] = {
        "day": DAY,
        "vehicle": "0123456789abcdef" * 2,
        "boot": "b",
        "seq": seq,
        "row": 0,
        "ts": AT,
        "signal": "Vehicle.Speed",
        "type": "float",
        "value": 1.0,
        "known": True,
        "consent": "service",
        "received_at": AT,
    }
    rows = pa.Table.from_pylist([row | wrong], READINGS_SCHEMA)
    Lake(settings.lake).append(READINGS, rows, Provenance("collect"), partition_by=PARTITION)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


def outcomes(settings: Settings) -> list[bool]:
    return [verdict.passed for verdict in judge_readings(settings)]


def test_without_readings_there_is_no_verdict(settings: Settings) -> None:
    assert judge_readings(settings) == []


def test_a_day_that_passed_is_judged_again_only_when_its_files_change(settings: Settings) -> None:
    land(settings, 1)
    assert outcomes(settings) == [True]
    assert outcomes(settings) == []
    land(settings, 2)
    assert outcomes(settings) == [True]


def test_a_day_that_failed_fails_each_time_until_it_is_mended(settings: Settings) -> None:
    land(settings, 1)
    assert outcomes(settings) == [True]
    land(settings, 1)  # the same reading again
    assert outcomes(settings) == [False]
    assert outcomes(settings) == [False]
    report = json.loads((settings.reports / "readings" / "2026-02-01.json").read_text())
    assert [each["observed"] for each in report["findings"] if each["outcome"] == "failed"] == [
        "1 readings stand twice"
    ]
    Lake(settings.lake).open(READINGS).delete("seq = 1")
    land(settings, 1)
    assert outcomes(settings) == [True]
    assert outcomes(settings) == []


def test_a_day_that_is_not_over_is_not_judged(settings: Settings) -> None:
    land(settings, 1)
    assert judge_readings(settings, before=DAY) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"consent": None},
        {"consent": "silent"},
        {"vehicle": "CAR1"},
        {"signal": "Vehicle.Foo"},  # marked as known
        {"known": None},
        {"type": "double"},
        {"seq": -1},
        {"ts": datetime(1970, 1, 1, tzinfo=UTC)},
        {"ts": datetime(2090, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_the_collector_should_never_have_kept_fails_the_day(settings: Settings, wrong: dict[str, Any]) -> None:
    land(settings, **({"seq": 1} | wrong))
    assert outcomes(settings) == [False]


def test_a_signal_that_nobody_knows_is_no_fault_when_it_says_so(settings: Settings) -> None:
    land(settings, 1, signal="Vehicle.Foo", known=False)
    assert outcomes(settings) == [True]
