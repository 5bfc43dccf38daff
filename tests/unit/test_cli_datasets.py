"""`inspect`, `search`, `describe`, `add`: as a person and as a script sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import cli
from pipelines.demo.mirror import Mirror

DATASET = "0123456789abcdef01234567"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    folder = tmp_path / "site"
    folder.mkdir()
    owner = {"id": "a" * 24, "name": "Ville [de] X", "slug": "x"}
    record = {
        "id": DATASET,
        "title": "Bancs publics",
        "slug": "bancs",
        "license": "lov2",
        "frequency": "daily",
        "organization": owner,
    }
    (folder / "dataset.json").write_text(json.dumps(record))
    (folder / "bancs.csv").write_text("id_banc;posé le\n1;25/03/2010\n2;26/03/2010\n", encoding="utf-8")
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with Mirror(folder) as running:
        monkeypatch.setenv("ROCADE_DATAGOUV_URL", running.url)
        yield running


def rocade(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.usefixtures("mirror")
def test_for_people() -> None:
    found = rocade("search", "bancs")
    assert "Bancs publics" in found
    assert "Ville [de] X" in found
    assert "1 datasets" in found
    assert "organization Ville [de] X (1)" in found
    about = rocade("describe", "bancs")
    assert "licence: lov2" in about
    assert f"rocade add {DATASET}" in about
    proposed = rocade("add", DATASET, "--dry-run")
    assert "cast: date_day_first" in proposed
    added = rocade("add", DATASET)
    assert 'next: rocade sql "SELECT * FROM core.bancs LIMIT 5"' in added
    assert "2010-03-25" in rocade("sql", "SELECT * FROM core.bancs LIMIT 5")
    assert "kept as it is" in rocade("add", DATASET)
    assert "rocade ingest bancs" in rocade("describe", "bancs")


def test_for_scripts(mirror: Mirror) -> None:
    assert json.loads(rocade("search", "bancs", "--json"))["datasets"][0]["slug"] == "bancs"
    about = json.loads(rocade("describe", f"{mirror.url}/datasets/bancs/", "--json"))
    assert [each["title"] for each in about["resources"]] == ["bancs.csv"]
    (found,) = json.loads(rocade("inspect", f"{mirror.url}/resources/bancs/bancs.csv", "--json"))
    assert [(each["name"], each["judgement"]["type"]) for each in found["columns"]] == [
        ("id_banc", "integer"),
        ("posé le", "date"),
    ]
    assert (found["rows"], found["separator"], found["key"]["columns"]) == (2, ";", ["id_banc"])
    added = json.loads(rocade("add", DATASET, "--json"))
    assert (added["status"], added["outcomes"][0]["published"]) == ("written", 2)


def test_inspect_says_what_is_wrong(mirror: Mirror, tmp_path: Path) -> None:
    del mirror
    rows = "".join(f"{n};{n}\n" for n in range(300))
    (tmp_path / "a.csv").write_text(f"Titre\n\na;b\n{rows}300;x\n301\n")
    shown = rocade("inspect", "a.csv")
    assert "header on line 3" in shown
    assert "b: 1 cells do not fit, first on line 304: 'x'" in shown
    assert "row_too_short: 1, first on line 305: 301" in shown
