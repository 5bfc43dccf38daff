from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_worlds import ACCIDENTS, USERS, World, at, drive, identity, reading

from pipelines.collect.tables import READINGS_SCHEMA
from pipelines.errors import GuardError, TablesError
from pipelines.settings import Settings
from pipelines.tables import BuildReport, build
from pipelines.tables import compute as compute_module

DAYS = """\
-- grain: one row a day
-- privacy: personal
-- period: day
-- context: 1 day before
-- keys: day
-- columns:
--   day: UTC day
--   rows: readings of this day and the day before

WITH counts AS (SELECT day, count(*) AS n FROM core.readings GROUP BY day)
SELECT day, CAST(n + coalesce(lag(n) OVER (ORDER BY day), 0) AS BIGINT) AS rows FROM counts
"""
MONTHS = """\
-- grain: one row a month
-- privacy: aggregate
-- period: month
-- keys: month
-- columns:
--   month: first day
--   vehicles: cars
--   dominance: largest share
--   rows: readings

WITH cars AS (
    SELECT CAST(date_trunc('month', day) AS DATE) AS month, vehicle, count(*) AS n FROM core.readings GROUP BY 1, 2
)
SELECT month, count(*) AS vehicles, max(n) / sum(n) AS dominance, CAST(sum(n) AS BIGINT) AS rows FROM cars GROUP BY month
"""
FLEET = [f"car{index}" for index in range(12)]


@pytest.fixture
def sql(tmp_path: Path) -> Callable[..., Path]:
    def folder(**files: str) -> Path:
        for name, text in files.items():
            layer, table = name.split("__")
            file = tmp_path / "sql" / layer / f"{table}.sql"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path / "sql"

    return folder


def statuses(report: BuildReport) -> dict[str, tuple[str, int]]:
    return {table.name: (table.status, table.periods) for table in report.tables}


def accidents(world: World, resource: str, vintage: int, count: int) -> None:
    rows = [
        {"accident_id": f"{vintage}-{i}", "vintage": vintage, "department": "75", "latitude": 48.85, "longitude": 2.35}
        for i in range(count)
    ]
    world.ingest("core.accidents", ACCIDENTS, resource, rows)


def users(world: World, resource: str, vintage: int, severities: list[str]) -> None:
    rows = [
        {"accident_id": f"{vintage}-{i}", "vintage": vintage, "user_id": str(i), "severity": severity}
        for i, severity in enumerate(severities)
    ]
    world.ingest("core.accident_users", USERS, resource, rows)


def test_tables_wait_for_inputs_that_are_not_there_yet(world: World) -> None:
    report = build(world.settings)
    assert {table.status for table in report.tables} == {"waiting"}
    assert next(t for t in report.tables if t.name == "core.samples").waits_for == ("core.readings",)
    assert not report.changed


def test_nothing_new_is_no_new_version(world: World) -> None:
    world.land(drive("a", at(1), 120))
    assert build(world.settings).changed
    versions = {name: world.lake.version(name) for name in world.lake.names()}
    again = build(world.settings)
    assert not again.changed
    assert not any(database.rewritten for database in again.databases)
    assert {name: world.lake.version(name) for name in world.lake.names()} == versions


