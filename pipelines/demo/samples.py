"""Generated files in the shape of the road-accident dataset (BAAC), all four tables, 2005 to 2024.

They stand in for the real ones where data.gouv.fr cannot be reached: the same file names, headers in the same order,
separators, quoting, encodings and faults, over invented accidents (``sample_accidents``). Up to 2018: comma (a tab in
caracteristiques_2009), latin-1, no quotes; two-digit years, times without colon and leading zeros, departments tenfold,
communes of three characters, degrees times 100,000, unknown as 0 or blank. From 2019: semicolon, quotes, UTF-8, decimal
commas, -1 for unknown, thousands in vehicle numbers set apart by no-break spaces, some of them encoded twice.

The joins are complete and the keys unique. A handful of rows are broken on purpose, so that there is something to
quarantine; they belong to accidents of their own. ``dataset.json`` lists them in its ``extras`` with file, line (1 is
the header), column, value and what is wrong; ``broken_rows`` reads that list.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from pipelines.demo.sample_accidents import Accident, black_spots, draw_accident
from pipelines.demo.sample_notation import FIRST_MODERN, cells, header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DATASET_ID = "53698f4ca3a729239d2036df"
TABLES = ("caracteristiques", "lieux", "vehicules", "usagers")
BROKEN_ROWS_KEY = "rocade:broken_rows"

_YEARS = range(2005, 2025)
_FIRST_WITH_SEVERAL_PLACES = 2023


@dataclass(frozen=True)
class BrokenRow:
    """A row that no contract can accept; ``column`` and ``value`` are None where the row as a whole is bad."""

    file: str
    line: int
    column: str | None
    value: str | None
    fault: str


def write_accident_samples(
    folder: Path, *, seed: int = 1, accidents_per_year: int = 400, years: Sequence[int] = _YEARS
) -> Path:
    """Write the four files of each year and ``dataset.json`` into ``folder``, ready for `rocade mirror`.

    Equal arguments give equal bytes; a file that already has them is left alone, so that its date stays.

    Args:
        folder: made when absent.
        seed: another one, other accidents.
        accidents_per_year: sound ones; the broken rows come on top, up to two a file, so that with fewer than 200 they
            are more than the one in a hundred that the contract tolerates.
        years: vintages, from 2005 to 2024.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spots = black_spots(Random(f"{seed}-spots"))
    broken: list[BrokenRow] = []
    for year in years:
        rng = Random(f"{seed}-{year}")
        accidents = [draw_accident(rng, year, serial, spots) for serial in range(1, accidents_per_year + 1)]
        strays = [draw_accident(rng, year, _STRAY_SERIAL + n, spots) for n in range(len(_BREAKAGES))]
        files = _rendered(accidents, year, rng, 138_000_000 if year in (2019, 2020) else 180_000)
        spares = _rendered(strays, year, rng, 990_000)
        for table in TABLES:
            rows, faults = _broken_into(files[table], spares[table], table, year, rng)
            broken += faults
            _write(folder / file_name(table, year), _encoded(table, year, rows))
    _write(folder / "dataset.json", json.dumps(_record(seed, years, broken), ensure_ascii=False, indent=1).encode())
    return folder


def broken_rows(folder: Path) -> list[BrokenRow]:
    """The rows that ``write_accident_samples`` broke on purpose."""
    record = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    return [BrokenRow(**entry) for entry in record["extras"][BROKEN_ROWS_KEY]]


def file_name(table: str, year: int) -> str:
    """What the publisher calls the file of ``table`` in that year; the spelling of 2021 and 2022 is theirs."""
    if table == "caracteristiques" and year in _ODD_NAMES:
        return _ODD_NAMES[year]
    return f"{table}{'_' if year < 2017 else '-'}{year}.csv"  # noqa: PLR2004 - when the publisher changed


