"""Publishing into the lake: two writers, a schema that grows, what cannot be a partition, a first commit that was killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake.exceptions import DeltaError

from pipelines.errors import LakeError
from pipelines.lake import DataFile, Lake, Provenance, connect, log, store, uncommitted
from pipelines.settings import Settings

NARROW = pa.schema([("a", pa.int64()), ("p", pa.string())])
WIDE = pa.schema([("a", pa.int64()), ("b", pa.string()), ("p", pa.string())])
NAME = "core.things"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def _publish(settings: Settings, partition: str, schema: pa.Schema = NARROW, **columns: list[Any]) -> int:
    lake = Lake(settings.lake)
    file = lake.new_file(NAME, {"p": partition})
    pq.write_table(pa.table(columns, pa.schema([field for field in schema if field.name != "p"])), file)
    return lake.publish(NAME, [file], schema, Provenance("test"), partition_by=["p"], replace={"p": [partition]})


def _rows(settings: Settings) -> list[tuple[Any, ...]]:
    with connect(settings) as con:
        return sorted(con.execute(f"FROM {Lake(settings.lake).relation_sql(NAME)}").fetchall(), key=str)


@pytest.mark.parametrize("held", [True, False], ids=["replacing", "first"])
def test_two_writers_of_one_partition_do_not_double_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    """The other writer commits between our look at the table and our commit."""
    _publish(settings, "x" if held else "other", a=[0])
    look = log.remove_actions
    others = [lambda: _publish(settings, "x", a=[1])]

    def interrupted(*arguments: Any) -> Any:
        found = look(*arguments)
        if others:
            others.pop()()
        return found

    monkeypatch.setattr(store, "remove_actions", interrupted)
    _publish(settings, "x", a=[2])
    assert [row for row in _rows(settings) if row[1] == "x"] == [(2, "x")]


def test_two_writers_of_two_partitions_both_stay(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(settings, "x", a=[0])
    look = log.remove_actions
    others = [lambda: _publish(settings, "y", a=[1])]

    def interrupted(*arguments: Any) -> Any:
        found = look(*arguments)
        if others:
            others.pop()()
        return found

    monkeypatch.setattr(store, "remove_actions", interrupted)
    _publish(settings, "x", a=[2])
    assert _rows(settings) == [(1, "y"), (2, "x")]


def test_a_new_column_is_added_and_null_in_the_older_rows(settings: Settings) -> None:
    _publish(settings, "x", a=[1])
    _publish(settings, "y", WIDE, a=[2], b=["new"])
    assert Lake(settings.lake).snapshot(NAME).schema.names == ["a", "p", "b"]
    assert _rows(settings) == [(1, "x", None), (2, "y", "new")]
    # and back: a file that lacks the column
    _publish(settings, "y", a=[3])
    assert _rows(settings) == [(1, "x", None), (3, "y", None)]


def test_another_type_of_a_column_is_refused(settings: Settings) -> None:
    _publish(settings, "x", a=[1])
    text = pa.schema([("a", pa.string()), ("p", pa.string())])
    with pytest.raises(LakeError, match=r"core\.things: column a would become string; the table has it as long"):
        _publish(settings, "y", text, a=["two"])
    assert _rows(settings) == [(1, "x")]


@pytest.mark.parametrize("value", ["a b", "a%20b", "é", "a/b", ""])
def test_a_partition_value_that_paths_would_change_is_refused(settings: Settings, value: str) -> None:
    with pytest.raises(LakeError, match="cannot be a value of partition p"):
        Lake(settings.lake).new_file(NAME, {"p": value})


def test_a_first_commit_that_was_killed_leaves_no_table(settings: Settings) -> None:
    lake = Lake(settings.lake)
    (lake.path(NAME) / "_delta_log").mkdir(parents=True)
    (lake.path(NAME) / "_delta_log" / "_commit_1234.json.tmp").write_bytes(b"")
    assert not lake.exists(NAME)
    assert lake.names() == []
    assert _publish(settings, "x", a=[1]) == 1
    assert lake.names() == [NAME]


def test_a_file_never_committed_is_in_no_version(settings: Settings) -> None:
    _publish(settings, "x", a=[1])
    orphan = Lake(settings.lake).new_file(NAME, {"p": "x"})
    pq.write_table(pa.table({"a": [7]}), orphan)
    assert _rows(settings) == [(1, "x")]
    _publish(settings, "x", a=[2])
    assert _rows(settings) == [(2, "x")]


def test_open_data_keeps_every_version(settings: Settings) -> None:
    """A hundred commits make Delta write a checkpoint, at which it clears away old log entries where it may."""
    lake = Lake(settings.lake)
    for number in range(103):
        file = lake.new_file(NAME, {"p": "x"})
        pq.write_table(pa.table({"a": [number]}), file)
        replace = {"p": ["x"]}
        lake.publish(NAME, [file], NARROW, Provenance("test"), partition_by=["p"], replace=replace, forever=True)
    log_folder = lake.path(NAME) / "_delta_log"
    assert list(log_folder.glob("*.checkpoint.parquet"))
    for entry in log_folder.glob("*.json"):
        os.utime(entry, (0, 0))  # as if from 1970
    file = lake.new_file(NAME, {"p": "y"})
    pq.write_table(pa.table({"a": [1]}), file)
    lake.publish(NAME, [file], NARROW, Provenance("test"), partition_by=["p"], forever=True)
    table = lake.open(NAME)
    table.create_checkpoint()
    table.cleanup_metadata()
    with connect(settings) as con:
        assert con.execute(f"SELECT a FROM {lake.relation_sql(NAME, version=1)}").fetchall() == [(0,)]
    with pytest.raises(DeltaError, match="retention"):
        table.vacuum(retention_hours=0, dry_run=False)


def test_a_rewrite_of_an_old_version_does_nothing(settings: Settings) -> None:
    _publish(settings, "x", a=[1])
    lake = Lake(settings.lake)
    held = lake.snapshot(NAME)
    _publish(settings, "y", a=[2])
    with uncommitted(lake, NAME) as new_file:
        file = new_file({"p": "x"})
        pq.write_table(pa.table({"a": [3]}), file)
        ours = DataFile(str(file), {"p": "x"}, 1, file.stat().st_size)
        assert lake.rewrite(held, [ours], held.files, Provenance("test")) is None
        assert _rows(settings) == [(1, "x"), (2, "y")]
        assert lake.rewrite(lake.snapshot(NAME), [ours], held.files, Provenance("test")) == 3
    assert _rows(settings) == [(2, "y"), (3, "x")]


def test_files_of_a_block_that_fails_go_unless_they_were_committed(settings: Settings) -> None:
    _publish(settings, "x", a=[1])
    lake = Lake(settings.lake)
    with pytest.raises(KeyboardInterrupt), uncommitted(lake, NAME) as new_file:  # noqa: PT012 - the block is what fails
        kept, lost = new_file({"p": "x"}), new_file({"p": "x"})
        for file in (kept, lost):
            pq.write_table(pa.table({"a": [3]}), file)
        lake.publish(NAME, [kept], NARROW, Provenance("test"), partition_by=["p"])
        raise KeyboardInterrupt
    assert (kept.exists(), lost.exists()) == (True, False)
    assert _rows(settings) == [(1, "x"), (3, "x")]
