from __future__ import annotations

from itertools import product

import duckdb
import pytest

from pipelines.contracts.casts import CASTS
from pipelines.contracts.french_casts import FRANCE, Box


def _cast(name: str, *cells: str | None) -> object:
    parts = ["NULL::VARCHAR" if cell is None else "'" + cell.replace("'", "''") + "'" for cell in cells]
    with duckdb.connect() as con:
        row = con.execute(f"SELECT {CASTS[name](parts)}").fetchone()
    assert row is not None
    return row[0]


def test_a_point_lies_in_france_in_one_reading_only() -> None:
    """Were a box to meet the mirror image of one, a right point could be taken for a swapped one."""

    def meet(one: Box, other: Box) -> bool:
        return (
            one.west <= other.north and other.south <= one.east and one.south <= other.east and other.west <= one.north
        )

    assert [(a, b) for (a, one), (b, other) in product(FRANCE.items(), repeat=2) if meet(one, other)] == []


@pytest.mark.parametrize(
    ("cells", "longitude", "latitude", "swapped"),
    [
        (["[7.48710500,48.345345]"], 7.487105, 48.345345, False),
        (["[48.345345, 7.487105]"], 7.487105, 48.345345, True),
        (["2.35,48.85"], 2.35, 48.85, False),
        (["[55.45,-20.88]"], 55.45, -20.88, False),
        (["[-20.88,55.45]"], 55.45, -20.88, True),
        (["[-61.5,16.2]"], -61.5, 16.2, False),
        (["[45.2,-12.8]"], 45.2, -12.8, False),
        (["[9.45,42.7]"], 9.45, 42.7, False),
        (["[42.7,9.45]"], 9.45, 42.7, True),
        (["[151.2,-33.9]"], 151.2, -33.9, False),  # not in France in any reading: as published
        (["48.85", "2.35"], 2.35, 48.85, True),
        (["2,35", "48,85"], 2.35, 48.85, False),
        (["[2.35]"], None, None, None),
        (["[2.35,48.85,3]"], None, None, None),
        (["[2.35,north]"], None, None, None),
    ],
)
def test_swapped_coordinates_are_put_right_and_told(
    cells: list[str], longitude: float | None, latitude: float | None, swapped: object
) -> None:
    found = tuple(_cast(f"{name}_in_france", *cells) for name in ("longitude", "latitude", "is_swapped"))
    assert found == (longitude, latitude, swapped)


@pytest.mark.parametrize(
    ("cells", "commune"),
    [
        (("1", "4"), "01004"),
        (("62", "193"), "62193"),
        (("2A", "4"), "2A004"),
        (("2b", "33"), "2B033"),
        (("971", "17"), "97117"),
        (("971", "117"), "97117"),
        (("75", "101"), "75101"),
        (("75", "1010"), None),
        (("7X", "1"), None),
    ],
)
def test_communes_of_unpadded_numbers(cells: tuple[str, str], commune: str | None) -> None:
    assert _cast("commune_of_numbers", *cells) == commune


@pytest.mark.parametrize(
    ("cells", "parcel"),
    [
        (("1", "4", None, "A", "12"), "010040000A0012"),
        (("75", "101", None, "AB", "1234"), "75101000AB1234"),
        (("62", "193", "93", "ZC", "7"), "62193093ZC0007"),
        (("971", "17", None, "D", "51"), "971170000D0051"),
        (("62", "193", None, "ABC", "7"), None),
        (("62", "193", None, "A", "12345"), None),
        (("62", "193", None, None, "7"), None),
    ],
)
def test_parcels_have_fourteen_characters(cells: tuple[str | None, ...], parcel: str | None) -> None:
    assert _cast("parcel_of_parts", *cells) == parcel


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("73282932000074", True),
        ("73282932000075", False),
        ("35600000000048", True),  # La Poste by Luhn
        ("35600000049837", True),  # La Poste by the sum of its digits
        ("35600000049838", False),
        ("A94314008001", False),
        ("7328293200007", False),
    ],
)
def test_sirets_by_their_check(text: str, valid: object) -> None:
    assert _cast("is_siret", text) is valid


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-31T10:20:30.123456", "2026-01-31 10:20:30.123456+00"),
        ("2026-01-31T10:20:30+02:00", "2026-01-31 08:20:30+00"),
        ("2026-01-31", None),
    ],
)
def test_times_without_an_offset_are_utc(text: str, utc: str | None) -> None:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        row = con.execute(f"SELECT ({CASTS['datetime_or_utc']([repr(text)])})::VARCHAR").fetchone()
    assert row == (utc,)


def test_columns_are_taken_or_joined_where_they_are_filled() -> None:
    assert _cast("first_given", None, "b") == "b"
    assert _cast("joined", "RUE", None, "DU PORT") == "RUE DU PORT"
    assert _cast("joined", None, None) is None
    assert (_cast("is_given", "x"), _cast("is_given", None)) == (True, False)
