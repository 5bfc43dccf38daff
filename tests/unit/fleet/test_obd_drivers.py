"""The log of nineteen drivers: each fault of the spreadsheet and the adapter made up, and the real file against pandas."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from logs import SHARED, column, read_real, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.fleet.layouts import Log

REAL = SHARED / "obd_drivers/19drivers.csv"
TITLES = [
    *("TIME", "LATITUDE", "LONGITUDE", "ALTITUDE", "VEHICLE_ID", "ENGINE_RPM", "MAF", "SPEED", "ENGINE_RUNTIME"),
    *("THROTTLE_POS", "DTC_NUMBER", "TIMING_ADVANCE", "EQUIV_RATIO", "FUEL_TYPE"),
]
GOOD = {
    "TIME": "1,51336E+12",
    "LATITUDE": "-58.321.307",
    "LONGITUDE": "-3.520.429.461",
    "ALTITUDE": "46.0",
    "VEHICLE_ID": "s11",
    "ENGINE_RPM": "2124RPM",
    "MAF": "24,77g/s",
    "SPEED": "48km/h",
    "THROTTLE_POS": "34,90%",
    "DTC_NUMBER": "MIL is OFF0 codes",
    "TIMING_ADVANCE": "66,70%",
    "EQUIV_RATIO": "1,00%",
    "FUEL_TYPE": "",
}
LATITUDE, LONGITUDE, ALTITUDE = (f"Vehicle.CurrentLocation.{name}" for name in ("Latitude", "Longitude", "Altitude"))
ADVANCE, MAF, SPEED = "Vehicle.OBD.TimingAdvance", "Vehicle.OBD.MAF", "Vehicle.Speed"
TPS = "Vehicle.Powertrain.CombustionEngine.TPS"
MIL, CODES = "Vehicle.OBD.Status.IsMILOn", "Vehicle.OBD.Status.DTCCount"
FRAGMENT = "1:6032000007E803"
PIECE = "is a piece of the adapter's raw answer to something else"


def clock(seconds: int | None) -> str:
    return "" if seconds is None else f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def line(run_s: int | None, **cells: str) -> str:
    return ";".join({**GOOD, "ENGINE_RUNTIME": clock(run_s), **cells}[title] for title in TITLES)


def read(folder: Path, *lines: str) -> Log:
    return read_text(folder, "obd_drivers", ";".join(TITLES), *lines)


def seconds(log: Log, drive: int = 0) -> list[float]:
    instants = [at / 1000 for at, _ in log.drives[drive].rows]
    return [at - instants[0] for at in instants]


def test_a_line_becomes_readings_in_vss_units(tmp_path: Path) -> None:
    ((_, values),) = read(tmp_path, line(182)).rows
    assert values == {
        LATITUDE: -5.8321307,
        LONGITUDE: -35.20429461,
        ALTITUDE: 46.0,
        "Vehicle.Powertrain.CombustionEngine.Speed": 2124.0,
        MAF: 24.77,
        SPEED: 48.0,
        "Vehicle.OBD.RunTime": 182,
        TPS: 34.9,
        MIL: False,
        CODES: 0,
        ADVANCE: 21.0,  # 66.7 % of 255 is byte 170: 170/2 - 64
        "Vehicle.OBD.CommandedEquivalenceRatio": 1.0,
    }


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        ("-583.251.443", "-3.520.323.709", (-5.83251443, -35.20323709)),
        ("-589.055", "-351.980.478", (-5.89055, -35.1980478)),  # zeros at the end are gone
        ("-5.854.067", "-3.520.023", (-5.854067, -35.20023)),
    ],
)
def test_coordinates_get_their_decimal_point_back(
    tmp_path: Path, latitude: str, longitude: str, place: tuple[float, float]
) -> None:
    log = read(tmp_path, line(1, LATITUDE=latitude, LONGITUDE=longitude))
    assert (column(log, LATITUDE), column(log, LONGITUDE)) == ([place[0]], [place[1]])


@pytest.mark.parametrize("bad", ["-12.345.678", "58.321.307", "-58.32.1307", "-5,83", "north"])
def test_coordinates_that_are_no_place_of_the_log_are_left_out(tmp_path: Path, bad: str) -> None:
    log = read(tmp_path, line(1, LATITUDE=bad))
    assert column(log, LATITUDE) == []
    assert [(fault.line, fault.column, fault.value) for fault in log.left_out] == [(2, "LATITUDE", bad)]
    assert len(log.rows) == 1


def test_without_a_fix_position_and_altitude_are_left_out(tmp_path: Path) -> None:
    log = read(tmp_path, line(1, LATITUDE="0.0", LONGITUDE="0.0", ALTITUDE="0.0"))
    assert column(log, LATITUDE) == column(log, LONGITUDE) == column(log, ALTITUDE) == []
    assert [fault.column for fault in log.left_out] == ["LATITUDE", "LONGITUDE", "ALTITUDE"]
    assert column(log, SPEED) == [48.0]


@pytest.mark.parametrize("byte", [0, 97, 128, 170, 205, 255])
def test_the_spark_advance_is_found_again_from_the_share_of_the_byte(tmp_path: Path, byte: int) -> None:
    share = f"{byte / 255 * 100:.1f}0%".replace(".", ",")
    assert column(read(tmp_path, line(1, TIMING_ADVANCE=share)), ADVANCE) == [byte / 2 - 64]


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        ("MAF", FRAGMENT, PIECE),
        ("SPEED", FRAGMENT, PIECE),
        ("TIMING_ADVANCE", FRAGMENT, PIECE),
        ("TIMING_ADVANCE", "66,90%", "is no byte's share of 255, and so no spark advance"),
        ("THROTTLE_POS", "20", "has lost its unit: the record was cut here, digits may be missing"),
        ("SPEED", "48mph", "does not read as a value of its column"),
        ("EQUIV_RATIO", "0,00%", "is no mixture that burns"),
        ("DTC_NUMBER", FRAGMENT, "does not say how many fault codes there are"),
        ("ENGINE_RUNTIME", FRAGMENT, "is no run time (hours:minutes:seconds)"),
    ],
)
def test_a_broken_cell_is_left_out_with_what_is_known_of_it(tmp_path: Path, cell: str, value: str, reason: str) -> None:
    log = read(tmp_path, line(1), line(5, **{cell: value}), line(9))
    assert [(f.line, f.column, f.value, f.reason) for f in log.left_out] == [(3, cell, value, reason)]
    assert len(log.rows) == 3


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("MIL is ON2 codes", (True, 2)),
        ("4101000761001:00410100076100", (False, 0)),
        ("4101830761001:00410183076100", (True, 3)),
    ],
)
def test_fault_codes_are_read_from_words_and_from_the_raw_answer(
    tmp_path: Path, text: str, codes: tuple[bool, int]
) -> None:
    log = read(tmp_path, line(1, DTC_NUMBER=text))
    assert (column(log, MIL), column(log, CODES)) == ([codes[0]], [codes[1]])


def test_instants_lie_in_the_interval_that_the_rounded_time_leaves(tmp_path: Path) -> None:
    log = read(tmp_path, *(line(run_s) for run_s in range(180, 1980, 4)))
    instants = [at for at, _ in log.rows]
    assert 1_513_355_000_000 <= instants[0] < instants[-1] <= 1_513_365_000_000
    assert instants[0] - 1_513_355_000_000 == pytest.approx(1_513_365_000_000 - instants[-1], abs=1000)
    assert {b - a for a, b in pairwise(instants)} == {4000}
    assert "known to within 4 102 s" in log.remarks[0]  # (10,000 - 1,796 + 1) / 2


@pytest.mark.parametrize("short", ["1,5133E+12", "1,513E+12", "1,5E+12"])
def test_a_spreadsheet_drops_zeros_at_the_end_of_a_time(tmp_path: Path, short: str) -> None:
    ((instant, _),) = read(tmp_path, line(1, TIME=short)).rows
    assert instant == pytest.approx(float(short.replace(",", ".")), abs=1000)


def test_a_rounded_time_that_changes_within_a_drive_tells_the_instant_to_seconds(tmp_path: Path) -> None:
    turn = 1_513_345_000_000  # half way between 1.51334 and 1.51335
    start = turn - 1_000_500
    lines = [line(s, TIME="1,51334E+12" if start + s * 1000 < turn else "1,51335E+12") for s in range(100, 1900, 4)]
    log = read(tmp_path, *lines)
    assert log.rows[0][0] == pytest.approx(start + 100_000, abs=3000)
    assert "known to within 2 s" in log.remarks[0]


def test_times_that_contradict_the_run_time_set_the_drive_aside(tmp_path: Path) -> None:
    log = read(tmp_path, line(1), line(5, TIME="1,51436E+12"), line(1, VEHICLE_ID="s5"))
    assert [(fault.line, fault.column) for fault in log.rejected] == [(2, "TIME"), (3, "TIME")]
    assert "contradicts the run times" in log.rejected[0].reason
    assert [drive.vehicle for drive in log.drives] == ["s5"]


@pytest.mark.parametrize("bad", ["", "12:00", "9,51336E+12", "1,51336E+02"])
def test_a_time_that_tells_nothing_costs_nothing_while_another_line_has_one(tmp_path: Path, bad: str) -> None:
    log = read(tmp_path, line(1), line(5, TIME=bad))
    assert seconds(log) == [0, 4]
    alone = read(tmp_path, line(1, TIME=bad))
    assert alone.rows == []
    assert [fault.reason for fault in alone.rejected] == [
        "is no time, and no line of this car has both a time and a run time"
    ]


def test_a_line_between_two_near_ones_is_placed_between_them(tmp_path: Path) -> None:
    log = read(tmp_path, line(100), line(None), line(None, ENGINE_RUNTIME=FRAGMENT), line(112))
    assert seconds(log) == [0, 4, 8, 12]
    assert log.repaired == [3, 4]


def test_a_line_between_two_distant_ones_or_at_an_end_cannot_be_placed(tmp_path: Path) -> None:
    log = read(tmp_path, line(None), line(100), line(None), line(161), line(None))
    assert seconds(log) == [0, 61]
    assert [fault.line for fault in log.rejected] == [2, 4, 6]
    assert len(log.rows) + len(log.rejected) == log.lines == 5


def test_a_run_time_that_stands_still_places_no_line(tmp_path: Path) -> None:
    log = read(tmp_path, *(line(run_s) for run_s in (100, 104, 104, 104)))
    assert seconds(log) == [0, 4]
    assert [fault.line for fault in log.rejected] == [4, 5]


def test_an_engine_started_again_goes_on_one_step_later_and_says_so(tmp_path: Path) -> None:
    log = read(tmp_path, *(line(run_s) for run_s in (460, 0, 4, 8)))
    assert seconds(log) == [0, 4, 8, 12]
    assert "line 3: the engine was started again (460 s, then 0 s)" in log.remarks[0]


def test_each_vehicle_has_a_drive_of_its_own(tmp_path: Path) -> None:
    log = read(tmp_path, line(1), line(5), line(7, VEHICLE_ID="s5"), line(1, VEHICLE_ID="a/b"), line(1, VEHICLE_ID=""))
    assert [(drive.vehicle, len(drive.rows)) for drive in log.drives] == [("s11", 2), ("s5", 1)]
    assert [(fault.line, fault.column) for fault in log.rejected] == [(5, "VEHICLE_ID"), (6, "VEHICLE_ID")]


# -- the real file, read again without any of our code ----------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs() -> pd.DataFrame:
    if not REAL.exists():
        pytest.skip("19drivers.csv is not in ../shared/data")
    return pd.read_csv(REAL, sep=";", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def ours(theirs: pd.DataFrame) -> Log:
    return read_real("obd_drivers", "obd_drivers/19drivers.csv")


def test_every_line_of_the_real_file_is_accounted_for(ours: Log, theirs: pd.DataFrame) -> None:
    assert len(ours.rows) + len(ours.rejected) == ours.lines == len(theirs) == 8261
    untimed = theirs["ENGINE_RUNTIME"].eq("") | theirs["ENGINE_RUNTIME"].eq("1:6032000007E804")
    frozen = theirs["ENGINE_RUNTIME"].eq(theirs["ENGINE_RUNTIME"].shift()) & ~untimed
    lost = {fault.line for fault in ours.rejected}
    assert lost | set(ours.repaired) == {int(at) + 2 for at in np.flatnonzero(untimed | frozen)}
    assert (len(lost), len(ours.repaired)) == (10, 33)
    counts = theirs.loc[[at for at in theirs.index if at + 2 not in lost], "VEHICLE_ID"].value_counts()
    assert {drive.vehicle: len(drive.rows) for drive in ours.drives} == counts.to_dict()


@pytest.mark.parametrize(
    ("path", "name", "unit"),
    [
        (SPEED, "SPEED", "km/h"),
        (MAF, "MAF", "g/s"),
        (TPS, "THROTTLE_POS", "%"),
        ("Vehicle.Powertrain.CombustionEngine.Speed", "ENGINE_RPM", "RPM"),
        ("Vehicle.Powertrain.CombustionEngine.MAP", "INTAKE_MANIFOLD_PRESSURE", "kPa"),
        ("Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", "ENGINE_COOLANT_TEMP", "C"),
        ("Vehicle.Powertrain.FuelSystem.RelativeLevel", "FUEL_LEVEL", "%"),
        ("Vehicle.OBD.EngineLoad", "ENGINE_LOAD", "%"),
        ("Vehicle.OBD.AmbientAirTemperature", "AMBIENT_AIR_TEMP", "C"),
        ("Vehicle.OBD.IntakeTemp", "AIR_INTAKE_TEMP", "C"),
        ("Vehicle.OBD.BarometricPressure", "BAROMETRIC_PRESSURE", "kPa"),
        ("Vehicle.OBD.ShortTermFuelTrim1", "Short Term Fuel Trim Bank 1", "%"),
    ],
)
def test_the_real_readings_as_pandas_reads_them(
    ours: Log, theirs: pd.DataFrame, path: str, name: str, unit: str
) -> None:
    lost = [fault.line - 2 for fault in ours.rejected]
    cells = theirs[name].drop(index=lost)
    texts = cells[cells.str.endswith(unit)].str.removesuffix(unit).str.replace(",", ".")
    wanted = texts.astype(float)
    got = column(ours, path)
    assert len(got) == len(wanted) > 8000
    assert (min(got), max(got)) == (wanted.min(), wanted.max())
    assert sum(got) == pytest.approx(wanted.sum())
    left = Counter(fault.column for fault in ours.left_out)
    assert left[name] == ((cells != "") & ~cells.str.endswith(unit)).sum()


def test_the_real_positions_move_as_fast_as_the_car_says(ours: Log) -> None:
    """The decimal points stand where they must: with one more or fewer the way would be ten times as long or short."""
    by_place = by_speed = 0.0
    for drive in ours.drives:
        for (at, one), (then, other) in pairwise(drive.rows):
            if LATITUDE in one and LATITUDE in other and SPEED in one and SPEED in other and then - at < 10_000:
                north = np.radians(other[LATITUDE] - one[LATITUDE]) * 6_371_000
                east = np.radians(other[LONGITUDE] - one[LONGITUDE]) * 6_371_000 * np.cos(np.radians(5.8))
                by_place += float(np.hypot(north, east))
                by_speed += (one[SPEED] + other[SPEED]) / 7.2 * (then - at) / 1000
    assert by_speed > 200_000
    assert by_place == pytest.approx(by_speed, rel=0.1)


def test_every_real_spark_advance_is_a_byte(ours: Log, theirs: pd.DataFrame) -> None:
    lost = [fault.line - 2 for fault in ours.rejected]
    cells = theirs["TIMING_ADVANCE"].drop(index=lost)
    shares = cells[cells.str.endswith("%")].str.removesuffix("%").str.replace(",", ".").astype(float)
    got = np.array(column(ours, ADVANCE))
    assert len(got) == len(shares)
    assert np.abs((got + 64) * 2 / 255 * 100 - shares.to_numpy()).max() < 0.051
    assert (got.min(), got.max()) == (-15.5, 38.5)


def test_the_real_times_lie_in_what_the_spreadsheet_left_of_them(ours: Log, theirs: pd.DataFrame) -> None:
    rounded = {drive.vehicle: drive for drive in ours.drives}
    for vehicle, mine in theirs.groupby("VEHICLE_ID"):
        times = mine["TIME"].str.replace(",", ".").astype(float)
        rows = rounded[vehicle].rows
        assert rows[0][0] >= times.min() - 5e6 - 2000
        assert rows[-1][0] <= times.max() + 5e6 + 2000
        assert all(a[0] < b[0] for a, b in pairwise(rows))
    known = {re.match(r"(s\d+): from", remark)[1] for remark in ours.remarks if " known to within 2 s" in remark}
    assert known == {"s10"}  # the one drive whose rounded time changes under way
    first = datetime.fromtimestamp(rounded["s10"].rows[0][0] / 1000, UTC)
    assert first == datetime(2017, 12, 15, 13, 32, 4, tzinfo=UTC).replace(microsecond=first.microsecond)


def test_all_real_fault_code_cells_are_read_but_the_pieces(ours: Log, theirs: pd.DataFrame) -> None:
    lost = [fault.line - 2 for fault in ours.rejected]
    cells = theirs["DTC_NUMBER"].drop(index=lost)
    assert Counter(column(ours, CODES)) == {0: int((cells.ne("") & ~cells.str.startswith("1:")).sum())}
    assert not any(column(ours, MIL))
