"""Generated property sales in the shape of the tax administration's files (DVF), with what was truly sold beside them.

Belongs here: invented sales (a house with its garden, a flat with its cellar, building plots, fields, flats off plan, …), and
the two notations in which the real ones are published. The raw file: `|`, 43 columns of which eight are always blank, day
first, decimal comma, communes without department and unpadded, a deed's lines together. The géolocalisées: comma, 40 columns,
ISO dates, sorted by day and price over the whole country, one `id_mutation` for all sales of a day and price.

Equal arguments give equal bytes.
"""

# ruff: noqa: PLR2004, SIM905 - shares are the content here, and headers read best as the publisher has them

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_files import SampleDataset, SampleFile, write_dataset
from pipelines.demo.samples import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_DATASET = SampleDataset(
    "5c4ae55a634f4117716d5656",
    "generated-samples-of-property-sales",
    "shaped like the property sales of France (DVF)",
    "lov2",
    "biannual",
)

RAW_HEADER = (
    "Identifiant de document|Reference document|1 Articles CGI|2 Articles CGI|3 Articles CGI|4 Articles CGI|5 Articles CGI|"
    "No disposition|Date mutation|Nature mutation|Valeur fonciere|No voie|B/T/Q|Type de voie|Code voie|Voie|Code postal|"
    "Commune|Code departement|Code commune|Prefixe de section|Section|No plan|No Volume|1er lot|Surface Carrez du 1er lot|"
    "2eme lot|Surface Carrez du 2eme lot|3eme lot|Surface Carrez du 3eme lot|4eme lot|Surface Carrez du 4eme lot|5eme lot|"
    "Surface Carrez du 5eme lot|Nombre de lots|Code type local|Type local|Identifiant local|Surface reelle bati|"
    "Nombre pieces principales|Nature culture|Nature culture speciale|Surface terrain"
).split("|")
GEO_HEADER = (
    "id_mutation,date_mutation,numero_disposition,nature_mutation,valeur_fonciere,adresse_numero,adresse_suffixe,"
    "adresse_nom_voie,adresse_code_voie,code_postal,code_commune,nom_commune,code_departement,ancien_code_commune,"
    "ancien_nom_commune,id_parcelle,ancien_id_parcelle,numero_volume,lot1_numero,lot1_surface_carrez,lot2_numero,"
    "lot2_surface_carrez,lot3_numero,lot3_surface_carrez,lot4_numero,lot4_surface_carrez,lot5_numero,lot5_surface_carrez,"
    "nombre_lots,code_type_local,type_local,surface_reelle_bati,nombre_pieces_principales,code_nature_culture,"
    "nature_culture,code_nature_culture_speciale,nature_culture_speciale,surface_terrain,longitude,latitude"
).split(",")

SALE, OFF_PLAN, EXCHANGE = "Vente", "Vente en l'état futur d'achèvement", "Echange"
_LOCAL_NAMES = {"1": "Maison", "2": "Appartement", "3": "Dépendance", "4": "Local industriel. commercial ou assimilé"}


@dataclass(frozen=True)
class Town:
    """A commune: name, department, number in it, postcode."""

    name: str
    department: str
    number: int
    postcode: str

    @property
    def insee(self) -> str:
        """Its code, five characters."""
        return f"{self.department}{self.number:0{5 - len(self.department)}d}"


TOWNS = (
    Town("AMBERIEU-EN-BUGEY", "01", 4, "1500"),
    Town("CALAIS", "62", 193, "62100"),
    Town("LA ROCHELLE", "17", 300, "17000"),
    Town("PUILBOREAU", "17", 291, "17138"),
    Town("AJACCIO", "2A", 4, "20000"),
    Town("NICE", "06", 88, "6000"),
    Town("LE MOULE", "971", 17, "97160"),
)


@dataclass(frozen=True)
class Line:
    """One published line: a parcel with a local, or with a land use, or with both."""

    section: str
    number: int
    lots: tuple[str, ...] = ()
    local: str = ""
    built_m2: int | None = None
    rooms: int | None = None
    use: str = ""
    land_m2: int | None = None


