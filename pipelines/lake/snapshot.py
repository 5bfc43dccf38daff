"""One version of a table as a list of files, and what changed between two versions, from the Delta log alone.

Belongs here: reading the log. Does not: writing it (store), deciding what a change means for a derived table (tables).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from pipelines.lake.duck import text_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deltalake import DeltaTable


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of a table.

    Args:
        path: where it is; it may be gone if the log says it was removed.
        partition: its partition values as the log writes them (``2024-05-01``), None for a null.
        rows: as the log has it.
        size: bytes.
    """

    path: str
    partition: Mapping[str, str | None]
    rows: int | None
    size: int


@dataclass(frozen=True)
class Snapshot:
    """One version of a table."""

    name: str
    version: int
    schema: pa.Schema
    partition_columns: tuple[str, ...]
    files: tuple[DataFile, ...]

    def relation_sql(self, files: Iterable[DataFile] | None = None) -> str:
        """A DuckDB table expression over all files, or over some of them; empty but typed when there are none."""
        paths = [file.path for file in (self.files if files is None else files)]
        return relation_sql(self.schema, self.partition_columns, paths)


def snapshot_of(name: str, table: DeltaTable) -> Snapshot:
    """The version that ``table`` is open at."""
    root = Path(local_path(table.table_uri))
    columns = tuple(table.metadata().partition_columns)
    files = tuple(
        DataFile(
            path=str(root / unquote(entry["path"])),
            partition={column: _text(entry[f"partition.{column}"]) for column in columns},
            rows=entry["num_records"],
            size=entry["size_bytes"],
        )
        for entry in pa.table(table.get_add_actions(flatten=True)).to_pylist()
    )
    return Snapshot(name, table.version(), pa.schema(table.schema().to_arrow()), columns, files)


def changed_files(folder: Path, since: int, until: int) -> list[DataFile] | None:
    """Files that the versions after ``since``, up to and with ``until``, added or removed.

    Rewrites of the same rows, such as a compaction, do not count.

    Args:
        folder: the table's folder.
        since: a version.
        until: a later version, or the same.

    Returns:
        None where the log no longer reaches back to ``since`` or tells of a change of schema.
    """
    changed: list[DataFile] = []
    for version in range(since + 1, until + 1):
        entry = folder / "_delta_log" / f"{version:020d}.json"
        if not entry.exists():
            return None
        for action in map(json.loads, entry.read_text(encoding="utf-8").splitlines()):
            if "metaData" in action:
                return None
            file: dict[str, Any] | None = action.get("add") or action.get("remove")
            if file and file["dataChange"]:
                path = str(folder / unquote(file["path"]))
                changed.append(DataFile(path, file.get("partitionValues") or {}, None, file.get("size") or 0))
    return changed


def relation_sql(schema: pa.Schema, partition_columns: Iterable[str], paths: list[str]) -> str:
    """A DuckDB table expression over Parquet files of a Delta table with ``schema``."""
    keys = list(partition_columns)
    if not paths:
        return f"({_empty(schema)})"
    hive = ", ".join(f"'{key}': {_duck_type(schema.field(key).type)}" for key in keys)
    options = f", hive_partitioning=true, hive_types={{{hive}}}" if keys else ", hive_partitioning=false"
    columns = ", ".join(f'"{f.name}"' for f in schema)
    # The empty side gives a column that the table got after these files were written.
    return (
        f"(SELECT {columns} FROM ({_empty(schema)} UNION ALL BY NAME "
        f"SELECT * FROM read_parquet([{text_list(paths)}], union_by_name=true{options})))"
    )


def _empty(schema: pa.Schema) -> str:
    columns = ", ".join(f'CAST(NULL AS {_duck_type(f.type)}) AS "{f.name}"' for f in schema)
    return f"SELECT {columns} WHERE false"


def local_path(uri: str) -> str:
    """A ``file://`` address as a path."""
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else uri


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _duck_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ" if kind.tz else "TIMESTAMP"
    names = {
        "string": "VARCHAR",
        "large_string": "VARCHAR",
        "string_view": "VARCHAR",
        "bool": "BOOLEAN",
        "int8": "TINYINT",
        "int16": "SMALLINT",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "float": "FLOAT",
        "double": "DOUBLE",
        "date32[day]": "DATE",
        "binary": "BLOB",
    }
    return names[str(kind)]
