from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from pipelines import settings
from pipelines.contracts import Contract, contract_names, files, load_contract
from pipelines.contracts import load as loading
from pipelines.errors import ContractError

SCHEMAS = Path(__file__).parents[3] / "schemas"


def _accidents() -> dict[str, Any]:
    return yaml.safe_load((SCHEMAS / "accidents.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def write_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for module in (loading, files):
        monkeypatch.setattr(module, "data_folder", lambda _: tmp_path)

    def write(content: dict[str, Any] | str) -> None:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")

    return write


def test_every_contract_in_the_box_loads() -> None:
    assert settings.data_folder("schemas") == SCHEMAS
    assert [load_contract(name).name for name in contract_names()] == contract_names()


def test_a_code_gives_two_columns_and_provenance_comes_last() -> None:
    schema = load_contract("accidents").table("accidents").arrow_schema()
    assert schema.field("lighting_code").type == pa.string()
    assert schema.names[-3:] == ["source_sha256", "source_line", "source_resource"]
    assert not schema.field("accident_id").nullable


@pytest.mark.parametrize(
    ("title", "table", "year"),
    [
        ("caracteristiques_2005.csv", "accidents", "2005"),
        ("carcteristiques-2021.csv", "accidents", "2021"),
        ("caract-2023.csv", "accidents", "2023"),
        ("Caract_2024.csv", "accidents", "2024"),
        ("lieux-2018.csv", "accident_places", "2018"),
        ("vehicules_2009.csv", "accident_vehicles", "2009"),
        ("usagers-2022.csv", "accident_users", "2022"),
        ("ech_usagers.csv", "accident_users", None),
    ],
)
def test_titles_of_the_real_resources_name_their_table(title: str, table: str, year: str | None) -> None:
    matches = {
        each.name: found["vintage"]
        for each in load_contract("accidents").tables
        if (found := each.names_resource(title))
    }
    assert matches == {table: year}


@pytest.mark.parametrize("title", ["vehicules-immatricules-baac-2020.csv", "description-des-bases.pdf"])
def test_other_resources_of_the_dataset_are_left_alone(title: str) -> None:
    assert not any(table.names_resource(title) for table in load_contract("accidents").tables)


def test_layout_columns_of_the_contract_are_the_published_headers() -> None:
    """Names as the files have them, twelve layouts of four tables, each table's first column the accident's key."""
    tables = load_contract("accidents").tables
    assert [len(layout.header) for table in tables for layout in table.layouts] == [
        16,
        15,
        15,
        18,
        18,
        9,
        11,
        12,
        15,
        16,
    ]
    assert {layout.header[0] for table in tables for layout in table.layouts} == {"Num_Acc", "Accident_Id"}


def test_every_source_of_a_field_is_in_some_layout() -> None:
    for table in load_contract("accidents").tables:
        published = {column for layout in table.layouts for column in layout.header}
        for field in table.fields:
            assert set(field.source) <= published, field.name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["tables"][0]["fields"][4].update(codes="nothing"), "no code list 'nothing'"),
        (lambda c: c["tables"][0].update(primary_key=["nowhere"]), "key columns ['nowhere'] are not fields"),
        (lambda c: c["tables"][1]["foreign_keys"][0].update(table="nobody"), "foreign key to nobody"),
        (lambda c: c["tables"][0]["fields"][0].update(by_layout={"2031": {"from": "x"}}), "no layout '2031'"),
        (lambda c: c["tables"][0]["fields"][0].update(by_layout={"2022": {"form": "x"}}), "by_layout → 2022 → form"),
        (lambda c: c["tables"][0]["fields"][3].update(cast="guess"), "no cast 'guess'; known: boolean"),
        (lambda c: c["tables"][0]["fields"][0].pop("by_layout"), "accident_id: required, and not in layout '2022'"),
        (lambda c: c["tables"][2].update(primary_key=["vehicle_id"]), "key columns ['vehicle_id'] must be required"),
        (lambda c: c["tables"][0].update(colour="red"), "colour"),
        (lambda c: c.pop("licence"), "licence"),
    ],
)
def test_a_contract_that_does_not_hang_together_says_where(write_contract: Any, change: Any, says: str) -> None:
    content = _accidents()
    change(content)
    write_contract(content)
    with pytest.raises(ContractError, match=re.escape(says)) as caught:
        load_contract("mine")
    assert "schemas/mine.yaml" in str(caught.value)


def test_broken_yaml_and_no_contract_at_all(write_contract: Any) -> None:
    write_contract("name: [")
    with pytest.raises(ContractError, match=r"schemas/mine\.yaml"):
        load_contract("mine")
    with pytest.raises(ContractError, match=r"no contract 'other'.*mine"):
        load_contract("other")


def test_the_fingerprint_follows_what_rows_depend_on_and_nothing_else() -> None:
    content = _accidents()
    before = Contract.model_validate(content).fingerprint
    assert before == load_contract("accidents").fingerprint
    content |= dict.fromkeys(
        ("title", "homepage", "publisher", "licence", "frequency", "schedule", "datagouv"), "other"
    )
    content |= {"datagouv_also": ["other"], "addresses": ["https://example.org/a.csv"]}
    for table in content["tables"]:
        table |= {"title": "other", "tolerance": 0.5, "dated_by": table["fields"][0]["name"]}
        for key in table.get("foreign_keys", []):
            key["tolerance"] = 0.5
        for field in table["fields"]:
            field |= {"title": "other", "unit": "other"}
            field.pop("expect", None)
    assert Contract.model_validate(content).fingerprint == before
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda c: c["null_tokens"].append("?"),
        lambda c: c["code_lists"][next(iter(c["code_lists"]))].update({"777": "title | titre"}),
        lambda c: c["tables"][0].update(resources="other"),
        lambda c: c["tables"][0].update(prefer=["accident_id"]),
        lambda c: c["tables"][0]["fields"][1].update(null_tokens=["?"]),
        lambda c: c["tables"][2]["foreign_keys"][0].update(fields=["vehicle_number"]),
    ]
    for change in changes:
        other = copy.deepcopy(content)
        change(other)
        assert Contract.model_validate(other).fingerprint != before