@dataclass(frozen=True)
class Sale:
    """What was truly sold for one price; ``price`` is None where none is published."""

    town: Town
    day: date
    price: Decimal | None
    lines: tuple[Line, ...]
    nature: str = SALE
    disposition: int = 1


@dataclass
class Drawer:
    """Draws sales; each has parcels of its own."""

    rng: Random
    taken: dict[str, int] = field(default_factory=dict)

    def plot(self, town: Town) -> tuple[str, int]:
        """A section and a number in it that nothing else has."""
        self.taken[town.insee] = number = self.taken.get(town.insee, 0) + 1
        return self.rng.choice("ABCDEZ"), number

    def lines(self, kind: str, town: Town) -> tuple[Line, ...]:
        """The lines of a sale of ``kind``, one of ``KINDS``."""
        return KINDS[kind](self, town)


def _house(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    """Two land uses repeat the house, and its garden lies on another parcel."""
    section, number = drawer.plot(town)
    next_door = drawer.plot(town)[1]
    rooms, area = drawer.rng.randint(3, 7), drawer.rng.randint(60, 220)
    built = Line(section, number, (), "1", area, rooms, "S", drawer.rng.randint(150, 900))
    garage = Line(section, number, (), "3", 0, 0, "S", built.land_m2)
    return built, garage, Line(section, next_door, use="J", land_m2=drawer.rng.randint(50, 2000))


def _flat(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section, number = drawer.plot(town)
    rooms, first = drawer.rng.randint(1, 5), drawer.rng.randint(1, 40)
    flat = Line(section, number, (str(first),), "2", drawer.rng.randint(18, 110), rooms)
    return flat, Line(section, number, (str(first + 100),), "3", 0, 0)


def _building_plot(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section, number = drawer.plot(town)
    return (Line(section, number, use="AB", land_m2=drawer.rng.randint(300, 1200)),)


def _fields(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section = drawer.plot(town)[0]
    uses = [drawer.rng.choice(["T", "P", "BT", "VI"]) for _ in range(drawer.rng.randint(1, 5))]
    return tuple(Line(section, drawer.plot(town)[1], use=use, land_m2=drawer.rng.randint(500, 40_000)) for use in uses)


def _off_plan(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section, number = drawer.plot(town)
    first = drawer.rng.randint(1, 90)
    return (Line(section, number, (str(first), str(first + 300))),)


def _shop(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section, number = drawer.plot(town)
    return (Line(section, number, (), "4", drawer.rng.randint(30, 400), 0, "S", drawer.rng.randint(60, 500)),)


def _garage(drawer: Drawer, town: Town) -> tuple[Line, ...]:
    section, number = drawer.plot(town)
    return (Line(section, number, (str(drawer.rng.randint(1, 60)),), "3", 0, 0),)


KINDS: dict[str, Callable[[Drawer, Town], tuple[Line, ...]]] = {
    "house": _house,
    "flat": _flat,
    "building plot": _building_plot,
    "fields": _fields,
    "off plan": _off_plan,
    "shop": _shop,
    "garage": _garage,
}
_NATURES = {"off plan": OFF_PLAN}


def draw_sales(rng: Random, year: int, count: int) -> list[Sale]:
    """``count`` sales of one year, in the order in which the publisher writes them: by department, else as they come.

    Prices are round and towns few, so that some sales share day and price, as they do in a whole country.
    """
    drawer, found = Drawer(rng), []
    for _ in range(count):
        kind = rng.choices(list(KINDS), [30, 34, 8, 12, 6, 4, 6])[0]
        town = rng.choice(TOWNS)
        price = (
            None
            if rng.random() < 0.01
            else Decimal(rng.randrange(500, 90_000)) * 5 + Decimal(rng.choice(["0.00", "0.45"]))
        )
        nature = EXCHANGE if rng.random() < 0.01 else _NATURES.get(kind, SALE)
        day = date(year, 1, 1) + timedelta(rng.randrange(365))
        found.append(Sale(town, day, price, drawer.lines(kind, town), nature))
    return sorted(found, key=lambda sale: sale.town.department)


def raw_text(sales: Sequence[Sale]) -> str:
    """The raw file: one deed after the other, as given."""
    rows = ["|".join(RAW_HEADER)]
    rows += ["|".join(_raw_cells(sale, line)) for sale in sales for line in sale.lines]
    return "\n".join(rows) + "\n"


def _raw_cells(sale: Sale, line: Line) -> list[str]:
    town, lots = sale.town, [cell for lot in (*line.lots, *[""] * 5)[:5] for cell in (lot, "")]
    return [
        *[""] * 7,
        f"{sale.disposition:06d}",
        f"{sale.day:%d/%m/%Y}",
        sale.nature,
        _comma(sale.price),
        *[str(line.number), "", "RUE", "0710", f"DE LA SECTION {line.section}"],
        *[town.postcode, town.name, town.department, str(town.number), "", line.section, str(line.number), ""],
        *lots,
        str(len(line.lots)),
        *[line.local, _LOCAL_NAMES.get(line.local, ""), "", _text(line.built_m2), _text(line.rooms)],
        *[line.use, "", _text(line.land_m2)],
    ]


def geolocated_text(sales: Sequence[Sale]) -> str:
    """The géolocalisées, sorted as since 2026: by day and price, so that deeds of the same day and price are mixed."""
    lines = [(sale, line) for sale in sales for line in sale.lines]
    lines.sort(key=lambda pair: (pair[0].day, pair[0].price or Decimal(0), pair[1].number))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(GEO_HEADER)
    before, mutation = None, 0
    for sale, line in lines:
        mutation += (sale.day, sale.price) != before
        before = (sale.day, sale.price)
        writer.writerow(_geo_cells(f"{sale.day.year}-{mutation}", sale, line))
    return out.getvalue()


def _geo_cells(mutation: str, sale: Sale, line: Line) -> list[str]:
    town, lots = sale.town, [cell for lot in (*line.lots, *[""] * 5)[:5] for cell in (lot, "")]
    return [
        *[mutation, sale.day.isoformat(), f"{sale.disposition:06d}", sale.nature, _text(sale.price)],
        *[str(line.number), "", f"RUE DE LA SECTION {line.section}", "0710", town.postcode.zfill(5)],
        *[town.insee, town.name.title(), town.department, "", "", parcel(sale, line), "", ""],
        *lots,
        str(len(line.lots)),
        *[line.local, _LOCAL_NAMES.get(line.local, ""), _text(line.built_m2), _text(line.rooms)],
        *[line.use, "", "", "", _text(line.land_m2), "1.5", "46.5"],
    ]


def parcel(sale: Sale, line: Line) -> str:
    """The number of the line's parcel in the cadastre."""
    return f"{sale.town.insee}000{line.section.zfill(2)}{line.number:04d}"


def write_property_samples(folder: Path, *, seed: int = 1, sales_per_year: int = 600) -> Path:
    """Write two years of raw files, zipped as the publisher zips them, one row of each broken, and return ``folder``."""
    files = [_sample_file(year, Random(f"{seed}-property-{year}"), sales_per_year) for year in (2023, 2024)]
    return write_dataset(folder, _DATASET, files)


def _sample_file(year: int, rng: Random, count: int) -> SampleFile:
    sales = draw_sales(rng, year, count)
    lines = raw_text(sales).splitlines()
    cells = _raw_cells(sales[0], sales[0].lines[0])
    cells[RAW_HEADER.index("Valeur fonciere")] = "12O000,00"
    name = f"valeursfoncieres-{year}.txt.zip"
    fault = BrokenRow(name, len(lines) + 1, "Valeur fonciere", "12O000,00", "the letter O is no digit")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # a fixed date, so that equal rows are equal bytes
        member = zipfile.ZipInfo(f"ValeursFoncieres-{year}.txt", (2025, 4, 1, 0, 0, 0))
        archive.writestr(member, "\n".join([*lines, "|".join(cells)]) + "\n", zipfile.ZIP_DEFLATED)
    return SampleFile(name, buffer.getvalue(), (fault,))


def _comma(price: Decimal | None) -> str:
    return _text(price).replace(".", ",")


def _text(value: object) -> str:
    return "" if value is None else str(value)
