"""SenML: the examples of RFC 8428, and what a car sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.collect.formats import Unreadable
from pipelines.collect.formats.senml import read_pack
from pipelines.collect.formats.units import conversion
from pipelines.contracts.signals import load_signals

NOW = 1_770_000_000_000.0


def rows(pack: list[dict[str, Any]]) -> dict[float, dict[str, Any]]:
    batch = read_pack(json.dumps(pack).encode(), NOW, load_signals())
    return {batch.t0_ms + offset: readings for offset, readings in batch.rows}


def test_a_pack_of_a_car() -> None:
    found = rows(
        [
            {"bn": "urn:dev:mac:0024befffe804ff1/", "bt": 1.77e9, "n": "Vehicle.Speed", "u": "km/h", "v": 87.3},
            {"n": "Vehicle.IsMoving", "vb": True},
            {"n": "Vehicle.Powertrain.Type", "vs": "ELECTRIC"},
            {"n": "Vehicle.Speed", "t": 1.5, "u": "m/s", "v": 25},
        ]
    )
    assert found == {
        1.77e12: {"Vehicle.Speed": 87.3, "Vehicle.IsMoving": True, "Vehicle.Powertrain.Type": "ELECTRIC"},
        1.77e12 + 1500: {"Vehicle.Speed": 90},
    }


def test_the_second_example_of_the_rfc() -> None:
    found = rows(
        [
            {"bn": "urn:dev:ow:10e2073a01080063:", "n": "voltage", "u": "V", "v": 120.1},
            {"n": "current", "u": "A", "v": 1.2},
        ]
    )
    assert found == {NOW: {"voltage": 120.1, "current": 1.2}}


def test_base_fields_hold_until_another_says_otherwise() -> None:
    pack = [
        {"bn": "x:", "bt": 1.276020076001e9, "bu": "A", "bver": 5, "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"bv": 10, "n": "current", "t": -4, "v": 1.3},
        {"bt": 1.3e9, "n": "current", "v": 0},
    ]
    found = rows(pack)
    assert {round(at): readings for at, readings in found.items()} == {
        1_276_020_076_001: {"voltage": 120.1},
        1_276_020_071_001: {"current": 1.2},
        1_276_020_072_001: {"current": 11.3},
        1_300_000_000_000: {"current": 10},
    }


def test_small_times_count_from_now() -> None:
    pack = [
        {"n": "a", "t": -60, "v": 1},
        {"n": "a", "v": 2},
        {"n": "a", "t": 2**28, "v": 3},
        {"n": "b", "t": 2**28 - 1, "v": 4},
    ]
    found = rows(pack)
    assert found == {NOW - 60_000: {"a": 1}, NOW: {"a": 2}, 2**28 * 1000: {"a": 3}, NOW + (2**28 - 1) * 1000: {"b": 4}}


def test_whether_a_pack_carries_its_own_time() -> None:
    assert read_pack(b'[{"n":"a","bt":1.7e9,"v":1}]', NOW, {}).seq == 1
    assert read_pack(b'[{"n":"a","bt":1.7e9,"v":1},{"n":"a","bt":0,"t":-1,"v":1}]', NOW, {}).seq == 0


@pytest.mark.parametrize(
    ("unit", "value", "signal", "wanted"),
    [
        ("Cel", 21.5, "Vehicle.Exterior.AirTemperature", 21.5),
        ("K", 300.15, "Vehicle.Exterior.AirTemperature", 27),
        ("m", 12, "Vehicle.TraveledDistance", 12),
        ("km", 1.5, "Vehicle.TraveledDistance", 1500),
        ("Pa", 250_000, "Vehicle.Chassis.Axle.Row1.Wheel.Left.Tire.Pressure", 250),
        ("/", 0.5, "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", 50),
        ("%EL", 50, "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", 50),
        ("lat", 45.76, "Vehicle.CurrentLocation.Latitude", 45.76),
        ("1/min", 800, "Vehicle.Powertrain.CombustionEngine.Speed", 800),
        ("kg", 5, "Vehicle.Speed", "5 kg"),  # no speed: judged as a text, and set aside
    ],
)
def test_units_become_those_of_vss(unit: str, value: float, signal: str, wanted: float | str) -> None:
    assert rows([{"n": signal, "u": unit, "v": value}]) == {NOW: {signal: wanted}}


@pytest.mark.parametrize(
    ("value", "unit", "to", "wanted"),
    [(1, "bar", "kPa", 100), (62, "mph", "km/h", 99.779328), (212, "°F", "Celsius", 100), (36, "psi", "kPa", 248.211)],
)
def test_conversions(value: float, unit: str, to: str, wanted: float) -> None:
    how = conversion(unit, to)
    assert how is not None
    assert value * how.factor + how.offset == pytest.approx(wanted, rel=1e-5)
    back = conversion(to, unit)
    assert back is not None
    assert wanted * back.factor + back.offset == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"{}", "not an array"),
        (b"[1]", "no SenML record"),
        (b'[{"n":1,"v":1}]', "n is 1"),
        (b'[{"n":"a","t":"now","v":1}]', "t is 'now'"),
        (b'[{"bn":1}]', "bn is 1"),
        (b'[{"bt":true}]', "bt is True"),
        (b'[{"bver":11,"n":"a","v":1}]', "bver is 11"),
        (b'[{"n":"a","v":1,"new_":1}]', "new_ must be understood"),
    ],
)
def test_what_is_no_pack_says_why(payload: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read_pack(payload, NOW, {})
