"""A proposal for each resource that was refused because its contract is broken, kept as a file beside the verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.conform.written import SUPERSEDED
from pipelines.lake import Lake, connect
from pipelines.lake.quarantine import FILES
from pipelines.mend.proposal import propose_change

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.conform.kinds import Part
    from pipelines.contracts import Contract
    from pipelines.fetch import Snapshot
    from pipelines.publish import Outcome
    from pipelines.settings import Settings


def with_proposal(outcome: Outcome, contract: Contract, snapshot: Snapshot, part: Part, settings: Settings) -> Outcome:
    """``outcome`` with the change of ``contract`` under which its file would be taken, where one is found.

    A file that the gate refused for other reasons than its cells (too few rows, rows without a parent) is left alone.
    """
    if not outcome.exit_code or (outcome.status == "refused" and not _has_too_many_rejects(outcome, contract)):
        return outcome
    found = propose_change(contract, part, snapshot.name, settings, _rejected(snapshot, settings))
    if found is None:
        return outcome
    file = settings.reports / "changes" / f"{snapshot.resource}-{snapshot.sha256[:12]}.diff"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found.diff, encoding="utf-8")
    return replace(outcome, proposal=found, proposal_file=file)


def _has_too_many_rejects(outcome: Outcome, contract: Contract) -> bool:
    faulty = sum(count for reason, count in outcome.quarantined.items() if reason != SUPERSEDED)
    tables = [table for table in contract.tables if table.qualified_name == outcome.table]
    return any(faulty > table.tolerance * (outcome.rows or 0) for table in tables)


def _rejected(snapshot: Snapshot, settings: Settings) -> pa.Table | None:
    """Some of the rows of ``snapshot`` that wait in quarantine."""
    lake = Lake(settings.lake)
    if not lake.exists(FILES):
        return None
    waiting = lake.relation_sql(FILES, partitions={"source_resource": [snapshot.resource]})
    with connect(settings) as con:
        return con.sql(
            f"SELECT row FROM {waiting} WHERE source_sha256 = '{snapshot.sha256}' AND reason <> '{SUPERSEDED}' LIMIT 3000"
        ).to_arrow_table()
