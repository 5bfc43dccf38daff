"""The real export of Alim'confiance of August 2019, against an independent reading in plain pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings
from pipelines.tables import build, run_query

FILE = Path(__file__).parents[2] / "../shared/data/datagouv/restaurants/export_alimconfiance_2019-08_restaurants.csv"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the real file is not on this machine")


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_csv(FILE, sep=";", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    (outcome,) = ingest("restaurants", settings, Silent(), [str(FILE)])
    assert (outcome.status, outcome.rows, outcome.published, outcome.quarantined) == ("published", 15_463, 15_463, {})
    return settings


@pytest.fixture(scope="module")
def core(settings: Settings) -> pd.DataFrame:
    with connect(settings) as con:
        rows = Lake(settings.lake).relation_sql("core.restaurant_inspections")
        return con.sql(f"SELECT * FROM {rows} ORDER BY source_line").to_arrow_table().to_pandas()


def test_results_are_those_published(core: pd.DataFrame, raw: pd.DataFrame) -> None:
    assert core.level.value_counts().to_dict() == {
        "satisfactory": 8_984,
        "very satisfactory": 5_298,
        "to be improved": 1_099,
        "to be corrected urgently": 82,
    }
    french = core.level_fr.str.replace("À", "A")
    assert (french.to_numpy() == raw.Synthese_eval_sanit.to_numpy()).all()


def test_every_row_is_an_inspection_of_its_own(core: pd.DataFrame, raw: pd.DataFrame) -> None:
    assert raw.Numero_inspection.duplicated().sum() == 24, "which is why the number alone is no key"
    assert (raw.Numero_inspection.str.len() <= 4).sum() == 42
    assert not core.duplicated(["establishment_id", "inspected_on", "inspection"]).any()
    assert (core.source_line.to_numpy() == range(2, 15_465)).all()


def test_cells_agree_with_pandas(core: pd.DataFrame, raw: pd.DataFrame) -> None:
    assert (core.establishment_id.to_numpy() == raw.SIRET.to_numpy()).all()
    assert (core.inspected_on.astype(str).to_numpy() == raw.Date_inspection.str[:10].to_numpy()).all()
    assert (core.vintage.astype(str).to_numpy() == raw.Date_inspection.str[:4].to_numpy()).all()
    postcodes = raw.Code_postal.where(raw.Code_postal != "000NR")
    assert core.postcode.fillna("").tolist() == postcodes.fillna("").tolist()
    assert core.postcode.isna().sum() == 17


def test_coordinates_agree_with_pandas(core: pd.DataFrame, raw: pd.DataFrame) -> None:
    pairs = raw.geores.str.split(",", expand=True).apply(lambda column: pd.to_numeric(column.str.strip()))
    assert core.latitude.isna().sum() == core.longitude.isna().sum() == 420
    assert core.latitude.sum() == pytest.approx(pairs[0].sum(), rel=1e-12)
    assert core.longitude.sum() == pytest.approx(pairs[1].sum(), rel=1e-12)


def test_sirets_are_judged_and_kept(core: pd.DataFrame, raw: pd.DataFrame) -> None:
    digits = raw.SIRET.str.fullmatch(r"\d{14}")
    assert (~digits).sum() == 22
    assert (~core.siret_valid).sum() == 24, "two of fourteen digits do not pass Luhn's check"
    assert not core.siret_valid[~digits.to_numpy()].any()
    assert core.siret_valid[digits.to_numpy()].to_list() == [_luhn(text) for text in raw.SIRET[digits]]


def test_communes_add_up(settings: Settings, raw: pd.DataFrame) -> None:
    build(settings, names=["big.restaurant_hygiene_by_commune"])
    query = "SELECT sum(inspections) n, sum(to_be_corrected_urgently) urgent FROM big.restaurant_hygiene_by_commune"
    with run_query(settings, query, personal=False) as rows:
        assert [row for batch in rows for row in batch.to_pylist()] == [{"n": 15_463, "urgent": 82}]
    query = """
        SELECT inspections FROM big.restaurant_hygiene_by_commune
        WHERE commune = 'AIX EN PROVENCE' AND postcode = '13100' AND vintage = 2019"""
    names = raw.Libelle_commune[(raw.Code_postal == "13100") & raw.Date_inspection.str.startswith("2019")]
    of_aix = names.str.lower().str.replace("-", " ") == "aix en provence"
    assert len(set(names[of_aix])) > 1, "the name is written in several ways"
    with run_query(settings, query, personal=False) as rows:
        assert [row for batch in rows for row in batch.to_pylist()] == [{"inspections": int(of_aix.sum())}]


def _luhn(text: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(text)]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
