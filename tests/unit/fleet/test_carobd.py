"""carOBD logs: the pace found again from the run time, zeros, and the real files against plain pandas."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from logs import SHARED, column, read_real, read_text

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

REAL = sorted(SHARED.glob("carobd/*.csv"))
PACE_S, ROUND_S = 0.4923, 1.8  # of the published logs: a line, and a round of questions
HEADER = "ENGINE_RUN_TINE (),ENGINE_RPM (),VEHICLE_SPEED (),COOLANT_TEMPERATURE (),FUEL_AIR_COMMANDED_EQUIV_RATIO ()"
RUN_TIME = "Vehicle.OBD.RunTime"
SPEED = "Vehicle.Speed"
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"
COOLANT = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"
RATIO = "Vehicle.OBD.CommandedEquivalenceRatio"


def drive(lines: int, pace_s: float = PACE_S, begin_s: float = -2.0) -> list[float]:
    """When each line was written, in seconds after the engine's start."""
    return [begin_s + pace_s * line for line in range(lines)]


def run_time(at: float) -> int:
    """What a line holds: the run time that the car told in the last round, cut to seconds."""
    return max(0, math.floor(math.floor(at / ROUND_S) * ROUND_S))


def written(instants: list[float], speed: str = "30.0", ratio: str = "0.000000") -> list[str]:
    return [f"{run_time(at):.6f}, {0 if at < 0 else 900}.0, {speed}, 81.0, {ratio}," for at in instants]


def test_the_pace_is_found_again_and_lines_are_even(tmp_path: Path) -> None:
    truth = drive(600)
    log = read_text(tmp_path, "carobd", HEADER, *written(truth), end="\r\n")
    got = [at / 1000 for at, _ in log.rows]
    assert got == pytest.approx([at - truth[0] for at in truth], abs=0.15)  # 0.1 % of the pace, over 295 s
    assert [round(b - a, 2) for a, b in pairwise(got)] == [0.49] * 599
    assert len(log.rows) == log.lines == 600


def test_lines_before_the_engine_runs_are_readings(tmp_path: Path) -> None:
    log = read_text(tmp_path, "carobd", HEADER, *written(drive(100)))
    assert [rpm for rpm in column(log, RPM) if rpm == 0] == [0, 0, 0, 0, 0]
    assert log.rejected == []


def test_a_line_of_zeros_alone_is_set_aside_and_keeps_its_place_in_time(tmp_path: Path) -> None:
    lines = written(drive(100))
    lines[50] = "0.000000, 0.0, 0.0, 0.0, 0.0,"
    log = read_text(tmp_path, "carobd", HEADER, *lines)
    (fault,) = log.rejected
    assert (fault.line, fault.reason) == (52, "holds zeros alone: the logger had no answer of the car yet")
    assert len(log.rows) == 99
    assert log.rows[50][0] - log.rows[49][0] == pytest.approx(2 * PACE_S * 1000, abs=10)


def test_a_ratio_that_is_always_zero_is_a_column_without_answer(tmp_path: Path) -> None:
    log = read_text(tmp_path, "carobd", HEADER, *written(drive(100)))
    assert column(log, RATIO) == []
    assert log.left_out == []
    assert log.dropped_columns == ["FUEL_AIR_COMMANDED_EQUIV_RATIO ()"]


def test_a_single_zero_ratio_is_left_out(tmp_path: Path) -> None:
    lines = written(drive(100), ratio="0.98")
    lines[60] = lines[60].replace("0.98", "0.0")
    log = read_text(tmp_path, "carobd", HEADER, *lines)
    assert column(log, RATIO) == [0.98] * 99
    assert [(fault.line, fault.value) for fault in log.left_out] == [(62, "0.0")]


def test_an_engine_started_again_goes_on_at_the_pace(tmp_path: Path) -> None:
    again = [*drive(200), *drive(200)]
    log = read_text(tmp_path, "carobd", HEADER, *written(again))
    steps = {b[0] - a[0] for a, b in pairwise(log.rows)}
    assert min(steps) > 480
    assert max(steps) < 500


def test_lines_that_are_missing_leave_a_gap_of_their_length(tmp_path: Path) -> None:
    truth = drive(600)
    log = read_text(tmp_path, "carobd", HEADER, *written(truth[:200] + truth[400:]))
    gap = (log.rows[200][0] - log.rows[199][0]) / 1000
    assert gap == pytest.approx(201 * PACE_S, abs=1.0)  # as near as a run time in whole seconds tells


@pytest.mark.parametrize("bad", ["", "n/a", "nan"])
def test_a_run_time_that_does_not_read_costs_the_cell_alone(tmp_path: Path, bad: str) -> None:
    lines = written(drive(200))
    lines[100] = bad + lines[100][lines[100].index(",") :]
    log = read_text(tmp_path, "carobd", HEADER, *lines)
    assert len(log.rows) == 200
    assert len(column(log, RUN_TIME)) == 199
    assert [fault.line for fault in log.left_out] == ([102] if bad else [])
    assert log.rows[100][0] - log.rows[99][0] in range(490, 495)


