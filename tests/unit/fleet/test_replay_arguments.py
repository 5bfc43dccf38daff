"""What a replay refuses before it sends anything: none of these needs a broker."""

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
        ({"layout": "zoe"}, SettingsError, "'zoe' is not a layout of logs .known layouts: carobd, driver_behavior, fms, obd_drivers, twizy"),
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
