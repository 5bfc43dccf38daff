"""Keys that stand more than once in a Parquet file: found cheaply, because nearly no file has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.lake.duck import column_list, literal, one_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb


def any_doubled(con: duckdb.DuckDBPyConnection, file: Path, key: Sequence[str]) -> bool:
    """Whether two rows of ``file`` may have the same key: false is certain, true is to be looked into.

    Each key becomes a number of 64 bits (8 bytes a row, 80 MB for ten million rows); sorted, equal ones are neighbours.
    Two keys of one number come about by chance once in a hundred thousand files of ten million rows, and cost a second look.
    To see first whether keys ascend, as they do in most files, costs more than it spares: decoding takes the time, not sorting.
    """
    rows = f"read_parquet({literal(file)})"
    (count,) = one_row(con, f"SELECT count(*) FROM {rows}")
    numbers = np.empty(count, np.uint64)
    filled = 0
    for batch in con.sql(f"SELECT hash({column_list(key)}) AS number FROM {rows}").to_arrow_reader(1_000_000):
        numbers[filled : filled + batch.num_rows] = batch["number"].to_numpy()
        filled += batch.num_rows
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())
