"""Kuksa recordings: a line a value, instants from delays, identities held back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from logs import SHARED, read_real, read_text

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "field,signal,value,delay"
TRUCK, ROUND = (SHARED / "fms" / name for name in ("signalsFmsRecording.csv", "signalsCovesaCvRecording.csv"))
RENAMED = {
    "Vehicle.TraveledDistanceHighRes": "Vehicle.TraveledDistance",
    "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel": "Vehicle.Powertrain.FuelSystem.RelativeLevel",
}


def test_a_line_is_a_reading_at_the_sum_of_delays_and_keeps_its_type(tmp_path: Path) -> None:
    log = read_text(
        tmp_path,
        "fms",
        HEADER,
        "current,Vehicle.Speed,12.5,0.5",
        "current,Vehicle.CurrentOverallWeight,3820,0.25",
        "current,Vehicle.Chassis.ParkingBrake.IsEngaged,True,0",
        "current,Vehicle.Tachograph.Driver.Driver1.WorkingState,DRIVE,1.0",
    )
    assert log.rows == [
        (0, {"Vehicle.Speed": 12.5}),
        (250, {"Vehicle.CurrentOverallWeight": 3820}),
        (250, {"Vehicle.Chassis.ParkingBrake.IsEngaged": True}),
        (1250, {"Vehicle.Tachograph.Driver.Driver1.WorkingState": "DRIVE"}),
    ]
    assert type(log.rows[1][1]["Vehicle.CurrentOverallWeight"]) is int
    assert type(log.rows[2][1]["Vehicle.Chassis.ParkingBrake.IsEngaged"]) is bool


@pytest.mark.parametrize(
    ("line", "column", "value", "reason"),
    [
        ("target,Vehicle.Speed,1,0.5", "field", "target", "is not `current`"),
        ("current,Vehicle Speed,1,0.5", "signal", "Vehicle Speed", "is no VSS path"),
        ("current,,1,0.5", "signal", "", "is no VSS path"),
        ("current,Vehicle.Speed,,0.5", "value", "", "is no number"),
        ("current,Vehicle.Speed,nan,0.5", "value", "nan", "is no number"),
        ("current,Vehicle.Speed,fast,0.5", "value", "fast", "is no number"),
        ("current,Vehicle.Speed,1,soon", "delay", "soon", "is no delay"),
        ("current,Vehicle.Speed,1,-1", "delay", "-1", "is no delay"),
        ("current,Vehicle.Speed,1", "delay", "current,Vehicle.Speed,1", "has 3 cells"),
    ],
)
def test_a_line_that_is_no_reading_is_set_aside_with_its_place(
    tmp_path: Path, line: str, column: str, value: str, reason: str
) -> None:
    good = "current,Vehicle.Speed,1,0.5"
    log = read_text(tmp_path, "fms", HEADER, good, line, good)
    (fault,) = log.rejected
    assert (fault.line, fault.column, fault.value) == (3, column, value)
    assert reason in fault.reason
    assert len(log.rows) + 1 == log.lines == 3


def test_the_delay_of_a_line_that_is_set_aside_still_passes(tmp_path: Path) -> None:
    lines = ("current,Vehicle.Speed,1,0", "target,Vehicle.Speed,1,0.5", "current,Vehicle.Speed,1,0.25")
    assert [at for at, _ in read_text(tmp_path, "fms", HEADER, *lines).rows] == [0, 750]


@pytest.mark.parametrize(
    "line",
    [
        "current,Vehicle.VehicleIdentification.VIN,SECRET,0",
        "current,Vehicle.Tachograph.Driver.Driver1.Identification,SECRET,0",
        "current,Vehicle.VehicleIdentification.VIN,SECRET",  # whatever else is wrong with it
        "target,Vehicle.VehicleIdentification.VIN,SECRET,0",
        "current,Vehicle.VehicleIdentification.VIN,SECRET,soon",
    ],
)
def test_an_identity_is_not_sent_and_not_repeated_in_the_account(tmp_path: Path, line: str) -> None:
    log = read_text(tmp_path, "fms", HEADER, line, "current,Vehicle.Speed,1,0")
    assert [str(values) for _, values in log.rows] == ["{'Vehicle.Speed': 1}"]
    (fault,) = log.rejected
    assert fault.secret
    assert "SECRET" not in str(fault)


@pytest.mark.skipif(not TRUCK.exists(), reason="the truck's recording is not in ../shared/data")
@pytest.mark.parametrize("file", [TRUCK, ROUND], ids=lambda file: file.stem)
def test_the_real_recordings_as_pandas_reads_them(file: Path) -> None:
    theirs = pd.read_csv(file, dtype=str)
    vin = theirs["signal"].str.endswith(".VIN")
    log = read_real("fms", f"fms/{file.name}")
    assert log.lines == len(theirs)
    assert len(log.rejected) == vin.sum() == (1 if file is TRUCK else 0)
    assert len(log.rows) == len(theirs) - vin.sum()
    ours: dict[str, list[float | str]] = {}
    for _, values in log.rows:
        ((path, value),) = values.items()
        ours.setdefault(path, []).append(value)  # type: ignore[arg-type]
    wanted = theirs[~vin].groupby(theirs["signal"].replace(RENAMED))["value"]
    assert ours.keys() == set(wanted.groups)
    for path, texts in wanted:
        numbers = pd.to_numeric(texts.replace({"True": "1", "False": "0"}), errors="coerce")
        if numbers.isna().any():
            assert ours[path] == texts.tolist()
        else:
            assert [float(value) for value in ours[path]] == numbers.tolist()
    assert log.rows[-1][0] == pytest.approx(1000 * theirs["delay"].astype(float)[~vin].iloc[1:].sum(), abs=600)


@pytest.mark.skipif(not TRUCK.exists(), reason="the truck's recording is not in ../shared/data")
def test_values_sent_once_a_second_come_out_whole_seconds_apart() -> None:
    rows = read_real("fms", "fms/signalsFmsRecording.csv").rows
    for path in ("Vehicle.Exterior.AirTemperature", "Vehicle.Powertrain.FuelSystem.RelativeLevel"):
        gaps = np.diff([at for at, values in rows if path in values]) / 1000
        assert math.sqrt(np.mean((gaps - np.round(gaps)) ** 2)) < 0.003


@pytest.mark.skipif(not TRUCK.exists(), reason="the truck's recording is not in ../shared/data")
def test_the_trucks_odometer_grows_by_the_integral_of_its_speed() -> None:
    rows = read_real("fms", "fms/signalsFmsRecording.csv").rows
    speed = [(at / 1000, values["Vehicle.Speed"]) for at, values in rows if "Vehicle.Speed" in values]
    odometer = [values["Vehicle.TraveledDistance"] for _, values in rows if "Vehicle.TraveledDistance" in values]
    times, kmh = np.array(speed, float).T
    assert np.trapezoid(kmh / 3.6, times) == pytest.approx(odometer[-1] - odometer[0], rel=0.005)
