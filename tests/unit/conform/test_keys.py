"""Whether keys are doubled, for keys in every order and place, against a plain count."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.conform.keys import Ascent, any_doubled

_KEYS = st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=30)


def _doubled(folder: Path, columns: dict[str, list[object]], group: int) -> bool:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    pq.write_table(table, folder / "x.parquet", row_group_size=group)
    with duckdb.connect() as con:
        return any_doubled(con, folder / "x.parquet", list(columns))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=_KEYS, ordered=st.booleans(), group=st.integers(1, 12))
def test_a_key_that_stands_twice_is_never_missed(
    tmp_path: Path, *, keys: list[int | None], ordered: bool, group: int
) -> None:
    texts: list[object] = [None if key is None else f"{key:02}" for key in keys]
    if ordered:
        texts.sort(key=lambda text: "" if text is None else str(text))
    assert _doubled(tmp_path, {"key": texts}, group) == (len(set(texts)) < len(texts))


@pytest.mark.parametrize(
    ("groups", "twice"),
    [
        ([["1", "2"], ["3", "4"]], False),
        ([["3", "4"], ["1", "2"]], False),
        ([["1", "2"], ["2", "3"]], True),
        ([["1", "3"], ["2", "4"]], False),  # they overlap, and nothing is doubled
        ([["1", "1"], ["2", "3"]], True),
        ([["3", "4"], ["1", "3"]], True),
    ],
)
def test_ascending_row_groups_may_come_in_any_order(tmp_path: Path, groups: list[list[object]], *, twice: bool) -> None:
    assert _doubled(tmp_path, {"key": groups[0] + groups[1]}, 2) is twice


def test_a_key_of_two_columns_is_their_pair(tmp_path: Path) -> None:
    assert not _doubled(tmp_path, {"a": ["1", "1", "2"], "b": ["1", "2", "1"]}, 2)
    assert _doubled(tmp_path, {"a": ["1", "1", "1"], "b": ["1", "2", "1"]}, 2)


def test_keys_without_numbers_are_given_up_and_not_hoarded() -> None:
    ascent = Ascent(1)
    for _ in range(5):
        ascent.go_on(pa.nulls(60_000, pa.int64()))
    assert not ascent.holds
    assert len(ascent.strangers) == 120_000
