"""A schema is fetched from an address that a stranger wrote into the catalogue: what cannot be used is left out and said."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipelines.contracts.fields import Field
from pipelines.errors import CatalogError
from pipelines.propose.judge import Judgement
from pipelines.propose.table_schema import read_table_schema


def entry(field: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    schema = read_table_schema({"fields": [{"name": "x", **field}]}, "http://example.org")
    made, remarks = schema.fields[0].entry("x", Judgement("string"))
    Field.model_validate(made)
    return made, remarks


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+",
        "([a-z]+)*",
        "((a{1,99}){2,}){2}",
        "(a*)*b",
        "(",
        "(?=x)",
        "a" * 5_000,
        ["a"],
        {"a": 1},
        7,
        "\\",
    ],
)
def test_a_pattern_that_could_stop_the_gate_for_ever_is_left_out(pattern: object) -> None:
    made, remarks = entry({"type": "string", "constraints": {"pattern": pattern}})
    assert "constraints" not in made
    (remark,) = remarks
    assert remark.startswith("the schema's pattern is not read alike by all engines")
    assert len(remark) < 300


@pytest.mark.parametrize(
    "pattern", [r"^\d{5}$", r"([A-Z]{2}\d{1,3}){2}", r"(Mo|Tu)-(Fr|Su) \d+", r"(.*?)((\d{1,2}:\d{2})|24/7)", "a+?b*"]
)
def test_an_ordinary_pattern_is_kept(pattern: str) -> None:
    made, _ = entry({"type": "string", "constraints": {"pattern": pattern}})
    assert made["constraints"] == {"pattern": pattern}


@pytest.mark.parametrize("limit", [1e300, float("inf"), float("nan"), 10**400])
def test_a_bound_that_bounds_nothing_is_left_out(limit: float) -> None:
    made, remarks = entry({"type": "number", "constraints": {"maximum": limit, "minimum": 0}})
    assert made["constraints"] == {"minimum": 0}
    assert any(remark.startswith("the schema's maximum is left out: ") for remark in remarks)


@pytest.mark.parametrize(
    "rules", [[], ["required"], "required", 3, None, {"enum": "abc"}, {"enum": {}}, {"minimum": True}]
)
def test_rules_of_another_shape_are_no_rules(rules: object) -> None:
    made, _ = entry({"type": "integer", "constraints": rules})
    assert "constraints" not in made


@pytest.mark.parametrize("key", [{"a": 1}, 3, None, [1, None]])
def test_a_key_of_another_shape_names_no_column(key: object) -> None:
    schema = read_table_schema({"fields": [{"name": "x"}], "primaryKey": key}, "http://example.org")
    assert "x" not in schema.primary_key


@pytest.mark.parametrize("document", [None, [], {}, {"fields": {}}, {"fields": [1]}, {"fields": [{"type": "string"}]}])
def test_what_is_no_schema_is_refused(document: object) -> None:
    with pytest.raises(CatalogError, match="no Table Schema"):
        read_table_schema(document, "http://example.org")


def test_values_of_an_enumeration_are_texts_not_patterns() -> None:
    made, _ = entry({"type": "string", "constraints": {"enum": ["a.b", "(x)", "'; DROP", 'q"', "#: {"]}})
    assert yaml.safe_load(yaml.safe_dump(made))["constraints"]["pattern"] == r"a\.b|\(x\)|'; DROP|q\"|#: \{".replace(
        '\\"', '"'
    )
