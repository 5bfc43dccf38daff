from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from table_worlds import ACCIDENTS, USERS, World, at, drive, identity

from pipelines.errors import TablesError
from pipelines.tables import build, list_tables, open_query, run_query


@pytest.fixture
def filled(world: World) -> World:
    rows = [
        {"accident_id": f"{year}-{i}", "vintage": year, "department": "75", "latitude": 48.85, "longitude": 2.35}
        for year in (2019, 2020)
        for i in range(6)
    ]
    world.ingest("core.accidents", ACCIDENTS, "r", rows)
    world.ingest("core.accident_users", USERS, "u", [{"accident_id": "2019-0", "vintage": 2019, "severity": "killed"}])
    world.land(
        [row for car in "abc" for row in drive(f"pseudonym-{car}", at(1), 300) + identity(f"pseudonym-{car}", at(1))]
    )
    build(world.settings)
    return world


def names_in(path: Path) -> set[str]:
    with duckdb.connect(str(path), read_only=True) as con:
        found = con.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_schema <> 'meta'"
        ).fetchall()
    return {name for (name,) in found}


def test_the_public_file_holds_open_data_and_statistics_and_nothing_personal(filled: World) -> None:
    assert names_in(filled.settings.public_db) == {
        "core.accidents",
        "core.accident_users",
        "big.accidents_by_department",
        "big.accident_black_spots",
        "big.consumption_by_model",
    }
    assert names_in(filled.settings.personal_db) == {"small.trips"}
    assert b"pseudonym-a" not in filled.settings.public_db.read_bytes()
    assert b"pseudonym-a" in filled.settings.personal_db.read_bytes()


def test_a_table_of_the_lake_that_no_contract_knows_is_not_public(filled: World) -> None:
    filled.ingest("core.strange_things", ACCIDENTS, "r", [{"accident_id": "x"}])
    build(filled.settings)
    assert "core.strange_things" not in names_in(filled.settings.public_db)
    assert {info.name: info.privacy for info in list_tables(filled.settings)}["core.strange_things"] == "personal"


