"""The simulated fleet: models, driving styles, and who drives what.

Parameters are round figures near the makers' published ones (curb mass, drag, tank, battery) or usual textbook values
(rolling resistance, efficiencies). They make consumption plausible, not certified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Powertrain = Literal["COMBUSTION", "ELECTRIC"]


@dataclass(frozen=True)
class Model:
    """A car model as the dynamics see it.

    Args:
        brand: maker.
        name: model.
        year: model year.
        powertrain: as in Vehicle.Powertrain.Type.
        mass_kg: curb mass.
        drag_area_m2: drag coefficient times frontal area.
        rolling: coefficient of rolling resistance.
        power_kw: the most that reaches the wheels.
        efficiency: from fuel's heat to the crank (marginal), or from battery to wheel and back.
        idle_lph: fuel rate of the idling engine; 0 for an electric car.
        fuel_mj_per_l: lower heating value of the fuel; 0 for an electric car.
        tank_l: tank; 0 for an electric car.
        battery_kwh: usable battery; 0 for a combustion car.
        gears_kmh: km/h at 1000 rpm, gear by gear; empty for an electric car.
    """

    brand: str
    name: str
    year: int
    powertrain: Powertrain
    mass_kg: int
    drag_area_m2: float
    rolling: float
    power_kw: float
    efficiency: float
    idle_lph: float = 0
    fuel_mj_per_l: float = 0
    tank_l: float = 0
    battery_kwh: float = 0
    gears_kmh: tuple[float, ...] = ()


@dataclass(frozen=True)
class Style:
    """How somebody drives.

    Args:
        acceleration: multiplies pulling away and braking.
        pace: multiplies the speed limit.
        shift_rpm: engine speed at which the next gear is taken.
    """

    acceleration: float
    pace: float
    shift_rpm: float


@dataclass(frozen=True)
class Driver:
    """Somebody with a pseudonym and a style."""

    name: str
    style: Style


@dataclass(frozen=True)
class Car:
    """A car of the fleet.

    Args:
        number: from 1; with the seed it determines all that the car does.
        vehicle: id on the topics.
        model: what it is.
        drivers: who takes turns, trip by trip.
        consent: level published before its first trip.
    """

    number: int
    vehicle: str
    model: Model
    drivers: tuple[Driver, ...]
    consent: str


_PETROL_MJ_PER_L, _DIESEL_MJ_PER_L = 31.5, 35.8  # E10 and B7
_SIX_GEARS = (8.0, 14.5, 21.5, 29.0, 36.5, 44.0)

PEUGEOT_208 = Model(
    "Peugeot", "208", 2021, "COMBUSTION", 1165, 0.62, 0.0095, 74, 0.36, 0.6, _PETROL_MJ_PER_L, 44, 0, _SIX_GEARS
)
RENAULT_CLIO = Model(
    "Renault", "Clio", 2020, "COMBUSTION", 1110, 0.66, 0.0095, 67, 0.36, 0.6, _PETROL_MJ_PER_L, 42, 0, _SIX_GEARS
)
DACIA_DUSTER = Model(
    "Dacia", "Duster", 2019, "COMBUSTION", 1320, 1.00, 0.0105, 84, 0.41, 0.55, _DIESEL_MJ_PER_L, 50, 0,
    (7.5, 14.5, 23.0, 33.0, 42.0, 51.0),
)  # fmt: skip
RENAULT_ZOE = Model("Renault", "Zoe", 2020, "ELECTRIC", 1500, 0.75, 0.0095, 80, 0.88, battery_kwh=52)
RENAULT_MEGANE = Model("Renault", "Megane E-Tech", 2023, "ELECTRIC", 1620, 0.69, 0.0095, 160, 0.89, battery_kwh=60)

# Thirty cars, and again from the start. Among the first 25: twelve 208 and eleven Zoe, as many as the disclosure guard
# asks for once the car that is silent is off; and a Duster and a Clio, which it must suppress.
_MODELS = (
    *(PEUGEOT_208, RENAULT_ZOE) * 6,
    DACIA_DUSTER,
    *(RENAULT_ZOE, PEUGEOT_208) * 5,
    PEUGEOT_208,
    RENAULT_CLIO,
    DACIA_DUSTER,
    *(RENAULT_MEGANE, RENAULT_CLIO) * 2,
)
_SILENT, _SERVICE = 15, 26  # places in the thirty: a 208 and a Duster
_STYLES = (Style(0.75, 0.95, 2000), Style(1.0, 1.0, 2400), Style(1.0, 1.02, 2400), Style(1.4, 1.08, 3000))
_SHARED_EVERY = 6  # every sixth car is also driven by the next car's driver


def fleet(vehicles: int, consent: str | None = None) -> list[Car]:
    """The cars ``car-01`` to ``car-NN``; the same for every seed.

    Args:
        vehicles: how many.
        consent: level of every car; when absent most give ``service+statistics``, of each thirty one only ``service``
            and one is ``silent``.
    """
    return [_car(number, consent) for number in range(1, vehicles + 1)]


def _car(number: int, consent: str | None) -> Car:
    place = (number - 1) % len(_MODELS) + 1
    mixed = {_SILENT: "silent", _SERVICE: "service"}.get(place, "service+statistics")
    second = (_driver(number + 1),) if number % _SHARED_EVERY == 0 else ()
    return Car(number, f"car-{number:02d}", _MODELS[place - 1], (_driver(number), *second), consent or mixed)


def _driver(number: int) -> Driver:
    return Driver(f"driver-{number:02d}", _STYLES[number % len(_STYLES)])
