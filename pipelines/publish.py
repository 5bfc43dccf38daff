"""One file of a dataset into the lake: conform, gate, commit.

A file is published whole or not at all: its rows replace what the same resource gave before, in one commit, and only if
the gate is passed. Its rejected rows wait in quarantine either way. Which files there are is ``ingest``'s business.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.accumulate import MEMORY, merge
from pipelines.compare import Pair, compare
from pipelines.conform import Conformed, conform
from pipelines.contracts.model import OURS
from pipelines.disk import settle
from pipelines.errors import ConformError, LakeError, RocadeError
from pipelines.fetch import Snapshot, remember
from pipelines.lake import Lake, Provenance, connect, uncommitted
from pipelines.lake.brought import INGEST, last_brought
from pipelines.lake.duck import literal
from pipelines.lake.quarantine import forget_older_rejects, keep_rejects
from pipelines.quality.docs import write_page
from pipelines.quality.gate import judge
from pipelines.quality.overlap import without_published
from pipelines.recast import recast_if_changed

if TYPE_CHECKING:
    from pipelines.conform.kinds import Part
    from pipelines.contracts import Contract
    from pipelines.mend import Proposal
    from pipelines.progress import Progress
    from pipelines.quality import Verdict
    from pipelines.settings import Settings

#: Under this name each Parquet file says which bytes and which contract it was made from.
_METADATA = "rocade"
_PARTITION = ("source_resource",)
#: How often rows are merged anew when other writers keep coming first.
_TRIES = 5


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
        proposal: where the file broke its contract, the change that would take it; its diff is in ``proposal_file``.
        report: the page of the gate's verdict.
        changes: rows by key against what was there, where that is known: ``added``, ``changed``, ``removed`` (a table that
            accumulates removes none), the ``same`` as before, and left out because an ``older`` edition brought them.
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
    changes: dict[str, int] = field(default_factory=dict)
    proposal: Proposal | None = None
    proposal_file: Path | None = None
    report: Path | None = None


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


def publish(desk: Desk, snapshot: Snapshot, held: Held | None, part: Part) -> Outcome:
    """Bring the rows of ``snapshot``, which are in ``part``, into the lake in place of those ``held``.

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
        "kind": part.kind,
        "member": part.label,
    }
    staged = settings.staging / f"{contract.name}-{snapshot.sha256[:16]}.parquet"
    try:
        result = conform(
            part,
            contract,
            settings,
            desk.progress,
            name=snapshot.name,
            resource=snapshot.resource,
            sha256=snapshot.sha256,
            target=staged,
            metadata={_METADATA: json.dumps(provenance)},
        )
        _refuse_another_table(result, held, snapshot)
        result = without_published(result, settings, snapshot.resource)
        verdict = judge(result, contract, settings, snapshot.resource, accept_shrink=desk.accept_shrink)
        report = settings.reports / result.match.table.name / f"{snapshot.resource}-{snapshot.sha256[:12]}.json"
        verdict.write(report)
        page = write_page(verdict, report, settings.reports)
        # Before the commit, so that no row is ever in neither place; what the older versions left goes after it.
        keep_rejects(settings, snapshot.resource, snapshot.sha256, result.rejected)
        if not verdict.passed:
            return replace(_refused(result, verdict, snapshot, held), report=page)
        provenance |= {
            "encoding": result.sniffed.encoding,
            "separator": result.sniffed.separator,
            "layout": result.match.layout.name,
            "rows": result.clean,
            "rejected": result.rejected.num_rows,
            "verdict": verdict.summary(),
        }
        version, changes = _commit(desk, result, snapshot, held, provenance)
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
        changes=changes,
        report=page,
    )


def held_rows(contract: Contract, resource: str, settings: Settings) -> Held | None:
    """What the lake holds of ``resource``; None where it holds nothing."""
    lake = Lake(settings.lake)
    for table in contract.tables:
        last = last_brought(lake.path(table.qualified_name), resource)
        if last is not None:
            return Held(table.qualified_name, last.sha256, last.contract, last.rows)
    return None


def _commit(
    desk: Desk, result: Conformed, snapshot: Snapshot, held: Held | None, provenance: dict[str, object]
) -> tuple[int, dict[str, int]]:
    """The version that has the rows, and how many of them are new, changed and so on."""
    lake, table = Lake(desk.settings.lake), result.match.table
    if table.keep == "accumulate":
        recast = recast_if_changed(desk.contract, table, desk.settings, desk.progress)
        last = last_brought(lake.path(table.qualified_name), snapshot.resource)
        if recast is not None and last is not None and last.sha256 == snapshot.sha256:
            return recast, {}  # these very bytes are in already
        return _accumulate(lake, result, snapshot, provenance, desk.settings)
    changes = _restated(desk, result, snapshot, held)
    partition = {"source_resource": snapshot.resource}
    file = lake.new_file(table.qualified_name, partition)
    settle(result.file, file)
    version = lake.publish(
        table.qualified_name,
        [file],
        table.arrow_schema(),
        Provenance(INGEST, snapshot.resource, provenance | changes),
        partition_by=_PARTITION,
        replace={"source_resource": [snapshot.resource]},
        forever=True,
    )
    return version, changes


def _accumulate(
    lake: Lake, result: Conformed, snapshot: Snapshot, provenance: dict[str, object], settings: Settings
) -> tuple[int, dict[str, int]]:
    table = result.match.table
    name = table.qualified_name
    if not lake.exists(name):
        lake.create(name, table.arrow_schema(), partition_by=_PARTITION, forever=True)
    for _ in range(_TRIES):
        held = lake.snapshot(name)
        with uncommitted(lake, name) as new_file, connect(settings, share=MEMORY) as con:
            merged = merge(con, held.files, result.file, table, snapshot.resource, snapshot.fetched_at, new_file)
            changes = _counted(added=merged.added, changed=merged.changed, same=merged.same, older=merged.older)
            done = Provenance(INGEST, snapshot.resource, provenance | changes)
            # A run that was killed after its first commit left an empty table, with the columns of the contract as it was then.
            schema = None if held.files else table.arrow_schema()
            version = lake.rewrite(held, merged.files, merged.removed, done, schema=schema)
            if version is not None:
                return version, changes
            for file in merged.files:  # somebody else was first: what is there now has to be looked at
                Path(file.path).unlink()
    raise LakeError(f"other writers came first {_TRIES} times", where=name, fix="run the command again")


def _restated(desk: Desk, result: Conformed, snapshot: Snapshot, held: Held | None) -> dict[str, int]:
    """What the new copy of a resource says otherwise than the last; nothing where no key or another contract made the rows."""
    table = result.match.table
    if held is None or held.contract != desk.contract.fingerprint or not table.primary_key:
        return {}
    lake, name, resource = Lake(desk.settings.lake), table.qualified_name, snapshot.resource
    columns = tuple(each for each in table.column_names if each not in {*OURS, *table.primary_key})
    old = lake.relation_sql(name, partitions={"source_resource": [resource]})
    new = f"read_parquet({literal(result.file)})"
    with connect(desk.settings, share=MEMORY) as con:
        found = compare(con, Pair(name, 0, 1, old, new, table.primary_key, columns))
    same = result.clean - found.added - found.changed
    return _counted(added=found.added, changed=found.changed, removed=found.removed, same=same)


def _counted(**rows: int) -> dict[str, int]:
    """Rows by what became of them, without the nothings."""
    return {word: count for word, count in rows.items() if count}


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
