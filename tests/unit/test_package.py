"""What is exported, validated by frictionless: description, data rows, hashes, keys within and across files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from frictionless import Package, validate

from pipelines.contracts import contract_names, load_contract
from pipelines.demo.samples import write_accident_samples
from pipelines.errors import LakeError, SettingsError
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.package import export
from pipelines.progress import Silent
from pipelines.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("package")
    settings = Settings(home=folder / "home")
    write_accident_samples(folder / "files", years=(2022,), accidents_per_year=400)
    files = sorted(str(file) for file in (folder / "files").rglob("*.csv"))
    ingest("accidents", settings, Silent(), files)
    return settings


def described(path: Path) -> dict[str, Any]:
    package: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return package


@pytest.mark.parametrize("dataset", contract_names())
def test_every_table_of_every_contract_is_described_as_the_standard_wants(tmp_path: Path, dataset: str) -> None:
    """Tables without a row: what is validated is the description and the header."""
    settings = Settings(home=tmp_path / "home")
    lake = Lake(settings.lake)
    for table in load_contract(dataset).tables:
        lake.create(table.qualified_name, table.arrow_schema(), partition_by=["source_resource"])
    path = export(settings, dataset, tmp_path / "out", "csv")
    report = validate(path)
    assert report.valid, report.flatten(["type", "note"])
    assert len(report.tasks) == len(load_contract(dataset).tables)


def test_a_dataset_with_its_rows(tmp_path: Path, settings: Settings) -> None:
    path = export(settings, "accidents", tmp_path / "out", "csv")
    report = validate(path)
    assert report.valid, report.flatten(["type", "note"])
    package = described(path)
    with connect(settings) as con:
        for resource in package["resources"]:
            relation = Lake(settings.lake).relation_sql(f"core.{resource['name']}")
            assert con.execute(f"SELECT count(*) FROM {relation}").fetchall() == [(resource["rows"],)]
            assert resource["rows"] > 0
    assert package["licenses"][0]["title"] == "Licence Ouverte / Open Licence"
    kept = {path.name for folder in settings.raw.iterdir() if len(folder.name) == 2 for path in folder.iterdir()}
    assert {source["sha256"] for source in package["sources"]} <= kept
    by_name = {each["name"]: each["schema"] for each in package["resources"]}
    assert by_name["accidents"]["primaryKey"] == ["accident_id"]
    assert by_name["accident_vehicles"]["foreignKeys"] == [
        {"fields": ["accident_id"], "reference": {"resource": "accidents", "fields": ["accident_id"]}}
    ]
    fields = {field["name"]: field for field in by_name["accidents"]["fields"]}
    assert "1" in fields["lighting_code"]["constraints"]["enum"]
    assert fields["lighting_code"]["categories"][0]["label"] == "daylight"


def test_frictionless_notices_a_file_that_was_changed(tmp_path: Path, settings: Settings) -> None:
    """That the validation above can fail at all."""
    path = export(settings, "core.accidents", tmp_path / "out", "csv")
    assert validate(path).valid
    data = tmp_path / "out" / "accidents.csv"
    header, first, rest = data.read_text(encoding="utf-8").split("\n", 2)
    cells = first.split(",")
    at = header.split(",").index("lighting_code")
    data.write_text("\n".join([header, ",".join([*cells[:at], "77", *cells[at + 1 :]]), first, rest]), encoding="utf-8")
    problems = {kind for (kind,) in validate(path).flatten(["type"])}
    assert "constraint-error" in problems


def test_orphans_make_no_foreign_key(tmp_path: Path, settings: Settings) -> None:
    path = export(settings, "core.accident_vehicles", tmp_path / "out", "csv")
    assert "foreignKeys" not in described(path)["resources"][0]["schema"]  # its parent is not in the package
    assert validate(path).valid


def test_parquet_holds_the_same_rows(tmp_path: Path, settings: Settings) -> None:
    path = export(settings, "core.accidents", tmp_path / "out", "parquet")
    assert Package(path).resource_names == ["accidents"]
    (resource,) = described(path)["resources"]
    table = pq.read_table(tmp_path / "out" / "accidents.parquet")
    assert table.num_rows == resource["rows"]
    assert table.column_names == [field["name"] for field in resource["schema"]["fields"]]
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["accidents.parquet", "datapackage.json"]


def test_what_cannot_be_exported(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="neither a dataset nor a table of open data"):
        export(settings, "core.readings", tmp_path, "csv")
    with pytest.raises(LakeError, match="nothing of accidents is in the lake"):
        export(Settings(home=tmp_path / "empty"), "accidents", tmp_path, "csv")
