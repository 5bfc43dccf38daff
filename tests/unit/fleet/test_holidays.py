"""The rules against the decrees (education.gouv.fr) and the calendar."""

from datetime import date

import pytest

from pipelines.fleet.holidays import easter, is_public_holiday, school_holiday, school_holidays


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2000, 4, 23), (2008, 3, 23), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2038, 4, 25)]
)
def test_easter(year: int, month: int, day: int) -> None:
    assert easter(year) == date(year, month, day)


def test_eleven_public_holidays_a_year() -> None:
    days = [date.fromordinal(day) for day in range(date(2026, 1, 1).toordinal(), date(2027, 1, 1).toordinal())]
    found = [day.isoformat()[5:] for day in days if is_public_holiday(day)]
    assert found == ["01-01", "04-06", "05-01", "05-08", "05-14", "05-25", "07-14", "08-15", "11-01", "11-11", "12-25"]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("A", "2024-02-17"), ("B", "2024-02-24"), ("C", "2024-02-10"), ("A", "2024-04-13"), ("C", "2024-04-06"),
        ("A", "2025-02-22"), ("B", "2025-02-08"), ("C", "2025-02-15"), ("B", "2025-04-05"), ("A", "2025-04-19"),
        ("A", "2026-02-07"), ("B", "2026-02-14"), ("C", "2026-02-21"), ("A", "2026-04-04"), ("C", "2026-04-18"),
        ("A", "2027-02-13"), ("B", "2027-02-20"), ("C", "2027-02-06"),
        ("A", "2023-10-21"), ("B", "2024-10-19"), ("C", "2025-10-18"), ("A", "2026-10-17"),
        ("A", "2023-12-23"), ("B", "2024-12-21"), ("C", "2025-12-20"), ("A", "2026-12-19"),
        ("A", "2024-07-06"), ("B", "2025-07-05"), ("C", "2026-07-04"),
    ],
)  # fmt: skip
def test_school_holidays_begin_when_the_decree_says(zone: str, start: str) -> None:
    assert date.fromisoformat(start) in [first for first, _ in school_holidays(zone, int(start[:4]))]


def test_a_day_of_the_turn_of_the_year_is_a_holiday_and_one_in_term_is_not() -> None:
    assert school_holiday("A", date(2026, 1, 2)) == (date(2025, 12, 20), date(2026, 1, 4))
    assert school_holiday("A", date(2026, 1, 5)) is None
    assert school_holiday("B", date(2026, 8, 15)) == (date(2026, 7, 4), date(2026, 8, 31))
