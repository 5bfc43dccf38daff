"""The verdict on one file about to be published: the suite, and what only the dataset as a whole can show.

Dataset-level expectations: the share of rejected rows, a key that is unique in the file and against the other resources
of the table, rows that point at a parent that exists, a row count that did not collapse against the last version, columns
that did not run empty, and a newest date that is as new as the publisher promises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from pipelines.conform.keys import any_doubled
from pipelines.conform.written import SUPERSEDED
from pipelines.lake import Lake, connect
from pipelines.lake.brought import last_brought
from pipelines.lake.duck import column_list, literal, one_row
from pipelines.quality.completeness import columns_have_their_types, columns_stay_filled
from pipelines.quality.freshness import freshness
from pipelines.quality.verdict import Finding, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
    file: Path
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
        accept_shrink: somebody has looked: far fewer rows than last time, or an empty column, are right.
    """
    from pipelines.quality.suite import expectations_of, validate  # costs seconds

    table = conformed.match.table
    findings = [_rejected(conformed)]
    if conformed.match.extra:
        findings.append(Finding("columns_are_read", None, "passed", f"not read: {', '.join(conformed.match.extra)}"))
    if conformed.clean:
        findings.append(columns_have_their_types(conformed.file, table.arrow_schema()))
        findings += validate(conformed.file, expectations_of(contract, table), table.name)
        staged = f"read_parquet({literal(conformed.file)})"
        with connect(settings) as con:
            desk = _Desk(con, contract, table, conformed.file, staged, resource, Lake(settings.lake))
            findings += _keys(desk)
            findings += [_foreign_key(desk, key) for key in table.foreign_keys]
            findings += _row_count(desk, conformed.clean, accepted=accept_shrink)
            findings += _same_subject(desk, accepted=accept_shrink)
            findings += _completeness(desk, conformed, accepted=accept_shrink)
            findings += _freshness(desk, conformed)
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
        column = f"column {first['column_name']}, " if first["column_name"] else ""
        observed += (
            f"; the first: line {first['source_line']}, {column}value {first['value']!r}: "
            f"{first['reason']} ({first['detail']}{_cut_by_a_spreadsheet(first['value'])})"
        )
    failed = conformed.rejected_share > allowed or not conformed.clean
    outcome: Outcome = "failed" if failed else "warned" if conformed.faulty else "passed"
    return Finding("rejected_rows_within_tolerance", None, outcome, observed)


def _cut_by_a_spreadsheet(value: str | None) -> str:
    """`2.02E+11` is what is left of a number; no change of the contract brings it back."""
    if value is None or re.fullmatch(r"\s*\d([.,]\d{1,5})?E\+\d\d\s*", value) is None:
        return ""
    return "; a spreadsheet has cut this number and saved the file: get it as the publisher wrote it"


def _others(desk: _Desk, table: Table) -> str:
    """Rows of ``table`` in the lake, without those that this publication replaces."""
    rows = desk.lake.relation_sql(table.qualified_name)
    if table.name != desk.table.name:
        return rows
    return f"(FROM {rows} WHERE source_resource <> '{desk.resource}')"


def _has(desk: _Desk, table: Table, columns: Iterable[str]) -> bool:
    """Whether ``table`` is in the lake with all of ``columns``: one that a changed contract brings may be new to it."""
    name = table.qualified_name
    return desk.lake.exists(name) and set(columns) <= set(desk.lake.snapshot(name).schema.names)


def _keys(desk: _Desk) -> list[Finding]:
    findings = []
    if desk.table.primary_key:
        key = column_list(desk.table.primary_key)
        # conform keeps the first row of a key and rejects the others; this reads again what it wrote
        count, example = 0, None
        if any_doubled(desk.con, desk.file, desk.table.primary_key):
            count, example = one_row(
                desk.con,
                f"SELECT count(*), any_value(_example) FROM (SELECT concat_ws(' ', {key}) AS _example FROM {desk.staged} "
                f"GROUP BY {key} HAVING count(*) > 1)",
            )
        seen = f"{count} keys stand more than once in the file, for example {example}"
        findings.append(_none("key_is_unique", ", ".join(desk.table.primary_key), count, seen))
    if (owner := desk.table.owner) and _has(desk, desk.table, owner):
        columns = column_list(owner)
        count, example = one_row(
            desk.con,
            f"SELECT count(*), any_value(source_resource) FROM (SELECT DISTINCT {columns}, source_resource "
            f"FROM {_others(desk, desk.table)} SEMI JOIN {desk.staged} USING ({columns}))",
        )
        seen = f"{count} keys are already published from another resource, for example {example}"
        findings.append(_none("key_is_unique_across_resources", ", ".join(owner), count, seen))
    return findings


def _none(expectation: str, column: str, count: int, seen: str) -> Finding:
    return Finding(expectation, column, "failed", seen) if count else Finding(expectation, column, "passed", "none")


