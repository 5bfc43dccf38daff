import duckdb
import pytest

from pipelines.contracts.casts import CASTS


def _cast(name: str, *texts: str | None) -> object:
    columns = ", ".join(f"$p{index}::VARCHAR AS c{index}" for index in range(len(texts)))
    expression = CASTS[name]([f"c{index}" for index in range(len(texts))])
    with duckdb.connect() as con:
        values = {f"p{index}": text for index, text in enumerate(texts)}
        row = con.execute(f"SELECT {expression} FROM (SELECT {columns})", values).fetchone()
    return str(row[0]) if row and row[0] is not None else None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("integer", "1 234", "1234"),
        ("integer", "1\u202f234", "1234"),
        ("integer", "50.0", "50"),
        ("integer", "50.5", None),
        ("integer", "2.02E+11", None),
        ("integer", "#ERREUR", None),
        ("integer", "-7", "-7"),
        ("number", "1\u00a0234,50", "1234.5"),
        ("number", "12.5", "12.5"),
        ("number", "1,2,3", None),
        ("number", "inf", None),
        ("number", "1e5", None),
        ("code", "01", "1"),
        ("code", "00", "0"),
        ("code", "10", "10"),
        ("code", "7.0", "7"),
        ("code", "B", "B"),
        ("digits", "138\u00a0305\u00a0095", "138305095"),
        ("digits", "138x", None),
        ("clock", "12:25", "12:25"),
        ("clock", "1225", "12:25"),
        ("clock", "905", "09:05"),
        ("clock", "5", "00:05"),
        ("clock", "2400", None),
        ("clock", "12:75", None),
        ("department", "1", "01"),
        ("department", "2a", "2A"),
        ("department", "976", "976"),
        ("department", "96", None),
        ("department_tenfold", "590", "59"),
        ("department_tenfold", "10", "01"),
        ("department_tenfold", "201", "2A"),
        ("department_tenfold", "202", "2B"),
        ("department_tenfold", "971", "971"),
        ("department_tenfold", "595", None),
        ("commune", "1004", "01004"),
        ("commune", "2A004", "2A004"),
        ("commune", "Lyon", None),
        ("commune", "130633", None),
        ("commune", "A004", None),
        ("date_by_shape", "2024-05-01", "2024-05-01"),
        ("date_by_shape", "01/05/2024", "2024-05-01"),
        ("date_by_shape", "01/05/24", "2024-05-01"),
        ("date_by_shape", "31/06/24", None),
        ("date_by_shape", "05-01-24", None),
        ("is_fewer_than", "Moins de 5", "True"),
        ("is_fewer_than", "12", "False"),
        ("is_fewer_than", "moins", None),
        ("leading_hour", "8H-9H", "8"),
        ("leading_hour", "23H-0H", "23"),
        ("leading_hour", "24H-25H", None),
        ("leading_hour", "8-9", None),
        ("first_of_list", "87271494;87001479", "87271494"),
        ("first_of_list", "87271494", "87271494"),
        ("hospitalised_definition", "201700000001", "until 2017"),
        ("hospitalised_definition", "201800000001", "2018"),
        ("hospitalised_definition", "201900000001", "from 2019"),
        ("hospitalised_definition", "2.02E+11", None),
        ("degrees", "43,5916500", "43.59165"),
        ("degrees", "-1,2048040", "-1.204804"),
        ("degrees_scaled", "5055737", "50.55737"),
        ("degrees_scaled", "-120480", "-1.2048"),
        ("degrees_scaled", "100", "0.001"),
        ("degrees_scaled", "50,55737", "50.55737"),
        ("leading_year", "201800000001", "2018"),
        ("leading_year", "2.02E+11", None),
        ("string", "ANCIENS  COMBATTANTS", "ANCIENS  COMBATTANTS"),
    ],
)
def test_one_cell(name: str, text: str, value: str | None) -> None:
    assert _cast(name, text) == value


@pytest.mark.parametrize("name", ["integer", "number", "code", "digits", "clock", "department", "commune", "degrees"])
def test_blank_stays_null(name: str) -> None:
    assert _cast(name, None) is None


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        (("18", "1", "24"), "2018-01-24"),
        (("5", "12", "31"), "2005-12-31"),
        (("2022", "02", "28"), "2022-02-28"),
        (("2022", "13", "1"), None),
        (("202", "1", "1"), None),
        (("-5", "1", "1"), None),
        (("2022", "2", "29"), None),
        (("2022", "2", None), None),
    ],
)
def test_dates_from_parts(parts: tuple[str | None, ...], value: str | None) -> None:
    assert _cast("date_parts", *parts) == value


@pytest.mark.parametrize(
    ("department", "number", "value"),
    [
        ("590", "5", "59005"),
        ("10", "053", "01053"),
        ("201", "004", "2A004"),
        ("971", "113", "97113"),
        ("971", "13", "97113"),
        ("590", "x", None),
    ],
)
def test_commune_up_to_2018(department: str, number: str, value: str | None) -> None:
    assert _cast("commune_in_department", department, number) == value
