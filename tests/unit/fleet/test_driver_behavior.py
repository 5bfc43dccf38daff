"""Phone logs: the earth's frame, the clock between two counters, labelled events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from logs import SHARED, column, read_real, read_text

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.fleet.layouts import Log

REAL = sorted(SHARED.glob("driver_behavior/*_ace*.csv"))
HEADER = "timestamp,uptimeNanos,x,y,z"
EAST, NORTH, UP = (f"Vehicle.Acceleration.{axis}" for axis in ("East", "North", "Vertical"))
BOOT = 1_463_338_024.3  # epoch seconds at uptime 0; 15 May 2016, 18:47:04.3 UTC
LINEAR, GRAVITY = "7_aceleracaoLinear_terra.csv", "7_acelerometro_terra.csv"


def samples(count: int, step_s: float = 0.02, z: str = "-0.1") -> list[str]:
    return [
        f"{pd.Timestamp(math.floor(BOOT + n * step_s) - 10_800, unit='s'):%d/%m/%Y %H:%M:%S},{round(n * step_s * 1e9) + 1},"
        f"0.5,-0.25,{z}"
        for n in range(count)
    ]


def read(folder: Path, *lines: str, name: str = LINEAR) -> Log:
    return read_text(folder, "driver_behavior", HEADER, *lines, name=name)


def test_axes_are_east_north_and_up_and_instants_are_finer_than_the_timestamps(tmp_path: Path) -> None:
    log = read(tmp_path, *samples(500))
    assert log.rows[0][1] == {EAST: 0.5, NORTH: -0.25, UP: -0.1}
    instants = [at for at, _ in log.rows]
    assert instants[0] == pytest.approx(BOOT * 1000, abs=11)  # half the step: no timestamp tells more
    assert set(np.diff(instants)) == {20}


def test_an_accelerometer_holds_gravity_which_is_taken_off(tmp_path: Path) -> None:
    log = read(tmp_path, *samples(50, z="9.90665"), name=GRAVITY)
    assert column(log, UP) == pytest.approx([0.1] * 50)


def test_a_gyroscope_gives_yaw_in_degrees(tmp_path: Path) -> None:
    log = read(tmp_path, *samples(50, z="0.5"), name="7_giroscopio_terra.csv")
    assert log.rows[0][1] == {"Vehicle.AngularVelocity.Yaw": pytest.approx(28.6479, abs=1e-4)}
    assert log.dropped_columns == ["x", "y"]


@pytest.mark.parametrize(
    ("name", "z", "message"),
    [
        ("7_campoMagnetico_terra.csv", "0", "does not tell which sensor"),
        ("log.csv", "0", "does not tell which sensor"),
        (LINEAR, "9.8", r"says aceleracaolinear, but z is 9.80 m/s² in the mean"),
        (GRAVITY, "0.1", r"says acelerometro, but z is 0.10 m/s² in the mean"),
    ],
)
def test_a_file_whose_name_and_content_do_not_agree_is_refused(tmp_path: Path, name: str, z: str, message: str) -> None:
    with pytest.raises(ConformError, match=message):
        read(tmp_path, *samples(50, z=z), name=name)


@pytest.mark.parametrize(
    "bad", ["", "31/02/2016 10:00:00", "15/05/2036 15:47:05", "15/05/1970 15:47:05", "16/05/2016 15:47:05"]
)
def test_a_timestamp_that_cannot_be_is_replaced_by_the_uptime(tmp_path: Path, bad: str) -> None:
    lines = samples(500)
    clean = read(tmp_path, *lines).rows
    lines[100] = bad + lines[100][lines[100].index(",") :]
    log = read(tmp_path, *lines)
    assert log.rows == clean
    assert log.repaired == [102]


def test_a_log_without_a_possible_timestamp_has_no_rows(tmp_path: Path) -> None:
    log = read(tmp_path, *(f"soon,{n},0,0,0" for n in range(5)))
    assert log.rows == []
    assert [fault.line for fault in log.rejected] == [2, 3, 4, 5, 6]
    assert log.repaired == []


@pytest.mark.parametrize("bad", ["", "-5", "1e9", "900000000"])
def test_an_uptime_that_does_not_run_on_sets_its_line_aside(tmp_path: Path, bad: str) -> None:
    lines = samples(100)
    stamp, _, rest = lines[50].split(",", 2)
    lines[50] = f"{stamp},{bad},{rest}"
    log = read(tmp_path, *lines)
    assert [(fault.line, fault.column, fault.value) for fault in log.rejected] == [(52, "uptimeNanos", bad)]
    assert len(log.rows) + 1 == log.lines == 100


def test_an_axis_that_does_not_read_is_left_out_alone(tmp_path: Path) -> None:
    lines = samples(100)
    lines[50] = lines[50].replace("-0.25", "?")
    log = read(tmp_path, *lines)
    assert [(fault.line, fault.column, fault.value) for fault in log.left_out] == [(52, "y", "?")]
    assert log.rows[50][1] == {EAST: 0.5, UP: -0.1}


def test_events_come_with_their_instants_in_order(tmp_path: Path) -> None:
    (tmp_path / "7_groundTruth.csv").write_text(
        "evento, inicio, fim\nfreada_agressiva,5.5,7\nevento_nao_agressivo,1,2.25\n", encoding="utf-8"
    )
    log = read(tmp_path, *samples(500))
    first = log.rows[0][0]
    assert [(e.kind, e.start_ms - first, e.end_ms - first, e.line) for e in log.events] == [
        ("calm", 1000, 2250, 3),
        ("harsh_braking", 5500, 7000, 2),
    ]


@pytest.mark.parametrize(
    "bad", ["meteorito,1,2", "freada_agressiva,2,1", "freada_agressiva,1,", "freada_agressiva,1,99", "x"]
)
def test_an_event_that_cannot_be_is_left_out_with_its_place(tmp_path: Path, bad: str) -> None:
    (tmp_path / "7_groundTruth.csv").write_text(f"evento, inicio, fim\n{bad}\nfreada_agressiva,1,2\n", encoding="utf-8")
    log = read(tmp_path, *samples(500))
    assert len(log.events) == 1
    assert [(fault.file.name, fault.line) for fault in log.left_out] == [("7_groundTruth.csv", 2)]
    assert len(log.rows) == 500


@pytest.mark.skipif(len(REAL) != 3, reason="the driver behavior logs are not in ../shared/data")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_the_real_logs_as_pandas_reads_them(file: Path) -> None:
    theirs = pd.read_csv(file)
    log = read_real("driver_behavior", f"driver_behavior/{file.name}")
    assert len(log.rows) == log.lines == len(theirs)
    assert (log.rejected, log.left_out, log.repaired) == ([], [], [])
    gravity = 9.80665 if "acelerometro" in file.name else 0
    for path, wanted in ((EAST, theirs["x"]), (NORTH, theirs["y"]), (UP, theirs["z"] - gravity)):
        assert np.array(column(log, path)) == pytest.approx(wanted.to_numpy(), abs=1e-12)
    instants = np.array([at for at, _ in log.rows])
    uptime_ms = theirs["uptimeNanos"].to_numpy() / 1e6
    assert np.abs((instants - instants[0]) - (uptime_ms - uptime_ms[0])).max() <= 1
    stamps = pd.to_datetime(theirs["timestamp"], format="%d/%m/%Y %H:%M:%S") + pd.Timedelta(hours=3)  # to UTC
    ahead = instants - stamps.to_numpy().astype("datetime64[ms]").astype(np.int64)
    assert ahead.min() > -10  # the timestamp is the second in which the line was written
    assert ahead.max() < 1010
    labels = pd.read_csv(file.with_name(file.name[:2] + "_groundTruth.csv"), skipinitialspace=True)
    assert len(log.events) == len(labels)
    assert sum(event.kind == "calm" for event in log.events) == (labels["evento"] == "evento_nao_agressivo").sum()
    lengths = sum(event.end_ms - event.start_ms for event in log.events) / 1000
    assert lengths == pytest.approx((labels["fim"] - labels["inicio"]).sum())


@pytest.mark.skipif(len(REAL) != 3, reason="the driver behavior logs are not in ../shared/data")
def test_the_labels_lie_where_the_readings_are_harsh() -> None:
    """Half a second's mean of the horizontal acceleration, in g: harsh turns and braking over 0.29, calm below 0.3."""
    peaks: dict[str, list[float]] = {}
    for name in ("20_aceleracaoLinear_terra.csv", "21_aceleracaoLinear_terra.csv"):
        log = read_real("driver_behavior", f"driver_behavior/{name}")
        frame = pd.DataFrame([values for _, values in log.rows], index=[at for at, _ in log.rows])
        force = pd.Series(np.hypot(frame[EAST], frame[NORTH]) / 9.80665, index=frame.index)
        for event in log.events:
            peaks.setdefault(event.kind, []).append(force.loc[event.start_ms : event.end_ms].rolling(25).mean().max())
    assert min(peaks["harsh_braking"]) > 0.29
    assert min(peaks["harsh_right_turn"] + peaks["harsh_left_turn"]) > 0.36
    assert max(peaks["calm"]) < 0.3


@pytest.mark.skipif(len(REAL) != 3, reason="the driver behavior logs are not in ../shared/data")
def test_in_a_right_turn_the_force_turns_clockwise_from_east_over_south() -> None:
    """x is east, y north and z up: with another handedness the labelled turns would turn the other way."""
    log = read_real("driver_behavior", "driver_behavior/20_aceleracaoLinear_terra.csv")
    frame = pd.DataFrame([values for _, values in log.rows], index=[at for at, _ in log.rows])
    smooth = frame[[EAST, NORTH]].rolling(25, center=True).mean()
    turned = {"harsh_right_turn": [], "harsh_left_turn": []}
    for event in log.events:
        if event.kind in turned:
            east, north = smooth.loc[event.start_ms : event.end_ms].to_numpy().T
            strong = np.hypot(east, north) > 1.5
            angle = np.unwrap(np.arctan2(north[strong], east[strong]))
            turned[event.kind].append(angle[-1] - angle[0])
    assert np.median(turned["harsh_right_turn"]) < -0.5
    assert np.median(turned["harsh_left_turn"]) > 0.5