_ODD_NAMES = {
    2021: "carcteristiques-2021.csv",
    2022: "carcteristiques-2022.csv",
    2023: "caract-2023.csv",
    2024: "Caract_2024.csv",
}
_STRAY_SERIAL = 90_000_000
_BREAKAGES = (
    ("caracteristiques", 2014, None, None, "the row is too short"),
    ("caracteristiques", 2014, "mois", "13", "there is no such month"),
    ("caracteristiques", 2022, "lum", "8", "there is no such code"),
    ("lieux", 2022, "vma", "5O", "the letter O is no digit"),
    ("vehicules", 2022, "catv", "77", "there is no such code"),
    ("usagers", 2022, "grav", "9", "there is no such code"),
    ("usagers", 2022, "an_nais", "19S4", "the letter S is no digit"),
)


def _write(path: Path, body: bytes) -> None:
    if not path.is_file() or path.read_bytes() != body:
        path.write_bytes(body)


def _record(seed: int, years: Sequence[int], broken: Sequence[BrokenRow]) -> dict[str, object]:
    span = f"{min(years)}-{max(years)}"
    return {
        "id": DATASET_ID,
        "title": f"GENERATED SAMPLES, not real accidents: shaped like the French road-accident dataset (BAAC), {span}",
        "slug": "generated-samples-of-the-road-accident-dataset",
        "description": "Invented rows with the file names, headers, encodings and faults of the real vintages.",
        "license": "fr-lo",
        "frequency": "annual",
        "organization": {"name": "rocade demo", "class": "Organization"},
        "tags": ["generated", "sample"],
        "extras": {"rocade:seed": seed, BROKEN_ROWS_KEY: [asdict(row) for row in broken]},
    }


def _broken_into(
    rows: list[list[str]], spares: list[list[str]], table: str, year: int, rng: Random
) -> tuple[list[list[str]], list[BrokenRow]]:
    """``rows`` with the year's broken rows among them, and where they are."""
    due = [entry[2:] for entry in _BREAKAGES if entry[:2] == (table, year)]
    places = sorted(rng.sample(range(len(rows) + 1), min(len(due), len(rows) + 1)))
    mixed, found = list(rows), []
    for shift, (place, (column, value, fault)) in enumerate(zip(places, due, strict=False)):
        row = list(spares[shift])
        if column is None or value is None:
            row = row[: len(row) // 2]
        else:
            row[header(table, year).index(column)] = value
        mixed.insert(place + shift, row)
        found.append(BrokenRow(file_name(table, year), place + shift + 2, column, value, fault))
    return mixed, found


def _encoded(table: str, year: int, rows: list[list[str]]) -> bytes:
    lines = [header(table, year), *rows]
    if year >= FIRST_MODERN:
        return "".join(";".join(f'"{cell}"' for cell in line) + "\n" for line in lines).encode()
    separator = "\t" if (table, year) == ("caracteristiques", 2009) else ","
    return "".join(separator.join(line) + "\n" for line in lines).encode("latin-1")


def _rendered(accidents: Sequence[Accident], year: int, rng: Random, first_id: int) -> dict[str, list[list[str]]]:
    """The rows of each table in the notation of that year.

    Vehicles and users are numbered from ``first_id`` on through the whole file.
    """
    rows: dict[str, list[list[str]]] = {table: [] for table in TABLES}
    vehicle_ids, user_ids = count(first_id), count(first_id)
    for accident in accidents:
        ids = {vehicle["num_veh"]: next(vehicle_ids) for vehicle in accident.vehicules}
        places = accident.lieux if year >= _FIRST_WITH_SEVERAL_PLACES else accident.lieux[:1]
        numbered = {
            "caracteristiques": [accident.caracteristiques],
            "lieux": places,
            "vehicules": [row | {"id_vehicule": ids[row["num_veh"]]} for row in accident.vehicules],
            "usagers": [
                row | {"id_vehicule": ids[row["num_veh"]], "id_usager": next(user_ids)} for row in accident.usagers
            ],
        }
        for table in TABLES:
            rows[table] += [cells(row, table, year, rng) for row in numbered[table]]
    return rows
