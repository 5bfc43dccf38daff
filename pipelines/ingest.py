"""Open data from end to end: catalogue, fetch, conform, quality, lake.

This is the one road that the command line and the Airflow DAGs both take. A resource is ingested whole or not at all:
its rows replace what the same resource gave before, in one commit, and only if the gate is passed.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pipelines.contracts import load_contract
from pipelines.errors import ConformError, RocadeError
from pipelines.fetch import fetch, remember
from pipelines.lake.quarantine import forget_older_rejects
from pipelines.mend import with_proposal
from pipelines.parts import known_parts, tables_in
from pipelines.plan import parents_first, plan, resource_and_name, telling_name
from pipelines.publish import Desk, Outcome, held_rows, publish
from pipelines.quality.docs import write_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pipelines.conform.kinds import Part
    from pipelines.fetch import Snapshot
    from pipelines.plan import Source
    from pipelines.progress import Progress
    from pipelines.settings import Settings

__all__ = ["Outcome", "ingest"]


def ingest(
    dataset: str,
    settings: Settings,
    progress: Progress,
    sources: Sequence[Source] | None = None,
    *,
    vintages: Collection[int] | None = None,
    accept_shrink: bool = False,
) -> list[Outcome]:
    """Ingest ``sources``, or whatever the catalogue lists for ``dataset`` (and ``vintages``) when there are none.

    One bad resource does not stop the others: its outcome says what is wrong.

    Args:
        dataset: a contract's name.
        settings: where everything is.
        progress: counts resources, bytes and rows.
        sources: resources of the catalogue, addresses or files.
        vintages: only these years of the catalogue.
        accept_shrink: publish a resource although it has far fewer rows than its last version.

    Raises:
        RocadeError: nothing could be tried at all (no contract, no catalogue, two files of one name).
    """
    contract = load_contract(dataset, settings.own_schemas)
    if sources is None and not contract.datagouv:
        sources = contract.addresses
    if sources is not None:
        chosen = parents_first(contract, sources)
    else:
        chosen = [each.resource for each in plan(contract, settings, vintages)]
    desk = Desk(contract, settings, progress, accept_shrink)
    outcomes = []
    with progress.step(f"ingest {dataset}", total=len(chosen), unit="resources") as step:
        for source in chosen:
            started = time.monotonic()
            try:
                found = _ingest_one(desk, source)
            except RocadeError as error:
                found = [_failed(*resource_and_name(source), error)]
            outcomes += [replace(outcome, seconds=time.monotonic() - started) for outcome in found]
            step.advance()
    if any(outcome.report for outcome in outcomes):
        write_index(settings.reports)
    return outcomes


def _ingest_one(desk: Desk, source: Source) -> list[Outcome]:
    """Bring one resource into the lake: one table, or several where it is an archive or a workbook.

    Stopped anywhere, it is done again from there by the next run: only ``remember``, at the end, says that nothing is left.

    Returns:
        An outcome ``published``, ``unchanged`` or ``refused`` (by the gate; its rejected rows wait in quarantine) a table.
        One table of several that fails does not stop the others.

    Raises:
        FetchError: the bytes cannot be had.
        ConformError: the bytes are not a table of this contract.
        LakeError: the commit failed.
    """
    contract, settings = desk.contract, desk.settings
    settings.staging.mkdir(parents=True, exist_ok=True)
    with _alone(desk):
        snapshot = fetch(source, settings, desk.progress)
        if isinstance(source, str):
            snapshot = replace(snapshot, name=telling_name(contract, snapshot.name, snapshot.url))
        known = known_parts(snapshot, settings) if snapshot.unchanged else []
        done = [_unchanged(desk, each, unchanged=snapshot.unchanged) for each in known or [snapshot]]
        if None not in done:
            if known:  # what is one table was remembered as such
                remember(snapshot, settings)
            return [outcome for outcome in done if outcome]
        with tables_in(snapshot, contract, settings) as tables:
            if len(tables) == 1:
                return [_published(desk, snapshot, tables[0][1])]
            outcomes = [_ingest_part(desk, each, part) for each, part in tables]
        if not any(outcome.exit_code for outcome in outcomes):
            remember(snapshot, settings)
        return outcomes


def _ingest_part(desk: Desk, snapshot: Snapshot, part: Part) -> Outcome:
    try:
        return _unchanged(desk, snapshot, unchanged=False) or _published(desk, snapshot, part)
    except RocadeError as error:
        return _failed(snapshot.resource, snapshot.name, error)


def _published(desk: Desk, snapshot: Snapshot, part: Part) -> Outcome:
    """The outcome of publishing ``part``; where it breaks the contract, with the change that would mend that.

    Raises:
        LakeError: the commit failed.
    """
    try:
        outcome = publish(desk, snapshot, held_rows(desk.contract, snapshot.resource, desk.settings), part)
    except ConformError as error:
        outcome = _failed(snapshot.resource, snapshot.name, error)
    return with_proposal(outcome, desk.contract, snapshot, part, desk.settings)


def _unchanged(desk: Desk, snapshot: Snapshot, *, unchanged: bool) -> Outcome | None:
    """The outcome of a table that the lake holds as these bytes and this contract give it, else None."""
    held = held_rows(desk.contract, snapshot.resource, desk.settings)
    if held is None or (held.sha256, held.contract) != (snapshot.sha256, desk.contract.fingerprint):
        return None
    if not unchanged:  # the last run was stopped after its commit
        forget_older_rejects(desk.settings, snapshot.resource, snapshot.sha256)
    remember(snapshot, desk.settings)
    return Outcome(snapshot.resource, snapshot.name, "unchanged", held.table, published=held.rows)


def _failed(resource: str, name: str, error: RocadeError) -> Outcome:
    return Outcome(resource, name, "failed", message=str(error), exit_code=error.exit_code)


@contextmanager
def _alone(desk: Desk) -> Iterator[None]:
    """One process a dataset at a time: keys are judged against what the lake holds."""
    lock = FileLock(desk.settings.root / f"ingest-{desk.contract.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        desk.progress.note(
            f"another process ingests {desk.contract.name}; waiting until it is through with its resource"
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
