"""Rows of a new snapshot into a table that forgets nothing: by key, against all that the table holds.

A row leaves only for one with the same key, whichever resource brings it; a row that comes again unchanged is only seen
again; a key that the snapshot lacks stays. Belongs here: which rows meet and the files that come of it. Does not: committing
them (publish), casting older snapshots again (recast).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.contracts.model import OURS, SEEN
from pipelines.disk import settle
from pipelines.lake.duck import literal, one_row, text_list
from pipelines.lake.snapshot import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import duckdb

    from pipelines.contracts import Table
    from pipelines.lake import NewFile


#: The share of DuckDB's memory for a connection that merges: its writers of Parquet take as much again, uncounted.
MEMORY = 0.5


@dataclass(frozen=True)
class Merged:
    """What a snapshot makes of the files that a table holds.

    Attributes:
        files: written, to be committed.
        removed: of those held, the ones in whose place ``files`` are.
        added: rows with a key that was not there.
        changed: rows in the place of one with the same key.
        same: rows that were there as they are; only their ``last_seen`` moved.
        older: rows that were left out, since the contract prefers the one that is there.
    """

    files: tuple[DataFile, ...]
    removed: tuple[DataFile, ...]
    added: int
    changed: int
    same: int
    older: int


def merge(
    con: duckdb.DuckDBPyConnection,
    held: Sequence[DataFile],
    staged: Path,
    table: Table,
    resource: str,
    seen_at: datetime,
    new_file: NewFile,
) -> Merged:
    """Write the files that ``held`` become when the rows of ``staged`` join them; memory is bounded by DuckDB's limit.

    Args:
        con: for scratch tables; opened with the share ``MEMORY``.
        held: the table's files, by ``source_resource``.
        staged: clean rows as conform gives them, a key once.
        table: its key, what it prefers, its columns.
        resource: which brings them.
        seen_at: when the snapshot was fetched, with its time zone.
        new_file: gives a path for a file of a partition.
    """
    con.execute("SET preserve_insertion_order = false")  # else it holds many row groups until their turn to be written
    fates = _meet(con, held, staged, table)
    touched = _touched(con, held)
    by_resource: dict[str, list[DataFile]] = defaultdict(list)
    for file in touched:
        by_resource[str(file.partition["source_resource"])].append(file)
    clean = _count(con, f"SELECT count(*) FROM {_parquet([str(staged)])}")
    joining = clean - fates["same"] - fates["older"]
    moment = f"TIMESTAMPTZ '{seen_at.isoformat()}'"
    written = []
    for owner in dict.fromkeys([resource, *by_resource]):
        parts = []
        if by_resource[owner]:
            parts.append(_remaining([file.path for file in by_resource[owner]], table, moment))
        if owner == resource and joining:
            parts.append(_joining(staged, table, moment))
        if parts:
            written.append(_write(con, parts, {"source_resource": owner}, new_file))
    return Merged(
        files=tuple(file for file in written if file.rows),
        removed=tuple(touched),
        added=joining - fates["changed"],
        changed=fates["changed"],
        same=fates["same"],
        older=fates["older"],
    )


def _meet(con: duckdb.DuckDBPyConnection, held: Sequence[DataFile], staged: Path, table: Table) -> Counter[str]:
    """Fill ``met``: for each key that is on both sides where its rows stand, and their fate; gives how many of each.

    A row is named by its number in its file: keys may be long texts, and millions of them must fit into memory.
    Names of ours begin with an underscore, as no column of a contract can.
    """
    same = " AND ".join(f'l."{c}" IS NOT DISTINCT FROM s."{c}"' for c in table.column_names if c not in OURS)
    paths = [file.path for file in held]
    con.execute("DROP TABLE IF EXISTS met")
    con.execute("DROP TYPE IF EXISTS held_file")
    con.execute(f"CREATE TEMP TYPE held_file AS ENUM ({text_list(paths)})")
    con.execute(
        "CREATE TEMP TABLE met(_file held_file, _row BIGINT, _new BIGINT, _first_seen TIMESTAMPTZ, "
        "_fate ENUM('older', 'same', 'changed'))"
    )
    if not held:
        return Counter()
    con.execute(f"""
        INSERT INTO met SELECT l._file, l.file_row_number, s.file_row_number, l.first_seen,
            CASE WHEN {_preferred(table.prefer)} THEN 'older' WHEN {same} THEN 'same' ELSE 'changed' END
        FROM {_parquet(paths, filename="_file")} l
        JOIN {_parquet([str(staged)])} s ON {_equal(table.primary_key, "l", "s")}""")
    return Counter(dict(con.execute("SELECT _fate, count(*) FROM met GROUP BY _fate").fetchall()))


def _preferred(prefer: Iterable[str]) -> str:
    """SQL that is true where the row of the lake is strictly greater; nulls are smallest."""
    condition = "false"
    for column in reversed(list(prefer)):
        lake, new = f'l."{column}"', f's."{column}"'
        greater = f"({lake} IS NOT NULL AND ({new} IS NULL OR {lake} > {new}))"
        condition = f"({greater} OR ({lake} IS NOT DISTINCT FROM {new} AND {condition}))"
    return condition


def _touched(con: duckdb.DuckDBPyConnection, held: Sequence[DataFile]) -> list[DataFile]:
    found = con.execute("SELECT DISTINCT _file FROM met WHERE _fate <> 'older'").fetchall()
    paths = {path for (path,) in found}
    return [file for file in held if file.path in paths]


def _remaining(paths: Sequence[str], table: Table, moment: str) -> str:
    """The rows of touched files that stay, those that came again seen at ``moment``."""
    columns = ", ".join(f'l."{column}"' for column in _in_file(table) if column not in SEEN.names)
    return f"""
        SELECT {columns}, l.first_seen,
            CASE WHEN m._fate = 'same' THEN greatest(l.last_seen, {moment}) ELSE l.last_seen END AS last_seen
        FROM {_parquet(paths, filename="_file")} l
        LEFT JOIN met m ON l._file::held_file = m._file AND l.file_row_number = m._row
        WHERE m._fate IS DISTINCT FROM 'changed'"""


def _joining(staged: Path, table: Table, moment: str) -> str:
    """The rows of the snapshot that are new, or take the place of another."""
    columns = ", ".join(f's."{column}"' for column in _in_file(table) if column not in SEEN.names)
    return f"""
        SELECT {columns}, coalesce(m._first_seen, {moment}) AS first_seen, {moment} AS last_seen
        FROM {_parquet([str(staged)])} s LEFT JOIN met m ON s.file_row_number = m._new
        WHERE m._fate IS NULL OR m._fate = 'changed'"""


def _in_file(table: Table) -> list[str]:
    """The columns that stand in a file: the partition is in its path."""
    return [name for name in table.column_names if name != "source_resource"]


def _write(
    con: duckdb.DuckDBPyConnection,
    parts: Sequence[str],
    partition: Mapping[str, str],
    new_file: NewFile,
) -> DataFile:
    """``parts`` as one file; it is gone again where they have no row."""
    target = new_file(partition)
    rows = _count(
        con,
        f"COPY ({' UNION ALL BY NAME '.join(parts)}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)",
    )
    if not rows:
        target.unlink()
        return DataFile(str(target), dict(partition), 0, 0)
    settle(target, target)
    return DataFile(str(target), dict(partition), rows, target.stat().st_size)


def _equal(columns: Iterable[str], left: str, right: str) -> str:
    return " AND ".join(f'{left}."{column}" = {right}."{column}"' for column in columns)


def _parquet(paths: Sequence[str], *, filename: str | None = None) -> str:
    named = f", filename='{filename}'" if filename else ""
    return (
        f"read_parquet([{text_list(paths)}], union_by_name=true, hive_partitioning=false, file_row_number=true{named})"
    )


def _count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    (count,) = one_row(con, query)
    return int(count)
