"""Run the three DAGs in this process, on a throw-away Airflow home: `python -m pipelines.demo.airflow_run OUT [SINCE]`.

A process of its own because Airflow reads its configuration when it is imported. What the DAGs did is written to OUT as
JSON; Airflow's own log goes to standard output.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG

DAGS = ("open_data_accidents", "telemetry", "tables")


def run(out: Path, since: int | None) -> None:
    """Migrate the database, then ``dag.test()`` each DAG in turn.

    Args:
        out: JSON file to write: ``[{dag, state, tasks: {state: count}, seconds}]``.
        since: first vintage that the DAG of the accidents looks at.
    """
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True)
    from airflow.dag_processing.dagbag import DagBag

    from pipelines.settings import data_folder

    bag = DagBag(data_folder("dags"))
    results = []
    for name in DAGS:
        started = time.monotonic()
        dag = bag.dags[name]
        _fail_at_once(dag)
        done = dag.test(run_conf={"since": since} if name == DAGS[0] else None)
        states: dict[str, int] = {}
        for instance in done.get_task_instances():
            states[str(instance.state)] = states.get(str(instance.state), 0) + 1
        results.append({"dag": name, "state": str(done.state), "tasks": states, "seconds": time.monotonic() - started})
        out.write_text(json.dumps(results), encoding="utf-8")


def _fail_at_once(dag: DAG) -> None:
    """Take the retries out, for which a schedule has minutes and somebody who looks on has not."""
    for task in dag.tasks:
        task.retries = 0


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)  # noqa: PLR2004 - the optional argument
