"""Reading the tables: a DuckDB connection that sees all of them and changes none, and a list of what there is.

Belongs here: what `rocade sql`, `rocade tables` and the HTTP service see. Does not: building (run).
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from pipelines.errors import TablesError
from pipelines.lake import Lake, connect
from pipelines.lake.duck import literal, text_list
from pipelines.settings import data_folder
from pipelines.tables import functions
from pipelines.tables.databases import table_versions
from pipelines.tables.plan import known_sources
from pipelines.tables.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from pipelines.settings import Settings


@dataclass(frozen=True)
class TableInfo:
    """A table of the lake, as `rocade tables` shows it.

    Args:
        name: ``layer.table``.
        privacy: ``public``, ``aggregate`` or ``personal``.
        rows: as the lake's log counts them.
        version: in the lake.
        committed_at: when that version was committed.
        files: Parquet files.
        bytes: their size.
    """

    name: str
    privacy: str
    rows: int
    version: int
    committed_at: datetime
    files: int
    bytes: int

    @property
    def layer(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


def list_tables(settings: Settings) -> list[TableInfo]:
    """Every table in the lake, by layer in the direction of flow and then by name."""
    lake = Lake(settings.lake)
    privacy = _privacy_of(lake)
    infos = [_info(lake, name, privacy[name]) for name in lake.names()]
    order = {"core": 0, "small": 1, "big": 2}
    return sorted(infos, key=lambda info: (order.get(info.layer, len(order)), info.name))


def open_query(
    settings: Settings, *, personal: bool, versions: Mapping[str, int] | None = None, only: bool = False
) -> duckdb.DuckDBPyConnection:
    """A connection in memory with the tables as views under their names; the caller closes it.

    Every table is shown as of now: from the two database files where they hold its newest version, else from the
    lake's files. The connection opens no other file and its settings are locked.

    Args:
        settings: where the state lives.
        personal: also show what is about one driver or one car: small.*, readings, samples, quarantine.
        versions: tables to show as they were at these versions (see ``past``).
        only: show no other table.
    """
    lake, past = Lake(settings.lake), versions or {}
    privacy = _privacy_of(lake)
    allowed = {name for name in lake.names() if personal or privacy[name] != "personal"}
    shown = set() if only else allowed - past.keys()
    con = connect(settings)
    functions.register(con)
    databases = [("public_db", settings.public_db), *([("personal_db", settings.personal_db)] if personal else [])]
    for alias, path in databases:
        fresh = {
            name for name, version in table_versions(path).items() if name in shown and version == lake.version(name)
        }
        _show_database(con, alias, path, fresh)
        shown -= fresh
    paths: list[str] = []
    for name in sorted(shown | (allowed & past.keys())):
        snapshot = lake.snapshot(name, past.get(name))
        paths += [file.path for file in snapshot.files]
        _show(con, name, snapshot.relation_sql())
    _lock(con, paths)
    return con


@contextmanager
def run_query(
    settings: Settings, text: str, *, personal: bool, versions: Mapping[str, int] | None = None, only: bool = False
) -> Iterator[pa.RecordBatchReader]:
    """The rows of one SELECT, as batches that are read while the context is open.

    Args:
        settings: where the state lives.
        text: one statement that only reads: SELECT, FROM, DESCRIBE, SUMMARIZE, SHOW.
        personal: as in ``open_query``.
        versions: as there.
        only: as there.

    Raises:
        TablesError: it is not one such statement, or DuckDB refuses it.
    """
    with closing(open_query(settings, personal=personal, versions=versions, only=only)) as con:
        try:
            kinds = [statement.type for statement in con.extract_statements(text)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise TablesError("a query is one SELECT", where="the query", fix="the tables cannot be changed by SQL")
            yield con.sql(text).to_arrow_reader()
        except duckdb.Error as error:
            raise TablesError(str(error), where="the query", fix="`rocade tables` lists what there is") from error


def _show_database(con: duckdb.DuckDBPyConnection, alias: str, path: Path, names: set[str]) -> None:
    """Attach a database file and show those of its tables."""
    if names:
        con.execute(f"ATTACH {literal(path)} AS {alias} (READ_ONLY)")
    for name in sorted(names):
        _show(con, name, f"{alias}.{name}")


def _show(con: duckdb.DuckDBPyConnection, name: str, relation: str) -> None:
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
    con.execute(f"CREATE VIEW {name} AS SELECT * FROM {relation}")


def _lock(con: duckdb.DuckDBPyConnection, paths: Iterable[str]) -> None:
    allowed = text_list(paths)
    con.execute(f"SET allowed_paths = [{allowed}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _privacy_of(lake: Lake) -> dict[str, str]:
    statements = read_statements(data_folder("sql"))
    return {**known_sources(lake, statements), **{each.name: each.privacy for each in statements}}


def _info(lake: Lake, name: str, privacy: str) -> TableInfo:
    snapshot = lake.snapshot(name)
    return TableInfo(
        name=name,
        privacy=privacy,
        rows=sum(file.rows or 0 for file in snapshot.files),
        version=snapshot.version,
        committed_at=lake.history(name, 1)[0].committed_at,
        files=len(snapshot.files),
        bytes=sum(file.size for file in snapshot.files),
    )
