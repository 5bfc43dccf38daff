"""The DAGs in a real Airflow: they parse, and run in this process against a local mirror."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.contracts import contract_names
from pipelines.demo.mirror import Mirror
from pipelines.demo.samples import write_accident_samples

pytestmark = pytest.mark.airflow

_PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print("RESULT", json.dumps({"errors": bag.import_errors, "dags": sorted(bag.dags),
    "heavy": sorted({"great_expectations", "duckdb", "deltalake", "paho"} & set(sys.modules))}))
"""

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    try:
        import importlib.metadata

        importlib.metadata.version("apache-airflow-core")
    except importlib.metadata.PackageNotFoundError:
        if os.environ.get("ROCADE_REQUIRE_ALL") == "1":
            pytest.fail("Airflow is not installed: pip install 'rocade[airflow]'")
        pytest.skip("Airflow is not installed: pip install 'rocade[airflow]'")
    folder = tmp_path_factory.mktemp("airflow")
    return os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "ROCADE_HOME": str(folder / "home"),
    }


def test_the_folder_parses_without_errors_and_without_heavy_imports(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PARSE, str(DAGS)], env=environment, capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout.split("RESULT ")[1].splitlines()[0])
    assert result == {
        "errors": {},
        "dags": ["open_data", *(f"open_data_{name}" for name in contract_names()), "tables", "telemetry"],
        "heavy": [],
    }


def _run(environment: dict[str, str], tmp_path: Path) -> dict[str, dict[str, object]]:
    out = tmp_path / "dags.json"
    out.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.demo.airflow_run", str(out)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {each["dag"]: each for each in json.loads(out.read_text(encoding="utf-8"))}


@pytest.mark.timeout(600)
def test_the_three_dags_succeed_and_a_second_run_finds_nothing_new(environment: dict[str, str], tmp_path: Path) -> None:
    site = write_accident_samples(tmp_path / "site", accidents_per_year=200, years=[2017, 2023])
    with Mirror(site) as mirror:
        environment = environment | {"ROCADE_DATAGOUV_URL": mirror.url}
        first = _run(environment, tmp_path)
        assert {name: each["state"] for name, each in first.items()} == dict.fromkeys(
            ("open_data_accidents", "telemetry", "tables"), "success"
        )
        # vintages, two years, announce
        assert first["open_data_accidents"]["tasks"] == {"success": 4}
        count = [
            sys.executable,
            "-m",
            "pipelines.cli",
            "sql",
            "-f",
            "csv",
            "SELECT sum(accidents) FROM big.accidents_by_department",
        ]
        answer = subprocess.run(count, env=environment, capture_output=True, text=True, check=True)
        assert answer.stdout.splitlines()[1] == "400"
        second = _run(environment, tmp_path)
        assert second["open_data_accidents"]["state"] == "success"
        assert second["open_data_accidents"]["tasks"] == {"success": 3, "skipped": 1}


@pytest.mark.timeout(600)
def test_a_broken_contract_fails_its_year_without_retry_and_publishes_the_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    site = write_accident_samples(tmp_path / "site", accidents_per_year=50, years=[2017, 2023])
    file = site / "lieux-2017.csv"
    file.write_bytes(file.read_bytes().replace(b"catr", b"category", 1))
    code = (
        "import sys\n"
        "from pipelines.scheduled import ingest_vintage\n"
        "from pipelines.errors import RocadeError\n"
        "try: ingest_vintage('accidents', 2017)\n"
        "except RocadeError as error: print(type(error).__name__, error)\n"
        "print(ingest_vintage('accidents', 2023))\n"
    )
    with Mirror(site) as mirror:
        env = environment | {"ROCADE_DATAGOUV_URL": mirror.url, "ROCADE_HOME": str(tmp_path / "home")}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "QualityError accidents 2017: lieux-2017.csv, line 1: column 'catr' is missing" in done.stdout
    assert "{'vintage': 2023, 'published': 4, 'unchanged': 0}" in done.stdout


@pytest.mark.timeout(600)
def test_what_one_year_published_is_announced_although_another_failed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    site = write_accident_samples(tmp_path / "site", accidents_per_year=50, years=[2017, 2023])
    file = site / "lieux-2017.csv"
    file.write_bytes(file.read_bytes().replace(b"catr", b"category", 1))
    with Mirror(site) as mirror:
        env = environment | {
            "ROCADE_DATAGOUV_URL": mirror.url,
            "ROCADE_HOME": str(tmp_path / "home"),
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
        }
        first = _run(env, tmp_path)
        # vintages, 2023, announce; and the run tells of 2017
        assert first["open_data_accidents"]["tasks"] == {"success": 3, "failed": 1}
        assert first["open_data_accidents"]["state"] == "failed"
        second = _run(env, tmp_path)
    assert second["open_data_accidents"]["tasks"] == {"success": 2, "failed": 1, "skipped": 1}


def test_a_dag_that_fails_in_the_demo_fails_at_once(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "dags.json"
    nobody = {"ROCADE_DATAGOUV_URL": "http://127.0.0.1:9", "ROCADE_HTTP_RETRIES": "0"}
    subprocess.run(
        [sys.executable, "-m", "pipelines.demo.airflow_run", str(out)],
        env=environment | nobody,
        capture_output=True,
        check=True,
        timeout=240,  # the first retry of a schedule comes after five minutes
    )
    states = {each["dag"]: each["state"] for each in json.loads(out.read_text(encoding="utf-8"))}
    assert states == {"open_data_accidents": "failed", "telemetry": "success", "tables": "success"}
