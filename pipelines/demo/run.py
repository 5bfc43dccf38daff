"""The main job on a small scale, every part of it the real one: what `make demo` runs.

Open data from data.gouv.fr or from a local mirror over generated files; a simulated fleet over real MQTT; the three DAGs
in Airflow; the derived tables. Stage by stage it says what it does, and at the end what is there and how to go on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.demo.families import SAMPLES, write_samples
from pipelines.demo.mirror import Mirror
from pipelines.errors import RocadeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.collect import CollectReport
    from pipelines.fleet.simulate import SimulationReport
    from pipelines.ingest import Outcome
    from pipelines.progress import Progress
    from pipelines.settings import Settings

VEHICLES = 25
#: Of the real dataset only recent years are fetched here; `rocade ingest accidents` brings them all.
_LIVE_SINCE = 2022


@dataclass
class DemoReport:
    """What the demo did; ``seconds`` by stage."""

    source: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    rows_read: int = 0
    simulation: dict[str, Any] = field(default_factory=dict)
    collection: dict[str, Any] = field(default_factory=dict)
    dags: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str, progress: Progress) -> Iterator[None]:
        """Time a stage and announce it."""
        progress.note(f"== {name}")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 1)


def demo(settings: Settings, progress: Progress) -> DemoReport:
    """Run everything once; running it again finds nothing new.

    Raises:
        RocadeError: a stage failed; what the ones before it did is in place.
    """
    report = DemoReport()
    with ExitStack() as stack:
        settings, first = _source(settings, progress, report, stack)
        with report.stage("1 open data: catalogue, fetch, conform, gate, lake", progress):
            _open_data(settings, progress, report, first)
        with report.stage("2 telemetry: broker, fleet, collector", progress):
            _telemetry(settings, progress, report)
        with report.stage("3 Airflow: open_data_accidents, telemetry, tables", progress):
            _airflow(settings, progress, report, first)
    return report


def _source(
    settings: Settings, progress: Progress, report: DemoReport, stack: ExitStack
) -> tuple[Settings, int | None]:
    """Settings that point at the catalogue in use, and the first vintage to bring from it."""
    from pipelines.catalog import open_catalog

    with open_catalog(settings) as catalog:
        if catalog.reachable():
            report.source = (
                f"{settings.datagouv_url}, vintages from {_LIVE_SINCE} (`rocade ingest accidents` brings all)"
            )
            progress.note(f"open data comes from {report.source}")
            return settings, _LIVE_SINCE
    mirror = stack.enter_context(Mirror(write_samples(settings.root / "demo" / "catalogue")))
    report.source = (
        f"a local mirror at {mirror.url} over GENERATED samples, since {settings.datagouv_url} does not answer"
    )
    progress.note(f"open data comes from {report.source}")
    return settings.model_copy(update={"datagouv_url": mirror.url}), None


def _open_data(settings: Settings, progress: Progress, report: DemoReport, first: int | None) -> None:
    """Accidents of all years but the newest, which is left for the DAG to find; of the mirror the other families whole."""
    from pipelines.contracts import contract_names, load_contract
    from pipelines.ingest import ingest
    from pipelines.plan import plan

    years = {each.vintage for each in plan(load_contract("accidents"), settings) if each.vintage is not None}
    wanted = {year for year in years if (first is None or year >= first) and year < max(years)}
    outcomes = ingest("accidents", settings, progress, vintages=wanted)
    if first is None:
        for name in contract_names():
            if name in SAMPLES and name != "accidents":
                outcomes += ingest(name, settings, progress)
    _refuse_failures(outcomes)
    for outcome in outcomes:
        report.resources[outcome.status] = report.resources.get(outcome.status, 0) + 1
    report.rows_read = sum(outcome.rows or 0 for outcome in outcomes)


def _refuse_failures(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.exit_code:
            raise RocadeError(outcome.message or outcome.status, where=outcome.name)


def _telemetry(settings: Settings, progress: Progress, report: DemoReport) -> None:
    from pipelines.fleet.broker import EmbeddedBroker
    from pipelines.fleet.simulate import simulate

    with EmbeddedBroker() as broker:
        local = settings.model_copy(update={"mqtt_url": broker.url})
        progress.note(f"an MQTT broker at {broker.url}; the collector listens, {VEHICLES} cars drive")
        with _collecting(local) as collected:
            simulation = simulate(
                local,
                vehicles=VEHICLES,
                start=_past_month(datetime.now(UTC).date()),
                trips=2,
                faults=True,
                truth=settings.root / "demo" / "truth.jsonl",
                progress=progress,
            )
    report.simulation = _sent(simulation)
    report.collection = _received(collected[0])
    progress.note(f"  sent {report.simulation}")
    progress.note(f"  collected {report.collection}")


@contextmanager
def _collecting(settings: Settings) -> Iterator[list[CollectReport]]:
    """A collector in a thread, stopped once it has been idle; its report is in the list afterwards."""
    from pipelines.collect import Collector, Until

    collector = Collector(settings, until=Until(idle_s=_IDLE_S))
    reports: list[CollectReport] = []
    failures: list[RocadeError] = []

    def run() -> None:
        try:
            reports.append(collector.run())
        except RocadeError as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="collector")
    thread.start()
    try:
        while not collector.ready.wait(0.1) and thread.is_alive():
            pass
        if collector.ready.is_set():
            yield reports
    except BaseException:
        collector.stop()
        raise
    finally:
        thread.join()
    if failures:
        raise failures[0]


_IDLE_S = 4.0


def _past_month(today: date) -> datetime:
    """A weekday of the month before this one: only months that are over are published."""
    last_month = today.replace(day=1) - timedelta(days=1)
    tuesday = last_month.replace(day=8)
    tuesday += timedelta(days=(1 - tuesday.weekday()) % 7)
    return datetime(tuesday.year, tuesday.month, tuesday.day, tzinfo=UTC)


def _sent(simulation: SimulationReport) -> dict[str, Any]:
    published = simulation.published
    return {
        "cars": VEHICLES,
        "trips": len(simulation.trips),
        "messages": published.messages,
        "readings": published.readings,
    }


def _received(collected: CollectReport) -> dict[str, Any]:
    return {
        "messages": collected.messages,
        "readings": collected.readings,
        "duplicates": collected.duplicates,
        "of silent cars, dropped": collected.silent,
        "quarantined": sum(collected.quarantined.values()),
    }


def _airflow(settings: Settings, progress: Progress, report: DemoReport, first: int | None) -> None:
    from pipelines.tables import build

    if importlib.util.find_spec("airflow") is None:
        progress.note("Airflow is not installed (pip install 'rocade[airflow]'): the tables are built without it")
        build(settings, progress=progress)
        return
    home = settings.root / "demo" / "airflow"
    shutil.rmtree(home, ignore_errors=True)  # a throw-away: its database is made anew each time
    home.mkdir(parents=True)
    out, log = home / "dags.json", home / "dags.log"
    command = [sys.executable, "-m", "pipelines.demo.airflow_run", str(out), *([str(first)] if first else [])]
    with (
        progress.step("dag.test() of three DAGs", total=3, unit="DAGs") as step,
        _child(command, log, _airflow_environment(settings, home)) as process,
    ):
        while process.poll() is None:
            time.sleep(0.5)
            if len(done := _done(out)) > len(report.dags):
                step.advance(len(done) - len(report.dags))
                report.dags = done
    report.dags = _done(out)
    for each in report.dags:
        progress.note(f"  {each['dag']}: {each['state']}, tasks {each['tasks']}, {each['seconds']:.0f} s")
    if process.returncode or [each["state"] for each in report.dags] != ["success"] * 3:
        raise RocadeError("a DAG did not succeed", where=str(log), fix="read the end of that log")


@contextmanager
def _child(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours with all that it starts; none of them is left when the context ends."""
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # at once: its home is thrown away, and what it commits is whole
            process.wait()


def _airflow_environment(settings: Settings, home: Path) -> dict[str, str]:
    from pipelines.settings import data_folder

    return os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(data_folder("dags")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "ROCADE_HOME": str(settings.root),
        "ROCADE_DATAGOUV_URL": settings.datagouv_url,
    }


def _done(out: Path) -> list[dict[str, Any]]:
    try:
        done: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # not written yet, or being written
        return []
    return done
