r"""Cheap ways to read the texts that most cells hold, beside the casts, which read every text that is allowed.

A shortcut never decides what a cell means. It is used for a cell as published, untrimmed, only where the cell passes its
test, and there it must give just what the cast of the same name gives; every other cell goes to the cast. A test proves
this for random texts (tests/unit/contracts/test_shortcuts.py). Costs in comments are nanoseconds a cell on one core.

Belongs here: knowledge of a cast's usual notation. Does not: how a statement is put together (conform.clean).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pipelines.contracts.casts import CASTS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Shortcut:
    """A usual notation of one cell, or of the few cells that give a value together.

    Attributes:
        shape: expression in the dialect that RE2 and Python share, or the texts themselves; others are never read by ``test``.
            Of several cells: what any of them may hold.
        value: SQL of the value, ``{0}`` being the text (``{1}`` the next cell's), ``{number}`` what the first is as a whole
            number and ``{real}`` as one with a point or a comma; NULL or any value for texts that fail the test.
        test: SQL that is true only of texts for which ``value`` is right, ``{value}`` being the value; the shape itself when
            None.
        smooth: the same and cheaper, but right only of texts without a stray letter (``survey.STRAY``). Of text it reads
            nothing beyond ``shape``; of numbers it may, with blanks around them.
        whole: the tests look at the text and ``{number}`` alone, cost next to nothing, and where they hold there is a value.
    """

    shape: str | frozenset[str]
    value: str
    test: str | None = None
    smooth: str | None = None
    whole: bool = False

    def test_sql(self, texts: Sequence[str], value: str, number: str | None = None) -> str:
        """SQL that says whether the shortcut may read ``texts``, one a cell."""
        if self.test is None:
            return f"regexp_full_match({texts[0]}, '{self.shape}')"  # 40
        return self.test.format(*texts, value=value, number=number or number_sql(texts[0]))

    def smooth_sql(self, texts: Sequence[str], value: str, number: str | None = None) -> str | None:
        """SQL that says the same of texts without a stray letter."""
        return self.smooth and self.smooth.format(*texts, value=value, number=number or number_sql(texts[0]))

    def value_sql(self, texts: Sequence[str], number: str | None = None, real: str | None = None) -> str:
        """SQL of the value of ``texts``."""
        return self.value.format(*texts, number=number or number_sql(texts[0]), real=real or real_sql(texts[0]))

    def may_read(self, text: str) -> bool:
        """Whether the shortcut would read ``text`` if nothing forbade it: then a null token must be kept from it."""
        if isinstance(self.shape, frozenset):
            return text in self.shape
        return re.fullmatch(self.shape, text, re.ASCII) is not None


def number_sql(text: str) -> str:
    """SQL of ``text`` as a whole number."""
    return f"TRY_CAST({text} AS BIGINT)"  # 22


def real_sql(text: str) -> str:
    """SQL of ``text`` as a number with a point or a comma."""
    return f"TRY_CAST({_POINT.format(text)} AS DOUBLE)"


def digits(count: int) -> Shortcut:
    """Texts of ``count`` digits that do not begin with zero, as they stand.

    A text of ``count`` characters that is a number of ``count`` digits has no room for anything else, but for `9e000011` and
    `0xE8D4A51000`.
    """
    whole = f"{{number}} BETWEEN {10 ** (count - 1)} AND {10**count - 1}"
    return Shortcut(
        rf"\d{{{count}}}",
        "{0}",
        f"{whole} AND {{number}}::VARCHAR = {{0}}",  # 30
        f"{whole} AND strlen({{0}}) = {count} AND {{0}} >= '1'",  # 3
        whole=True,
    )


def digits_of(pattern: str | None) -> Shortcut | None:
    """The shortcut for texts that must match ``pattern``, where it asks for a number of digits and nothing else."""
    found = re.fullmatch(r"\\d\{(\d+)\}", pattern or "")
    return digits(int(found[1])) if found and int(found[1]) <= _LONGEST_WHOLE else None


_LONGEST_WHOLE = 18
_POINT = "replace({0}, ',', '.')"  # 40
_REAL = r"[+-]?(\d{1,40}([.,]\d{0,40})?|[.,]\d{1,40})"  # more digits before the point may be infinite
_SMOOTH_REAL = "strlen({0}) <= 40 AND isfinite({value})"
_REALS = (Shortcut(_REAL, "{real}", smooth=_SMOOTH_REAL),)
_TWELVE, _FIVE, _FOUR = digits(12), digits(5), replace(digits(4), value="'0' || {0}")
_ISO = "{value}::VARCHAR = {0} AND strlen({0}) = 10 AND {0} >= '1'"  # 25


def _padded(place: int, width: int) -> str:
    """SQL of the text at ``place`` with zeros before it, NULL where it is longer than ``width`` (20; ``lpad`` 40)."""
    text = f"{{{place}}}"
    known = (f"WHEN {size} THEN '{'0' * (width - size)}' || {text}" for size in range(width - 1, 0, -1))
    return f"CASE strlen({text}) WHEN {width} THEN {text} {' '.join(known)} END"


#: By the name of the cast, in the order in which they are tried. A whole number that is written back as it stood was read as
#: it was meant (16), which a look at each character by an expression says less cheaply (40). What is read as a number, begins
#: with a digit and is no `0x1F` may in smooth text hold, beyond digits, a point alone (10).
SHORTCUTS: dict[str, tuple[Shortcut, ...]] = {
    "integer": (
        Shortcut(
            r"-?\d+",
            "{number}",
            "{value}::VARCHAR = {0}",
            "{0} >= '0' AND {0} < ':' AND ({0} >= '1' OR {0} < '0:') AND NOT contains({0}, '.')",
        ),
        Shortcut(r"\d+", "{number}"),
    ),
    "number": _REALS,
    "degrees": _REALS,
    # A comma in the last place but two, and one only, or the cast would fail; or at most two places after a point.
    "decimal": (
        Shortcut(
            r"[+-]?(\d+([.,]\d{0,2})?|[.,]\d{1,2})",
            f"TRY_CAST({_POINT} AS DECIMAL(18, 2))",
            smooth="({0} LIKE '%,__' OR (NOT contains({0}, ',') AND {0} NOT LIKE '%.___%'))",
        ),
    ),
    "digits": (Shortcut(r"\d+", "{0}"),),
    "commune": (_FIVE, Shortcut(r"\d{5}|2[AB]\d{3}", "{0}"), _FOUR),
    "postcode": (_FIVE, _FOUR, Shortcut(r"\d{5}", "{0}")),
    "date": (Shortcut(r"[1-9]\d{3}-\d{2}-\d{2}", "TRY_CAST({0} AS DATE)", _ISO),),
    "leading_year": (replace(_TWELVE, value="{number} // 100000000"),),
    # The expression looks at all cells at once. Where one is too long there is no value (`concat` would leave it out); so the
    # length of the whole tells that of the prefix.
    "commune_of_numbers": (
        Shortcut(
            r"\d{1,3}|2[AB]",
            f"{{0}} || {_padded(1, 3)}",
            r"strlen({0}) = 2 AND regexp_full_match({value}, '(\d\d|2[AB])\d\d\d')",
        ),
    ),
    "parcel_of_parts": (
        Shortcut(
            r"\d{1,4}|[0-9A-Z]{1,2}",
            f"{{0}} || {_padded(1, 3)} || coalesce({{2}}, '000') || {_padded(3, 2)} || {_padded(4, 4)}",
            r"strlen({0}) = 2 AND regexp_full_match({value}, '([013-9]\d|2[AB1-9])\d{{6}}[0-9A-Z]{{2}}\d{{4}}')",
        ),
    ),
}
#: Casts that read every text: a cell of theirs is never at fault.
UNFAILING = frozenset({"string", "joined"})
#: How days are written that the cast of this name reads: of a year that is known they are few enough for a dictionary.
DAYS = {
    "date": "%Y-%m-%d",
    "year_of_date": "%Y-%m-%d",
    "date_day_first": "%d/%m/%Y",
    "year_of_date_day_first": "%d/%m/%Y",
}

_DEPARTMENTS = (
    *(f"{number:02}" for number in (*range(1, 20), *range(21, 96))),
    "2A",
    "2B",
    *(str(number) for number in (*range(971, 979), *range(984, 990))),
)
_CLOCK = tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60))
#: Casts that can give only these values (and null), each of which is its own usual text: written as dictionaries.
CLOSED: dict[str, tuple[str, ...]] = {"clock": _CLOCK, "time": _CLOCK, "department": _DEPARTMENTS}

#: Number of a day or a month, of one or two characters: whatever DuckDB takes for a number in two characters that begin with
#: a digit, the casts take for the same number (19; a dictionary of them 28).
SHORT_NUMBER = "CASE WHEN {0} >= '0' AND strlen({0}) <= 2 THEN TRY_CAST({0} AS UTINYINT) END"


def days_of(year: int, notation: str) -> list[str]:
    """The days of ``year`` as ``notation`` (``strftime``'s) has them."""
    first = date(year, 1, 1)
    return [f"{first + timedelta(days=number):{notation}}" for number in range((date(year, 12, 31) - first).days + 1)]


def code_spellings(code: str) -> tuple[str, ...]:
    """How publishers write a code: `1`, `01`, `1.0`."""
    return (code, f"0{code}", f"{code}.0") if code.isdigit() else (code,)


def matches_zero_only(pattern: str) -> bool:
    """Whether texts that match ``pattern`` and are numbers can only be zero, judged by its characters alone."""
    plain = re.sub(r"\[[-+.,0]*\]|\\[-+.]", "0", pattern)
    return re.fullmatch(r"[-+,0*?()|]*", plain) is not None


if unknown := ({*SHORTCUTS, *CLOSED, *DAYS, *UNFAILING} - set(CASTS)):
    raise LookupError(f"shortcuts of casts that do not exist: {', '.join(sorted(unknown))}")
