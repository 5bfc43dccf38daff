"""What is changed in a Parquet file of clean rows once it is written: rows taken out, numbers put right.

Row group by row group, so that memory does not grow with the file; rare, for it costs a second writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.lake.duck import column_list, literal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from pipelines.contracts import Table

#: A rejected row, but for what is the same for the whole file.
FOUND = pa.schema(
    [
        pa.field("source_line", pa.int64()),
        pa.field("column_name", pa.string()),
        pa.field("value", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("row", pa.string()),
    ]
)
#: The reason of a row that the contract's ``prefer`` set aside.
SUPERSEDED = "superseded"

#: The row ``r`` as JSON, without the number that DuckDB gave it.
WITHOUT_POSITION = """json_merge_patch(to_json(r), '{"file_row_number": null}')::VARCHAR"""


def take_rows(file: Path, positions: pa.ChunkedArray) -> None:
    """Take the rows at ``positions`` (DuckDB's ``file_row_number``) out of ``file``; a line may have given others that stay."""
    taken, before = positions.combine_chunks(), 0

    def left(rows: pa.Table) -> pa.Table:
        nonlocal before
        here = pa.array(np.arange(before, before + rows.num_rows))
        before += rows.num_rows
        return rows.filter(pc.invert(pc.is_in(here, taken)))

    rewrite(file, left)


def take_doubles(con: duckdb.DuckDBPyConnection, file: Path, table: Table) -> pa.Table:
    """Take out of ``file`` all rows of a key but one, and give them as rejected rows.

    The one that stays is what the table prefers, the earliest line among equals.
    """
    columns = column_list(table.primary_key)
    rows = f"read_parquet({literal(file)}, file_row_number=true)"
    value = f"concat_ws(' / ', {columns})"
    best = ", ".join([*(f'"{column}" DESC NULLS LAST' for column in table.prefer), "source_line"])
    preferred = " AND ".join(f'r."{column}" IS NOT DISTINCT FROM first."{column}"' for column in table.prefer) or "true"
    found = con.sql(
        f"""
        WITH doubled AS (SELECT * FROM {rows} r SEMI JOIN (
            SELECT {columns} FROM {rows} GROUP BY {columns} HAVING count(*) > 1) USING ({columns})),
        first AS (SELECT * FROM doubled QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY {best}) = 1)
        SELECT r.source_line, '{", ".join(table.primary_key)}' AS column_name, {value} AS value,
            CASE WHEN {preferred} THEN 'duplicate_key' ELSE '{SUPERSEDED}' END AS reason,
            CASE WHEN {preferred} THEN 'the same key stands on line ' ELSE 'the contract prefers line ' END
                || first.source_line AS detail, {WITHOUT_POSITION} AS row, r.file_row_number AS position
        FROM doubled r JOIN first USING ({columns})
        WHERE r.file_row_number <> first.file_row_number ORDER BY r.source_line"""
    ).to_arrow_table()
    if found.num_rows:
        take_rows(file, found["position"])
    return found.select(FOUND.names).cast(FOUND)


def rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """The Parquet ``file`` with ``change`` made to each row group."""
    changed = file.with_suffix(".changed")
    with pq.ParquetFile(file) as old, pq.ParquetWriter(changed, old.schema_arrow, compression="zstd") as new:
        for group in range(old.num_row_groups):
            new.write_table(change(old.read_row_group(group)))
    changed.replace(file)
