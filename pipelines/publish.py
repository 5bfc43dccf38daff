"""One file of a dataset into the lake: conform, gate, commit.

A file is published whole or not at all: its rows replace what the same resource gave before, in one commit, and only if
the gate is passed. Its rejected rows wait in quarantine either way. Which files there are is ``ingest``'s business.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pyarrow.parquet as pq

from pipelines.conform import Conformed, conform
from pipelines.errors import ConformError, LakeError, RocadeError
from pipelines.fetch import Snapshot, remember
from pipelines.lake import Lake, Provenance
from pipelines.lake.quarantine import forget_older_rejects, keep_rejects
from pipelines.quality.gate import judge
from pipelines.quality.overlap import without_published

if TYPE_CHECKING:
    from pipelines.contracts import Contract
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
class Desk:
    """What is the same for all resources of a run."""

    contract: Contract
    settings: Settings
    progress: Progress
    accept_shrink: bool


@dataclass(frozen=True)
class Held:
    """What the lake holds of a resource."""

    table: str
    sha256: str
    contract: str
    rows: int


def publish(desk: Desk, snapshot: Snapshot, held: Held | None) -> Outcome:
    """Bring the rows of ``snapshot`` into the lake in place of those ``held``.

    Returns:
        An outcome ``published``, or ``refused`` by the gate.

    Raises:
        ConformError: the bytes are not a table of this contract, or of another one than before.
        LakeError: the commit failed.
    """
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


def held_rows(contract: Contract, resource: str, settings: Settings) -> Held | None:
    """What the lake holds of ``resource``; None where it holds nothing."""
    lake = Lake(settings.lake)
    for table in contract.tables:
        if not lake.exists(table.qualified_name):
            continue
        files = lake.files(table.qualified_name, partitions={"source_resource": [resource]})
        if files:
            metadata = pq.read_metadata(files[0])
            ours = json.loads(metadata.metadata[_METADATA])
            rows = sum(pq.read_metadata(file).num_rows for file in files)
            return Held(table.qualified_name, ours["sha256"], ours["contract"], rows)
    return None


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


def _refuse_another_table(result: Conformed, held: Held | None, snapshot: Snapshot) -> None:
    """A resource is of one table: the rows that it gave to another would stay there for ever."""
    table = result.match.table.qualified_name
    if held is not None and held.table != table:
        raise ConformError(
            f"the columns are those of {table}; until now this resource gave rows to {held.table}",
            where=snapshot.name,
            fix="a file of your own needs another name; of a publisher's file, ask which table it is",
        )


def _refused(result: Conformed, verdict: Verdict, snapshot: Snapshot, held: Held | None) -> Outcome:
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
