"""What a contract says of a row, as SQL: the value of each field, every way in which the row can be bad, and why it is.

This is the meaning. How clean rows are written fast is ``clean``'s business, which uses these same expressions for every
cell that is not in its usual notation; the rows that it sets aside come back here to be explained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.conform.survey import DAMAGE
from pipelines.contracts.layouts import RECORD, VINTAGE
from pipelines.contracts.rules import AtLeast, AtMost, OneOf, Pattern, Required, rules_of_field, rules_of_vintage
from pipelines.lake.duck import literal, text_list

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.conform.match import Match
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract, Field
    from pipelines.contracts.rules import Demand, Rule

# Spelt out: a DuckDB string has no escapes, so '\\t' would be a backslash and the letter t.
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239)"


#: SQL of a source's trimmed text, by the source's name.
Cell = Callable[[str], str]


@dataclass(frozen=True)
class Check:
    """One way in which a row can be bad: SQL that is true of bad rows, and the words for it."""

    sources: tuple[str, ...]
    reason: str
    detail: str
    bad: str


def checks_of(
    contract: Contract,
    match: Match,
    sniffed: Sniffed,
    cell: Cell | None = None,
    value: Callable[[Field], str] | None = None,
) -> list[Check]:
    """Every check of the table under this layout, in the order in which they are judged.

    Args:
        contract: whose rules.
        match: table and layout.
        sniffed: the file.
        cell: SQL of a source's trimmed text, by its name; the column of ``explain_sql`` when None.
        value: SQL of a field's value; the column of ``explain_sql`` when None.
    """
    cell, value = cell or cell_name, value or value_name
    found = [_damage_check(name, sniffed) for name in match.layout.header] if sniffed.damaged else []
    for field in match.table.fields:
        sources = field.sources_in(match.layout)
        if sources:
            found += _field_checks(contract, field, sources, cell, value(field))
    return found + _vintage_checks(contract, match, value)


def explain_sql(contract: Contract, match: Match, sniffed: Sniffed, checks: list[Check], relation: str) -> str:
    """The statement that says why rows are bad.

    Args:
        contract: whose rules.
        match: table and layout.
        sniffed: the file.
        checks: from ``checks_of``.
        relation: rows with ``record`` and the cells ``c0, c1, …`` as published.

    Returns:
        SQL that gives ``record``, ``fault`` (one more than the index of the first failed check), ``faults`` (all of them),
        ``captured`` (what the names of the row's unpivoted columns say, such as a year), ``fault_value`` (the cell as
        published) and ``fault_row`` (the whole row as JSON), of bad rows only.
    """
    scan = Scan(match, sniffed)
    cells = ", ".join(f"{trimmed(scan.raw(name), contract.null_tokens)} AS {cell_name(name)}" for name in scan.sources)
    typed = ",\n    ".join(
        f"{value_sql(contract, field, match, cell_name)} AS {value_name(field)}" for field in match.table.fields
    )
    faults = ", ".join(f"CASE WHEN {check.bad} THEN {index} END" for index, check in enumerate(checks, start=1))
    values = "\n    ".join(
        f"WHEN {index} THEN concat_ws(' / ', {', '.join(scan.shown(s) for s in check.sources)})"
        for index, check in enumerate(checks, start=1)
    )
    row = ", ".join(f"{literal(name)}, c{index}" for index, name in enumerate(sniffed.header))
    return f"""
WITH lines AS (SELECT * FROM {relation}){scan.long_sql},
cells AS (SELECT *, {cells} FROM {scan.rows}),
typed AS (SELECT *,
    {typed}
    FROM cells{scan.blank_rows_out(cell_name)}),
judged AS (SELECT *, list_filter([{faults}], lambda each: each IS NOT NULL) AS faults FROM typed)
SELECT record, faults[1] AS fault, faults, {scan.captured} AS captured,
    CASE faults[1]
    {values}
    END AS fault_value,
    json_object({row})::VARCHAR AS fault_row
FROM judged WHERE len(faults) > 0"""


class Scan:
    """Where each source of a field is found in the scan: a column of the file, or what a name in braces stands for."""

    def __init__(self, match: Match, sniffed: Sniffed) -> None:
        self._raw = {name: f"c{index}" for index, name in enumerate(sniffed.header)}
        used = {source for field in match.table.fields for source in field.sources_in(match.layout)}
        self._raw[VINTAGE] = "NULL::VARCHAR" if match.vintage is None else f"'{match.vintage}'"
        self._raw[RECORD] = "('record ' || record)"
        self.rows, self.long_sql, self.captured = "lines", "", "NULL::VARCHAR"
        self._wide: tuple[str, ...] = ()
        if unpivot := match.layout.unpivot:
            group, found = unpivot.group, match.unpivoted
            self._raw[f"{{{group}}}"] = f'long_row."{group}"'
            self._raw[f"{{{group}:newest}}"] = literal(max(found))
            self._raw |= {f"{{{name}}}": f'long_row."{name}"' for name in unpivot.columns}
            entries = ", ".join(self._entry(group, value, found[value], unpivot.columns) for value in found)
            self.rows, self.captured = "longs", f'long_row."{group}"'
            self.long_sql = f",\nlongs AS (SELECT *, unnest([{entries}]) AS long_row FROM lines)"
            self._wide = tuple(f"{{{name}}}" for name in unpivot.columns)
            used |= set(self._wide)
        self.sources = [name for name in self._raw if name in used]

    def _entry(self, group: str, value: str, found: dict[str, str], names: Iterable[str]) -> str:
        cells = ", ".join(f"'{name}': {self._raw[found[name]] if name in found else 'NULL'}" for name in names)
        return f"{{'{group}': {literal(value)}, {cells}}}"

    def raw(self, source: str) -> str:
        """The text of ``source`` as published."""
        return self._raw[source]

    def blank_rows_out(self, cell: Cell) -> str:
        """A WHERE clause without the rows of a wide file whose cells are all blank."""
        return f" WHERE NOT ({' AND '.join(f'{cell(name)} IS NULL' for name in self._wide)})" if self._wide else ""

    def shown(self, source: str) -> str:
        """The same for quarantine: never null."""
        return f"coalesce({self._raw[source]}, '')"


def cell_name(source: str) -> str:
    """The column that holds the trimmed text of ``source``.

    In hexadecimal: to SQL `Nom` and `NOM` are one name, and a publisher's name may hold anything.
    """
    return f'"cell {source.encode().hex()}"'


def value_name(field: Field) -> str:
    """The column that holds the value of ``field``."""
    return f'"value {field.name}"'


def trimmed(column: str, null_tokens: tuple[str, ...]) -> str:
    """The text of a cell without blanks around it; NULL where it means "unknown"."""
    text = f"trim({column}, {_BLANKS})"
    return f"CASE WHEN {text} NOT IN ({text_list(null_tokens)}) THEN {text} END"


def parts_sql(field: Field, sources: tuple[str, ...], cell: Cell) -> list[str]:
    """What the cast of ``field`` takes: the trimmed texts, NULL where they mean "unknown" in this field."""
    parts = [cell(source) for source in sources]
    if field.null_tokens:
        parts = [f"CASE WHEN {part} NOT IN ({text_list(field.null_tokens)}) THEN {part} END" for part in parts]
    if field.null_pattern is not None:
        pattern = text_list((field.null_pattern,))
        parts = [f"CASE WHEN NOT regexp_full_match({part}, {pattern}) THEN {part} END" for part in parts]
    return parts


def value_sql(contract: Contract, field: Field, match: Match, cell: Cell) -> str:
    """The value of ``field``: NULL where it has none, or its text cannot be one."""
    codes = contract.code_lists[field.codes] if field.codes else None
    sources = field.sources_in(match.layout)
    if not sources:
        return "NULL"
    parts = parts_sql(field, sources, cell)
    value = field.cast_in(match.layout)(parts)
    also = {text: code for code, label in codes.items() for text in label.also} if codes else {}
    if also:
        known = ", ".join(f"{literal(text)}: {literal(code)}" for text, code in also.items())
        value = f"coalesce(MAP {{{known}}}[{parts[0]}], {value})"
    return value


def _damage_check(name: str, sniffed: Sniffed) -> Check:
    """Text that somebody decoded wrongly before us cannot be mended: U+FFFD, C1 controls, NUL."""
    detail = "holds a character that was lost before the file came to us (U+FFFD or a control character)"
    bad = f"coalesce(regexp_matches(c{sniffed.header.index(name)}, '{DAMAGE}'), false)"
    return Check((name,), "damaged_text", detail, bad)


def _field_checks(contract: Contract, field: Field, sources: tuple[str, ...], cell: Cell, value: str) -> list[Check]:
    filled = " AND ".join(f"{part} IS NOT NULL" for part in parts_sql(field, sources, cell))
    meant = f", {field.title}" if field.title else f" in {field.unit}" if field.unit else ""
    detail = f"cannot be read as {field.type} ({field.name}{meant})"
    found = [Check(sources, "does_not_cast", detail, f"({filled}) AND {value} IS NULL")]
    return found + [_rule_check(rule, sources, value) for rule in rules_of_field(contract, field)]


def _rule_check(rule: Rule, sources: tuple[str, ...], value: str) -> Check:
    return Check(sources, rule.reason, rule.detail, broken_sql(rule.demand, value))


def broken_sql(demand: Demand, value: str) -> str:
    """SQL that is true where ``value``, an expression, does not meet ``demand``."""
    match demand:
        case Required():
            return f"{value} IS NULL"
        case Pattern(regex):
            return f"NOT regexp_full_match({value}, {literal(regex)})"
        case AtLeast(bound):
            return f"{value} < {bound}"
        case AtMost(bound):
            return f"{value} > {bound}"
        case OneOf(values):
            return f"{value} NOT IN ({text_list(values)})"


def _vintage_checks(contract: Contract, match: Match, value: Callable[[Field], str]) -> list[Check]:
    rules = rules_of_vintage(contract, match.table)
    if not rules:
        return []
    field = rules[0].field
    sources = field.sources_in(match.layout)
    found = [_rule_check(rule, sources, value(field)) for rule in rules]
    if match.vintage is not None:
        bad = f"{value(field)} <> {match.vintage}"
        found.append(Check(sources, "wrong_vintage", f"the file's name says {match.vintage}", bad))
    return found
