"""The DAGs under a live scheduler: `airflow standalone`, as a user starts it. Long, so under `make faults`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.demo.mirror import Mirror
from pipelines.demo.samples import write_accident_samples

pytestmark = [pytest.mark.airflow, pytest.mark.faults]

DAGS = Path(__file__).parents[2] / "dags"
_PATIENCE_S = 600


def _airflow(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "airflow", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[dict[str, str]]:
    pytest.importorskip("airflow", reason="Airflow is not installed: pip install 'rocade[airflow]'")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = write_accident_samples(tmp_path / "site", accidents_per_year=200, years=[2016, 2023])
    with Mirror(site) as mirror, (tmp_path / "standalone.log").open("wb") as log:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # standalone starts `airflow` by name
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "ROCADE_HOME": str(tmp_path / "home"),
            "ROCADE_DATAGOUV_URL": mirror.url,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield environment
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _state(environment: dict[str, str], dag: str) -> str | None:
    runs = json.loads(_airflow(environment, "dags", "list-runs", dag, "-o", "json").splitlines()[-1] or "[]")
    return runs[0]["state"] if runs else None


def _wait(environment: dict[str, str], dag: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while (state := _state(environment, dag)) != "success":
        assert state != "failed", dag
        assert time.monotonic() < deadline, f"{dag} is {state}"
        time.sleep(2)


@pytest.mark.timeout(1500)
def test_all_three_run_to_success_and_assets_wake_the_tables(scheduler: dict[str, str]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            listed = _airflow(scheduler, "dags", "list", "-o", "json")
        except subprocess.CalledProcessError:  # the database is still being made
            listed = ""
        if "open_data_accidents" in listed:
            break
        assert time.monotonic() < deadline, "the dag processor did not find the DAGs"
        time.sleep(3)
    for dag in ("tables", "open_data_accidents", "telemetry"):
        _airflow(scheduler, "dags", "unpause", "-y", dag)
    _airflow(scheduler, "dags", "trigger", "open_data_accidents")
    _wait(scheduler, "open_data_accidents")
    _wait(scheduler, "tables")  # nobody triggered it: the assets did
    _airflow(scheduler, "dags", "trigger", "telemetry")
    _wait(scheduler, "telemetry")
    count = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "sql",
        "-f",
        "csv",
        "SELECT sum(accidents) FROM big.accidents_by_department",
    ]
    answer = subprocess.run(count, env=scheduler, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[1] == "400"
