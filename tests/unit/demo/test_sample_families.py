"""Samples of the families: equal seeds give equal bytes, and ingested they give back just what was broken on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.demo.families import SAMPLES, write_samples
from pipelines.demo.mirror import Mirror
from pipelines.demo.mirror_records import mirror_datasets
from pipelines.demo.samples import broken_rows
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.lake.quarantine import rejected_rows
from pipelines.progress import Silent
from pipelines.settings import Settings

#: By contract, the folders of its datasets.
OURS = {
    "station_traffic": ["station_traffic"],
    "stations": ["stations"],
    "rail_validations": ["rail_validations"],
    "electricity": ["electricity", "electricity_real_time"],
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name in {name for names in OURS.values() for name in names}:
        SAMPLES[name](folder / name)
    return folder


@pytest.fixture(scope="module")
def settings(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    with Mirror(site) as mirror:
        settings = Settings(home=tmp_path_factory.mktemp("home"), datagouv_url=mirror.url)
        for dataset in OURS:
            outcomes = ingest(dataset, settings, Silent())
            assert {outcome.status for outcome in outcomes} == {"published"}, dataset
    return settings


def _rows(settings: Settings, query: str, table: str) -> list[tuple[object, ...]]:
    with connect(settings) as con:
        return con.execute(query.format(Lake(settings.lake).relation_sql(table))).fetchall()


def test_equal_seeds_give_equal_bytes_and_files_that_are_there_keep_their_date(site: Path, tmp_path: Path) -> None:
    names = [name for names in OURS.values() for name in names]
    for name in names:
        SAMPLES[name](tmp_path / name)
    files = {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    dates = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for name in names:
        SAMPLES[name](tmp_path / name)
    assert {path: path.stat().st_mtime_ns for path in dates} == dates


def test_the_mirror_serves_every_family(tmp_path: Path) -> None:
    served = {dataset.record["id"] for dataset in mirror_datasets(write_samples(tmp_path))}
    assert len(served) == len(SAMPLES)


def test_quarantine_holds_what_was_broken_on_purpose(site: Path, settings: Settings) -> None:
    broken = [row for names in OURS.values() for name in names for row in broken_rows(site / name)]
    found = [row for row in rejected_rows(settings, None, 1000) if row["reason"] != "superseded"]
    places = {(row["place"], row["column"], row["value"]) for row in found}
    assert places == {(f"{row.file}, line {row.line}", row.column, row.value) for row in broken}
    assert len(found) == len(broken) == 2


def test_three_editions_make_one_table_in_which_the_newest_holds(settings: Settings) -> None:
    counted = _rows(
        settings, "SELECT edition, count(*), count(DISTINCT uic_code) FROM {} GROUP BY ALL", "core.station_traffic"
    )
    assert counted == [(2024, 2399, 240)]  # one cell is broken


def test_the_sample_s_march_day_is_whole_and_its_ghost_hour_is_set_aside(settings: Settings) -> None:
    query = "SELECT count(*), count(DISTINCT starts_at) FROM {} WHERE day = '2024-03-31' AND region_code = '93'"
    assert _rows(settings, query, "core.electricity_regional") == [(46, 46)]
    superseded = [row for row in rejected_rows(settings, "superseded", 1000) if "2024-03-31" in str(row["value"])]
    assert len(superseded) == 6  # two half-hours in each of three regions


def test_what_is_consolidated_stays_although_real_time_came_later(settings: Settings) -> None:
    query = "SELECT nature, count(*) FROM {} WHERE day = '2025-06-02' AND region_code = '93' GROUP BY ALL ORDER BY ALL"
    assert _rows(settings, query, "core.electricity_regional") == [("consolidated", 48), ("real time", 48)]
