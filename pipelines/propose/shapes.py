"""What a single text may be: the tests that candidates for a column's type are put to, without a database."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Texts by which publishers say that there is nothing; counted as such only in columns that are otherwise no text.
NULL_TOKENS = frozenset(
    {
        "-", "--", "---", ".", "..", "?",
        "NA", "N/A", "n/a", "n.a.", "#N/A", "NC", "N/C", "nc", "n.c.", "ND", "N/D", "nd", "n.d.", "NR", "nr", "NSP", "s", "ns",
        "null", "NULL", "Null", "None", "nan", "NaN", "NaT", "vide", "Vide", "#ERREUR", "#VALEUR!", "#REF!", "#DIV/0!",
        "inconnu", "Inconnu", "INCONNU", "Non renseigné", "non renseigné", "NON RENSEIGNE", "Non communiqué", "Non concerné",
        "non concerné", "Non disponible", "non disponible", "sans objet", "Sans objet",
    }
)  # fmt: skip

_SPACES = re.compile("[\\s\u00a0\u202f]")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)")
_INTEGER = re.compile(r"[+-]?\d+")
_GROUPED = re.compile("[+-]?\\d{1,3}([ \u00a0\u202f]\\d{3})+([.,]\\d+)?")
_EXPONENT = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
_SLASHED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
_PAIR = re.compile(r"\[?\s*([+-]?\d+\.\d+)\s*,\s*([+-]?\d+\.\d+)\s*\]?")
_EXACT = 2**53
_DIGITS = 17
_WORDS = {"true", "false", "vrai", "faux", "oui", "non"}


def is_integer(text: str) -> bool:
    """A whole number, with spaces between thousands or without."""
    return _INTEGER.fullmatch(text) is not None or (is_number(text) and _INTEGER.fullmatch(_bare(text)) is not None)


def is_number(text: str) -> bool:
    """A number with decimal point or comma; spaces only between thousands."""
    return _NUMBER.fullmatch(text) is not None or _GROUPED.fullmatch(text) is not None


def is_exponent(text: str) -> bool:
    """`2.02E+11`: what a spreadsheet leaves of a long number."""
    return _EXPONENT.fullmatch(text) is not None


def is_cut(text: str) -> bool:
    """The same in the form that spreadsheets write: a capital E, a sign, two digits."""
    return re.fullmatch(r"\d([.,]\d{1,5})?E\+\d\d", text) is not None


def is_money(text: str) -> bool:
    """A number with at most two decimals."""
    return is_number(text) and re.fullmatch(r"[+-]?\d*([.,]\d{0,2})?", _bare(text)) is not None


def is_in_thousands(text: str) -> bool:
    """`1.234`, `12,500`: thousands, or a number with three decimals."""
    return re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", text) is not None


def is_below_thousand(text: str) -> bool:
    """A whole number that needs no separator, whichever notation the others are in."""
    return re.fullmatch(r"[+-]?\d{1,3}", text) is not None


def is_too_long(text: str) -> bool:
    """A number of which 64 bits would change the whole part: from 2**53 on a float skips some."""
    bare = _bare(text)
    return is_number(text) and abs(whole := int(Decimal(bare))) > _EXACT and int(float(bare)) != whole


def has_lost_decimals(text: str) -> bool:
    """A number with more digits than a float of 64 bits gives back."""
    return is_number(text) and len(re.sub(r"\D", "", _bare(text)).lstrip("0")) > _DIGITS


def is_boolean(text: str) -> bool:
    """A word for yes or no, in French or English, or a digit for it."""
    return text.lower() in _WORDS or text in ("0", "1")


def is_word_boolean(text: str) -> bool:
    """The same without digits."""
    return text.lower() in _WORDS


def has_leading_zero(text: str) -> bool:
    """Digits that a number would lose: `01`, not `0` and not `0,5`."""
    return re.fullmatch(r"0\d+", text) is not None


def is_iso_date(text: str) -> bool:
    """`2024-05-01`."""
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None and _is_date(text)


def has_two_digits_each(text: str) -> bool:
    """`01/05/2024`, not `1/5/2024`."""
    return re.fullmatch(r"\d\d.\d\d.\d{4}", text) is not None


def is_day_first(text: str) -> bool:
    """`01/05/2024`, `1-5-2024`."""
    found = _SLASHED.fullmatch(text)
    return found is not None and _is_date(f"{found[4]}-{found[3]:0>2}-{found[1]:0>2}")


def is_month_first(text: str) -> bool:
    """`05/13/2024`."""
    found = _SLASHED.fullmatch(text)
    return found is not None and _is_date(f"{found[4]}-{found[1]:0>2}-{found[3]:0>2}")


def is_compact_date(text: str) -> bool:
    """`20240501`, of this century or the last."""
    found = re.fullmatch(r"((?:19|20)\d\d)(\d\d)(\d\d)", text)
    return found is not None and _is_date("-".join(found.groups()))


def is_moment(text: str) -> bool:
    """ISO 8601 with date, time and offset."""
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)", text)
    return found is not None and _is_date(found[1])


def is_wall_clock(text: str) -> bool:
    """Date and time without offset, ISO 8601."""
    found = re.fullmatch(r"(\d{4}-\d{2}-\d{2})[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?", text)
    return found is not None and _is_date(found[1])


def is_clock(text: str) -> bool:
    """`12:25`."""
    return re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text) is not None


def is_pair(text: str) -> bool:
    """`48.85, 2.35` or `[2.35, 48.85]`."""
    return pair_of(text) is not None


def pair_of(text: str) -> tuple[float, float] | None:
    """The two numbers of a pair of coordinates."""
    found = _PAIR.fullmatch(text)
    return (float(found[1]), float(found[2])) if found else None


def is_within(limit: float) -> Callable[[str], bool]:
    """Whether a number lies in ±``limit``."""

    def test(text: str) -> bool:
        return is_number(text) and abs(float(_bare(text))) <= limit

    return test


def as_integer(text: str) -> int:
    """The value of what ``is_integer``."""
    return int(_bare(text))


def as_number(text: str) -> float:
    """The value of what ``is_number``."""
    return float(_bare(text))


def _bare(text: str) -> str:
    return _SPACES.sub("", text).replace(",", ".")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
