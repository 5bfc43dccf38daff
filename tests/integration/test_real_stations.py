"""The real SNCF copies of 2020, 2022 and 2026, against an independent reading in plain pandas."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from pipelines.compare import compare, differing_rows_sql, pair
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

FILES = Path(__file__).parents[2] / "../shared/data/datagouv/stations"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine")

SEPARATORS = {"2020-07": ";", "2022-12": ",", "2026-04": ";"}
EDITION = {"2020-07": 2018, "2022-12": 2020, "2026-04": 2024}
TRAFFIC = "core.station_traffic"


def _name(copy: str) -> str:
    return f"frequentation-gares_{copy}.csv"


def _raw(copy: str) -> pd.DataFrame:
    """A copy as pandas reads it, long: code, year, the two counts, and what the station is called."""
    wide = pd.read_csv(
        FILES / _name(copy), sep=SEPARATORS[copy], dtype=str, keep_default_na=False, encoding="utf-8-sig"
    )
    wide = wide.rename(columns={"Code UIC complet": "Code UIC"})
    years = sorted({int(found[1]) for column in wide if (found := re.fullmatch(r"Total Voyageurs (\d{4})", column))})
    parts = [
        pd.DataFrame(
            {
                "uic_code": wide["Code UIC"],
                "year": year,
                "travellers": wide[f"Total Voyageurs {year}"].astype(float),
                "travellers_and_others": wide[f"Total Voyageurs + Non voyageurs {year}"].astype(float),
                "station": wide["Nom de la gare"],
                "postcode": wide["Code postal"].str.zfill(5),
                "segment": wide[next(c for c in wide if c.startswith("Segmentation DRG"))].str.upper(),
                "edition": EDITION[copy],
            }
        )
        for year in years
    ]
    return pd.concat(parts, ignore_index=True)


def _home(folder: Path, copies: tuple[str, ...]) -> Settings:
    settings = Settings(home=folder)
    for copy in copies:  # one after the other, as they were published
        (outcome,) = ingest("station_traffic", settings, Silent(), [str(FILES / _name(copy))])
        assert (outcome.status, outcome.quarantined) == ("published", {}), copy
        assert outcome.rows == len(_raw(copy))
    return settings


def _table(settings: Settings) -> pd.DataFrame:
    with connect(settings) as con:
        return (
            con.sql(f"SELECT * FROM {Lake(settings.lake).relation_sql(TRAFFIC)} ORDER BY uic_code, year")
            .to_arrow_table()
            .to_pandas()
        )


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return _home(tmp_path_factory.mktemp("home"), tuple(SEPARATORS))


@pytest.fixture(scope="module")
def newest() -> pd.DataFrame:
    """Of each station and year what the newest copy says."""
    every = pd.concat([_raw(copy) for copy in SEPARATORS])
    kept = every.sort_values("edition").drop_duplicates(["uic_code", "year"], keep="last")
    return kept.sort_values(["uic_code", "year"], ignore_index=True)


def test_each_copy_has_as_many_rows_as_pandas_counts() -> None:
    assert {copy: len(_raw(copy)) for copy in SEPARATORS} == {
        "2020-07": 3015 * 4,
        "2022-12": 2967 * 6,
        "2026-04": 3021 * 10,
    }


def test_three_copies_are_one_long_table(settings: Settings, newest: pd.DataFrame) -> None:
    table = _table(settings)
    assert not table.duplicated(["uic_code", "year"]).any()
    columns = ["uic_code", "year", "travellers", "travellers_and_others", "station", "postcode", "edition"]
    pd.testing.assert_frame_equal(table[columns], newest[columns], check_dtype=False, check_exact=True)
    assert table.segment_code.fillna("").tolist() == newest.segment.tolist()


def test_sums_of_each_year(settings: Settings, newest: pd.DataFrame) -> None:
    ours = _table(settings).groupby("year")[["travellers", "travellers_and_others"]].sum()
    theirs = newest.groupby("year")[["travellers", "travellers_and_others"]].sum()
    pd.testing.assert_frame_equal(ours, theirs, check_index_type=False, check_dtype=False, rtol=1e-13)


def test_fractions_are_not_rounded(settings: Settings) -> None:
    """Agay has left the later copies' 2016 whole; a station that only the first copy has keeps its fraction."""
    only_first = set(_raw("2020-07").uic_code) - set(_raw("2022-12").uic_code) - set(_raw("2026-04").uic_code)
    table = _table(settings)
    kept = table[table.uic_code.isin(only_first) & (table.year == 2016)].set_index("uic_code").travellers_and_others
    raw = _raw("2020-07").query("year == 2016").set_index("uic_code").travellers_and_others
    assert len(kept) == len(only_first) > 0
    assert (kept == raw[kept.index]).all()
    assert (kept % 1 > 0).any()


