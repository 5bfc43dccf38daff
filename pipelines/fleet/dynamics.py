"""Longitudinal dynamics of many cars at once: what a change of speed costs at the wheels, and what limits it.

All arrays have shape (n,), a car a place; forces in N, powers in W, speeds in m/s, slopes as rise over run. What the wheels'
power takes from tank and battery is in ``powertrain``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pipelines.fleet.models import Array, Park

AIR_KG_M3 = 1.2
GRAVITY = 9.81
GRIP = 0.85
"""Friction of tyre on dry asphalt (Gillespie, *Fundamentals of Vehicle Dynamics*, ch. 2 and 10: 0.8 to 0.9)."""

_ENGINE_INERTIA = 0.15  # kg m² of crank, flywheel and clutch
_MOTOR_INERTIA = 0.03  # kg m² of an electric motor's rotor
_TRANSFER = 0.2  # height of the centre of gravity over the wheelbase


def effective_mass(park: Park, ratio: Array) -> Array:
    """m·δ in kg: what resists acceleration, the turning parts included.

    m + (J_wheels + J_engine · ratio²) / r² (Gillespie, ch. 2, eq. 2-9; Guzzella & Sciarretta, *Vehicle Propulsion
    Systems*, §2.1.1).

    Args:
        park: the cars.
        ratio: engine or motor speed over wheel speed; 0 where the clutch is open.
    """
    inertia = np.where(park.motor_w > 0, _MOTOR_INERTIA, _ENGINE_INERTIA)
    return np.asarray(park.mass_kg + (park.wheel_inertia_kgm2 + inertia * ratio**2) / park.wheel_radius_m**2)


def road_load(park: Park, speed: Array, slope: Array) -> tuple[Array, Array, Array]:
    """Drag, rolling resistance and grade force: 0.5·d·CdA·v² (d: density of air), m·g·Crr·cos θ, m·g·sin θ (Gillespie, ch. 4).

    Rolling resistance only turns wheels that turn: 0 at standstill.
    """
    weight = park.mass_kg * GRAVITY / np.sqrt(1 + slope**2)
    drag = 0.5 * AIR_KG_M3 * park.drag_area_m2 * speed**2
    return drag, np.where(speed > 0, park.rolling * weight, 0.0), weight * slope


def hardest(park: Park, slope: Array) -> tuple[Array, Array]:
    """The most that tyres give: greatest acceleration and deceleration (both positive) in m/s².

    Driving, the axle's share of the weight counts, less what moves to the other axle (front drive:
    μ·g·share / (1 + μ·h/L), Gillespie, ch. 2, eq. 2-24); braking, all wheels do.
    """
    cosine = 1 / np.sqrt(1 + slope**2)
    driving = GRIP * GRAVITY * cosine * park.driven_share / (1 + GRIP * _TRANSFER)
    return np.maximum(driving - GRAVITY * slope * cosine, 0.1), GRIP * GRAVITY * cosine + GRAVITY * slope * cosine


def reachable(park: Park, speed: Array, wanted: Array, slope: Array, ratio: Array, power: Array, dt: float) -> Array:
    """Speed after ``dt`` s: ``wanted`` as far as tyres and ``power`` at the wheels allow.

    Power is the force's times the interval's mean speed; with a force that gives less speed the mean falls too, so the
    bound is sought by halving between standstill (or braking at no power) and what is wanted.
    """
    forward, backward = hardest(park, slope)
    wanted = np.clip(wanted, np.maximum(speed - backward * dt, 0), speed + forward * dt)
    short = wheel_power(park, speed, wanted, slope, ratio, dt) > power
    if not short.any():
        return wanted
    few = park.take(short)
    at, tilt, geared, most = speed[short], slope[short], ratio[short], power[short]
    low, high = np.maximum(at - backward[short] * dt, 0), wanted[short]
    for _ in range(18):
        middle = (low + high) / 2
        fits = wheel_power(few, at, middle, tilt, geared, dt) <= most
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    reached = wanted.copy()
    reached[short] = low
    return reached


def wheel_power(park: Park, speed: Array, following: Array, slope: Array, ratio: Array, dt: float) -> Array:
    """Mean power at the wheels over the interval from ``speed`` to ``following``; negative while braking.

    Force times mean speed, so that the work of acceleration is exactly the change of ½·m·δ·v².
    """
    mean = (speed + following) / 2
    drag, rolling, grade = road_load(park, mean, slope)
    return np.asarray((effective_mass(park, ratio) * (following - speed) / dt + drag + rolling + grade) * mean)
