"""Names and values that a publisher, or somebody in their name, may write: they end in a table as texts, whatever they are."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from pipelines.add import add
from pipelines.conform import scan
from pipelines.contracts import load_contract
from pipelines.contracts.layouts import Layout
from pipelines.progress import Silent
from pipelines.propose.inspection import inspect_source
from pipelines.settings import Settings
from pipelines.tables import run_query

NAMES = (
    "id",
    "'\"); DROP TABLE lines; --",
    "{year}",
    "c0",
    "cell x",
    "value x",
    "cell id",
    'a "value id" b',
    "record",
    "lines",
    "faults",
    "two\nlines",
    "x" * 10_000,
    "",
    "😀",
    "Nom",
    "NOM",
    "nom",
    "%s $1 {} \\1",
    "a;b",
    "# comment: x",
    "key: [v]",
    "&anchor *alias",
    "!!python/object:os.system",
    "\\",
    "[bold]red[/]",
    "[/]",
    "\x07bell",
    "\x1b[31m",
    "null",
    "1",
    "é",
    "e\u0301",
    "source_line",
    "SOURCE_SHA256",
    "\u2028line",
    "\x85next line",
)
CODES = ("';--", '"', "{x}", "\\1")


def value(row: int, column: int) -> str:
    if column == 0:
        return f"K{row}"
    if column == len(NAMES):
        return CODES[row % len(CODES)]
    return f"{row}.{column} '\";--{{}}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "hostile.csv"
    with file.open("w", newline="", encoding="utf-8") as text:
        write = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL).writerow
        write([*NAMES, "codes"])
        for row in range(100):
            write([value(row, column) for column in range(len(NAMES) + 1)])
    return file


@pytest.mark.parametrize("size", ["small", "large"])
def test_every_cell_comes_out_under_its_own_name(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    if size == "large":  # the statement for large files is another one
        monkeypatch.setattr(scan, "_LARGE", 0)
    settings = Settings(home=tmp_path / "home")
    (outcome,) = add(str(file), settings, Silent()).outcomes
    assert (outcome.status, outcome.published, outcome.quarantined) == ("published", 100, {})
    fields = load_contract("hostile", settings.own_schemas).tables[0].fields
    assert [field.source for field in fields] == [(name,) for name in (*NAMES, "codes")]
    columns = ", ".join(field.value_column for field in fields)
    with run_query(settings, f"SELECT {columns} FROM core.hostile ORDER BY source_line", personal=True) as found:
        rows = [tuple(row.values()) for row in found.read_all().to_pylist()]
    assert rows == [tuple(value(row, column) for column in range(len(fields))) for row in range(100)]


def test_names_that_mean_something_in_a_contract_are_left_out_and_said(tmp_path: Path) -> None:
    file = tmp_path / "braces 2024.csv"
    file.write_text("id;{vintage};{record}\nA;x;y\nB;z;w\n")
    settings = Settings(home=tmp_path / "home")
    result = add(str(file), settings, Silent(), name="braces")
    assert [outcome.published for outcome in result.outcomes] == [2]
    assert "the name means something else in a contract: {vintage}, {record}" in result.text
    with run_query(settings, "SELECT * EXCLUDE (source_sha256) FROM core.braces", personal=True) as found:
        rows = [tuple(row.values()) for row in found.read_all().to_pylist()]
    assert rows == [(2024, "A", 2, "braces_2024.csv"), (2024, "B", 3, "braces_2024.csv")]


@pytest.mark.parametrize("taken", ["{vintage}", "{record}", "{year}", "{year:newest}"])
def test_a_layout_cannot_list_a_column_whose_name_means_something_else(taken: str) -> None:
    wide = {"columns": {"n": r"Total (?P<year>\d{4})"}}
    with pytest.raises(ValueError, match="stands for something else"):
        Layout.model_validate({"name": "x", "header": ["id", taken], "unpivot": wide})


def test_remarks_cannot_break_out_of_their_comments(tmp_path: Path) -> None:
    file = tmp_path / "remarks.csv"
    cells = ["\x85name: stolen", "\nname: stolen", "\u2028name: stolen", "\x07"]
    with file.open("w", newline="", encoding="utf-8") as text:
        write = csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL).writerow
        write(["id", *cells, *cells])
        write(["A", *"12345678"])
        write(["B", *"12345678"])
    result = add(str(file), Settings(home=tmp_path / "home"), Silent(), dry_run=True)
    assert yaml.safe_load(result.text)["name"] == "remarks"
    assert "left out, because they stand more than once in the header" in result.text


def test_inspect_shows_them(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines.show.datasets import inspection

    settings = Settings(home=tmp_path / "home")
    inspection(inspect_source(str(file), settings, Silent()), as_json=False)
    shown = capsys.readouterr().out
    assert "[bold]red[/]" in shown
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown
