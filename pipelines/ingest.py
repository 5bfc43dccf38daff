"""Open data from end to end: catalogue, fetch, conform, quality, lake.

This is the one road that the command line and the Airflow DAGs both take. A resource is ingested whole or not at all:
its rows replace what the same resource gave before, in one commit, and only if the gate is passed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pyarrow.parquet as pq
from filelock import FileLock

from pipelines.catalog import Catalog, Resource
from pipelines.conform import Conformed, conform
from pipelines.contracts import Contract, load_contract
from pipelines.errors import LakeError, RocadeError
from pipelines.fetch import Snapshot, fetch, remember
from pipelines.lake import Lake, Provenance
from pipelines.quality.gate import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipelines.progress import Progress
    from pipelines.quality import Verdict
    from pipelines.settings import Settings

QUARANTINE_TABLE = "quarantine.rows"
_METADATA = b"rocade"

Source = Resource | str


@dataclass(frozen=True)
class Planned:
    """A resource of the catalogue that a table of the contract names; ``rank`` is the table's place among them."""

    resource: Resource
    rank: int
    vintage: int | None


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
class _Published:
    """What the lake holds of a resource."""

    table: str
    sha256: str
    contract: str
    rows: int


def plan(contract: Contract, settings: Settings, vintages: Collection[int] | None = None) -> list[Planned]:
    """The resources of the contract's dataset that its tables name, parents before children, then by year.

    Args:
        contract: the dataset.
        settings: where the catalogue is.
        vintages: only these years; resources without a year in their title are then left out.

    Raises:
        CatalogError: data.gouv.fr did not answer as promised.
    """
    with Catalog(
        settings.datagouv_url, settings.http_timeout_s, settings.http_retries, settings.http_backoff_s
    ) as catalog:
        resources = catalog.resources(contract.datagouv)
    found = [
        Planned(resource, rank, int(year) if (year := named.groupdict().get("vintage")) else None)
        for rank, table in enumerate(contract.tables)
        for resource in resources
        if resource.type == "main" and (named := table.names_resource(resource.title)) is not None
    ]
    wanted = [each for each in found if vintages is None or each.vintage in vintages]
    return sorted(wanted, key=lambda each: (each.rank, each.vintage or 0, each.resource.title))


def ingest(
    dataset: str,
    settings: Settings,
    progress: Progress,
    sources: Sequence[Source] | None = None,
    *,
    vintages: Collection[int] | None = None,
) -> list[Outcome]:
    """Ingest ``sources``, or whatever the catalogue lists for ``dataset`` (and ``vintages``) when there are none.

    One bad resource does not stop the others: its outcome says what is wrong.

    Raises:
        RocadeError: nothing could be tried at all (no contract, no catalogue).
    """
    contract = load_contract(dataset)
    if sources is not None:
        chosen = _parents_first(contract, list(sources))
    else:
        chosen = [each.resource for each in plan(contract, settings, vintages)]
    outcomes = []
    with progress.step(f"ingest {dataset}", total=len(chosen), unit="resources") as step:
        for source in chosen:
            outcomes.append(attempt(contract, source, settings, progress))
            step.advance()
    return outcomes


def attempt(contract: Contract, source: Source, settings: Settings, progress: Progress) -> Outcome:
    """``ingest_resource`` with its error as an outcome."""
    started = time.monotonic()
    try:
        return ingest_resource(contract, source, settings, progress)
    except RocadeError as error:
        resource, name = _named(source)
        return Outcome(
            resource, name, "failed", message=str(error), exit_code=error.exit_code, seconds=time.monotonic() - started
        )


def ingest_resource(contract: Contract, source: Source, settings: Settings, progress: Progress) -> Outcome:
    """Bring one resource into the lake.

    Returns:
        An outcome ``published``, ``unchanged`` or ``refused`` (by the gate; its rejected rows wait in quarantine).

    Raises:
        FetchError: the bytes cannot be had.
        ConformError: the bytes are not a table of this contract.
    """
    started = time.monotonic()
    settings.staging.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.root / f"ingest-{contract.name}.lock"):
        snapshot = fetch(source, settings, progress)
        held = _published(contract, snapshot.resource, settings)
        if held is not None and (held.sha256, held.contract) == (snapshot.sha256, contract.fingerprint):
            remember(snapshot, settings)
            return Outcome(
                snapshot.resource,
                snapshot.name,
                "unchanged",
                held.table,
                published=held.rows,
                seconds=time.monotonic() - started,
            )
        return _publish(contract, snapshot, held, settings, progress, started)


def _publish(
    contract: Contract,
    snapshot: Snapshot,
    held: _Published | None,
    settings: Settings,
    progress: Progress,
    started: float,
) -> Outcome:
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
            progress,
            name=snapshot.name,
            resource=snapshot.resource,
            sha256=snapshot.sha256,
            target=staged,
            metadata={_METADATA.decode(): json.dumps(provenance)},
        )
        verdict = judge(result, contract, settings, snapshot.resource)
        verdict.write(settings.reports / result.match.table.name / f"{snapshot.resource}-{snapshot.sha256[:12]}.json")
        _quarantine(result, snapshot, settings, passed=verdict.passed)
        if not verdict.passed:
            return _refused(result, verdict, snapshot, held, started)
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
        seconds=time.monotonic() - started,
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


def _quarantine(result: Conformed, snapshot: Snapshot, settings: Settings, *, passed: bool) -> None:
    """Keep the rejected rows: those of a published snapshot replace all older ones of the resource."""
    lake = Lake(settings.lake)
    if not result.rejected.num_rows and not lake.exists(QUARANTINE_TABLE):
        return
    scope = f"source_resource = '{snapshot.resource}'" + ("" if passed else f" AND source_sha256 = '{snapshot.sha256}'")
    lake.append(
        QUARANTINE_TABLE,
        result.rejected,
        Provenance("quarantine", snapshot.resource, {"sha256": snapshot.sha256, "rows": result.rejected.num_rows}),
        partition_by=["source_resource"],
        overwrite=scope,
    )


def _refused(
    result: Conformed, verdict: Verdict, snapshot: Snapshot, held: _Published | None, started: float
) -> Outcome:
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
            seconds=time.monotonic() - started,
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


def _named(source: Source) -> tuple[str, str]:
    if isinstance(source, Resource):
        return source.id, source.title
    name = source.rstrip("/").rsplit("/", 1)[-1]
    return name, name


def _parents_first(contract: Contract, sources: list[Source]) -> list[Source]:
    """Files named in any order go in the order of the contract's tables where their names tell the table."""

    def rank(source: Source) -> int:
        name = _named(source)[1]
        ranks = [index for index, table in enumerate(contract.tables) if table.names_resource(name)]
        return ranks[0] if ranks else 0

    return sorted(sources, key=rank)
