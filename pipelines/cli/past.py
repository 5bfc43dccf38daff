"""Commands on the versions of a table, and on where its rows come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.base import Json, app

PANEL = "What was published before"


#: Rows of a difference that are shown when somebody asks for a column's and not for how many.
_A_FEW = 20


@app.command(rich_help_panel=PANEL)
def history(
    table: Annotated[str, typer.Argument(help="A table of the lake, such as core.accidents.")],
    limit: Annotated[int | None, typer.Option(help="Only the newest versions.")] = None,
    *,
    json: Json = False,
) -> None:
    """Show a table's versions: when, what, from which resource and bytes."""
    from pipelines import show
    from pipelines.lake import Lake
    from pipelines.settings import load_settings

    show.history(table, Lake(load_settings().lake).history(table, limit), as_json=json)


@app.command(rich_help_panel=PANEL)
def diff(
    table: Annotated[str, typer.Argument(help="A table of the lake, such as core.accidents.")],
    since: Annotated[str | None, typer.Option("--from", help="A version, a day or a moment.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The same; the newest version when absent.")] = None,
    rows: Annotated[int, typer.Option(help="Also show this many rows that differ.", min=0)] = 0,
    where: Annotated[str | None, typer.Option(help="Of the rows, only those in which this column changed.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write all rows that differ to this Parquet file, a line a value.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show what changed between two versions of a table: rows by key, and in which columns.

    Without --from and --to: the newest change. Rows are keyed by the contract; where a row came from is no difference.

    Example: `rocade diff core.station_traffic --from 2026-01-31 --where travellers --rows 20`
    """
    from pipelines import show
    from pipelines.compare import compare, differing_rows, versions, write_differing_rows
    from pipelines.settings import load_settings

    with versions(load_settings(), table, since, until) as (con, both):
        found = compare(con, both)
        if output is not None:
            write_differing_rows(con, both, output, where)
        wanted = rows or (_A_FEW if where else 0)
        show.difference(found, differing_rows(con, both, where, wanted) if wanted else None, as_json=json)


@app.command(rich_help_panel=PANEL)
def trace(
    table: Annotated[str, typer.Argument(help="A table of open data, such as core.accidents.")],
    key: Annotated[list[str], typer.Argument(help="Values of its key, in order, or column=value.")],
    *,
    json: Json = False,
) -> None:
    """Lead from a row back to its resource, its bytes and the line that the publisher wrote; also for rows in quarantine.

    Example: `rocade trace core.accidents 201900000001`
    """
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.trace import trace as run

    show.traces(run(load_settings(), table, key), as_json=json)
