"""SQL that reads the cells that are in their usual notation, and leaves the others to what ``query`` says of them.

Each function gives a CASE whose first branch is the usual notation: where it holds for all rows at hand, DuckDB computes
that branch alone and copies nothing. A cell that is NULL comes second, every other notation last.

Belongs here: how a shortcut (contracts.shortcuts) is guarded against null tokens and odd texts. Does not: what a text means;
how the statement is put together (``clean``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.conform.query import value_name
from pipelines.conform.survey import STRIDE
from pipelines.contracts.shortcuts import (
    CLOSED,
    SHORT_NUMBER,
    SHORTCUTS,
    Shortcut,
    digits_of,
    matches_zero_only,
)
from pipelines.lake.duck import literal, text_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.conform.match import Match
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract, Field

_NUMBERS = {"integer", "number", "decimal"}
_SMOOTH = '"smooth"'
_YEAR_DIGITS = 4


class Usual:
    """The usual notations in one file.

    Args:
        contract: whose null tokens.
        match: for the file's year.
        sniffed: the file.
        by_line: record n is surely line n + 1, so that what the survey found on a line holds for the record.
    """

    def __init__(self, contract: Contract, match: Match, sniffed: Sniffed, *, by_line: bool) -> None:
        self._tokens = contract.null_tokens
        self._vintage = match.vintage
        self._layout = match.layout
        self._odd_blanks = sniffed.odd_blanks or (sniffed.quoted and not by_line)
        self._numbers: dict[str, str] = {}
        self._tests: dict[str, str] = {}
        stray = None if sniffed.damaged else sniffed.stray
        self._smooth = None if stray is None or (stray and not by_line) else "true" if not stray else _SMOOTH
        self._stray = [bucket in (stray or ()) for bucket in range(sniffed.lines // STRIDE + 2)]

    def second_layer(self) -> str:
        """Columns computed from those of the first layer: tests that several fields share."""
        return "".join(f", {test} AS {name}" for test, name in self._tests.items())

    def first_layer(self) -> str:
        """Columns that the other expressions refer to: cells as whole numbers, and whether the row has no stray letter."""
        columns = [f", TRY_CAST({raw} AS BIGINT) AS {name}" for raw, name in self._numbers.items()]
        if self._smooth == _SMOOTH:
            # A record's line is its number and one.
            flags = ", ".join("false" if stray else "true" for stray in self._stray)
            columns.append(f", ([{flags}]::BOOLEAN[])[((record + 1) >> {STRIDE.bit_length() - 1}) + 1] AS {_SMOOTH}")
        return "".join(columns)

    def open(self, field: Field, raws: list[str], meaning: str) -> tuple[dict[str, str], str, str | None]:
        """How ``field`` is computed.

        Returns:
            Columns to be computed first; SQL of the value; SQL that is true of plainly good cells, or None where the value must
            be asked.
        """
        cast = field.cast_name_in(self._layout)
        if cast == "date_parts" and not (field.null_tokens or field.null_pattern):
            return *self._date_of_parts(field, raws, meaning), None
        if field.codes is not None:
            return {}, meaning, None
        if len(raws) == 1 and cast in CLOSED:
            values = f"ENUM({text_list(CLOSED[cast])})"
            whole = Shortcut("|".join(CLOSED[cast]), f"TRY_CAST({{0}} AS {values})", "true")
            return *self._shortcut(field, raws[0], whole, f"TRY_CAST({meaning} AS {values})"), None
        if cast == "string" and (fixed := digits_of(field.constraints.pattern)) and not field.null_pattern:
            return self._digits(field, raws[0], fixed, meaning)
        if len(raws) == 1 and cast in SHORTCUTS:
            return *self._shortcut(field, raws[0], SHORTCUTS[cast], meaning), None
        return {}, self._as_it_stands(field, raws, meaning), None

    def _number(self, raw: str) -> str:
        return self._numbers.setdefault(raw, f'"number {len(self._numbers)}"')

    def _plain(self, raw: str, shortcut: Shortcut) -> str:
        """The column that says whether a text passes a test that costs next to nothing; fields share it."""
        number = self._number(raw)
        test = shortcut.test_sql(raw, raw, number)
        if self._smooth is not None:
            test = f"CASE WHEN {self._smooth} THEN {shortcut.smooth_sql(raw, raw, number)} ELSE {test} END"
        return self._tests.setdefault(test, f'"plain {len(self._tests)}"')

    def _digits(self, field: Field, raw: str, shortcut: Shortcut, meaning: str) -> tuple[dict[str, str], str, str]:
        plain = " AND ".join([self._plain(raw, shortcut), *self._no_token(field, raw, shortcut)])
        return {}, f"CASE WHEN {plain} THEN {raw} WHEN {raw} IS NULL THEN NULL ELSE {meaning} END", plain

    def _shortcut(self, field: Field, raw: str, shortcut: Shortcut, meaning: str) -> tuple[dict[str, str], str]:
        number = self._number(raw) if "{number}" in f"{shortcut.value} {shortcut.smooth}" else ""
        fast = f'"fast {field.name}"'
        zero_only = field.null_pattern is None or (field.type in _NUMBERS and matches_zero_only(field.null_pattern))
        tests = [self._plain(raw, shortcut) if shortcut.whole else shortcut.test_sql(raw, fast, number)]
        smooth = shortcut.smooth_sql(raw, fast, number)
        if smooth is not None and self._smooth is not None and zero_only and not shortcut.whole:
            tests.insert(0, f"{self._smooth} AND {smooth}")  # two branches cost less than OR
        others = [f"{fast} IS NOT NULL", *self._no_token(field, raw, shortcut, fast)]
        if field.null_pattern is not None:
            unknown = f"regexp_full_match({raw}, {literal(field.null_pattern)})"
            others.append(f"{fast} <> 0" if zero_only else f"NOT {unknown}")
        usual = " ".join(f"WHEN {' AND '.join([test, *others])} THEN {fast}" for test in tests)
        value = f"CASE {usual} WHEN {raw} IS NULL THEN NULL ELSE {meaning} END"
        return {fast: shortcut.value_sql(raw, number)}, value

    def _no_token(self, field: Field, raw: str, shortcut: Shortcut, value: str | None = None) -> list[str]:
        """Conditions that keep null tokens from ``shortcut``: of numbers by their value, whatever stands around them."""
        read = [token for token in (*self._tokens, *field.null_tokens) if shortcut.may_read(token)]
        if not read:
            return []
        if value is not None and field.type in _NUMBERS:
            numbers = dict.fromkeys(token.replace(",", ".") for token in read)
            return [f"{value} <> {number}" for number in numbers]
        return [f"{raw} NOT IN ({text_list(read)})"]

    def _as_it_stands(self, field: Field, raws: Sequence[str], meaning: str) -> str:
        """Cells without blanks at their ends that are no null token are their own trimmed texts."""
        tokens = [token for token in (*self._tokens, *field.null_tokens) if token]
        conditions = []
        for raw in raws:
            # The first character is between ! and ~; so most are, and it costs two comparisons.
            conditions += [f"{raw} >= '!'", f"{raw} < chr(127)", f"NOT suffix({raw}, ' ')"]
            if self._odd_blanks:
                conditions[-1] = f"{raw}[-1] NOT IN (' ', chr(9), chr(10), chr(13), chr(160), chr(8239))"
            if tokens:
                conditions.append(f"{raw} NOT IN ({text_list(tokens)})")
            if field.null_pattern is not None:
                conditions.append(f"NOT regexp_full_match({raw}, {literal(field.null_pattern)})")
        value = field.cast_in(self._layout)(list(raws))
        return f"CASE WHEN {' AND '.join(conditions)} THEN {value} ELSE {meaning} END"

    def _date_of_parts(self, field: Field, raws: Sequence[str], meaning: str) -> tuple[dict[str, str], str]:
        year, month, day = (f'"{unit} of {field.name}"' for unit in ("year", "month", "day"))
        number = f"TRY_CAST({raws[0]} AS BIGINT)"
        tokens = [token for token in self._tokens if re.fullmatch(r"\s*\d+\s*", token)]
        whole = f"{number} BETWEEN 1000 AND 9999 AND {number}::VARCHAR = {raws[0]}"
        first = (
            f"WHEN {raws[0]} = '{self._vintage}' THEN {self._vintage}::BIGINT "
            if self._vintage is not None and len(str(self._vintage)) == _YEAR_DIGITS
            else ""
        )
        hoisted = {
            year: f"CASE {first}WHEN {whole} THEN {number} END",
            month: SHORT_NUMBER.format(raws[1]),
            day: SHORT_NUMBER.format(raws[2]),
        }
        exists = (
            f"({day} <= 28 OR ({month} <> 2 AND {day} <= 30) OR ({month} IN (1, 3, 5, 7, 8, 10, 12) AND {day} <= 31))"
        )
        known = [f"{year} IS NOT NULL", f"{month} BETWEEN 1 AND 12", f"{day} >= 1", exists]
        known += [f"{part} <> {int(token)}" for part in (year, month, day) for token in tokens]
        return hoisted, f"CASE WHEN {' AND '.join(known)} THEN make_date({year}, {month}, {day}) ELSE {meaning} END"


def value_and_empty(field: Field, raws: Sequence[str]) -> str:
    """SQL that is true where the field has no value because a cell is NULL."""
    return f"{value_name(field)} IS NULL AND ({' OR '.join(f'{raw} IS NULL' for raw in raws)})"


def lookup(raw: str, known: Mapping[str, int]) -> str:
    """The number of a text in ``known``; NULL for another text. A single character is found by its code alone."""
    short = {ord(text): at for text, at in known.items() if len(text) == 1 and text.isascii()}
    long = {text: at for text, at in known.items() if not (len(text) == 1 and text.isascii())}
    by_code = [short.get(code) for code in range(max(short) + 1)] if short else []
    first = f"WHEN strlen({raw}) = 1 THEN {_numbers(by_code)}[ord({raw}) + 1]" if short else ""
    other = (
        f"{_numbers(list(long.values()))}[enum_code(TRY_CAST({raw} AS ENUM({text_list(long)}))) + 1]"
        if long
        else "NULL"
    )
    return f"CASE {first} ELSE {other} END" if first else f"({other})::INTEGER"


def _numbers(values: Sequence[int | None]) -> str:
    return f"([{', '.join('NULL' if value is None else str(value) for value in values)}]::INTEGER[])"
