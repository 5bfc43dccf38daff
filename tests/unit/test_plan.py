"""Which resources an ingest takes, and what Airflow is told of them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipelines.contracts import load_contract
from pipelines.demo.mirror import Mirror
from pipelines.demo.sample_electricity import write_consolidated_samples, write_real_time_samples
from pipelines.demo.samples import write_accident_samples
from pipelines.errors import CatalogError, SettingsError
from pipelines.fetch import fetch
from pipelines.plan import parents_first, plan, resource_and_name, telling_name
from pipelines.progress import Silent
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


def test_datasets_that_hold_the_same_table_are_planned_together(tmp_path: Path) -> None:
    write_consolidated_samples(tmp_path / "site" / "consolidated")
    write_real_time_samples(tmp_path / "site" / "real_time")
    with Mirror(tmp_path / "site") as mirror:
        settings = Settings(home=tmp_path / "home", datagouv_url=mirror.url)
        planned = plan(load_contract("electricity"), settings)
    assert [each.resource.title for each in planned] == ["eco2mix-regional-cons-def.csv", "eco2mix-regional-tr.csv"]


def test_files_given_in_any_order_go_parents_first() -> None:
    given = ["x/usagers-2019.csv", "https://example.org/a/lieux-2019.csv?v=2", "caract-2019.csv", "unknown.csv"]
    assert parents_first(load_contract("accidents"), given) == [given[2], given[3], given[1], given[0]]


def test_the_plan_and_the_fetch_agree_on_the_key(site: Path, tmp_path: Path) -> None:
    with Mirror(site) as mirror:
        settings = Settings(home=tmp_path / "home", datagouv_url=mirror.url)
        contract = load_contract("accidents")
        listed = plan(contract, settings)[0].resource
        for source in (listed, listed.url, str(site / "caract-2023.csv")):
            assert resource_and_name(source)[0] == fetch(source, settings, Silent()).resource


def test_two_years_of_one_file_name_are_two_resources() -> None:
    given = [f"https://files.example.org/dvf/{year}/full.csv.gz" for year in (2023, 2024)]
    assert parents_first(load_contract("property"), given) == given
    with pytest.raises(SettingsError, match=r"2 of the given resources are called files\.example\.org_dvf_2023_full"):
        parents_first(load_contract("property"), [given[0], f"{given[0]}?again"])


def test_the_path_tells_what_the_file_name_does_not() -> None:
    property_sales, accidents = load_contract("property"), load_contract("accidents")
    assert telling_name(property_sales, "full.csv.gz", "https://x.org/geo-dvf/csv/2024/full.csv.gz") == (
        "geo-dvf/csv/2024/full.csv.gz"
    )
    assert (
        telling_name(accidents, "caract-2019.csv", "https://x.org/vehicules-2018/caract-2019.csv") == "caract-2019.csv"
    )
    assert telling_name(accidents, "other.csv", "https://x.org/other.csv") == "other.csv"
    assert telling_name(accidents, "other.csv", None) == "other.csv"
