"""Generated charge points in the shape of the national file (IRVE 2.3), with the faults of the real one.

A point may come from several operators' files: of a priority dataset, with an older date, or changed earlier. Some have no
roaming id (blank or "Non concerné"), some give latitude before longitude, and operators write yes and no in four ways.

Equal arguments give equal bytes. ``Truth`` is what should come out.
"""

# ruff: noqa: PLR2004, SIM905 - shares are the content here, and headers read best as the publisher has them

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_files import SampleDataset, SampleFile, table_bytes, write_dataset
from pipelines.demo.samples import BrokenRow

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "consolidation-etalab-schema-irve-statique-v-2.3.1-20260401.csv"

_DATASET = SampleDataset(
    "5448d3e0c751df01f85d0572",
    "generated-samples-of-charge-points",
    "shaped like the national file of public charge points (IRVE)",
    "lov2",
    "daily",
)

HEADER = (
    "nom_amenageur,siren_amenageur,contact_amenageur,nom_operateur,contact_operateur,telephone_operateur,nom_enseigne,"
    "id_station_itinerance,id_station_local,nom_station,implantation_station,adresse_station,code_insee_commune,"
    "coordonneesXY,nbre_pdc,id_pdc_itinerance,id_pdc_local,puissance_nominale,prise_type_ef,prise_type_2,"
    "prise_type_combo_ccs,prise_type_chademo,prise_type_autre,gratuit,paiement_acte,paiement_cb,paiement_autre,tarification,"
    "condition_acces,reservation,horaires,accessibilite_pmr,restriction_gabarit,station_deux_roues,raccordement,num_pdl,"
    "date_mise_en_service,observations,date_maj,cable_t2_attache,last_modified,datagouv_dataset_id,datagouv_resource_id,"
    "datagouv_organization_or_owner,created_at,consolidated_longitude,consolidated_latitude,consolidated_code_postal,"
    "consolidated_commune,consolidated_is_lon_lat_correct,consolidated_is_code_insee_verified"
).split(",")

_PRIORITY = ["63dccb1307e9b2f213a5130c", "64060c2ac773dcf3fabbe5d2", "6818bce2d9af175f6e01a1b2"]
_TOWNS = (
    ("75056", "Paris", 2.35, 48.85),
    ("69123", "Lyon", 4.84, 45.76),
    ("2A004", "Ajaccio", 8.74, 41.92),
    ("01004", "Ambérieu-en-Bugey", 5.36, 45.96),
    ("97411", "Saint-Denis", 55.45, -20.88),
    ("97105", "Basse-Terre", -61.73, 16.0),
)
_SITES = ("Voirie", "Parking public", "Parking privé à usage public", "Station dédiée à la recharge rapide")
_YES_NO = (("true", "false"), ("TRUE", "FALSE"), ("1", "0"), ("VRAI", "FAUX"))
_NO_ID = ("", "Non concerné", "non concerne", "NON CONCERNÉ")


@dataclass
class Truth:
    """What the file holds.

    Attributes:
        rows: all rows.
        points: points with a roaming id.
        nameless: rows without one.
        swapped: of the rows that stay, those with latitude first.
        kept: by roaming id the installer's name on the row that should stay.
    """

    rows: int
    points: int
    nameless: int
    swapped: int
    kept: dict[str, str]


def draw_charge_points(rng: Random, stations: int) -> tuple[list[list[str]], Truth]:
    """Rows of ``stations`` stations in no order, and what is true of them."""
    rows: list[tuple[list[str], bool]] = []
    kept: dict[str, str] = {}
    swapped = nameless = 0
    for station in range(stations):
        insee, town, longitude, latitude = rng.choice(_TOWNS)
        x, y = longitude + rng.uniform(-0.02, 0.02), latitude + rng.uniform(-0.02, 0.02)
        places = rng.randint(1, 6)
        latitude_first = rng.random() < 0.03
        for place in range(places):
            # Points of one station without ids have equal rows but for the place in the file.
            named = station % 25 != 0
            best = _Row(rng, insee, town, (y, x) if latitude_first else (x, y), station, place, places, named)
            copies = [
                best.cells(rng, f"file {number}", *source) for number, source in enumerate(_sources(rng, named=named))
            ]
            rows += [(cells, named) for cells in copies]
            swapped += latitude_first * (1 if named else len(copies))
            nameless += 0 if named else len(copies)
            if named:
                kept[best.identity] = "file 0"
    rng.shuffle(rows)
    return [cells for cells, _ in rows], Truth(len(rows), len(kept), nameless, swapped, kept)


