"""One resource at a time through the whole open-data road, on small files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.ingest import QUARANTINE_TABLE, Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.lake.quarantine import reasons, rejected_rows
from pipelines.progress import Silent
from pipelines.settings import Settings

CARACT = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
VEHICLES = "Num_Acc;id_vehicule;num_veh;senc;catv;obs;obsm;choc;manv;motor;occutc"


def caract(number: int, month: str = "9") -> str:
    return f'2019{number:08};20;{month};2019;12:25;1;13;13063;2;2;1;3;RUE;"43,59";"5,00"'


def vehicle(number: int, name: str = "A01") -> str:
    return f"2019{number:08};138\u00a0305\u00a0{number:03};{name};1;7;0;2;1;1;1;"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def bring(tmp_path: Path, settings: Settings) -> Callable[..., Outcome]:
    """Ingest rows as a file of that name."""

    def bring(name: str, header: str, rows: list[str]) -> Outcome:
        file = tmp_path / name
        file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        (outcome,) = ingest("accidents", settings, Silent(), [str(file)])
        return outcome

    return bring


def _count(settings: Settings, table: str) -> int:
    with connect(settings) as con:
        (rows,) = con.execute(f"SELECT count(*) FROM {Lake(settings.lake).relation_sql(table)}").fetchone() or (0,)
    return int(rows)


def test_published_with_provenance_then_unchanged(settings: Settings, bring: Callable[..., Outcome]) -> None:
    first = bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    assert (first.status, first.rows, first.published, first.vintage) == ("published", 10, 10, 2019)
    version = Lake(settings.lake).version("core.accidents")
    again = bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    assert (again.status, again.published, again.exit_code) == ("unchanged", 10, 0)
    assert Lake(settings.lake).version("core.accidents") == version
    newest = Lake(settings.lake).history("core.accidents")[0]
    assert newest.resource == "caract-2019.csv"
    assert newest.rows_added == 10
    assert newest.details["encoding"] == "utf-8"
    assert newest.details["separator"] == ";"
    assert len(newest.details["sha256"]) == 64
    assert "expectations" in newest.details["verdict"]


def test_a_new_copy_replaces_its_own_rows_only(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    bring("more.csv", CARACT, [caract(n) for n in range(10, 15)])
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(8)])
    assert _count(settings, "core.accidents") == 13
    with connect(settings) as con:
        before = Lake(settings.lake).relation_sql("core.accidents", version=2)
        assert con.execute(f"SELECT count(*) FROM {before}").fetchone() == (15,)


def test_tolerated_rejects_wait_in_quarantine(settings: Settings, bring: Callable[..., Outcome]) -> None:
    rows = [caract(n) for n in range(200)] + [caract(200, month="13")]
    outcome = bring("caract-2019.csv", CARACT, rows)
    assert (outcome.status, outcome.rows, outcome.published) == ("published", 201, 200)
    assert outcome.quarantined == {"does_not_cast": 1}
    assert any("line 202, column an, mois, jour" in warning for warning in outcome.warnings)
    (row,) = rejected_rows(settings, None, 10)
    assert (row["place"], row["value"]) == ("caract-2019.csv, line 202", "2019 / 13 / 20")
    assert '"mois":"13"' in row["row"]
    # mended by the publisher: the quarantine of the old copy goes with it
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(201)])
    assert reasons(settings) == []


def test_too_many_rejects_publish_nothing_and_keep_the_last_good_version(
    settings: Settings, bring: Callable[..., Outcome]
) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    bad = bring("caract-2019.csv", CARACT, [caract(n) for n in range(9)] + [caract(9, month="13")])
    assert (bad.status, bad.exit_code, bad.published) == ("refused", 5, 10)
    assert "line 11, column an, mois, jour, value '2019 / 13 / 20'" in (bad.message or "")
    assert _count(settings, "core.accidents") == 10
    assert [(each.reason, each.rows) for each in reasons(settings)] == [("does_not_cast", 1)]
    # refused again when asked again: quarantined once, tried again
    assert bring("caract-2019.csv", CARACT, [caract(n) for n in range(9)] + [caract(9, month="13")]).status == "refused"
    assert _count(settings, QUARANTINE_TABLE) == 1


def test_a_collapse_of_rows_is_refused(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    assert "4 rows after 10" in (bring("caract-2019.csv", CARACT, [caract(n) for n in range(4)]).message or "")
    assert _count(settings, "core.accidents") == 10


def test_a_key_of_another_resource_is_refused(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    clash = bring("copy.csv", CARACT, [caract(9), caract(10)])
    assert "1 rows are already published from another resource, for example caract-2019.csv" in (clash.message or "")
    assert _count(settings, "core.accidents") == 10


def test_orphans_are_judged_where_the_parents_are_there(bring: Callable[..., Outcome]) -> None:
    early = bring("vehicules-2019.csv", VEHICLES, [vehicle(0)])
    assert any("not judged" in warning for warning in early.warnings)
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    good = bring("vehicules-2019.csv", VEHICLES, [vehicle(n) for n in range(10)])
    assert (good.status, good.warnings) == ("published", ())
    orphaned = bring("vehicules-2019.csv", VEHICLES, [vehicle(n) for n in range(12)])
    assert orphaned.status == "refused"
    assert "2 of 12 rows have no row in core.accidents" in (orphaned.message or "")


def test_another_contract_casts_the_same_bytes_again(
    bring: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import ingest as module
    from pipelines.contracts import Contract

    rows = [caract(n) for n in range(10)]
    bring("caract-2019.csv", CARACT, rows)
    changed = module.load_contract("accidents").model_dump(by_alias=True) | {"publisher": "somebody else"}
    monkeypatch.setattr(module, "load_contract", lambda _: Contract.model_validate(changed))
    assert bring("caract-2019.csv", CARACT, rows).status == "published"


def test_one_bad_resource_does_not_stop_the_others(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "caract-2019.csv").write_text("<html>busy</html>", encoding="utf-8")
    (tmp_path / "good.csv").write_text(f"{CARACT}\n{caract(1)}\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("caract-2019.csv", "good.csv", "absent.csv")]
    outcomes = ingest("accidents", settings, Silent(), files)
    assert [(outcome.name, outcome.status, outcome.exit_code) for outcome in outcomes] == [
        ("caract-2019.csv", "failed", 4),
        ("good.csv", "published", 0),
        ("absent.csv", "failed", 4),
    ]
    assert "web page" in (outcomes[0].message or "")


def test_nothing_is_left_in_staging(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    bring("caract-2019.csv", CARACT, [caract(9, month="13")])
    assert [path for path in settings.staging.rglob("*") if path.is_file()] == []
