"""Property sales by the fast statement and by the plain one: the same rows and the same rejects, whatever the cells hold."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from pipelines.conform import conform
from pipelines.conform import scan as scanning
from pipelines.contracts import load_contract
from pipelines.demo.sample_property import GEO_HEADER, RAW_HEADER, draw_sales, geolocated_text, raw_text
from pipelines.progress import Silent
from pipelines.settings import Settings

NUMBERS = [
    "0",
    "00",
    "7",
    "007",
    "+7",
    "-1",
    "1.0",
    "1,0",
    "1,5",
    "0x1F",
    "0b1",
    "1e5",
    "0e5",
    "1_0",
    " 7",
    "7 ",
    "7\u00a0",
]
MONEY = [
    *[
        "1500,125",
        "1500,120",
        "1500,5",
        "1500,",
        ",50",
        "-,50",
        "+12,34",
        "1 500,00",
        "1\u00a0500,00",
        "1500.25",
        "1500.125",
    ],
    *["1,2,34", "0x1F,00", "1e5,00", "150000", "99999999999999999,00", "12,3 ", "12, 34", "nan", "-0,00", " 1500,00"],
]
PLACES = [
    *[
        "1",
        "01",
        "001",
        "0001",
        "12",
        "123",
        "1234",
        "00",
        "000",
        "2A",
        "2a",
        "20",
        "96",
        "971",
        "972",
        "99",
        "X",
        "1.",
        "0x1",
    ],
    *[" 1", "1 ", "\u0661", "A", "AB", "ab", "0A", "ABC", "A ", "é"],
]
TEXTS = [" rue", "rue ", "\u00a0rue", "rue\u202f", "É", "~", "rue", "a\tb", "\x7f"]
DAYS = [
    *[
        "31/02/2023",
        "01-05-2023",
        "01.05.2023",
        "1/5/2023",
        "01/05/2022",
        "01/05/23",
        " 01/05/2023",
        "2023-05-01",
        "2023-5-01",
    ],
    *["2023-02-31", "2023/05/01", "infinity", "today", "05/2023"],
]
ODD = {
    "Date mutation": DAYS,
    "No disposition": NUMBERS,
    "Nature mutation": ["Vente", "Échange", "vente", "Vente ", "Don"],
    "Valeur fonciere": [*MONEY, *NUMBERS],
    "No voie": [*NUMBERS, *TEXTS],
    "B/T/Q": ["B", " B", "B "],
    "Type de voie": ["", "AV", *TEXTS],
    "Voie": ["", *TEXTS],
    "Code postal": ["1000", "01000", "100", "75001", "750011", "0750", "x", *NUMBERS],
    "Code departement": PLACES,
    "Code commune": PLACES,
    "Prefixe de section": PLACES,
    "Section": PLACES,
    "No plan": PLACES,
    "1er lot": TEXTS,
    "Surface Carrez du 1er lot": [*NUMBERS, "12,34", "12.34", "1 234,5"],
    "Nombre de lots": NUMBERS,
    "Code type local": ["1", "01", "1.0", "5", " 2"],
    "Surface reelle bati": NUMBERS,
    "Nature culture": ["S", "AB", "ZZ", "s"],
    "Nature culture speciale": ["PIN", "ETANG", "XXX"],
    "Surface terrain": NUMBERS,
    "date_mutation": DAYS,
    "numero_disposition": NUMBERS,
    "valeur_fonciere": [*MONEY, *NUMBERS],
    "adresse_nom_voie": TEXTS,
    "code_postal": ["1000", "01000", "100", *NUMBERS],
    "code_commune": ["01004", "1004", "2A004", "2a004", "97101", "x", " 01004", *PLACES],
    "code_departement": PLACES,
    "id_parcelle": TEXTS,
    "lot1_surface_carrez": [*NUMBERS, "12.34"],
    "code_type_local": ["1", "01", "1.0", "5"],
    "surface_terrain": NUMBERS,
    "longitude": ["2.35", "2,35", "181", *NUMBERS],
}


def _with_odd_cells(text: str, separator: str, chance: Random, *, damaged: bool) -> str:
    header, *lines = text.splitlines()
    names = header.split(separator)
    for number, line in enumerate(lines):
        cells = line.split(separator)
        for _ in range(chance.choice([0, 0, 1, 1, 2])):
            name = chance.choice([name for name in ODD if name in names])
            odd = chance.choice(ODD[name])
            if separator not in odd and (damaged or "\x7f" not in odd):
                cells[names.index(name)] = odd
        lines[number] = separator.join(cells)
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize(
    ("layout", "name", "damaged"),
    [
        ("raw", "valeursfoncieres-2023.txt", False),
        ("raw", "valeursfoncieres.txt", False),
        ("raw", "valeursfoncieres-2023.txt", True),
        ("geolocated", "valeurs-foncieres-2023.csv", False),
        ("geolocated", "valeurs-foncieres.csv", False),
    ],
)
@pytest.mark.parametrize("stray", [True, False])
def test_the_fast_statement_gives_what_the_plain_one_gives(
    *, layout: str, name: str, damaged: bool, stray: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(f"{layout}{name}{damaged}{stray}")
    sales = draw_sales(chance, 2023, 1500)
    text, separator = (raw_text(sales), "|") if layout == "raw" else (geolocated_text(sales), ",")
    assert text.split("\n")[0] == separator.join(RAW_HEADER if layout == "raw" else GEO_HEADER)
    text = _with_odd_cells(text, separator, chance, damaged=damaged)
    if not stray:
        for letter in ("1e5", "0e5", "1_0"):
            text = text.replace(letter, "15")
    (source := tmp_path / name).write_text(text)
    settings = Settings(home=tmp_path / "home")
    settings.staging.mkdir(parents=True)
    found = []
    for large in (len(text.encode()) + 1, 0):
        monkeypatch.setattr(scanning, "_LARGE", large)
        target = settings.staging / f"{large}.parquet"
        result = conform(
            source,
            load_contract("property"),
            settings,
            Silent(),
            name=name,
            resource=name,
            sha256="0" * 64,
            target=target,
        )
        rows = pq.read_table(target).sort_by("source_line").to_pylist()
        found.append((rows, result.rejected.drop_columns(["rejected_at"]).to_pylist()))
    plain, fast = found
    assert len(plain[0]) > 1000
    assert len(plain[1]) > 300
    assert fast == plain
