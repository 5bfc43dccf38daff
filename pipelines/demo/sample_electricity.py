"""Generated files in the shape of éCO2mix régional: the consolidated dataset and the one in real time.

Definitive half-hours around both clock changes of 2024 and consolidated ones of a week of 2025, under field names; real time
every quarter of an hour for part of that week and a few days on, under labels, with ``-`` where a region has none of a
thing, columns for exchanges with each neighbour, a column without content, and a last evening that is still blank. As the
publisher does, the day of March lists an hour that did not exist, and that of October only one of its two hours from 02:00.
"""

# ruff: noqa: PLR2004 - hours and megawatts are the content here

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import cos, pi
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipelines.demo.sample_files import SampleDataset, SampleFile, table_bytes, write_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CONSOLIDATED = SampleDataset(
    "donnees-eco2mix-regionales-consolidees-et-definitives",
    "donnees-eco2mix-regionales-consolidees-et-definitives",
    "shaped like the electricity of French regions, consolidated and definitive",
    "lov2",
    "monthly",
)
REAL_TIME = SampleDataset(
    "donnees-eco2mix-regionales-temps-reel-1",
    "donnees-eco2mix-regionales-temps-reel-1",
    "shaped like the electricity of French regions in real time",
    "lov2",
    "daily",
)
PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)
_WEEK = date(2025, 6, 2)
_POWERS = ("thermique", "nucleaire", "eolien", "solaire", "hydraulique", "bioenergies")
_LABELS = {
    "thermique": "Thermique",
    "nucleaire": "Nucléaire",
    "eolien": "Eolien",
    "solaire": "Solaire",
    "hydraulique": "Hydraulique",
    "bioenergies": "Bioénergies",
}


@dataclass(frozen=True)
class Region:
    """A region: INSEE code, name, megawatts of each kind installed (None for none) and usual consumption."""

    code: str
    name: str
    installed: tuple[int | None, ...]
    consumption: int


REGIONS = (
    Region("93", "Provence-Alpes-Côte d'Azur", (1500, None, 100, 1900, 3300, 200), 4200),
    Region("84", "Auvergne-Rhône-Alpes", (900, 13600, 700, 1900, 11600, 300), 7000),
    Region("53", "Bretagne", (800, None, 1200, 500, 270, 90), 2400),
)


def write_consolidated_samples(folder: Path, *, seed: int = 1) -> Path:
    """Write the half-hours into ``folder``; equal seeds give equal bytes."""
    rows: list[Sequence[object]] = [_field_names()]
    definitive = [day + timedelta(days=n) for day in (SPRING, AUTUMN) for n in (-1, 0, 1)]
    for nature, days in (
        ("Données définitives", definitive),
        ("Données consolidées", [_WEEK, _WEEK + timedelta(days=1)]),
    ):
        for region in REGIONS:
            for day in days:
                for starts_at, shown in listed(day, 30):
                    rows.append(
                        [
                            region.code,
                            region.name,
                            nature,
                            day,
                            shown,
                            _utc(starts_at),
                            *_field_cells(seed, region, starts_at),
                        ]
                    )
    return write_dataset(folder, CONSOLIDATED, [SampleFile("eco2mix-regional-cons-def.csv", table_bytes(rows, ";"))])


def write_real_time_samples(folder: Path, *, seed: int = 1) -> Path:
    """Write the quarters of an hour into ``folder``: the week's first day and three more, the last evening blank."""
    neighbours = [name for region in REGIONS for name in (f"Import {region.name}", f"Export {region.name}")]
    powers = [f"{_LABELS[power]} (MW)" for power in _POWERS]
    first = ["Code INSEE région", "Région", "Nature", "Date", "Heure", "Date - Heure", "Consommation (MW)"]
    last = ["Pompage (MW)", "Ech. physiques (MW)", *neighbours, "TCO Solaire (%)", "Column 24"]
    rows: list[Sequence[object]] = [[*first, *powers, *last]]
    for region in REGIONS:
        for day in (_WEEK + timedelta(days=n) for n in (0, 1, 2, 3)):
            for starts_at, shown in listed(day, 15):
                place = [region.code, region.name, "Données temps réel", day, shown, starts_at.isoformat()]
                blank = day == _WEEK + timedelta(days=3) and shown >= "18:00"
                nothing = [None] * (len(rows[0]) - len(place))
                rows.append([*place, *(nothing if blank else _label_cells(seed, region, starts_at))])
    return write_dataset(folder, REAL_TIME, [SampleFile("eco2mix-regional-tr.csv", table_bytes(rows, ";"))])


def listed(day: date, minutes: int) -> Iterator[tuple[datetime, str]]:
    """The steps of a day as the publisher lists them: the instant in Paris, and what it writes as the hour."""
    for step in range(24 * 60 // minutes):
        shown = datetime(day.year, day.month, day.day, tzinfo=PARIS) + timedelta(minutes=step * minutes)
        # An hour that no clock showed goes by its instant, an hour shown twice is the later one.
        instant = shown.replace(fold=1 if day == AUTUMN else 0).astimezone(UTC).astimezone(PARIS)
        yield instant, f"{shown:%H:%M}"


def _field_names() -> list[str]:
    first = ["code_insee_region", "libelle_region", "nature", "date", "heure", "date_heure", "consommation"]
    return [*first, *_POWERS, "pompage", "ech_physiques", "stockage_batterie", "tco_solaire", "column_30"]


def _field_cells(seed: int, region: Region, instant: datetime) -> list[object]:
    consumption, powers, pumping = _state(seed, region, instant)
    exchange = consumption - sum(power or 0 for power in powers)
    share = f"{100 * (powers[3] or 0) / consumption:.2f}"
    return [consumption, *powers, pumping, exchange, "ND" if region.code == "53" else 0, share, None]


def _label_cells(seed: int, region: Region, instant: datetime) -> list[object]:
    """Real time is a little off what is consolidated later."""
    consumption, powers, pumping = _state(seed, region, instant)
    consumption += Random(f"{seed}-{region.code}-{instant}").randint(-40, 40)
    exchange = consumption - sum(power or 0 for power in powers)
    flows = ["-" if other is region else f"{exchange / 2:.0f}" for other in REGIONS for _ in range(2)]
    return [consumption, *powers, pumping, exchange, *flows, f"{100 * (powers[3] or 0) / consumption:.2f}", None]


def _state(seed: int, region: Region, instant: datetime) -> tuple[int, list[int | None], int]:
    """Consumption, power of each kind and pumping in MW; the same whatever the step in which it is published."""
    rng = Random(f"{seed}-{region.code}-{instant.astimezone(UTC):%Y%m%d%H}")
    hour = instant.hour + instant.minute / 60
    consumption = round(region.consumption * (1 - 0.15 * cos((hour - 3) * pi / 12)) * rng.uniform(0.98, 1.02))
    sun = max(0.0, cos((hour - 13) * pi / 14)) if 6 < hour < 20 else 0.0
    loads = (rng.uniform(0.05, 0.2), 0.8, rng.uniform(0.1, 0.5), 0.8 * sun, rng.uniform(0.2, 0.4), 0.6)
    powers = [
        None if power is None else round(power * load) for power, load in zip(region.installed, loads, strict=True)
    ]
    return consumption, powers, -50 if hour < 5 and region.code == "93" else 0


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
