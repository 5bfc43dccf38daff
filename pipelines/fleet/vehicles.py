"""The simulated fleet: driving styles, and who drives what. What the models are made of is in ``models``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.fleet.models import (
    DACIA_DUSTER,
    PEUGEOT_208,
    RENAULT_CLIO,
    RENAULT_MEGANE,
    RENAULT_ZOE,
    TOYOTA_YARIS,
)

if TYPE_CHECKING:
    from pipelines.fleet.models import Model


_DIESEL_SHIFT = 0.8  # times a style's shift speed


@dataclass(frozen=True)
class Style:
    """How somebody drives.

    Args:
        acceleration: multiplies pulling away and braking.
        pace: multiplies the speed limit.
        shift_rpm: engine speed at which the next gear is taken (a diesel's driver takes it at four fifths of it).
        surprise: chance to brake hard at a spot where people do.
    """

    acceleration: float
    pace: float
    shift_rpm: float
    surprise: float


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

    def shift_rpm(self, style: Style) -> float:
        """Engine speed at which somebody of this style takes the next gear of this car."""
        return style.shift_rpm * (_DIESEL_SHIFT if self.model.fuel == "diesel" else 1)


# Thirty cars, and again from the start. Among the first 25: twelve 208 and eleven Zoe, as many as the disclosure guard
# asks for once the car that is silent is off; and a Duster and a Clio, which it must suppress.
_MODELS = (
    *(PEUGEOT_208, RENAULT_ZOE) * 6,
    DACIA_DUSTER,
    *(RENAULT_ZOE, PEUGEOT_208) * 5,
    PEUGEOT_208,
    RENAULT_CLIO,
    DACIA_DUSTER,
    *(RENAULT_MEGANE, TOYOTA_YARIS) * 2,
)
_SILENT, _SERVICE = 15, 26  # places in the thirty: a 208 and a Duster
_STYLES = (
    Style(0.75, 0.95, 2000, 0.1),
    Style(1.0, 1.0, 2400, 0.25),
    Style(1.0, 1.02, 2400, 0.25),
    Style(1.6, 1.06, 3000, 0.5),
)
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
