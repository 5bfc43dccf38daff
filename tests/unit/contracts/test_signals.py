from __future__ import annotations

import ast
import csv
from pathlib import Path

import pytest

from pipelines.contracts.signals import load_signals
from pipelines.errors import ContractError

VSS = Path(__file__).parents[3] / "../shared/data/vehicles/vss_6.0.csv"
RANGES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65_535),
    "int16": (-32_768, 32_767),
    "uint32": (0, 4_294_967_295),
    "int32": (-2_147_483_648, 2_147_483_647),
}
TYPES = {"float": "float", "double": "float", "boolean": "boolean", **dict.fromkeys(RANGES, "integer")}

OURS = ("Vehicle.Acceleration.East", "Vehicle.Acceleration.North")

HEADER = "path,type,unit,min,max,allowed,source,meaning\n"


def test_the_catalogue_has_what_the_project_needs() -> None:
    signals = load_signals()
    assert len(signals) > 1390
    speed = signals["Vehicle.Speed"]
    assert (speed.type, speed.unit, speed.minimum, speed.maximum) == ("float", "km/h", -50, 400)
    assert signals["Vehicle.Powertrain.Type"].allowed == ("COMBUSTION", "HYBRID", "ELECTRIC")
    assert signals["Vehicle.Powertrain.Transmission.CurrentGear"].whole
    assert not signals["Vehicle.Powertrain.CombustionEngine.MAF"].whole
    assert list(signals) == sorted(signals)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Vehicle.Speed,float,km/h,0,400", "8 cells"),
        ("Vehicle.Speed,double,km/h,0,400,,rocade,", "type is 'double'"),
        ("Vehicle.Speed,float,km/h,0,400,,vss,", "source is 'vss'"),
        ("Vehicle.Speed,float,km/h,0,many,,rocade,", "bound of Vehicle.Speed is not a number: .*many"),
        ("Vehicle.Mode,enum,,,,,rocade,", "enum needs allowed"),
        ("A,float,,,,,rocade,\nA,float,,,,,rocade,", "A is listed twice"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, what: str) -> None:
    file = tmp_path / "signals.csv"
    file.write_text(HEADER + line + "\n")
    with pytest.raises(ContractError, match=what) as caught:
        load_signals(file)
    assert caught.value.where is not None
    assert "signals.csv line" in caught.value.where


def test_other_columns_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "signals.csv"
    file.write_text("path,type\n")
    with pytest.raises(ContractError, match="the columns are"):
        load_signals(file)


@pytest.mark.skipif(not VSS.exists(), reason="needs ../shared/data/vehicles/vss_6.0.csv beside the checkout")
def test_every_line_agrees_with_vss() -> None:
    with VSS.open(encoding="utf-8-sig", newline="") as handle:
        vss = {line["Signal"]: line for line in csv.DictReader(handle)}
    ours = load_signals()
    assert {path for path, line in vss.items() if line["Type"] != "branch"} <= set(ours)
    for signal in ours.values():
        if signal.source == "obd-overlay":
            assert signal.path.startswith("Vehicle.OBD."), signal
            assert signal.path not in vss, signal
            continue
        if signal.path not in vss:
            assert signal.path in OURS or (signal.source == "fms-overlay" and "Tachograph" in signal.path), signal
            continue
        line = vss[signal.path]
        kind = line["DataType"]
        allowed = tuple(ast.literal_eval(line["Allowed"])) if line["Allowed"] and not kind.endswith("[]") else ()
        assert signal.type == TYPES.get(kind, "enum" if allowed else "text"), signal
        assert signal.unit == line["Unit"], signal
        assert signal.allowed == allowed, signal
        low, high = RANGES.get(kind, (None, None))
        low = float(line["Min"]) if line["Min"] else low
        high = float(line["Max"]) if line["Max"] else high
        if signal.source == "vss-6.0":
            assert (signal.minimum, signal.maximum) == (low, high), signal
        else:  # ours are narrower, and there is at least one
            assert (signal.minimum, signal.maximum) != (low, high), signal
            assert low is None or (signal.minimum is not None and signal.minimum >= low), signal
            assert high is None or (signal.maximum is not None and signal.maximum <= high), signal


@pytest.mark.skipif(not VSS.exists(), reason="needs ../shared/data/vehicles/vss_6.0.csv beside the checkout")
def test_no_description_of_vss_is_repeated() -> None:
    with VSS.open(encoding="utf-8-sig", newline="") as handle:
        theirs = {line["Desc"].strip(" .").casefold() for line in csv.DictReader(handle)}
    for signal in load_signals().values():
        assert not signal.meaning or signal.meaning.strip(" .").casefold() not in theirs, signal
