"""The file for the truth: opened before anything is sent, so that a wrong name costs nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import SettingsError
from pipelines.fleet.load import simulate_load
from pipelines.fleet.results import TruthFile
from pipelines.fleet.simulate import simulate
from pipelines.progress import Silent
from pipelines.settings import load_settings

NOWHERE = load_settings(mqtt_url="mqtt://127.0.0.1:1")
START = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass
class Thing:
    size: int


@pytest.mark.parametrize(("run", "more"), [(simulate, {}), (simulate_load, {"seconds": 1})])
def test_a_truth_that_cannot_be_written_is_told_before_anything_is_sent(
    tmp_path: Path, run: Callable[..., object], more: dict[str, Any]
) -> None:
    target = tmp_path / "no such folder" / "truth.jsonl"
    with pytest.raises(SettingsError, match=r"truth\.jsonl: cannot be written: No such file"):
        run(NOWHERE, vehicles=1, start=START, truth=target, progress=Silent(), **more)


def test_what_is_written_is_an_object_a_line(tmp_path: Path) -> None:
    with TruthFile(tmp_path / "truth.jsonl") as written:
        written.write([{"a": 1}, Thing(2)])
        written.write([{"b": None}])
    lines = (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"a": 1}, {"size": 2}, {"b": None}]


def test_without_a_target_nothing_is_made() -> None:
    with TruthFile(None) as written:
        written.write(pytest.fail("looked at") for _ in range(1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_told_with_the_name_of_the_file() -> None:
    full = Path("/dev/full")
    with pytest.raises(SettingsError, match="/dev/full: cannot be written: No space left"), TruthFile(full) as written:
        written.write([{"a": 1}])
