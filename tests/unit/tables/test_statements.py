from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import ContractError, GuardError, TablesError
from pipelines.tables.plan import plan
from pipelines.tables.statements import Statement, Totals, read_statement, read_statements

HEADER = """\
-- grain: one row a car and day,
--   even a quiet one
-- privacy: personal
-- period: day
-- context: 2 days before, 1 day after
-- apart: vehicle
-- keys: vehicle, day
-- columns:
--   day: UTC day
--   vehicle: pseudonym of the car
--   distance_km: driven, km
"""
SELECT = "SELECT day, vehicle, sum(distance_km) AS distance_km FROM small.trips GROUP BY day, vehicle\n"

Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    def to_file(text: str, name: str = "small/days.sql") -> Path:
        file = tmp_path / "sql" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return to_file


def test_header_and_select_are_read_whole(write: Writer) -> None:
    statement = read_statement(write(HEADER + "\n-- a comment\n" + SELECT + ";\n"))
    assert statement.name == "small.days"
    assert statement.grain == "one row a car and day, even a quiet one"
    assert (statement.before, statement.after) == (2, 1)
    assert statement.apart == "vehicle"
    assert statement.keys == ("vehicle", "day")
    assert statement.columns == {"day": "UTC day", "vehicle": "pseudonym of the car", "distance_km": "driven, km"}
    assert statement.inputs == ("small.trips",)
    assert statement.totals is None


def test_totals_name_measures_and_groups(write: Writer) -> None:
    text = HEADER.replace("-- keys", "-- totals: distance_km over day, vehicle\n-- keys")
    assert read_statement(write(text + SELECT)).totals == Totals(("distance_km",), ("day", "vehicle"))


def test_inputs_are_found_in_ctes_subqueries_and_joins_but_cte_names_are_none(write: Writer) -> None:
    select = """WITH a AS (SELECT * FROM core.samples), b AS (SELECT * FROM a JOIN core.readings USING (vehicle))
    SELECT day, vehicle, (SELECT max(x) FROM big.flows) AS distance_km FROM b UNION ALL SELECT day, vehicle, 1 FROM a"""
    assert read_statement(write(HEADER + select)).inputs == ("big.flows", "core.readings", "core.samples")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-- grain: one row a car and day,\n--   even a quiet one\n", "", ["line 1", "no 'grain'"]),
        ("-- privacy: personal", "-- privacy: secret", ["line 3", "'secret'", "public, personal, aggregate"]),
        ("-- privacy: personal", "-- priwacy: personal", ["line 3", "'priwacy'", "not a key"]),
        ("-- period: day", "-- period: day\n-- period: day", ["line 5", "'period'", "twice"]),
        ("-- period: day", "-- period: week", ["line 4", "'week'", "vintage"]),
        ("2 days before", "two days before", ["line 5", "two days before", "1 day before, 1 day after"]),
        ("-- apart: vehicle", "-- apart: car", ["line 8", "no column 'car'"]),
        ("-- keys: vehicle, day", "-- keys: car", ["line 8", "no column 'car'"]),
        ("--   vehicle: pseudonym of the car\n", "", ["line 8", "disagree on vehicle"]),
        ("--   vehicle: pseudonym of the car\n", "--   vehicle\n", ["line 10", "does not describe"]),
        ("-- keys", "* keys", ["line 1", "no 'keys'"]),
        ("-- keys", "--keys", ["line 7", "is not a line of the header"]),
        ("-- keys", "-- totals: distance_km per day\n-- keys", ["line 7", "totals cannot be read"]),
        ("sum(distance_km) AS distance_km", "sum(distance_km)", ["does not name its columns"]),
        ("SELECT day, vehicle, sum", "SELECT vehicle, day, sum", ["disagree on their order"]),
        ("FROM small.trips", "FROM trips", ["'trips' has no layer"]),
        ("FROM small.trips", "FROM read_csv('/etc/passwd')", ["READ_CSV", "not a table"]),
        ("sum(distance_km)", "sum(random())", ["RANDOM()", "another answer each time"]),
        ("sum(distance_km)", "max(now())", ["another answer each time"]),
        ("SELECT day", "DELETE FROM small.trips; SELECT day", ["exactly one SELECT"]),
        ("GROUP BY", "GRUP BY (", ["one SELECT in DuckDB's dialect"]),
    ],
)
def test_faults_are_refused_by_file_and_line(write: Writer, old: str, new: str, words: list[str]) -> None:
    text = HEADER + SELECT
    assert old in text
    with pytest.raises(ContractError) as refusal:
        read_statement(write(text.replace(old, new, 1)))
    assert "days.sql" in str(refusal.value)
    for word in words:
        assert word.lower() in str(refusal.value).lower()


def test_an_aggregate_is_not_computed_in_parts(write: Writer) -> None:
    text = HEADER.replace("personal", "aggregate", 1).replace("-- context: 2 days before, 1 day after\n", "")
    with pytest.raises(ContractError, match="computed whole"):
        read_statement(write(text + SELECT))


def test_a_file_outside_the_layers_is_refused(write: Writer) -> None:
    folder = write(HEADER + SELECT, "medium/days.sql").parents[1]
    with pytest.raises(ContractError, match="in no layer"):
        read_statements(folder)


def test_any_change_of_the_file_changes_the_fingerprint(write: Writer) -> None:
    before = read_statement(write(HEADER + SELECT)).fingerprint
    assert read_statement(write(HEADER + SELECT)).fingerprint == before
    assert read_statement(write(HEADER + SELECT + " ")).fingerprint != before


def public(name: str, *inputs: str) -> Statement:
    layer, table = name.split(".")
    return Statement(
        name=name,
        path=Path(f"sql/{layer}/{table}.sql"),
        sql="",
        fingerprint="",
        grain="",
        privacy="public",
        period="none",
        before=0,
        after=0,
        keys=("a",),
        columns={"a": ""},
        inputs=inputs,
    )


def test_statements_come_after_their_inputs() -> None:
    a, b, c = public("big.a", "big.b", "core.x"), public("big.b", "core.c"), public("core.c", "core.x")
    assert [each.name for each in plan([a, b, c], {"core.x": "public"})] == ["core.c", "big.b", "big.a"]


def test_names_bring_what_they_are_made_from_and_nothing_else() -> None:
    a, b, c = public("big.a", "big.b"), public("big.b", "core.x"), public("big.c", "core.x")
    assert [each.name for each in plan([a, b, c], {"core.x": "public"}, ["big.a"])] == ["big.b", "big.a"]
    with pytest.raises(TablesError, match=r"no table big\.d .*big\.a, big\.b, big\.c"):
        plan([a, b, c], {"core.x": "public"}, ["big.d"])


def test_a_cycle_is_named() -> None:
    with pytest.raises(ContractError, match=r"made from itself: big\.\w ← big\.\w ← big\.\w"):
        plan([public("big.a", "big.b"), public("big.b", "big.a")], {})


def test_an_unknown_input_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(
        ContractError, match=r"big/a\.sql: reads core\.acidents, which nothing makes \(is it core\.accidents\?"
    ):
        plan([public("big.a", "core.acidents")], {"core.accidents": "public"})


def test_a_layer_does_not_read_from_its_right() -> None:
    with pytest.raises(ContractError, match=r"core\.a reads big\.b"):
        plan([public("core.a", "big.b"), public("big.b", "core.x")], {"core.x": "public"})


def test_the_guard_looks_at_every_plan() -> None:
    with pytest.raises(GuardError, match=r"big\.a is called public and reads core\.readings"):
        plan([public("big.a", "core.readings")], {"core.readings": "personal"})