def test_a_line_cut_short_is_set_aside(tmp_path: Path) -> None:
    lines = written(drive(100))
    lines[70] = "34.0, 900.0"
    log = read_text(tmp_path, "carobd", HEADER, *lines)
    assert [(fault.line, fault.reason) for fault in log.rejected] == [(72, "has 2 cells, the header has 5")]
    assert len(log.rows) + len(log.rejected) == log.lines == 100


@pytest.mark.parametrize("instants", [drive(10), [5.0] * 100, []])
def test_a_log_whose_pace_cannot_be_measured_is_refused(tmp_path: Path, instants: list[float]) -> None:
    with pytest.raises(ConformError, match="its pace cannot be measured: the engine's run time takes"):
        read_text(tmp_path, "carobd", HEADER, *written(instants))


def test_a_log_without_run_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConformError, match="no column of the engine's run time"):
        read_text(tmp_path, "carobd", "ENGINE_RPM (),VEHICLE_SPEED (),COOLANT_TEMPERATURE ()", "900,0,81")


@pytest.mark.skipif(len(REAL) != 3, reason="the three carOBD logs are not in ../shared/data")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_the_real_logs_as_pandas_reads_them(file: Path) -> None:
    theirs = pd.read_csv(file, index_col=False)
    theirs.columns = pd.Index([name.split()[0] for name in theirs.columns])
    log = read_real("carobd", f"carobd/{file.name}")
    assert len(log.rows) == log.lines == len(theirs)
    assert (log.rejected, log.left_out) == ([], [])
    ours = pd.DataFrame([values for _, values in log.rows])
    assert len(ours.columns) == len(theirs.columns) - 1  # the ratio that the car does not answer
    assert ours.notna().all().all()
    for path, name in {
        RUN_TIME: "ENGINE_RUN_TINE",
        RPM: "ENGINE_RPM",
        SPEED: "VEHICLE_SPEED",
        COOLANT: "COOLANT_TEMPERATURE",
        "Vehicle.Powertrain.CombustionEngine.MAP": "INTAKE_MANIFOLD_PRESSURE",
        "Vehicle.Powertrain.CombustionEngine.TPS": "THROTTLE",
        "Vehicle.OBD.TimingAdvance": "TIMING_ADVANCE",
        "Vehicle.OBD.Catalyst.Bank1.Temperature2": "CATALYST_TEMPERATURE_BANK1_SENSOR2",
        "Vehicle.OBD.TimeSinceDTCCleared": "TIME_SINCE_TROUBLE_CODES_CLEARED",
        "Vehicle.OBD.WarmupsSinceDTCClear": "WARM_UPS_SINCE_CODES_CLEARED",
    }.items():
        assert (ours[path].to_numpy() == theirs[name].to_numpy()).all(), path
    totals = sorted(theirs.drop(columns="FUEL_AIR_COMMANDED_EQUIV_RATIO").sum())
    assert sorted(ours.sum()) == pytest.approx(totals)
    assert (theirs["FUEL_AIR_COMMANDED_EQUIV_RATIO"] == 0).all()


@pytest.mark.skipif(len(REAL) != 3, reason="the three carOBD logs are not in ../shared/data")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_the_instants_of_the_real_logs_follow_the_run_time(file: Path) -> None:
    run_times = pd.read_csv(file, index_col=False).iloc[:, 0].to_numpy()
    running = np.flatnonzero(run_times > 0)
    log = read_real("carobd", f"carobd/{file.name}")
    instants = np.array([at for at, _ in log.rows]) / 1000
    behind = (instants - run_times)[running]
    assert np.ptp(behind) < ROUND_S + 1  # never further apart than a round of questions and a second of rounding
    assert abs(np.polyfit(running, behind, 1)[0]) < 1e-4  # and not drifting: 0.1 ms a line
    lasts = (run_times[-1] - run_times[running[0]]) / (running[-1] - running[0])  # a measure without regression
    assert np.diff(instants).mean() == pytest.approx(lasts, rel=2e-3)


@pytest.mark.skipif(len(REAL) != 3, reason="the three carOBD logs are not in ../shared/data")
def test_the_zeros_at_the_start_of_the_real_logs_are_an_engine_that_does_not_run() -> None:
    for file in REAL:
        stopped = [values for _, values in read_real("carobd", f"carobd/{file.name}").rows if values[RPM] == 0]
        assert 3 <= len(stopped) <= 6
        for values in stopped:
            assert (
                abs(values["Vehicle.Powertrain.CombustionEngine.MAP"] - values["Vehicle.OBD.BarometricPressure"]) <= 1
            )
            assert values["Vehicle.OBD.ControlModuleVoltage"] < 12.6
