"""The real BAAC files, against an independent reading in plain pandas."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from pipelines.contracts import load_contract
from pipelines.ingest import ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

FILES = Path(__file__).parents[2] / "../shared/data/datagouv/accidents"
MESSY = FILES.parent / "messy"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the real files are not on this machine")

SAMPLE = ["ech_usagers.csv", "ech_lieux.csv", "ech_vehicules.csv", "ech_caracteristiques.csv"]
FULL = ["lieux-2018.csv", "vehicules-2018.csv"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    outcomes = ingest("accidents", settings, Silent(), [str(FILES / name) for name in SAMPLE + FULL])
    assert {outcome.name: outcome.status for outcome in outcomes} == dict.fromkeys(SAMPLE + FULL, "published")
    assert all(outcome.rows == (outcome.published or 0) + sum(outcome.quarantined.values()) for outcome in outcomes)
    return settings


@pytest.fixture(scope="module")
def core(settings: Settings) -> dict[str, pd.DataFrame]:
    lake = Lake(settings.lake)
    with connect(settings) as con:
        names = ("accidents", "accident_places", "accident_vehicles", "accident_users")
        return {name: con.sql(f"SELECT * FROM {lake.relation_sql(f'core.{name}')}").df() for name in names}


def _raw(name: str) -> pd.DataFrame:
    return pd.read_csv(FILES / name, dtype=str, keep_default_na=False)


def _numbers(column: pd.Series) -> pd.Series:
    """Numbers of a column of text, blanks, -1 and (1) being nothing."""
    text = column.str.strip().str.replace(",", ".").replace({"": None, "-1": None, "-1.0": None, "(1)": None})
    return pd.to_numeric(text)


def test_row_counts(core: dict[str, pd.DataFrame]) -> None:
    rows = {name: table.source_resource.value_counts().to_dict() for name, table in core.items()}
    assert rows == {
        "accidents": {"ech_caracteristiques.csv": 100},
        "accident_places": {"lieux-2018.csv": 57_783, "ech_lieux.csv": 100},
        "accident_vehicles": {"vehicules-2018.csv": 98_876, "ech_vehicules.csv": 167},
        "accident_users": {"ech_usagers.csv": 220},
    }


@pytest.mark.parametrize(
    ("file", "table", "published", "column"),
    [
        ("lieux-2018.csv", "accident_places", "nbv", "lanes"),
        ("lieux-2018.csv", "accident_places", "pr", "marker"),
        ("lieux-2018.csv", "accident_places", "pr1", "marker_distance_m"),
        ("lieux-2018.csv", "accident_places", "larrout", "carriageway_width"),
        ("lieux-2018.csv", "accident_places", "lartpc", "central_reservation_width"),
        ("lieux-2018.csv", "accident_places", "v1", "road_index"),
        ("vehicules-2018.csv", "accident_vehicles", "occutc", "public_transport_occupants"),
        ("ech_lieux.csv", "accident_places", "larrout", "carriageway_width"),
        ("ech_lieux.csv", "accident_places", "vma", "speed_limit_kmh"),
        ("ech_lieux.csv", "accident_places", "pr1", "marker_distance_m"),
        ("ech_caracteristiques.csv", "accidents", "lat", "latitude"),
        ("ech_caracteristiques.csv", "accidents", "long", "longitude"),
        ("ech_usagers.csv", "accident_users", "an_nais", "birth_year"),
    ],
)
def test_sums_agree_with_pandas(
    core: dict[str, pd.DataFrame], file: str, table: str, published: str, column: str
) -> None:
    rows = core[table]
    ours = rows.loc[rows.source_resource == file, column]
    theirs = _numbers(_raw(file)[published])
    assert ours.notna().sum() == theirs.notna().sum()
    assert ours.sum() == pytest.approx(theirs.sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("file", "table", "published", "column", "unknown"),
    [
        ("lieux-2018.csv", "accident_places", "catr", "road_category", {"", "0"}),
        ("lieux-2018.csv", "accident_places", "surf", "surface", {"", "0"}),
        ("lieux-2018.csv", "accident_places", "vosp", "reserved_lane", {""}),
        ("vehicules-2018.csv", "accident_vehicles", "catv", "vehicle_category", {""}),
        ("vehicules-2018.csv", "accident_vehicles", "manv", "manoeuvre", {""}),
        ("ech_caracteristiques.csv", "accidents", "col", "collision", {"", "-1"}),
        ("ech_usagers.csv", "accident_users", "grav", "severity", {"", "-1"}),
        ("ech_usagers.csv", "accident_users", "place", "seat", {"", "-1"}),
    ],
)
def test_code_counts_agree_with_pandas(
    core: dict[str, pd.DataFrame], file: str, table: str, published: str, column: str, unknown: set[str]
) -> None:
    rows = core[table]
    ours = rows.loc[rows.source_resource == file]
    theirs = _raw(file)[published].str.strip()
    theirs = theirs[~theirs.isin(unknown)].map(lambda code: str(int(code)))
    assert ours[f"{column}_code"].value_counts().to_dict() == theirs.value_counts().to_dict()
    assert ours.loc[ours[f"{column}_code"].notna(), column].notna().all()


def test_codes_of_real_files_have_labels_in_both_languages(core: dict[str, pd.DataFrame]) -> None:
    contract = load_contract("accidents")
    judged = 0
    for table in contract.tables:
        rows = core[table.name]
        for field in (each for each in table.fields if each.codes):
            known = rows[rows[f"{field.name}_code"].notna()]
            assert known[field.name].str.len().gt(0).all(), field.name
            assert known[f"{field.name}_fr"].str.len().gt(0).all(), field.name
            judged += len(known)
    assert judged > 1_000_000
    places = core["accident_places"]
    assert dict(zip(places.surface, places.surface_fr, strict=True))["icy"] == "verglacée"


def test_every_code_that_others_have_met_is_known() -> None:
    """A description of all vintages names its one-hot columns VARIABLE_CODE: each code met in real files."""
    described = json.loads((FILES / "desc_vars.json").read_text(encoding="utf-8"))
    met = [found.groups() for name in described if (found := re.fullmatch(r"([a-z]+)_(-?[0-9AB]+)", name))]
    contract = load_contract("accidents")
    lists = {
        source: field.codes
        for table in contract.tables
        for field in table.fields
        if field.codes
        for source in field.source
    }
    known = {source: {*contract.code_lists[codes], "-1"} for source, codes in lists.items() if codes}
    judged = [(source, code) for source, code in met if source in known]
    assert len(judged) > 200
    assert [pair for pair in judged if pair[1] not in known[pair[0]]] == []


def test_each_person_says_what_hospitalised_means_in_that_year(core: dict[str, pd.DataFrame]) -> None:
    users = core["accident_users"]
    assert set(users.vintage) == {2019, 2020, 2021, 2022}
    assert set(users.hospitalised_definition) == {"from 2019"}


def test_keys(core: dict[str, pd.DataFrame]) -> None:
    vehicles = core["accident_vehicles"]
    assert not vehicles.duplicated(["accident_id", "vehicle_number"]).any()
    sample = {name: table[table.source_resource.str.startswith("ech_")] for name, table in core.items()}
    for name, table in sample.items():
        assert set(table.accident_id) == set(sample["accidents"].accident_id), name
    by_number = sample["accident_users"].merge(sample["accident_vehicles"], on=["accident_id", "vehicle_number"])
    by_id = sample["accident_users"].merge(sample["accident_vehicles"], on=["accident_id", "vehicle_id"])
    assert len(by_number) == len(by_id) == 220
    assert set(vehicles.accident_id[vehicles.vintage == 2018]) == set(
        core["accident_places"].accident_id[core["accident_places"].vintage == 2018]
    )


def test_cells_of_the_sample(core: dict[str, pd.DataFrame]) -> None:
    row = core["accidents"].set_index("accident_id").loc["201900020717"]
    assert (row.department, row.commune, row.occurred_at_local) == ("988", "98818", "08:50")
    assert (row.latitude, row.longitude) == (-22.26368, 166.44975)
    assert str(row.occurred_on.date()) == "2019-01-30"
    assert core["accidents"].department.str.fullmatch(r"\d\d|2A|2B|9[78]\d").all()
    first = core["accident_vehicles"].set_index(["accident_id", "vehicle_number"]).loc[("201900000787", "B01")]
    assert first.vehicle_id == "138305095"


def test_a_published_row_leads_back_to_its_line(core: dict[str, pd.DataFrame], settings: Settings) -> None:
    row = core["accident_places"].query("source_resource == 'lieux-2018.csv' and accident_id == '201800014407'").iloc[0]
    raw = settings.raw / row.source_sha256[:2] / row.source_sha256
    line = raw.read_text(encoding="utf-8").splitlines()[row.source_line - 1]
    assert line.startswith('201800014407,4,"""",')
    assert row.road == '"'


def test_excel_mangled_keys_are_refused(settings: Settings) -> None:
    (outcome,) = ingest("accidents", settings, Silent(), [str(MESSY / "caracteristiques-2024_excel_mangled.csv")])
    assert (outcome.status, outcome.rows, outcome.quarantined) == ("refused", 20_007, {"wrong_pattern": 20_007})
    assert "2.02E+11" in (outcome.message or "")
