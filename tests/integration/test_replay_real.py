"""Real logs, replayed through a real broker and the collector into core.readings, counted again with plain pandas."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pipelines.collect import Collector, Until
from pipelines.fleet.replay import replay
from pipelines.lake.duck import connect
from pipelines.lake.store import Lake
from pipelines.progress import Silent
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from conftest import Mosquitto

    from pipelines.fleet.account import ReplayReport
    from pipelines.settings import Settings

pytestmark = pytest.mark.mosquitto

SHARED = Path(__file__).parents[2] / "../shared/data/vehicles"
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
ATTRIBUTES = ("Vehicle.VehicleIdentification.", "Vehicle.Powertrain.Type", "Vehicle.Powertrain.CombustionEngine.Displ")
ENGINE = "Vehicle.Powertrain.CombustionEngine"
CAROBD = {
    "Vehicle.OBD.RunTime": "ENGINE_RUN_TINE",
    f"{ENGINE}.Speed": "ENGINE_RPM",
    "Vehicle.Speed": "VEHICLE_SPEED",
    f"{ENGINE}.TPS": "THROTTLE",
    "Vehicle.OBD.EngineLoad": "ENGINE_LOAD",
    f"{ENGINE}.EngineCoolant.Temperature": "COOLANT_TEMPERATURE",
    "Vehicle.OBD.LongTermFuelTrim1": "LONG_TERM_FUEL_TRIM_BANK_1",
    f"{ENGINE}.MAP": "INTAKE_MANIFOLD_PRESSURE",
    "Vehicle.Powertrain.FuelSystem.RelativeLevel": "FUEL_TANK",
    "Vehicle.OBD.TimingAdvance": "TIMING_ADVANCE",
    "Vehicle.OBD.Catalyst.Bank1.Temperature1": "CATALYST_TEMPERATURE_BANK1_SENSOR1",
    "Vehicle.OBD.ControlModuleVoltage": "CONTROL_MODULE_VOLTAGE",
    "Vehicle.OBD.WarmupsSinceDTCClear": "WARM_UPS_SINCE_CODES_CLEARED",
}
OBD_DRIVERS = {
    "Vehicle.Speed": ("SPEED", "km/h"),
    "Vehicle.OBD.MAF": ("MAF", "g/s"),
    f"{ENGINE}.Speed": ("ENGINE_RPM", "RPM"),
    f"{ENGINE}.TPS": ("THROTTLE_POS", "%"),
    f"{ENGINE}.MAP": ("INTAKE_MANIFOLD_PRESSURE", "kPa"),
    f"{ENGINE}.EngineCoolant.Temperature": ("ENGINE_COOLANT_TEMP", "C"),
    "Vehicle.OBD.AmbientAirTemperature": ("AMBIENT_AIR_TEMP", "C"),
    "Vehicle.OBD.EngineLoad": ("ENGINE_LOAD", "%"),
}
RENAMED = {
    "Vehicle.TraveledDistanceHighRes": "Vehicle.TraveledDistance",
    "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel": "Vehicle.Powertrain.FuelSystem.RelativeLevel",
}
AXES = {"East": "x", "North": "y", "Vertical": "z"}


@pytest.fixture
def settings(mosquitto: Mosquitto, tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path / "home", mqtt_url=mosquitto.url, land_seconds=0.3)


def real(*names: str) -> list[Path]:
    files = [SHARED / name for name in names]
    if not all(file.exists() for file in files):
        pytest.skip(f"{', '.join(names)} not in ../shared/data")
    return files


def collected(files: list[Path], settings: Settings, **more: Any) -> ReplayReport:
    """Replay as fast as the broker takes it, and land all of it; the broker keeps it for the collector meanwhile."""
    Collector(settings, until=Until(idle_s=0.1), progress=Silent()).run()
    report = replay(files, None, settings, speed=0, progress=Silent(), **more)
    Collector(settings, until=Until(idle_s=2), progress=Silent()).run()
    return report


def landed(settings: Settings, select: str, table: str = "core.readings") -> list[dict[str, Any]]:
    """What ``select`` finds in ``t``."""
    lake = Lake(settings.lake)
    if not lake.exists(table):
        return []
    con = connect(settings)
    try:
        found: list[dict[str, Any]] = (
            con.sql(f"WITH t AS (SELECT * FROM {lake.relation_sql(table)} AS t) {select}").to_arrow_table().to_pylist()
        )
        return found
    finally:
        con.close()


def figures(settings: Settings) -> dict[str, tuple[int, float, float, float]]:
    """Count, sum, least and greatest value by signal, without the attributes that say which car it is."""
    found = landed(
        settings, "SELECT signal, count(*) n, sum(value) s, min(value) a, max(value) z FROM t GROUP BY signal"
    )
    return {
        each["signal"]: (each["n"], each["s"], each["a"], each["z"])
        for each in found
        if not each["signal"].startswith(ATTRIBUTES)
    }


def of(values: pd.Series) -> Any:
    """The same figures of a column that pandas has read."""
    return (len(values), pytest.approx(values.sum()), pytest.approx(values.min()), pytest.approx(values.max()))


def doubles(settings: Settings) -> list[dict[str, Any]]:
    keys = "vehicle, boot, seq, row, signal"
    return landed(settings, f"SELECT {keys} FROM t GROUP BY ALL HAVING count(*) > 1")


def test_carobd(settings: Settings) -> None:
    files = real("carobd/live1.csv", "carobd/drive1.csv", "carobd/idle29.csv")
    report = collected(files, settings, start=START)
    theirs = pd.concat(pd.read_csv(file, index_col=False) for file in files)
    theirs.columns = pd.Index([name.split()[0] for name in theirs.columns])
    assert sum(file.lines for file in report.files) == report.published.rows == len(theirs) == 9374
    got = figures(settings)
    assert len(got) == 26  # 27 values but the one that the car does not answer
    assert {name: got[path] for path, name in CAROBD.items()} == {name: of(theirs[name]) for name in CAROBD.values()}
    assert sorted(count for count, *_ in got.values()) == [len(theirs)] * 26
    assert doubles(settings) == landed(settings, "FROM t", "quarantine.messages") == []
    # An hour apart, in the order given.
    firsts = landed(settings, "SELECT boot, min(ts) AS begin, max(ts) AS until FROM t GROUP BY boot ORDER BY begin")
    assert firsts[0]["begin"] == START
    assert [(b["begin"] - a["until"]).total_seconds() for a, b in pairwise(firsts)] == [3600, 3600]


def test_obd_drivers(settings: Settings, tmp_path: Path) -> None:
    files = real("obd_drivers/19drivers.csv")
    report = collected(files, settings, rejects=tmp_path / "rejects.csv")
    theirs = pd.read_csv(files[0], sep=";", dtype=str, keep_default_na=False)
    (file,) = report.files
    assert file.lines == file.rows + sum(file.set_aside.values()) == len(theirs) == 8261
    assert report.published.rows == file.rows == 8251
    vehicles = landed(settings, "SELECT vehicle, count(DISTINCT (boot, seq, row)) n FROM t GROUP BY vehicle")
    assert len(vehicles) == len(report.vehicles) == 19
    lost = [fault.line - 2 for fault in file.rejected]
    kept = theirs.drop(index=lost)
    assert sorted(each["n"] for each in vehicles) == sorted(kept["VEHICLE_ID"].value_counts())
    got = figures(settings)
    for path, (name, unit) in OBD_DRIVERS.items():
        texts = kept[name][kept[name].str.endswith(unit)].str.removesuffix(unit).str.replace(",", ".")
        assert got[path] == of(texts.astype(float)), path
    fixes = kept["LATITUDE"] != "0.0"
    for path in ("Latitude", "Longitude", "Altitude"):
        assert got[f"Vehicle.CurrentLocation.{path}"][0] == fixes.sum()
    assert -5.9 < got["Vehicle.CurrentLocation.Latitude"][2] < got["Vehicle.CurrentLocation.Latitude"][3] < -5.8
    assert doubles(settings) == landed(settings, "FROM t", "quarantine.messages") == []
    # Nothing is lost: each line and cell that was not published is in the file of rejects, with the log's own text.
    with (tmp_path / "rejects.csv").open(encoding="utf-8", newline="") as handle:
        rejects = list(csv.DictReader(handle))
    assert Counter(row["scope"] for row in rejects) == {"line": len(file.rejected), "cell": len(file.left_out)}
    text = files[0].read_text(encoding="utf-8").splitlines()
    assert all(row["text"] == text[int(row["line"]) - 1] for row in rejects)


@pytest.mark.parametrize("name", ["signalsFmsRecording.csv", "signalsCovesaCvRecording.csv"])
def test_fms(settings: Settings, name: str) -> None:
    files = real(f"fms/{name}")
    report = collected(files, settings, start=START)
    theirs = pd.read_csv(files[0], dtype=str)
    theirs = theirs[~theirs["signal"].str.endswith(".VIN")]
    assert report.published.rows == len(theirs) == report.files[0].lines - len(report.rejected)
    wanted = theirs["signal"].replace(RENAMED)
    got = landed(settings, "SELECT signal, count(*) n FROM t GROUP BY signal")
    assert {each["signal"]: each["n"] for each in got} == wanted.value_counts().to_dict()
    numeric = theirs.assign(signal=wanted, value=pd.to_numeric(theirs["value"], errors="coerce")).dropna()
    by_signal = figures(settings)
    for path, values in numeric.groupby("signal")["value"]:
        assert by_signal[path] == of(values), path
    assert doubles(settings) == landed(settings, "FROM t", "quarantine.messages") == []


def test_the_trucks_vin_is_nowhere_in_what_is_kept(settings: Settings) -> None:
    files = real("fms/signalsFmsRecording.csv")
    vin = files[0].read_text(encoding="utf-8").splitlines()[1].split(",")[2].encode()
    collected(files, settings, start=START)
    kept = [file.read_bytes() for file in settings.home.rglob("*") if file.is_file()]
    assert len(vin) == 17
    assert not any(vin in content for content in kept)
    texts = landed(settings, "SELECT DISTINCT text FROM t WHERE text IS NOT NULL")
    assert vin.decode() not in {each["text"] for each in texts}


def test_driver_behavior(settings: Settings, tmp_path: Path) -> None:
    files = real("driver_behavior/20_aceleracaoLinear_terra.csv", "driver_behavior/21_aceleracaoLinear_terra.csv")
    report = collected(files, settings, truth=tmp_path / "truth.jsonl")
    theirs = pd.concat(pd.read_csv(file) for file in files)
    assert report.published.rows == len(theirs) == 71_192
    got = figures(settings)
    assert got == {f"Vehicle.Acceleration.{path}": of(theirs[axis]) for path, axis in AXES.items()}
    assert doubles(settings) == landed(settings, "FROM t", "quarantine.messages") == []
    truth = pd.read_json(tmp_path / "truth.jsonl", lines=True)
    labels = pd.concat(pd.read_csv(f.with_name(f.name[:2] + "_groundTruth.csv"), skipinitialspace=True) for f in files)
    assert len(truth) == len(labels) == 39
    assert (truth["kind"] == "calm").sum() == (labels["evento"] == "evento_nao_agressivo").sum()
    spans = landed(settings, "SELECT boot, min(ts) first, max(ts) AS last FROM t GROUP BY boot")
    of_boot = {each["boot"]: each for each in spans}
    for event in truth.itertuples():
        assert of_boot[event.boot]["first"] <= pd.Timestamp(event.start) < pd.Timestamp(event.end)
        assert pd.Timestamp(event.end) <= of_boot[event.boot]["last"]


def test_of_a_silent_car_nothing_lands(settings: Settings) -> None:
    report = collected(real("carobd/idle29.csv"), settings, start=START, consent="silent")
    assert report.published.rows == 2812
    assert landed(settings, "FROM t") == []


def test_a_second_replay_of_a_log_without_a_clock_lands_nothing_new(settings: Settings) -> None:
    files = real("fms/signalsCovesaCvRecording.csv")
    collected(files, settings)
    once = landed(settings, "SELECT count(*) n FROM t")
    collected(files, settings)  # later by now: other instants, the same drive
    assert landed(settings, "SELECT count(*) n FROM t") == once == [{"n": 1885}]
