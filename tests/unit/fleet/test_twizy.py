"""Twizy logs: the measured faults on generated files, and every line of the real ones accounted for."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import ConformError
from pipelines.fleet.layouts import LAYOUTS, Log

HEADER = "Date,Time,Soc,Speed,Mode,LAT,LON,ALT,GpsSpeed,Temperature,Humidity,Weather,WindSpeedAv,Traffic,SpeedLimit"
REAL = sorted((Path(__file__).parents[3] / "../shared/data/vehicles/twizy_ev").glob("*.csv"))
OLDEST, NEWEST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
SPEED = "Vehicle.Speed"


def line(date: str, time: str, speed: str = "36.0", **cells: str) -> str:
    values = {"soc": "87.5", "mode": "D", "lat": "33.98", "lon": "-6.72", "alt": "140.0", **cells}
    start = ",".join([date, time, values["soc"], speed, values["mode"], values["lat"], values["lon"], values["alt"]])
    return f"{start},35.9,20.0,60.0,Clouds,2.49,0,40.0"


def read(folder: Path, *lines: str, header: str = HEADER, end: str = "\n", mark: str = "") -> Log:
    file = folder / "log.csv"
    file.write_bytes((mark + end.join([header, *lines]) + end).encode())
    return LAYOUTS["twizy"].read(file, OLDEST, NEWEST)


def seconds(log: Log) -> list[str]:
    return [f"{datetime.fromtimestamp(instant / 1000, UTC):%Y-%m-%d %H:%M:%S}" for instant, _ in log.rows]


def test_a_line_becomes_the_readings_that_vss_has_signals_for(tmp_path: Path) -> None:
    log = read(tmp_path, line("03/29/2021", "11:13:45"))
    assert log.rows == [
        (
            1_617_012_825_000,  # 10:13:45 UTC: Morocco was an hour ahead
            {
                "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current": 87.5,
                "Vehicle.Speed": 36.0,
                "Vehicle.Powertrain.Transmission.SelectedGear": 127,
                "Vehicle.CurrentLocation.Latitude": 33.98,
                "Vehicle.CurrentLocation.Longitude": -6.72,
                "Vehicle.CurrentLocation.Altitude": 140.0,
                "Vehicle.Exterior.AirTemperature": 20.0,
                "Vehicle.Exterior.Humidity": 60.0,
                "Vehicle.Exterior.WindSpeed": 2.49,
            },
        )
    ]
    assert log.dropped_columns == ["GpsSpeed", "Weather", "Traffic", "SpeedLimit"]


def test_moroccan_time_in_ramadan_is_utc(tmp_path: Path) -> None:
    assert seconds(read(tmp_path, line("04/22/2021", "08:42:50"))) == ["2021-04-22 08:42:50"]


@pytest.mark.parametrize(
    "bad", ["90/02/2032", "03/00/2000", "02/00/2090", "29/00/2003", "02/02/2090", "03/03/2000", ""]
)
def test_an_impossible_date_is_taken_from_the_neighbours(tmp_path: Path, bad: str) -> None:
    times = [f"12:08:{second:02d}" for second in range(5, 15)]
    dates = ["03/29/2021"] * 2 + [bad] * 6 + ["03/29/2021"] * 2
    log = read(tmp_path, *(line(date, time) for date, time in zip(dates, times, strict=True)))
    assert seconds(log) == [f"2021-03-29 11:08:{second:02d}" for second in range(5, 15)]
    assert log.repaired == [4, 5, 6, 7, 8, 9]
    assert not log.rejected


def test_a_clock_of_another_age_is_not_believed_though_the_log_ends_with_it(tmp_path: Path) -> None:
    dates = ["03/29/2021", "03/29/2021", "02/02/2090", "02/02/2090"]
    log = read(tmp_path, *(line(date, f"12:00:0{second}") for second, date in enumerate(dates)))
    assert seconds(log) == [f"2021-03-29 11:00:0{second}" for second in range(4)]
    assert log.repaired == [4, 5]


def test_a_possible_date_that_the_log_leaves_again_is_not_believed(tmp_path: Path) -> None:
    dates = ["03/29/2021", "03/02/2021", "03/02/2021", "03/29/2021"]
    log = read(tmp_path, *(line(date, f"12:00:0{second}") for second, date in enumerate(dates)))
    assert seconds(log) == [f"2021-03-29 11:00:0{second}" for second in range(4)]
    assert log.repaired == [3, 4]


def test_several_possible_dates_that_the_log_leaves_again_are_not_believed(tmp_path: Path) -> None:
    dates = ["03/29/2021", "03/02/2021", "09/02/2021", "03/29/2021"]
    log = read(tmp_path, *(line(date, f"12:00:0{second}") for second, date in enumerate(dates)))
    assert seconds(log) == [f"2021-03-29 11:00:0{second}" for second in range(4)]
    assert log.repaired == [3, 4]


def test_a_log_without_a_possible_date_has_no_rows_and_lists_every_line(tmp_path: Path) -> None:
    log = read(tmp_path, *(line("90/02/2032", f"12:00:0{second}") for second in range(3)))
    assert log.rows == []
    assert [fault.line for fault in log.rejected] == [2, 3, 4]


def test_a_log_of_one_line(tmp_path: Path) -> None:
    assert seconds(read(tmp_path, line("03/29/2021", "12:00:00"))) == ["2021-03-29 11:00:00"]


def test_columns_in_another_order_and_columns_nobody_knows(tmp_path: Path) -> None:
    log = read(tmp_path, "x,36.0,12:00:00,140.0,03/29/2021,1.5", header="Driver,SPEED,time,Alt,DATE,Torque")
    ((_, values),) = log.rows
    assert values == {SPEED: 36.0, "Vehicle.CurrentLocation.Altitude": 140.0}
    assert log.dropped_columns == ["Driver", "Torque"]


def test_a_header_that_ends_with_a_comma(tmp_path: Path) -> None:
    rows = [line("03/29/2021", "12:00:00"), line("03/29/2021", "12:00:01") + ","]
    log = read(tmp_path, *rows, header=HEADER + ",")
    assert (len(log.rows), log.rejected) == (2, [])
    assert log.dropped_columns == ["GpsSpeed", "Weather", "Traffic", "SpeedLimit"]


def test_a_header_in_the_middle_is_listed_as_what_it_is_not(tmp_path: Path) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00"), HEADER, line("03/29/2021", "12:00:01"))
    assert len(log.rows) == 2
    assert [(fault.line, fault.column, fault.value) for fault in log.rejected] == [(3, "Time", "Time")]


def test_a_drive_across_midnight_and_a_log_of_two_days_are_believed(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        line("03/29/2021", "23:59:58"),
        line("00/00/2000", "23:59:59"),
        line("00/00/2000", "00:00:00"),
        line("03/30/2021", "00:00:01"),
        line("04/02/2021", "09:00:00"),
    )
    assert seconds(log)[:4] == [f"2021-03-29 22:59:{second}" for second in (58, 59)] + [
        f"2021-03-29 23:00:0{second}" for second in (0, 1)
    ]
    assert seconds(log)[4] == "2021-04-02 08:00:00"
    assert log.repaired == [3, 4]


def test_a_time_that_does_not_lie_between_its_neighbours_is_rejected_and_listed(tmp_path: Path) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00"), line("90/02/2032", "15:00:00"), line("03/29/2021", "12:00:02"))
    assert len(log.rows) == 2
    (fault,) = log.rejected
    assert (fault.line, fault.column, fault.value) == (3, "Date", "90/02/2032")
    assert "log.csv, line 3, column Date: '90/02/2032' is no possible date" in str(fault)


def test_at_the_ends_of_a_log_the_one_neighbour_must_be_near(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        line("00/00/2000", "11:00:00"),  # an hour before
        line("00/00/2000", "11:59:59"),
        line("03/29/2021", "12:00:00"),
        line("00/00/2000", "12:00:01"),
        line("00/00/2000", "11:00:00"),  # backwards
    )
    assert log.repaired == [3, 5]
    assert [fault.line for fault in log.rejected] == [2, 6]


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("03/29/2021,12:00:01,87.5", "Speed", "03/29/2021,12:00:01,87.5"),
        (line("03/29/2021", "25:00:01"), "Time", "25:00:01"),
        (line("03/29/2021", ""), "Time", ""),
        (line("03/29/2021", "12:00:01") + ",7", "", line("03/29/2021", "12:00:01") + ",7"),
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_with_its_place(
    tmp_path: Path, text: str, column: str, value: str
) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00"), text, line("03/29/2021", "12:00:02"))
    assert len(log.rows) == 2
    assert [(fault.line, fault.column, fault.value) for fault in log.rejected] == [(3, column, value)]
    assert log.lines == 3


@pytest.mark.parametrize("speed", ["fast", "nan", "inf", "1_0", "12;5"])
def test_a_cell_that_does_not_cast_is_left_out_and_the_line_kept(tmp_path: Path, speed: str) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00", speed), line("03/29/2021", "12:00:01", mode="X"))
    assert len(log.rows) == 2
    assert SPEED not in log.rows[0][1]
    assert [(fault.line, fault.column, fault.value) for fault in log.left_out] == [
        (2, "Speed", speed),
        (3, "Mode", "X"),
    ]


def test_a_blank_cell_is_no_reading_and_no_fault(tmp_path: Path) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00", ""))
    assert SPEED not in log.rows[0][1]
    assert not log.left_out


def test_a_position_without_a_fix_is_left_out(tmp_path: Path) -> None:
    log = read(tmp_path, line("03/29/2021", "12:00:00", lat="0.000000"))
    assert not {path for path in log.rows[0][1] if path.startswith("Vehicle.CurrentLocation.L")}
    assert [(fault.column, fault.value) for fault in log.left_out] == [("LAT", "0.0"), ("LON", "-6.72")]


def test_byte_order_mark_windows_lines_quotes_blanks_and_unpadded_dates(tmp_path: Path) -> None:
    quoted = ",".join(f'"{cell}"' for cell in line("3/9/2021", "9:05:03").split(","))
    log = read(tmp_path, quoted, "", line(" 3/9/2021 ", "9:05:04"), end="\r\n", mark="\ufeff")
    assert seconds(log) == ["2021-03-09 08:05:03", "2021-03-09 08:05:04"]
    assert log.lines == 2


def test_one_stray_quote_does_not_swallow_the_lines_after_it(tmp_path: Path) -> None:
    lines = [line("03/29/2021", f"12:00:0{second}", soc='"87.5' if second == 1 else "87.5") for second in range(5)]
    assert len(read(tmp_path, *lines).rows) == 5


def test_out_of_order_and_repeated_seconds_are_all_kept_in_order_of_time(tmp_path: Path) -> None:
    log = read(tmp_path, *(line("03/29/2021", f"12:00:0{second}", f"{second}") for second in (1, 0, 2, 2)))
    assert [values[SPEED] for _, values in log.rows] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("<!DOCTYPE html>\n<html></html>\n", "no header with the columns date and time, but '<!DOCTYPE html>'"),
        ("a,b,c\n1,2,3\n", "no header with the columns date and time, but 'a,b,c'"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "no.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConformError, match=message):
        LAYOUTS["twizy"].read(file, OLDEST, NEWEST)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConformError, match="cannot be read: No such file"):
        LAYOUTS["twizy"].read(tmp_path / "no.csv", OLDEST, NEWEST)


@pytest.mark.skipif(not REAL, reason="the Twizy logs are not in ../shared/data")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_every_line_of_the_real_logs_is_accounted_for(file: Path) -> None:
    with file.open(newline="", encoding="utf-8") as text:
        theirs = list(csv.DictReader(text))
    log = LAYOUTS["twizy"].read(file, OLDEST, NEWEST)
    assert len(log.rows) + len(log.rejected) == log.lines == len(theirs)
    assert not log.rejected
    assert sum(float(values[SPEED]) for _, values in log.rows) == pytest.approx(
        sum(float(row["Speed"]) for row in theirs)
    )
    instants = [instant for instant, _ in log.rows]
    assert instants == list(range(instants[0], instants[-1] + 1, 1000))  # a line a second, as the clock column says


@pytest.mark.skipif(len(REAL) != 11, reason="the eleven Twizy logs are not in ../shared/data")
def test_the_measured_faults_of_the_real_logs() -> None:
    logs = [LAYOUTS["twizy"].read(file, OLDEST, NEWEST) for file in REAL]
    assert sum(log.lines for log in logs) == 40_380
    assert sum(len(log.repaired) for log in logs) == 157
    assert sum(bool(log.repaired) for log in logs) == 4
    span = [timedelta(milliseconds=log.rows[-1][0] - log.rows[0][0]) for log in logs]
    assert max(span) < timedelta(hours=3)  # no line strayed to another day
