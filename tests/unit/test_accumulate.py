"""A table that forgets nothing, against a dictionary in plain Python that follows the rule by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import accumulate
from pipelines import ingest as ingest_module
from pipelines.accumulate import merge
from pipelines.contracts import Contract
from pipelines.errors import LakeError
from pipelines.ingest import Outcome, ingest
from pipelines.lake import DataFile, Lake, connect
from pipelines.lake.brought import brought
from pipelines.lake.quarantine import rejected_rows
from pipelines.progress import Silent
from pipelines.settings import Settings

REQUIRED = {"required": True}


def contract(**changes: Any) -> Contract:
    table = {
        "name": "inspections",
        "title": "t",
        "resources": r"inspections",
        "keep": "accumulate",
        "primary_key": ["place", "day"],
        "layouts": [{"name": "only", "header": ["id", "jour", "note", "edition"]}],
        "fields": [
            {"name": "place", "type": "string", "from": "id", "constraints": REQUIRED},
            {"name": "day", "type": "date", "from": "jour", "constraints": REQUIRED},
            {"name": "mark", "type": "number", "from": "note"},
            {"name": "edition", "type": "integer", "from": "edition"},
        ],
    }
    fixed = {"name": "checks", "title": "t", "datagouv": "d", "homepage": "h", "publisher": "p", "licence": "lov2"}
    return Contract.model_validate(
        {
            **fixed,
            "frequency": "daily",
            "schedule": "",
            "tables": [{**table, **changes}],
        }  # as a YAML file would give it
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def use(**changes: Any) -> None:
        monkeypatch.setattr(ingest_module, "load_contract", lambda *_: contract(**changes))

    use()
    return use


@pytest.fixture
def bring(tmp_path: Path, settings: Settings, use: Callable[..., None]) -> Callable[..., Outcome]:
    def bring(rows: str, name: str = "inspections.csv", *, accept_shrink: bool = False) -> Outcome:
        file = tmp_path / name
        file.write_text("id;jour;note;edition\n" + "".join(f"{row}\n" for row in rows.split()), encoding="utf-8")
        (outcome,) = ingest("checks", settings, Silent(), [str(file)], accept_shrink=accept_shrink)
        return outcome

    return bring


def rows(settings: Settings, columns: str = "place, mark", version: int | None = None) -> list[tuple[Any, ...]]:
    with connect(settings) as con:
        relation = Lake(settings.lake).relation_sql("core.inspections", version=version)
        return con.execute(f"SELECT {columns} FROM {relation} ORDER BY place, day").fetchall()


FIRST = "a;2026-01-01;1; b;2026-01-01;2; c;2026-01-01;3;"
SECOND = "b;2026-01-01;2; c;2026-01-01;30; d;2026-02-01;4;"


def test_what_the_source_forgets_stays_and_what_it_restates_is_replaced(
    settings: Settings, bring: Callable[..., Outcome]
) -> None:
    first = bring(FIRST)
    assert (first.status, first.changes) == ("published", {"added": 3})
    second = bring(SECOND)
    assert (second.status, second.published, second.changes) == ("published", 3, {"added": 1, "changed": 1, "same": 1})
    assert rows(settings) == [("a", 1), ("b", 2), ("c", 30), ("d", 4)]
    assert rows(settings, version=1) == [("a", 1), ("b", 2), ("c", 3)]
    one, two = (each.fetched_at for each in reversed(list(brought(Lake(settings.lake).path("core.inspections")))))
    with connect(settings) as con:
        seen = con.sql(
            f"SELECT place, first_seen, last_seen, source_line FROM {Lake(settings.lake).relation_sql('core.inspections')}"
            " ORDER BY place"
        ).to_arrow_table()
    assert seen.to_pylist() == [
        {"place": place, "first_seen": since, "last_seen": until, "source_line": line}
        for place, since, until, line in (
            ("a", one, one, 2),
            ("b", one, two, 3),
            ("c", one, two, 3),
            ("d", two, two, 4),
        )
    ]
    newest = Lake(settings.lake).history("core.inspections", 1)[0]
    assert (newest.details["added"], newest.details["changed"], newest.details["same"]) == (1, 1, 1)


def test_the_same_bytes_again_change_nothing_even_when_all_their_rows_were_superseded(
    settings: Settings, bring: Callable[..., Outcome]
) -> None:
    bring(FIRST)
    other = bring(FIRST.replace(";1;", ";9;").replace(";2;", ";9;").replace(";3;", ";9;"), "inspections-b.csv")
    assert other.changes == {"changed": 3}
    assert Lake(settings.lake).files("core.inspections", partitions={"source_resource": ["inspections.csv"]}) == []
    version = Lake(settings.lake).version("core.inspections")
    assert bring(FIRST).status == "unchanged"
    assert Lake(settings.lake).version("core.inspections") == version
    assert [mark for _, mark in rows(settings)] == [9, 9, 9]


def test_bytes_that_come_back_after_others_count_as_new(settings: Settings, bring: Callable[..., Outcome]) -> None:
    bring(FIRST)
    bring(SECOND)
    assert bring(FIRST).changes == {"changed": 1, "same": 2}
    assert rows(settings) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


def test_an_older_edition_does_not_replace_a_newer_one(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    use(prefer=["edition"])
    bring("a;2026-01-01;1;2026 b;2026-01-01;2; c;2026-01-01;3;2026")
    late = bring(
        "a;2026-01-01;7;2020 b;2026-01-01;8;2020 c;2026-01-01;9;2026 d;2026-01-01;10;2020", "inspections-b.csv"
    )
    assert late.changes == {"added": 1, "changed": 2, "older": 1}
    assert rows(settings) == [("a", 1), ("b", 8), ("c", 9), ("d", 10)]


def test_a_snapshot_is_measured_against_the_last_one_and_not_against_all_history(
    settings: Settings, bring: Callable[..., Outcome]
) -> None:
    for month in range(1, 4):
        outcome = bring(" ".join(f"{n};2026-{month:02}-01;1;" for n in range(10)))
        assert outcome.status == "published"
    assert len(rows(settings)) == 30
    refused = bring(" ".join(f"{n};2026-04-01;1;" for n in range(5)))
    assert (refused.status, len(rows(settings))) == ("refused", 30)
    assert "5 rows after 10" in (refused.message or "")
    assert bring(" ".join(f"{n};2026-04-01;1;" for n in range(5)), accept_shrink=True).status == "published"


def test_a_changed_contract_casts_the_forgotten_snapshots_again(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    bring(FIRST)
    bring(SECOND)
    bring("e;2026-03-01;12.5;", "inspections-b.csv")
    before = rows(settings, "place, first_seen::VARCHAR, last_seen::VARCHAR")
    fields = list(contract().model_dump(by_alias=True)["tables"][0]["fields"])
    fields[2] |= {"type": "decimal"}
    use(fields=fields)
    again = bring(SECOND)
    assert (again.status, again.published, again.changes) == ("published", 3, {})
    assert rows(settings, "place, mark::VARCHAR") == [
        ("a", "1.00"),
        ("b", "2.00"),
        ("c", "30.00"),
        ("d", "4.00"),
        ("e", "12.50"),
    ]
    assert rows(settings, "place, first_seen::VARCHAR, last_seen::VARCHAR") == before
    assert [each.operation for each in Lake(settings.lake).history("core.inspections", 2)] == ["recast", "ingest"]
    assert rows(settings, "place, mark::VARCHAR", version=3)[0] == ("a", "1.0")
    # each resource's bytes are known to be in by the new contract
    version = Lake(settings.lake).version("core.inspections")
    assert bring("e;2026-03-01;12.5;", "inspections-b.csv").status == "unchanged"
    assert bring(SECOND).status == "unchanged"
    assert Lake(settings.lake).version("core.inspections") == version


def test_a_table_that_kept_by_resource_can_begin_to_accumulate(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    use(keep="resource")
    bring(FIRST)
    bring(SECOND)
    assert rows(settings) == [("b", 2), ("c", 30), ("d", 4)]
    use()
    bring(SECOND + " e;2026-03-01;5;")
    assert rows(settings) == [("a", 1), ("b", 2), ("c", 30), ("d", 4), ("e", 5)]


def test_a_changed_contract_without_the_old_bytes_is_refused(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    bring(FIRST)
    oldest = next(brought(Lake(settings.lake).path("core.inspections")))
    bring(SECOND)
    (settings.raw / oldest.sha256[:2] / oldest.sha256).unlink()
    use(resources="inspection")
    refused = bring(SECOND)
    assert (refused.status, refused.exit_code) == ("failed", LakeError.exit_code)
    assert "the bytes of inspections.csv, fetched on" in (refused.message or "")
    assert "put them back as" in (refused.message or "")
    assert len(rows(settings)) == 4


def test_a_changed_contract_that_rejects_an_older_snapshot_is_refused(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    bring(FIRST)
    bring(SECOND)
    fields = list(contract().model_dump(by_alias=True)["tables"][0]["fields"])
    fields[2]["constraints"] = {"minimum": 2}
    use(fields=fields)
    refused = bring(SECOND)
    assert (refused.status, refused.exit_code) == ("failed", 5)
    assert "the changed contract rejects 1 of 3 rows" in (refused.message or "")
    assert len(rows(settings)) == 4


class Stopped(BaseException):
    """As a signal would stop the process."""


STAGES = ["merge", "before rewrite", "after rewrite", "forget_older_rejects", "remember", "keep_rejects"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("recasting", [False, True], ids=["", "recasting"])
def test_a_run_that_was_stopped_is_done_again(
    settings: Settings,
    bring: Callable[..., Outcome],
    use: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    *,
    recasting: bool,
) -> None:
    from pipelines import publish as module
    from pipelines import recast

    use(tolerance=0.5)
    bring(FIRST + " x;2026-99-01;1;")
    if recasting:
        use(tolerance=0.5, resources="inspection")

    def stop(*_: object, **__: object) -> None:
        raise Stopped

    rewrite = Lake.rewrite

    def rewrite_then_stop(*arguments: Any, **named: Any) -> None:
        rewrite(*arguments, **named)
        raise Stopped

    with monkeypatch.context() as broken:
        if stage == "merge":
            broken.setattr(accumulate, "_write", stop)
        elif stage == "before rewrite":
            broken.setattr(Lake, "rewrite", stop)
        elif stage == "after rewrite":
            broken.setattr(Lake, "rewrite", rewrite_then_stop)
        elif stage == "keep_rejects" and recasting:
            broken.setattr(recast, stage, stop)
        else:
            broken.setattr(module, stage, stop)
        with pytest.raises(Stopped):
            bring(SECOND + " y;2026-99-01;1;")
    old, new = [("a", 1), ("b", 2), ("c", 3)], [("a", 1), ("b", 2), ("c", 30), ("d", 4)]
    assert rows(settings) in (old, new)
    published_after = rows(settings) == new
    assert ("x" if rows(settings) == old else "y") in {row["row"][7:8] for row in rejected_rows(settings, None, 9)}
    again = bring(SECOND + " y;2026-99-01;1;")
    assert again.status == ("unchanged" if published_after else "published"), again.message
    assert rows(settings) == new
    assert [row["row"][7:8] for row in rejected_rows(settings, None, 9)] == ["y"]
    # what the stopped run wrote is not left behind, except what it committed
    held = {path for version in range(9) for path in _files(settings, version)}
    assert {str(path) for path in Lake(settings.lake).path("core.inspections").rglob("*.parquet")} == held
    assert [path for path in settings.staging.rglob("*") if path.is_file()] == []


def _files(settings: Settings, version: int) -> list[str]:
    lake = Lake(settings.lake)
    return lake.files("core.inspections", version=version) if version <= (lake.version("core.inspections") or 0) else []


def test_another_writer_between_look_and_commit_is_seen(
    settings: Settings, bring: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one brings a key that ours has too: looked at again, ours replaces it."""
    bring(FIRST)
    rewrite, others = Lake.rewrite, [lambda: bring("c;2026-01-01;99; z;2026-01-01;9;", "inspections-b.csv")]

    def interrupted(*arguments: Any, **named: Any) -> int | None:
        if others:
            with monkeypatch.context() as free:
                free.setattr(ingest_module, "_alone", lambda _: nullcontext())  # as from another machine
                assert others.pop()().status == "published"
        return rewrite(*arguments, **named)

    monkeypatch.setattr(Lake, "rewrite", interrupted)
    second = bring(SECOND)
    assert second.changes == {"added": 1, "changed": 1, "same": 1}
    assert rows(settings) == [("a", 1), ("b", 2), ("c", 30), ("d", 4), ("z", 9)]


