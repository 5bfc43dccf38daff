"""How soon Rocade answers, beside its peers: `rocade --help` against bare Python and Airflow's own CLI, and parsing dags/.

Adds rows to benchmarks/history.csv. Bars (issue 2): `rocade --help` under 0.5 s, parsing the dags/ folder under 2 s.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
HISTORY = ROOT / "benchmarks/history.csv"
SHORT = "--short" in sys.argv[1:]  # one run each and no row in the history: does it still work?
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
            ("rocade --help", ours, "python -c pass", seconds([sys.executable, "-c", "pass"], environment)),
            (
                "rocade --help",
                ours,
                "airflow --help",
                seconds([sys.executable, "-m", "airflow", "--help"], environment),
            ),
            ("parse dags/", parse_seconds(environment), "bar", 2.0),
        ]
    for what, value, peer, peer_value in rows:
        print(f"{what}: {value:.3f} s; {peer}: {peer_value:.3f} s; ratio {value / peer_value:.2f}")
    if SHORT:
        return
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    new = not HISTORY.exists()
    with HISTORY.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(["date", "what", "value", "unit", "peer", "peer_value", "ratio"])
        for what, value, peer, peer_value in rows:
            writer.writerow([stamp, what, f"{value:.3f}", "s", peer, f"{peer_value:.3f}", f"{value / peer_value:.2f}"])


if __name__ == "__main__":
    main()
