"""éCO2mix: what the clock does twice a year, what is restated, and notations of "none"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

PARIS = ZoneInfo("Europe/Paris")
FIELDS = "code_insee_region;libelle_region;nature;date;heure;date_heure;consommation;eolien;pompage;column_30"
LABELS = "Code INSEE région;Région;Nature;Date;Heure;Date - Heure;Consommation (MW);Eolien (MW);Pompage (MW);Column 64"
Row = tuple[str, datetime, str, object]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def bring(tmp_path: Path, settings: Settings) -> Callable[..., Outcome]:
    """Ingest rows of nature, instant, shown hour and consumption as a file of that name."""

    def bring(name: str, rows: Sequence[Row], header: str = FIELDS) -> Outcome:
        file = tmp_path / name
        lines = [
            f"93;Provence-Alpes-Côte d'Azur;{nature};{instant.astimezone(PARIS):%Y-%m-%d};{shown};{instant.isoformat()};"
            f"{consumed};-;ND;"
            for nature, instant, shown, consumed in rows
        ]
        file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        (outcome,) = ingest("electricity", settings, Silent(), [str(file)])
        return outcome

    return bring


def _table(settings: Settings) -> pd.DataFrame:
    with connect(settings) as con:
        relation = Lake(settings.lake).relation_sql("core.electricity_regional")
        return con.sql(f"SELECT * FROM {relation} ORDER BY starts_at").to_arrow_table().to_pandas()


def _quarters(day: date, minutes: int = 15) -> list[Row]:
    """Every step that a Paris clock shows on ``day``, once for each time that it does."""
    start = datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)
    midnight = day + timedelta(days=1)
    end = datetime(midnight.year, midnight.month, midnight.day, tzinfo=PARIS).astimezone(UTC)
    instants = [
        start + timedelta(minutes=minutes * n) for n in range(int((end - start).total_seconds() // 60 // minutes))
    ]
    local = [instant.astimezone(PARIS) for instant in instants]
    return [("Données définitives", instant, f"{instant:%H:%M}", 100 + n) for n, instant in enumerate(local)]


@pytest.mark.parametrize(
    ("day", "quarters", "first"),
    [
        (date(2024, 3, 31), 92, datetime(2024, 3, 30, 23, tzinfo=UTC)),
        (date(2024, 10, 27), 100, datetime(2024, 10, 26, 22, tzinfo=UTC)),
        (date(2024, 6, 1), 96, datetime(2024, 5, 31, 22, tzinfo=UTC)),
    ],
)
def test_the_days_on_which_the_clock_changes_are_whole(
    bring: Callable[..., Outcome], settings: Settings, day: date, quarters: int, first: datetime
) -> None:
    outcome = bring("eco2mix-regional-cons-def.csv", _quarters(day))
    assert (outcome.status, outcome.rows, outcome.quarantined) == ("published", quarters, {})
    table = _table(settings)
    assert list(table.starts_at) == [first + timedelta(minutes=15 * n) for n in range(quarters)]
    assert list(table.consumption_mw) == [100 + n for n in range(quarters)]
    assert set(table.day) == {day}


def test_an_hour_that_no_clock_showed_is_set_aside_and_is_nobody_s_fault(
    bring: Callable[..., Outcome], settings: Settings
) -> None:
    rows = _quarters(date(2024, 3, 31))
    ghosts = [
        (nature, instant, shown.replace("03:", "02:"), consumed)
        for nature, instant, shown, consumed in rows
        if shown.startswith("03:")
    ]
    outcome = bring("eco2mix-regional-cons-def.csv", ghosts + rows)
    assert (outcome.status, outcome.rows, outcome.quarantined) == ("published", 96, {"superseded": 4})
    table = _table(settings)
    assert len(table) == 92
    assert not table.local_time.str.startswith("02:").any()


NOON = datetime(2024, 6, 1, 12, tzinfo=PARIS)
NATURES = ("Données temps réel", "Données consolidées", "Données définitives")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_the_most_final_value_stays_in_whatever_order_it_came(
    bring: Callable[..., Outcome], settings: Settings, order: tuple[int, ...]
) -> None:
    for rank in order:
        assert (
            bring(f"eco2mix-regional-{rank}.csv", [(NATURES[rank], NOON, "12:00", 1000 + rank)]).status == "published"
        )
    (row,) = _table(settings).to_dict("records")
    assert (row["consumption_mw"], row["nature_code"], row["nature"], row["nature_fr"]) == (
        1002,
        "3",
        "definitive",
        "définitives",
    )


def test_real_time_that_rolls_on_does_not_make_us_forget(bring: Callable[..., Outcome], settings: Settings) -> None:
    later = NOON + timedelta(days=90)
    bring("eco2mix-regional-tr.csv", [(NATURES[0], NOON, "12:00", 1), (NATURES[0], later, "12:00", "")])
    bring(
        "eco2mix-regional-tr.csv",
        [(NATURES[0], later, "12:00", 2), (NATURES[0], later + timedelta(hours=1), "13:00", "")],
    )
    assert list(_table(settings).consumption_mw.fillna(-1)) == [1, 2, -1]


@pytest.mark.parametrize("header", [FIELDS, LABELS])
def test_signs_for_none_are_null_and_a_column_without_content_is_not_read(
    bring: Callable[..., Outcome], settings: Settings, header: str
) -> None:
    bring("eco2mix-regional-tr.csv", [(NATURES[0], NOON, "12:00", "4 210.0")], header)
    (row,) = _table(settings).to_dict("records")
    assert row["consumption_mw"] == 4210
    assert pd.isna(row["wind_mw"])
    assert pd.isna(row["pumping_mw"])
    assert row["starts_at"] == NOON


@pytest.mark.parametrize("unknown", ["Données corrigées", ""])
def test_a_nature_that_nobody_ranked_is_refused(bring: Callable[..., Outcome], unknown: str) -> None:
    outcome = bring("eco2mix-regional-tr.csv", [(unknown, NOON, "12:00", 1)])
    assert outcome.status == "refused"
    assert outcome.quarantined in ({"unknown_code": 1}, {"missing": 1})
