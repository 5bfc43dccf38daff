"""Two versions of a table, compared with what pandas says of the same rows."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import compare as module
from pipelines.compare import compare, differing_rows, versions, write_differing_rows
from pipelines.errors import LakeError, SettingsError
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings

NAME = "core.things"
SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("year", pa.int64()),
        ("x", pa.float64()),
        ("money", pa.decimal128(18, 2)),
        ("text", pa.string()),
        ("source_line", pa.int64()),
        ("source_resource", pa.string()),
    ]
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def put(settings: Settings, resource: str, rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> int:
    lake = Lake(settings.lake)
    file = lake.new_file(NAME, {"source_resource": resource})
    in_file = pa.schema([field for field in schema if field.name != "source_resource"])
    pq.write_table(pa.Table.from_pylist(rows, in_file), file)
    replace = {"source_resource": [resource]}
    return lake.publish(NAME, [file], schema, Provenance("test"), partition_by=["source_resource"], replace=replace)


def row(key: str, **values: Any) -> dict[str, Any]:
    return {"k": key, "year": 2026, "x": 1.0, "money": Decimal("1.10"), "text": "a", "source_line": 2} | values


def keyed(monkeypatch: pytest.MonkeyPatch, *key: str) -> None:
    monkeypatch.setattr(module, "key_of", lambda *_: key)


def found(settings: Settings, column: str | None = None) -> list[tuple[Any, ...]]:
    with versions(settings, NAME, None, None) as (con, both):
        return [tuple(each.values()) for each in differing_rows(con, both, column).read_all().to_pylist()]


def test_rows_and_columns_that_changed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed(monkeypatch, "k", "year")
    put(settings, "one", [row("a"), row("b"), row("c"), row("d", x=None, text=None)])
    put(settings, "two", [row("z")])
    put(settings, "one", [row("b", source_line=9), row("c", x=1.0000000000000002, text=None), row("d"), row("e")])
    with versions(settings, NAME, None, None) as (con, both):
        result = compare(con, both)
        assert "source_resource=two" not in both.old + both.new  # its file is in both versions
    assert (result.since, result.until, result.key) == (2, 3, ("k", "year"))
    assert (result.added, result.removed, result.changed) == (1, 1, 2)
    assert result.columns == {"x": 2, "text": 2}
    assert found(settings) == [
        ("a", 2026, "removed", None, None, None),
        ("c", 2026, "changed", "x", "1.0", "1.0000000000000002"),
        ("c", 2026, "changed", "text", "a", None),
        ("d", 2026, "changed", "x", None, "1.0"),
        ("d", 2026, "changed", "text", None, "a"),
        ("e", 2026, "added", None, None, None),
    ]
    assert [each[0] for each in found(settings, "text")] == ["c", "d"]


def test_rows_without_a_key_come_and_go(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed(monkeypatch)
    put(settings, "one", [row("a"), row("a"), row("a", x=None), row("b")])
    put(settings, "one", [row("a"), row("a", x=None), row("a", x=None), row("a", x=None), row("b")])
    with versions(settings, NAME, None, None) as (con, both):
        result = compare(con, both)
        assert (result.added, result.removed, result.changed, result.columns) == (2, 1, 0, {})
        rows = differing_rows(con, both).read_all().to_pylist()
        assert sorted((each["x"] or 0, each["change"], each["times"]) for each in rows) == [
            (0, "added", 2),
            (1, "removed", 1),
        ]
        with pytest.raises(SettingsError, match="its rows have no key"):
            differing_rows(con, both, "nothing")


def test_a_key_that_was_none_in_the_older_version_is_not_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed(monkeypatch, "k")
    put(settings, "one", [row("a"), row("a", x=2.0)])
    put(settings, "one", [row("a")])
    with versions(settings, NAME, None, None) as (con, both):
        assert both.key == ()
        assert compare(con, both).removed == 1


def test_a_column_that_came_later_is_named_and_not_compared(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed(monkeypatch, "k")
    put(settings, "one", [row("a")])
    put(settings, "one", [row("a") | {"more": "m"}], SCHEMA.append(pa.field("more", pa.string())))
    with versions(settings, NAME, "1", None) as (con, both):
        result = compare(con, both)
    assert (result.columns_added, result.changed, result.columns) == (("more",), 0, {})


def test_versions_by_day_and_moment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keyed(monkeypatch, "k")
    put(settings, "one", [row("a")])
    put(settings, "one", [row("b")])
    first, second = (each.committed_at for each in Lake(settings.lake).history(NAME)[1::-1])
    with versions(settings, NAME, first.isoformat(), second.isoformat()) as (_, both):
        assert (both.since, both.until) == (1, 2)
    with versions(settings, NAME, None, f"{second:%Y-%m-%d}") as (_, both):
        assert (both.since, both.until) == (1, 2)
    with (
        pytest.raises(LakeError, match="had no version yet at 2020-01-01"),
        versions(settings, NAME, "2020-01-01", None),
    ):
        pass
    with pytest.raises(SettingsError, match="'yesterday' is no moment"), versions(settings, NAME, "yesterday", None):
        pass
    with pytest.raises(LakeError, match=r"no table core\.things at version 7"), versions(settings, NAME, "7", None):
        pass


@pytest.mark.parametrize("seed", range(6))
def test_random_versions_agree_with_pandas(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    keyed(monkeypatch, "k", "year")
    chance = random.Random(seed)

    def some(resource: str) -> list[dict[str, Any]]:
        keys = chance.sample(range(60), 45)
        return [
            row(
                f"{resource}{key // 3}",
                year=2000 + key % 3,
                x=chance.choice([None, 0.1, 0.1 + 0.2, 0.3, float("nan")]),
                money=chance.choice([None, Decimal("0.30"), Decimal("20000001.00")]),
                text=chance.choice([None, "", "a", "é"]),
                source_line=chance.randint(1, 99),
            )
            for key in keys
        ]

    old, new = {each: some(each) for each in "pqr"}, {each: some(each) for each in "pq"}
    for resource, rows in old.items():
        put(settings, resource, rows)
    since = Lake(settings.lake).version(NAME)
    for resource, rows in new.items():
        put(settings, resource, rows)
    before, after = (
        {(each["k"], each["year"]): each for rows in side.values() for each in rows} for side in (old, {**old, **new})
    )
    columns = ["x", "money", "text"]

    def differ(key: tuple[str, int], column: str) -> bool:
        left, right = before[key][column], after[key][column]
        return not ((pd.isna(left) and pd.isna(right) and (left is None) == (right is None)) or left == right)

    both_have = before.keys() & after.keys()
    expected = {column: sum(differ(key, column) for key in both_have) for column in columns}
    with versions(settings, NAME, str(since), None) as (con, both):
        result = compare(con, both)
        lines = write_differing_rows(con, both, tmp_path / "out.parquet")
    assert (result.added, result.removed) == (len(after.keys() - before), len(before.keys() - after))
    assert result.columns == {column: rows for column, rows in expected.items() if rows}
    assert result.changed == sum(any(differ(key, column) for column in columns) for key in both_have)
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert len(table) == lines == result.added + result.removed + sum(expected.values())
    for _, line in table[table.change == "changed"].iterrows():
        key = (line.k, line.year)
        assert differ(key, line.column_name)
        for side, text in ((before, line.old), (after, line.new)):
            value = side[key][line.column_name]
            assert pd.isna(text) if value is None else repr(type(value)(text)) == repr(value)


def test_a_number_that_became_another_kind_of_number_has_not_changed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a text 1.0 is not 1.00, nor 2026 the same as 2026.0."""
    keyed(monkeypatch, "k")
    put(settings, "one", [row("a"), row("b"), row("c", text="1")])
    put_anew(
        settings,
        {"year": pa.float64(), "x": pa.decimal128(18, 2), "text": pa.int64()},
        [
            row("a", year=2026.0, x=Decimal("1.00"), text=None),
            row("b", year=2026.5, x=Decimal("1.00"), text=None),
            row("c", year=2026.0, x=Decimal("2.00"), text=1),
        ],
    )
    with versions(settings, NAME, "1", None) as (con, both):
        assert compare(con, both).columns == {"year": 1, "x": 1, "text": 2}


