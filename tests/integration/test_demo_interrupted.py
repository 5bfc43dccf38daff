"""Ctrl-C in each stage of the demo: no traceback, no process left behind, and the next run comes to the end."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.faults, pytest.mark.timeout(900)]

STAGES = ("open data comes from", "== 1 ", "an MQTT broker at", "== 3 ")


def demo(home: Path) -> subprocess.Popen[str]:
    environment = os.environ | {
        "ROCADE_HOME": str(home),
        "ROCADE_DATAGOUV_URL": "http://127.0.0.1:9",  # nobody: the demo serves samples of its own
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "demo"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that have our ROCADE_HOME."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"ROCADE_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # gone meanwhile
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to look for processes in")
def test_an_interrupted_demo_leaves_nothing_running_and_the_next_one_ends_well(tmp_path: Path) -> None:
    if importlib.util.find_spec("airflow") is None:
        if os.environ.get("ROCADE_REQUIRE_ALL") == "1":
            pytest.fail("Airflow is not installed: pip install 'rocade[airflow]'")
        pytest.skip("Airflow is not installed: pip install 'rocade[airflow]'")
    home = tmp_path / "home"
    for stage in STAGES:
        with demo(home) as running:
            assert running.stderr is not None
            said = ""
            for line in running.stderr:
                said += line
                if stage in line:
                    break
            time.sleep(1.5)  # into the stage
            running.send_signal(signal.SIGINT)
            said += running.stderr.read()
        assert running.returncode == 130, said
        assert "Traceback" not in said
        assert processes_of(home) == []
    with demo(home) as last:
        assert last.stderr is not None
        said = last.stderr.read()
    assert last.returncode == 0, said
    assert processes_of(home) == []
