"""Every real file at hand through `inspect` and `add`, against independent readings in pandas and openpyxl."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from pipelines.add import add
from pipelines.errors import ConformError
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.propose.inspection import Inspection, inspect_file
from pipelines.settings import Settings

FILES = Path(__file__).parents[2] / "../shared/data/datagouv"
MESSY = FILES / "messy"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine")

TABLES = sorted(FILES.glob("*/*.csv")) if FILES.is_dir() else []
NO_TABLES = [
    "accidents/desc_vars.json",
    "api/organization_metadata.json",
    "api/resource_metadata_api1.json",
    "charging/schema-statique.json",
    "property/cultures.json",
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"))


def table_of(settings: Settings, name: str) -> pd.DataFrame:
    with connect(settings) as con:
        return (
            con.sql(f"SELECT * FROM {Lake(settings.lake).relation_sql(name)} ORDER BY source_line")
            .to_arrow_table()
            .to_pandas()
        )


def records(path: Path) -> list[list[str]]:
    """The file by Python's own reader."""
    text = path.read_text(encoding="utf-8-sig")
    separator = max(";,\t", key=text.split("\n", 1)[0].count)
    return [row for row in csv.reader(text.splitlines(keepends=True), delimiter=separator) if row]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_csv_is_added_whole(settings: Settings, path: Path) -> None:
    header, *rows = records(path)
    name = "t_" + path.stem.lower().translate(str.maketrans("-.", "__"))
    result = add(str(path), settings, Silent(), name=name)
    (outcome,) = result.outcomes
    assert (outcome.status, outcome.rows) == ("published", len(rows))
    assert (outcome.published or 0) + sum(outcome.quarantined.values()) == len(rows)
    if path.stem != "lieux-2018":  # where 15 roads are called `530.1`
        assert outcome.quarantined == {}
    table = table_of(settings, f"core.{name}")
    # As many filled cells as there are in the file, column for column, but for null tokens.
    at = {column: index for index, column in reversed(list(enumerate(header)))}
    checked = 0
    for field in json.loads(json.dumps(_fields(result.text))):
        column = field["name"] + ("_code" if "codes" in field else "")
        if field["from"] not in at or column not in table or ("cast" in field and "pair" in field["cast"]):
            continue
        tokens = {"", *field.get("null_tokens", [])}
        filled = [row for row in rows if row[at[field["from"]]].strip(" \u00a0") not in tokens]
        if not outcome.quarantined:
            assert table[column].notna().sum() == len(filled), field["name"]
            checked += 1
    assert checked >= min(len(header), 2) or outcome.quarantined


def _fields(text: str) -> list[dict[str, object]]:
    import yaml

    (table,) = yaml.safe_load(text)["tables"]
    found: list[dict[str, object]] = table["fields"]
    return found


@pytest.mark.parametrize("name", NO_TABLES)
def test_json_that_is_no_table_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(ConformError, match="the JSON holds"):
        add(str(FILES / name), settings, Silent())


def test_one_table_under_three_separators_and_in_a_sheet(settings: Settings) -> None:
    names = ["lave-linge-point-virgule.csv", "lave-linge-virgule.csv", "lave-linge-tabulation.csv", "lave-linge.ods"]
    tables = []
    for index, name in enumerate(names):
        add(str(MESSY / name), settings, Silent(), name=f"washing_{index}")
        table = table_of(settings, f"core.washing_{index}")
        tables.append(table.drop(columns=[column for column in table if column.startswith("source_")]))
    assert tables[0].shape == (1, 228)
    assert tables[0].id_modele.tolist() == ["8690842902635"]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


def test_the_sheets_of_a_workbook(settings: Settings) -> None:
    result = add(str(MESSY / "file.xlsx"), settings, Silent(), name="book")
    book = openpyxl.load_workbook(MESSY / "file.xlsx", read_only=True)
    expected = {}
    for sheet in book.worksheets:
        rows = [row for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row)]
        expected[sheet.title] = len(rows) - 1
    assert [(each.status, each.published) for each in result.outcomes] == [("published", n) for n in expected.values()]
    taxes = table_of(settings, "core.book_rei")
    assert taxes.dep.tolist() == ["01"] * 5
    assert taxes.depcom.tolist() == [f"010{n:02}" for n in range(1, 7) if n != 3]


def test_gzip_and_ods(settings: Settings) -> None:
    lines = gzip.decompress((MESSY / "file.csv.gz").read_bytes()).decode().split()
    (outcome,) = add(str(MESSY / "file.csv.gz"), settings, Silent(), name="departments").outcomes
    assert outcome.published == len(lines) - 1
    assert table_of(settings, "core.departments").iloc[:, 0].tolist() == [line.split(",")[0] for line in lines[1:]]
    (outcome,) = add(str(MESSY / "file.ods"), settings, Silent(), name="winners").outcomes
    winners = table_of(settings, "core.winners")
    assert winners.projet.tolist() == ["Citizens Up", "Fourmi Santé", "Home'n'go"]
    assert [str(day) for day in winners.date_de_la_ceremonie] == ["2012-05-29"] * 3


def inspected(name: str, settings: Settings) -> dict[str, tuple[str, str | None, str]]:
    (found,) = inspect_file(FILES / name, name, settings)
    assert isinstance(found, Inspection)
    return {c.name: (c.judgement.type, c.judgement.cast, c.judgement.kind) for c in found.columns}


def test_where_others_misfire(settings: Settings) -> None:
    restaurants = inspected("restaurants/export_alimconfiance_2019-08_restaurants.csv", settings)
    assert restaurants["Numero_inspection"] == ("string", None, "identifier")
    assert restaurants["SIRET"] == ("string", None, "SIRET")
    assert restaurants["geores"][2] == "latitude, longitude"
    accidents = inspected("accidents/ech_caracteristiques.csv", settings)
    assert accidents["Num_Acc"] == ("string", None, "identifier of digits")
    assert accidents["com"] == ("string", "commune", "INSEE commune")
    mangled = inspected("messy/caracteristiques-2024_excel_mangled.csv", settings)
    assert mangled["Num_Acc"] == ("string", None, "damaged numbers")
    charging = inspected("charging/exemple-valide-statique.csv", settings)
    assert charging["telephone_operateur"][0] == charging["code_insee_commune"][0] == "string"
    assert charging["siren_amenageur"] == ("string", None, "SIREN")
    energy = inspected("energy/eco2mix-regional-tr_2020-05_PACA.csv", settings)
    assert energy["Import Auvergne-Rhône-Alpes"][0] == energy["Export Italie"][0] == "integer"
    assert energy["Date - Heure"] == ("datetime", None, "date and time with offset")
    stations = inspected("stations/frequentation-gares_2026-04.csv", settings)
    assert stations["Code postal"] == ("string", "postcode", "postcode")
    assert stations["Total Voyageurs + Non voyageurs 2016"][0] in ("integer", "number")
