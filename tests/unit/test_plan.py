"""Which resources an ingest takes, and what Airflow is told of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.contracts import load_contract
from pipelines.demo.mirror import Mirror
from pipelines.demo.samples import write_accident_samples
from pipelines.errors import CatalogError
from pipelines.plan import parents_first, plan
from pipelines.scheduled import planned_vintages
from pipelines.settings import Settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_accident_samples(tmp_path / "site", accidents_per_year=5, years=[2017, 2023])


def _planned(site: Path, tmp_path: Path) -> list[tuple[str, int | None]]:
    with Mirror(site) as mirror:
        settings = Settings(home=tmp_path / "home", datagouv_url=mirror.url)
        return [(each.resource.title, each.vintage) for each in plan(load_contract("accidents"), settings)]


def test_parents_come_before_children_and_then_the_years(site: Path, tmp_path: Path) -> None:
    planned = _planned(site, tmp_path)
    assert [vintage for _, vintage in planned] == [2017, 2023] * 4
    assert [title.split("-")[0][:5] for title, _ in planned[::2]] == ["carac", "lieux", "vehic", "usage"]


def test_a_catalogue_without_any_name_that_we_know_is_no_success(site: Path, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(site.glob("*.csv"))):
        file.rename(file.with_name(f"table-{number}.csv"))
    with pytest.raises(CatalogError, match=r"none of the \d+ resources is named as schemas/accidents.yaml expects"):
        _planned(site, tmp_path)


def test_no_year_left_is_an_empty_plan_and_a_title_without_year_is_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "lieux-2017.csv").rename(site / "lieux.csv")
    with Mirror(site) as mirror:
        monkeypatch.setenv("ROCADE_DATAGOUV_URL", mirror.url)
        monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
        with caplog.at_level(logging.WARNING, logger="rocade"):
            assert planned_vintages("accidents") == [2017, 2023]
        assert "lieux.csv: no year in its title" in caplog.text
        assert planned_vintages("accidents", 2024) == []


def test_files_given_in_any_order_go_parents_first() -> None:
    given = ["x/usagers-2019.csv", "https://example.org/a/lieux-2019.csv?v=2", "caract-2019.csv", "unknown.csv"]
    assert parents_first(load_contract("accidents"), given) == [given[2], given[3], given[1], given[0]]
