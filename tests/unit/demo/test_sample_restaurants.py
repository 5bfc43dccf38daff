"""Inspections from generated exports to the lake: a window that rolls at the source, a history that grows here."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from random import Random

import pytest

from pipelines.demo.sample_restaurants import (
    FILE_NAME,
    HEADER,
    draw_inspections,
    file_bytes,
    shown_on,
    write_restaurant_samples,
)
from pipelines.demo.samples import broken_rows
from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

ROWS = draw_inspections(Random("restaurants"), 600)


@pytest.fixture
def bring(tmp_path: Path) -> Callable[..., Outcome]:
    def bring(body: bytes, name: str = FILE_NAME) -> Outcome:
        (tmp_path / name).write_bytes(body)
        (outcome,) = ingest("restaurants", Settings(home=tmp_path / "home"), Silent(), [str(tmp_path / name)])
        return outcome

    return bring


def _held(home: Path) -> list[dict[str, object]]:
    settings = Settings(home=home)
    with connect(settings) as con:
        rows = con.sql(f"FROM {Lake(settings.lake).relation_sql('core.restaurant_inspections')}").to_arrow_table()
    held: list[dict[str, object]] = rows.to_pylist()
    return held


def test_what_leaves_the_source_stays_here(bring: Callable[..., Outcome], tmp_path: Path) -> None:
    first, second = shown_on(ROWS, date(2026, 2, 28)), shown_on(ROWS, date(2026, 3, 31))
    gone = [row for row in first if row not in second]
    assert gone, "the window has rolled"
    assert bring(file_bytes(first)).status == "published"
    assert bring(file_bytes(second)).status == "published"
    held = _held(tmp_path / "home")
    assert len(held) == len(first) + sum(row not in first for row in second)
    assert {row[1] for row in gone} <= {row["establishment_id"] for row in held}


def test_an_inspection_is_one_row_with_or_without_the_publishers_number(
    bring: Callable[..., Outcome], tmp_path: Path
) -> None:
    at = HEADER.index("Numero_inspection")
    rows = [HEADER, *ROWS]
    lines = (";".join(cell for place, cell in enumerate(row) if place != at) for row in rows)
    outcome = bring("\n".join(lines).encode())
    assert (outcome.status, outcome.published) == ("published", 600)
    assert all("RUE DE L'ESSAI" in str(row["inspection"]) for row in _held(tmp_path / "home"))


def test_the_header_of_the_api_is_read_too(bring: Callable[..., Outcome], tmp_path: Path) -> None:
    names = [name.lower() for name in HEADER]
    assert bring(file_bytes(ROWS).replace(";".join(HEADER).encode(), ";".join(names).encode())).published == 600
    levels = {row["level_code"] for row in _held(tmp_path / "home")}
    assert levels == {"1", "2", "3", "4"}


def test_a_result_that_nobody_has_seen_is_set_aside(bring: Callable[..., Outcome]) -> None:
    rows = [list(row) for row in ROWS]
    rows[5][HEADER.index("Synthese_eval_sanit")] = "Bof"
    outcome = bring(file_bytes(rows))
    assert (outcome.published, outcome.quarantined) == (599, {"unknown_code": 1})


def test_equal_arguments_give_equal_bytes(tmp_path: Path) -> None:
    one, two = (write_restaurant_samples(tmp_path / name, seed=2, inspections=90) / FILE_NAME for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    (fault,) = broken_rows(one.parent)
    assert one.read_bytes().splitlines()[fault.line - 1].count((fault.value or "").encode()) == 1
    with one.open(encoding="utf-8") as file:
        assert next(csv.reader(file, delimiter=";")) == HEADER
