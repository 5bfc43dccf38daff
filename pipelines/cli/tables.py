"""Commands that derive tables and ask them."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.cli.base import Json, app, progress

PANEL = "Tables"


class Format(StrEnum):
    """How `rocade sql` prints rows."""

    table = "table"
    csv = "csv"
    json = "json"


@app.command(rich_help_panel=PANEL)
def build(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tables of sql/, such as big.consumption_by_model; all when absent.")
    ] = None,
    *,
    full: Annotated[bool, typer.Option(help="Rebuild every period, not only those whose inputs changed.")] = False,
    json: Json = False,
) -> None:
    """Derive the tables of sql/ from the lake and swap in public.duckdb and personal.duckdb."""
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.tables import build as run

    show.build(run(load_settings(), names=names or None, full=full, progress=progress(json)), as_json=json)


@app.command(rich_help_panel=PANEL)
def tables(*, json: Json = False) -> None:
    """List the tables: rows, versions, where they live, who may see them."""
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.tables import list_tables

    show.tables(list_tables(load_settings()), as_json=json)


@app.command(rich_help_panel=PANEL)
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT in DuckDB's dialect; `-` reads it from standard input.")],
    output: Annotated[Format, typer.Option("--format", "-f", help="How rows are printed.")] = Format.table,
    version: Annotated[
        list[str] | None, typer.Option(help="Show an open-data table as it was: core.accidents=3. May be repeated.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(help="Show all open-data tables, and them alone, as they were: 2026-05-01[T12:00], UTC."),
    ] = None,
    *,
    public: Annotated[bool, typer.Option(help="Only what is in public.duckdb: nothing personal.")] = False,
) -> None:
    """Ask the tables.

    Example: `rocade sql "SELECT * FROM big.accidents_by_department ORDER BY killed DESC LIMIT 5"`
    """
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.tables import run_query
    from pipelines.tables.past import versions_as_of, versions_named

    settings, text = load_settings(), sys.stdin.read() if query == "-" else query
    past = (versions_as_of(settings, as_of) if as_of else {}) | versions_named(settings, version or [])
    with run_query(settings, text, personal=not public, versions=past, only=as_of is not None) as rows:
        show.rows(rows, output.value)
