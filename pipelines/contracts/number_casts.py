r"""Casts to numbers, and to codes that are written as numbers.

Belongs here: SQL expressions as in ``casts``, which lists them under the names that contracts use.

``\u00a0`` (NBSP) and ``\u202f`` (narrow NBSP) are what French software puts between thousands.
"""

from __future__ import annotations

_SPACES = r"[\s\x{00a0}\x{202f}]"
#: Digits, or groups of three set apart by one space: `12 34` and a telephone number are no numbers.
_WHOLE = r"(\d+|\d{1,3}([ \x{00a0}\x{202f}]\d{3})+)"
#: A larger number of digits would be infinite.
_LONGEST = 300


def number(parts: list[str]) -> str:
    """With decimal point or comma, blanks between thousands or none."""
    return _checked_number(parts[0])


def integer(parts: list[str]) -> str:
    """A whole number, also as `50.0`: what a spreadsheet or pandas gives back where blanks are among its neighbours."""
    # Three zeros are refused: `1,000` is one to a Frenchman and a thousand to the spreadsheet of another.
    plain = _number_text(parts[0])
    return (
        rf"CASE WHEN regexp_full_match({parts[0]}, '[+-]?{_WHOLE}([.,](0{{0,2}}|0{{4,}}))?') "
        rf"THEN TRY_CAST(regexp_replace({plain}, '\.0*$', '') AS BIGINT) END"
    )


def decimal(parts: list[str]) -> str:
    """Money, exact: at most two decimals, so that nothing is rounded."""
    exact = rf"regexp_full_match({parts[0]}, '[+-]?({_WHOLE}([.,]\d{{0,2}}0*)?|[.,]\d{{1,2}}0*)')"
    return f"CASE WHEN {exact} THEN TRY_CAST({_number_text(parts[0])} AS DECIMAL(18, 2)) END"


def code(parts: list[str]) -> str:
    """Numbers that are codes are compared without leading zeros and trailing `.0`: 2018 writes `01`, 2019 writes `1`."""
    return rf"regexp_replace({parts[0]}, '^(-?)0*(\d+?)(\.0+)?$', '\1\2')"


def digits(parts: list[str]) -> str:
    """The digits of an identifier, without the blanks that a spreadsheet puts between thousands."""
    bare = f"regexp_replace({parts[0]}, '{_SPACES}', '', 'g')"
    return rf"CASE WHEN regexp_full_match({bare}, '\d+') THEN {bare} END"


def degrees(parts: list[str]) -> str:
    """A longitude or latitude."""
    return _checked_number(parts[0])


def degrees_scaled(parts: list[str]) -> str:
    """Degrees times 100,000 as a whole number, up to 2018; a true decimal fraction within ±180 is taken as degrees."""
    value = _checked_number(parts[0])
    return f"CASE WHEN abs({value}) <= 180 AND {value} <> floor({value}) THEN {value} ELSE {value} / 100000 END"


def first_of_pair(parts: list[str]) -> str:
    """Of `48.85, 2.35` or `[2.35,48.85]`: the first number."""
    return _pair(parts[0], 1)


def second_of_pair(parts: list[str]) -> str:
    """The second."""
    return _pair(parts[0], 2)


def is_fewer_than(parts: list[str]) -> str:
    """Whether `Moins de 5` stands where a number is due: a count too small to be published."""
    few = f"regexp_full_match(lower({parts[0]}), 'moins de \\d+')"
    return f"CASE WHEN {few} THEN true WHEN {integer(parts)} IS NOT NULL THEN false END"


def _pair(text: str, place: int) -> str:
    """One of the two numbers of `48.85, 2.35` or `[2.35, 48.85]`."""
    number = r"[+-]?\d+(\.\d+)?"
    shape = rf"\[?\s*({number})\s*,\s*({number})\s*\]?"
    value = f"TRY_CAST(regexp_extract({text}, '{shape}', {2 * place - 1}) AS DOUBLE)"
    return f"CASE WHEN regexp_full_match({text}, '{shape}') THEN {value} END"


def _checked_number(text: str) -> str:
    shape = rf"[+-]?({_WHOLE}([.,]\d*)?|[.,]\d+)"
    sound = f"regexp_full_match({text}, '{shape}') AND length({text}) <= {_LONGEST}"
    return f"CASE WHEN {sound} THEN TRY_CAST({_number_text(text)} AS DOUBLE) END"


def _number_text(text: str) -> str:
    """French or plain notation to plain: thousands' spaces out, decimal comma to point."""
    return rf"replace(regexp_replace({text}, '{_SPACES}', '', 'g'), ',', '.')"
