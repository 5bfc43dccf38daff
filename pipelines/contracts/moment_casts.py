r"""Casts to dates, instants and times of day, and to parts of them.

Belongs here: SQL expressions as in ``casts``, which lists them under the names that contracts use.
"""

from __future__ import annotations

from pipelines.contracts.number_casts import integer

_YEAR = r"[1-9]\d{3}"  # the year 0000 is no year but a form not filled in
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
_OFFSET = r"(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)"


def date(parts: list[str]) -> str:
    """ISO 8601: `2024-05-01`."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '{_YEAR}-\d{{2}}-\d{{2}}') THEN TRY_CAST({parts[0]} AS DATE) END"


def date_day_first(parts: list[str]) -> str:
    """`01/05/2024`, as France writes it."""
    text = parts[0]
    iso = f"right({text}, 4) || '-' || substr({text}, 4, 2) || '-' || left({text}, 2)"
    return rf"CASE WHEN regexp_full_match({text}, '\d{{2}}[/.-]\d{{2}}[/.-]{_YEAR}') THEN TRY_CAST({iso} AS DATE) END"


def date_day_first_loose(parts: list[str]) -> str:
    """`1/5/2024` is the first of May."""
    return _slashed(parts[0], 1, 2)


def date_month_first(parts: list[str]) -> str:
    """`5/1/2024` is the first of May; only ever by somebody's decision in a contract."""
    return _slashed(parts[0], 2, 1)


def date_compact(parts: list[str]) -> str:
    """`20240501`."""
    text = parts[0]
    iso = f"left({text}, 4) || '-' || substr({text}, 5, 2) || '-' || right({text}, 2)"
    return rf"CASE WHEN regexp_full_match({text}, '{_YEAR}\d{{4}}') THEN TRY_CAST({iso} AS DATE) END"


def date_by_shape(parts: list[str]) -> str:
    """`2024-05-01`, `01/05/2024` or `01/05/24`: one publisher, three notations, each of which has one reading only."""
    text = parts[0]
    short = f"'20' || right({text}, 2) || '-' || substr({text}, 4, 2) || '-' || left({text}, 2)"
    return (
        f"coalesce({date(parts)}, {date_day_first(parts)}, "
        rf"CASE WHEN regexp_full_match({text}, '\d{{2}}/\d{{2}}/\d{{2}}') THEN TRY_CAST({short} AS DATE) END)"
    )


def date_parts(parts: list[str]) -> str:
    """Year (two or four digits), month, day."""
    year, month, day = (integer([part]) for part in parts)
    full = f"CASE WHEN {year} BETWEEN 0 AND 99 THEN 2000 + {year} WHEN {year} BETWEEN 1000 AND 9999 THEN {year} END"
    return f"TRY_CAST(printf('%04d-%02d-%02d', {full}, {month}, {day}) AS DATE)"


def datetime(parts: list[str]) -> str:
    """ISO 8601 with its offset, which alone tells the two hours apart that a clock shows twice in October."""
    shape = rf"{_YEAR}-\d{{2}}-\d{{2}}[T ]{_CLOCK}{_OFFSET}"
    return f"CASE WHEN regexp_full_match({parts[0]}, '{shape}') THEN TRY_CAST({parts[0]} AS TIMESTAMPTZ) END"


def datetime_or_utc(parts: list[str]) -> str:
    """ISO 8601; without an offset it is taken as UTC, as data.gouv.fr means its own naive times."""
    naive = rf"regexp_full_match({parts[0]}, '{_YEAR}-\d{{2}}-\d{{2}}[T ]{_CLOCK}')"
    return f"CASE WHEN {naive} THEN TRY_CAST({parts[0]} || '+00:00' AS TIMESTAMPTZ) ELSE {datetime(parts)} END"


def day_of_datetime(parts: list[str]) -> str:
    """The date that stands at the beginning of an ISO 8601 date and time, in whatever zone that is."""
    shape = rf"{_YEAR}-\d{{2}}-\d{{2}}([T ]{_CLOCK}{_OFFSET}?)?"
    return f"CASE WHEN regexp_full_match({parts[0]}, '{shape}') THEN TRY_CAST(left({parts[0]}, 10) AS DATE) END"


def wall_clock(parts: list[str]) -> str:
    """Date and time without offset: what a clock on the wall shows, as ISO text, for it is no instant."""
    text = parts[0]
    shape = rf"{_YEAR}-\d{{2}}-\d{{2}}[T ]{_CLOCK}"
    sound = f"regexp_full_match({text}, '{shape}') AND TRY_CAST({text} AS TIMESTAMP) IS NOT NULL"
    return f"CASE WHEN {sound} THEN replace({text}, ' ', 'T') END"


def time(parts: list[str]) -> str:
    """`12:25`; a bare number may be hours or minutes, and only a contract that says ``clock`` knows."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{1,2}}:\d{{2}}') THEN {clock(parts)} END"


def clock(parts: list[str]) -> str:
    """`12:25`, `1225`, `905` and `5` (five past midnight) as HH:MM; `24:00` does not exist."""
    bare = f"replace({parts[0]}, ':', '')"
    padded = f"lpad({bare}, 4, '0')"
    return (
        rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{1,2}}:\d{{2}}|\d{{1,4}}') "
        rf"AND regexp_full_match({padded}, '([01]\d|2[0-3])[0-5]\d') "
        f"THEN left({padded}, 2) || ':' || right({padded}, 2) END"
    )


def leading_hour(parts: list[str]) -> str:
    """The hour at which `8H-9H` begins."""
    shape = r"([01]?\d|2[0-3])H\s?-\s?\d{1,2}H"
    hour = rf"TRY_CAST(regexp_extract({parts[0]}, '^\d+') AS BIGINT)"
    return f"CASE WHEN regexp_full_match(upper({parts[0]}), '{shape}') THEN {hour} END"


def leading_year(parts: list[str]) -> str:
    """The year at the beginning of the twelve digits of an accident."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{12}}') THEN TRY_CAST(left({parts[0]}, 4) AS BIGINT) END"


def year_of_date(parts: list[str]) -> str:
    """Of an ISO 8601 date."""
    return f"CAST(year({date(parts)}) AS BIGINT)"


def year_of_date_day_first(parts: list[str]) -> str:
    """Of `01/05/2024`."""
    return f"CAST(year({date_day_first(parts)}) AS BIGINT)"


def year_of_datetime(parts: list[str]) -> str:
    """Of an ISO 8601 date and time, in whatever zone that is."""
    return f"CAST(year({day_of_datetime(parts)}) AS BIGINT)"


def _slashed(text: str, day: int, month: int) -> str:
    """A date of three numbers, the year last, with or without leading zeros."""
    shape = rf"(\d{{1,2}})[/.-](\d{{1,2}})[/.-]({_YEAR})"
    day_text, month_text, year = (f"regexp_extract({text}, '{shape}', {group})" for group in (day, month, 3))
    iso = f"{year} || '-' || lpad({month_text}, 2, '0') || '-' || lpad({day_text}, 2, '0')"
    return f"CASE WHEN regexp_full_match({text}, '{shape}') THEN TRY_CAST({iso} AS DATE) END"
