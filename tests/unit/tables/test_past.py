"""Open-data tables as they were, in SQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contracts import load_contract
from pipelines.errors import LakeError, SettingsError, TablesError
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings
from pipelines.tables import run_query
from pipelines.tables.past import versions_as_of, versions_named

NAME = "core.accidents"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Three versions with one, two and three rows (version 0 has none), and a table that is personal."""
    settings = Settings(home=tmp_path / "home")
    schema = load_contract("accidents").table("accidents").arrow_schema()
    in_file = pa.schema([field.with_nullable(True) for field in schema if field.name != "source_resource"])  # noqa: FBT003 - pyarrow's
    for rows in (1, 2, 3):
        put(settings, NAME, schema, pa.Table.from_pylist([{"accident_id": str(n)} for n in range(rows)], in_file))
    other = pa.schema([("a", pa.int64()), ("source_resource", pa.string())])
    put(settings, "core.readings", other, pa.table({"a": [1]}))
    return settings


def put(settings: Settings, name: str, schema: pa.Schema, rows: pa.Table) -> None:
    lake, partition = Lake(settings.lake), {"source_resource": "one"}
    file = lake.new_file(name, partition)
    pq.write_table(rows, file)
    replace = {column: [value] for column, value in partition.items()}
    lake.publish(name, [file], schema, Provenance("test"), partition_by=["source_resource"], replace=replace)


@pytest.fixture
def count(settings: Settings) -> Callable[..., Any]:
    def count(table: str = NAME, **how: Any) -> Any:
        with run_query(settings, f"SELECT count(*) AS n FROM {table}", personal=True, **how) as rows:
            return rows.read_all()["n"][0].as_py()

    return count


def test_a_version_by_number_beside_the_others_of_today(settings: Settings, count: Callable[..., Any]) -> None:
    past = versions_named(settings, [f"{NAME}=2"])
    assert past == {NAME: 2}
    assert (count(versions=past), count(), count("core.readings", versions=past)) == (2, 3, 1)


def test_all_open_data_and_nothing_else_as_of_a_moment(settings: Settings, count: Callable[..., Any]) -> None:
    moments = {each.version: each.committed_at for each in Lake(settings.lake).history(NAME)}
    past = versions_as_of(settings, moments[1].isoformat())
    assert past == {NAME: 1}
    assert count(versions=past, only=True) == 1
    with pytest.raises(TablesError, match="readings"):
        count("core.readings", versions=past, only=True)
    assert versions_as_of(settings, f"{moments[3]:%Y-%m-%d}") == {NAME: 3}  # a day is meant whole
    with pytest.raises(SettingsError, match="no open-data table was there at"):
        versions_as_of(settings, (moments[0] - timedelta(days=1)).isoformat())


@pytest.mark.parametrize("text", ["core.readings=1", "core.accidents", "core.accidents=", "accidents=1"])
def test_what_has_no_versions_to_name(settings: Settings, text: str) -> None:
    with pytest.raises(SettingsError, match="names no version of an open-data table"):
        versions_named(settings, [text])


def test_a_version_that_is_not_there(settings: Settings) -> None:
    with pytest.raises(LakeError, match=r"no table core\.accidents at version 9"):
        versions_named(settings, [f"{NAME}=9"])
