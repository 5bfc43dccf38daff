"""What two versions of a table have in common and what not: rows added, removed and changed by key, and in which columns.

Only files that are in one of the two versions alone are read: Delta says which. Columns of our own (where a row came from,
when it was seen) never make a difference. Values are compared exactly; a null is a value.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.contracts import find_table
from pipelines.contracts.model import OURS
from pipelines.errors import LakeError, SettingsError
from pipelines.lake import Lake, connect
from pipelines.lake.duck import literal, one_row
from pipelines.lake.versions import version_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from pipelines.lake import Snapshot
    from pipelines.settings import Settings


#: The share of DuckDB's memory for a connection that compares: what it does not count comes on top.
MEMORY = 0.5


@dataclass(frozen=True)
class Pair:
    """Two versions of a table, as SQL over the files that only one of them has.

    Attributes:
        old, new: relations with the same columns.
        key: what makes a row the same row; empty where rows have no key, and are then only there or not there.
        columns: the others that are compared.
        columns_added, columns_removed: those that only one of the versions has; they are not compared.
    """

    table: str
    since: int
    until: int
    old: str
    new: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """How much two versions differ.

    Attributes:
        since, until: the versions.
        key: by which rows were compared; empty where the table has none.
        added, removed, changed: rows.
        columns: for each column that changed somewhere, in how many rows.
        columns_added, columns_removed: those that only one of the versions has.
    """

    table: str
    since: int
    until: int
    key: tuple[str, ...]
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()


def last_change(lake: Lake, name: str, until: int | None = None) -> tuple[int, int]:
    """The version before the newest change of ``name``'s files, and the one that made it; none after ``until`` counts.

    Raises:
        LakeError: there is no such table, or nothing was changed yet.
    """
    newest = lake.snapshot(name, until)
    while newest.version > 0:
        before = lake.snapshot(name, newest.version - 1)
        if {file.path for file in before.files} != {file.path for file in newest.files}:
            return before.version, newest.version
        newest = before
    raise LakeError(f"{name} has not changed yet", fix=f"`rocade history {name}` lists its versions")


def pair(con: duckdb.DuckDBPyConnection, settings: Settings, name: str, since: int, until: int) -> Pair:
    """Versions ``since`` and ``until`` of ``name``, ready to be compared by the key of its contract."""
    lake = Lake(settings.lake)
    old, new = lake.snapshot(name, since), lake.snapshot(name, until)
    shared = {file.path for file in old.files} & {file.path for file in new.files}
    sides = [each.relation_sql([file for file in each.files if file.path not in shared]) for each in (old, new)]
    before, after = _published(old), _published(new)
    columns = [column for column in after if column in before]
    as_text = [name for name in columns if not _comparable(old.schema.field(name).type, new.schema.field(name).type)]
    if as_text:
        replaced = ", ".join(f'"{column}"::VARCHAR AS "{column}"' for column in as_text)
        sides = [f"(SELECT * REPLACE ({replaced}) FROM {side})" for side in sides]
    key = tuple(key_of(name, settings))
    if not key or not set(key) <= set(columns) or not all(_is_unique(con, side, key) for side in sides):
        key = ()
    return Pair(
        table=name,
        since=since,
        until=until,
        old=sides[0],
        new=sides[1],
        key=key,
        columns=tuple(column for column in columns if column not in key),
        columns_added=tuple(column for column in after if column not in before),
        columns_removed=tuple(column for column in before if column not in after),
    )


def compare(con: duckdb.DuckDBPyConnection, both: Pair) -> Difference:
    """How much the two versions differ, in one scan of each."""
    figures = one_row(con, _figures_by_key(both) if both.key else _figures_by_row(both))
    added, removed, changed, *by_column = (int(figure or 0) for figure in figures)
    return Difference(
        both.table,
        both.since,
        both.until,
        both.key,
        added,
        removed,
        changed,
        {column: rows for column, rows in zip(both.columns, by_column, strict=False) if rows},
        both.columns_added,
        both.columns_removed,
    )


def differing_rows_sql(both: Pair, column: str | None = None) -> str:
    """A query for the rows that differ, in a long form: a row for each value that changed, one for each row that came or went.

    With a key: its columns, ``change``, ``column_name``, ``old``, ``new`` (as text; for a row that came or went these three are
    null). Without: the columns, ``change``, and ``times``, since equal rows may stand more than once. A column of the table that
    is called like one of these gets an underscore.

    Args:
        both: the versions.
        column: only rows in which this column changed.

    Raises:
        SettingsError: there is no such column, or rows have no key by which they could have changed.
    """
    if column is not None and column not in both.columns:
        raise SettingsError(
            f"{column} is not among the columns that are compared by key",
            where=both.table,
            fix=f"they are {', '.join(both.columns)}" if both.key else "its rows have no key: they come and go whole",
        )
    if not both.key:
        columns = ", ".join(_renamed(f'"{name}"', name, ("change", "times")) for name in both.columns)
        return f"SELECT {columns}, if(_n > 0, 'added', 'removed') AS change, abs(_n) AS times FROM {_tally(both)}"
    given = ("change", "column_name", "old", "new")
    key = ", ".join(_renamed(f'coalesce(a."{name}", b."{name}")', name, given) for name in both.key)
    wanted = both.columns if column is None else (column,)
    cells = ", ".join(_cell(name) for name in wanted)
    changed = f"list_filter([{cells}]::{_CELL}[], lambda _each: _each.change IS NOT NULL)"
    whole = f"""
        CASE WHEN a._here IS NULL THEN [{_whole("added")}] WHEN b._here IS NULL THEN [{_whole("removed")}]
        ELSE {changed} END"""
    return f"""
        SELECT * EXCLUDE _cell, _cell.change, _cell.column_name, _cell.old, _cell.new
        FROM (SELECT {key}, unnest({changed if column else whole}) AS _cell FROM {_joined(both, inner=column is not None)})"""


def differing_rows(
    con: duckdb.DuckDBPyConnection, both: Pair, column: str | None = None, limit: int | None = None
) -> pa.RecordBatchReader:
    """The rows that differ as batches in the order of their key, see ``differing_rows_sql``; at most ``limit`` of them."""
    at_most = f" LIMIT {limit}" if limit is not None else ""
    order = f" ORDER BY {', '.join(str(index + 1) for index in range(len(both.key)))}" if both.key else ""
    return con.sql(f"FROM ({differing_rows_sql(both, column)}){order}{at_most}").to_arrow_reader()


def write_differing_rows(con: duckdb.DuckDBPyConnection, both: Pair, target: Path, column: str | None = None) -> int:
    """The rows that differ as the Parquet file ``target``, in no order: there may be millions; gives how many lines it has."""
    con.execute("SET preserve_insertion_order = false")
    draft = target.with_name(f".{target.name}.draft")
    query = differing_rows_sql(both, column)
    try:
        (lines,) = one_row(con, f"COPY ({query}) TO {literal(draft)} (FORMAT parquet, COMPRESSION zstd)")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return int(lines)


@contextmanager
def versions(
    settings: Settings, name: str, since: str | None, until: str | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Pair]]:
    """A connection and the pair to compare on it.

    Args:
        settings: where the lake is.
        name: a table.
        since: a version by its number, or by a day or moment; the one before the last change when absent.
        until: the same; the newest when absent, and then the last change when ``since`` is absent, too.

    Raises:
        LakeError: there is no such version, or nothing has changed yet.
        SettingsError: one of the two is neither a number nor a moment.
    """
    lake = Lake(settings.lake)
    if since is None:
        before, after = last_change(lake, name, None if until is None else version_named(lake, name, until))
    else:
        before = version_named(lake, name, since)
        after = lake.open(name).version() if until is None else version_named(lake, name, until)
    with connect(settings, share=MEMORY) as con:
        yield con, pair(con, settings, name, before, after)


def key_of(name: str, settings: Settings) -> tuple[str, ...]:
    """The primary key that a contract gives table ``name``; empty where it gives none."""
    known = find_table(name, settings.own_schemas)
    return known[1].primary_key if known else ()


_CELL = "STRUCT(change VARCHAR, column_name VARCHAR, old VARCHAR, new VARCHAR)"


def _cell(column: str) -> str:
    return (
        f"""{{'change': if(a."{column}" IS DISTINCT FROM b."{column}", 'changed', NULL), 'column_name': {literal(column)}, """
        f"""'old': a."{column}"::VARCHAR, 'new': b."{column}"::VARCHAR}}"""
    )


def _whole(change: str) -> str:
    return f"{{'change': '{change}', 'column_name': NULL, 'old': NULL, 'new': NULL}}::{_CELL}"


def _joined(both: Pair, *, inner: bool = False) -> str:
    on = " AND ".join(f'a."{name}" = b."{name}"' for name in both.key)
    kind = "JOIN" if inner else "FULL JOIN"
    # Names of ours begin with an underscore, as no column of a contract can.
    return f"(SELECT true AS _here, * FROM {both.old}) a {kind} (SELECT true AS _here, * FROM {both.new}) b ON {on}"


def _renamed(value: str, name: str, given: Sequence[str]) -> str:
    return f'{value} AS "{name}_"' if name in given else f'{value} AS "{name}"'


def _figures_by_key(both: Pair) -> str:
    differs = [f'a."{column}" IS DISTINCT FROM b."{column}"' for column in both.columns]
    counts = [f"count(*) FILTER (both_here AND d{index})" for index in range(len(differs))]
    flags = [f"{condition} AS d{index}" for index, condition in enumerate(differs)]
    anything = " OR ".join(f"d{index}" for index in range(len(differs))) or "false"
    selected = ", ".join(["a._here IS NULL AS came", "b._here IS NULL AS went", *flags])
    rows = ["count(*) FILTER (came)", "count(*) FILTER (went)", "count(*) FILTER (both_here AND anything)"]
    return f"""
        SELECT {", ".join([*rows, *counts])}
        FROM (SELECT *, NOT came AND NOT went AS both_here, {anything} AS anything
              FROM (SELECT {selected} FROM {_joined(both)}))"""


def _tally(both: Pair) -> str:
    """Rows that one version has more often than the other; ``n`` is how much more often the new one has it."""
    columns = ", ".join(f'"{column}"' for column in both.columns)
    return f"""
        (SELECT {columns}, sum(_side) AS _n FROM (
            SELECT {columns}, -1 AS _side FROM {both.old} UNION ALL BY NAME SELECT {columns}, 1 AS _side FROM {both.new}
        ) GROUP BY {columns} HAVING sum(_side) <> 0)"""


def _figures_by_row(both: Pair) -> str:
    return f"SELECT sum(_n) FILTER (_n > 0), -sum(_n) FILTER (_n < 0), 0 FROM {_tally(both)}"


def _published(snapshot: Snapshot) -> list[str]:
    return [name for name in snapshot.schema.names if name not in OURS]


def _comparable(old: pa.DataType, new: pa.DataType) -> bool:
    """Whether values of the two types are the same when they are equal: 1 and 1.00, but not 7 and '07'."""
    kinds = (_is_number, pa.types.is_temporal)
    return bool(old == new) or any(is_kind(old) and is_kind(new) for is_kind in kinds)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_unique(con: duckdb.DuckDBPyConnection, relation: str, key: Sequence[str]) -> bool:
    """Whether the key of today's contract is one of that version, too."""
    columns = ", ".join(f'"{name}"' for name in key)
    nulls = " OR ".join(f'"{name}" IS NULL' for name in key)
    doubled = con.execute(
        f"SELECT 1 FROM (SELECT {columns}, count(*) AS _n FROM {relation} GROUP BY {columns}) WHERE _n > 1 OR {nulls} LIMIT 1"
    ).fetchall()
    return not doubled