def _foreign_key(desk: _Desk, key: ForeignKey) -> Finding:
    parent = desk.contract.table(key.table)
    columns, quoted = ", ".join(key.fields), column_list(key.fields)
    if not _has(desk, parent, key.fields):
        return Finding(
            "parent_exists", columns, "warned", f"not judged: {parent.qualified_name} is not in the lake yet"
        )
    # A key with a null points nowhere. Only rows of a vintage that the parent holds can be orphans; the others wait for
    # their parent's file.
    held = "WHERE " + " AND ".join(f'"{column}" IS NOT NULL' for column in key.fields)
    if desk.contract.vintages:
        # as a list: DuckDB would take the years for many and keep every row of the file in memory to look them up
        vintage = desk.contract.vintages.field
        years = desk.con.execute(
            f"SELECT DISTINCT {vintage} FROM {_others(desk, parent)} WHERE {vintage} IS NOT NULL"
        ).fetchall()
        held += f" AND {vintage} IN ({', '.join(str(year) for (year,) in years) or 'NULL'})"
    child = f"(SELECT {quoted} FROM {desk.staged} {held})"
    (judged,) = one_row(desk.con, f"SELECT count(*) FROM {child}")
    if not judged:
        return Finding("parent_exists", columns, "warned", f"not judged: {parent.qualified_name} lacks this vintage")
    orphans, example = one_row(
        desk.con,
        f"SELECT count(*), any_value(concat_ws(' ', {quoted})) FROM {child} "
        f"ANTI JOIN {_others(desk, parent)} USING ({quoted})",
    )
    observed = f"{orphans} of {judged} rows have no row in {parent.qualified_name}"
    if not orphans:
        return Finding("parent_exists", columns, "passed", observed)
    outcome: Outcome = "failed" if orphans / judged > key.tolerance else "warned"
    return Finding("parent_exists", columns, outcome, f"{observed}, for example {example}")


def _row_count(desk: _Desk, rows: int, *, accepted: bool) -> list[Finding]:
    # Against the resource's last snapshot: a table that accumulates holds older ones besides.
    last = last_brought(desk.lake.path(desk.table.qualified_name), desk.resource)
    if last is None:
        return []
    before = last.rows
    expectation, observed = "row_count_against_last_version", f"{rows} rows after {before}"
    if rows >= before * _SHRINK:
        return [Finding(expectation, None, "passed", observed)]
    if accepted:
        return [Finding(expectation, None, "warned", f"{observed}, accepted with --accept-shrink")]
    hint = "if the publisher meant it, run `rocade ingest` for this resource again with --accept-shrink"
    return [Finding(expectation, None, "failed", f"{observed}: less than {_SHRINK:.0%}; {hint}")]


def _same_subject(desk: _Desk, *, accepted: bool) -> list[Finding]:
    """A resource that told of some years or places tells of one of them at least: `full.csv` of 2023 is not that of 2024."""
    name, columns = desk.table.qualified_name, ", ".join(desk.table.exclusive)
    if not columns or not _has(desk, desk.table, desk.table.exclusive):
        return []
    quoted = column_list(desk.table.exclusive)
    known = " AND ".join(f'"{column}" IS NOT NULL' for column in desk.table.exclusive)  # no value is no subject
    held = desk.lake.relation_sql(name, partitions={"source_resource": [desk.resource]})
    before, kept = one_row(
        desk.con,
        f"WITH held AS (SELECT DISTINCT {quoted} FROM {held} WHERE {known}) SELECT (SELECT count(*) FROM held), "
        f"(SELECT count(*) FROM held SEMI JOIN {desk.staged} USING ({quoted}))",
    )
    if not before:
        return []
    expectation, observed = "same_subject_as_last_version", f"{kept} of {before} values of ({columns}) are there again"
    if kept:
        return [Finding(expectation, columns, "passed", observed)]
    if accepted:
        return [Finding(expectation, columns, "warned", f"{observed}, accepted with --accept-shrink")]
    hint = "another file has come under the same name: give each a name of its own, or say --accept-shrink to replace the rows"
    return [Finding(expectation, columns, "failed", f"{observed}; {hint}")]


def _completeness(desk: _Desk, conformed: Conformed, *, accepted: bool) -> list[Finding]:
    name = desk.table.qualified_name
    if not desk.lake.exists(name):
        return []
    before = desk.lake.files(name, partitions={"source_resource": [desk.resource]})
    columns = [field.value_column for field in desk.table.fields]
    return columns_stay_filled(conformed.file, before, columns, accepted=accepted)


def _freshness(desk: _Desk, conformed: Conformed) -> list[Finding]:
    """Of the table as it would be; an edition that says it is of an earlier year is not meant to be new."""
    column, year, vintages = desk.table.dated_by, conformed.match.vintage, desk.contract.vintages
    if column is None or (year is not None and vintages is not None and year < vintages.last):
        return []
    relations = [desk.staged]
    name = desk.table.qualified_name
    if desk.lake.exists(name) and column in desk.lake.snapshot(name).schema.names:
        relations.append(_others(desk, desk.table))
    # a year counts with its last day
    day = f'make_date(max("{column}"), 12, 31)' if _is_year(desk.table, column) else f'max("{column}")::DATE'
    found = [one_row(desk.con, f"SELECT {day} FROM {each}")[0] for each in relations]
    return [freshness(desk.contract, column, max((day for day in found if day is not None), default=None))]


def _is_year(table: Table, column: str) -> bool:
    return any(field.name == column and field.type == "integer" for field in table.fields)
