r"""How a cell's text becomes a value: small named SQL expressions, chosen by the contract.

Each cast takes the trimmed texts of its source columns (NULL where the cell is blank or a null token) and gives an
expression of the field's type that is NULL where the text cannot be that. A cell that has text and no value rejects its
row, so a cast never guesses and never falls back.

The dialect is DuckDB's. ``\u00a0`` (NBSP) and ``\u202f`` (narrow NBSP) are what French software puts between
thousands.
"""

from __future__ import annotations

from collections.abc import Callable

Cast = Callable[[list[str]], str]

_SPACES = r"[\s\x{00a0}\x{202f}]"


def _string(parts: list[str]) -> str:
    return parts[0]


def _number_text(text: str) -> str:
    """French or plain notation to plain: thousands' spaces out, decimal comma to point."""
    return rf"replace(regexp_replace({text}, '{_SPACES}', '', 'g'), ',', '.')"


def _checked_number(text: str) -> str:
    plain = _number_text(text)
    return rf"CASE WHEN regexp_full_match({plain}, '[+-]?(\d+\.?\d*|\.\d+)') THEN TRY_CAST({plain} AS DOUBLE) END"


def _number(parts: list[str]) -> str:
    return _checked_number(parts[0])


def _integer(parts: list[str]) -> str:
    # `50.0` is how a spreadsheet or pandas gives back a whole number that had blanks for neighbours.
    plain = _number_text(parts[0])
    return (
        rf"CASE WHEN regexp_full_match({plain}, '[+-]?\d+(\.0*)?') "
        rf"THEN TRY_CAST(regexp_replace({plain}, '\.0*$', '') AS BIGINT) END"
    )


def _code(parts: list[str]) -> str:
    """Codes are compared without leading zeros and trailing `.0`: 2018 writes `01`, 2019 writes `1`."""
    return rf"regexp_replace(regexp_replace({parts[0]}, '\.0+$', ''), '^0+(.)', '\1')"


def _digits(parts: list[str]) -> str:
    bare = f"regexp_replace({parts[0]}, '{_SPACES}', '', 'g')"
    return rf"CASE WHEN regexp_full_match({bare}, '\d+') THEN {bare} END"


def _leading_year(parts: list[str]) -> str:
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{12}}') THEN TRY_CAST(left({parts[0]}, 4) AS BIGINT) END"


def _date_parts(parts: list[str]) -> str:
    """Year (two or four digits), month, day."""
    year, month, day = (_integer([part]) for part in parts)
    full = f"CASE WHEN {year} BETWEEN 0 AND 99 THEN 2000 + {year} WHEN {year} BETWEEN 1000 AND 9999 THEN {year} END"
    return f"TRY_CAST(printf('%04d-%02d-%02d', {full}, {month}, {day}) AS DATE)"


def _clock(parts: list[str]) -> str:
    """`12:25`, `1225`, `905` and `5` (five past midnight) as HH:MM; `24:00` does not exist."""
    bare = f"replace({parts[0]}, ':', '')"
    padded = f"lpad({bare}, 4, '0')"
    return (
        rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{1,2}}:\d{{2}}|\d{{1,4}}') "
        rf"AND regexp_full_match({padded}, '([01]\d|2[0-3])[0-5]\d') "
        f"THEN left({padded}, 2) || ':' || right({padded}, 2) END"
    )


_DEPARTMENT = r"(0[1-9]|[1-8]\d|9[0-5]|2A|2B|97[1-8]|98[4-9])"


def _department(parts: list[str]) -> str:
    text = f"CASE WHEN length({parts[0]}) = 1 THEN '0' || {parts[0]} ELSE upper({parts[0]}) END"
    return rf"CASE WHEN regexp_full_match({text}, '{_DEPARTMENT}') THEN {text} END"


def _department_tenfold(parts: list[str]) -> str:
    """Up to 2018 the department stands tenfold (590), Corsica as 201 and 202, overseas as it is (971)."""
    text = parts[0]
    number = _integer([text])
    plain = (
        f"CASE WHEN {number} = 201 THEN '2A' WHEN {number} = 202 THEN '2B' "
        f"WHEN {number} BETWEEN 971 AND 989 THEN {number}::VARCHAR "
        f"WHEN {number} % 10 = 0 THEN lpad(({number} // 10)::VARCHAR, 2, '0') END"
    )
    return rf"CASE WHEN regexp_full_match({plain}, '{_DEPARTMENT}') THEN {plain} END"


def _commune(parts: list[str]) -> str:
    """`1004` is 01004 without its zero."""
    text = f"upper({parts[0]})"
    padded = f"lpad({text}, 5, '0')"  # which also cuts what is longer
    return rf"CASE WHEN regexp_full_match({text}, '(\d{{1,5}}|2[AB]\d{{3}})') THEN {padded} END"


