from __future__ import annotations

import errno
import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.collect.meter import Meter
from pipelines.collect.metrics import served
from pipelines.collect.status import Beat, collectors
from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.fixture
def meter(settings: Settings) -> Meter:
    meter = Meter(received=70, durable=60, acknowledged=50, redelivered=3, commit_s=0.25, landings=1)
    meter.quarantined.update({"not_json": 2})
    meter.batches[2] = meter.batches[3] = 1
    beat = Beat(settings, meter, None, settings.journal / "collector-1")
    beat.start()
    beat.stop()
    change(settings, ended=False, at=time.time())
    return meter


def change(settings: Settings, **figures: Any) -> None:
    file = settings.root / "status" / "collector-1.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | figures))


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ({}, "up"),
        ({"connected": False}, "no broker"),
        ({"stuck_since": 1.0}, "disk full"),
        ({"failed": 2, "fault": "x: could not commit"}, "lake fails"),
        ({"ended": True}, "stopped"),
        ({"at": 0}, "down"),
        ({"pid": 2**22 + 1}, "down"),  # beyond the largest of Linux: it cannot be there
        ({"pid": 2**22 + 1, "host": "elsewhere"}, "up"),
    ],
)
def test_what_a_collector_is_said_to_be(settings: Settings, meter: Meter, figures: dict[str, Any], state: str) -> None:
    change(settings, **figures)
    (status,) = collectors(settings)
    assert status.state == state
    assert bool(status.hint) == (state in ("disk full", "lake fails", "down"))


def test_what_a_dead_collector_holds_is_told(settings: Settings, meter: Meter) -> None:
    change(settings, at=time.time() - 60)
    folder = settings.journal / "collector-1"
    folder.mkdir(parents=True)
    (folder / "00000000000000000007.arrow").write_bytes(b"x" * 100)
    (status,) = collectors(settings)
    assert (status.segments, status.journal_bytes, status.rate) == (1, 100, 0)
    assert "1 segments wait in" in str(status.hint)
    assert "under its id" in str(status.hint)
    shown = CliRunner().invoke(app, ["status"], env={"ROCADE_HOME": str(settings.home), "COLUMNS": "200"})
    assert "down since" in shown.output
    assert "wait at the broker under its id" in shown.output
    document = CliRunner().invoke(app, ["status", "--json"], env={"ROCADE_HOME": str(settings.home)})
    assert json.loads(document.output)["collectors"][0]["figures"]["acknowledged"] == 50


def test_a_journal_without_a_collector_is_told(settings: Settings) -> None:
    folder = settings.journal / "gone"
    folder.mkdir(parents=True)
    (folder / "00000000000000000007.arrow").write_bytes(b"x")
    (status,) = collectors(settings)
    assert (status.name, status.state, status.segments) == ("gone", "down", 1)


def test_prometheus_reads_them(settings: Settings, meter: Meter) -> None:
    with served(settings, 0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            page = answer.read().decode()
        with pytest.raises(SettingsError, match="cannot be served"), served(settings, port):
            pass
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    who = ("collector", "collector-1")
    assert found["rocade_received_total", who] == 70
    assert found["rocade_acknowledged_total", who] == 50
    assert found["rocade_quarantined_total", who, ("reason", "not_json")] == 2
    assert found["rocade_batch_messages_bucket", who, ("le", "50")] == 1
    assert found["rocade_batch_messages_bucket", who, ("le", "+Inf")] == 2
    assert found["rocade_batch_messages_sum", who] == 70
    assert found["rocade_commit_seconds", who] == 0.25
    assert found["rocade_up", who] == 1


def test_on_a_full_disk_it_is_still_told(settings: Settings, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settings.root / "status" / "collector-1.json"
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:0])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    change(settings, at=0)
    monkeypatch.setattr(Path, "write_bytes", full)
    for received, stuck_since in ((71, time.time()), (10**9, time.time()), (1, None)):  # longer, and shorter again
        meter.received, meter.stuck_since = received, stuck_since
        beat = Beat(settings, meter, None, settings.journal / "collector-1")
        beat.start()
        beat.stop()
        figures = json.loads(file.read_text())
        assert figures["received"] == received
        assert figures["stuck_since"] == stuck_since
    assert not list(file.parent.glob("*.tmp"))
