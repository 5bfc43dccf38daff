"""A contract changed: the rows of a table that forgets nothing are cast again from every snapshot it was made from.

Older rows are in no file that the publisher still has, so they cannot come anew with the next ingest. The raw bytes are
kept, and the table's log says which they are: in their order, they give the table that the new contract would have made.
It is one commit; before it, readers have the table as the old contract made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.accumulate import MEMORY, merge
from pipelines.conform import conform
from pipelines.conform.kinds import unpack
from pipelines.conform.kinds.unpack import discard
from pipelines.errors import ConformError, LakeError, QualityError
from pipelines.fetch import raw_path
from pipelines.lake import Lake, Provenance, connect, uncommitted
from pipelines.lake.brought import RECAST, brought
from pipelines.lake.quarantine import keep_rejects

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from pipelines.conform import Conformed
    from pipelines.contracts import Contract, Table
    from pipelines.lake import DataFile, NewFile
    from pipelines.lake.brought import Brought
    from pipelines.progress import Progress
    from pipelines.settings import Settings


@dataclass(frozen=True)
class _Desk:
    contract: Contract
    table: Table
    settings: Settings
    progress: Progress


def recast_if_changed(contract: Contract, table: Table, settings: Settings, progress: Progress) -> int | None:
    """Cast the rows of ``table`` again where another contract has cast them; the version that this makes, if any.

    Raises:
        LakeError: the bytes of a snapshot are gone, or somebody else wrote meanwhile.
        ConformError: the contract does not know a snapshot any more.
        QualityError: it rejects more of a snapshot than it tolerates.
    """
    lake = Lake(settings.lake)
    snapshots = list(brought(lake.path(table.qualified_name)))[::-1]
    if all(each.contract == contract.fingerprint for each in snapshots):
        return None
    _refuse_lost_bytes(snapshots, table, settings)
    progress.note(f"the contract changed: {len(snapshots)} snapshots of {table.qualified_name} are cast again")
    desk = _Desk(contract, table, settings, progress)
    held = lake.snapshot(table.qualified_name)
    newest = {each.resource: each for each in snapshots}
    done: list[dict[str, object]] = []
    files: list[DataFile] = []
    with (
        uncommitted(lake, table.qualified_name) as new_file,
        connect(settings, share=MEMORY) as con,
        progress.step(f"recast {table.qualified_name}", len(snapshots), "snapshots") as step,
    ):
        for each in snapshots:
            result, files = _cast(desk, con, each, files, new_file)
            if each is newest[each.resource]:
                keep_rejects(settings, each.resource, each.sha256, result.rejected)
            done.append({**each.details, "rows": result.clean, "rejected": int(result.rejected.num_rows)})
            step.advance()
        details = {
            "contract": contract.fingerprint,
            "snapshots": [{**d, "contract": contract.fingerprint} for d in done],
        }
        version = lake.rewrite(
            held, files, held.files, Provenance(RECAST, details=details), schema=table.arrow_schema()
        )
        if version is None:
            raise LakeError("another process wrote meanwhile", where=table.qualified_name, fix="run the command again")
    return version


def _cast(
    desk: _Desk, con: duckdb.DuckDBPyConnection, snapshot: Brought, held: Sequence[DataFile], new_file: NewFile
) -> tuple[Conformed, list[DataFile]]:
    """What the new contract makes of one snapshot, and of the files that the ones before it gave."""
    settings = desk.settings
    staged = settings.staging / f"recast-{snapshot.sha256[:16]}.parquet"
    scratch = settings.staging / f"{snapshot.sha256[:16]}.recast"
    where = f"{snapshot.name} as fetched on {snapshot.fetched_at:%Y-%m-%d}"
    discard(scratch)  # of a run that was killed
    try:
        parts = unpack(raw_path(snapshot.sha256, settings), snapshot.name, scratch)
        part = next((part for part in parts if part.label == snapshot.member), None)
        if part is None:
            raise ConformError(f"{snapshot.member} is not in it", where=where, fix="undo the change of the contract")
        result = conform(
            part,
            desk.contract,
            settings,
            desk.progress,
            name=snapshot.name,
            resource=snapshot.resource,
            sha256=snapshot.sha256,
            target=staged,
        )
        if result.match.table.name != desk.table.name:
            raise ConformError(
                f"the changed contract takes it for {result.match.table.name}",
                where=where,
                fix="undo that change; the last good version stays published",
            )
        if result.rejected_share > desk.table.tolerance:
            raise QualityError(
                f"the changed contract rejects {result.faulty} of {result.rows} rows; it tolerates {desk.table.tolerance:.1%}",
                where=where,
                fix=f"mend schemas/{desk.contract.name}.yaml; the last good version stays published",
            )
        merged = merge(con, held, staged, desk.table, snapshot.resource, snapshot.fetched_at, new_file)
        for file in merged.removed:  # it was in no version and will be in none
            Path(file.path).unlink()
    finally:
        staged.unlink(missing_ok=True)
        discard(scratch)
    return result, [*(file for file in held if file not in merged.removed), *merged.files]


def _refuse_lost_bytes(snapshots: Sequence[Brought], table: Table, settings: Settings) -> None:
    for each in snapshots:
        if not (path := raw_path(each.sha256, settings)).is_file():
            raise LakeError(
                f"the contract changed and the rows must be cast again, but the bytes of {each.name}, fetched on "
                f"{each.fetched_at:%Y-%m-%d}, are gone",
                where=table.qualified_name,
                fix=f"put them back as {path}, or undo the change of the contract; the last good version stays published",
            )
