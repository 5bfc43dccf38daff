"""Real logs of a real car, from core.readings to trips, held against plain pandas; and a build that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.collect.tables import READINGS_SCHEMA
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings
from pipelines.tables import build, open_query

TWIZY = Path(__file__).parents[2] / "../shared/data/vehicles/twizy_ev"
SIGNALS = {
    "Speed": "Vehicle.Speed",
    "Soc": "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed",
    "LAT": "Vehicle.CurrentLocation.Latitude",
    "LON": "Vehicle.CurrentLocation.Longitude",
    "ALT": "Vehicle.CurrentLocation.Altitude",
}


def twizy_logs() -> dict[str, pd.DataFrame]:
    """Each file with a column ts; rows with an impossible date are left out, as are those of no log at all."""
    if not TWIZY.is_dir():
        pytest.skip("the Twizy logs are not beside this checkout (../shared/data/vehicles/twizy_ev)")
    logs = {}
    for file in sorted(TWIZY.glob("*.csv")):
        log = pd.read_csv(file)
        ts = pd.to_datetime(log["Date"] + " " + log["Time"], format="%m/%d/%Y %H:%M:%S", errors="coerce", utc=True)
        log["ts"] = ts.where(ts.dt.date == ts.dt.date.mode()[0])
        logs[file.stem] = log.dropna(subset=["ts"]).reset_index(drop=True)
    return logs


def land(lake: Lake, logs: dict[str, pd.DataFrame]) -> None:
    """The logs as the collector lands them: one car, a boot a file."""
    for boot, log in logs.items():
        long = log.assign(seq=range(len(log))).melt(["ts", "seq"], list(SIGNALS), "column", "value")
        rows = pd.DataFrame(
            {
                "day": long["ts"].dt.date,
                "vehicle": "twizy",
                "driver": None,
                "boot": boot,
                "seq": long["seq"],
                "row": long["column"].map({name: index for index, name in enumerate(SIGNALS)}),
                "ts": long["ts"],
                "signal": long["column"].map(SIGNALS),
                "type": "float",
                "value": long["value"],
                "text": None,
                "known": True,
                "consent": "service+statistics",
                "received_at": long["ts"],
                "tenant": None,
            }
        )
        table = pa.Table.from_pandas(rows, schema=READINGS_SCHEMA, preserve_index=False)
        lake.append("core.readings", table, Provenance("collect", boot), partition_by=["day"])


def test_trips_of_a_real_car_agree_with_its_own_speed_integral(tmp_path: Path) -> None:
    logs = twizy_logs()
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake)
    land(lake, logs)
    report = build(settings)
    assert {table.name: table.status for table in report.tables}["small.trips"] == "built"
    con = open_query(settings, personal=True)
    trips = con.sql("SELECT * FROM small.trips ORDER BY started_at").to_arrow_table().to_pandas()
    samples = con.sql("SELECT count(*) FROM core.samples").fetchall()[0][0]
    con.close()

    expected = sorted((log["ts"].iloc[0], _speed_integral_km(log), name) for name, log in logs.items())
    assert len(expected) == 11
    assert len(trips) == 11
    assert samples == sum(log["ts"].nunique() for log in logs.values())
    for trip, (first, distance_km, name) in zip(trips.itertuples(), expected, strict=True):
        assert trip.distance_km == pytest.approx(distance_km, rel=0.02), name
        assert first <= trip.started_at, name
        assert trip.max_speed_kmh == logs[name]["Speed"].max(), name


def test_logs_that_arrive_in_another_order_give_the_same_tables(tmp_path: Path) -> None:
    logs = twizy_logs()
    names = list(logs)
    orders = [names, names[::-1], names[5:] + names[:5]]
    seen = []
    for index, order in enumerate(orders):
        settings = Settings(home=tmp_path / str(index))
        lake = Lake(settings.lake)
        for part in (order[:4], order[4:]):
            land(lake, {name: logs[name] for name in part})
            build(settings)
        seen.append([_table(lake, name) for name in ("core.samples", "small.trips")])
    assert seen[0] == seen[1] == seen[2]


def test_killed_build_leaves_the_last_version_and_the_next_one_finishes(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake)
    land(lake, _long_drives(days=12))
    script = (
        "from pipelines.settings import Settings; from pipelines.tables import build; "
        f"build(Settings(home={str(tmp_path)!r}))"
    )
    for pause_s in (0.0, 0.1, 0.3, 0.6):
        child = subprocess.Popen([sys.executable, "-c", script])
        while not _work_has_begun(lake) and child.poll() is None:
            time.sleep(0.01)
        time.sleep(pause_s)
        child.send_signal(signal.SIGKILL)
        child.wait()
        for database in (settings.public_db, settings.personal_db):
            if database.exists():
                with duckdb.connect(str(database), read_only=True) as con:
                    con.execute("SELECT * FROM meta.tables").fetchall()
    build(settings)
    built = _table(lake, "small.trips")
    assert len(built) == 12
    build(settings, full=True)
    assert _table(lake, "small.trips") == built


def test_readers_keep_the_file_they_opened_while_new_ones_take_its_place(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake)
    drives = _long_drives(days=4)
    boots = list(drives)
    land(lake, {boots[0]: drives[boots[0]]})
    build(settings)
    open_readers = []
    for count, boot in enumerate(boots[1:], start=1):
        reader = subprocess.Popen(
            [sys.executable, "-c", _READER, str(settings.personal_db)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reader.stdout
        assert int(reader.stdout.readline()) == count
        open_readers.append((reader, count))
        land(lake, {boot: drives[boot]})
        with settings.personal_db.open("rb") as opened:
            before = opened.read()
            build(settings)
            opened.seek(0)
            assert opened.read() == before
        with duckdb.connect(str(settings.personal_db), read_only=True) as con:
            assert con.execute("SELECT count(*) FROM small.trips").fetchone() == (count + 1,)
    for reader, count in open_readers:
        seen, _ = reader.communicate("again\n")
        assert int(seen) == count
        assert reader.returncode == 0


_READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as con:
    print(con.execute("SELECT count(*) FROM small.trips").fetchone()[0], flush=True)
    sys.stdin.readline()
    print(con.execute("SELECT count(*) FROM small.trips WHERE distance_km > 0").fetchone()[0], flush=True)
"""


def _work_has_begun(lake: Lake) -> bool:
    return any(lake.path("core.samples").glob("day=*/*.parquet"))


def _long_drives(days: int) -> dict[str, pd.DataFrame]:
    logs = {}
    for day in range(1, days + 1):
        ts = pd.date_range(f"2024-05-{day:02} 08:00", periods=1800, freq="s", tz="UTC")
        logs[f"boot-{day}"] = pd.DataFrame({"ts": ts, "Speed": 50.0, "Soc": 80.0, "LAT": 48.0, "LON": 2.0, "ALT": 35.0})
    return logs


def _speed_integral_km(log: pd.DataFrame) -> float:
    seconds = (log["ts"] - log["ts"].iloc[0]).dt.total_seconds().to_numpy()
    return float(np.trapezoid(log["Speed"].to_numpy(), seconds)) / 3600


def _table(lake: Lake, name: str) -> list[dict[str, object]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        rows: list[dict[str, object]] = (
            con.sql(f"SELECT * FROM {lake.relation_sql(name)} ORDER BY ALL").to_arrow_table().to_pylist()
        )
    return rows
