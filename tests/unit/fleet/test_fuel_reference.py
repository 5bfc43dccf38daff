"""Consumption over the cycles against FASTSim's and a dynamometer's figures.

The models' engine efficiency and friction were fitted to these figures: two numbers a car against four cycles.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipelines.fleet import models
from pipelines.fleet.cycles.file import read_cycle
from pipelines.fleet.drive import along, cell_kwh, fresh, fuel_l

ROOT = Path(__file__).parents[3]
VEHICLES = ROOT / "../shared/data/vehicles"
FIGURES = list(csv.DictReader((ROOT / "benchmarks/fleet_reference.csv").read_text(encoding="utf-8").splitlines()))
needs_data = pytest.mark.skipif(not VEHICLES.exists(), reason="cycles and vehicles are not in ../shared/data")


def consumption(name: str, cycle: str) -> float:
    """MJ (fuel) or kWh (battery) over 100 km, two up (136 kg); a hybrid once its charge has settled."""
    model: models.Model = getattr(models, name)
    car = models.park([model], np.array([136.0]))
    speed, grade = read_cycle(VEHICLES / "cycles" / f"{cycle}.csv").at(1)
    charge = fresh(car)
    shift = np.array([2000.0 if model.fuel == "diesel" or name == "TOYOTA_CAMRY" else 2200.0])
    for _ in range(3 if model.powertrain == "HYBRID" else 0):
        along(car, speed, grade, shift, 1, charge)
    moments = along(car, speed, grade, shift, 1, charge)
    kilometres = moments[-1].way[0] / 1000
    if model.powertrain == "ELECTRIC":
        return float(100 * cell_kwh(moments)[0] / kilometres)
    return float(100 * fuel_l(car, moments)[0] * car.fuel_j_per_l[0] / 1e6 / kilometres)


@needs_data
@pytest.mark.parametrize("figure", FIGURES, ids=lambda each: f"{each['model']}-{each['cycle']}")
def test_within_five_per_cent_of_the_reference(figure: dict[str, str]) -> None:
    assert consumption(figure["model"], figure["cycle"]) == pytest.approx(float(figure["per_100km"]), rel=0.05)


@needs_data
@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("FORD_FUSION", "2012 Ford Fusion"), ("VW_GOLF", "2020 VW Golf 1.5TSI"), ("VW_GOLF_TDI", "2020 VW Golf 2.0TDI"),
        ("TOYOTA_PRIUS", "2016 Toyota Prius Two FWD"), ("NISSAN_LEAF", "2016 Leaf 24 kWh"),
        ("RENAULT_ZOE", "2022 Renault Zoe ZE50 R135"),
    ],
)  # fmt: skip
def test_the_cars_are_those_that_fastsim_describes(name: str, scenario: str) -> None:
    lines = csv.DictReader((VEHICLES / "fastsim/FASTSim_py_veh_db.csv").read_text(encoding="utf-8").splitlines())
    theirs = next(line for line in lines if line["Scenario name"] == scenario)
    ours: models.Model = getattr(models, name)
    assert ours.drag_area_m2 == pytest.approx(float(theirs["drag_coef"]) * float(theirs["frontal_area_m2"]), rel=0.002)
    assert ours.rolling == float(theirs["wheel_rr_coef"])
    assert ours.wheel_radius_m == pytest.approx(float(theirs["wheel_radius_m"]), rel=0.03)
    assert ours.engine_kw == float(theirs["fc_max_kw"])
    if theirs["veh_override_kg"]:
        assert ours.mass_kg + float(theirs["cargo_kg"]) == pytest.approx(float(theirs["veh_override_kg"]), abs=1)
