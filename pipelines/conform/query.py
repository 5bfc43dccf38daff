"""The one-scan SELECT that casts a file by its contract and says of each row why it is rejected, if it is.

Every column is read as text. For each row the statement gives the fields, ``fault`` (0 for a clean row, else one more than
the index into the list of checks), ``fault_value`` (the cell as published) and ``fault_row`` (the whole row as JSON).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.conform.reader import read_csv_sql
from pipelines.conform.sniff import DAMAGE

if TYPE_CHECKING:
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
    """The statement; rows come in the order of the file, and ``source_line`` is as if each took one line."""
    cells = ", ".join(
        f"{_trimmed(f'c{index}', contract.null_tokens)} AS {_cell(name)}" for index, name in enumerate(sniffed.header)
    )
    typed = ",\n    ".join(_typed(field, match) for field in match.table.fields)
    faults = "\n    ".join(f"WHEN {check.bad} THEN {index}" for index, check in enumerate(checks, start=1))
    values = "\n    ".join(
        f"WHEN {index} THEN concat_ws(' / ', {', '.join(_raw(s, sniffed) for s in check.sources)})"
        for index, check in enumerate(checks, start=1)
    )
    row = ", ".join(f"'{name.replace(chr(39), chr(39) * 2)}', c{index}" for index, name in enumerate(sniffed.header))
    outputs = ", ".join(_outputs(contract, field) for field in match.table.fields)
    return f"""
WITH lines AS (SELECT row_number() OVER () AS record, * FROM {read_csv_sql(sniffed)}),
cells AS (SELECT *, {cells} FROM lines),
typed AS (SELECT *,
    {typed}
    FROM cells),
judged AS (SELECT *, CASE
    {faults}
    ELSE 0 END AS fault FROM typed)
SELECT {outputs}, '{sha256}' AS source_sha256, record + 1 AS source_line, fault,
    CASE fault
    {values}
    END AS fault_value,
    CASE WHEN fault > 0 THEN json_object({row})::VARCHAR END AS fault_row
FROM judged"""


def _cell(name: str) -> str:
    return '"cell ' + name.replace('"', '""') + '"'


def _value(field: Field) -> str:
    return f'"value {field.name}"'


def _text_list(texts: tuple[str, ...]) -> str:
    return ", ".join("'" + text.replace("'", "''") + "'" for text in texts)


def _trimmed(column: str, null_tokens: tuple[str, ...]) -> str:
    text = f"trim({column}, {_BLANKS})"
    return f"CASE WHEN {text} NOT IN ({_text_list(null_tokens)}) THEN {text} END"


def _raw(source: str, sniffed: Sniffed) -> str:
    return f"coalesce(c{sniffed.header.index(source)}, '')"


def _parts(field: Field, sources: tuple[str, ...]) -> list[str]:
    parts = [_cell(source) for source in sources]
    if field.null_tokens:
        parts = [f"CASE WHEN {part} NOT IN ({_text_list(field.null_tokens)}) THEN {part} END" for part in parts]
    if field.null_pattern is not None:
        pattern = _text_list((field.null_pattern,))
        parts = [f"CASE WHEN NOT regexp_full_match({part}, {pattern}) THEN {part} END" for part in parts]
    return parts


def _typed(field: Field, match: Match) -> str:
    sources = field.sources_in(match.layout)
    if not sources:
        return f"NULL AS {_value(field)}"
    return f"{field.cast_in(match.layout)(_parts(field, sources))} AS {_value(field)}"


_SQL_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "boolean": "BOOLEAN"}


def _outputs(contract: Contract, field: Field) -> str:
    value = f"CAST({_value(field)} AS {_SQL_TYPES.get(field.type, 'VARCHAR')})"
    if field.codes is None:
        return f'{value} AS "{field.name}"'
    entries = ", ".join(
        f"'{code}': '{label.replace(chr(39), chr(39) * 2)}'" for code, label in contract.code_lists[field.codes].items()
    )
    return f'{value} AS "{field.name}_code", MAP {{{entries}}}[{value}] AS "{field.name}"'


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
