"""What the demo's mirror serves: one generated dataset a line, each in its own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.demo.sample_charge_points import write_charge_point_samples
from pipelines.demo.sample_electricity import write_consolidated_samples, write_real_time_samples
from pipelines.demo.sample_property import write_property_samples
from pipelines.demo.sample_restaurants import write_restaurant_samples
from pipelines.demo.sample_stations import write_station_samples, write_station_traffic_samples
from pipelines.demo.sample_validations import write_rail_validation_samples
from pipelines.demo.samples import write_accident_samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: By folder. Where a contract has one dataset the folder is called after the contract.
SAMPLES: dict[str, Callable[[Path], Path]] = {
    "accidents": write_accident_samples,
    "station_traffic": write_station_traffic_samples,
    "stations": write_station_samples,
    "rail_validations": write_rail_validation_samples,
    "electricity": write_consolidated_samples,
    "electricity_real_time": write_real_time_samples,
    "charge_points": write_charge_point_samples,
    "restaurants": write_restaurant_samples,
    "property": write_property_samples,
}


def write_samples(folder: Path) -> Path:
    """Write every generated dataset into ``folder``, ready for `rocade mirror`; what is already there stays as it is."""
    for name, write in SAMPLES.items():
        write(folder / name)
    return folder
