"""The real éCO2mix copy of Provence in spring 2020, against an independent reading in plain pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings
from pipelines.tables import build

FILE = Path(__file__).parents[2] / "../shared/data/datagouv/energy/eco2mix-regional-tr_2020-05_PACA.csv"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the real files are not on this machine")

COLUMNS = {
    "Consommation (MW)": "consumption_mw",
    "Thermique (MW)": "thermal_mw",
    "Nucléaire (MW)": "nuclear_mw",
    "Eolien (MW)": "wind_mw",
    "Solaire (MW)": "solar_mw",
    "Hydraulique (MW)": "hydro_mw",
    "Pompage (MW)": "pumping_mw",
    "Bioénergies (MW)": "bioenergy_mw",
    "Ech. physiques (MW)": "exchange_mw",
    "TCO Thermique (%)": "thermal_coverage_pct",
    "TCH Solaire (%)": "solar_load_pct",
    "TCH Hydraulique (%)": "hydro_load_pct",
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    (outcome,) = ingest("electricity", settings, Silent(), [str(FILE)])
    assert (outcome.status, outcome.rows, outcome.published, outcome.quarantined) == ("published", 3456, 3456, {})
    return settings


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_csv(FILE, sep=";", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def table(settings: Settings) -> pd.DataFrame:
    with connect(settings) as con:
        relation = Lake(settings.lake).relation_sql("core.electricity_regional")
        return con.sql(f"SELECT * FROM {relation} ORDER BY starts_at").to_arrow_table().to_pandas()


@pytest.mark.parametrize(("published", "column"), COLUMNS.items())
def test_counts_and_sums_agree_with_pandas(raw: pd.DataFrame, table: pd.DataFrame, published: str, column: str) -> None:
    theirs = pd.to_numeric(raw[published].replace({"": None, "-": None, "ND": None}))
    assert table[column].notna().sum() == theirs.notna().sum()
    assert table[column].sum() == pytest.approx(theirs.sum(), rel=1e-12)


def test_instants_are_those_that_the_offset_states(raw: pd.DataFrame, table: pd.DataFrame) -> None:
    theirs = pd.to_datetime(raw["Date - Heure"], utc=True).sort_values()
    assert list(table.starts_at) == list(theirs)
    assert (theirs.iloc[0], theirs.iloc[-1]) == (
        pd.Timestamp("2020-04-30T22:00Z"),
        pd.Timestamp("2020-06-05T21:45Z"),
    )
    assert (table.day.astype(str) + " " + table.local_time).tolist() == (
        raw["Date"] + " " + raw["Heure"]
    ).sort_values().tolist()


def test_the_tail_that_was_not_measured_yet_is_null_and_not_lost(table: pd.DataFrame) -> None:
    assert table.consumption_mw.isna().sum() == 97
    blank = table[list(COLUMNS.values())].isna().all(axis=1)
    assert blank.sum() == 90
    assert set(table.nature) == {"real time"}


def test_the_net_flow_is_the_sum_of_what_is_left_out(raw: pd.DataFrame) -> None:
    flows = raw.filter(regex="^(Import|Export) ").replace({"": None, "-": None, "ND": None}).astype(float)
    net = pd.to_numeric(raw["Ech. physiques (MW)"].replace("", None))
    known = net.notna() & (raw["Import Italie"] != "ND")
    assert (flows.sum(axis=1)[known] - net[known]).abs().quantile(0.99) <= 2


def test_energy_of_a_day_agrees_with_pandas(settings: Settings, raw: pd.DataFrame) -> None:
    build(settings, names=["big.energy_mix_by_day"])
    with connect(settings) as con:
        ours = (
            con.sql(f"SELECT * FROM {Lake(settings.lake).relation_sql('big.energy_mix_by_day')} ORDER BY day")
            .to_arrow_table()
            .to_pandas()
        )
    measured = raw[raw["Consommation (MW)"] != ""]
    quarters = measured.groupby("Date").size()
    whole = quarters[quarters == 96].index
    assert len(ours) == 36 - (raw.groupby("Date")["Consommation (MW)"].max() == "").sum()
    ours = ours.set_index(ours.day.astype(str)).loc[whole]
    assert (ours.half_hours == 48).all()
    for published, column in (("Consommation (MW)", "consumption_mwh"), ("Solaire (MW)", "solar_mwh")):
        theirs = pd.to_numeric(measured[published]).groupby(measured["Date"]).sum()[whole] / 4
        pd.testing.assert_series_equal(ours[column], theirs, check_names=False, check_index_type=False, rtol=1e-12)
    assert ours.nuclear_mwh.isna().all()
