"""Cells that one column's rule rejects: another notation, another type, or codes that the list lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
from pydantic import ValidationError

from pipelines.contracts.rules import rules_of_field
from pipelines.mend.columns import likeness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.conform import Conformed
    from pipelines.conform.match import Match
    from pipelines.contracts import Contract, Field
    from pipelines.contracts.fields import Label
    from pipelines.mend.edits import ContractText
    from pipelines.mend.trial import Trial

#: Column, reason and detail of rejected rows: one rule of one column.
Fault = tuple[str, str, str]

#: Other notations of a type, likeliest first. None that reads a text which another one reads otherwise: a month is never
#: put first without somebody's decision.
_NOTATIONS = {
    "date": ("date", "date_day_first", "date_day_first_loose", "date_compact", "day_of_datetime"),
    "datetime": ("datetime", "datetime_or_utc"),
    "number": ("number", "degrees_scaled", "first_of_pair", "second_of_pair"),
    "time": ("time",),
    "integer": ("integer",),
    "decimal": ("decimal",),
    "boolean": ("boolean",),
}
_TEXTS = ("department", "department_tenfold", "commune", "postcode", "digits", "wall_clock")
#: Types that hold what another one cannot, narrowest first.
_WIDER = {"integer": ("number", "string"), "date": ("datetime", "string"), "string": ()}
#: More new codes than this are no codes.
_MOST_CODES = 20
_LONGEST_CODE = 60
_ALIKE = 0.85


def mend_cells(text: ContractText, match: Match, trial: Trial, fault: Fault) -> tuple[ContractText, str] | None:
    """``text`` with a change under which ``fault`` is gone from the rows of ``trial``, and what it is; None if none is found.

    Args:
        text: the contract.
        match: table and layout of the rows.
        trial: the rows.
        fault: the rule that rejects them.
    """
    contract = text.contract()
    for field in match.table.fields:
        if ", ".join(field.sources_in(match.layout)) != fault[0] or not _is_of(contract, field, fault[2]):
            continue
        if fault[1] == "unknown_code":
            step = _with_codes(text, contract, field, trial, fault)
        else:
            step = _with_notation(text, match, field, trial, fault)
        if step is not None:
            return step
    return None


def _with_codes(
    text: ContractText, contract: Contract, field: Field, trial: Trial, fault: Fault
) -> tuple[ContractText, str] | None:
    result = trial.run(contract)
    if result is None or field.codes is None:
        return None
    codes = contract.code_lists[field.codes]
    values = set(_values(result, fault))
    if len(values) > _MOST_CODES or any(len(value) > _LONGEST_CODE for value in values):
        return None
    changed = text.copy()
    told = []
    for value in sorted(values):
        meant = _spelling_of(value, codes)
        if meant is None:
            # Codes that are numbers stand without quotes in a contract.
            code = int(value) if re.fullmatch("0|[1-9][0-9]*", value) else value
            changed.put_code(field.codes, code, f"{value} (not described yet) | {value} (pas encore décrit)")
            told.append(f"{value!r} is new")
        else:
            label = codes[meant]
            changed.put_code(field.codes, meant, {"en": label.en, "fr": label.fr, "also": [*label.also, value]})
            told.append(f"{value!r} is another spelling of {meant!r}")
        codes = changed.contract().code_lists[field.codes]
    return changed, f"code list {field.codes}: {'; '.join(told)}"


def _spelling_of(value: str, codes: dict[str, Label]) -> str | None:
    """The code that ``value`` is another text for, judged by the labels."""
    if len(value) <= 2:  # noqa: PLR2004 - too short to be likened to anything
        return None
    best, code = max(
        (max(likeness(value, each) for each in (code, label.en, label.fr, *label.also)), code)
        for code, label in codes.items()
    )
    return code if best >= _ALIKE else None


def _with_notation(
    text: ContractText, match: Match, field: Field, trial: Trial, fault: Fault
) -> tuple[ContractText, str] | None:
    """The field under the first other cast or type that takes its cells."""
    table, layout = match.table, match.layout
    for changes in _candidates(field, len(field.sources_in(layout))):
        changed = text.copy()
        if "type" in changes:
            for key, value in changes.items():
                changed.set_in_field(table.name, field.name, key, value)
        elif len(table.layouts) > 1:
            changed.override(table.name, field.name, layout.name, changes)
        else:
            changed.set_in_field(table.name, field.name, "cast", changes["cast"])
        try:
            now = changed.contract()
        except ValidationError:
            continue  # a rule of the field does not suit the type
        result = trial.run(now)
        if result is not None and _still(result, now, field, fault) <= result.rows * table.tolerance:
            said = ", ".join(f"{key} {value!r}" for key, value in changes.items())
            return changed, f"{table.name}.{field.name} has {said} for column {fault[0]!r} ({fault[2]})"
    return None


def _candidates(field: Field, columns: int) -> Iterator[dict[str, Any]]:
    if columns != 1:
        return
    now = field.cast or field.type
    others = _NOTATIONS.get(field.type, _TEXTS if now != "string" else ())
    yield from ({"cast": cast} for cast in others if cast != now)
    if field.type != "code":
        kinds = _WIDER.get(field.type, ("string",))
        yield from ({"type": kind} | ({"cast": kind} if field.cast else {}) for kind in kinds)


def _still(result: Conformed, contract: Contract, field: Field, fault: Fault) -> int:
    """Rows that this column's field still rejects, by whatever rule."""
    rejected = result.rejected.filter(pc.equal(result.rejected["column_name"], fault[0]))["detail"].to_pylist()
    return sum(1 for detail in map(main_fault, rejected) if _is_of(contract, field, detail))


def _is_of(contract: Contract, field: Field, detail: str) -> bool:
    """Whether ``detail`` tells of a rule of this field; several may read one column."""
    return detail in [rule.detail for rule in rules_of_field(contract, field)] or f"({field.name}" in detail


def main_fault(detail: str) -> str:
    """What quarantine says of the column that a row was rejected for, without the row's other faults."""
    return detail.partition("; also at fault")[0]


def _values(result: Conformed, fault: Fault) -> list[str]:
    """The cells that ``fault`` rejects."""
    rows = result.rejected.filter(pc.equal(result.rejected["column_name"], fault[0]))
    return [row["value"].strip() for row in rows.to_pylist() if main_fault(row["detail"]) == fault[2]]
