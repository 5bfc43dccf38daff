"""A contract that somebody broke while editing: the message names the file, whatever command met it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.contracts import load_contract
from pipelines.contracts.files import plain_contract
from pipelines.contracts.layouts import Unpivot
from pipelines.contracts.model import Contract
from pipelines.errors import ContractError
from pipelines.progress import Silent
from pipelines.propose.inspection import inspect_source
from pipelines.settings import Settings

CONTRACT = """
name: mine
title: Mine
addresses: [mine.csv]
homepage: mine.csv
publisher: me
licence: notspecified
frequency: unknown
schedule: 23 5 * * 1
tables:
  - name: mine
    title: Mine
    resources: '^mine'
    layouts: [{name: first, header: [a]}]
    fields: [{name: a, type: string, from: a, null_pattern: 'none'}]
"""


@pytest.mark.parametrize(
    "text", ["", "a: [", "- 1", "tables: 3", "tables: [3]", "tables: [{}]", "a: \x07", "just words"]
)
def test_a_file_that_is_no_contract_is_named(text: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.own_schemas.mkdir(parents=True)
    broken = settings.own_schemas / "broken.yaml"
    broken.write_text(text)
    with pytest.raises(ContractError, match=r"broken\.yaml"):
        plain_contract(broken)
    source = tmp_path / "a.csv"
    source.write_text("a;b\n1;2\n")
    with pytest.raises(ContractError, match=r"broken\.yaml"):
        inspect_source(str(source), settings, Silent())


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("'^mine'", "'(mine'"), ("'none'", "'(none'"), ("'none'", "'(?=none)'"), ("'^mine'", "'mine{99999999999}'")],
)
def test_an_expression_that_is_none_is_a_fault_of_the_contract(was: str, becomes: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(CONTRACT)
    assert isinstance(load_contract("mine", tmp_path), Contract)
    (tmp_path / "mine.yaml").write_text(CONTRACT.replace(was, becomes))
    with pytest.raises(ContractError, match=r"pattern .*mine|pattern .*none"):
        load_contract("mine", tmp_path)


@pytest.mark.parametrize(
    "columns", [{"n": "(?P<year>"}, {"n'x": r"(?P<year>\d+)"}, {'n"': r"(?P<year>\d+)"}, {"": r"(?P<y>\d)"}]
)
def test_wide_columns_have_plain_names_and_sound_patterns(columns: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"is no name|pattern "):
        Unpivot.model_validate({"columns": columns})
