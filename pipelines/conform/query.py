"""The one-scan SELECT that casts a file by its contract and says of each row why it is rejected, if it is.

Every column is read as text. For each row the statement gives the fields, ``fault`` (0 for a clean row, else one more than
the index into the list of checks), ``fault_value`` (the cell as published) and ``fault_row`` (the whole row as JSON).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.conform.reader import read_csv_sql
from pipelines.conform.sniff import DAMAGE
from pipelines.contracts.layouts import VINTAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.conform.match import Match
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract, Field

# Spelt out: a DuckDB string has no escapes, so '\\t' would be a backslash and the letter t.
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239)"


@dataclass(frozen=True)
class Check:
    """One way in which a row can be bad: SQL that is true of bad rows, and the words for it."""

    sources: tuple[str, ...]
    reason: str
    detail: str
    bad: str


def checks_of(contract: Contract, match: Match, sniffed: Sniffed) -> list[Check]:
    """Every check of the table under this layout, in the order in which they are judged."""
    found = [_damage_check(name, sniffed) for name in match.layout.header] if sniffed.damaged else []
    for field in match.table.fields:
        sources = field.sources_in(match.layout)
        if sources:
            found += _field_checks(contract, field, sources)
    if contract.vintages is not None and any(f.name == contract.vintages.field for f in match.table.fields):
        found += _vintage_checks(contract, match)
    return found


def conform_sql(contract: Contract, match: Match, sniffed: Sniffed, checks: list[Check], sha256: str) -> str:
    """The statement; rows come in the order of the file, and ``source_line`` is as if each record took one line."""
    scan = _Scan(match, sniffed)
    cells = ", ".join(f"{_trimmed(scan.raw(name), contract.null_tokens)} AS {_cell(name)}" for name in scan.sources)
    typed = ",\n    ".join(_typed(contract, field, match) for field in match.table.fields)
    faults = "\n    ".join(f"WHEN {check.bad} THEN {index}" for index, check in enumerate(checks, start=1))
    values = "\n    ".join(
        f"WHEN {index} THEN concat_ws(' / ', {', '.join(scan.shown(s) for s in check.sources)})"
        for index, check in enumerate(checks, start=1)
    )
    row = ", ".join(f"{_literal(name)}, c{index}" for index, name in enumerate(sniffed.header))
    outputs = ", ".join(_outputs(contract, field) for field in match.table.fields)
    return f"""
WITH lines AS (SELECT row_number() OVER () AS record, * FROM {read_csv_sql(sniffed)}){scan.long_sql},
cells AS (SELECT *, {cells} FROM {scan.rows}),
typed AS (SELECT *,
    {typed}
    FROM cells{scan.blank_rows_out}),
judged AS (SELECT *, CASE
    {faults}
    ELSE 0 END AS fault FROM typed)
SELECT {outputs}, '{sha256}' AS source_sha256, record + 1 AS source_line, fault,
    CASE fault
    {values}
    END AS fault_value,
    CASE WHEN fault > 0 THEN json_object({row})::VARCHAR END AS fault_row
