"""Generated hygiene inspections in the shape of the ministry's export (Alim'confiance), with the faults of the real one.

Two editions a month apart: the source shows twelve months, so that the second has lost the first's oldest inspections and has
new ones. Semicolons, results with and without accents, numbers that are not unique, ids that are no SIRET, places without
coordinates, postcodes that are none. Equal arguments give equal bytes.
"""

# ruff: noqa: PLR2004, SIM905 - shares are the content here, and headers read best as the publisher has them

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_files import SampleDataset, SampleFile, table_bytes, write_dataset
from pipelines.demo.samples import BrokenRow

if TYPE_CHECKING:
    from pathlib import Path

_DATASET = SampleDataset(
    "resultats-des-controles-officiels-sanitaires-dispositif-dinformation-alimconfiance",
    "resultats-des-controles-officiels-sanitaires-dispositif-dinformation-alimconfiance",
    "shaped like the hygiene inspections of Alim'confiance",
    "lov2",
    "daily",
)
FILE_NAME = "export_alimconfiance.csv"

HEADER = (
    "APP_Libelle_etablissement;SIRET;Adresse_2_UA;Code_postal;Libelle_commune;Numero_inspection;Date_inspection;"
    "APP_Libelle_activite_etablissement;Synthese_eval_sanit;Agrement;geores;filtre;ods_type_activite"
).split(";")

_LEVELS = ("Très satisfaisant", "Satisfaisant", "A améliorer", "À améliorer", "A corriger de manière urgente")
_WEIGHTS = (34, 58, 5, 2, 1)
_TOWNS = (
    ("75011", "Paris 11e  Arrondissement", 48.859, 2.378),
    ("13100", "Aix-en-Provence", 43.528, 5.449),
    ("01500", "AMBERIEU EN BUGEY", 45.959, 5.359),
    ("97411", "Saint-Paul", -21.01, 55.27),
)
_LAST = date(2026, 3, 31)


def draw_inspections(rng: Random, count: int) -> list[list[str]]:
    """``count`` inspections of thirteen months, oldest first."""
    rows = []
    for number in range(count):
        postcode, town, latitude, longitude = rng.choice(_TOWNS)
        day = _LAST - timedelta(days=(count - 1 - number) * 395 // count)
        summer = 4 <= day.month <= 9
        rows.append(
            [
                f"CHEZ {rng.choice(['LUCIE', 'MARCEL', 'NADIA', 'YVES'])} {number % 900}",
                f"A{number:011d}" if rng.random() < 0.01 else _siret(rng),
                f"{rng.randint(1, 90)} RUE DE L'ESSAI",
                "000NR" if rng.random() < 0.01 else postcode,
                town,
                str(number % 17) if postcode == "13100" else f"26-{number:06d}-1",
                f"{day}T02:00:00+02:00" if summer else f"{day}T01:00:00+01:00",
                "Restaurant",
                rng.choices(_LEVELS, _WEIGHTS)[0],
                "",
                "" if rng.random() < 0.03 else f"{latitude + rng.uniform(-0.01, 0.01):.6f}, {longitude:.6f}",
                "Restaurants",
                "Autres",
            ]
        )
    return rows


def shown_on(rows: list[list[str]], day: date) -> list[list[str]]:
    """What the source shows on a day: twelve months back."""
    since = (day - timedelta(days=365)).isoformat()
    return [row for row in rows if since <= row[6][:10] <= day.isoformat()]


def write_restaurant_samples(folder: Path, *, seed: int = 1, inspections: int = 1500) -> Path:
    """Write the export as of the end of March 2026, one of its rows broken on purpose, and return ``folder``."""
    rows = shown_on(draw_inspections(Random(f"{seed}-restaurants"), inspections), _LAST)
    broken = list(rows[-1])
    broken[HEADER.index("Date_inspection")] = "2026-02-30T01:00:00+01:00"
    fault = BrokenRow(FILE_NAME, len(rows) + 2, "Date_inspection", "2026-02-30T01:00:00+01:00", "there is no such day")
    return write_dataset(folder, _DATASET, [SampleFile(FILE_NAME, file_bytes([*rows, broken]), (fault,))])


def file_bytes(rows: list[list[str]]) -> bytes:
    """The rows as the publisher writes them."""
    return table_bytes([HEADER, *rows], ";")


def _siret(rng: Random) -> str:
    """Thirteen digits and the one that makes Luhn's check come out."""
    body = f"{rng.randrange(10**13):013d}"
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"
