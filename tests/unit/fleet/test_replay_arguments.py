"""What a replay refuses before it sends anything: none of these needs a broker."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import ConformError, RocadeError, SettingsError
from pipelines.fleet.replay import replay
from pipelines.progress import Silent
from pipelines.settings import load_settings

HEADER = "Date,Time,Speed\n"
SETTINGS = load_settings(mqtt_url="mqtt://127.0.0.1:1")  # nobody is there


def log(folder: Path, name: str, *lines: str) -> Path:
    file = folder / name
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        (
            {"layout": "zoe"},
            SettingsError,
            "'zoe' is not a layout of logs .known layouts: carobd, driver_behavior, fms, obd_drivers, twizy",
        ),
        ({"vehicle": "my/car"}, SettingsError, "'my/car' cannot be a vehicle's id"),
        ({"vehicle": "x" * 65}, SettingsError, "cannot be a vehicle's id"),
        ({"consent": "all"}, SettingsError, "one of silent, service, service.statistics"),
        ({"speed": -1}, SettingsError, "a speed of -1 is not possible"),
        ({"speed": float("nan")}, SettingsError, "a speed of nan is not possible"),
        ({"files": []}, SettingsError, "there is no file"),
    ],
)
def test_arguments_that_make_no_sense(
    tmp_path: Path, wrong: dict[str, object], kind: type[RocadeError], message: str
) -> None:
    good = {"files": [log(tmp_path, "a.csv", "03/29/2021,12:00:00,1")], "layout": "twizy"}
    with pytest.raises(kind, match=message):
        replay(**{**good, "settings": SETTINGS, "progress": Silent(), **wrong})  # type: ignore[arg-type]


def test_a_log_without_a_row_to_send_stops_all_before_anything_is_sent(tmp_path: Path) -> None:
    files = [log(tmp_path, "a.csv", "03/29/2021,12:00:00,1"), log(tmp_path, "b.csv", "03/29/2021,noon,1")]
    with pytest.raises(ConformError, match=r"b\.csv: none of its 1 lines .*line 2, column Time: 'noon'"):
        replay(files, "twizy", SETTINGS, progress=Silent())


def test_the_same_drive_twice_is_refused(tmp_path: Path) -> None:
    files = [log(tmp_path, name, "03/29/2021,12:00:00,1") for name in ("a.csv", "b.csv")]
    with pytest.raises(SettingsError, match=r"b\.csv and .*a\.csv hold the same bytes"):
        replay(files, "twizy", SETTINGS, progress=Silent())


FMS = "field,signal,value,delay\ncurrent,Vehicle.Speed,1,0\ncurrent,Vehicle.Speed,2,1\n"


def fms(folder: Path, name: str = "truck.csv") -> Path:
    file = folder / name
    file.write_text(FMS, encoding="utf-8")
    return file


def test_a_log_with_a_clock_cannot_be_given_a_start(tmp_path: Path) -> None:
    file = log(tmp_path, "a.csv", "03/29/2021,12:00:00,1")
    with pytest.raises(SettingsError, match="logs of layout twizy have a clock of their own"):
        replay([file], None, SETTINGS, start=datetime(2026, 1, 1, tzinfo=UTC), progress=Silent())


def test_logs_of_two_layouts_are_refused(tmp_path: Path) -> None:
    files = [log(tmp_path, "a.csv", "03/29/2021,12:00:00,1"), fms(tmp_path)]
    with pytest.raises(SettingsError, match=r"a\.csv has layout twizy and .*truck\.csv has fms"):
        replay(files, None, SETTINGS, progress=Silent())


def test_a_layout_that_is_given_is_believed_over_the_header(tmp_path: Path) -> None:
    with pytest.raises(ConformError, match="this is no log of layout twizy"):
        replay([fms(tmp_path)], "twizy", SETTINGS, progress=Silent())


@pytest.mark.parametrize("which", ["rejects", "truth"])
def test_a_file_of_results_that_cannot_be_written_stops_all_before_anything_is_sent(tmp_path: Path, which: str) -> None:
    target = tmp_path / "no such folder" / "file"
    with pytest.raises(SettingsError, match="no such folder/file: cannot be written: No such file"):
        replay([fms(tmp_path)], None, SETTINGS, progress=Silent(), **{which: target})  # type: ignore[arg-type]


def test_an_id_that_a_cars_own_name_makes_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "obd.csv"
    file.write_text("TIME;VEHICLE_ID;ENGINE_RUNTIME;SPEED\n1,51336E+12;s11;00:00:01;1km/h\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot be a vehicle's id"):
        replay([file], None, SETTINGS, vehicle="x" * 62, progress=Silent())
