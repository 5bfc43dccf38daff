"""The simulator: consumption over the cycles beside FASTSim's and a dynamometer's, and how fast a fleet is made.

Adds rows to benchmarks/history.csv. Bars: every consumption within 5 % of its reference (needs ../shared/data). How
fast messages are made and encoded on one core, in each wire format, stands beside real time: 10,000 cars at 1 Hz with 40
signals, and one car of the profile fusion. No bar is set on that.
"""

from __future__ import annotations

import csv
import time
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from side_by_side import ROOT, SHORT, Row, report

from pipelines.fleet import models
from pipelines.fleet.batches import CONTENT_TYPES
from pipelines.fleet.crowd import FUSION_BYTES_S, Crowd, Load, fusion
from pipelines.fleet.cycles.file import read_cycle
from pipelines.fleet.drive import along, cell_kwh, fresh, fuel_l
from pipelines.fleet.vehicles import fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.fleet.batches import Wire

CYCLES = ROOT / "../shared/data/vehicles/cycles"
DAY = date(2026, 9, 1)
CARS, SECONDS = (1_000, 12) if SHORT else (10_000, 30)
TWO_UP_KG = 136.0


def consumption(name: str, cycle: str) -> float:
    """MJ of fuel or kWh from the battery over 100 km, a hybrid's once its charge has settled."""
    model: models.Model = getattr(models, name)
    car = models.park([model], np.array([TWO_UP_KG]))
    speed, grade = read_cycle(CYCLES / f"{cycle}.csv").at(1)
    shift = np.array([2000.0 if model.fuel == "diesel" or name == "TOYOTA_CAMRY" else 2200.0])
    charge = fresh(car)
    for _ in range(3 if model.powertrain == "HYBRID" else 0):
        along(car, speed, grade, shift, 1, charge)
    moments = along(car, speed, grade, shift, 1, charge)
    used = cell_kwh(moments) if model.powertrain == "ELECTRIC" else fuel_l(car, moments) * car.fuel_j_per_l / 1e6
    return float(100_000 * used[0] / moments[-1].way[0])


def against_references() -> Iterator[Row]:
    """A row a car and cycle, with the bar on its distance from 1."""
    if not CYCLES.exists():
        print(f"no cycles in {CYCLES}: consumption is not compared")
        return
    with (ROOT / "benchmarks/fleet_reference.csv").open(encoding="utf-8") as file:
        for each in csv.DictReader(file):
            ours, theirs = consumption(each["model"], each["cycle"]), float(each["per_100km"])
            source = "Argonne dyno" if "Argonne" in each["source"] else "FASTSim 2.1.5"
            unit = "MJ/100 km" if each["kind"] == "fuel" else "kWh/100 km"
            what = f"{each['model'].replace('_', ' ').title()}, {each['cycle']}"
            over = ours > theirs
            yield Row(what, ours, unit, source, theirs, 1.05 if over else 0.95, at_most=over)


def throughput(wire: Wire) -> Row:
    """Rows a second of CPU, beside the ten thousand that real time asks for."""
    crowd = Crowd(fleet(CARS), Load(1.0, 40, 10, wire), 1_790_000_000_000, DAY, seed=1)
    began = time.process_time()
    rows = sum(message.rows for message in crowd.messages(SECONDS))
    spent = time.process_time() - began
    return Row(f"rows of 40 signals made and encoded, {wire}", rows / spent, "rows/s", "real time", CARS)


def fusions(wire: Wire) -> Row:
    """Cars of the profile fusion that one core makes and encodes in real time."""
    cars = fleet(4)
    load = fusion(cars[0], wire, DAY)
    crowd = Crowd(cars, load, 1_790_000_000_000, DAY, seed=1)
    began, seconds = time.process_time(), 1 if SHORT else 4
    size = sum(len(message.payload) for message in crowd.messages(seconds))
    spent = time.process_time() - began
    print(f"fusion in {wire}: {load.hz:g} rows/s a car, {size / seconds / len(cars) / 1e6:.2f} MB/s a car")
    return Row(f"fusion cars made and encoded, {wire}", size / FUSION_BYTES_S / spent, "cars", "real time", 1)


def main() -> None:
    """Measure, print, append."""
    rows = [*against_references(), *(throughput(wire) for wire in CONTENT_TYPES)]
    report([*rows, fusions("json"), fusions("arrow")])


if __name__ == "__main__":
    main()