def test_a_file_given_away_says_what_it_holds(filled: World) -> None:
    with duckdb.connect(str(filled.settings.public_db), read_only=True) as con:
        comments = dict(con.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        units = dict(
            con.execute(
                "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'accidents_by_department'"
            ).fetchall()
        )
        meta = con.execute('SELECT name, "rows", lake_version, privacy FROM meta.tables ORDER BY name').fetchall()
    version = filled.lake.version("core.accidents")
    for words in ("licence fr-lo", "Observatoire national", f"Lake version {version}"):
        assert words in comments["accidents"]
    assert "one row a department and year" in comments["accidents_by_department"]
    assert "killed, within 30 days" in units["killed"]
    assert ("core.accidents", 12, version, "public") in meta
    assert meta[-1] == ("core.accidents", 12, version, "public") or len(meta) == 5


def test_what_was_erased_is_not_in_the_bytes_of_the_next_file(filled: World) -> None:
    filled.lake.open("core.readings").delete("vehicle = 'pseudonym-a'")
    build(filled.settings)
    content = filled.settings.personal_db.read_bytes()
    assert b"pseudonym-a" not in content
    assert b"pseudonym-b" in content


def test_a_half_written_file_of_an_interrupted_build_is_no_obstacle(filled: World) -> None:
    leftover = filled.settings.root / "public.next.duckdb"
    leftover.write_bytes(b"half a file")
    leftover.with_name("public.next.duckdb.wal").write_bytes(b"half a log")
    filled.ingest("core.accidents", ACCIDENTS, "r2", [{"accident_id": "n", "vintage": 2021, "department": "2A"}])
    build(filled.settings)
    assert not leftover.exists()
    with duckdb.connect(str(filled.settings.public_db), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM core.accidents").fetchone() == (13,)


def test_queries_see_every_table_under_its_name(filled: World) -> None:
    con = open_query(filled.settings, personal=True)
    try:
        for name in ("core.accidents", "core.readings", "core.samples", "small.trips", "big.accidents_by_department"):
            expected = len(filled.rows(name))
            assert con.execute(f"SELECT count(*) FROM {name}").fetchone() == (expected,), name
        assert con.execute("SELECT h3_cell(48.85, 2.35, 9)").fetchone() == ("891fb46624bffff",)
    finally:
        con.close()


def test_queries_read_the_lake_where_a_database_file_is_older(filled: World) -> None:
    files = (filled.settings.public_db, filled.settings.personal_db)
    former = [file.read_bytes() for file in files]
    filled.ingest("core.accidents", ACCIDENTS, "r2", [{"accident_id": "n", "vintage": 2021, "department": "2A"}])
    filled.land(drive("pseudonym-d", at(2), 300))
    build(filled.settings)
    for file, content in zip(files, former, strict=True):
        file.write_bytes(content)  # as if the process had ended before the files were swapped
    for query, count in (("core.accidents", 13), ("big.accidents_by_department", 3), ("small.trips", 4)):
        with run_query(filled.settings, f"SELECT count(*) AS n FROM {query}", personal=True) as rows:
            assert rows.read_all().to_pylist() == [{"n": count}], query


def test_public_queries_see_nothing_personal(filled: World) -> None:
    con = open_query(filled.settings, personal=False)
    try:
        assert con.execute("SELECT count(*) FROM core.accidents").fetchone() == (12,)
        for name in ("core.readings", "core.samples", "small.trips"):
            with pytest.raises(duckdb.CatalogException):
                con.execute(f"SELECT * FROM {name}")
        for file in (filled.settings.personal_db, filled.lake.files("core.readings")[0]):
            with pytest.raises(duckdb.Error):
                con.execute(f"SELECT * FROM '{file}'")
    finally:
        con.close()


def test_queries_work_before_the_first_build_and_on_an_empty_state(world: World) -> None:
    open_query(world.settings, personal=True).close()
    world.land(drive("a", at(1), 5))
    with run_query(world.settings, "SELECT count(*) AS n FROM core.readings", personal=True) as rows:
        assert rows.read_all().to_pylist() == [{"n": 5}]


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{lake}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}' (USE_TMP_FILE false)",
        "SELECT 1; COPY (SELECT 1) TO '{lake}' (USE_TMP_FILE false)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '{key}'",
        "ATTACH '{key}'",
        "SET enable_external_access = true",
        "INSERT INTO public_db.big.accidents_by_department DEFAULT VALUES",
        "DROP VIEW small.trips",
        "SELECT",
        "",
    ],
)
def test_queries_change_nothing_and_open_nothing_else(filled: World, query: str) -> None:
    key = filled.settings.keys / "2024-05.key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"secret" * 6)
    lake = Path(filled.lake.files("core.readings")[0])
    before = lake.read_bytes()
    text = query.format(lake=lake, key=key)
    with pytest.raises(TablesError), run_query(filled.settings, text, personal=True) as rows:
        rows.read_all()
    assert lake.read_bytes() == before


def test_an_unknown_table_is_an_error_that_says_where_to_look(filled: World) -> None:
    with (
        pytest.raises(TablesError, match="rocade tables"),
        run_query(filled.settings, "SELECT * FROM big.nothing", personal=True),
    ):
        pass


def test_tables_are_listed_in_the_direction_of_flow(filled: World) -> None:
    infos = list_tables(filled.settings)
    assert [info.name for info in infos][-4:] == [
        "small.trips",
        "big.accident_black_spots",
        "big.accidents_by_department",
        "big.consumption_by_model",
    ]
    readings = next(info for info in infos if info.name == "core.readings")
    assert (readings.rows, readings.privacy, readings.layer) == (912, "personal", "core")
    assert readings.bytes > 0
    assert readings.files == len(filled.lake.files("core.readings"))


def test_functions_are_null_off_the_globe(world: World) -> None:
    con = open_query(world.settings, personal=False)
    try:
        row = con.execute(
            "SELECT h3_cell(NULL, 2, 9), h3_cell(91, 2, 9), h3_cell(48, 181, 9), h3_cell('nan'::DOUBLE, 2, 9), h3_latitude(NULL)"
        ).fetchone()
        assert row == (None,) * 5
    finally:
        con.close()


def test_months_come_out_as_dates(new_world: Callable[[], World]) -> None:
    world = new_world()
    fuel = [
        {**row, "signal": "Vehicle.OBD.FuelRate", "row": 1}
        for index in range(11)
        for row in drive(f"c{index}", at(1), 300, 6.0)
    ]
    world.land([row for i in range(11) for row in drive(f"c{i}", at(1), 300) + identity(f"c{i}", at(1))] + fuel)
    build(world.settings)
    with run_query(world.settings, "SELECT month, vehicles FROM big.consumption_by_model", personal=False) as rows:
        assert rows.read_all().to_pylist() == [{"month": date(2024, 5, 1), "vehicles": 11}]
