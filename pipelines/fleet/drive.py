"""Driving: one step of many cars at once, and whole cycles.

What belongs here: the step that joins ``dynamics`` and ``powertrain``. Who chooses the speed on a free trip is in
``traffic``, what sensors make of it in ``signals``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipelines.fleet import dynamics, powertrain
from pipelines.fleet.powertrain import SOC_TARGET, Charge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.fleet.models import Array, Park


class Moment(NamedTuple):
    """What is true of each car over one interval; arrays of shape (n,), speed and way at its beginning, powers its mean.

    Args:
        speed: m/s.
        acceleration: m/s².
        way: metres from the start.
        lateral: m/s², positive to the left.
        vertical: m/s² beyond gravity.
        slope: rise over run.
        wheel_w: at the wheels; negative while braking.
        crank_w: of the engine, without its own friction.
        friction_w: of the engine.
        fuel_w: heat of the fuel burnt.
        motor_w: at the motor's shaft; negative while it charges.
        battery_w: at the battery's terminals; negative while charging.
        cell_w: inside the battery.
        brake_w: into the brakes.
        gear: from 1; 0 with an open clutch.
        rpm: of the engine; 0 when it stands.
        soc: share of the battery that is full, at the end.
    """

    speed: Array
    acceleration: Array
    way: Array
    lateral: Array
    vertical: Array
    slope: Array
    wheel_w: Array
    crank_w: Array
    friction_w: Array
    fuel_w: Array
    motor_w: Array
    battery_w: Array
    cell_w: Array
    brake_w: Array
    gear: Array
    rpm: Array
    soc: Array


def fresh(park: Park, soc: float | Array = SOC_TARGET) -> Charge:
    """Powertrains that have not moved yet, their batteries' charge ``soc`` (one for all, or of shape (n,))."""
    zero = np.zeros(len(park.model))
    return Charge(zero, np.full(len(park.model), soc), zero)


def step(
    park: Park, charge: Charge, speed: Array, way: Array, wanted: Array, slope: Array, shift_rpm: Array, dt: float
) -> tuple[Array, Moment]:
    """One interval: speed at its end and what happened, on a straight and even road. ``charge`` moves on.

    Args:
        park: n cars; all arrays are of shape (n,).
        charge: what their powertrains remember.
        speed: m/s now.
        way: metres from the start.
        wanted: m/s at the end of the interval, as far as tyres and power allow.
        slope: rise over run.
        shift_rpm: engine speed at which the next gear is taken.
        dt: length of the interval in s.
    """
    ratio = _ratio(park, charge)
    power = powertrain.available(park, (speed + wanted) / 2)
    following = dynamics.reachable(park, speed, wanted, slope, ratio, power, dt)
    wheel = dynamics.wheel_power(park, speed, following, slope, ratio, dt)
    flow = powertrain.flow(park, charge, wheel, (speed + following) / 2, shift_rpm, dt)
    level = np.zeros(len(speed))
    return following, Moment(
        speed, (following - speed) / dt, way, level, level, slope, wheel, flow.crank_w, flow.friction_w, flow.fuel_w,
        flow.motor_w, flow.battery_w, flow.cell_w, flow.brake_w, flow.gear, flow.rpm, charge.soc,
    )  # fmt: skip


def along(
    park: Park, speed: Array, grade: Array, shift_rpm: Array, hz: float = 1, charge: Charge | None = None
) -> list[Moment]:
    """Every car of ``park`` along one cycle: a moment a sample, the last one at steady speed.

    Args:
        park: n cars.
        speed: m/s at each sample.
        grade: rise over run at each sample.
        shift_rpm: engine speed at which the next gear is taken, shape (n,).
        hz: samples a second.
        charge: what the powertrains remember; fresh ones when absent. It moves on.
    """
    charge = charge or fresh(park)
    cars = len(park.model)
    now, way = np.full(cars, speed[0]), np.zeros(cars)
    moments = []
    for wanted, slope in zip([*speed[1:].tolist(), None], grade.tolist(), strict=True):
        aim = now if wanted is None else np.full(cars, wanted)
        following, moment = step(park, charge, now, way, aim, np.full(cars, slope), shift_rpm, 1 / hz)
        moments.append(moment)
        way = way + (now + following) / 2 / hz
        now = following
    return moments


def fuel_l(park: Park, moments: Sequence[Moment], hz: float = 1) -> Array:
    """Litres burnt, shape (n,)."""
    return np.asarray(sum(moment.fuel_w for moment in moments) / hz / park.fuel_j_per_l)


def cell_kwh(moments: Sequence[Moment], hz: float = 1) -> Array:
    """Energy out of the battery's cells less what came back, kWh, shape (n,)."""
    return np.asarray(sum(moment.cell_w for moment in moments) / hz / 3.6e6)


def _ratio(park: Park, charge: Charge) -> Array:
    """Engine over wheel speed in the present gear; 0 with an open clutch, the fixed ratio of a motor."""
    place = np.maximum(charge.gear.astype(int) - 1, 0)[:, None]
    geared = np.take_along_axis(park.ratios, place, axis=1)[:, 0]
    return np.where((charge.gear > 0) | (park.motor_w > 0), geared, 0.0)
