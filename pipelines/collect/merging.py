"""Merging files of readings of one day: in order, every reading once, in bounded memory.

Belongs here: the rows. Does not: which files are merged, and the commit (compaction.py).

What is in the files is counted by vehicle and signal first; then as many of these as fit into memory are read at a time,
freed of what came twice and put in order. Files that are themselves in order give each part without being read whole.
Sorting everything at once in DuckDB takes five times the CPU: it compares strings where small integers do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.collect.parquet import ROW_GROUP, in_order, open_file, without_unused
from pipelines.collect.tables import IDENTITY, PARTITION, READINGS_SCHEMA
from pipelines.disk import sync_file
from pipelines.lake.duck import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import duckdb
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

MEMORY = 300 << 20
"""Bytes that DuckDB may use for it; Arrow takes about as much again for a part."""

_PART_ROWS = 1_500_000
_COLUMNS = [each for each in READINGS_SCHEMA if each.name not in PARTITION]
_REPEATED = [each.name for each in _COLUMNS if pa.types.is_dictionary(each.type)]
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xFF51AFD7ED558CCD)


@dataclass
class Merged:
    """What a merge wrote.

    Attributes:
        files: new files, durable and not committed.
        before: rows of the files that were read.
        rows: rows of the new ones.
    """

    files: list[Path] = field(default_factory=list)
    before: int = 0
    rows: int = 0


def merge(con: duckdb.DuckDBPyConnection, relation: str, new_file: Callable[[], Path], goal: int, least: int) -> Merged:
    """Write the readings of ``relation`` anew, of those with the same identity the one received first.

    Args:
        con: with ``MEMORY`` at most.
        relation: a DuckDB table expression over files of one day.
        new_file: gives fresh paths.
        goal: bytes of a new file, about.
        least: bytes that a last file must promise to be begun; else the one before it takes its rows.
    """
    con.execute(f"CREATE OR REPLACE TEMP VIEW held AS SELECT * FROM {relation}")
    for name in _REPEATED:
        con.execute(f"DROP TYPE IF EXISTS {name}_name")
        names = f"SELECT DISTINCT {name} FROM held WHERE {name} IS NOT NULL ORDER BY 1"
        con.execute(f"CREATE TYPE {name}_name AS ENUM ({names})")
    groups = con.execute("SELECT vehicle, signal, count(*) FROM held GROUP BY ALL ORDER BY ALL").fetchall()
    merged = Merged(before=sum(count for _, _, count in groups))
    left, here, writer = merged.before, 0, None
    try:
        for where, count in _parts(groups):
            rows = in_order(without_unused(_once(_read(con, where))))
            if writer is None:
                merged.files.append(new_file())
                writer, here = open_file(merged.files[-1], rows.schema), 0
            _write(writer, rows)
            merged.rows, here, left = merged.rows + rows.num_rows, here + rows.num_rows, left - count
            size = merged.files[-1].stat().st_size
            if size >= goal and left * size / here >= least:
                _close(writer, merged.files[-1])
                writer = None
    finally:
        if writer is not None:
            _close(writer, merged.files[-1])
    return merged


def _parts(groups: list[tuple[str, str, int]]) -> Iterator[tuple[str, int]]:
    """Conditions that take one part of the groups after the other, with their rows."""
    first, rows = 0, 0
    for at, (_, _, count) in enumerate(groups):
        rows += count
        if at + 1 == len(groups) or rows + groups[at + 1][2] > _PART_ROWS:
            yield _between(groups[first][:2], groups[at][:2]), rows
            first, rows = at + 1, 0


def _between(first: tuple[str, str], last: tuple[str, str]) -> str:
    vehicles, signals = (literal(first[0]), literal(last[0])), (literal(first[1]), literal(last[1]))
    return (
        # The first condition lets DuckDB pass over row groups of other vehicles.
        f"vehicle BETWEEN {vehicles[0]} AND {vehicles[1]} AND (vehicle > {vehicles[0]} OR signal >= {signals[0]}) "
        f"AND (vehicle < {vehicles[1]} OR signal <= {signals[1]})"
    )


def _read(con: duckdb.DuckDBPyConnection, where: str) -> pa.Table:
    named = [
        f'"{each.name}"::{each.name}_name AS "{each.name}"' if each.name in _REPEATED else f'"{each.name}"'
        for each in _COLUMNS
    ]
    return con.sql(f"SELECT {', '.join(named)} FROM held WHERE {where}").to_arrow_table()


def _once(rows: pa.Table) -> pa.Table:
    """``rows`` without those whose identity an earlier received one has."""
    keys = [_numbers(rows.column(name)) for name in IDENTITY]
    mixed = np.zeros(rows.num_rows, np.uint64)
    for key, odd in zip(keys, _ODD, strict=True):
        mixed += key.astype(np.uint64) * np.uint64(odd)
        mixed ^= mixed >> np.uint64(29)
    ascending = np.sort(mixed)
    repeated = ascending[1:][ascending[1:] == ascending[:-1]]
    if not len(repeated):  # equal identities mix alike, so there are none
        return rows
    suspects = np.flatnonzero(np.isin(mixed, repeated))
    received = _numbers(rows.column("received_at"))
    suspects = suspects[np.lexsort((received[suspects], *(key[suspects] for key in keys)))]
    again = np.ones(len(suspects), np.bool_)
    again[0] = False
    for key in keys:
        again[1:] &= key[suspects[1:]] == key[suspects[:-1]]
    keep = np.ones(rows.num_rows, np.bool_)
    keep[suspects[again]] = False
    return rows.filter(pa.array(keep))


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each value, equal for equal values; a dictionary's places, an instant's microseconds."""
    values = column.unify_dictionaries().combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.indices
    numbers: NDArray[np.int64] = values.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers


def _write(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    for first in range(0, rows.num_rows, ROW_GROUP):
        writer.write_table(without_unused(rows.slice(first, ROW_GROUP)), row_group_size=ROW_GROUP)


def _close(writer: pq.ParquetWriter, file: Path) -> None:
    writer.close()
    sync_file(file)
