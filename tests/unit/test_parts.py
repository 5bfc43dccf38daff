"""Archives and workbooks: each table in them goes its own way into the lake."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import openpyxl
import pytest

from pipelines import parts
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

PLACES = "Num_Acc;catr;voie;v1;v2;circ;nbv;vosp;prof;pr;pr1;plan;lartpc;larrout;surf;infra;situ;vma"
VEHICLES = "Num_Acc;id_vehicule;num_veh;senc;catv;obs;obsm;choc;manv;motor;occutc"
PLACE = "2019{:08};4;RUE;0;;2;2;0;1;(1);(1);1;;-1;1;0;1;50"
VEHICLE = "2019{:08};138305{:03};A01;1;7;0;2;1;1;1;"


def text(header: str, row: str, count: int, first: int = 1) -> str:
    return "\n".join([header, *(row.format(n, n) for n in range(first, first + count))]) + "\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def lines(settings: Settings, table: str, resource: str) -> list[int]:
    relation = Lake(settings.lake).relation_sql(table)
    with connect(settings) as con:
        found = con.execute(
            f"SELECT source_line FROM {relation} WHERE source_resource = ? ORDER BY 1", [resource]
        ).fetchall()
    return [line for (line,) in found]


def test_a_zip_of_one_table_is_that_table(tmp_path: Path, settings: Settings) -> None:
    with zipfile.ZipFile(tmp_path / "lieux-2019.zip", "w") as archive:
        archive.writestr("valeurs.txt", text(PLACES, PLACE, 5))
    (outcome,) = ingest("accidents", settings, Silent(), [str(tmp_path / "lieux-2019.zip")])
    assert (outcome.status, outcome.resource, outcome.published) == ("published", "lieux-2019.zip", 5)
    assert lines(settings, "core.accident_places", "lieux-2019.zip") == [2, 3, 4, 5, 6]
    details = Lake(settings.lake).history("core.accident_places")[0].details
    assert (details["kind"], details["member"]) == ("zip", "valeurs.txt")
    assert not [*settings.staging.glob("*.parts")]


def test_gzip_and_sheet_are_read_like_text(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "lieux-2019.csv.gz").write_bytes(gzip.compress(text(PLACES, PLACE, 5).encode()))
    book = openpyxl.Workbook()
    book.active.append(["Lisez-moi"])
    sheet = book.create_sheet("lieux")
    sheet.append([])
    for row in text(PLACES, PLACE, 3, first=6).splitlines():
        sheet.append([int(cell) if cell.isdigit() else cell.replace("RUE", "RUE\nDEUX") for cell in row.split(";")])
    book.save(tmp_path / "lieux 2019.xlsx")
    one, other = ingest(
        "accidents", settings, Silent(), [str(tmp_path / n) for n in ("lieux-2019.csv.gz", "lieux 2019.xlsx")]
    )
    assert (one.status, one.published, other.status, other.published) == ("published", 5, "published", 3)
    assert lines(settings, "core.accident_places", "lieux-2019.csv.gz") == [2, 3, 4, 5, 6]
    # The sheet's rows: an empty one, the header, then the data. The title page is passed over.
    assert lines(settings, "core.accident_places", "lieux_2019.xlsx") == [3, 4, 5]


def test_lines_below_a_preamble_are_the_publishers(tmp_path: Path, settings: Settings) -> None:
    rows = text(PLACES, PLACE, 4).splitlines()
    rows[2] = rows[2].replace(";50", ";cinquante")
    (tmp_path / "lieux-2019.csv").write_text('Source : "ONISR\n\n' + "\n".join(rows) + "\n")
    (outcome,) = ingest("accidents", settings.model_copy(), Silent(), [str(tmp_path / "lieux-2019.csv")])
    assert outcome.quarantined == {"does_not_cast": 1}
    assert "line 5" in (outcome.message or "")


def test_a_zip_of_several_tables_parents_first_and_unchanged_afterwards(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "baac 2019.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("vehicules-2019.csv", text(VEHICLES, VEHICLE, 5))
        archive.writestr("lieux-2019.csv", text(PLACES, PLACE, 5))
        archive.writestr("lisez-moi.txt", "Les données\nde 2019, en deux fichiers\n")
    outcomes = ingest("accidents", settings, Silent(), [str(file)])
    assert [(each.resource, each.status, each.table, each.vintage) for each in outcomes] == [
        ("baac_2019.zip--lieux-2019.csv", "published", "core.accident_places", 2019),
        ("baac_2019.zip--vehicules-2019.csv", "published", "core.accident_vehicles", 2019),
    ]
    version = Lake(settings.lake).version("core.accident_places")
    monkeypatch.setattr(parts, "unpack", lambda *_: pytest.fail("an unchanged archive was opened"))
    again = ingest("accidents", settings, Silent(), [str(file)])
    assert sorted((each.resource, each.status, each.published) for each in again) == [
        ("baac_2019.zip--lieux-2019.csv", "unchanged", 5),
        ("baac_2019.zip--vehicules-2019.csv", "unchanged", 5),
    ]
    assert Lake(settings.lake).version("core.accident_places") == version


def test_one_bad_member_does_not_stop_the_others_and_is_tried_again(tmp_path: Path, settings: Settings) -> None:
    file = tmp_path / "baac.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("vehicules-2019.csv", text(VEHICLES.replace("catv", "categorie"), VEHICLE, 5))
        archive.writestr("lieux-2019.csv", text(PLACES, PLACE, 5))
    for expected in ("published", "unchanged"):
        good, bad = ingest("accidents", settings, Silent(), [str(file)])
        assert (good.status, bad.status, bad.exit_code) == (expected, "failed", 5)
        assert "'catv' is missing" in (bad.message or "")


def test_a_workbook_without_a_fitting_sheet_says_what_is_in_it(tmp_path: Path, settings: Settings) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.create_sheet("Deux").append(["c", "d"])
    book.save(tmp_path / "x.xlsx")
    (outcome,) = ingest("accidents", settings, Silent(), [str(tmp_path / "x.xlsx")])
    assert outcome.status == "failed"
    assert "no sheet has the columns" in (outcome.message or "")
    assert "'Sheet', 'Deux'" in (outcome.message or "")


def test_members_whose_names_differ_by_an_accent_are_two_tables(tmp_path: Path, settings: Settings) -> None:
    with zipfile.ZipFile(tmp_path / "lieux-2019.zip", "w") as archive:
        archive.writestr("é.csv", text(PLACES, PLACE, 5))
        archive.writestr("è.csv", text(PLACES, PLACE, 3, first=6))
    outcomes = ingest("accidents", settings, Silent(), [str(tmp_path / "lieux-2019.zip")])
    assert [each.published for each in outcomes] == [5, 3]
    with connect(settings) as con:
        relation = Lake(settings.lake).relation_sql("core.accident_places")
        assert con.execute(f"SELECT count(DISTINCT accident_id) FROM {relation}").fetchall() == [(8,)]
