"""What the statements of sql/ compute, case by case, and that Spark could run them."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import h3ronpy
import pyarrow as pa
import pytest
import sqlglot
from h3ronpy.vector import coordinates_to_cells
from sqlglot import exp
from table_worlds import ACCIDENTS, USERS, World, at, drive, identity, reading

from pipelines.contracts import contract_names, load_contract
from pipelines.settings import data_folder
from pipelines.tables import build
from pipelines.tables.statements import Statement, read_statements

STATEMENTS = read_statements(data_folder("sql"))


def samples(world: World) -> list[dict[str, Any]]:
    build(world.settings, names=["core.samples"])
    return sorted(world.dicts("core.samples"), key=lambda row: (row["vehicle"], row["ts"]))


def trips(world: World) -> list[dict[str, Any]]:
    build(world.settings, names=["small.trips"])
    return sorted(world.dicts("small.trips"), key=lambda row: (row["vehicle"], row["started_at"]))


# core.samples


def test_a_second_holds_the_last_value_of_each_signal(world: World) -> None:
    start = at(1)
    world.land(
        [
            reading("a", start + timedelta(milliseconds=900), "Vehicle.Speed", 30, seq=1),
            reading("a", start + timedelta(milliseconds=100), "Vehicle.Speed", 10, seq=2),
            reading("a", start + timedelta(milliseconds=500), "Vehicle.CurrentLocation.Altitude", 7, seq=1, row=1),
        ]
    )
    (row,) = samples(world)
    assert (row["ts"], row["speed_kmh"], row["altitude_m"]) == (start, 30.0, 7.0)


def test_of_two_values_at_one_instant_the_one_sent_later_counts(world: World) -> None:
    world.land(
        [
            reading("a", at(1), "Vehicle.Speed", v, seq=s, row=r)
            for v, s, r in ((1, 5, 9), (2, 6, 0), (3, 6, 1), (4, 4, 7))
        ]
    )
    assert [row["speed_kmh"] for row in samples(world)] == [3.0]


@pytest.mark.parametrize(
    ("signal", "value", "column", "limit_s"),
    [
        ("Vehicle.Speed", 50.0, "speed_kmh", 10),
        ("Vehicle.CurrentLocation.Latitude", 48.0, "latitude", 10),
        ("Vehicle.Powertrain.FuelSystem.RelativeLevel", 40.0, "fuel_level_pct", 300),
        ("Vehicle.TraveledDistance", 40.0, "odometer_m", 300),
        ("Vehicle.VehicleIdentification.Brand", "Renault", "brand", 40_000),
        ("Vehicle.Powertrain.TractionBattery.GrossCapacity", 52.0, "battery_capacity_kwh", 40_000),
    ],
)
def test_a_value_holds_for_as_long_as_its_kind_allows(
    world: World, signal: str, value: float | str, column: str, limit_s: int
) -> None:
    heard = [reading("a", at(1) + timedelta(seconds=s), "Vehicle.OBD.Other", 1) for s in (limit_s, limit_s + 1)]
    world.land([reading("a", at(1), signal, value), *heard])
    values = [row[column] for row in samples(world)]
    assert values == [value, value, value if limit_s == 40_000 else None]


def test_values_cross_midnight_within_a_boot_but_not_into_another_boot_or_consent(world: World) -> None:
    late, early = at(1, 23, 59, 58), at(2, 0, 0, 3)
    other = "Vehicle.OBD.Other"
    world.land(
        [
            *identity("a", late),
            reading("a", late, "Vehicle.Speed", 50),
            reading("a", early, other, 1),
            reading("a", early + timedelta(seconds=1), other, 1, boot="another"),
            reading("a", early + timedelta(seconds=2), other, 1, consent="service"),
        ]
    )
    assert [(row["day"].day, row["speed_kmh"], row["brand"]) for row in samples(world)] == [
        (1, 50.0, "Renault"),
        (2, 50.0, "Renault"),
        (2, None, None),
        (2, None, None),
    ]


def test_consent_is_the_strictest_of_the_second_and_driver_the_last_known(world: World) -> None:
    start = at(1)
    world.land(
        [
            reading("a", start, "Vehicle.Speed", 1, driver="d1"),
            reading("a", start + timedelta(milliseconds=300), "Vehicle.Speed", 2, consent="service", driver="d2"),
            reading("a", start + timedelta(seconds=1), "Vehicle.Speed", 3, consent="service"),
        ]
    )
    assert [(row["consent"], row["driver"]) for row in samples(world)] == [("service", "d2"), ("service", "d2")]


# small.trips


def test_a_trip_has_the_integral_of_its_speed(world: World) -> None:
    speeds = [0, 0, 10, 20, 30, *[60] * 300, 30, 10, 0, 0]
    world.land([reading("a", at(1) + timedelta(seconds=s), "Vehicle.Speed", v, seq=s) for s, v in enumerate(speeds)])
    (trip,) = trips(world)
    driven = speeds[2:-2]
    expected = sum((a + b) / 2 for a, b in pairwise(driven)) / 3600
    assert trip["distance_km"] == pytest.approx(expected, abs=1e-6)
    assert trip["duration_s"] == len(driven) - 1
    assert trip["started_at"] == at(1) + timedelta(seconds=2)
    assert trip["mean_speed_kmh"] == pytest.approx(expected / trip["duration_s"] * 3600, abs=1e-3)
    assert (trip["max_speed_kmh"], trip["idle_s"], trip["samples"]) == (60.0, 0, len(driven))


@pytest.mark.parametrize(("pause_s", "count"), [(299, 1), (300, 2)])
@pytest.mark.parametrize("how", ["silent", "standing"])
def test_300_s_without_movement_end_a_trip(world: World, pause_s: int, count: int, how: str) -> None:
    first = drive("a", at(1), 120)
    second = drive("a", at(1) + timedelta(seconds=119 + pause_s), 120)
    between = drive("a", at(1) + timedelta(seconds=120), pause_s - 1, 0.4) if how == "standing" else []
    world.land(first + between + second)
    found = trips(world)
    assert len(found) == count
    if count == 1 and how == "standing":
        assert found[0]["idle_s"] == pause_s - 1


@pytest.mark.parametrize(("gap_s", "count"), [(1, 1), (59, 1), (60, 2)])
def test_a_reboot_on_the_road_does_not_cut_a_trip_a_minute_of_silence_does(
    world: World, gap_s: int, count: int
) -> None:
    start = at(1)
    world.land(drive("a", start, 120, boot="one") + drive("a", start + timedelta(seconds=119 + gap_s), 120, boot="two"))
    assert len(trips(world)) == count


def test_of_a_long_silence_only_a_minute_counts(world: World) -> None:
    world.land(drive("a", at(1), 101, 36.0) + drive("a", at(1) + timedelta(seconds=300), 101, 36.0))
    (trip,) = trips(world)
    assert trip["distance_km"] == pytest.approx(0.01 * (100 + 60 + 100), abs=1e-6)
    assert trip["duration_s"] == 400


def test_a_way_driven_backwards_counts(world: World) -> None:
    world.land(drive("a", at(1), 300, 20.0) + drive("a", at(1, 8, 5), 300, -20.0, boot="second"))
    (trip,) = trips(world)
    forwards, turn, backwards = 299, 1, 299
    assert trip["distance_km"] == pytest.approx((forwards + turn + backwards) * 20 / 3600, abs=1e-5)
    assert (trip["duration_s"], trip["idle_s"], trip["max_speed_kmh"]) == (599, 0, 20)


def test_manoeuvres_are_no_trips(world: World) -> None:
    world.land(
        drive("too short", at(1), 150, 4.0) + drive("too brief", at(1), 60, 100.0) + drive("enough", at(1), 61, 12.1)
    )
    assert [trip["vehicle"] for trip in trips(world)] == ["enough"]


def test_a_trip_over_midnight_is_one_and_belongs_to_the_day_it_began(world: World) -> None:
    world.land(drive("a", at(1, 23, 55), 600) + drive("a", at(2, 12), 600))
    assert [(trip["day"].day, trip["duration_s"]) for trip in trips(world)] == [(1, 599), (2, 599)]


def test_fuel_is_integrated_where_it_is_known_for_most_of_the_trip(world: World) -> None:
    rate = [reading("a", at(1) + timedelta(seconds=s), "Vehicle.OBD.FuelRate", 7.2, seq=s, row=1) for s in range(601)]
    few = [reading("b", at(1) + timedelta(seconds=s), "Vehicle.OBD.FuelRate", 7.2, seq=s, row=1) for s in range(300)]
    world.land(drive("a", at(1), 601, 60.0) + rate + drive("b", at(1), 601, 60.0) + few)
    known, unknown = trips(world)
    assert (known["fuel_l"], known["fuel_l_per_100km"]) == (pytest.approx(1.2), pytest.approx(12.0))
    assert (unknown["fuel_l"], unknown["fuel_l_per_100km"]) == (None, None)


def test_energy_comes_from_power_and_else_from_charge_and_capacity(world: World) -> None:
    battery = "Vehicle.Powertrain.TractionBattery"

    def battery_readings(car: str, **values: list[float]) -> list[dict[str, Any]]:
        return [
            reading(car, at(1) + timedelta(seconds=s), f"{battery}.{path.replace('_', '.')}", value, seq=s, row=row)
            for row, (path, series) in enumerate(values.items(), start=1)
            for s, value in enumerate(series)
        ]

    ramp = [80 - s / 600 for s in range(601)]
    world.land(
        drive("power", at(1), 601, 60.0)
        + battery_readings("power", CurrentPower=[-12_000.0] * 601, StateOfCharge_Current=ramp, NetCapacity=[50.0])
        + drive("charge", at(1), 601, 60.0)
        + battery_readings("charge", StateOfCharge_Displayed=ramp, NetCapacity=[50.0])
        + drive("unknown", at(1), 601, 60.0)
        + battery_readings("unknown", StateOfCharge_Current=ramp)
    )
    found = {trip["vehicle"]: (trip["energy_kwh"], trip["energy_kwh_per_100km"]) for trip in trips(world)}
    assert found["power"] == (pytest.approx(2.0), pytest.approx(20.0))
    assert found["charge"] == (pytest.approx(0.5), pytest.approx(5.0))
    assert found["unknown"] == (None, None)


def test_a_trip_has_the_strictest_consent_and_the_ends_of_its_track(world: World) -> None:
    rows = drive("a", at(1), 100) + drive("a", at(1) + timedelta(seconds=100), 100, consent="service")
    track = [
        reading("a", at(1) + timedelta(seconds=s), f"Vehicle.CurrentLocation.{axis}", base + s / 1000, seq=s, row=row)
        for s in (2, 150)
        for row, axis, base in ((1, "Latitude", 48.0), (2, "Longitude", 2.0))
    ]
    world.land(rows + [{**row, "consent": "service"} if row["seq"] == 150 else row for row in track])
    (trip,) = trips(world)
    assert trip["consent"] == "service"
    ends = [trip[f"{end}_{axis}"] for end in ("start", "end") for axis in ("latitude", "longitude")]
    assert ends == [48.002, 2.002, 48.15, 2.15]


# big.*


def fleet(count: int, **others: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index in range(count):
        car = f"{others.get('model', 'Zoe')}{index}"
        rows += drive(car, at(1), 301, 60.0) + identity(car, at(1), **others)
        rows += [
            reading(car, at(1) + timedelta(seconds=s), "Vehicle.OBD.FuelRate", 6.0, seq=s, row=20) for s in range(301)
        ]
    return rows


def test_consumption_is_published_for_models_with_eleven_cars(world: World) -> None:
    world.land(fleet(11, model="Zoe") + fleet(12, model="Clio") + fleet(10, model="Megane"))
    report = build(world.settings, names=["big.consumption_by_model"])
    # Megane is under the threshold; no total over models is published, so the others need not go with it.
    assert report.tables[-1].suppressed == 1
    row, other = sorted(world.dicts("big.consumption_by_model"), key=lambda each: str(each["model"]))
    assert (other["model"], other["vehicles"]) == ("Zoe", 11)
    assert (row["model"], row["vehicles"], row["trips"]) == ("Clio", 12, 12)
    assert row["fuel_l_per_100km"] == pytest.approx(10.0)
    assert row["distance_km"] == pytest.approx(60.0)
    assert row["energy_kwh_per_100km"] is None


def test_an_energy_that_one_car_of_many_reports_is_not_shown(world: World) -> None:
    power = [
        reading(
            "Zoe0",
            at(1) + timedelta(seconds=s),
            "Vehicle.Powertrain.TractionBattery.CurrentPower",
            -1000.0,
            seq=s,
            row=21,
        )
        for s in range(301)
    ]
    world.land(fleet(12) + power)
    build(world.settings, names=["big.consumption_by_model"])
    # One car makes up the whole of the distance behind the energy: the row goes, not only the figure.
    assert world.dicts("big.consumption_by_model") == []


def test_departments_count_users_by_severity_and_say_what_is_not_known(world: World) -> None:
    rows = [
        {"accident_id": str(i), "vintage": vintage, "department": department}
        for i, (vintage, department) in enumerate(
            [(2019, "01"), (2019, "01"), (2019, "2A"), (2020, "01"), (2020, None)]
        )
    ]
    world.ingest("core.accidents", ACCIDENTS, "r", rows)
    severities = ["killed", "killed", "hospitalised", "slightly injured", "unharmed", None]
    since = {"hospitalised_definition": "from 2019"}
    users = [
        {"accident_id": "0", "vintage": 2019, "user_id": str(i), "severity": s, **since}
        for i, s in enumerate(severities)
    ]
    users.append({"accident_id": "2", "vintage": 2019, "user_id": "x", "severity": "unharmed", **since})
    users.append({"accident_id": "lost", "vintage": 2021, "user_id": "x", "severity": "killed"})
    world.ingest("core.accident_users", USERS, "u", users)
    build(world.settings, names=["big.accidents_by_department"])
    assert world.rows("big.accidents_by_department") == [
        (2019, "01", 2, 1, 2, 1, "from 2019", 1, 1),
        (2019, "2A", 1, 1, 0, 0, "from 2019", 0, 1),
        (2020, "01", 1, 0, None, None, None, None, None),
    ]


def test_black_spots_are_cells_with_five_accidents_over_all_years(world: World) -> None:
    place = {"latitude": 48.8566, "longitude": 2.3522}
    rows = [{"accident_id": f"a{i}", "vintage": 2015 + i, **place} for i in range(5)]
    rows += [{"accident_id": f"b{i}", "vintage": 2015, "latitude": 43.3, "longitude": 5.4} for i in range(4)]
    rows += [{"accident_id": f"c{i}", "vintage": 2015, "latitude": 0.0, "longitude": 0.0} for i in range(9)]
    rows += [{"accident_id": f"d{i}", "vintage": 2022, "latitude": None, "longitude": 2.0} for i in range(9)]
    world.ingest("core.accidents", ACCIDENTS, "r", rows)
    hurt = [
        ("a0", 2015, "killed"),
        ("a1", 2016, "hospitalised"),
        ("a2", 2017, "hospitalised"),
        ("a3", 2018, "hospitalised"),
    ]
    users = [{"accident_id": accident, "vintage": year, "severity": severity} for accident, year, severity in hurt]
    world.ingest("core.accident_users", USERS, "u", users)
    build(world.settings, names=["big.accident_black_spots"])
    (spot,) = world.dicts("big.accident_black_spots")
    cell = coordinates_to_cells(pa.array([place["latitude"]]), pa.array([place["longitude"]]), 9)
    assert spot["cell"] == h3ronpy.cells_to_string(cell)[0].as_py()
    assert (spot["latitude"], spot["longitude"]) == (
        pytest.approx(48.8566, abs=0.003),
        pytest.approx(2.3522, abs=0.003),
    )
    figures = (
        "accidents",
        "accidents_with_users",
        "killed",
        "hospitalised_until_2017",
        "hospitalised_from_2018",
        "first_year",
        "last_year",
        "years_observed",
    )
    assert [spot[name] for name in figures] == [5, 4, 1, 2, 1, 2015, 2019, 5]


STATION_TRAFFIC = pa.schema(
    [
        ("uic_code", pa.string()),
        ("year", pa.int64()),
        ("travellers", pa.float64()),
        ("travellers_and_others", pa.float64()),
        ("edition", pa.int64()),
        ("station", pa.string()),
        ("postcode", pa.string()),
        ("segment_code", pa.string()),
        ("source_sha256", pa.string()),
        ("source_line", pa.int64()),
        ("source_resource", pa.string()),
    ]
)


def test_a_station_is_compared_with_itself_within_one_edition(world: World) -> None:
    counts = [
        ("1", 2018, 50.0, 2018, "Old name"),  # the newest edition leaves this year out
        ("1", 2019, 100.0, 2024, "New name"),
        ("1", 2020, 40.0, 2024, "New name"),
        ("1", 2022, 90.5, 2024, "New name"),
        ("2", 2019, 0.0, 2024, "Closed"),
        ("2", 2020, 7.0, 2024, "Closed"),
    ]
    names = ("uic_code", "year", "travellers", "edition", "station")
    rows = [dict(zip(names, each, strict=True)) for each in counts]
    world.ingest("core.station_traffic", STATION_TRAFFIC, "r", rows)
    build(world.settings, names=["big.station_traffic_trend"])
    shown = ("uic_code", "year", "station", "edition", "change_pct", "index_2019")
    assert [tuple(row[name] for name in shown) for row in world.dicts("big.station_traffic_trend")] == [
        ("1", 2018, "New name", 2018, None, None),
        ("1", 2019, "New name", 2024, None, 100.0),
        ("1", 2020, "New name", 2024, -60.0, 40.0),
        ("1", 2022, "New name", 2024, None, 90.5),
        ("2", 2019, "Closed", 2024, None, None),
        ("2", 2020, "Closed", 2024, None, None),
    ]


POWERS = ("consumption", "thermal", "nuclear", "wind", "solar", "hydro", "bioenergy", "pumping", "exchange")
ELECTRICITY = pa.schema(
    [
        ("region_code", pa.string()),
        ("region", pa.string()),
        ("starts_at", pa.timestamp("us", "UTC")),
        ("day", pa.date32()),
        ("nature_code", pa.string()),
        *[(f"{power}_mw", pa.float64()) for power in POWERS],
        ("source_sha256", pa.string()),
        ("source_line", pa.int64()),
        ("source_resource", pa.string()),
    ]
)


def test_the_most_final_rows_of_a_half_hour_make_a_day_s_energy(world: World) -> None:
    start, day = at(1, hour=0), at(1).date()

    def power(minutes: int, nature: str, consumed: float | None, **others: float) -> dict[str, Any]:
        instant = start + timedelta(minutes=minutes)
        made = {f"{name}_mw": value for name, value in others.items()}
        return (
            {"region_code": "93", "region": "R", "starts_at": instant, "day": day, "nature_code": nature}
            | made
            | {"consumption_mw": consumed}
        )

    rows = [
        power(0, "3", 100.0, wind=10.0, thermal=30.0),
        power(15, "1", 900.0, wind=90.0, thermal=90.0),  # left over from real time: the half-hour has been consolidated
        power(30, "1", 200.0, wind=20.0, thermal=20.0),
        power(45, "1", 400.0, wind=40.0, thermal=20.0),
        power(60, "1", None),  # not measured yet
    ]
    world.ingest("core.electricity_regional", ELECTRICITY, "r", rows)
    build(world.settings, names=["big.energy_mix_by_day"])
    (row,) = world.dicts("big.energy_mix_by_day")
    assert (row["day"], row["half_hours"], row["nature_code"]) == (day, 2, "1")
    assert (row["consumption_mwh"], row["wind_mwh"], row["nuclear_mwh"]) == (100 / 2 + 300 / 2, 10 / 2 + 30 / 2, None)
    assert (row["production_mwh"], row["renewable_pct"], row["covered_pct"]) == (20 + 25, 44.4, 22.5)


# the subset that Spark shares

BROKEN_ON_SPARK = (exp.PercentileCont, exp.Slice, exp.Quantile)
BROKEN_TEXTS = r"time_bucket|asof\s+join|isodow|extract\s*\(\s*(dow|isodow)|list\s*\(\s*distinct|epoch_us|strftime"


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.name)
def test_statements_stay_in_the_subset_that_spark_shares(statement: Statement) -> None:
    (spark,) = sqlglot.transpile(
        statement.sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    assert sqlglot.parse_one(spark, read="spark")
    assert spark_faults(statement.sql) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT quantile_cont(x, 0.5) FROM core.t",
        "SELECT time_bucket(INTERVAL 1 HOUR, ts) FROM core.t",
        "SELECT * FROM core.a ASOF JOIN core.b USING (k, ts)",
        "SELECT isodow(day) FROM core.t",
        "SELECT extract(dow FROM day) FROM core.t",
        "SELECT list(DISTINCT a ORDER BY a) FROM core.t",
        "SELECT name[1:3] FROM core.t",
    ],
)
def test_the_lint_knows_what_breaks(query: str) -> None:
    assert spark_faults(query)


def spark_faults(sql: str) -> list[str]:
    """What is known to break on Spark, or to give another answer there, in a query; comments may speak of it."""
    query = sqlglot.parse_one(sql, read="duckdb")
    found = [node.sql(dialect="duckdb") for node in query.find_all(*BROKEN_ON_SPARK)]
    code = "\n".join(line.partition("--")[0] for line in sql.splitlines())
    return found + [match[0] for match in re.finditer(BROKEN_TEXTS, code, re.IGNORECASE)]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.name)
def test_open_data_columns_that_statements_use_are_in_the_contracts(statement: Statement) -> None:
    tables = {table.qualified_name: table for name in contract_names() for table in load_contract(name).tables}
    used = [tables[name] for name in statement.inputs if name in tables]
    known = {column for table in used for column in table.arrow_schema().names}
    if used and len(used) == len(statement.inputs):
        query = sqlglot.parse_one(statement.sql, read="duckdb")
        made = {alias.alias for alias in query.find_all(exp.Alias)}
        columns = {column.name for column in query.find_all(exp.Column)}
        assert columns - made <= known
