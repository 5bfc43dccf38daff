"""The verdict on one file about to be published: the suite, and what only the dataset as a whole can show.

Dataset-level expectations: the share of rejected rows, a key that is unique in the file and against the other resources
of the table, rows that point at a parent that exists, and a row count that did not collapse against the last version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
_SHRINK = 0.5


@dataclass(frozen=True)
class _Desk:
    """What every dataset-level expectation looks at."""

    con: duckdb.DuckDBPyConnection
    contract: Contract
    table: Table
    staged: str
    resource: str
    lake: Lake


def judge(conformed: Conformed, contract: Contract, settings: Settings, resource: str) -> Verdict:
    """The gate's verdict on ``conformed``, which would replace what ``resource`` last gave."""
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
            findings += _row_count(desk, conformed.clean)
    return Verdict(table.qualified_name, conformed.clean, tuple(findings))


def _rejected(conformed: Conformed) -> Finding:
    allowed = conformed.match.table.tolerance
    observed = (
        f"{conformed.rejected.num_rows} of {conformed.rows} rows rejected "
        f"({conformed.rejected_share:.1%}; the contract tolerates {allowed:.1%})"
    )
    if conformed.rejected.num_rows:
        first = conformed.rejected.slice(0, 1).to_pylist()[0]
        observed += (
            f"; the first: line {first['source_line']}, column {first['column_name']}, value {first['value']!r}: "
            f"{first['reason']} ({first['detail']})"
        )
    failed = conformed.rejected_share > allowed or not conformed.clean
    outcome: Outcome = "failed" if failed else "warned" if conformed.rejected.num_rows else "passed"
    return Finding("rejected_rows_within_tolerance", None, outcome, observed)


def _others(desk: _Desk, table: Table) -> str:
    """Rows of ``table`` in the lake, without those that this publication replaces."""
    rows = desk.lake.relation_sql(table.qualified_name)
    if table.name != desk.table.name:
        return rows
    return f"(FROM {rows} WHERE source_resource <> '{desk.resource}')"


def _keys(desk: _Desk) -> list[Finding]:
    if not desk.table.primary_key:
        return []
    key = ", ".join(desk.table.primary_key)
    # conform keeps the first row of a key and rejects the others; this is the second witness
    findings = [
        _count_finding(
            desk,
            "key_is_unique",
            key,
            f"SELECT count(*), any_value(example) FROM (SELECT concat_ws(' ', {key}) AS example FROM {desk.staged} "
            f"GROUP BY {key} HAVING count(*) > 1)",
            "keys stand more than once in the file",
        )
    ]
    if desk.lake.exists(desk.table.qualified_name):
        findings.append(
            _count_finding(
                desk,
                "key_is_unique_across_resources",
                key,
                f"SELECT count(*), any_value(o.source_resource) FROM {desk.staged} s "
                f"JOIN {_others(desk, desk.table)} o USING ({key})",
                "rows are already published from another resource",
            )
        )
    return findings


def _count_finding(desk: _Desk, expectation: str, column: str, sql: str, fault: str) -> Finding:
    count, example = one_row(desk.con, sql)
    if count:
        return Finding(expectation, column, "failed", f"{count} {fault}, for example {example}")
    return Finding(expectation, column, "passed", "none")


def _foreign_key(desk: _Desk, key: ForeignKey) -> Finding:
    parent = desk.contract.table(key.table)
    columns = ", ".join(key.fields)
    if not desk.lake.exists(parent.qualified_name):
        return Finding(
            "parent_exists", columns, "warned", f"not judged: {parent.qualified_name} is not in the lake yet"
        )
    # Only rows of a vintage that the parent holds can be orphans; the others wait for their parent's file.
    vintage = desk.contract.vintages.field if desk.contract.vintages else None
    held = f"WHERE {vintage} IN (SELECT DISTINCT {vintage} FROM {_others(desk, parent)})" if vintage else ""
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


def _row_count(desk: _Desk, rows: int) -> list[Finding]:
    if not desk.lake.exists(desk.table.qualified_name):
        return []
    partition = {"source_resource": [desk.resource]}
    relation = desk.lake.relation_sql(desk.table.qualified_name, partitions=partition)
    (before,) = one_row(desk.con, f"SELECT count(*) FROM {relation}")
    if not before:
        return []
    failed = rows < before * _SHRINK
    return [
        Finding("row_count_against_last_version", None, "failed" if failed else "passed", f"{rows} rows after {before}")
    ]
