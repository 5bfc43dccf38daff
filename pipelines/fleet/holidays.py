"""When France stays at home or goes away: public holidays, and school holidays by zone, from rules.

Public holidays are law (Code du travail L3133-1; Easter by the rule of Meeus, Jones and Butcher). School holidays are
decreed year by year; the rules here are those that the decrees of 2023-24 to 2026-27 have in common, so that a
simulation of any year has plausible ones.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.fleet.communes import Zone

_SATURDAY = 5
_FIRST_ZONES = "CBA"  # the zone whose winter holidays come first: C in 2024, B in 2025, A in 2026, and again
_FIRST_YEAR = 2024
_FIXED = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER = (1, 39, 50)  # Easter Monday, Ascension, Whit Monday: days after Easter Sunday


def easter(year: int) -> date:
    """Easter Sunday (Meeus, *Astronomical Algorithms*, ch. 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    rest = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * rest) // 451
    month, day = divmod(h + rest - 7 * m + 114, 31)
    return date(year, month, day + 1)


def is_public_holiday(day: date) -> bool:
    """Whether nobody goes to work in metropolitan France but on call (Alsace and Moselle have two days more)."""
    return (day.month, day.day) in _FIXED or (day - easter(day.year)).days in _AFTER_EASTER


def school_holidays(zone: Zone, year: int) -> list[tuple[date, date]]:
    """Periods that begin in a calendar year, first Saturday and last Sunday (31 August in summer).

    Two weeks each: winter from the first Saturday on or after 6 February for one zone, one and two weeks later for the
    others; spring eight weeks after winter; autumn from the first Saturday on or after 17 October; Christmas from the
    one on or after 19 December. Summer from the first Saturday of July.
    """
    first = _FIRST_ZONES[(year - _FIRST_YEAR) % 3]
    order = "ABC"["ABC".index(first) :] + "ABC"[: "ABC".index(first)]
    winter = _saturday(date(year, 2, 6)) + timedelta(weeks=order.index(zone))
    starts = [winter, winter + timedelta(weeks=8), _saturday(date(year, 10, 17)), _saturday(date(year, 12, 19))]
    periods = [(start, start + timedelta(days=15)) for start in starts]
    periods.insert(2, (_saturday(date(year, 7, 1)), date(year, 8, 31)))
    return periods


def school_holiday(zone: Zone, day: date) -> tuple[date, date] | None:
    """The period that holds ``day``; None in term."""
    for year in (day.year - 1, day.year):
        for start, end in school_holidays(zone, year):
            if start <= day <= end:
                return start, end
    return None


def _saturday(day: date) -> date:
    return day + timedelta(days=(_SATURDAY - day.weekday()) % 7)