@pytest.mark.parametrize("seed", range(12))
def test_many_snapshots_agree_with_a_dictionary(tmp_path: Path, settings: Settings, seed: int) -> None:
    chance = random.Random(seed)
    table = contract(prefer=["edition", "mark"] if seed % 3 else []).tables[0]
    schema = pa.schema(
        [f for f in table.arrow_schema() if f.name not in ("first_seen", "last_seen", "source_resource")]
    )
    truth: dict[tuple[str, Any], dict[str, Any]] = {}
    held: list[DataFile] = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with connect(settings) as con:
        for turn in range(8):
            resource, now = chance.choice(["one", "two", "three"]), start + timedelta(days=turn)
            snapshot = []
            for line, place in enumerate(chance.sample("abcdefghijklmnopqrstuvwxyz", chance.randint(0, 20)), start=2):
                mark, edition = chance.choice([None, 1.0, 2.0, float("inf")]), chance.choice([None, 1, 2])
                snapshot.append(
                    {"place": place, "day": start.date(), "mark": mark, "edition": edition}
                    | {"source_sha256": f"sha {turn}", "source_line": line}
                )
            staged = tmp_path / "staged.parquet"
            pq.write_table(pa.Table.from_pylist(snapshot, schema), staged)
            counts = follow(truth, snapshot, table.prefer, resource, now)
            written: list[Path] = []

            def new_file(partition: Any, turn: int = turn, written: list[Path] = written) -> Path:
                written.append(tmp_path / f"{turn}-{partition['source_resource']}-{len(written)}.parquet")
                return written[-1]

            merged = merge(con, held, staged, table, resource, now, new_file)
            done = asdict(merged)
            assert {word: done[word] for word in counts} == counts
            held = [file for file in held if file not in merged.removed] + list(merged.files)
            found = {}
            for file in held:
                for row in pq.read_table(file.path).to_pylist():
                    assert (row["place"], row["day"]) not in found
                    found[row["place"], row["day"]] = {**row, "source_resource": file.partition["source_resource"]}
            assert found == truth
            assert len({str(file.partition) for file in held}) <= 3
            assert all(file.rows for file in held)


