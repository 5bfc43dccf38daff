"""Which layout a log has is told from its header."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from logs import SHARED

from pipelines.errors import ConformError
from pipelines.fleet.layouts import layout_of

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = {
    "twizy_ev": "twizy",
    "obd_drivers": "obd_drivers",
    **{name: name for name in ("carobd", "driver_behavior", "fms")},
}
REAL = sorted(file for folder in FOLDERS for file in SHARED.glob(f"{folder}/*.csv") if "groundTruth" not in file.name)


@pytest.mark.parametrize(
    ("header", "layout"),
    [
        ("Date,Time,Soc,Speed", "twizy"),
        ("\ufeff\n date , TIME ,Speed,", "twizy"),
        ("ENGINE_RUN_TINE (),ENGINE_RPM (),VEHICLE_SPEED (),COOLANT_TEMPERATURE ()", "carobd"),
        ("ENGINE_RUN_TIME,ENGINE_RPM,VEHICLE_SPEED,COOLANT_TEMPERATURE", "carobd"),
        ("TIME;VEHICLE_ID;ENGINE_RUNTIME;SPEED", "obd_drivers"),
        ("field,signal,value,delay", "fms"),
        ('"field","signal","value","delay","datatype"', "fms"),
        ("timestamp,uptimeNanos,x,y,z", "driver_behavior"),
    ],
)
def test_a_header_is_recognised(tmp_path: Path, header: str, layout: str) -> None:
    file = tmp_path / "log.csv"
    file.write_text(header + "\n1,2,3\n", encoding="utf-8")
    assert layout_of(file).name == layout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its header '' is of no known layout .say which it is with --layout: carobd, driver_behavior, fms"),
        ("a,b,c\n", "its header 'a,b,c' is of no known layout"),
        ("TIME,VEHICLE_ID,ENGINE_RUNTIME\n", "no known layout"),  # the separator is part of a layout
        ("Date,Time,field,signal,value,delay\n", "is of several layouts"),
        ("evento, inicio, fim\n", "holds labelled events, which are no readings .name the sensor's log"),
    ],
)
def test_a_header_of_none_or_several_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "log.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConformError, match=message):
        layout_of(file)


@pytest.mark.skipif(not REAL, reason="no logs in ../shared/data")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_the_real_logs_are_recognised(file: Path) -> None:
    assert layout_of(file).name == FOLDERS[file.parent.name]
