"""`add`: from an address to a table in one command, against a local data.gouv.fr."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines.add import Added, add, describe
from pipelines.contracts import Contract, load_contract
from pipelines.demo.mirror import Mirror
from pipelines.demo.mirror_records import resource_id
from pipelines.errors import CatalogError, ConformError, ResourceGone, SettingsError
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

DATASET = "0123456789abcdef01234567"
TREES = (
    "id_arbre;essence;hauteur;planté le;commune;remarquable\n"
    "A1;Tilleul;12,5;01/05/1998;01004;oui\n"
    "A2;Platane;-;13/12/2001;2A004;non\n"
    "A3;Érable;8;25/03/2010;75056;non\n"
)
SCHEMA = {
    "name": "schema-arbres",
    "title": "Arbres",
    "version": "v1.0.0",
    "primaryKey": "id_arbre",
    "fields": [
        {"name": "id_arbre", "type": "string", "constraints": {"required": True, "pattern": "^A\\d+$"}},
        {
            "name": "essence",
            "type": "string",
            "constraints": {"required": True, "enum": ["Tilleul", "Platane", "Chêne (rouge)"]},
        },
        {"name": "hauteur", "type": "number", "constraints": {"minimum": 0, "maximum": 60}},
        {"name": "planté le", "type": "date", "format": "%d/%m/%Y"},
        {"name": "commune", "type": "string", "constraints": {"pattern": "(?=x)y"}},
        {"name": "absente", "type": "integer"},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "arbres").mkdir(parents=True)
    record = {
        "id": DATASET,
        "title": "Arbres d'alignement 2024",
        "slug": "arbres-dalignement",
        "license": "lov2",
        "frequency": "monthly",
        "organization": {"id": "b" * 24, "name": "Ville", "slug": "ville"},
        "resources": {"notice.csv": {"type": "documentation"}},
        "former_slugs": ["vieux-nom"],
    }
    (folder / "arbres/dataset.json").write_text(json.dumps(record))
    (folder / "arbres/arbres-2024.csv").write_bytes(TREES.encode("cp1252"))
    (folder / "arbres/notice.csv").write_text("a;b\n1;2\n")
    return folder


@pytest.fixture
def mirror(folder: Path) -> Iterator[Mirror]:
    with Mirror(folder) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, mirror: Mirror) -> Settings:
    return Settings(home=tmp_path / "home", datagouv_url=mirror.url, http_retries=0)


def rows(settings: Settings, table: str) -> list[tuple[object, ...]]:
    with connect(settings) as con:
        return con.execute(
            f"SELECT * EXCLUDE (source_sha256) FROM {Lake(settings.lake).relation_sql(table)} ORDER BY 2"
        ).fetchall()


def run(given: str, settings: Settings, **options: object) -> Added:
    return add(given, settings, Silent(), **options)  # type: ignore[arg-type]


def test_from_an_address_to_a_typed_table(settings: Settings, mirror: Mirror) -> None:
    result = run(f"{mirror.url}/fr/datasets/arbres-dalignement/", settings)
    assert (result.name, result.status) == ("arbres_dalignement", "written")
    (outcome,) = result.outcomes
    assert (outcome.status, outcome.published, outcome.quarantined) == ("published", 3, {})
    found = [(r[0], r[1], r[2], r[3], str(r[4]), r[5], r[6], r[7]) for r in rows(settings, "core.arbres_dalignement")]
    assert found == [
        (2024, "A1", "Tilleul", 12.5, "1998-05-01", "01004", True, 2),
        (2024, "A2", "Platane", None, "2001-12-13", "2A004", False, 3),
        (2024, "A3", "Érable", 8.0, "2010-03-25", "75056", False, 4),
    ]
    contract = load_contract("arbres_dalignement", settings.own_schemas)
    assert (contract.datagouv, contract.licence, contract.publisher) == (DATASET, "lov2", "Ville")
    assert contract.tables[0].primary_key == ("vintage", "id_arbre")
    assert "# taken to mean nothing: '-' (1)" in result.text


def test_next_years_file_comes_by_itself(settings: Settings, folder: Path) -> None:
    run(DATASET, settings)
    (folder / "arbres/arbres-2025.csv").write_bytes(TREES.encode("cp1252"))
    outcomes = ingest("arbres_dalignement", settings, Silent())
    assert [(each.name, each.status, each.vintage) for each in outcomes] == [
        ("arbres-2024.csv", "unchanged", None),
        ("arbres-2025.csv", "published", 2025),
    ]
    assert [row[0] for row in rows(settings, "core.arbres_dalignement")].count(2025) == 3


def test_a_second_run_keeps_what_somebody_wrote(settings: Settings) -> None:
    first = run(DATASET, settings)
    edited = first.text.replace("name: essence", "name: species")
    first.file.write_text(edited)
    second = run("arbres-dalignement", settings)
    assert second.status == "kept"
    assert first.file.read_text() == edited
    assert any("kept as it is" in note for note in second.notes)
    assert second.outcomes[0].status == "published"  # by the corrected contract
    third = run(DATASET, settings, force=True)
    assert (third.status, third.text.splitlines()[2:]) == ("written", first.text.splitlines()[2:])


def test_a_dry_run_leaves_nothing(settings: Settings) -> None:
    result = run(DATASET, settings, dry_run=True)
    assert (result.status, result.outcomes) == ("proposed", ())
    assert not settings.own_schemas.exists()
    assert not settings.lake.exists()
    Contract.model_validate(yaml.safe_load(result.text))


def test_a_resource_by_its_id_or_by_option(settings: Settings, mirror: Mirror) -> None:
    rid = resource_id(DATASET, "notice.csv")
    result = run(DATASET, settings, resource=rid, name="notice")
    assert (result.name, result.outcomes[0].published) == ("notice", 1)
    assert rows(settings, "core.notice")[0][:2] == (1, 2)
    other = run(f"{mirror.url}/datasets/r/{rid}", settings, name="notice", dry_run=True)
    assert yaml.safe_load(other.text) == yaml.safe_load(result.text)
    with pytest.raises(SettingsError, match="no resource nowhere"):
        run(DATASET, settings, resource="nowhere", name="x")


def test_the_schema_that_the_resource_names_rules(settings: Settings, folder: Path) -> None:
    record = json.loads((folder / "arbres/dataset.json").read_text())
    record["resources"]["arbres-2024.csv"] = {
        "schema": {"name": "ville/schema-arbres", "url": None, "version": "1.0.0"}
    }
    (folder / "arbres/dataset.json").write_text(json.dumps(record))
    (folder / "schemas/ville").mkdir(parents=True)
    (folder / "schemas/ville/schema-arbres.json").write_text(json.dumps(SCHEMA))
    result = run(DATASET, settings)
    # `Érable` is not in the schema's list: the row is refused with its reason, and with it a third of the file.
    assert result.outcomes[0].quarantined == {"wrong_pattern": 1}
    table = load_contract("arbres_dalignement", settings.own_schemas).tables[0]
    fields = {field.name: field for field in table.fields}
    assert (fields["essence"].constraints.required, fields["hauteur"].constraints.maximum) == (True, 60)
    assert fields["essence"].constraints.pattern == r"Tilleul|Platane|Chêne \(rouge\)"
    assert (fields["plante_le"].type, fields["plante_le"].cast) == ("date", "date_day_first")
    assert fields["commune"].constraints.pattern is None
    assert "left out: (?=x)y" in result.text
    assert (fields["remarquable"].type, fields["hauteur"].null_tokens) == ("boolean", ("-",))
    assert table.primary_key == ("vintage", "id_arbre")
    assert table.layouts[0].header == ("id_arbre", "essence")
    assert "columns that the schema does not know, judged by their values: remarquable" in " ".join(result.text.split())


def test_a_schema_that_cannot_be_had_is_a_note(settings: Settings, folder: Path) -> None:
    record = json.loads((folder / "arbres/dataset.json").read_text())
    record["resources"]["arbres-2024.csv"] = {"schema": {"name": "nobody/knows", "url": None, "version": None}}
    (folder / "arbres/dataset.json").write_text(json.dumps(record))
    result = run(DATASET, settings)
    assert result.outcomes[0].published == 3
    assert any("nobody/knows" in note for note in result.notes)


def test_a_file_and_any_other_address(settings: Settings, mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "mes arbres.csv").write_text(TREES, encoding="utf-8")
    own = run(str(tmp_path / "mes arbres.csv"), settings)
    assert (own.name, own.outcomes[0].published) == ("mes_arbres", 3)
    assert ingest("mes_arbres", settings, Silent())[0].status == "unchanged"
    other = run(f"{mirror.url}/resources/arbres-dalignement/arbres-2024.csv", settings, name="ailleurs")
    assert other.outcomes[0].published == 3
    assert load_contract("ailleurs", settings.own_schemas).datagouv is None


def test_every_table_of_a_zip_becomes_one(settings: Settings, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "ville 2024.zip", "w") as archive:
        archive.writestr("arbres.csv", TREES)
        archive.writestr("bancs.csv", "id_banc;rue\nB1;Rue A\nB2;Rue B\n")
        archive.writestr("arbres nord.csv", TREES.replace("\nA", "\nN"))
    result = run(str(tmp_path / "ville 2024.zip"), settings)
    assert sorted((each.table, each.status, each.published) for each in result.outcomes) == [
        ("core.ville_arbres", "published", 3),
        ("core.ville_arbres", "published", 3),
        ("core.ville_bancs", "published", 2),
    ]


def test_a_readme_beside_a_table_is_no_table(settings: Settings, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "arbres.zip", "w") as archive:
        archive.writestr("data/arbres.csv", TREES)
        archive.writestr("LISEZMOI.txt", "Ceci est un lisez-moi.\nIl a deux lignes, en tout.\n")
    result = add(str(tmp_path / "arbres.zip"), settings, Silent())
    assert [(outcome.table, outcome.published) for outcome in result.outcomes] == [("core.arbres", 3)]
    assert "left out, because it is no table with rows: LISEZMOI.txt" in result.notes


def test_a_short_file_with_a_footnote_is_taken_and_said(settings: Settings, tmp_path: Path) -> None:
    rows = "".join(f"A{i};Tilleul;{i},5\n" for i in range(30))
    (tmp_path / "t.csv").write_text(f"id;essence;hauteur\n{rows}\nSource : Ville\n", encoding="utf-8")
    result = add(str(tmp_path / "t.csv"), settings, Silent())
    (outcome,) = result.outcomes
    assert (outcome.published, dict(outcome.quarantined)) == (30, {"row_too_short": 1})
    assert "tolerance: line 33" in result.text


def test_no_contract_is_made_of_a_file_that_a_quote_has_swallowed(settings: Settings, tmp_path: Path) -> None:
    rows = "".join(f"A{i};Tilleul;{i},5\n" for i in range(30))
    (tmp_path / "t.csv").write_text("id;essence;hauteur\n" + rows.replace("A9;", 'A9;"'), encoding="utf-8")
    with pytest.raises(ConformError, match="never closed"):
        add(str(tmp_path / "t.csv"), settings, Silent())
    assert not settings.own_schemas.exists()


@pytest.mark.parametrize("name", ["Été 2!", "../evil", "", "2024"])
def test_a_name_that_no_table_can_have(name: str, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TREES, encoding="utf-8")
    with pytest.raises(SettingsError, match="cannot be the name of a table"):
        add(str(tmp_path / "t.csv"), settings, Silent(), name=name)


def test_what_was_unsure_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id;jour;n\nA1;01/02/2024;1.234\nA2;03/04/2024;999\n", encoding="utf-8")
    notes = add(str(tmp_path / "t.csv"), settings, Silent(), dry_run=True).notes
    assert [note.partition(":")[0] for note in notes] == ["jour", "n"]


def test_names_that_are_taken(settings: Settings, tmp_path: Path) -> None:
    run(DATASET, settings)
    (tmp_path / "arbres.csv").write_text(TREES, encoding="utf-8")
    with pytest.raises(SettingsError, match="belongs to another dataset"):
        run(str(tmp_path / "arbres.csv"), settings, name="arbres_dalignement")
    with pytest.raises(SettingsError, match="taken by the contract accidents"):
        run(str(tmp_path / "arbres.csv"), settings, name="accident_places")


def test_what_cannot_be_added(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "vide.csv").write_text("a;b\n")
    with pytest.raises(ConformError, match="no table with rows"):
        run(str(tmp_path / "vide.csv"), settings)
    with pytest.raises(ResourceGone):
        run("no-such-dataset", settings)
    with pytest.raises(SettingsError, match="no file, no address and no id"):
        run("no such file.csv", settings)
    assert not settings.own_schemas.exists()


def test_describe_by_any_address(settings: Settings, mirror: Mirror) -> None:
    rid = resource_id(DATASET, "notice.csv")
    for given in (DATASET, "vieux-nom", f"{mirror.url}/datasets/arbres-dalignement/informations"):
        about = describe(given, settings)
        assert (about.dataset.id, len(about.resources), about.asked_for, about.contract) == (DATASET, 2, None, None)
    assert describe(rid, settings).asked_for == rid
    with pytest.raises(CatalogError, match="means no dataset"):
        describe("https://example.org/x", settings)


def test_the_contract_that_covers_a_dataset_is_named(settings: Settings, folder: Path) -> None:
    known = load_contract("accidents").datagouv
    (folder / "baac").mkdir()
    record = {"id": known, "title": "BAAC", "slug": "baac", "license": "lov2", "frequency": "annual"}
    (folder / "baac/dataset.json").write_text(json.dumps(record))
    (folder / "baac/x.csv").write_text("a;b\n1;2\n")
    assert describe("baac", settings).contract == "accidents"
    with pytest.raises(SettingsError, match="Rocade has a contract for this dataset: accidents"):
        run("baac", settings)
    assert run("baac", settings, name="mine").outcomes[0].published == 1
