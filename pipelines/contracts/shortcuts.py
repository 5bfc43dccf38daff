r"""Cheap ways to read the texts that most cells hold, beside the casts, which read every text that is allowed.

A shortcut never decides what a cell means. It is used for a cell as published, untrimmed, only where the cell passes its
test, and there it must give just what the cast of the same name gives; every other cell goes to the cast. A test proves
this for random texts (tests/unit/contracts/test_shortcuts.py). Costs in comments are nanoseconds a cell on one core.

Belongs here: knowledge of a cast's usual notation. Does not: how a statement is put together (conform.clean).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from pipelines.contracts.casts import CASTS


@dataclass(frozen=True)
class Shortcut:
    """A usual notation of one cell.

    Attributes:
        shape: expression in the dialect that RE2 and Python share; texts outside it are never read by ``test``.
        value: SQL of the value, ``{0}`` being the text and ``{number}`` what it is as a whole number; NULL or any value for
            texts that fail the test.
        test: SQL that is true only of texts for which ``value`` is right, ``{value}`` being the value; the shape itself when
            None.
        smooth: the same and cheaper, but right only of texts without a stray letter (``survey.STRAY``). Of text it reads
            nothing beyond ``shape``; of numbers it may, with blanks around them.
        whole: the tests look at the text and ``{number}`` alone and cost next to nothing.
    """

    shape: str
    value: str
    test: str | None = None
    smooth: str | None = None
    whole: bool = False

    def test_sql(self, text: str, value: str, number: str | None = None) -> str:
        """SQL that says whether the shortcut may read ``text``."""
        if self.test is None:
            return f"regexp_full_match({text}, '{self.shape}')"  # 60
        return self.test.format(text, value=value, number=number or _number(text))

    def smooth_sql(self, text: str, value: str, number: str | None = None) -> str | None:
        """SQL that says the same of a text without a stray letter."""
        return self.smooth and self.smooth.format(text, value=value, number=number or _number(text))

    def value_sql(self, text: str, number: str | None = None) -> str:
        """SQL of the value of ``text``."""
        return self.value.format(text, number=number or _number(text))

    def may_read(self, text: str) -> bool:
        """Whether the shortcut would read ``text`` if nothing forbade it: then a null token must be kept from it."""
        return re.fullmatch(self.shape, text, re.ASCII) is not None


def _number(text: str) -> str:
    return f"TRY_CAST({text} AS BIGINT)"  # 22


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
_TWELVE, _FIVE = digits(12), digits(5)
#: By the name of the cast. A whole number that is written back as it stood was read as it was meant (30), which a look at
#: each character by an expression says less cheaply (60).
SHORTCUTS: dict[str, Shortcut] = {
    "integer": Shortcut(r"-?\d+", "{number}", "{value}::VARCHAR = {0}"),
    "number": Shortcut(_REAL, f"TRY_CAST({_POINT} AS DOUBLE)", smooth=_SMOOTH_REAL),
    "degrees": Shortcut(_REAL, f"TRY_CAST({_POINT} AS DOUBLE)", smooth=_SMOOTH_REAL),
    "decimal": Shortcut(r"[+-]?(\d+([.,]\d{0,2})?|[.,]\d{1,2})", f"TRY_CAST({_POINT} AS DECIMAL(18, 2))"),
    "digits": Shortcut(r"\d+", "{0}"),
    "commune": Shortcut(r"\d{5}|2[AB]\d{3}", "{0}", smooth=_FIVE.smooth),
    "postcode": Shortcut(r"\d{5}", "{0}", smooth=_FIVE.smooth),
    "date": Shortcut(r"[1-9]\d{3}-\d{2}-\d{2}", "TRY_CAST({0} AS DATE)"),
    "leading_year": replace(_TWELVE, value="{number} // 100000000"),
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


def code_spellings(code: str) -> tuple[str, ...]:
    """How publishers write a code: `1`, `01`, `1.0`."""
    return (code, f"0{code}", f"{code}.0") if code.isdigit() else (code,)


def matches_zero_only(pattern: str) -> bool:
    """Whether texts that match ``pattern`` and are numbers can only be zero, judged by its characters alone."""
    plain = re.sub(r"\[[-+.,0]*\]|\\[-+.]", "0", pattern)
    return re.fullmatch(r"[-+,0*?()|]*", plain) is not None


if unknown := ({*SHORTCUTS, *CLOSED} - set(CASTS)):
    raise LookupError(f"shortcuts of casts that do not exist: {', '.join(sorted(unknown))}")
