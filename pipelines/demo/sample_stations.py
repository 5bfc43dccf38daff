"""Generated files in the shape of SNCF's station traffic (three editions, all different) and list of stations.

The editions differ as the real ones do: another separator, a BOM and CRLF, the station's class under another name and in
small letters, fractions in an early year, postcodes without their leading zero, two more columns a year. Each edition
restates some counts of the ones before it. One cell of the newest edition is broken on purpose.
"""

# ruff: noqa: PLR2004 - years and shares are the content here

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_files import SampleDataset, SampleFile, table_bytes, write_dataset
from pipelines.demo.sample_towns import TOWNS
from pipelines.demo.samples import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRAFFIC = SampleDataset(
    "frequentation-en-gares",
    "frequentation-en-gares",
    "shaped like the yearly traffic of French railway stations",
    "odc-odbl",
    "annual",
)
STATIONS = SampleDataset(
    "gares-de-voyageurs-1",
    "gares-de-voyageurs-1",
    "shaped like the list of French railway stations",
    "odc-odbl",
    "unknown",
)
#: The edition in which a class is written, its newest year and the file's date.
EDITIONS = ((2018, "2020-07"), (2020, "2022-12"), (2024, "2026-04"))
_FIRST_YEAR = 2015
_RESTATED = 0.11


@dataclass(frozen=True)
class Station:
    """A station that does not exist: number, name, commune, position in degrees and passengers in an ordinary year."""

    uic: str
    name: str
    commune: str
    latitude: float
    longitude: float
    size: int

    @property
    def segment(self) -> str:
        """The class by how many use the station."""
        return "A" if self.size > 5_000_000 else "B" if self.size > 250_000 else "C"


def write_station_traffic_samples(folder: Path, *, seed: int = 1, stations: int = 240) -> Path:
    """Write three editions of the traffic into ``folder``; equal arguments give equal bytes.

    Args:
        folder: made when absent.
        seed: another one, other figures.
        stations: how many; the newest edition has twelve more than the oldest.
    """
    everywhere = draw_stations(seed, stations)
    counts = _first_counts(Random(f"{seed}-traffic"), everywhere)
    files = []
    for newest, date in EDITIONS:
        rng = Random(f"{seed}-{newest}")
        for years in counts.values():
            for year in years:
                if newest > EDITIONS[0][0] and rng.random() < _RESTATED:
                    years[year] = round(years[year] * rng.uniform(0.95, 1.04))
        held = everywhere if newest == EDITIONS[-1][0] else everywhere[:-12]
        files.append(_edition(newest, date, held, counts))
    return write_dataset(folder, TRAFFIC, files)


def write_station_samples(folder: Path, *, seed: int = 1, stations: int = 240) -> Path:
    """Write the list of the same stations: a position for nearly all, several numbers for a few."""
    rows: list[Sequence[object]] = [
        [
            "Nom",
            "Trigramme",
            "Segment(s) DRG",
            "Position géographique",
            "Code commune",
            "uniteTerritoriale",
            "Code(s) UIC",
            "id",
        ]
    ]
    for index, station in enumerate(draw_stations(seed, stations)):
        position = f"{station.latitude:.6f}, {station.longitude:.6f}" if index % 60 != 7 else ""
        numbers = f"{station.uic};{int(station.uic) + 700_000}" if index % 80 == 3 else station.uic
        segments = ";".join([station.segment] * (numbers.count(";") + 1))
        unit = "-" if index % 50 == 9 else f"{index:06}A"
        letters = f"{chr(65 + index // 26 % 26)}{chr(65 + index % 26)}{chr(65 + index % 7)}"
        rows.append([station.name, letters, segments, position, station.commune, unit, numbers, f"sample-{index:04}"])
    body = table_bytes(rows, ";", encoding="utf-8-sig", end="\r\n")
    return write_dataset(folder, STATIONS, [SampleFile("gares-de-voyageurs.csv", body)])


def draw_stations(seed: int, count: int) -> list[Station]:
    """Stations around the sample towns; the first of a town is its largest."""
    rng, found = Random(f"{seed}-stations"), []
    metropolitan = [town for town in TOWNS if not town.is_overseas]
    for index in range(count):
        town = metropolitan[index % len(metropolitan)]
        ring = index // len(metropolitan)
        size = round(town.weight * 2 ** rng.gauss(0, 1) * (300_000 if ring == 0 else 8_000))
        latitude, longitude = (round(rng.gauss(mean, 0.05), 6) for mean in (town.latitude, town.longitude))
        name = f"{_NAMES[ring % len(_NAMES)]} {index % len(metropolitan) + 1}"
        found.append(Station(f"87{300_000 + index * 37:06}", name, town.commune, latitude, longitude, size))
    return found


_NAMES = (
    "Ville-Échantillon",
    "Saint-Exemple",
    "Bois-Modèle",
    "Pont-d'Essai",
    "Mont-Témoin",
    "Val-Spécimen",
    "Port-Patron",
    "Gué-Canevas",
)


def _first_counts(rng: Random, stations: Sequence[Station]) -> dict[str, dict[int, float]]:
    """Travellers by station and year, as the first edition that knows the year says it; 2020 and 2021 are low."""
    level = {2020: 0.55, 2021: 0.75}
    return {
        station.uic: {
            year: round(station.size * level.get(year, 1 + 0.02 * (year - 2015)) * rng.uniform(0.9, 1.1))
            for year in range(_FIRST_YEAR, EDITIONS[-1][0] + 1)
        }
        for station in stations
    }


def _edition(newest: int, date: str, stations: Sequence[Station], counts: dict[str, dict[int, float]]) -> SampleFile:
    years = range(newest, _FIRST_YEAR - 1, -1)
    totals = [name for year in years for name in (f"Total Voyageurs {year}", f"Total Voyageurs + Non voyageurs {year}")]
    modern = newest >= 2024
    if modern:
        first = ["Nom de la gare", "Code UIC", "Code postal", "Direction Régionale Gares", "Segmentation DRG"]
        first += ["Segmentation Marketing", "% Non Voyageurs"]
    else:
        class_of = {2018: "Segmentation DRG 2018", 2020: "Segmentation DRG 2021"}[newest]
        first = ["Nom de la gare", "Code UIC complet", "Code postal", class_of]
    rows: list[list[object]] = [[*first, *totals]]
    for index, station in enumerate(stations):
        others = 0.18 if station.segment != "C" and index % 3 == 0 else 0.0
        department = station.commune[:2].replace("2A", "20").replace("2B", "20")  # the post has one Corsica
        postcode = f"{department}{index % 10}00".removeprefix("0")
        segment = "" if index % 70 == 11 else station.segment.lower() if newest == 2018 else station.segment
        row: list[object] = [station.name, station.uic, postcode]
        row += ["DRG DÉMO", segment, "Halte" if segment == "C" else "Ville", others] if modern else [segment]
        for year in years:
            travellers = counts[station.uic][year]
            everybody = travellers / (1 - others)
            row += [travellers, f"{everybody:.6f}" if (newest, year) == (2018, 2016) else round(everybody)]
        rows.append(row)
    name = f"frequentation-gares_{date}.csv"
    broken: tuple[BrokenRow, ...] = ()
    if modern:
        rows[5][rows[0].index("Total Voyageurs 2022")] = "n.c."
        broken = (BrokenRow(name, 6, "Total Voyageurs 2022", "n.c.", "words are no number"),)
    body = table_bytes(
        rows,
        "," if newest == 2020 else ";",
        encoding="utf-8-sig" if modern else "utf-8",
        end="\r\n" if modern else "\n",
    )
    return SampleFile(name, body, broken)
