"""What Airflow's tasks call: each a stage with settings from the environment, progress to the log, JSON back.

Belongs here: turning outcomes into return values and exceptions that Airflow understands. Does not import Airflow, so that
the same functions run anywhere.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.errors import FetchError, QualityError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.progress import Step

_log = logging.getLogger("rocade")


class _LogProgress:
    """Progress as log lines, at the end of each step."""

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Step]:  # noqa: ARG002 - Progress
        from pipelines.progress import Silent

        with Silent().step(name) as step:
            yield step
        _log.info("%s: done", name)

    def note(self, text: str) -> None:
        _log.info("%s", text)


def planned_vintages(dataset: str, since: int | None = None) -> list[int | None]:
    """The years that the catalogue lists for ``dataset``, oldest first; ``[None]`` for a dataset without years.

    Args:
        dataset: a contract's name.
        since: leave out the years before this one.

    Raises:
        CatalogError: data.gouv.fr did not answer as promised.
    """
    from pipelines.contracts import load_contract
    from pipelines.plan import plan

    contract = load_contract(dataset)
    if not contract.datagouv:
        return [None]
    planned = plan(contract, load_settings())
    found = {each.vintage for each in planned}
    if found == {None}:
        return [None]
    for each in planned:
        if each.vintage is None:
            _log.warning(
                "%s: no year in its title; `rocade ingest %s` takes it all the same", each.resource.title, dataset
            )
    return [*sorted(year for year in found if year is not None and (since is None or year >= since))]


def ingest_vintage(dataset: str, vintage: int | None) -> dict[str, Any]:
    """Ingest what the catalogue lists for one year (or all of it), and count what became of it.

    Raises:
        FetchError: resources could not be fetched, and nothing else went wrong.
        QualityError: a resource was refused; the others were ingested all the same.
    """
    from pipelines.ingest import ingest

    outcomes = ingest(dataset, load_settings(), _LogProgress(), vintages=None if vintage is None else [vintage])
    for outcome in outcomes:
        _log.info("%s: %s, %s rows, quarantined %s", outcome.name, outcome.status, outcome.rows, outcome.quarantined)
    if bad := [outcome for outcome in outcomes if outcome.exit_code]:
        # Worth another try only when every failure is the network's.
        network = all(outcome.exit_code == FetchError.exit_code for outcome in bad)
        kind = FetchError if network else QualityError
        raise kind("; ".join(outcome.message or outcome.status for outcome in bad), where=f"{dataset} {vintage or ''}")
    return {
        "vintage": vintage,
        "published": sum(outcome.status == "published" for outcome in outcomes),
        "unchanged": sum(outcome.status == "unchanged" for outcome in outcomes),
    }


def land_readings() -> dict[str, Any]:
    """Land what collectors that no longer run have left in their journals."""
    from pipelines.collect import land_pending

    report = land_pending(load_settings())
    return {"readings": report.readings, "segments": report.segments}


def compact_closed_days() -> dict[str, Any]:
    """Few large files for the days that are over, and not too many small ones for today."""
    from pipelines.collect import compact_readings

    report = compact_readings(load_settings())
    return {"days": [str(day) for day in report.days], "rows": report.rows, "duplicates": report.duplicates}


def update_gaps() -> dict[str, Any]:
    """Bring core.gaps up to date with what has landed."""
    from pipelines.collect.gaps import find_gaps

    report = find_gaps(load_settings())
    return {"boots": report.boots, "open": report.open, "missing": report.missing}


def clear_telemetry() -> dict[str, Any]:
    """Remove files that no reader needs any more."""
    from pipelines.upkeep import clear

    report = clear(load_settings())
    return {"files": report.files, "merged": report.merged}


def build_samples() -> str:
    """Build the days of core.samples whose readings changed."""
    from pipelines.tables import build

    report = build(load_settings(), names=["core.samples"], progress=_LogProgress())
    return report.tables[-1].status


def judge_closed_days() -> list[str]:
    """Judge the readings of days that are over.

    Raises:
        QualityError: a day does not meet an expectation.
    """
    from pipelines.quality.readings import judge_readings

    verdicts = judge_readings(load_settings())
    if bad := [verdict for verdict in verdicts if not verdict.passed]:
        told = "; ".join(f"{verdict.table}: {', '.join(each.observed for each in verdict.failures)}" for verdict in bad)
        raise QualityError(told, where="core.readings", fix="the reports are in the folder reports/readings")
    return [f"{verdict.table}: {verdict.rows} rows, {verdict.summary()}" for verdict in verdicts]


def table_version(name: str) -> int | None:
    """The newest version of table ``name``, None before the first."""
    from pipelines.lake import Lake

    return Lake(load_settings().lake).version(name)


def build_tables() -> dict[str, str]:
    """Build the tables whose inputs changed; their state by name."""
    from pipelines.tables import build

    report = build(load_settings(), progress=_LogProgress())
    return {table.name: table.status for table in report.tables}