def test_only_days_that_changed_and_their_neighbours_are_computed(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    for day in (1, 2, 3, 10):
        world.land(drive("a", at(day), 10))
    assert statuses(build(world.settings, folder=folder)) == {"core.days": ("built", 4)}
    files = {file.partition["day"]: file.path for file in world.lake.snapshot("core.days").files}
    world.land(drive("a", at(2, 20), 5))  # late: re-opens its day, and the next one that looks back at it
    assert statuses(build(world.settings, folder=folder)) == {"core.days": ("built", 2)}
    after = {file.partition["day"]: file.path for file in world.lake.snapshot("core.days").files}
    assert {day for day, path in after.items() if files[day] != path} == {"2024-05-02", "2024-05-03"}
    assert [row[1] for row in world.rows("core.days")] == [10, 25, 25, 10]


def test_rewritten_files_with_the_same_rows_are_no_change(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    for second in range(3):
        world.land(drive("a", at(1, 8, second), 5))
    build(world.settings, folder=folder)
    world.lake.open("core.readings").optimize.compact()
    assert statuses(build(world.settings, folder=folder)) == {"core.days": ("unchanged", 0)}


def test_a_day_that_is_emptied_loses_its_rows(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    for day in (1, 2):
        world.land(drive("a", at(day), 10))
    build(world.settings, folder=folder)
    world.lake.open("core.readings").delete("day = '2024-05-01'")
    build(world.settings, folder=folder)
    assert [row[1] for row in world.rows("core.days")] == [10]


def test_another_text_rebuilds_everything_with_its_new_columns(world: World, sql: Callable[..., Path]) -> None:
    for day in (1, 2, 3):
        world.land(drive("a", at(day), 10))
    build(world.settings, folder=sql(core__days=DAYS))
    changed = DAYS.replace("AS rows FROM", "AS readings FROM").replace("--   rows:", "--   readings:")
    assert statuses(build(world.settings, folder=sql(core__days=changed))) == {"core.days": ("built", 3)}
    assert world.lake.snapshot("core.days").schema.names == ["day", "readings"]
    assert [row["readings"] for row in world.dicts("core.days")] == [10, 20, 20]


def test_another_period_is_refused_before_the_table_is_harmed(world: World, sql: Callable[..., Path]) -> None:
    world.land(drive("a", at(1), 10))
    build(world.settings, folder=sql(core__days=DAYS))
    changed = DAYS.replace("-- period: day", "-- period: none").replace("-- context: 1 day before\n", "")
    with pytest.raises(TablesError, match="cut by day, the statement by none"):
        build(world.settings, folder=sql(core__days=changed))
    assert len(world.rows("core.days")) == 1


def test_full_computes_every_period_again(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    for day in (1, 2):
        world.land(drive("a", at(day), 10))
    build(world.settings, folder=folder)
    before = world.rows("core.days")
    assert statuses(build(world.settings, folder=folder, full=True)) == {"core.days": ("built", 2)}
    assert world.rows("core.days") == before


def test_a_vintage_is_recomputed_when_either_of_its_files_changes(world: World) -> None:
    for year in (2019, 2020, 2021):
        accidents(world, f"a{year}", year, 6)
    users(world, "u2019", 2019, ["killed", "unharmed"])
    names = ["big.accidents_by_department"]
    assert statuses(build(world.settings, names=names)) == {names[0]: ("built", 3)}
    users(world, "u2020", 2020, ["hospitalised"])
    assert statuses(build(world.settings, names=names)) == {names[0]: ("built", 1)}
    accidents(world, "a2021", 2021, 7)  # the publisher restates a year
    assert statuses(build(world.settings, names=names)) == {names[0]: ("built", 1)}
    assert [(row["vintage"], row["accidents"], row["killed"]) for row in world.dicts(names[0])] == [
        (2019, 6, 1),
        (2020, 6, 0),
        (2021, 7, None),
    ]


def test_a_vacuumed_file_is_no_reason_to_miss_a_change(world: World) -> None:
    accidents(world, "a", 2019, 6)
    users(world, "u", 2019, ["killed"])
    build(world.settings, names=["big.accidents_by_department"])
    accidents(world, "a", 2020, 6)  # the resource turns out to be another year
    world.lake.open("core.accidents").vacuum(0, dry_run=False, enforce_retention_duration=False)
    build(world.settings, names=["big.accidents_by_department"])
    assert [row["vintage"] for row in world.dicts("big.accidents_by_department")] == [2020]


def test_a_log_that_was_cleaned_up_means_a_rebuild(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    world.land(drive("a", at(1), 10))
    build(world.settings, folder=folder)
    world.land(drive("a", at(9), 10))
    table = world.lake.open("core.readings")
    table.create_checkpoint()
    log = world.lake.path("core.readings") / "_delta_log"
    (log / f"{table.version():020d}.json").unlink()
    assert statuses(build(world.settings, folder=folder)) == {"core.days": ("built", 2)}


def test_months_are_published_once_they_are_over(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(big__months=MONTHS)
    for car in FLEET:
        world.land([*drive(car, at(1), 3), *drive(car, at(1, month=6), 3)])
    june = datetime(2024, 6, 15, tzinfo=UTC)
    first = build(world.settings, folder=folder, now=june)
    assert (first.tables[0].periods, first.tables[0].pending) == (1, ("2024-06-01",))
    assert [row["rows"] for row in world.dicts("big.months")] == [36]
    assert statuses(build(world.settings, folder=folder, now=june)) == {"big.months": ("unchanged", 0)}
    world.land(drive("car0", at(2, month=6), 3))  # the open month goes on: still nothing to publish
    version = world.lake.version("big.months")
    assert statuses(build(world.settings, folder=folder, now=june)) == {"big.months": ("unchanged", 0)}
    assert world.lake.version("big.months") == version
    july = june + timedelta(days=16)
    assert statuses(build(world.settings, folder=folder, now=july)) == {"big.months": ("built", 1)}
    assert [row["rows"] for row in world.dicts("big.months")] == [36, 39]
    assert statuses(build(world.settings, folder=folder, now=july)) == {"big.months": ("unchanged", 0)}


def test_an_open_month_waits_even_when_nothing_arrives_any_more(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(big__months=MONTHS)
    for car in FLEET:
        world.land(drive(car, at(1, month=6), 3))
    assert world.lake.version("core.readings") is not None
    report = build(world.settings, folder=folder, now=datetime(2024, 6, 15, tzinfo=UTC))
    assert (report.tables[0].rows, report.tables[0].pending) == (0, ("2024-06-01",))
    assert statuses(build(world.settings, folder=folder, now=datetime(2024, 7, 1, tzinfo=UTC))) == {
        "big.months": ("built", 1)
    }
    assert len(world.rows("big.months")) == 1


def test_only_rows_with_consent_to_statistics_are_counted(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(big__months=MONTHS)
    for car in FLEET:
        world.land(drive(car, at(1), 3))
    world.land(drive("reserved", at(1), 500, consent="service"))
    build(world.settings, folder=folder)
    assert [(row["vehicles"], row["rows"]) for row in world.dicts("big.months")] == [(12, 36)]


def test_cells_of_few_cars_are_counted_as_suppressed_and_not_published(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(big__months=MONTHS)
    for car in FLEET[:10]:
        world.land(drive(car, at(1), 3))
    table = build(world.settings, folder=folder).tables[0]
    assert (table.rows, table.suppressed) == (0, 1)
    assert world.rows("big.months") == []
    assert "dominance" not in world.lake.snapshot("big.months").schema.names
    assert not list(world.lake.path("big.months").rglob("*.parquet"))


def test_an_input_without_consent_is_refused_and_nothing_is_written(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(
        core__days=DAYS,
        big__months=MONTHS.replace("core.readings", "core.days").replace("vehicle,", "rows AS vehicle,"),
    )
    world.land(drive("a", at(1), 3))
    with pytest.raises(GuardError, match=r"core\.days has no column consent"):
        build(world.settings, folder=folder)
    assert not world.lake.exists("big.months")


def test_keys_that_do_not_name_one_row_are_refused(world: World, sql: Callable[..., Path]) -> None:
    text = DAYS.replace("FROM counts", "FROM counts UNION ALL SELECT day, 1 FROM counts")
    world.land(drive("a", at(1), 3))
    with pytest.raises(TablesError, match=r"days\.sql: core\.days has 2 rows for the whole in 2024-05-01"):
        build(world.settings, folder=sql(core__days=text))
    assert not list(world.lake.path("core.days").rglob("*.parquet"))


def test_a_type_that_the_lake_does_not_keep_is_refused(world: World, sql: Callable[..., Path]) -> None:
    world.land(drive("a", at(1), 3))
    text = DAYS.replace("CAST(n + coalesce(lag(n) OVER (ORDER BY day), 0) AS BIGINT)", "INTERVAL 1 DAY")
    with pytest.raises(TablesError, match=r"column rows is of type .*which the lake does not keep"):
        build(world.settings, folder=sql(core__days=text))


def test_a_failing_statement_names_its_file_and_leaves_no_file(world: World, sql: Callable[..., Path]) -> None:
    folder = sql(core__days=DAYS)
    world.land(drive("a", at(1), 3))
    build(world.settings, folder=folder)
    before = world.rows("core.days")
    world.land([reading("a", at(2), "Vehicle.Speed", "not a number")])
    broken = DAYS.replace("count(*) AS n", "count(*) + max(CAST(coalesce(text, '0') AS INTEGER)) AS n")
    with pytest.raises(TablesError, match=r"days\.sql: Conversion Error"):
        build(world.settings, folder=sql(core__days=broken))
    assert world.rows("core.days") == before
    assert len(list(world.lake.path("core.days").rglob("*.parquet"))) == 1


def test_two_builds_do_not_run_at_once(world: World) -> None:
    world.settings.root.mkdir(parents=True)
    with FileLock(world.settings.root / "tables.lock"), pytest.raises(TablesError, match="another build is running"):
        build(world.settings)


def test_the_record_in_the_commit_says_what_was_built_from_what(world: World, sql: Callable[..., Path]) -> None:
    world.land(drive("a", at(1), 3))
    build(world.settings, folder=sql(core__days=DAYS))
    details = world.lake.history("core.days", 1)[0].details
    assert details["inputs"] == {"core.readings": world.lake.version("core.readings")}
    assert details["rows"] == 1


def test_a_column_that_older_files_lack_is_null(world: World, sql: Callable[..., Path]) -> None:
    world.land(drive("a", at(1), 3))
    extended = READINGS_SCHEMA.append(pa.field("quality", pa.float64()))
    rows = [{**row, "quality": 1.0} for row in drive("a", at(2), 3)]
    write_deltalake(
        world.lake.path("core.readings"),
        pa.Table.from_pylist(rows, schema=extended),
        mode="append",
        schema_mode="merge",
        partition_by=["day"],
    )
    text = DAYS.replace("count(*) AS n", "count(quality) AS n")
    build(world.settings, folder=sql(core__days=text))
    assert [row[1] for row in world.rows("core.days")] == [0, 3]


@pytest.mark.parametrize("rows_at_once", [100, 700])
def test_parts_of_a_large_period_give_the_same_rows(
    world: World, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    for car in FLEET:
        world.land([*identity(car, at(1)), *drive(car, at(1), 100)])
    build(world.settings)
    whole = [world.rows(name) for name in ("core.samples", "small.trips")]
    monkeypatch.setattr(compute_module, "ROWS_AT_ONCE", rows_at_once)
    build(world.settings, full=True)
    assert len(world.lake.snapshot("core.samples").files) > 1
    assert [world.rows(name) for name in ("core.samples", "small.trips")] == whole


def _season() -> list[list[dict[str, Any]]]:
    """Batches of a small fleet: trips over midnight, across a month's end, reboots, changing consent."""
    batches = []
    for index, car in enumerate(FLEET):
        consent = "service" if index == 0 else "service+statistics"
        for start in (at(30, 23, 55), at(31, 23, 58), at(1, 7, month=6), at(3, 23, 59, 30, month=6)):
            boot = f"{car}-{start:%d%H}"
            rows = drive(car, start, 150, 40.0 + index, boot=boot, consent=consent)
            rows += [
                reading(
                    car,
                    start + timedelta(seconds=s),
                    "Vehicle.OBD.FuelRate",
                    2 + s % 3,
                    boot=boot,
                    seq=s,
                    row=1,
                    consent=consent,
                )
                for s in range(150)
            ]
            rows += identity(car, start, boot=boot, consent=consent)
            third = len(rows) // 3
            batches += [rows[:third], rows[third : 2 * third], rows[2 * third :]]
    return batches


SEASON = _season()
NAMES = ("core.samples", "small.trips", "big.consumption_by_model")


@pytest.fixture(scope="module")
def one_build(tmp_path_factory: pytest.TempPathFactory) -> list[list[tuple[Any, ...]]]:
    """The tables of the season when all of it is there before the only build."""
    world = World(Settings(home=tmp_path_factory.mktemp("one") / "state"))
    world.land([row for batch in SEASON for row in batch])
    build(world.settings)
    tables = [world.rows(name) for name in NAMES]
    assert all(tables), "the season must fill every table"
    return tables


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), builds=st.sets(st.integers(1, len(SEASON) - 1), max_size=4))
def test_any_order_of_arrival_and_of_builds_gives_the_tables_of_one_build(
    new_world: Callable[[], World], one_build: list[list[tuple[Any, ...]]], seed: int, builds: set[int]
) -> None:
    order = list(range(len(SEASON)))
    random.Random(seed).shuffle(order)
    world = new_world()
    for start, end in zip([0, *sorted(builds)], [*sorted(builds), len(order)], strict=True):
        world.land([row for index in order[start:end] for row in SEASON[index]])
        build(world.settings)
    assert [world.rows(name) for name in NAMES] == one_build


def test_reports_can_be_written_as_json(world: World) -> None:
    world.land(drive("a", at(1), 120))
    json.dumps(asdict(build(world.settings)), default=str)
