"""SQL that reads the cells that are in their usual notation, and leaves the others to what ``query`` says of them.

Each gives a CASE whose last branch is the meaning, which costs most; where an earlier branch holds for all rows at hand, DuckDB
computes that branch alone and copies nothing. A shortcut of one cell has NULL first, since many columns are mostly blank.

A cast that fails costs twenty times one that succeeds. Numbers and dates are cast without a test before all the same: in their
columns nearly every cell is one.

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
    DAYS,
    SHORT_NUMBER,
    SHORTCUTS,
    Shortcut,
    days_of,
    digits_of,
    matches_zero_only,
    number_sql,
    real_sql,
)
from pipelines.lake.duck import literal, text_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.conform.match import Match
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract, Field

_NUMBERS = {"integer", "number", "decimal"}
_SMOOTH = '"smooth"'
_YEAR_DIGITS = 4
_FEW = 8  # texts that are compared one after the other sooner than found in an enumeration


class Usual:
    """The usual notations in one file.

    Args:
        contract: whose null tokens.
        match: for the file's year.
        sniffed: the file.
        in_blocks: the text is read in blocks (``blocks.Blocks``): record n is surely line n + 1, so that what the survey found on
            a line holds for the record.

    Attributes:
        given: columns of numbers that blocks come with: ``whole_c0``, ``real_c13``.
    """

    def __init__(self, contract: Contract, match: Match, sniffed: Sniffed, *, in_blocks: bool) -> None:
        self.given: frozenset[str] = frozenset()
        self._tokens = contract.null_tokens
        self._vintage = match.vintage
        self._layout = match.layout
        self._odd_blanks = sniffed.odd_blanks or (sniffed.quoted and not in_blocks)
        self._numbers: dict[str, str] = {}
        self._reals: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._tests: dict[str, str] = {}
        stray = None if sniffed.damaged else sniffed.stray
        self._smooth = None if stray is None or (stray and not in_blocks) else "true" if not stray else _SMOOTH
        self._stray = [bucket in (stray or ()) for bucket in range(sniffed.lines // STRIDE + 2)]

    def second_layer(self) -> str:
        """Columns computed from those of the first layer: tests that several fields share."""
        return "".join(f", {test} AS {name}" for test, name in self._tests.items())

    def first_layer(self) -> str:
        """Columns that the other expressions refer to: cells as whole numbers, and whether the row has no stray letter."""
        columns = [f", {self._cast(raw, 'whole', number_sql)} AS {name}" for raw, name in self._numbers.items()]
        columns += [f", {self._cast(raw, 'real', real_sql)} AS {name}" for raw, name in self._reals.items()]
        columns += [f", {place} AS {name}" for place, name in self._places.items()]
        if self._smooth == _SMOOTH:
            # A record's line is its number and one.
            flags = "".join("0" if stray else "1" for stray in self._stray)
            step = STRIDE.bit_length() - 1
            columns.append(f", get_bit('{flags}'::BIT, ((record + 1) >> {step})::INTEGER) = 1 AS {_SMOOTH}")
        return "".join(columns)

    def _cast(self, raw: str, kind: str, cast: Callable[[str], str]) -> str:
        """``raw`` as a number; from a block it may come as one."""
        given = f"{kind}_{raw}"
        return f"CASE WHEN {given} IS NOT NULL THEN {given} ELSE {cast(raw)} END" if given in self.given else cast(raw)

    @property
    def reals(self) -> list[str]:
        """Cells that are looked at as numbers with a point or a comma."""
        return list(self._reals)

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
            itself = Shortcut(frozenset(CLOSED[cast]), f"TRY_CAST({{0}} AS {values})", "true")
            return *self._shortcuts(field, raws, (itself,), f"TRY_CAST({meaning} AS {values})"), None
        if cast == "string" and (fixed := digits_of(field.constraints.pattern)) and not field.null_pattern:
            return self._digits(field, raws[0], fixed, meaning)
        if cast in SHORTCUTS:
            return *self._shortcuts(field, raws, SHORTCUTS[cast], meaning), None
        return {}, self._as_it_stands(field, raws, meaning), None

    def days(self, field: Field) -> list[str]:
        """Texts that ``field`` holds in nearly all rows: the days of the year that the file's name states."""
        cast = field.cast_name_in(self._layout)
        if self._vintage is None or len(str(self._vintage)) != _YEAR_DIGITS or cast not in DAYS:
            return []
        return days_of(self._vintage, DAYS[cast])

    def looked_up(
        self, field: Field, raw: str, texts: Sequence[str], values: Sequence[str], of_type: str, meaning: str
    ) -> tuple[dict[str, str], str, str]:
        """The same as ``open`` where ``values`` are SQL of the good values, or NULL, of ``texts``."""
        code = f"enum_code(TRY_CAST({raw} AS ENUM({text_list(texts)}))) + 1"  # 40 for 365 texts
        place = self._places.setdefault(code, f'"place {len(self._places)}"')
        found = f'"usual {field.name}"'
        listed = f"([{', '.join(values)}]::{of_type}[])[{place}]"
        if len(set(values)) == 1:
            listed = f"CASE WHEN {place} IS NOT NULL THEN {values[0]}::{of_type} END"
        otherwise = self._as_it_stands(field, [raw], meaning)
        value = f"CASE WHEN {found} IS NOT NULL THEN {found} ELSE {otherwise} END"
        return {found: listed}, value, f"{found} IS NOT NULL"

    def _number(self, raw: str) -> str:
        return self._numbers.setdefault(raw, f'"number {len(self._numbers)}"')

    def _real(self, raw: str) -> str:
        return self._reals.setdefault(raw, f'"real {len(self._reals)}"')

    def _plain(self, raw: str, shortcut: Shortcut) -> str:
        """The column that says whether a text passes a test that costs next to nothing; fields share it."""
        number = self._number(raw)
        test = shortcut.test_sql([raw], raw, number)
        if self._smooth is not None:
            test = f"CASE WHEN {self._smooth} THEN {shortcut.smooth_sql([raw], raw, number)} ELSE {test} END"
        return self._tests.setdefault(test, f'"plain {len(self._tests)}"')

    def _digits(self, field: Field, raw: str, shortcut: Shortcut, meaning: str) -> tuple[dict[str, str], str, str]:
        plain = " AND ".join([self._plain(raw, shortcut), *self._no_token(field, [raw], shortcut)])
        return {}, f"CASE WHEN {plain} THEN {raw} WHEN {raw} IS NULL THEN NULL ELSE {meaning} END", plain

    def _shortcuts(
        self, field: Field, raws: Sequence[str], shortcuts: Sequence[Shortcut], meaning: str
    ) -> tuple[dict[str, str], str]:
        """The shortcuts one after the other; a value that its own test looks at is a column of the first layer."""
        hoisted: dict[str, str] = {}
        branches = [f"WHEN {raws[0]} IS NULL THEN NULL"] if len(raws) == 1 else []
        for shortcut in shortcuts:
            value = shortcut.value_sql(
                raws,
                self._number(raws[0]) if "{number}" in shortcut.value else None,
                self._real(raws[0]) if "{real}" in shortcut.value else None,
            )
            if not shortcut.whole:
                value = hoisted.setdefault(value, f'"fast {field.name} {len(hoisted)}"')
            tests = self._tests_of(field, raws, shortcut, value)
            branches += [f"WHEN {test} THEN {value}" for test in tests]
        if len(raws) > 1:
            meaning = self._as_it_stands(field, raws, meaning)
        columns = {name: value for value, name in hoisted.items()}
        return columns, f"CASE {' '.join(branches)} ELSE {meaning} END"

    def _tests_of(self, field: Field, raws: Sequence[str], shortcut: Shortcut, value: str) -> list[str]:
        """Conditions, each of which lets ``shortcut`` read ``raws``; two branches cost less than OR."""
        number = self._number(raws[0]) if "{number}" in f"{shortcut.test} {shortcut.smooth}" else None
        zero_only = field.null_pattern is None or (field.type in _NUMBERS and matches_zero_only(field.null_pattern))
        tests = [self._plain(raws[0], shortcut) if shortcut.whole else shortcut.test_sql(raws, value, number)]
        smooth = shortcut.smooth_sql(raws, value, number)
        if smooth is not None and self._smooth is not None and zero_only and not shortcut.whole:
            tests.insert(0, f"{self._smooth} AND {smooth}")
        others = [] if shortcut.whole else [f"{value} IS NOT NULL"]
        others += self._no_token(field, raws, shortcut, value)
        if field.null_pattern is not None:
            pattern = literal(field.null_pattern)
            unknown = [f"coalesce(NOT regexp_full_match({raw}, {pattern}), true)" for raw in raws]
            others += [f"{value} <> 0"] if zero_only else unknown
        return [" AND ".join([test, *others]) for test in tests]

    def _no_token(self, field: Field, raws: Sequence[str], shortcut: Shortcut, value: str | None = None) -> list[str]:
        """Conditions that keep null tokens from ``shortcut``: of numbers by their value, whatever stands around them."""
        read = [token for token in (*self._tokens, *field.null_tokens) if shortcut.may_read(token)]
        if not read:
            return []
        if value is not None and field.type in _NUMBERS:
            numbers = dict.fromkeys(token.replace(",", ".") for token in read)
            return [f"{value} <> {number}" for number in numbers]
        return [f"coalesce({raw} NOT IN ({text_list(read)}), true)" for raw in raws]

    def _as_it_stands(self, field: Field, raws: Sequence[str], meaning: str) -> str:
        """Cells that are NULL, or without blanks at their ends and no null token, are their own trimmed texts."""
        tokens = [token for token in (*self._tokens, *field.null_tokens) if token]
        plain = {}
        for raw in raws:
            # The first character is between ! and ~; so most are, and it costs two comparisons.
            conditions = [f"{raw} >= '!'", f"{raw} < chr(127)", f"NOT suffix({raw}, ' ')"]
            if self._odd_blanks:
                conditions[-1] = f"{raw}[-1] NOT IN (' ', chr(9), chr(10), chr(13), chr(160), chr(8239))"
            if tokens:
                conditions.append(f"{raw} NOT IN ({text_list(tokens)})")
            if field.null_pattern is not None:
                conditions.append(f"NOT regexp_full_match({raw}, {literal(field.null_pattern)})")
            plain[raw] = " AND ".join(conditions)
        value = field.cast_in(self._layout)(list(raws))
        if len(raws) == 1:
            return f"CASE WHEN {raws[0]} IS NULL THEN {value} WHEN {plain[raws[0]]} THEN {value} ELSE {meaning} END"
        known = " AND ".join(f"coalesce({conditions}, true)" for raw, conditions in plain.items())
        return f"CASE WHEN {known} THEN {value} ELSE {meaning} END"

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


