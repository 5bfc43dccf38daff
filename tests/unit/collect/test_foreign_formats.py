"""Payloads as OVMS, TeslaMate and VISS publish them, from their documentation; expected values worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.collect.formats import Unreadable, ovms, teslamate, viss
from pipelines.collect.formats.typed import checked, typed
from pipelines.contracts.signals import load_signals

NOW = 1_770_000_000_000.0
BATTERY = "Vehicle.Powertrain.TractionBattery"
WHEELS = "Vehicle.Chassis.Axle"


def ovms_metric(topic: str, payload: str) -> dict[str, Any]:
    batch = ovms.read_metric(payload.encode(), topic, NOW, load_signals())
    assert (batch.boot, batch.t0_ms, batch.rows[0][0]) == (None, NOW, 0)
    readings: dict[str, Any] = batch.rows[0][1]
    return readings


def teslamate_topic(topic: str, payload: str) -> dict[str, Any]:
    readings: dict[str, Any] = teslamate.read_topic(payload.encode(), topic, NOW, load_signals()).rows[0][1]
    return readings


def test_every_foreign_name_stands_for_a_signal_in_a_unit_that_becomes_its_own() -> None:
    signals = load_signals()
    checked(ovms.METRICS, signals, "ovms")
    for targets in ovms.LISTS.values():
        checked({str(at): target for at, target in enumerate(targets)}, signals, "ovms")
    checked(teslamate.TOPICS, signals, "teslamate")


@pytest.mark.parametrize(
    ("topic", "payload", "readings"),
    [
        ("v/b/soc", "50", {f"{BATTERY}.StateOfCharge.Displayed": 50}),
        ("v/p/latitude", "22.2809", {"Vehicle.CurrentLocation.Latitude": 22.2809}),
        ("v/p/longitude", "114.161", {"Vehicle.CurrentLocation.Longitude": 114.161}),
        ("v/p/odometer", "100000", {"Vehicle.TraveledDistance": 100_000_000}),  # km, VSS has metres
        ("v/p/odometer", "100000.3", {"Vehicle.TraveledDistance": 100_000_300}),
        ("v/p/speed", "0", {"Vehicle.Speed": 0}),
        ("v/p/speed", "50Mph", {"Vehicle.Speed": 80.4672}),
        ("v/p/speed", "50knots", {"Vehicle.Speed": "50knots"}),  # a text where a number is wanted: set aside
        ("v/b/power", "12.5", {f"{BATTERY}.CurrentPower": -12_500}),  # out of the battery
        ("v/b/current", "-30.2", {f"{BATTERY}.CurrentCurrent": 30.2}),
        ("v/b/12v/voltage", "12.62V", {"Vehicle.LowVoltageBattery.CurrentVoltage": 12.62}),
        ("v/tp/fl/p", "206.843", {f"{WHEELS}.Row1.Wheel.Left.Tire.Pressure": 206.843}),
        ("v/tp/rr/t", "34°C", {f"{WHEELS}.Row2.Wheel.Right.Tire.Temperature": 34}),
        ("v/e/temp", "68°F", {"Vehicle.Exterior.AirTemperature": 20}),
        (
            "v/t/pressure",
            "206.843,216.483,275.79,175.79",
            {
                f"{WHEELS}.Row1.Wheel.Left.Tire.Pressure": 206.843,
                f"{WHEELS}.Row1.Wheel.Right.Tire.Pressure": 216.483,
                f"{WHEELS}.Row2.Wheel.Left.Tire.Pressure": 275.79,
                f"{WHEELS}.Row2.Wheel.Right.Tire.Pressure": 175.79,
            },
        ),
        ("v/e/handbrake", "yes", {"Vehicle.Chassis.ParkingBrake.IsEngaged": True}),
        ("v/c/inprogress", "no", {f"{BATTERY}.Charging.IsCharging": False}),
        ("v/e/on", "yes", {"Vehicle.LowVoltageSystemState": "ON"}),
        ("v/e/gear", "-1", {"Vehicle.Powertrain.Transmission.CurrentGear": -1}),
        ("v/b/range/est", "160", {f"{BATTERY}.Range": 160_000}),
        ("v/p/satcount", "12", {"OVMS.v.p.satcount": 12}),
        ("v/b/cac", "160.0", {"OVMS.v.b.cac": 160.0}),
        ("v/e/charging12v", "yes", {"OVMS.v.e.charging12v": True}),
        ("v/type", "DEMO", {"OVMS.v.type": "DEMO"}),
        ("v/b/health", "", {}),
    ],
)
def test_ovms(topic: str, payload: str, readings: dict[str, Any]) -> None:
    found = ovms_metric(topic, payload)
    assert found == readings
    assert {name: type(value) is bool for name, value in found.items()} == {
        name: type(value) is bool for name, value in readings.items()
    }


@pytest.mark.parametrize(
    ("topic", "payload", "readings"),
    [
        ("battery_level", "88", {f"{BATTERY}.StateOfCharge.Displayed": 88}),
        ("speed", "12", {"Vehicle.Speed": 12}),
        ("power", "-9", {f"{BATTERY}.CurrentPower": 9000}),  # charging
        ("odometer", "1653", {"Vehicle.TraveledDistance": 1_653_000}),
        ("tpms_pressure_fl", "2.9", {f"{WHEELS}.Row1.Wheel.Left.Tire.Pressure": 290}),
        ("tpms_pressure_rr", "2.8", {f"{WHEELS}.Row2.Wheel.Right.Tire.Pressure": 280}),
        ("outside_temp", "18.4", {"Vehicle.Exterior.AirTemperature": 18.4}),
        ("elevation", "70", {"Vehicle.CurrentLocation.Altitude": 70}),
        ("heading", "340", {"Vehicle.CurrentLocation.Heading": 340}),
        ("est_battery_range_km", "372.5", {f"{BATTERY}.Range": 372_500}),
        ("time_to_full_charge", "1.83", {f"{BATTERY}.Charging.TimeToComplete": 6588}),
        ("trunk_open", "false", {"Vehicle.Body.Trunk.Rear.IsOpen": False}),
        ("model", "3", {"Vehicle.VehicleIdentification.Model": "3"}),
        (
            "location",
            '{"latitude":35.278131,"longitude":29.744801}',
            {"Vehicle.CurrentLocation.Latitude": 35.278131, "Vehicle.CurrentLocation.Longitude": 29.744801},
        ),
        ("charger_phases", "3", {"TeslaMate.charger_phases": 3}),
        ("locked", "true", {"TeslaMate.locked": True}),
        ("display_name", "Blue Thunder", {"TeslaMate.display_name": "Blue Thunder"}),
        ("geofence", "🏡 Home", {"TeslaMate.geofence": "🏡 Home"}),
        ("shift_state", "", {}),
        ("charger_power", "nil", {}),
    ],
)
def test_teslamate(topic: str, payload: str, readings: dict[str, Any]) -> None:
    found = teslamate_topic(topic, payload)
    assert found == readings
    assert {name: type(value) is bool for name, value in found.items()} == {
        name: type(value) is bool for name, value in readings.items()
    }


def test_a_viss_event() -> None:
    event = {
        "action": "subscription",
        "subscriptionId": "5688",
        "data": {"path": "Vehicle.Speed", "dp": {"value": "50", "ts": "2025-02-04T15:48:43.739Z"}},
        "ts": "2025-02-04T15:48:43.800Z",
    }
    batch = viss.read_event(json.dumps(event).encode(), load_signals())
    assert batch.t0_ms == 1_738_684_123_739
    assert batch.rows == [[0, {"Vehicle.Speed": 50}]]


def test_values_of_viss_are_typed_by_the_catalogue() -> None:
    data = [
        {"path": "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen", "dp": {"value": "false", "ts": "2025-02-04T15:00:00Z"}},
        {
            "path": "Vehicle.Acceleration.Longitudinal",
            "dp": [
                {"value": "0.123", "ts": "2025-02-04T15:00:00Z"},
                {"value": "0.125", "ts": "2025-02-04T15:00:02.5Z"},
            ],
        },
        {"path": "Vehicle.Powertrain.Transmission.CurrentGear", "dp": {"value": "-1", "ts": "2025-02-04T15:00:00Z"}},
        {"path": "Vehicle.LowVoltageSystemState", "dp": {"value": "ON", "ts": "2025-02-04T16:00:00+01:00"}},
        {"path": "Vehicle.VehicleIdentification.Model", "dp": {"value": "3", "ts": "2025-02-04T15:00:00Z"}},
        {"path": "Vehicle.Diagnostics.DTCList", "dp": {"value": ["P0300"], "ts": "2025-02-04T15:00:00Z"}},
    ]
    batch = viss.read_event(json.dumps({"action": "get", "requestId": "1", "data": data}).encode(), load_signals())
    first = {
        "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": False,
        "Vehicle.Acceleration.Longitudinal": 0.123,
        "Vehicle.Powertrain.Transmission.CurrentGear": -1,
        "Vehicle.LowVoltageSystemState": "ON",
        "Vehicle.VehicleIdentification.Model": "3",
        "Vehicle.Diagnostics.DTCList": ["P0300"],
    }
    assert batch.rows == [[0, first], [2500, {"Vehicle.Acceleration.Longitudinal": 0.125}]]
    assert batch.rows[0][1]["Vehicle.Cabin.Door.Row1.DriverSide.IsOpen"] is False


def test_an_answer_of_viss_without_data_has_no_rows() -> None:
    for said in (
        {"action": "subscribe", "subscriptionId": "1", "ts": "2025-02-04T15:00:00Z"},
        {"action": "get", "requestId": "1", "error": {"number": 404}, "ts": "2025-02-04T15:00:00Z"},
    ):
        assert viss.read_event(json.dumps(said).encode(), load_signals()).rows == []


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"[]", "not an object"),
        (b"50", "not an object"),
        (b"{}", "there is no data"),
        (b'{"data":{"dp":{}}}', "names no path"),
        (b'{"data":{"path":"Vehicle.Speed"}}', "without a value"),
        (b'{"data":{"path":"Vehicle.Speed","dp":{"value":"1"}}}', "ts is None"),
        (b'{"data":{"path":"Vehicle.Speed","dp":{"value":"1","ts":"yesterday"}}}', "ts is 'yesterday'"),
    ],
)
def test_what_is_no_viss_event_says_why(payload: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        viss.read_event(payload, load_signals())


def test_text_that_is_none_is_unreadable() -> None:
    for read in (ovms.read_metric, teslamate.read_topic):
        with pytest.raises(Unreadable, match="is no text"):
            read(b"\xff\xfe", "v/b/soc", NOW, load_signals())


@pytest.mark.parametrize("text", ["1_000", "nan", "inf", "1e999", "0x10", "--1", "1,5"])
def test_what_python_takes_for_a_number_and_nobody_else_does_is_a_text(text: str) -> None:
    assert typed(text, load_signals()["Vehicle.Speed"]) == text
