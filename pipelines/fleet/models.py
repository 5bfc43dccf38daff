"""Car models as the dynamics see them, and many of them side by side as arrays.

Mass, drag, rolling resistance, wheels, power and battery of the models marked FASTSim are those of NREL's FASTSim vehicle
database (Apache-2.0); displacement, gear ratios and idle speed are the makers' rounded. Two numbers a model,
``indicated`` and ``friction`` (of an electric car one, ``motor``), are fitted to the four figures of
benchmarks/fleet_reference.csv; the Camry's body is ours, and its efficiency, friction and accessories were changed
until the one figure that there is fitted. The other models' figures are round ones near the makers' published, their
consumption is plausible and no more.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]

Powertrain = Literal["COMBUSTION", "HYBRID", "ELECTRIC"]
Fuel = Literal["petrol", "diesel", "none"]

MJ_PER_L = {"petrol": 31.5, "diesel": 35.8, "none": 1.0}
"""Lower heating value of E10 and of B7; 1 where no fuel is burnt (nothing is divided by 0)."""


@dataclass(frozen=True)
class Model:
    """A car model.

    Args:
        brand: maker.
        name: model.
        year: model year.
        powertrain: as in Vehicle.Powertrain.Type.
        fuel: what it burns.
        mass_kg: curb mass.
        drag_area_m2: drag coefficient times frontal area.
        rolling: coefficient of rolling resistance.
        wheel_radius_m: rolling radius.
        wheel_inertia_kgm2: of all four wheels.
        driven_share: share of the weight on the driven axle.
        transmission: efficiency from crank or motor to wheels.
        accessories_w: electrics and pumps, at the crank or at the battery.
        engine_kw: rated power of the engine; 0 for an electric car.
        displacement_l: of the engine; 0 for an electric car.
        rated_rpm: engine speed of the rated power.
        idle_rpm: idling speed.
        indicated: indicated efficiency of the engine (``powertrain.fuel_power``).
        friction: of the engine against the textbook's (``powertrain.friction``).
        ratios: engine over wheel speed, gear by gear; one for an electric car or a hybrid's power split.
        tank_l: tank; 0 for an electric car.
        motor_kw: power of the electric motor; 0 without one.
        motor: efficiency from battery terminals to the motor's shaft and back.
        cell: efficiency of the battery's inside, one way.
        battery_kwh: usable battery; 0 without one.
    """

    brand: str
    name: str
    year: int
    powertrain: Powertrain
    fuel: Fuel
    mass_kg: int
    drag_area_m2: float
    rolling: float
    wheel_radius_m: float = 0.315
    wheel_inertia_kgm2: float = 3.3
    driven_share: float = 0.6
    transmission: float = 0.92
    accessories_w: float = 500.0
    engine_kw: float = 0.0
    displacement_l: float = 0.0
    rated_rpm: float = 5500.0
    idle_rpm: float = 750.0
    indicated: float = 1.0
    friction: float = 1.0
    ratios: tuple[float, ...] = (8.0,)
    tank_l: float = 0.0
    motor_kw: float = 0.0
    motor: float = 0.9
    cell: float = 0.985
    battery_kwh: float = 0.0


@dataclass(frozen=True)
class Park:
    """Parameters of n cars as arrays of shape (n,); ``ratios`` is (n, gears), missing gears are nan.

    Args:
        model: the models, car by car.
        mass_kg: with all that is carried.
    """

    model: tuple[Model, ...]
    mass_kg: Array
    drag_area_m2: Array
    rolling: Array
    wheel_radius_m: Array
    wheel_inertia_kgm2: Array
    driven_share: Array
    transmission: Array
    accessories_w: Array
    engine_w: Array
    displacement_l: Array
    rated_rpm: Array
    idle_rpm: Array
    indicated: Array
    friction: Array
    motor_w: Array
    motor: Array
    cell: Array
    battery_j: Array
    fuel_j_per_l: Array
    is_diesel: Flags
    is_electric: Flags
    is_hybrid: Flags
    ratios: Array

    def take(self, cars: NDArray[np.int64] | Flags) -> Park:
        """The cars at these places."""
        changes = {each.name: getattr(self, each.name)[cars] for each in fields(self) if each.name != "model"}
        model = tuple(self.model[place] for place in np.arange(len(self.model))[cars].tolist())
        return replace(self, model=model, **changes)


def park(models: Sequence[Model], load_kg: Array) -> Park:
    """Side by side, each with ``load_kg`` (people and luggage, shape (n,)) aboard."""

    def column(name: str, scale: float = 1) -> Array:
        return np.array([getattr(model, name) for model in models], dtype=float) * scale

    gears = max(len(model.ratios) for model in models)
    ratios = np.full((len(models), gears), np.nan)
    for place, model in enumerate(models):
        ratios[place, : len(model.ratios)] = model.ratios
    kinds = np.array([model.powertrain for model in models])
    names = (
        "drag_area_m2", "rolling", "wheel_radius_m", "wheel_inertia_kgm2", "driven_share", "transmission",
        "accessories_w", "displacement_l", "rated_rpm", "idle_rpm", "indicated", "friction", "motor", "cell",
    )  # fmt: skip
    return Park(
        model=tuple(models),
        mass_kg=column("mass_kg") + load_kg,
        engine_w=column("engine_kw", 1e3),
        motor_w=column("motor_kw", 1e3),
        battery_j=column("battery_kwh", 3.6e6),
        fuel_j_per_l=np.array([MJ_PER_L[model.fuel] * 1e6 for model in models]),
        is_diesel=np.array([model.fuel == "diesel" for model in models]),
        is_electric=kinds == "ELECTRIC",
        is_hybrid=kinds == "HYBRID",
        ratios=ratios,
        **{name: column(name) for name in names},
    )


# Overall ratios (gear times final drive).
_SIX_PETROL = (13.6, 7.5, 5.1, 3.8, 3.05, 2.55)
_FIVE_PETROL = (14.6, 7.9, 5.2, 3.8, 3.0)
_SIX_DIESEL = (13.0, 6.9, 4.4, 3.1, 2.4, 2.0)

# FASTSim: 2012 Ford Fusion (2.5 l, six-speed automatic), 2020 VW Golf 1.5 TSI and 2.0 TDI, 2016 Toyota Prius Two,
# 2016 Nissan Leaf 24 kWh, 2022 Renault Zoe R135. Curb mass is FASTSim's test mass less its 136 kg of cargo.
FORD_FUSION = Model(
    "Ford", "Fusion", 2012, "COMBUSTION", "petrol", 1508, 0.833, 0.007, 0.326, 3.28, 0.59, 0.875, 700,
    130.5, 2.488, 6000, 700, 0.438, 1.0, (14.0, 9.05, 5.84, 4.36, 3.06, 2.26), 66,
)  # fmt: skip
VW_GOLF = Model(
    "Volkswagen", "Golf", 2020, "COMBUSTION", "petrol", 1280, 0.608, 0.009, 0.316, 3.29, 0.61, 0.98, 750,
    96, 1.498, 5500, 700, 0.415, 1.1, (13.9, 7.4, 4.8, 3.55, 2.85, 2.4), 50,
)  # fmt: skip
VW_GOLF_TDI = Model(
    "Volkswagen", "Golf TDI", 2020, "COMBUSTION", "diesel", 1254, 0.608, 0.009, 0.316, 3.29, 0.61, 0.98, 1000,
    110, 1.968, 4000, 780, 0.4445, 0.7, (13.0, 6.7, 4.2, 3.0, 2.35, 1.95), 50,
)  # fmt: skip
TOYOTA_CAMRY = Model(
    "Toyota", "Camry", 2018, "COMBUSTION", "petrol", 1515, 0.62, 0.0085, 0.334, 3.4, 0.6, 0.93, 600,
    151, 2.487, 6600, 650, 0.418, 0.9, (14.7, 8.5, 5.1, 3.98, 3.27, 2.8, 2.18, 1.87), 60,
)  # fmt: skip
TOYOTA_PRIUS = Model(
    "Toyota", "Prius", 2016, "HYBRID", "petrol", 1498, 0.679, 0.0064, 0.3175, 3.26, 0.59, 0.98, 1050,
    71, 1.798, 5200, 1000, 0.441, 0.7, (7.0,), 43, 53, 0.92, 0.985, 0.75,
)  # fmt: skip
NISSAN_LEAF = Model(
    "Nissan", "Leaf", 2016, "ELECTRIC", "none", 1477, 0.868, 0.008, 0.336, 3.26, 0.59, 0.98, 250,
    ratios=(7.9,), motor_kw=80, motor=0.95, battery_kwh=21.6,
)  # fmt: skip
RENAULT_ZOE = Model(
    "Renault", "Zoe", 2020, "ELECTRIC", "none", 1464, 0.829, 0.009, 0.31, 3.26, 0.59, 0.98, 450,
    ratios=(9.3,), motor_kw=100, motor=0.91, battery_kwh=52,
)  # fmt: skip

PEUGEOT_208 = Model(
    "Peugeot", "208", 2021, "COMBUSTION", "petrol", 1165, 0.62, 0.0095, 0.312, 3.2, 0.62, 0.93, 450,
    74, 1.199, 5500, 750, 0.385, 0.9, _SIX_PETROL, 44,
)  # fmt: skip
RENAULT_CLIO = Model(
    "Renault", "Clio", 2020, "COMBUSTION", "petrol", 1110, 0.66, 0.0095, 0.312, 3.2, 0.62, 0.93, 450,
    67, 0.999, 5000, 780, 0.385, 0.9, _FIVE_PETROL, 42,
)  # fmt: skip
DACIA_DUSTER = Model(
    "Dacia", "Duster", 2019, "COMBUSTION", "diesel", 1320, 1.00, 0.0105, 0.335, 3.6, 0.58, 0.93, 500,
    84, 1.461, 3750, 800, 0.42, 0.8, _SIX_DIESEL, 50,
)  # fmt: skip
TOYOTA_YARIS = Model(
    "Toyota", "Yaris Hybrid", 2021, "HYBRID", "petrol", 1160, 0.68, 0.0085, 0.305, 3.0, 0.62, 0.96, 500,
    68, 1.490, 5500, 1000, 0.43, 0.9, (7.0,), 36, 59, 0.92, 0.985, 0.76,
)  # fmt: skip
RENAULT_MEGANE = Model(
    "Renault", "Megane E-Tech", 2023, "ELECTRIC", "none", 1620, 0.69, 0.0095, 0.33, 3.6, 0.6, 0.97, 450,
    ratios=(9.3,), motor_kw=160, motor=0.91, battery_kwh=60,
)  # fmt: skip
