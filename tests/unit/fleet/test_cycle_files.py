"""Cycles from files: both layouts, the byte order mark, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import SettingsError
from pipelines.fleet.cycles.file import read_cycle
from pipelines.fleet.cycles.nedc import nedc_cycle

CYCLES = Path(__file__).parents[3] / "../shared/data/vehicles/cycles"
needs_data = pytest.mark.skipif(not CYCLES.exists(), reason="cycles are not in ../shared/data")


def test_a_csv_with_a_byte_order_mark_and_grades(tmp_path: Path) -> None:
    file = tmp_path / "hill.csv"
    file.write_text("\ufeffcycSecs,cycMps,cycGrade,cycRoadType\n0,0,0,0\n2,10,0.05,0\n4,0,0.05,0\n", encoding="utf-8")
    cycle = read_cycle(file)
    speed, grade = cycle.at(1)
    assert speed.tolist() == [0, 5, 10, 5, 0]
    assert grade.tolist() == [0, 0.025, 0.05, 0.05, 0.05]
    assert cycle.name == "hill"


def test_a_list_of_km_per_hour_begins_standing(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("3.6 7.2\n\t3.6\t0.0\n", encoding="utf-8")
    assert read_cycle(file).speed_ms == pytest.approx([0, 1, 2, 1, 0])


@pytest.mark.parametrize(
    "text", ["", "fast slow", "1,2,3", "0 nan 0", "0 -3 0", "0 900 0", "cycSecs,cycMps\n0,0\n0,1\n", "cycSecs\n0\n1\n"]
)
def test_what_is_no_cycle_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.txt"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="no driving cycle can be read"):
        read_cycle(file)
    with pytest.raises(SettingsError, match="no driving cycle can be read"):
        read_cycle(tmp_path / "missing.csv")


@needs_data
@pytest.mark.parametrize(
    ("name", "km", "seconds"),
    [("V_class3b.txt", 23.266, 1800), ("V_class2.txt", 22.649, 1800), ("V_class1.txt", 11.428, 1610),
     ("wltc_3b.csv", 23.266, 1800), ("udds.csv", 11.99, 1369), ("hwfet.csv", 16.507, 765), ("us06.csv", 12.888, 600)],
)  # fmt: skip
def test_lengths_of_the_published_cycles(name: str, km: float, seconds: int) -> None:
    speed, _ = read_cycle(CYCLES / name).at(1)
    assert (speed[:-1] + speed[1:]).sum() / 2000 == pytest.approx(km, abs=0.01)
    assert len(speed) == pytest.approx(seconds, abs=12) or name == "V_class1.txt"


@needs_data
def test_the_same_cycle_from_both_layouts_is_the_same() -> None:
    listed, tabled = read_cycle(CYCLES / "V_class3b.txt"), read_cycle(CYCLES / "wltc_3b.csv")
    assert listed.speed_ms == pytest.approx(tabled.speed_ms[: len(listed.speed_ms)], abs=0.06)
    nedc = read_cycle(CYCLES / "V_nedc.txt")  # begins with second 1, and stands there
    assert np.abs(nedc.speed_ms - nedc_cycle().speed_ms[1:]).max() < 0.01