def follow(
    truth: dict[tuple[str, Any], dict[str, Any]],
    snapshot: list[dict[str, Any]],
    prefer: tuple[str, ...],
    resource: str,
    now: datetime,
) -> dict[str, int]:
    """The rule, one row at a time."""
    counts = {"added": 0, "changed": 0, "same": 0, "older": 0}

    def rank(row: dict[str, Any]) -> tuple[float, ...]:
        return tuple(float("-inf") if row[name] is None else row[name] for name in prefer)

    for row in snapshot:
        key = (row["place"], row["day"])
        old = truth.get(key)
        published = ("place", "day", "mark", "edition")
        if old is not None and rank(old) > rank(row):
            counts["older"] += 1
        elif old is not None and all(old[name] == row[name] for name in published):
            counts["same"] += 1
            old["last_seen"] = now
        else:
            counts["changed" if old else "added"] += 1
            first = old["first_seen"] if old else now
            truth[key] = {**row, "first_seen": first, "last_seen": now, "source_resource": resource}
    return counts


def test_a_recast_leaves_nothing_behind_but_the_table(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    for mark in range(1, 5):
        bring(f"a;2026-01-01;{mark}; b;2026-01-0{mark};{mark};")
    use(resources="inspection")
    bring("a;2026-01-01;9; b;2026-01-09;9;")
    lake = Lake(settings.lake)
    held = {path for version in range(9) for path in _files(settings, version)}
    assert {str(path) for path in lake.path("core.inspections").rglob("*.parquet")} == held
    assert lake.history("core.inspections", 2)[1].operation == "recast"


def test_a_table_that_a_killed_run_left_empty_takes_the_columns_of_a_changed_contract(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    """Killed between its two first commits; then the contract got a column and another type."""
    table = contract().tables[0]
    Lake(settings.lake).create("core.inspections", table.arrow_schema(), partition_by=["source_resource"], forever=True)
    fields = list(contract().model_dump(by_alias=True)["tables"][0]["fields"])
    fields[2] |= {"type": "decimal"}
    fields.append({"name": "later", "type": "string", "from": "edition"})
    use(fields=fields)
    assert bring("a;2026-01-01;1.5;7").status == "published"
    assert rows(settings, "place, mark::VARCHAR, later") == [("a", "1.50", "7")]
    assert bring("a;2026-01-01;2.5;7").changes == {"changed": 1}


@pytest.mark.parametrize("keep", ["accumulate", "resource"])
def test_columns_may_be_called_as_sql_words_and_as_ours_are(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None], keep: str
) -> None:
    names = {"place": "order", "day": "other", "mark": "fate", "edition": "filename"}
    fields = list(contract().model_dump(by_alias=True)["tables"][0]["fields"])
    for field in fields:
        field["name"] = names[field["name"]]
    use(fields=fields, keep=keep, primary_key=["order", "other"], prefer=["filename"], dated_by="other", tolerance=0.5)
    first = bring("a;2026-01-01;1;1 a;2026-01-01;0;0 b;2026-01-01;2;")
    assert (first.status, first.published) == ("published", 2), first.message
    second = bring("a;2026-01-01;9;2 c;2026-01-01;2;")
    assert second.changes == {"added": 1, "changed": 1, **({"removed": 1} if keep == "resource" else {})}, (
        second.message
    )
    third = bring("d;2026-01-01;9;2 c;2026-01-01;2;", "inspections-b.csv")
    assert (third.status, third.quarantined) == ("published", {} if keep == "accumulate" else {"already_published": 1})


def test_a_key_that_a_changed_contract_brings_is_no_reason_to_fall(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    """The column is not in the lake yet: there is nothing to compare the new rows with."""
    use(keep="resource", exclusive=["place"])
    bring("a;2026-01-01;1;1")
    bring("b;2026-01-01;1;2", "inspections-b.csv")
    fields = list(contract().model_dump(by_alias=True)["tables"][0]["fields"])
    fields.append({"name": "zone", "type": "string", "from": "edition", "constraints": REQUIRED})
    use(keep="resource", fields=fields, primary_key=["place", "zone"], exclusive=["zone"])
    again = bring("a;2026-01-01;1;1")
    assert again.status == "published", again.message
    assert rows(settings, "place, zone") == [("a", "1"), ("b", None)]


def test_a_blank_is_no_subject_that_could_be_missed(
    settings: Settings, bring: Callable[..., Outcome], use: Callable[..., None]
) -> None:
    use(keep="resource", exclusive=["edition"])
    assert bring("a;2026-01-01;1;").status == "published"
    assert bring("a;2026-01-01;2;").status == "published"
    assert bring("a;2026-01-01;2;3").status == "published"
    refused = bring("a;2026-01-01;2;4")
    assert (refused.status, "another file has come under the same name" in str(refused.message)) == ("refused", True)
