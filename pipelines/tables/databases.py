"""The two DuckDB files that serve the tables: one to give away whole, one that is personal.

Belongs here: copying table versions from the lake into a file, and what the file says about itself. Does not: which
rows a table has (run), queries (query).

A file is always written anew and put in the old one's place: a copy with some tables replaced would be quicker, and
would carry what was erased or suppressed since in its free blocks. Readers that have the old file open keep it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from pipelines.contracts import contract_names, load_contract
from pipelines.disk import settle
from pipelines.lake import Lake, connect
from pipelines.lake.duck import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.progress import Progress
    from pipelines.settings import Settings
    from pipelines.tables.statements import Statement

_META = """
CREATE SCHEMA meta;
CREATE TABLE meta.tables (
    name VARCHAR, "rows" BIGINT, lake_version BIGINT, built_at TIMESTAMPTZ, privacy VARCHAR, description VARCHAR
);
COMMENT ON TABLE meta.tables IS 'The tables of this file: rows, version in the lake, when they were copied here';
"""


@dataclass(frozen=True)
class DatabaseBuild:
    """What became of one of the two files.

    Args:
        path: the file.
        tables: how many tables it holds.
        rewritten: False when it was already up to date.
    """

    path: Path
    tables: int
    rewritten: bool


@dataclass(frozen=True)
class _Entry:
    """A table that belongs in a file, as it is in the lake now."""

    name: str
    version: int
    privacy: str
    description: str
    columns: Mapping[str, str]


def refresh_databases(
    settings: Settings, statements: Sequence[Statement], progress: Progress
) -> tuple[DatabaseBuild, ...]:
    """Bring ``public.duckdb`` and ``personal.duckdb`` up to date with the lake.

    The public file holds what contracts make from open data, and the public and aggregate tables of sql/; the personal
    one holds small.*. Readings and samples stay in the lake alone, where `rocade sql` reads them.
    """
    lake = Lake(settings.lake)
    public = [
        *_open_data(lake),
        *(_derived(lake, each) for each in statements if each.privacy != "personal" and lake.exists(each.name)),
    ]
    personal = [_derived(lake, each) for each in statements if each.layer == "small" and lake.exists(each.name)]
    return tuple(
        _refresh(settings, lake, path, entries, progress)
        for path, entries in ((settings.public_db, public), (settings.personal_db, personal))
    )


def table_versions(path: Path) -> dict[str, int]:
    """The lake version of each table in a database file; empty when there is no file."""
    if not path.exists():
        return {}
    with duckdb.connect(str(path), read_only=True) as con:
        return dict(con.execute("SELECT name, lake_version FROM meta.tables").fetchall())


def _refresh(
    settings: Settings, lake: Lake, path: Path, entries: Sequence[_Entry], progress: Progress
) -> DatabaseBuild:
    if _holds(path, entries):
        return DatabaseBuild(path, len(entries), rewritten=False)
    following = path.with_name(f"{path.stem}.next.duckdb")
    for leftover in (following, following.with_name(following.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with progress.step(f"write {path.name}", len(entries), "tables") as step:
        with connect(settings, following) as con:
            con.execute(_META)
            for entry in entries:
                _copy(con, lake, entry)
                step.advance()
            con.execute("CHECKPOINT")
        settle(following, path)
    return DatabaseBuild(path, len(entries), rewritten=True)


def _holds(path: Path, entries: Sequence[_Entry]) -> bool:
    if not path.exists():
        return False
    with duckdb.connect(str(path), read_only=True) as con:
        present = con.execute("SELECT name, lake_version, description FROM meta.tables").fetchall()
    return sorted(present) == sorted((entry.name, entry.version, entry.description) for entry in entries)


def _copy(con: duckdb.DuckDBPyConnection, lake: Lake, entry: _Entry) -> None:
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {entry.name.partition('.')[0]}")
    con.execute(f"CREATE TABLE {entry.name} AS SELECT * FROM {lake.relation_sql(entry.name, version=entry.version)}")
    con.execute(f"COMMENT ON TABLE {entry.name} IS {literal(entry.description)}")
    for column, text in entry.columns.items():
        con.execute(f'COMMENT ON COLUMN {entry.name}."{column}" IS {literal(text)}')
    con.execute(
        f"INSERT INTO meta.tables SELECT ?, count(*), ?, ?, ?, ? FROM {entry.name}",
        [entry.name, entry.version, datetime.now(UTC), entry.privacy, entry.description],
    )


def _open_data(lake: Lake) -> list[_Entry]:
    entries = []
    for contract in map(load_contract, contract_names()):
        for table in contract.tables if contract.datagouv else ():
            if not lake.exists(table.qualified_name):
                continue
            version = lake.open(table.qualified_name).version()
            description = (
                f"{table.title}. {contract.title}, {contract.publisher}, {contract.homepage}, "
                f"licence {contract.licence}. Each row names the bytes and the line it comes from. "
                f"Lake version {version}."
            )
            units = {
                f.name: f"{f.title or f.name}{f', {f.unit}' if f.unit else ''}"
                for f in table.fields
                if f.type != "code"
            }
            present = set(lake.snapshot(table.qualified_name).schema.names)
            columns = {name: text for name, text in units.items() if name in present and text != name}
            entries.append(_Entry(table.qualified_name, version, "public", description, columns))
    return entries


def _derived(lake: Lake, statement: Statement) -> _Entry:
    version = lake.open(statement.name).version()
    description = (
        f"{statement.grain}. Made from {', '.join(statement.inputs)} by sql/{statement.layer}/{statement.path.name}. "
        f"{_CLASSES[statement.privacy]} Lake version {version}."
    )
    hidden = {"dominance"} if statement.privacy == "aggregate" else set()
    columns = {name: text for name, text in statement.columns.items() if name not in hidden}
    return _Entry(statement.name, version, statement.privacy, description, columns)


_CLASSES = {
    "public": "Made from open data.",
    "aggregate": "Anonymised: cells of few cars, or of one car above all, are left out.",
    "personal": "Personal data: one driver, one car. Not to be given away.",
}
