"""What SNCF restated without a word between its copies of 2020 and 2026, found by `rocade diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines import cli

FILES = Path(__file__).parents[2] / "../shared/data/datagouv/stations"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine")

OLD, NEW = FILES / "frequentation-gares_2020-07.csv", FILES / "frequentation-gares_2026-04.csv"


def test_diff_finds_the_334_restated_stations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
    run = CliRunner()
    for file in (OLD, NEW):
        assert run.invoke(cli.app, ["ingest", "station_traffic", "-r", str(file)]).exit_code == 0
    output = tmp_path / "restated.parquet"
    done = run.invoke(
        cli.app, ["diff", "core.station_traffic", "--json", "--where", "travellers", "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    old = pd.read_csv(OLD, sep=";", dtype=str).set_index("Code UIC complet")
    new = pd.read_csv(NEW, sep=";", dtype=str, encoding="utf-8-sig").set_index("Code UIC")
    common = old.index.intersection(new.index)
    assert len(common) == 2_967
    years = ["2015", "2016", "2017", "2018"]
    pairs = {
        year: [pd.to_numeric(side.loc[common, f"Total Voyageurs {year}"]) for side in (old, new)] for year in years
    }
    expected = {int(year): int((a != b).sum() - (a.isna() & b.isna()).sum()) for year, (a, b) in pairs.items()}
    lines = pd.read_parquet(output)
    assert lines.groupby("year").size().to_dict() == expected
    assert expected[2018] == 334
    found = json.loads(done.stdout)
    assert found["columns"]["travellers"] == sum(expected.values())
    assert (found["since"], found["until"], found["key"]) == (1, 2, ["uic_code", "year"])
    assert len(found["rows"]) == 20
    shown = run.invoke(cli.app, ["diff", "core.station_traffic", "--rows", "3"]).output
    assert "11 868" in shown
    assert run.invoke(cli.app, ["history", "core.station_traffic"]).output.count("18 342 added, 11 868 changed") == 1
    station = lines[(lines.uic_code == "87111278") & (lines.year == 2018)].iloc[0]
    assert (float(station.old), float(station.new)) == (
        float(old.loc["87111278", "Total Voyageurs 2018"]),
        float(new.loc["87111278", "Total Voyageurs 2018"]),
    )
