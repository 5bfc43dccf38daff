"""Open data from end to end: catalogue, fetch, conform, quality, lake.

This is the one road that the command line and the Airflow DAGs both take. A resource is ingested whole or not at all:
its rows replace what the same resource gave before, in one commit, and only if the gate is passed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from pipelines.conform import Conformed, conform
from pipelines.contracts import Contract, load_contract
from pipelines.errors import ConformError, LakeError, RocadeError
from pipelines.fetch import Snapshot, fetch, remember
from pipelines.lake import Lake, Provenance
from pipelines.lake.quarantine import forget_older_rejects, keep_rejects
from pipelines.plan import parents_first, plan, resource_and_name
from pipelines.quality.gate import judge
from pipelines.quality.overlap import without_published

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pipelines.plan import Source
    from pipelines.progress import Progress
    from pipelines.quality import Verdict
    from pipelines.settings import Settings

#: Under this name each Parquet file says which bytes and which contract it was made from.
_METADATA = b"rocade"


@dataclass(frozen=True)
class Outcome:
    """What became of one resource.

    Attributes:
        status: ``unchanged`` is success: nothing new.
        rows: in the source; None where it could not be read.
        published: rows of this resource in the lake after the run.
        quarantined: rejected rows by reason.
        message: for ``refused`` and ``failed``, why and what to do.
        exit_code: 0, or that of the error.
    """

    resource: str
    name: str
    status: Literal["published", "unchanged", "refused", "failed"]
    table: str | None = None
    vintage: int | None = None
    rows: int | None = None
    published: int | None = None
    quarantined: dict[str, int] = field(default_factory=dict)
    verdict: str | None = None
    warnings: tuple[str, ...] = ()
    version: int | None = None
    message: str | None = None
    exit_code: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Desk:
    """What is the same for all resources of a run."""

    contract: Contract
    settings: Settings
    progress: Progress
    accept_shrink: bool


@dataclass(frozen=True)
class _Published:
    """What the lake holds of a resource."""

    table: str
    sha256: str
    contract: str
    rows: int


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
    desk = _Desk(contract, settings, progress, accept_shrink)
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


def _ingest_one(desk: _Desk, source: Source) -> Outcome:
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
        held = _published(contract, snapshot.resource, settings)
        if held is None or (held.sha256, held.contract) != (snapshot.sha256, contract.fingerprint):
            return _publish(desk, snapshot, held)
        if not snapshot.unchanged:  # the last run was stopped after its commit
            forget_older_rejects(settings, snapshot.resource, snapshot.sha256)
        remember(snapshot, settings)
        return Outcome(snapshot.resource, snapshot.name, "unchanged", held.table, published=held.rows)


@contextmanager
def _alone(desk: _Desk) -> Iterator[None]:
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


def _publish(desk: _Desk, snapshot: Snapshot, held: _Published | None) -> Outcome:
    contract, settings = desk.contract, desk.settings
    provenance: dict[str, object] = {
        "url": snapshot.url,
        "sha256": snapshot.sha256,
        "etag": snapshot.etag,
        "fetched_at": snapshot.fetched_at.isoformat(),
        "contract": contract.fingerprint,
        "resource": snapshot.resource,
        "name": snapshot.name,
    }
    staged = settings.staging / f"{contract.name}-{snapshot.sha256[:16]}.parquet"
    try:
        result = conform(
            snapshot.path,
            contract,
            settings,
            desk.progress,
            name=snapshot.name,
            resource=snapshot.resource,
            sha256=snapshot.sha256,
            target=staged,
            metadata={_METADATA.decode(): json.dumps(provenance)},
        )
        _refuse_another_table(result, held, snapshot)
        result = without_published(result, settings, snapshot.resource)
        verdict = judge(result, contract, settings, snapshot.resource, accept_shrink=desk.accept_shrink)
        verdict.write(settings.reports / result.match.table.name / f"{snapshot.resource}-{snapshot.sha256[:12]}.json")
        # Before the commit, so that no row is ever in neither place; what the older versions left goes after it.
        keep_rejects(settings, snapshot.resource, snapshot.sha256, result.rejected)
        if not verdict.passed:
            return _refused(result, verdict, snapshot, held)
        provenance |= {
            "encoding": result.sniffed.encoding,
            "separator": result.sniffed.separator,
            "layout": result.match.layout.name,
            "rows": result.clean,
            "rejected": result.rejected.num_rows,
            "verdict": verdict.summary(),
        }
        version = _commit(result, snapshot, provenance, settings)
    finally:
        staged.unlink(missing_ok=True)
    forget_older_rejects(settings, snapshot.resource, snapshot.sha256)
    remember(snapshot, settings)
    return Outcome(
        snapshot.resource,
        snapshot.name,
        "published",
        result.match.table.qualified_name,
        result.match.vintage,
        result.rows,
        result.clean,
        _reasons(result),
        verdict.summary(),
        tuple(f"{finding.column or 'table'}: {finding.observed}" for finding in verdict.warnings),
        version,
    )


def _commit(result: Conformed, snapshot: Snapshot, provenance: dict[str, object], settings: Settings) -> int:
    lake, table = Lake(settings.lake), result.match.table
    partition = {"source_resource": snapshot.resource}
    file = lake.new_file(table.qualified_name, partition)
    result.file.replace(file)
    return lake.publish(
        table.qualified_name,
        [file],
        table.arrow_schema(),
        Provenance("ingest", snapshot.resource, provenance),
        partition_by=["source_resource"],
        replace={"source_resource": [snapshot.resource]},
    )


def _refuse_another_table(result: Conformed, held: _Published | None, snapshot: Snapshot) -> None:
    """A resource is of one table: the rows that it gave to another would stay there for ever."""
    table = result.match.table.qualified_name
    if held is not None and held.table != table:
        raise ConformError(
            f"the columns are those of {table}; until now this resource gave rows to {held.table}",
            where=snapshot.name,
            fix="a file of your own needs another name; of a publisher's file, ask which table it is",
        )


def _refused(result: Conformed, verdict: Verdict, snapshot: Snapshot, held: _Published | None) -> Outcome:
    try:
        verdict.require(snapshot.name)
    except RocadeError as error:
        return Outcome(
            snapshot.resource,
            snapshot.name,
            "refused",
            result.match.table.qualified_name,
            result.match.vintage,
            result.rows,
            held.rows if held else 0,
            _reasons(result),
            verdict.summary(),
            message=str(error),
            exit_code=error.exit_code,
        )
    raise LakeError("a passed verdict was taken for a failed one", where=snapshot.name)


def _reasons(result: Conformed) -> dict[str, int]:
    return dict(Counter(result.rejected["reason"].to_pylist()).most_common())


def _published(contract: Contract, resource: str, settings: Settings) -> _Published | None:
    lake = Lake(settings.lake)
    for table in contract.tables:
        if not lake.exists(table.qualified_name):
            continue
        files = lake.files(table.qualified_name, partitions={"source_resource": [resource]})
        if files:
            metadata = pq.read_metadata(files[0])
            ours = json.loads(metadata.metadata[_METADATA])
            rows = sum(pq.read_metadata(file).num_rows for file in files)
            return _Published(table.qualified_name, ours["sha256"], ours["contract"], rows)
    return None
