"""One way to open DuckDB: bounded memory, no extension downloads, UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipelines.settings import Settings


def connect(
    settings: Settings,
    database: Path | None = None,
    *,
    read_only: bool = False,
    share: float = 1,
    at_most: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """A connection under Rocade's limits; the caller closes it.

    Args:
        settings: memory, threads and where to spill.
        database: a file, or in memory when absent.
        read_only: open the file without the writer's lock.
        share: of the memory in the settings; less than all for work that DuckDB does not count, such as writing wide Parquet.
        at_most: bytes of memory, where the settings give more.
    """
    settings.staging.mkdir(parents=True, exist_ok=True)  # DuckDB makes the last folder of its spill path only
    con = duckdb.connect(
        str(database) if database else ":memory:",
        read_only=read_only,
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": settings.duckdb_memory,
            "temp_directory": str(settings.staging / "duckdb-spill"),
        },
    )
    if share < 1 or at_most is not None:
        (limit,) = one_row(con, "SELECT parse_formatted_bytes(current_setting('memory_limit'))")
        allowed = int(limit * share)
        con.execute(f"SET memory_limit = '{allowed if at_most is None else min(allowed, at_most)}B'")
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")
    if settings.duckdb_threads:
        con.execute(f"SET threads = {settings.duckdb_threads}")
    return con


def one_row(con: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None) -> tuple[Any, ...]:
    """The single row of an aggregate, fetched to its end: DuckDB holds a connection until a result is exhausted."""
    (row,) = con.execute(query, values).fetchall()
    return tuple(row)


def literal(text: str | Path) -> str:
    """``text`` as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def text_list(texts: Iterable[str | Path]) -> str:
    """Literals with commas between."""
    return ", ".join(map(literal, texts))


def column_list(names: Iterable[str]) -> str:
    """``names`` as SQL; quoted, since a publisher may call a column ``order`` or ``at``."""
    return ", ".join(f'"{name}"' for name in names)
