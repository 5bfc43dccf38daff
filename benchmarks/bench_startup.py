"""How soon Rocade answers, beside its peers: `rocade --help` against bare Python and Airflow's own CLI, and parsing dags/.

Adds rows to benchmarks/history.csv. Bars: `rocade --help` under 0.5 s, parsing the dags/ folder under 2 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from side_by_side import ROOT, SHORT, Row, report

RUNS = 1 if SHORT else 5

_PARSE = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
began = time.perf_counter()
bag = DagBag(sys.argv[1])
print("SECONDS", time.perf_counter() - began, len(bag.dags), bag.import_errors)
"""


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Median wall-clock seconds of ``RUNS`` runs after a warm-up."""
    taken = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def parse_seconds(environment: dict[str, str]) -> float:
    """Median seconds of a fresh process to parse dags/, the import of Airflow itself left out."""
    taken = []
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-c", _PARSE, str(ROOT / "dags")],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("SECONDS")]
        taken.append(float(line.split()[1]))
    return statistics.median(taken)


def main() -> None:
    """Measure, print, append."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, capture_output=True, check=True
        )
        ours = seconds([sys.executable, "-m", "pipelines.cli", "--help"], environment)
        rows = [
            ("rocade --help", ours, "python -c pass", seconds([sys.executable, "-c", "pass"], environment), None),
            ("rocade --help", ours, "bar", 0.5, 1),
            (
                "rocade --help",
                ours,
                "airflow --help",
                seconds([sys.executable, "-m", "airflow", "--help"], environment),
                None,
            ),
            ("parse dags/", parse_seconds(environment), "bar", 2.0, 1),
        ]
    report([Row(what, value, "s", peer, peer_value, bar, at_most=True) for what, value, peer, peer_value, bar in rows])


if __name__ == "__main__":
    main()