def put_anew(settings: Settings, types: dict[str, pa.DataType], rows: list[dict[str, Any]]) -> None:
    """As after a change of the contract."""
    lake = Lake(settings.lake)
    schema = pa.schema([(field.name, types.get(field.name, field.type)) for field in SCHEMA])
    file = lake.new_file(NAME, {"source_resource": "one"})
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(schema)[:-1])), file)
    lake.publish(NAME, [file], schema, Provenance("test"), partition_by=["source_resource"], overwrite=True)


OURS_TOO = ["here", "n", "side", "change", "times", "cell", "column_name", "old", "new", "came", "d0", "a", "b"]


@pytest.mark.parametrize("key", [(), ("old",), ("cell", "change"), ("here", "n")])
def test_columns_may_be_called_as_ours_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: tuple[str, ...]
) -> None:
    keyed(monkeypatch, *key)
    schema = pa.schema([*((name, pa.string()) for name in OURS_TOO), ("source_resource", pa.string())])
    before = [dict.fromkeys(OURS_TOO, "1"), dict.fromkeys(OURS_TOO, "2")]
    put(settings, "one", before, schema)
    put(settings, "one", [before[0], before[1] | {"times": "9"}, dict.fromkeys(OURS_TOO, "3")], schema)
    with versions(settings, NAME, None, None) as (con, both):
        result = compare(con, both)
        assert (result.added, result.removed, result.changed) == ((1, 0, 1) if key else (2, 1, 0))
        assert write_differing_rows(con, both, tmp_path / "out.parquet") == (2 if key else 3)
    lines = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert sorted(each["change"] for each in lines) == (["added", "changed"] if key else ["added", "added", "removed"])
    for name in key or OURS_TOO:
        taken = name in (("change", "column_name", "old", "new") if key else ("change", "times"))
        assert "3" in {each[f"{name}_" if taken else name] for each in lines}
