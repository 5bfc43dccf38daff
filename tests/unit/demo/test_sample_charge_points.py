"""Charge points from the generated national file to the lake: what the contract promises of the real one."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from pipelines.demo.sample_charge_points import (
    FILE_NAME,
    HEADER,
    Truth,
    draw_charge_points,
    write_charge_point_samples,
)
from pipelines.demo.samples import broken_rows
from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, pa.Table, Truth]:
    folder = tmp_path_factory.mktemp("charge-points")
    rows, truth = draw_charge_points(Random("7-charge-points"), 300)
    write_charge_point_samples(folder, seed=7, stations=300)
    (fault,) = broken_rows(folder)
    assert (fault.line, (folder / FILE_NAME).read_bytes().count(b"\n")) == (len(rows) + 2, len(rows) + 2)
    settings = Settings(home=folder / "home")
    (outcome,) = ingest("charge_points", settings, Silent(), [str(folder / FILE_NAME)])
    return outcome, _points(settings), truth


def _points(settings: Settings) -> pa.Table:
    with connect(settings) as con:
        return con.sql(f"FROM {Lake(settings.lake).relation_sql('core.charge_points')}").to_arrow_table()


def test_no_row_is_lost_and_twins_are_superseded(published: tuple[Outcome, pa.Table, Truth]) -> None:
    outcome, points, truth = published
    assert (outcome.status, outcome.rows) == ("published", truth.rows + 1)
    assert outcome.quarantined == {"superseded": truth.rows - truth.points - truth.nameless, "unknown_code": 1}
    assert points.num_rows == truth.points + truth.nameless


def test_of_twins_the_row_stays_that_the_publisher_would_keep(published: tuple[Outcome, pa.Table, Truth]) -> None:
    _, points, truth = published
    kept = {row["charge_point_id"]: row["installer"] for row in points.to_pylist() if row["identified"]}
    assert kept == truth.kept


def test_points_without_a_name_are_neither_lost_nor_merged(published: tuple[Outcome, pa.Table, Truth]) -> None:
    _, points, truth = published
    nameless = [row for row in points.to_pylist() if not row["identified"]]
    assert len({row["charge_point_id"] for row in nameless}) == len(nameless) == truth.nameless > 0
    assert all(row["charge_point_id"] == f"record {row['source_line'] - 1}" for row in nameless)
    assert Counter(row["station_id"] for row in nameless) == {None: truth.nameless}


def test_swapped_coordinates_are_put_right_and_marked(published: tuple[Outcome, pa.Table, Truth]) -> None:
    _, points, truth = published
    rows = points.to_pylist()
    assert sum(row["coordinates_swapped"] for row in rows) == truth.swapped > 0
    assert all(row["latitude"] < 20 for row in rows if row["commune"].startswith("97"))
    assert all(
        41 < row["latitude"] < 51 and -6 < row["longitude"] < 10 for row in rows if not row["commune"].startswith("97")
    )


def test_yes_and_no_in_four_notations_and_padded_communes(published: tuple[Outcome, pa.Table, Truth]) -> None:
    _, points, _ = published
    for row in points.to_pylist():
        assert row["socket_ccs"] is (row["power_kw"] >= 50)
        assert len(row["commune"]) == 5
    assert set(points["free_of_charge"].to_pylist()) == {True, False, None}


@pytest.mark.parametrize("missing", ["coordonneesXY", "last_modified"])
def test_the_file_with_longitude_and_latitude_apart_is_read_too(tmp_path: Path, missing: str) -> None:
    rows, truth = draw_charge_points(Random(3), 20)
    names = [name for name in HEADER if name != missing]
    lines = [names, *([cell for name, cell in zip(HEADER, row, strict=True) if name != missing] for row in rows)]
    if missing == "coordonneesXY":
        pairs = [row[HEADER.index("coordonneesXY")].strip("[]").split(",") for row in rows]
        lines = [line + added for line, added in zip(lines, [["longitude", "latitude"], *pairs], strict=True)]
    file = tmp_path / "irve-statique.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(lines)
    settings = Settings(home=tmp_path / "home")
    (outcome,) = ingest("charge_points", settings, Silent(), [str(file)])
    assert outcome.status == "published", outcome.message
    assert outcome.published == truth.points + truth.nameless
