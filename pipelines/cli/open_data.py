"""Commands on the datasets that Rocade has a contract for."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.base import Json, app, progress

PANEL = "Open data"


class DataFormat(StrEnum):
    """What `rocade export` writes rows as."""

    parquet = "parquet"
    csv = "csv"


@app.command(rich_help_panel=PANEL)
def ingest(
    dataset: Annotated[str, typer.Argument(help="A contract in schemas/, such as `accidents`.")],
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", "-r", help="A file or address to ingest instead of the catalogue's."),
    ] = None,
    since: Annotated[int | None, typer.Option(help="Only vintages from this year on, from the catalogue.")] = None,
    *,
    strict: Annotated[bool, typer.Option(help="Exit with 3 when any row was rejected.")] = False,
    accept_shrink: Annotated[
        bool,
        typer.Option("--accept-shrink", help="Publish although a resource lost many rows, or all cells of a column."),
    ] = False,
    json: Json = False,
) -> None:
    """Bring a dataset of data.gouv.fr into the lake: catalogue, fetch, conform, gate, publish.

    Running it twice changes nothing and says so.

    Example: `rocade ingest accidents -r lieux-2018.csv -r vehicules-2018.csv`
    """
    from pipelines import show
    from pipelines.ingest import ingest as run
    from pipelines.settings import load_settings

    vintages = range(since, datetime.now(UTC).year + 1) if since is not None else None
    outcomes = run(dataset, load_settings(), progress(json), resource, vintages=vintages, accept_shrink=accept_shrink)
    show.ingest(outcomes, as_json=json)
    code = max((outcome.exit_code for outcome in outcomes), default=0)
    quarantined = any(outcome.quarantined for outcome in outcomes)
    raise typer.Exit(code or (3 if strict and quarantined else 0))


@app.command(rich_help_panel=PANEL)
def quarantine(
    rows: Annotated[int, typer.Option(help="Also show this many rejected rows, with line, column and value.")] = 0,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    *,
    json: Json = False,
) -> None:
    """Count what was rejected, by table and reason; rows wait there with file, line, column and value."""
    from pipelines import show
    from pipelines.lake.quarantine import reasons, rejected_rows
    from pipelines.settings import load_settings

    settings = load_settings()
    show.quarantine(reasons(settings, reason), rejected_rows(settings, reason, rows) if rows else [], as_json=json)


@app.command(rich_help_panel=PANEL)
def export(
    name: Annotated[str, typer.Argument(help="A table of open data (core.accidents), or a dataset (accidents).")],
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.", file_okay=False)],
    output: Annotated[DataFormat, typer.Option("--format", "-f", help="Of the data files.")] = DataFormat.parquet,
) -> None:
    """Write tables as files beside a datapackage.json: licence, sources, dictionary, keys and code lists.

    Example: `rocade export accidents ./out --format csv`
    """
    from pipelines.package import export as run
    from pipelines.settings import load_settings

    typer.echo(f"written: {run(load_settings(), name, folder, output.value)}")
