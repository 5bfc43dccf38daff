"""Longitudinal dynamics: from a speed trace to power, fuel and battery.

Force at the wheels: m·δ·a + ½·d·CdA·v² + m·g·(Crr·cos θ + sin θ), with d for the density of air and δ for the rotating
masses (Gillespie, *Fundamentals of Vehicle Dynamics*, ch. 2). Fuel by the Willans line: what the idling engine burns,
plus crank power over efficiency times heating value; none while the car drives the engine (fuel cut). An electric car
gets back what its motor can take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.fleet.vehicles import Model

    Array = NDArray[np.float64]

IDLE_RPM = 800.0

_AIR_KG_M3 = 1.2
_GRAVITY = 9.81
_LOAD_KG = 100  # a driver and a bag
_ROTATING = 1.05  # δ
_GEARBOX = 0.93  # crank to wheels
_ALTERNATOR_W = 350.0  # electrics of a combustion car, at the crank
_ELECTRICS_W = 450.0  # electrics of an electric car, at the battery
_CUT_SPEED_MS = 5.5  # below, the engine idles rather than cuts its fuel
_REGENERATION_W = 40_000.0
_REGENERATION_FADE_MS = 4.0  # below, the brakes take over


def acceleration(speed_ms: Array, hz: float) -> Array:
    """Mean acceleration in m/s² over the interval that follows each sample; the last stays as it is."""
    return np.asarray(np.diff(speed_ms, append=speed_ms[-1]) * hz)


def mean_speed(speed_ms: Array) -> Array:
    """Mean speed in m/s over the interval that follows each sample."""
    return np.asarray((speed_ms + np.append(speed_ms[1:], speed_ms[-1])) / 2)


def wheel_power(model: Model, speed_ms: Array, grade: Array, hz: float) -> Array:
    """Power at the wheels in W over the interval that follows each sample; negative while braking.

    Args:
        model: the car.
        speed_ms: samples in m/s.
        grade: slope there, as rise over run.
        hz: samples a second.
    """
    mass = model.mass_kg + _LOAD_KG
    speed = mean_speed(speed_ms)
    slope = np.arctan(grade)
    force = (
        mass * _ROTATING * acceleration(speed_ms, hz)
        + 0.5 * _AIR_KG_M3 * model.drag_area_m2 * speed**2
        + mass * _GRAVITY * (model.rolling * np.cos(slope) + np.sin(slope))
    )
    return np.minimum(force * speed, model.power_kw * 1000)


def fuel_rate(model: Model, power_w: Array, speed_ms: Array) -> Array:
    """Fuel in l/h over the interval that follows each sample, from power at the wheels (W)."""
    crank = np.maximum(power_w, 0) / _GEARBOX + _ALTERNATOR_W
    rate = model.idle_lph + crank * 3600 / (model.efficiency * model.fuel_mj_per_l * 1e6)
    is_cut = (power_w < 0) & (mean_speed(speed_ms) > _CUT_SPEED_MS)
    return np.where(is_cut, 0.0, rate)


def battery_power(model: Model, power_w: Array, speed_ms: Array) -> Array:
    """Power drawn from the battery in W over the interval that follows each sample; negative while it is charged."""
    fade = np.minimum(mean_speed(speed_ms) / _REGENERATION_FADE_MS, 1)
    recovered = np.maximum(power_w, -_REGENERATION_W) * model.efficiency * fade
    return np.where(power_w > 0, power_w / model.efficiency, recovered) + _ELECTRICS_W


def gears(model: Model, speed_ms: Array, shift_rpm: float) -> tuple[Array, Array]:
    """Gear (0 when standing) and engine speed in rpm at each sample.

    The lowest gear that stays under ``shift_rpm``; in first gear the clutch slips rather than stall the engine.
    """
    rpm = speed_ms[:, None] * 3.6 / np.array(model.gears_kmh) * 1000
    fits = rpm <= shift_rpm
    gear = np.where(fits.any(axis=1), fits.argmax(axis=1), len(model.gears_kmh) - 1)
    engine = np.maximum(rpm[np.arange(len(gear)), gear], IDLE_RPM)
    standing = speed_ms <= 0
    return np.where(standing, 0, gear + 1).astype(float), np.where(standing, IDLE_RPM, engine)