def _commune_in_department(parts: list[str]) -> str:
    """INSEE code from the tenfold department and the number within it; overseas numbers carry the third digit."""
    department = _department_tenfold([parts[0]])
    number = f"lpad({parts[1]}, 3, '0')"
    overseas = (
        f"CASE WHEN left({number}, 1) = right({department}, 1) THEN left({department}, 2) || {number} "
        f"ELSE {department} || right({number}, 2) END"
    )
    return (
        rf"CASE WHEN regexp_full_match({parts[1]}, '\d{{1,3}}') THEN "
        f"CASE WHEN length({department}) = 3 THEN {overseas} ELSE {department} || {number} END END"
    )


def _degrees(parts: list[str]) -> str:
    return _checked_number(parts[0])


def _degrees_scaled(parts: list[str]) -> str:
    """Degrees times 100,000 as a whole number, up to 2018; a true decimal fraction within ±180 is taken as degrees."""
    value = _checked_number(parts[0])
    return f"CASE WHEN abs({value}) <= 180 AND {value} <> floor({value}) THEN {value} ELSE {value} / 100000 END"


def _decimal(parts: list[str]) -> str:
    """Money, exact: at most two decimals, so that nothing is rounded."""
    plain = _number_text(parts[0])
    exact = rf"regexp_full_match({plain}, '[+-]?(\d+(\.\d{{0,2}}0*)?|\.\d{{1,2}}0*)')"
    return f"CASE WHEN {exact} THEN TRY_CAST({plain} AS DECIMAL(18, 2)) END"


def _boolean(parts: list[str]) -> str:
    text = f"lower({parts[0]})"
    return f"CASE WHEN {text} IN ('true', 'vrai', 'oui', '1') THEN true WHEN {text} IN ('false', 'faux', 'non', '0') THEN false END"


def _date(parts: list[str]) -> str:
    """ISO 8601: `2024-05-01`."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{4}}-\d{{2}}-\d{{2}}') THEN TRY_CAST({parts[0]} AS DATE) END"


def _date_day_first(parts: list[str]) -> str:
    """`01/05/2024`, as France writes it."""
    text = parts[0]
    iso = f"right({text}, 4) || '-' || substr({text}, 4, 2) || '-' || left({text}, 2)"
    return rf"CASE WHEN regexp_full_match({text}, '\d{{2}}[/.-]\d{{2}}[/.-]\d{{4}}') THEN TRY_CAST({iso} AS DATE) END"


def _datetime(parts: list[str]) -> str:
    """ISO 8601 with its offset, which alone tells the two hours apart that a clock shows twice in October."""
    shape = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)"
    return f"CASE WHEN regexp_full_match({parts[0]}, '{shape}') THEN TRY_CAST({parts[0]} AS TIMESTAMPTZ) END"


def _day_of_datetime(parts: list[str]) -> str:
    """The date that stands at the beginning of an ISO 8601 date and time."""
    shape = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"
    return f"CASE WHEN regexp_full_match({parts[0]}, '{shape}') THEN TRY_CAST(left({parts[0]}, 10) AS DATE) END"


def _pair(text: str, place: int) -> str:
    """One of the two numbers of `48.85, 2.35` or `[2.35, 48.85]`."""
    bare = rf"regexp_replace({text}, '[\[\]\s]', '', 'g')"
    shape = r"[+-]?\d+(\.\d+)?,[+-]?\d+(\.\d+)?"
    return (
        f"CASE WHEN regexp_full_match({bare}, '{shape}') THEN TRY_CAST(split_part({bare}, ',', {place}) AS DOUBLE) END"
    )


def _first_of_pair(parts: list[str]) -> str:
    return _pair(parts[0], 1)


def _second_of_pair(parts: list[str]) -> str:
    return _pair(parts[0], 2)


def _postcode(parts: list[str]) -> str:
    """Five digits; SNCF and spreadsheets drop the leading zero."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{4,5}}') THEN lpad({parts[0]}, 5, '0') END"


#: By the name that a contract gives; a field without ``cast`` takes the one called like its type.
CASTS: dict[str, Cast] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "code": _code,
    "digits": _digits,
    "leading_year": _leading_year,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "date_day_first": _date_day_first,
    "datetime": _datetime,
    "day_of_datetime": _day_of_datetime,
    "first_of_pair": _first_of_pair,
    "second_of_pair": _second_of_pair,
    "postcode": _postcode,
    "time": _clock,
    "date_parts": _date_parts,
    "clock": _clock,
    "department": _department,
    "department_tenfold": _department_tenfold,
    "commune": _commune,
    "commune_in_department": _commune_in_department,
    "degrees": _degrees,
    "degrees_scaled": _degrees_scaled,
}
