"""Commands that lead from the catalogue, or from a file, to a contract and a table."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.cli.base import Json, app, progress

PANEL = "Any other dataset"


@app.command(rich_help_panel=PANEL)
def search(
    words: Annotated[list[str] | None, typer.Argument(help="Words, in French for the most part.")] = None,
    organization: Annotated[str | None, typer.Option(help="Only this publisher, by id or name in its address.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help="Only with a file of this format: csv, xlsx, …")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Only under this licence, such as lov2.")] = None,
    page: Annotated[int, typer.Option(min=1, help="Page of the results.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Datasets a page.")] = 20,
    *,
    json: Json = False,
) -> None:
    """Search the datasets of data.gouv.fr.

    Example: `rocade search bornes de recharge --format csv`
    """
    from pipelines.catalog import Query, open_catalog
    from pipelines.settings import load_settings
    from pipelines.show.datasets import search as show_search

    query = Query(" ".join(words or ()), organization, tag, file_format, licence, page, limit)
    with open_catalog(load_settings()) as catalog:
        show_search(catalog.search(query), as_json=json)


@app.command(rich_help_panel=PANEL)
def describe(
    dataset: Annotated[str, typer.Argument(help="An id, a slug or an address, of a dataset or of a resource.")],
    *,
    json: Json = False,
) -> None:
    """Show what the catalogue says of a dataset: publisher, licence, files, schemas.

    Example: `rocade describe https://www.data.gouv.fr/datasets/53698f4ca3a729239d2036df`
    """
    from pipelines.add import describe as run
    from pipelines.settings import load_settings
    from pipelines.show.datasets import description

    description(run(dataset, load_settings()), as_json=json)


@app.command(rich_help_panel=PANEL)
def inspect(
    source: Annotated[str, typer.Argument(help="A file or an address.")],
    *,
    json: Json = False,
) -> None:
    """Show what is in a file: its kind, encoding, header, columns with their types and why, faults, the contract it fits.

    Example: `rocade inspect export.xlsx`
    """
    from pipelines.propose.inspection import inspect_source
    from pipelines.settings import load_settings
    from pipelines.show.datasets import inspection

    inspection(inspect_source(source, load_settings(), progress(json)), as_json=json)


@app.command(rich_help_panel=PANEL)
def add(
    source: Annotated[str, typer.Argument(help="A dataset or resource of data.gouv.fr, any address, or a file.")],
    name: Annotated[str | None, typer.Option(help="Of the table; made from the title when absent.")] = None,
    resource: Annotated[str | None, typer.Option(help="The id of the resource to take.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the contract; write and ingest nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a contract of this name.")] = False,
    json: Json = False,
) -> None:
    """Propose a contract for a dataset, write it to your schemas folder, and ingest it.

    A contract that is there already is kept. Correct it as you like: the next ingest reads the file again.

    Example: `rocade add lave-linge.csv`
    """
    from pipelines.add import add as run
    from pipelines.settings import load_settings
    from pipelines.show.datasets import added

    result = run(source, load_settings(), progress(json), name=name, resource=resource, dry_run=dry_run, force=force)
    added(result, as_json=json)
    raise typer.Exit(max((outcome.exit_code for outcome in result.outcomes), default=0))