FROM judged"""


class _Scan:
    """Where each source of a field is found in the scan: a column of the file, or what a name in braces stands for."""

    def __init__(self, match: Match, sniffed: Sniffed) -> None:
        self._raw = {name: f"c{index}" for index, name in enumerate(sniffed.header)}
        used = {source for field in match.table.fields for source in field.sources_in(match.layout)}
        self._raw[VINTAGE] = "NULL::VARCHAR" if match.vintage is None else f"'{match.vintage}'"
        self.rows, self.long_sql, self.blank_rows_out = "lines", "", ""
        if unpivot := match.layout.unpivot:
            group, found = unpivot.group, match.unpivoted
            self._raw[f"{{{group}}}"] = f'long_row."{group}"'
            self._raw[f"{{{group}:newest}}"] = _literal(max(found))
            self._raw |= {f"{{{name}}}": f'long_row."{name}"' for name in unpivot.columns}
            entries = ", ".join(self._entry(group, value, found[value], unpivot.columns) for value in found)
            self.rows = "longs"
            self.long_sql = f",\nlongs AS (SELECT *, unnest([{entries}]) AS long_row FROM lines)"
            blank = " AND ".join(f"{_cell(f'{{{name}}}')} IS NULL" for name in unpivot.columns)
            self.blank_rows_out = f" WHERE NOT ({blank})"
            used |= {f"{{{name}}}" for name in unpivot.columns}
        self.sources = [name for name in self._raw if name in used]

    def _entry(self, group: str, value: str, found: dict[str, str], names: Iterable[str]) -> str:
        cells = ", ".join(f"'{name}': {self._raw[found[name]] if name in found else 'NULL'}" for name in names)
        return f"{{'{group}': {_literal(value)}, {cells}}}"

    def raw(self, source: str) -> str:
        """The text of ``source`` as published."""
        return self._raw[source]

    def shown(self, source: str) -> str:
        """The same for quarantine: never null."""
        return f"coalesce({self._raw[source]}, '')"


def _cell(name: str) -> str:
    return '"cell ' + name.replace('"', '""') + '"'


def _value(field: Field) -> str:
    return f'"value {field.name}"'


def _text_list(texts: tuple[str, ...]) -> str:
    return ", ".join(map(_literal, texts))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _trimmed(column: str, null_tokens: tuple[str, ...]) -> str:
    text = f"trim({column}, {_BLANKS})"
    return f"CASE WHEN {text} NOT IN ({_text_list(null_tokens)}) THEN {text} END"


def _parts(field: Field, sources: tuple[str, ...]) -> list[str]:
    parts = [_cell(source) for source in sources]
    if field.null_tokens:
        parts = [f"CASE WHEN {part} NOT IN ({_text_list(field.null_tokens)}) THEN {part} END" for part in parts]
    if field.null_pattern is not None:
        pattern = _text_list((field.null_pattern,))
        parts = [f"CASE WHEN NOT regexp_full_match({part}, {pattern}) THEN {part} END" for part in parts]
    return parts


def _typed(contract: Contract, field: Field, match: Match) -> str:
    codes = contract.code_lists[field.codes] if field.codes else None
    sources = field.sources_in(match.layout)
    if not sources:
        return f"NULL AS {_value(field)}"
    value = field.cast_in(match.layout)(_parts(field, sources))
    also = {text: code for code, label in codes.items() for text in label.also} if codes else {}
    if also:
        known = ", ".join(f"{_literal(text)}: {_literal(code)}" for text, code in also.items())
        value = f"coalesce(MAP {{{known}}}[{_parts(field, sources)[0]}], {value})"
    return f"{value} AS {_value(field)}"


_SQL_TYPES = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "decimal": "DECIMAL(18, 2)",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}


def _outputs(contract: Contract, field: Field) -> str:
    value = f"CAST({_value(field)} AS {_SQL_TYPES.get(field.type, 'VARCHAR')})"
    if field.codes is None:
        return f'{value} AS "{field.name}"'
    codes = contract.code_lists[field.codes].items()
    english, french = (
        ", ".join(f"{_literal(code)}: {_literal(text)}" for code, text in texts)
        for texts in (((c, label.en) for c, label in codes), ((c, label.fr) for c, label in codes))
    )
    return (
        f'{value} AS "{field.name}_code", MAP {{{english}}}[{value}] AS "{field.name}", '
        f'MAP {{{french}}}[{value}] AS "{field.name}_fr"'
    )


def _damage_check(name: str, sniffed: Sniffed) -> Check:
    """Text that somebody decoded wrongly before us cannot be mended: U+FFFD, C1 controls, NUL."""
    detail = "holds a character that was lost before the file came to us (U+FFFD or a control character)"
    bad = f"coalesce(regexp_matches(c{sniffed.header.index(name)}, '{DAMAGE}'), false)"
    return Check((name,), "damaged_text", detail, bad)


def _field_checks(contract: Contract, field: Field, sources: tuple[str, ...]) -> list[Check]:
    value, rules = _value(field), field.constraints
    filled = " AND ".join(f"{part} IS NOT NULL" for part in _parts(field, sources))
    meant = f", {field.title}" if field.title else f" in {field.unit}" if field.unit else ""
    detail = f"cannot be read as {field.type} ({field.name}{meant})"
    found = [Check(sources, "does_not_cast", detail, f"({filled}) AND {value} IS NULL")]
    if rules.required:
        found.append(Check(sources, "missing", f"{field.name} is required", f"{value} IS NULL"))
    if rules.pattern is not None:
        bad = f"NOT regexp_full_match({value}, '{rules.pattern.replace(chr(39), chr(39) * 2)}')"
        found.append(Check(sources, "wrong_pattern", f"does not match {rules.pattern}", bad))
    if rules.minimum is not None:
        found.append(Check(sources, "out_of_range", f"below {rules.minimum:g}", f"{value} < {rules.minimum}"))
    if rules.maximum is not None:
        found.append(Check(sources, "out_of_range", f"above {rules.maximum:g}", f"{value} > {rules.maximum}"))
    if field.codes is not None:
        codes = _text_list(tuple(contract.code_lists[field.codes]))
        found.append(Check(sources, "unknown_code", f"not in code list {field.codes}", f"{value} NOT IN ({codes})"))
    return found


def _vintage_checks(contract: Contract, match: Match) -> list[Check]:
    vintages = contract.vintages
    if vintages is None:
        return []
    field = next(field for field in match.table.fields if field.name == vintages.field)
    value, sources = _value(field), field.sources_in(match.layout)
    known = f"the contract covers {vintages.first} to {vintages.last}"
    found = [Check(sources, "unknown_vintage", known, f"{value} NOT BETWEEN {vintages.first} AND {vintages.last}")]
    if match.vintage is not None:
        detail = f"the file's name says {match.vintage}"
        found.append(Check(sources, "wrong_vintage", detail, f"{value} <> {match.vintage}"))
    return found
