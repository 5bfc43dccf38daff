"""The published example files of charge points, cell by cell against plain pandas."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

FILES = Path(__file__).parents[2] / "../shared/data/datagouv/charging"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    files = [str(FILES / f"exemple-valide-{name}.csv") for name in ("statique", "dynamique")]
    outcomes = ingest("charge_points", settings, Silent(), files)
    assert [(each.table, each.status, each.published, each.quarantined) for each in outcomes] == [
        ("core.charge_points", "published", 2, {}),
        ("core.charge_point_states", "published", 2, {}),
    ]
    return settings


def _core(settings: Settings, table: str) -> pd.DataFrame:
    with connect(settings) as con:
        rows = Lake(settings.lake).relation_sql(f"core.{table}")
        return con.sql(f"SELECT * FROM {rows} ORDER BY source_line").to_arrow_table().to_pandas()


def test_points(settings: Settings) -> None:
    ours = _core(settings, "charge_points")
    raw = pd.read_csv(FILES / "exemple-valide-statique.csv", dtype=str, keep_default_na=False)
    for ours_name, theirs in (
        *[
            ("charge_point_id", "id_pdc_itinerance"),
            ("station_name", "nom_station"),
            ("site_code", "implantation_station"),
        ],
        *[("access_fr", "condition_acces"), ("opening_hours", "horaires"), ("commune", "code_insee_commune")],
        *[("tariff", "tarification"), ("delivery_point", "num_pdl"), ("brand", "nom_enseigne")],
    ):
        assert ours[ours_name].tolist() == raw[theirs].tolist()
    pairs = [json.loads(text) for text in raw.coordonneesXY]
    assert ours[["longitude", "latitude"]].to_numpy().tolist() == pairs
    assert ours.socket_type_2.tolist() == (raw.prise_type_2 == "true").tolist()
    assert ours.socket_chademo.tolist() == (raw.prise_type_chademo == "true").tolist()
    assert ours.updated_on.astype(str).tolist() == raw.date_maj.tolist()
    assert ours.power_kw.sum() == pd.to_numeric(raw.puissance_nominale).sum()


def test_states(settings: Settings) -> None:
    ours = _core(settings, "charge_point_states")
    raw = pd.read_csv(FILES / "exemple-valide-dynamique.csv", dtype=str, keep_default_na=False)
    assert ours.occupation_code.tolist() == raw.occupation_pdc.tolist()
    assert ours.observed_at.tolist() == pd.to_datetime(raw.horodatage, utc=True).tolist()
    assert ours.ccs_condition.isna().tolist() == (raw.etat_prise_type_combo_ccs == "").tolist()
