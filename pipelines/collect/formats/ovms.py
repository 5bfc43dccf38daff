"""OVMS v3: one metric a topic, ``…/metric/v/b/soc``, its value as bare text.

Names, units and signs are those of OVMS's standard metrics (userguide, "Metrics"): power and current count as positive
when the battery gives. A metric that stands for no signal of VSS is kept under ``OVMS.`` and its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.collect.formats.message import Batch, Unreadable, clipped
from pipelines.collect.formats.typed import Target, Value, typed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts.signals import Signal

_BATTERY = "Vehicle.Powertrain.TractionBattery"
_PLACE = "Vehicle.CurrentLocation"
_WHEELS = ("Row1.Wheel.Left", "Row1.Wheel.Right", "Row2.Wheel.Left", "Row2.Wheel.Right")

METRICS: Mapping[str, Target] = {
    "v.b.12v.current": Target("Vehicle.LowVoltageBattery.CurrentCurrent", "A", -1),
    "v.b.12v.voltage": Target("Vehicle.LowVoltageBattery.CurrentVoltage", "V"),
    "v.b.current": Target(f"{_BATTERY}.CurrentCurrent", "A", -1),
    "v.b.energy.used.total": Target(f"{_BATTERY}.AccumulatedConsumedEnergy", "kWh"),
    "v.b.p.temp.max": Target(f"{_BATTERY}.Temperature.Max", "°C"),
    "v.b.p.temp.min": Target(f"{_BATTERY}.Temperature.Min", "°C"),
    "v.b.p.voltage.max": Target(f"{_BATTERY}.CellVoltage.Max", "V"),
    "v.b.p.voltage.min": Target(f"{_BATTERY}.CellVoltage.Min", "V"),
    "v.b.power": Target(f"{_BATTERY}.CurrentPower", "kW", -1),
    "v.b.range.est": Target(f"{_BATTERY}.Range", "km"),
    "v.b.soc": Target(f"{_BATTERY}.StateOfCharge.Displayed", "%"),
    "v.b.soh": Target(f"{_BATTERY}.StateOfHealth", "%"),
    "v.b.temp": Target(f"{_BATTERY}.Temperature.Average", "°C"),
    "v.b.voltage": Target(f"{_BATTERY}.CurrentVoltage", "V"),
    "v.c.inprogress": Target(f"{_BATTERY}.Charging.IsCharging"),
    "v.c.limit.soc": Target(f"{_BATTERY}.Charging.ChargeLimit", "%"),
    "v.c.temp": Target(f"{_BATTERY}.Charging.Temperature", "°C"),
    "v.d.cp": Target(f"{_BATTERY}.Charging.ChargingPort.AnyPosition.IsFlapOpen"),
    "v.d.hood": Target("Vehicle.Body.Hood.IsOpen"),
    "v.d.trunk": Target("Vehicle.Body.Trunk.Rear.IsOpen"),
    "v.e.cabintemp": Target("Vehicle.Cabin.HVAC.AmbientAirTemperature", "°C"),
    "v.e.footbrake": Target("Vehicle.Chassis.Brake.PedalPosition", "%"),
    "v.e.gear": Target("Vehicle.Powertrain.Transmission.CurrentGear"),
    "v.e.handbrake": Target("Vehicle.Chassis.ParkingBrake.IsEngaged"),
    "v.e.headlights": Target("Vehicle.Body.Lights.Beam.Low.IsOn"),
    "v.e.on": Target("Vehicle.LowVoltageSystemState", words={"yes": "ON", "no": "OFF"}),
    "v.e.temp": Target("Vehicle.Exterior.AirTemperature", "°C"),
    "v.e.throttle": Target("Vehicle.Chassis.Accelerator.PedalPosition", "%"),
    "v.p.acceleration": Target("Vehicle.Acceleration.Longitudinal", "m/s²"),
    "v.p.altitude": Target(f"{_PLACE}.Altitude", "m"),
    "v.p.direction": Target(f"{_PLACE}.Heading", "°"),
    "v.p.latitude": Target(f"{_PLACE}.Latitude", "°"),
    "v.p.longitude": Target(f"{_PLACE}.Longitude", "°"),
    "v.p.odometer": Target("Vehicle.TraveledDistance", "km"),
    "v.p.speed": Target("Vehicle.Speed", "km/h"),
    "v.p.trip": Target("Vehicle.TripMeterReading", "km"),
    **{
        f"v.tp.{name}.{short}": Target(f"Vehicle.Chassis.Axle.{wheel}.Tire.{what}", unit)
        for name, wheel in zip(("fl", "fr", "rl", "rr"), _WHEELS, strict=True)
        for short, what, unit in (("p", "Pressure", "kPa"), ("t", "Temperature", "°C"))
    },
}
"""What stands for a signal, by the metric's name."""

LISTS: Mapping[str, tuple[Target, ...]] = {
    "v.t.pressure": tuple(Target(f"Vehicle.Chassis.Axle.{wheel}.Tire.Pressure", "kPa") for wheel in _WHEELS),
    "v.t.temp": tuple(Target(f"Vehicle.Chassis.Axle.{wheel}.Tire.Temperature", "°C") for wheel in _WHEELS),
}
"""Metrics of several values, separated by commas: the wheels from the front left to the rear right."""


def read_metric(payload: bytes, topic: str, received_ms: float, catalogue: Mapping[str, Signal]) -> Batch:
    """One metric.

    Args:
        payload: its value.
        topic: its name, with slashes.
        received_ms: epoch milliseconds; OVMS sends no time.
        catalogue: the signals that are known.

    Raises:
        Unreadable: it is no metric.
    """
    try:
        text = payload.decode().strip()
    except UnicodeDecodeError as error:
        raise Unreadable(
            "bad_batch", f"the value of {clipped(topic)!r} is no text ({error}); check the sender"
        ) from error
    metric = topic.replace("/", ".")
    readings: dict[str, Value] = {}
    if metric in LISTS and "," in text:
        parts = text.split(",")
        if len(parts) != len(LISTS[metric]):
            raise Unreadable("bad_batch", f"{metric} has {len(parts)} values, not {len(LISTS[metric])}")
        for target, part in zip(LISTS[metric], parts, strict=True):
            readings[target.path] = target.value(part.strip(), catalogue[target.path])
    elif not text:
        pass  # how OVMS says that it does not know
    elif (target_of := METRICS.get(metric)) is not None:
        readings[target_of.path] = target_of.value(text, catalogue[target_of.path])
    else:
        readings[f"OVMS.{metric}"] = typed(text, None)
    return Batch(None, 0, received_ms, None, [[0, readings]])
