"""The columns of a file with the evidence: what each is judged to be, and whether every cell is so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.contracts.casts import CASTS
from pipelines.lake.duck import text_list
from pipelines.propose.judge import MOSTLY, Judgement, judge
from pipelines.propose.shapes import NULL_TOKENS, is_number, is_too_long

if TYPE_CHECKING:
    from pipelines.propose.texts import Texts

_EXAMPLES = 3
_SHOWN = 3
_AT_ONCE = 40


@dataclass(frozen=True)
class Column:
    """A column of the file.

    Attributes:
        name: as published; the second of one name ends in ``__2``.
        index: its place, from 0.
        judgement: how it is best read.
        filled: cells with a text, null tokens included.
        nulls: blank cells and null tokens.
        distinct: different texts; of more than 200,000 rows an estimate within a few per cent.
        minimum, maximum: of the values as read, as text.
        examples: the most frequent texts.
        misfits: cells that the contract's cast cannot read.
        misfit_cells: the first of them: line and text.
    """

    name: str
    index: int
    judgement: Judgement
    filled: int
    nulls: int
    distinct: int
    minimum: str | None
    maximum: str | None
    examples: tuple[str, ...]
    misfits: int = 0
    misfit_cells: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class _Counted:
    filled: int
    tokens: int
    distinct: int
    misfits: int
    zeros: int
    minimum: str | None
    maximum: str | None


def judged_columns(texts: Texts) -> list[Column]:
    """Every column, judged on its values and checked on all rows."""
    listed = [texts.values(index) for index in range(len(texts.sniffed.header))]
    judgements = {index: judge(values) for index, values in enumerate(listed)}
    counted = _counted(texts, judgements)
    again = {}
    for index, found in counted.items():
        if better := _reconsidered(texts, index, judgements[index], found):
            again[index] = better
    counted |= _counted(texts, again)
    judgements |= again
    return [
        Column(
            name=values.name,
            index=index,
            judgement=_with_misfits_noted(judgements[index], counted[index]),
            filled=counted[index].filled,
            nulls=texts.rows - counted[index].filled + counted[index].tokens,
            # Where all rows were listed the number is exact.
            distinct=values.distinct if texts.rows == texts.listed else counted[index].distinct,
            minimum=counted[index].minimum,
            maximum=counted[index].maximum,
            examples=tuple(list(values.counts)[:_EXAMPLES]),
            misfits=counted[index].misfits,
            misfit_cells=_misfit_cells(texts, index, judgements[index]) if counted[index].misfits else (),
        )
        for index, values in enumerate(listed)
    ]


def _text(index: int, judgement: Judgement) -> str:
    """The cell, NULL where it is a null token."""
    if not judgement.null_tokens:
        return f"c{index}"
    return f"CASE WHEN c{index} NOT IN ({text_list(judgement.null_tokens)}) THEN c{index} END"


def _value(index: int, judgement: Judgement) -> str:
    return CASTS[judgement.cast or judgement.type]([_text(index, judgement)])


def _misfit(index: int, judgement: Judgement) -> str:
    text, value = _text(index, judgement), _value(index, judgement)
    if judgement.pattern:
        return f"({text}) IS NOT NULL AND NOT regexp_full_match({text}, '{judgement.pattern}')"
    return f"({text}) IS NOT NULL AND ({value}) IS NULL"


def _counted(texts: Texts, judgements: dict[int, Judgement]) -> dict[int, _Counted]:
    """One scan for some dozens of columns; for many at once DuckDB needs much memory."""
    asked = list(judgements.items())
    found: dict[int, _Counted] = {}
    for start in range(0, len(asked), _AT_ONCE):
        found |= _count(texts, dict(asked[start : start + _AT_ONCE]))
    return found


def _count(texts: Texts, judgements: dict[int, Judgement]) -> dict[int, _Counted]:
    estimate = texts.rows > texts.listed
    expressions = []
    for index, judgement in judgements.items():
        is_number = judgement.type in ("integer", "number", "decimal")
        value = _value(index, judgement)
        expressions += [
            f"count(c{index})",
            f"count(c{index}) - count({_text(index, judgement)})",
            f"least(approx_count_distinct(c{index}), count(c{index}))" if estimate else "0",
            f"count_if({_misfit(index, judgement)})" if _can_misfit(judgement) else "0",
            f"count_if(regexp_full_match(c{index}, '0\\d+'))" if is_number else "0",
            f"min({value})::VARCHAR",
            f"max({value})::VARCHAR",
        ]
    found = texts.one(expressions)
    width = len(expressions) // len(judgements)
    return {index: _Counted(*found[at * width : (at + 1) * width]) for at, index in enumerate(judgements)}


def _can_misfit(judgement: Judgement) -> bool:
    return judgement.pattern is not None or (judgement.cast or judgement.type) not in ("string", "code")


def _reconsidered(texts: Texts, index: int, judgement: Judgement, found: _Counted) -> Judgement | None:
    """Another judgement, where the listed values did not show what the rest holds."""
    if found.zeros:
        note = f"{found.zeros} cells have a leading zero, which a number would lose"
        return Judgement("string", kind="digits with leading zeros", identifier=True, notes=(note,))
    if found.misfits and judgement.pattern:
        return replace(judgement, pattern=None)
    return _wider(texts, index, judgement, found) if found.misfits else None


def _wider(texts: Texts, index: int, judgement: Judgement, found: _Counted) -> Judgement | None:
    """What reads the misfits too: more null tokens, numbers for whole numbers, else text; None where they are few faults."""
    others = texts.values(index, _misfit(index, judgement))
    tokens = tuple(value for value in others.counts if value in NULL_TOKENS)
    meant = found.filled - found.tokens
    if tokens and judgement.type != "string":
        shown = ", ".join(f"{token!r} ({others.counts[token]})" for token in tokens)
        notes = (*judgement.notes, f"taken to mean nothing: {shown}")
        return replace(judgement, null_tokens=(*judgement.null_tokens, *tokens), notes=notes)
    if judgement.type == "integer" and others.share(is_number) >= MOSTLY:
        if others.any(is_too_long) or any(map(is_too_long, filter(None, (found.minimum, found.maximum)))):
            return Judgement(
                "string", kind="number", notes=("some are longer than 64 bits hold exactly: kept as they are",)
            )
        return Judgement("number", kind="number")
    if judgement.type == "string" and not judgement.notes:
        # A postcode such as `000NR`: no reason to lose the row, where no zero waits to be put back.
        note = f"{found.misfits} cells are no {judgement.kind}, such as {next(iter(others.counts), '')!r}: kept as they are"
        return replace(judgement, cast=None, notes=(note,))
    if found.misfits <= (1 - MOSTLY) * meant:
        return None
    note = f"{found.misfits} of {meant} cells are no {judgement.kind}, such as {next(iter(others.counts), '')!r}"
    return Judgement("string", notes=(note,), identifier=judgement.identifier)


def _with_misfits_noted(judgement: Judgement, found: _Counted) -> Judgement:
    if not found.misfits:
        return judgement
    note = f"{found.misfits} cells do not fit: their rows will wait in quarantine"
    return replace(judgement, notes=(*judgement.notes, note))


def _misfit_cells(texts: Texts, index: int, judgement: Judgement) -> tuple[tuple[int, str], ...]:
    return tuple(texts.cells(index, _misfit(index, judgement), _SHOWN))
