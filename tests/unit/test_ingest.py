"""One resource at a time through the whole open-data road, on small files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipelines.errors import LakeError, SettingsError
from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.lake.quarantine import FILES, reasons, rejected_rows
from pipelines.progress import Silent
from pipelines.settings import Settings

CARACT = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
VEHICLES = "Num_Acc;id_vehicule;num_veh;senc;catv;obs;obsm;choc;manv;motor;occutc"


PLACES = "Num_Acc;catr;voie;v1;v2;circ;nbv;vosp;prof;pr;pr1;plan;lartpc;larrout;surf;infra;situ;vma"


def place(number: int) -> str:
    return f"2019{number:08};4;RUE DE LA PAIX;0;;2;2;0;1;(1);(1);1;;-1;1;0;1;50"


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
    restated = bring("caract-2019.csv", CARACT, [caract(0, month="8"), *(caract(n) for n in range(1, 8)), caract(20)])
    assert restated.changes == {"added": 1, "changed": 1, "removed": 2, "same": 7}
    assert Lake(settings.lake).history("core.accidents", 1)[0].details["removed"] == 2
    assert _count(settings, "core.accidents") == 14
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
    assert _count(settings, FILES) == 1


def test_a_collapse_of_rows_is_refused(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    assert "4 rows after 10" in (bring("caract-2019.csv", CARACT, [caract(n) for n in range(4)]).message or "")
    assert _count(settings, "core.accidents") == 10


def test_rows_of_another_resource_wait_in_quarantine(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("sample.csv", CARACT, [caract(n) for n in range(3)])
    whole = bring("caract-2019.csv", CARACT, [caract(n) for n in range(400)])
    assert (whole.status, whole.published, whole.quarantined) == ("published", 397, {"already_published": 3})
    assert _count(settings, "core.accidents") == 400
    first = rejected_rows(settings, "already_published", 1)[0]
    assert (first["place"], first["value"]) == ("caract-2019.csv, line 2", "201900000000")
    assert first["detail"] == "the same is published from resource sample.csv"


def test_a_file_that_another_resource_published_is_refused(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    clash = bring("copy.csv", CARACT, [caract(9), caract(10)])
    assert (clash.status, clash.quarantined) == ("refused", {"already_published": 1})
    assert "the same is published from resource caract-2019.csv" in (clash.message or "")
    assert _count(settings, "core.accidents") == 10


def test_a_collapse_is_published_when_somebody_says_that_it_is_right(
    tmp_path: Path, settings: Settings, bring: Callable[..., Outcome]
) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(10)])
    refused = bring("caract-2019.csv", CARACT, [caract(n) for n in range(4)])
    assert "--accept-shrink" in (refused.message or "")
    files = [str(tmp_path / "caract-2019.csv")]
    (taken,) = ingest("accidents", settings, Silent(), files, accept_shrink=True)
    assert (taken.status, taken.published) == ("published", 4)
    assert taken.warnings == ("table: 4 rows after 10, accepted with --accept-shrink",)


def test_the_same_rows_under_another_name_are_refused_in_a_table_without_key(bring: Callable[..., Outcome]) -> None:
    bring("lieux-2019.csv", PLACES, [place(n) for n in range(10)])
    copy = bring("lieux.csv", PLACES, [place(n) for n in range(10)])
    assert (copy.status, copy.quarantined) == ("refused", {"already_published": 10})
    assert "the same is published from resource lieux-2019.csv" in (copy.message or "")


def test_a_resource_stays_with_its_table(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring("mine.csv", CARACT, [caract(n) for n in range(10)])
    other = bring("mine.csv", VEHICLES, [vehicle(n) for n in range(10)])
    assert (other.status, other.exit_code) == ("failed", 5)
    assert "until now this resource gave rows to core.accidents" in (other.message or "")
    assert not Lake(settings.lake).exists("core.accident_vehicles")


def test_a_name_that_says_another_table_is_refused(bring: Callable[..., Outcome]) -> None:
    swapped = bring("lieux-2019.csv", CARACT, [caract(1)])
    assert (swapped.status, swapped.exit_code) == ("failed", 5)
    assert "columns are those of accidents; the name says accident_places" in (swapped.message or "")


def test_an_unknown_vintage_says_what_to_change_and_the_others_are_published(
    tmp_path: Path, settings: Settings
) -> None:
    for year in (2019, 2025):
        rows = caract(1).replace("2019", str(year))
        (tmp_path / f"caract-{year}.csv").write_text(f"{CARACT}\n{rows}\n", encoding="utf-8")
    files = [str(tmp_path / f"caract-{year}.csv") for year in (2025, 2019)]
    new, known = ingest("accidents", settings, Silent(), files)
    assert (new.status, new.exit_code, known.status) == ("failed", 5, "published")
    assert "vintage 2025 is unknown" in (new.message or "")
    assert "set `last: 2025` in schemas/accidents.yaml" in (new.message or "")


def test_two_files_of_one_name_are_refused_before_anything_is_done(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(SettingsError, match=r"2 of the given resources are called a_b\.csv"):
        ingest("accidents", settings, Silent(), [str(tmp_path / "x" / "a b.csv"), str(tmp_path / "y" / "a_b.csv")])


def test_every_row_is_published_or_in_quarantine(settings: Settings, bring: Callable[..., Outcome]) -> None:
    odd = [caract(2000, month="13"), caract(7), "201900000300;1;2", caract(2001) + ";x", "", caract(2002)]
    outcome = bring("caract-2019.csv", CARACT, [caract(n) for n in range(1000)] + odd)
    assert outcome.status == "published"
    assert outcome.quarantined == {"does_not_cast": 1, "duplicate_key": 1, "row_too_short": 1, "row_too_long": 1}
    assert outcome.rows == 1005 == (outcome.published or 0) + _count(settings, FILES)
    assert _count(settings, "core.accidents") == outcome.published


class Stopped(BaseException):
    """As a signal would stop the process."""


@pytest.mark.parametrize("stage", ["append", "publish", "forget_older_rejects", "remember", "after publish"])
def test_a_run_that_was_stopped_is_done_again(
    settings: Settings, bring: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from pipelines import publish as module

    old = [caract(n) for n in range(199)] + [caract(500, month="13")]
    new = [caract(n) for n in range(300)] + [caract(600, month="14")]
    bring("caract-2019.csv", CARACT, old)

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    publish = Lake.publish

    def publish_then_stop(*arguments: Any, **named: Any) -> None:
        publish(*arguments, **named)
        raise Stopped

    with monkeypatch.context() as broken:
        if stage in ("append", "publish"):
            broken.setattr(Lake, stage, stop)
        elif stage == "after publish":
            broken.setattr(Lake, "publish", publish_then_stop)
        else:
            broken.setattr(module, stage, stop)
        with pytest.raises(Stopped):
            bring("caract-2019.csv", CARACT, new)
    # Whatever is published now, its rejected row is in quarantine.
    published = _count(settings, "core.accidents")
    assert published in (199, 300)
    waiting = {row["value"] for row in rejected_rows(settings, None, 10)}
    assert ("2019 / 13 / 20" if published == 199 else "2019 / 14 / 20") in waiting
    again = bring("caract-2019.csv", CARACT, new)
    assert again.status == ("unchanged" if published == 300 else "published")
    assert _count(settings, "core.accidents") == 300
    assert [row["value"] for row in rejected_rows(settings, None, 10)] == ["2019 / 14 / 20"]
    version = Lake(settings.lake).version(FILES)
    assert bring("caract-2019.csv", CARACT, new).status == "unchanged"
    assert Lake(settings.lake).version(FILES) == version


def test_a_failed_commit_keeps_the_rejects_of_what_is_published(
    settings: Settings, bring: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring("caract-2019.csv", CARACT, [caract(n) for n in range(199)] + [caract(500, month="13")])

    def fail(*_: object, **__: object) -> None:
        raise LakeError("could not commit")

    with monkeypatch.context() as broken:
        broken.setattr(Lake, "publish", fail)
        assert bring("caract-2019.csv", CARACT, [caract(n) for n in range(300)]).status == "failed"
    assert [row["value"] for row in rejected_rows(settings, None, 10)] == ["2019 / 13 / 20"]


def test_a_second_ingest_says_that_it_waits(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "caract-2019.csv").write_text(f"{CARACT}\n{caract(1)}\n", encoding="utf-8")
    settings.root.mkdir(parents=True)
    other = FileLock(settings.root / "ingest-accidents.lock")
    other.acquire()

    class Told(Silent):
        def note(self, text: str) -> None:
            notes.append(text)
            other.release()

    notes: list[str] = []
    (outcome,) = ingest("accidents", settings, Told(), [str(tmp_path / "caract-2019.csv")])
    assert outcome.status == "published"
    assert "another process ingests accidents" in notes[0]


def test_a_key_with_a_null_is_no_orphan(bring: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    """A vehicle without an id points at nothing; here, vehicles point at themselves by their id."""
    from pipelines import ingest as module
    from pipelines.contracts import Contract

    content = module.load_contract("accidents").model_dump(by_alias=True)
    content["tables"][2]["foreign_keys"] = [{"fields": ["accident_id", "vehicle_id"], "table": "accident_vehicles"}]
    bring("vehicules-2019.csv", VEHICLES, [vehicle(n) for n in range(10)])
    monkeypatch.setattr(module, "load_contract", lambda *_: Contract.model_validate(content))
    outcome = bring("more.csv", VEHICLES, [f"2019{n:08};;A01;1;7;0;2;1;1;1;" for n in range(10, 20)])
    assert outcome.status == "published", outcome.message


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
    changed = module.load_contract("accidents").model_dump(by_alias=True) | {"null_tokens": ["", "?"]}
    monkeypatch.setattr(module, "load_contract", lambda *_: Contract.model_validate(changed))
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