def filled_or_empty(field: Field, raws: Sequence[str]) -> str:
    """SQL that is true where the field has a value, or has none because a cell is NULL.

    Truth values are compared: where some cells are blank, this costs half as much as OR.
    """
    return f"({value_name(field)} IS NULL) <= ({' OR '.join(f'{raw} IS NULL' for raw in raws)})"


def lookup(raw: str, known: Mapping[str, int]) -> str:
    """The number of a text in ``known``; NULL for another text. A single character is found by its code alone."""
    short = {ord(text): at for text, at in known.items() if len(text) == 1 and text.isascii()}
    long = {text: at for text, at in known.items() if not (len(text) == 1 and text.isascii())}
    by_code = [short.get(code) for code in range(max(short) + 1)] if short else []
    first = f"WHEN strlen({raw}) = 1 THEN {_numbers(by_code)}[ord({raw}) + 1]" if short else ""
    if not short and len(long) <= _FEW:
        return f"CASE {' '.join(f'WHEN {raw} = {literal(text)} THEN {at}' for text, at in long.items())} END"
    other = (
        f"{_numbers(list(long.values()))}[enum_code(TRY_CAST({raw} AS ENUM({text_list(long)}))) + 1]"
        if long
        else "NULL"
    )
    return f"CASE {first} ELSE {other} END" if first else f"({other})::INTEGER"


def _numbers(values: Sequence[int | None]) -> str:
    return f"([{', '.join('NULL' if value is None else str(value) for value in values)}]::INTEGER[])"
