"""The verdict on one file about to be published: the suite, and what only the dataset as a whole can show.

Dataset-level expectations: the share of rejected rows, a key that is unique in the file and against the other resources
of the table, rows that point at a parent that exists, and a row count that did not collapse against the last version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from pipelines.conform.split import SUPERSEDED
from pipelines.lake import Lake, connect
from pipelines.lake.duck import one_row
from pipelines.quality.verdict import Finding, Outcome, Verdict

if TYPE_CHECKING:
    import duckdb

    from pipelines.conform import Conformed
    from pipelines.contracts import Contract, Table
    from pipelines.contracts.model import ForeignKey
    from pipelines.settings import Settings

#: A new version with fewer rows than this share of the last one is refused.
_SHRINK = 0.8


@dataclass(frozen=True)
class _Desk:
    """What every dataset-level expectation looks at."""

    con: duckdb.DuckDBPyConnection
    contract: Contract
    table: Table
    staged: str
    resource: str
    lake: Lake


def judge(
    conformed: Conformed, contract: Contract, settings: Settings, resource: str, *, accept_shrink: bool = False
) -> Verdict:
    """The gate's verdict on ``conformed``, which would replace what ``resource`` last gave.

    Args:
        conformed: rows in staging.
        contract: what is expected of them.
        settings: the lake that they would join.
        resource: the key whose rows they would replace.
        accept_shrink: somebody has looked: far fewer rows than last time are right.
    """
    from pipelines.quality.suite import expectations_of, validate  # costs seconds

    table = conformed.match.table
    findings = [_rejected(conformed)]
    if conformed.clean:
        findings += validate(conformed.file, expectations_of(contract, table), table.name)
        staged = f"read_parquet('{str(conformed.file).replace(chr(39), chr(39) * 2)}')"
        with connect(settings) as con:
            desk = _Desk(con, contract, table, staged, resource, Lake(settings.lake))
            findings += _keys(desk)
            findings += [_foreign_key(desk, key) for key in table.foreign_keys]
            findings += _row_count(desk, conformed.clean, accepted=accept_shrink)
    return Verdict(table.qualified_name, conformed.clean, tuple(findings))


def _rejected(conformed: Conformed) -> Finding:
    allowed = conformed.match.table.tolerance
    observed = (
        f"{conformed.faulty} of {conformed.rows} rows rejected "
        f"({conformed.rejected_share:.1%}; the contract tolerates {allowed:.1%})"
    )
    if conformed.faulty:
        first = (
            conformed.rejected.filter(pc.not_equal(conformed.rejected["reason"], SUPERSEDED)).slice(0, 1).to_pylist()[0]
        )
        observed += (
            f"; the first: line {first['source_line']}, column {first['column_name']}, value {first['value']!r}: "
            f"{first['reason']} ({first['detail']})"
        )
    failed = conformed.rejected_share > allowed or not conformed.clean
    outcome: Outcome = "failed" if failed else "warned" if conformed.faulty else "passed"
    return Finding("rejected_rows_within_tolerance", None, outcome, observed)


def _others(desk: _Desk, table: Table) -> str:
    """Rows of ``table`` in the lake, without those that this publication replaces."""
    rows = desk.lake.relation_sql(table.qualified_name)
    if table.name != desk.table.name:
        return rows
    return f"(FROM {rows} WHERE source_resource <> '{desk.resource}')"


def _keys(desk: _Desk) -> list[Finding]:
    findings = []
    if desk.table.primary_key:
        key = ", ".join(desk.table.primary_key)
        # conform keeps the first row of a key and rejects the others; this is the second witness
        count, example = one_row(
            desk.con,
            f"SELECT count(*), any_value(example) FROM (SELECT concat_ws(' ', {key}) AS example FROM {desk.staged} "
            f"GROUP BY {key} HAVING count(*) > 1)",
        )
        seen = f"{count} keys stand more than once in the file, for example {example}"
        findings.append(_none("key_is_unique", key, count, seen))
    if (owner := desk.table.owner) and desk.lake.exists(desk.table.qualified_name):
        columns = ", ".join(owner)
        count, example = one_row(
            desk.con,
            f"SELECT count(*), any_value(source_resource) FROM (SELECT DISTINCT {columns}, source_resource "
            f"FROM {_others(desk, desk.table)} SEMI JOIN {desk.staged} USING ({columns}))",
        )
        seen = f"{count} keys are already published from another resource, for example {example}"
        findings.append(_none("key_is_unique_across_resources", columns, count, seen))
    return findings


def _none(expectation: str, column: str, count: int, seen: str) -> Finding:
    return Finding(expectation, column, "failed", seen) if count else Finding(expectation, column, "passed", "none")


def _foreign_key(desk: _Desk, key: ForeignKey) -> Finding:
    parent = desk.contract.table(key.table)
    columns = ", ".join(key.fields)
    if not desk.lake.exists(parent.qualified_name):
        return Finding(
            "parent_exists", columns, "warned", f"not judged: {parent.qualified_name} is not in the lake yet"
        )
    # A key with a null points nowhere. Only rows of a vintage that the parent holds can be orphans; the others wait for
    # their parent's file.
    held = "WHERE " + " AND ".join(f"{column} IS NOT NULL" for column in key.fields)
    if desk.contract.vintages:
        vintage = desk.contract.vintages.field
        held += f" AND {vintage} IN (SELECT DISTINCT {vintage} FROM {_others(desk, parent)})"
    judged, orphans, example = one_row(
        desk.con,
        f"""
        WITH child AS (SELECT {columns} FROM {desk.staged} {held}),
        orphan AS (SELECT * FROM child ANTI JOIN {_others(desk, parent)} USING ({columns}))
        SELECT (SELECT count(*) FROM child), (SELECT count(*) FROM orphan),
            (SELECT concat_ws(' ', {columns}) FROM orphan LIMIT 1)""",
    )
    if not judged:
        return Finding("parent_exists", columns, "warned", f"not judged: {parent.qualified_name} lacks this vintage")
    observed = f"{orphans} of {judged} rows have no row in {parent.qualified_name}"
    if not orphans:
        return Finding("parent_exists", columns, "passed", observed)
    outcome: Outcome = "failed" if orphans / judged > key.tolerance else "warned"
    return Finding("parent_exists", columns, outcome, f"{observed}, for example {example}")


def _row_count(desk: _Desk, rows: int, *, accepted: bool) -> list[Finding]:
    if not desk.lake.exists(desk.table.qualified_name):
        return []
    partition = {"source_resource": [desk.resource]}
    relation = desk.lake.relation_sql(desk.table.qualified_name, partitions=partition)
    (before,) = one_row(desk.con, f"SELECT count(*) FROM {relation}")
    if not before:
        return []
    expectation, observed = "row_count_against_last_version", f"{rows} rows after {before}"
    if rows >= before * _SHRINK:
        return [Finding(expectation, None, "passed", observed)]
    if accepted:
        return [Finding(expectation, None, "warned", f"{observed}, accepted with --accept-shrink")]
    hint = "if the publisher meant it, run `rocade ingest` for this resource again with --accept-shrink"
    return [Finding(expectation, None, "failed", f"{observed}: less than {_SHRINK:.0%}; {hint}")]
