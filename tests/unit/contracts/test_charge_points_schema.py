"""schemas/charge_points.yaml against the Table Schema that the state publishes for such files (etalab/schema-irve)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.contracts import Field, Table, load_contract

PUBLISHED = Path(__file__).parents[3] / "../shared/data/datagouv/charging"

pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published schemas are not on this machine")

#: By published column, why our rule differs from the published one.
DEVIATIONS = {
    "id_pdc_itinerance": "a point without a roaming id is kept under a key of its own",
    "id_station_itinerance": "likewise, without one the station's id is null",
}
_TYPES = {"geopoint": "number"}


def _schema(name: str) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = json.loads((PUBLISHED / f"schema-{name}.json").read_text(encoding="utf-8"))["fields"]
    return fields


def _ours(table: Table) -> dict[str, Field]:
    """By published column the field that tells it; a column of coordinates tells three."""
    return {field.source[0]: field for field in reversed(table.fields) if field.source[0][0] != "{"}


CASES = [("statique", "charge_points"), ("dynamique", "charge_point_states")]


@pytest.mark.parametrize(("schema", "table"), CASES)
def test_every_published_column_is_read(schema: str, table: str) -> None:
    names = {field["name"] for field in _schema(schema)}
    layout = load_contract("charge_points").table(table).layouts[0]
    assert names - {*layout.header, *layout.optional} == set()
    assert names - set(_ours(load_contract("charge_points").table(table))) == set()


@pytest.mark.parametrize(("schema", "table"), CASES)
def test_columns_are_required_where_the_schema_requires_them(schema: str, table: str) -> None:
    contract = load_contract("charge_points").table(table)
    required = {field["name"] for field in _schema(schema) if field.get("constraints", {}).get("required")}
    assert required - set(contract.layouts[0].header) == set(), "a required column must be in the header"
    ours = {name for name, field in _ours(contract).items() if field.constraints.required}
    assert ours & {field["name"] for field in _schema(schema)} ^ required <= set(DEVIATIONS)


@pytest.mark.parametrize(("schema", "table"), CASES)
def test_types_are_those_of_the_schema(schema: str, table: str) -> None:
    ours = _ours(load_contract("charge_points").table(table))
    for published in _schema(schema):
        name, kind = published["name"], _TYPES.get(published["type"], published["type"])
        expected = "code" if "enum" in published.get("constraints", {}) else kind
        assert (name, ours[name].type) == (name, expected)


@pytest.mark.parametrize(("schema", "table"), CASES)
def test_codes_are_those_of_the_schema(schema: str, table: str) -> None:
    contract = load_contract("charge_points")
    ours = _ours(contract.table(table))
    enums = {field["name"]: field["constraints"]["enum"] for field in _schema(schema) if "enum" in field["constraints"]}
    assert {name: list(contract.code_lists[ours[name].codes or ""]) for name in enums} == enums


@pytest.mark.parametrize(("schema", "table"), CASES)
def test_patterns_and_limits_are_those_of_the_schema(schema: str, table: str) -> None:
    ours = _ours(load_contract("charge_points").table(table))
    for published in _schema(schema):
        name, rules = published["name"], published.get("constraints", {})
        if name in DEVIATIONS and schema == "statique":
            continue
        field = ours[name]
        assert (name, field.constraints.pattern) == (name, _bare(rules.get("pattern")))
        if "minimum" in rules:
            assert (name, field.constraints.minimum) == (name, rules["minimum"])


def test_ids_match_what_the_schema_lets_pass() -> None:
    table = load_contract("charge_points").table("charge_points")
    published = next(field for field in _schema("statique") if field["name"] == "id_pdc_itinerance")["constraints"][
        "pattern"
    ]
    roaming = "[A-Z]{2}[A-Z0-9]{4,33}"
    assert f"^{roaming}$" in published
    for field in table.fields:
        if field.name in ("charge_point_id", "station_id"):
            assert (field.constraints.pattern or "").startswith(roaming)


def _bare(pattern: str | None) -> str | None:
    """A pattern without the anchors that a match from end to end makes needless."""
    return pattern.removeprefix("^").removesuffix("$") if pattern else None
