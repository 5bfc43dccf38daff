"""TeslaMate: one value a topic, ``teslamate/cars/1/battery_level``, as bare text; places as JSON.

Names and units are those of TeslaMate's documentation ("MQTT Integration"), with one exception: it calls ``power``
watts, but what it passes on from the car are kilowatts. Power counts as positive when the battery gives. A topic that
stands for no signal of VSS is kept under ``TeslaMate.`` and its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.collect.formats.json_payload import loads
from pipelines.collect.formats.message import Batch, Unreadable, clipped
from pipelines.collect.formats.typed import Target, Value, typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts.signals import Signal

_BATTERY = "Vehicle.Powertrain.TractionBattery"
_PLACE = "Vehicle.CurrentLocation"
_WHEELS = {"fl": "Row1.Wheel.Left", "fr": "Row1.Wheel.Right", "rl": "Row2.Wheel.Left", "rr": "Row2.Wheel.Right"}

TOPICS: Mapping[str, Target] = {
    "battery_level": Target(f"{_BATTERY}.StateOfCharge.Displayed", "%"),
    "charge_limit_soc": Target(f"{_BATTERY}.Charging.ChargeLimit", "%"),
    "charge_port_door_open": Target(f"{_BATTERY}.Charging.ChargingPort.AnyPosition.IsFlapOpen"),
    "elevation": Target(f"{_PLACE}.Altitude", "m"),
    "est_battery_range_km": Target(f"{_BATTERY}.Range", "km"),
    "frunk_open": Target("Vehicle.Body.Trunk.Front.IsOpen"),
    "heading": Target(f"{_PLACE}.Heading", "°"),
    "inside_temp": Target("Vehicle.Cabin.HVAC.AmbientAirTemperature", "°C"),
    "latitude": Target(f"{_PLACE}.Latitude", "°"),
    "longitude": Target(f"{_PLACE}.Longitude", "°"),
    "model": Target("Vehicle.VehicleIdentification.Model"),
    "odometer": Target("Vehicle.TraveledDistance", "km"),
    "outside_temp": Target("Vehicle.Exterior.AirTemperature", "°C"),
    "plugged_in": Target(f"{_BATTERY}.Charging.ChargingPort.AnyPosition.IsChargingCableConnected"),
    "power": Target(f"{_BATTERY}.CurrentPower", "kW", -1),
    "speed": Target("Vehicle.Speed", "km/h"),
    "time_to_full_charge": Target(f"{_BATTERY}.Charging.TimeToComplete", "h"),
    "trunk_open": Target("Vehicle.Body.Trunk.Rear.IsOpen"),
    **{
        f"tpms_pressure_{name}": Target(f"Vehicle.Chassis.Axle.{wheel}.Tire.Pressure", "bar")
        for name, wheel in _WHEELS.items()
    },
}
"""What stands for a signal, by the last level of the topic."""

_LOCATION = {"latitude": f"{_PLACE}.Latitude", "longitude": f"{_PLACE}.Longitude"}
_NOTHING = frozenset(("", "nil", "null", "unknown"))


def read_topic(payload: bytes, topic: str, received_ms: float, catalogue: Mapping[str, Signal]) -> Batch:
    """One value.

    Args:
        payload: the value.
        topic: its name.
        received_ms: epoch milliseconds; TeslaMate sends no time.
        catalogue: the signals that are known.

    Raises:
        Unreadable: it is none.
    """
    readings: dict[str, Value] = {}
    if topic == "location" and payload.strip() not in (b"", b"null"):
        said = loads(payload, "latitude and longitude")
        if type(said) is not dict or not _LOCATION.keys() <= said.keys():
            raise Unreadable("bad_batch", "location has no latitude and longitude; check the sender")
        readings = {path: said[name] for name, path in _LOCATION.items()}
        return Batch(None, 0, received_ms, None, [[0, readings]])
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise Unreadable(
            "bad_batch", f"the value of {clipped(topic)!r} is no text ({error}); check the sender"
        ) from error
    if text.casefold() not in _NOTHING:
        target = TOPICS.get(topic)
        if target is not None:
            readings[target.path] = target.value(text, catalogue[target.path])
        else:
            readings["TeslaMate." + topic.replace("/", ".")] = typed(text, None)
    return Batch(None, 0, received_ms, None, [[0, readings]])
