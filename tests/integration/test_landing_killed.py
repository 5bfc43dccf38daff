"""kill -9 during landing and compaction, at random: every durable message is in the lake, none twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.collect import land_pending
from pipelines.collect.compaction import compact_readings
from pipelines.collect.tables import QUARANTINE, READINGS
from pipelines.lake import Lake, connect
from pipelines.lake.duck import one_row
from pipelines.settings import Settings, load_settings

RUNNER = Path(__file__).with_name("landing_process.py")
ROOT = Path(__file__).parents[2]


def start(settings: Settings, what: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(RUNNER), what],
        env=os.environ | {"ROCADE_HOME": str(settings.root), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def kill(process: subprocess.Popen[str]) -> list[str]:
    """End ``process`` the hard way; what it has said."""
    process.kill()
    return process.communicate()[0].split()


def read_whole(settings: Settings) -> None:
    """A reader sees each message once and whole, whatever goes on."""
    if not Lake(settings.lake).exists(READINGS):
        return
    with connect(settings) as con:
        counts = f"SELECT seq, count(*) AS n FROM {Lake(settings.lake).relation_sql(READINGS)} GROUP BY seq"
        (wrong,) = one_row(con, f"SELECT count(*) FROM ({counts}) WHERE n <> 5")
    assert wrong == 0


@pytest.mark.parametrize(
    "times", [3, pytest.param(50, marks=[pytest.mark.faults, pytest.mark.timeout(1200)])], ids=["short", "long"]
)
def test_killed_while_landing_and_merging_nothing_is_lost_or_doubled(tmp_path: Path, times: int) -> None:
    settings, rng = load_settings(home=tmp_path), random.Random(9)
    lake, durable = Lake(settings.lake), -1
    merging = start(settings, "compact")
    for _ in range(times):
        writing = start(settings, "write")
        time.sleep(rng.random() * 1.5)
        read_whole(settings)
        said = kill(writing)
        durable = max(durable, *map(int, said[:-1]))  # the last line may have been cut
        if rng.random() < 0.5:
            kill(merging)
            merging = start(settings, "compact")
    kill(merging)
    land_pending(settings)
    report = compact_readings(settings)
    assert report.duplicates == 0
    with connect(settings) as con:
        relation, rejected = lake.relation_sql(READINGS), lake.relation_sql(QUARANTINE)
        count, last, messages = one_row(con, f"SELECT count(*), max(seq), count(DISTINCT seq) FROM {relation}")
        (different,) = one_row(
            con, f"SELECT count(*) FROM (SELECT DISTINCT vehicle, boot, seq, row, signal FROM {relation})"
        )
        (waiting,) = one_row(con, f"SELECT count(*) FROM {rejected}")
        (waiting_different,) = one_row(con, f"SELECT count(DISTINCT seq) FROM {rejected}")
    assert last >= durable > 0
    assert (count, different, messages) == (5 * (last + 1), 5 * (last + 1), last + 1)
    assert waiting == waiting_different == last // 10 + 1
