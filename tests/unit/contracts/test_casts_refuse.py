"""What looks nearly right: a cast that took it would give a value that nobody wrote."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.contracts.casts import CASTS


def value(cast: str, *texts: str) -> object:
    parts = ["'" + text.replace("'", "''") + "'" for text in texts]
    with duckdb.connect() as con:
        con.execute("SET timezone = 'UTC'")
        ((found,),) = con.execute(f"SELECT ({CASTS[cast](parts)})::VARCHAR").fetchall()
    return found


@pytest.mark.parametrize(
    ("cast", "texts"),
    [
        ("first_of_pair", ("4 8.85,2.35",)),
        ("first_of_pair", ("1 2, 3",)),
        ("first_of_pair", ("48.8[5,2.35",)),
        ("second_of_pair", ("48.85,2.3 5",)),
        ("longitude_in_france", ("2 2.35,48.85",)),
        ("longitude_in_france", ("2.3[5,48.85",)),
        ("latitude_in_france", ("2.35,48.8 5",)),
        ("integer", ("1,000",)),
        ("integer", ("12.000",)),
        ("department", ("20",)),
        ("department_tenfold", ("1230",)),
        ("department_tenfold", ("200",)),
        ("commune", ("1",)),
        ("commune", ("123",)),
        ("commune_in_department", ("972", "345")),
        ("commune_in_department", ("971", "701")),
        ("commune_of_numbers", ("972", "113")),
        ("time", ("5",)),
        ("time", ("905",)),
        ("day_of_datetime", ("2024-05-01T99:99",)),
        ("day_of_datetime", ("2024-05-01T10:00 or so",)),
        ("first_of_list", (";87001479",)),
    ],
)
def test_it_is_no_value(cast: str, texts: tuple[str, ...]) -> None:
    assert value(cast, *texts) is None


@pytest.mark.parametrize(
    ("cast", "texts", "expected"),
    [
        ("first_of_pair", ("[ 48.85 , 2.35 ]",), "48.85"),
        ("second_of_pair", ("48.85,-2.35",), "-2.35"),
        ("longitude_in_france", ("[2.35, 48.85]",), "2.35"),
        ("longitude_in_france", ("( 48.85 , 2.35 )",), "2.35"),
        ("latitude_in_france", ("48.85,2.35",), "48.85"),
        ("integer", ("50.0",), "50"),
        ("integer", ("50,00",), "50"),
        ("integer", ("1 000,0",), "1000"),
        ("department_tenfold", ("10",), "01"),
        ("department_tenfold", ("971",), "971"),
        ("department_tenfold", ("202",), "2B"),
        ("commune", ("1004",), "01004"),
        ("commune_in_department", ("972", "13"), "97213"),
        ("commune_in_department", ("972", "213"), "97213"),
        ("commune_of_numbers", ("972", "213"), "97213"),
        ("time", ("9:05",), "09:05"),
        ("clock", ("905",), "09:05"),
        ("day_of_datetime", ("2024-05-01T01:00:00.000+02:00",), "2024-05-01"),
        ("day_of_datetime", ("2024-05-01 00:00",), "2024-05-01"),
        # the same hour twice on the wall, and twice as an instant
        ("datetime", ("2024-10-27T02:30:00+02:00",), "2024-10-27 00:30:00+00"),
        ("datetime", ("2024-10-27T02:30:00+01:00",), "2024-10-27 01:30:00+00"),
        ("is_siret", ("00000000000000",), "false"),
        ("is_siret", ("73282932000074",), "true"),
        ("is_siret", ("35600000000048",), "true"),
    ],
)
def test_it_is_this_value(cast: str, texts: tuple[str, ...], expected: str) -> None:
    assert value(cast, *texts) == expected