def test_postcodes_have_five_digits(settings: Settings) -> None:
    raw = pd.read_csv(FILES / _name("2026-04"), sep=";", dtype=str, encoding="utf-8-sig")
    short = raw.loc[raw["Code postal"].str.len() == 4, ["Code UIC", "Code postal"]]
    assert len(short) == 206
    codes = _table(settings).set_index("uic_code").postcode.groupby(level=0).first()
    assert (codes[short["Code UIC"]].to_numpy() == ("0" + short["Code postal"]).to_numpy()).all()
    assert codes.str.fullmatch(r"\d{5}").all()


@pytest.mark.parametrize("order", [("2026-04", "2022-12", "2020-07"), ("2022-12", "2026-04", "2020-07")])
def test_the_newest_edition_holds_in_whatever_order_they_come(
    order: tuple[str, ...], newest: pd.DataFrame, tmp_path: Path
) -> None:
    table = _table(_home(tmp_path, order))
    columns = ["uic_code", "year", "travellers", "travellers_and_others", "edition"]
    pd.testing.assert_frame_equal(table[columns], newest[columns], check_dtype=False, check_exact=True)


def test_the_diff_finds_the_334_stations_whose_2018_was_restated(tmp_path: Path) -> None:
    settings = _home(tmp_path, ("2020-07", "2026-04"))
    first, last = (_raw(copy).query("year == 2018").set_index("uic_code").travellers for copy in ("2020-07", "2026-04"))
    both = first.index.intersection(last.index)
    restated = {code for code in both if first[code] != last[code]}
    assert (len(both), len(restated)) == (2967, 334)
    lake = Lake(settings.lake)
    with connect(settings) as con:
        versions = pair(con, settings, TRAFFIC, 1, lake.snapshot(TRAFFIC).version)
        found = compare(con, versions)
        rows = con.sql(differing_rows_sql(versions, "travellers")).df()
    every = _raw("2020-07").merge(_raw("2026-04"), on=["uic_code", "year"], suffixes=("", "_new"))
    assert found.columns["travellers"] == (every.travellers != every.travellers_new).sum()
    assert (found.added, found.removed, found.changed) == (3021 * 10 - len(every), 0, len(every))
    restated_2018 = rows[(rows.year == 2018) & (rows.column_name == "travellers")]
    assert set(restated_2018.uic_code) == restated
    assert len(restated_2018) == 334
    before = restated_2018.set_index("uic_code").old.astype(float)
    assert (before == first[before.index]).all()


def test_the_list_of_stations_has_positions_and_numbers(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    (outcome,) = ingest("stations", settings, Silent(), [str(FILES / "gares-de-voyageurs_2026-04.csv")])
    assert (outcome.status, outcome.rows, outcome.quarantined) == ("published", 2782, {})
    raw = pd.read_csv(
        FILES / "gares-de-voyageurs_2026-04.csv", sep=";", dtype=str, encoding="utf-8-sig", keep_default_na=False
    )
    with connect(settings) as con:
        table = (
            con.sql(f"SELECT * FROM {Lake(settings.lake).relation_sql('core.stations')} ORDER BY source_line")
            .to_arrow_table()
            .to_pandas()
        )
    positions = raw["Position géographique"].str.split(",", expand=True).replace("", None).astype(float)
    assert (table.latitude.notna().sum(), table.longitude.notna().sum()) == (2775, 2775)
    assert table.latitude.sum() == pytest.approx(positions[0].sum(), rel=1e-13)
    assert table.longitude.sum() == pytest.approx(positions[1].sum(), rel=1e-13)
    assert table.uic_code.tolist() == raw["Code(s) UIC"].str[:8].tolist()
    assert (table.uic_codes.str.len() > 8).sum() == 11
    assert table.commune.tolist() == raw["Code commune"].tolist()
