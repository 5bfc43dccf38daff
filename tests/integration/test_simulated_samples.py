"""From simulated cars over a real broker to core.samples: held against pandas, and the size in the lake against the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from pipelines.collect import Collector, Until, collect, compact_readings
from pipelines.collect.tables import PARTITION, READINGS, READINGS_SCHEMA
from pipelines.fleet.simulate import SimulationReport, simulate
from pipelines.lake import Lake, Provenance
from pipelines.progress import Silent
from pipelines.settings import Settings, load_settings
from pipelines.tables import build

if TYPE_CHECKING:
    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto

START = datetime(2026, 3, 2, tzinfo=UTC)
AGES_S = {"speed_kmh": 10, "engine_rpm": 10, "latitude": 10, "fuel_level_pct": 300, "air_c": 300, "brand": 10**9}
SIGNALS = {
    "Vehicle.Speed": "speed_kmh",
    "Vehicle.Powertrain.CombustionEngine.Speed": "engine_rpm",
    "Vehicle.CurrentLocation.Latitude": "latitude",
    "Vehicle.Powertrain.FuelSystem.RelativeLevel": "fuel_level_pct",
    "Vehicle.Exterior.AirTemperature": "air_c",
    "Vehicle.VehicleIdentification.Brand": "brand",
}


@pytest.fixture
def settings(mosquitto: Mosquitto, tmp_path: Any) -> Settings:
    return load_settings(home=tmp_path / "home", mqtt_url=mosquitto.url, land_seconds=0.5)


def driven(settings: Settings, vehicles: int, trips: int) -> SimulationReport:
    """What so many cars drove is in the lake."""
    collector = Collector(settings)
    thread = Thread(target=collector.run)
    thread.start()
    assert collector.ready.wait(20)
    report = simulate(
        settings, vehicles=vehicles, trips=trips, start=START, consent="service+statistics", progress=Silent()
    )
    collector.stop()  # a fleet makes pauses of any length; what is still at the broker comes to the next run
    thread.join()
    collect(settings, until=Until(idle_s=2))
    return report


def readings(settings: Settings) -> pd.DataFrame:
    return Lake(settings.lake).open(READINGS).to_pyarrow_table().to_pandas()


def samples(settings: Settings) -> pd.DataFrame:
    build(settings, names=["core.samples"])
    table = Lake(settings.lake).open("core.samples").to_pyarrow_table().to_pandas()
    return table.sort_values(["vehicle", "boot", "ts"]).reset_index(drop=True)


def expected(frame: pd.DataFrame) -> pd.DataFrame:
    """The same columns by other means: the last value of a second, then of the seconds before, unless it is too old."""
    frame = frame.assign(second=frame["ts"].dt.floor("s"), column=frame["signal"].map(SIGNALS))
    every = frame[["vehicle", "boot", "second"]].drop_duplicates()
    said = frame.dropna(subset=["column"]).sort_values(["ts", "seq", "row"])
    last = said.groupby(["vehicle", "boot", "second", "column"]).tail(1)
    for column, age in AGES_S.items():
        mine = last[last["column"] == column]
        mine = mine.assign(**{column: mine["text" if column == "brand" else "value"]})
        every = pd.merge_asof(
            every.sort_values("second"),
            mine[["vehicle", "boot", "second", column]].sort_values("second"),
            on="second",
            by=["vehicle", "boot"],
            tolerance=pd.Timedelta(seconds=age),
        )
    return every.rename(columns={"second": "ts"}).sort_values(["vehicle", "boot", "ts"]).reset_index(drop=True)


def check(settings: Settings) -> None:
    found, wanted = samples(settings), expected(readings(settings))
    assert len(found) == len(wanted) > 500
    assert (found[["vehicle", "boot"]] == wanted[["vehicle", "boot"]]).all(axis=None)
    assert (found["ts"] == wanted["ts"]).all()
    for column in AGES_S:
        same = (found[column] == wanted[column]) | (found[column].isna() & wanted[column].isna())
        assert same.all(), column
        assert found[column].notna().any(), column


def test_samples_are_what_pandas_makes_of_a_trip_and_late_readings_open_their_day_again(settings: Settings) -> None:
    driven(settings, vehicles=3, trips=1)
    check(settings)
    lake = Lake(settings.lake)
    whole = readings(settings)
    late = whole[whole["signal"] == "Vehicle.Speed"].iloc[100:400].copy()
    late["seq"] += 1_000_000
    late["ts"] += pd.Timedelta(milliseconds=300)
    late["value"] += 1
    other = whole[whole["signal"] == "Vehicle.Speed"].iloc[:50].copy()
    for name in ("ts", "received_at"):
        other[name] += timedelta(days=5)
    other["day"] += timedelta(days=5)
    other["boot"] = "another"  # what a car is holds for its boot, and as far as the day before
    for rows in (other, late):
        table = READINGS_SCHEMA.empty_table().from_pandas(
            rows.replace({np.nan: None}), READINGS_SCHEMA, preserve_index=False
        )
        lake.append(READINGS, table, Provenance("collect"), partition_by=PARTITION)
        report = build(settings, names=["core.samples"])
        (built,) = (each for each in report.tables if each.name == "core.samples")
        assert built.periods in (1, 2)  # the day, and the one after it, which looks back at it
    check(settings)


def test_a_reading_takes_a_fifteenth_of_the_json_on_the_wire(settings: Settings) -> None:
    report = driven(settings, vehicles=12, trips=2)
    lake = Lake(settings.lake)
    days = {each.partition["day"] for each in lake.snapshot(READINGS).files}
    compacted = compact_readings(settings, [datetime.fromisoformat(str(day)).date() for day in days])
    files = lake.snapshot(READINGS).files
    rows = sum(each.rows or 0 for each in files)
    assert rows == report.published.readings
    assert compacted.duplicates == 0
    ratio = report.published.bytes / sum(each.size for each in files)
    assert ratio >= 15, f"{ratio:.1f}:1 with {sum(each.size for each in files) / rows:.2f} bytes a reading"