def write_charge_point_samples(folder: Path, *, seed: int = 1, stations: int = 400) -> Path:
    """Write the national file, one of its rows broken on purpose, and return ``folder``."""
    rows, _ = draw_charge_points(Random(f"{seed}-charge-points"), stations)
    broken = list(rows[0])
    broken[HEADER.index("id_pdc_itinerance")] = "FRDEMEBROKEN"
    broken[HEADER.index("implantation_station")] = "Sur le toit"
    fault = BrokenRow(FILE_NAME, len(rows) + 2, "implantation_station", "Sur le toit", "there is no such code")
    return write_dataset(folder, _DATASET, [SampleFile(FILE_NAME, file_bytes([*rows, broken]), (fault,))])


def file_bytes(rows: list[list[str]]) -> bytes:
    """The rows as the publisher writes them: commas, quotes where needed, a header."""
    return table_bytes([HEADER, *rows], ",")


def _sources(rng: Random, *, named: bool) -> list[tuple[str, date, str]]:
    """Dataset, date and time of change of the files that list a point; the first is the one that counts."""
    day = date(2026, 3, 1) + timedelta(rng.randrange(30))
    other, moment = f"{rng.randrange(16**6):024x}", "2026-03-31T08:00:00.000000+00:00"
    earlier = "2026-03-30T08:00:00.000000"
    if not named or rng.random() < 0.6:
        return [(other, day, moment)]
    return rng.choice(
        [
            [(_PRIORITY[0], day - timedelta(90), earlier), (_PRIORITY[1], day, moment), (other, day, moment)],
            [(other, day, moment), (other, day - timedelta(1), moment)],
            [(other, day, moment), (other, day, earlier)],
        ]
    )


@dataclass
class _Row:
    """One point before it is written into one or more files."""

    rng: Random
    insee: str
    town: str
    pair: tuple[float, float]
    station: int
    place: int
    places: int
    named: bool

    def __post_init__(self) -> None:
        self.identity = f"FRDEME{self.station:05d}{self.place:02d}"
        self.power = self.rng.choice([3.7, 7.4, 22, 22, 50, 150, 300])
        self.site, self.missing = self.rng.choice(_SITES), self.rng.choice(_NO_ID)

    def cells(self, rng: Random, installer: str, dataset: str, day: date, moment: str) -> list[str]:
        """The row in one operator's file."""
        yes, no = rng.choice(_YES_NO)
        fast = self.power >= 50
        cells = dict.fromkeys(HEADER, "")
        cells |= {
            "nom_amenageur": installer,
            "contact_operateur": "contact@example.org",
            "nom_enseigne": "Réseau d'essai",
            "id_station_itinerance": f"FRDEMP{self.station:05d}" if self.named else "Non concerné",
            "nom_station": f"{self.town} {self.station}",
            "implantation_station": self.site,
            "adresse_station": f"{self.station} rue de l'Essai, {self.town}",
            "code_insee_commune": self.insee.lstrip("0"),
            "coordonneesXY": f"[{self.pair[0]:.6f},{self.pair[1]:.6f}]",
            "nbre_pdc": str(self.places),
            "id_pdc_itinerance": self.identity if self.named else self.missing,
            "puissance_nominale": f"{self.power:g}",
            "prise_type_ef": no,
            "prise_type_2": no if fast else yes,
            "prise_type_combo_ccs": yes if fast else no,
            "prise_type_chademo": no,
            "prise_type_autre": no,
            "gratuit": rng.choice([yes, no, ""]),
            "paiement_acte": yes,
            "condition_acces": "Accès libre",
            "reservation": no,
            "horaires": rng.choice(["24/7", "Mo-Fr 08:00-12:00,Mo-Fr 14:00-18:00"]),
            "accessibilite_pmr": "Accessibilité inconnue",
            "restriction_gabarit": "inconnu",
            "station_deux_roues": no,
            "date_maj": day.isoformat(),
            "last_modified": moment,
            "datagouv_dataset_id": dataset,
        }
        return list(cells.values())
