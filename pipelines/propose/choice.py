"""Which tables of a file a contract is made for, and what somebody should look at before trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.propose.draft import Draft
    from pipelines.propose.inspection import Inspection

_MOST_TOLD = 8


def tables_to_take(found: Sequence[Inspection], name: str) -> list[Inspection]:
    """The tables that a contract is made for: those with rows, without a readme beside them.

    Args:
        found: what is in the file.
        name: the file's, for messages.

    Raises:
        ConformError: there is none, or a quote in one has swallowed rows, which the contract would not know.
    """
    tables = [each for each in found if each.rows and each.columns]
    if not tables:
        raise ConformError("no table with rows is in it", where=name, fix="`rocade inspect` shows what is")
    for each in tables:
        for fault in each.faults:
            if fault.what == "open_quote" and "\n" in fault.example:
                raise ConformError(
                    "a quote is opened that is never closed; what follows cannot be told apart",
                    where=f"{each.name}, near line {fault.line}",
                    fix="nothing was written; mend the file, or tell the publisher",
                )
    has_columns = any(len(each.columns) > 1 for each in tables)
    return [each for each in tables if not (has_columns and _is_text(each))]


def left_out(found: Sequence[Inspection], tables: Sequence[Inspection]) -> list[str]:
    """A line for each of ``found`` that is not among ``tables``."""
    return [f"left out, because it is no table with rows: {each.member}" for each in found if each not in tables]


def worth_a_look(made: Draft, tables: Sequence[Inspection], file: Path) -> list[str]:
    """What the data gave no proof of, as far as a screen holds it; the comments in the contract say it all."""
    told = [*made.remarks, *(remark for table in made.tables for remark in table.remarks)]
    told += [
        f"{column.name}: {note}"
        for each in tables
        for column in each.columns
        if column.judgement.kind != "empty"
        for note in column.judgement.notes
    ]
    more = [f"and {len(told) - _MOST_TOLD} more, see the comments in {file}"] if len(told) > _MOST_TOLD else []
    return [*told[:_MOST_TOLD], *more]


def _is_text(found: Inspection) -> bool:
    return len(found.columns) == 1 and (found.member or "").lower().endswith((".txt", ".md"))
