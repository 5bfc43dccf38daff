"""From power at the wheels to gear, engine speed, fuel and battery, for many cars at once.

One engine model for all: the Willans line with friction that grows with engine speed. A combustion car picks a gear and
burns what the line says; an electric car draws from its battery; a hybrid does both and chooses. Arrays have shape (n,);
power in W, engine speed in rpm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipelines.fleet.models import Array, Flags, Park

LAUNCH_RPM = 1800.0
"""Engine speed while the clutch slips under full load, when power is what counts."""

SOC_TARGET = 0.6
"""State of charge that a hybrid steers to."""

_OVERSPEED = 1.1  # times the rated speed: the limiter
_RESERVE = 0.9  # share of full load at which a lower gear is taken; UN GTR 15 annex 2 keeps 10 % too
_HOLD = 0.5  # share of the shift speed at which a lower gear is taken
_CLUTCH = 1.1  # times idle speed: below, the clutch is open
_REGENERATION_FADE_MS = 4.0  # below, the brakes take over
_REGENERATION = 0.95  # share of braking that the driven axle gets
_MOTOR_IDLE = 0.002  # share of a motor's power that it takes to turn at all
_HYBRID_RPM = (1000.0, 0.8)  # slowest engine speed under load; share of the rated speed gained up to rated power
_HYBRID_ON_W = 9_000.0  # crank power from which a hybrid's engine is worth starting
_HYBRID_LEAST_W = 8_000.0  # crank power that it gives at least while on
_HYBRID_ON_S = 4.0  # time that it stays on at least
_HYBRID_GAIN_W = 100_000.0  # per unit of state of charge below target
_HYBRID_ELECTRIC_MS = 30.0  # above, the engine never stops
_SOC_LOW, _SOC_HIGH = 0.4, 0.8


@dataclass
class Charge:
    """What a powertrain remembers from one interval to the next; arrays of shape (n,).

    Args:
        gear: from 1; 0 with the clutch open.
        soc: share of the battery that is full.
        on_s: how long a hybrid's engine has been on; 0 when off.
    """

    gear: Array
    soc: Array
    on_s: Array


@dataclass(frozen=True)
class Flow:
    """Mean powers (W) over an interval and engine state; they close: see ``flow``."""

    gear: Array
    rpm: Array
    crank_w: Array
    friction_w: Array
    fuel_w: Array
    motor_w: Array
    battery_w: Array
    cell_w: Array
    brake_w: Array


def friction(park: Park, rpm: Array) -> Array:
    """Power that turns the engine itself, pumping included.

    Motored mean effective pressure of petrol engines 0.97 + 0.15·N + 0.05·N² bar, of direct-injection diesels
    0.75 + 0.48·N bar, N in 1000 rpm (Heywood, *Internal Combustion Engine Fundamentals*, §13.6); times displacement and
    half the speed (four strokes). The measurements are old: ``park.friction`` says how much better an engine is.
    """
    thousands = rpm / 1000
    petrol = 0.97 + 0.15 * thousands + 0.05 * thousands**2
    bar = np.where(park.is_diesel, 0.75 + 0.48 * thousands, petrol)
    return np.asarray(park.friction * bar * 1e5 * park.displacement_l * 1e-3 * rpm / 120)


def full_load(park: Park, rpm: Array) -> Array:
    """The most the engine gives at ``rpm``: Leiderman's cubic, P = P_rated·(a·x + b·x² - x³), x = rpm / rated.

    a = b = 1 for petrol, 0.6 and 1.4 for diesel engines (Hütte; Genta & Morello, *The Automotive Chassis*, vol. 2, ch. 22).
    Turbochargers hold up torque at low speed; they are treated as if they did not. Shape (n,) or (n, gears).
    """
    wide = rpm.ndim > 1
    rated, power, diesel = (
        values[:, None] if wide else values for values in (park.rated_rpm, park.engine_w, park.is_diesel)
    )
    x = np.minimum(rpm / rated, _OVERSPEED)
    a, b = np.where(diesel, 0.6, 1.0), np.where(diesel, 1.4, 1.0)
    return np.asarray(np.maximum(power * (a * x + b * x**2 - x**3), 0))


def fuel_power(park: Park, crank: Array, friction_w: Array) -> Array:
    """Heat of the fuel burnt: (crank power + friction) / indicated efficiency; 0 while the car turns the engine.

    The Willans line (Guzzella & Sciarretta, §3.1.3), friction as its intercept; fuel cut as its zero.
    """
    return np.asarray(np.maximum(crank + friction_w, 0) / park.indicated)


def engine_rpm(park: Park, speed: Array) -> Array:
    """Engine speed in each gear, shape (n, gears); nan where there is no such gear."""
    return np.asarray((speed * 30 / np.pi / park.wheel_radius_m)[:, None] * park.ratios)


def available(park: Park, speed: Array) -> Array:
    """The most that reaches the wheels at ``speed``, through the best gear, motor included."""
    rpm = engine_rpm(park, speed)
    allowed = np.where(rpm <= _OVERSPEED * park.rated_rpm[:, None], np.maximum(rpm, LAUNCH_RPM), np.nan)
    geared = np.nan_to_num(full_load(park, allowed)).max(axis=1)
    engine = np.where(park.is_hybrid, park.engine_w, geared)
    crank = np.where(park.is_electric, 0.0, np.maximum(engine - park.accessories_w, 0))
    return np.asarray((crank + park.motor_w * park.motor) * park.transmission)


def chosen_gear(park: Park, speed: Array, crank: Array, gear: Array, shift_rpm: Array) -> Array:
    """Gear from 1, or 0 where the clutch is open.

    The present gear while its engine speed lies between half of ``shift_rpm`` and all of it and its full load leaves
    10 %; else the lowest gear under ``shift_rpm``, and lower still while power is short.
    """
    rpm = engine_rpm(park, speed)
    enough = _RESERVE * full_load(park, np.maximum(rpm, LAUNCH_RPM)) >= crank[:, None]
    enough &= rpm <= _OVERSPEED * park.rated_rpm[:, None]
    order = np.arange(1, rpm.shape[1] + 1)
    last = (~np.isnan(park.ratios)).sum(axis=1)
    under = rpm <= shift_rpm[:, None]
    economic = np.where(under.any(axis=1), under.argmax(axis=1) + 1, last)
    able = np.where(enough & (order <= economic[:, None]), order, 0).max(axis=1)
    strongest = np.nan_to_num(full_load(park, rpm), nan=-1).argmax(axis=1) + 1
    fresh = np.where(able > 0, able, np.minimum(strongest, economic))
    place = np.maximum(gear.astype(int) - 1, 0)[:, None]
    turning = np.take_along_axis(rpm, place, axis=1)[:, 0]
    keeps = (gear > 0) & (turning >= _HOLD * shift_rpm) & (turning <= shift_rpm)
    keeps &= np.take_along_axis(enough, place, axis=1)[:, 0]
    picked = np.where(keeps, gear, fresh)
    return np.where((speed <= 0) | park.is_electric | park.is_hybrid, 0.0, picked)


def flow(park: Park, charge: Charge, wheel: Array, speed: Array, shift_rpm: Array, dt: float) -> Flow:
    """Where the power of an interval comes from; ``charge`` moves on.

    What closes: fuel times indicated = crank + friction where fuel is burnt; crank + motor = wheel power over (or, while it
    drives the car's machines, times) the transmission, plus accessories of a combustion car, plus brakes;
    cell = battery over (times) the battery's efficiency.

    Args:
        park: the cars.
        charge: what is remembered.
        wheel: mean power at the wheels.
        speed: mean speed in m/s.
        shift_rpm: engine speed at which the driver takes the next gear.
        dt: length of the interval in s.
    """
    shaft = np.where(wheel > 0, wheel / park.transmission, wheel * park.transmission)
    combustion = ~(park.is_electric | park.is_hybrid)
    belt = np.where(combustion, park.accessories_w, 0.0)
    charge.gear = chosen_gear(park, speed, shaft + belt, charge.gear, shift_rpm)
    is_on, wished = _hybrid(park, charge, shaft, speed, dt)
    charge.on_s = np.where(is_on, charge.on_s + dt, 0.0)

    rpm = _rpm(park, charge.gear, speed, is_on, wished)
    friction_w = np.where(rpm > 0, friction(park, rpm), 0.0)
    coupled = combustion & (charge.gear > 0) & (rpm > _CLUTCH * park.idle_rpm)
    geared = np.where(coupled, np.maximum(shaft, -friction_w - belt), np.maximum(shaft, 0)) + belt
    crank = np.where(combustion, geared, np.where(is_on, wished, 0.0))
    fuel_w = np.where(park.is_electric | (rpm <= 0), 0.0, fuel_power(park, crank, friction_w))

    rest = shaft + belt - crank  # what the motor gives (+) or may take (-), or the brakes
    fade = np.minimum(speed / _REGENERATION_FADE_MS, 1) * _REGENERATION
    full = charge.soc >= np.where(park.is_hybrid, _SOC_HIGH + 0.1, 0.99)
    braking = np.where(shaft < 0, np.where(full, 0.0, fade), 1.0)
    motor = np.where(combustion, 0.0, np.maximum(rest * np.where(rest < 0, braking, 1.0), -park.motor_w))
    turning = np.where(speed > 0, _MOTOR_IDLE * park.motor_w, 0.0)
    electric = np.where(motor > 0, motor / park.motor, motor * park.motor) + turning
    battery = np.where(combustion, 0.0, electric + park.accessories_w)
    cell = np.where(battery > 0, battery / park.cell, battery * park.cell)
    charge.soc = np.where(combustion, charge.soc, charge.soc - cell * dt / np.maximum(park.battery_j, 1))
    return Flow(charge.gear, rpm, crank, friction_w, fuel_w, motor, battery, cell, np.maximum(motor - rest, 0))


def _hybrid(park: Park, charge: Charge, shaft: Array, speed: Array, dt: float) -> tuple[Flags, Array]:
    """Whether a hybrid's engine runs, and the crank power it gives: demand plus what steers the charge to its target.

    A thermostat on power, as power-split hybrids are commonly described (Guzzella & Sciarretta, §7.3): the engine starts
    when it can work at good load, and stays on for some seconds.
    """
    correction = _HYBRID_GAIN_W * (SOC_TARGET - charge.soc) + park.accessories_w
    asked = np.maximum(shaft, 0) + correction
    low, high = charge.soc < _SOC_LOW, charge.soc > _SOC_HIGH
    busy = (asked > _HYBRID_ON_W) | (shaft > park.motor_w * park.motor) | (speed > _HYBRID_ELECTRIC_MS) | low
    warm = (charge.on_s > 0) & (charge.on_s < _HYBRID_ON_S - dt / 2)
    is_on = park.is_hybrid & (busy | warm) & ~(high & (shaft <= 0))
    return is_on, np.clip(asked, np.minimum(_HYBRID_LEAST_W, park.engine_w), park.engine_w)


def _rpm(park: Park, gear: Array, speed: Array, is_on: Flags, wished: Array) -> Array:
    """Engine speed: by the gear, idle with an open clutch, a hybrid's by its power; 0 when the engine stands."""
    place = np.maximum(gear.astype(int) - 1, 0)[:, None]
    geared = np.take_along_axis(engine_rpm(park, speed), place, axis=1)[:, 0]
    clutched = np.where(gear > 0, np.maximum(geared, park.idle_rpm), park.idle_rpm)
    slowest, gain = _HYBRID_RPM
    split = np.where(is_on, slowest + gain * park.rated_rpm * wished / np.maximum(park.engine_w, 1), 0.0)
    return np.where(park.is_electric, 0.0, np.where(park.is_hybrid, split, clutched))
