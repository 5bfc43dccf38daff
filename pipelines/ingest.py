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
from pipelines.errors import RocadeError
from pipelines.fetch import fetch, remember
from pipelines.lake.quarantine import forget_older_rejects
from pipelines.plan import parents_first, plan, resource_and_name
from pipelines.publish import Desk, Outcome, held_rows, publish

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

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
    contract = load_contract(dataset)
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
                outcome = _ingest_one(desk, source)
            except RocadeError as error:
                resource, name = resource_and_name(source)
                outcome = Outcome(resource, name, "failed", message=str(error), exit_code=error.exit_code)
            outcomes.append(replace(outcome, seconds=time.monotonic() - started))
            step.advance()
    return outcomes


def _ingest_one(desk: Desk, source: Source) -> Outcome:
    """Bring one resource into the lake.

    Stopped anywhere, it is done again from there by the next run: only ``remember``, at the end, says that nothing is left.

    Returns:
        An outcome ``published``, ``unchanged`` or ``refused`` (by the gate; its rejected rows wait in quarantine).

    Raises:
        FetchError: the bytes cannot be had.
        ConformError: the bytes are not a table of this contract.
        LakeError: the commit failed.
    """
    contract, settings = desk.contract, desk.settings
    settings.staging.mkdir(parents=True, exist_ok=True)
    with _alone(desk):
        snapshot = fetch(source, settings, desk.progress)
        held = held_rows(contract, snapshot.resource, settings)
        if held is None or (held.sha256, held.contract) != (snapshot.sha256, contract.fingerprint):
            return publish(desk, snapshot, held)
        if not snapshot.unchanged:  # the last run was stopped after its commit
            forget_older_rejects(settings, snapshot.resource, snapshot.sha256)
        remember(snapshot, settings)
        return Outcome(snapshot.resource, snapshot.name, "unchanged", held.table, published=held.rows)


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
