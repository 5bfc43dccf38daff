"""Commands about this installation, and for trying things out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.base import Json, app, progress

PANEL = "Tools"


@app.command(rich_help_panel=PANEL)
def mirror(
    folder: Annotated[
        Path, typer.Argument(help="Data files beside a dataset.json; one sub-folder a dataset.", exists=True)
    ],
    port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8000,
) -> None:
    """Serve a folder in the shapes of the data.gouv.fr API, on this machine only.

    Then: `ROCADE_DATAGOUV_URL=http://127.0.0.1:8000 rocade ingest accidents`
    """
    from pipelines.demo.mirror import Mirror

    served = Mirror(folder, port=port)
    typer.echo(f"serving {folder} at {served.url} (Ctrl-C stops)")
    served.serve_forever()


@app.command(rich_help_panel=PANEL)
def demo(*, json: Json = False) -> None:
    """Run the whole road once on a small scale: open data, telemetry, Airflow, tables."""
    from pipelines.demo.run import demo as run
    from pipelines.demo.summary import summarise
    from pipelines.settings import load_settings

    settings = load_settings()
    summarise(run(settings, progress(json)), settings, as_json=json)


@app.command(rich_help_panel=PANEL)
def doctor(
    mosquitto: Annotated[
        Path | None,
        typer.Option(help="Check this mosquitto.conf instead: does it keep every message, and the cars apart?"),
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Check this installation: settings in force, folders, broker, catalogue, what is missing."""
    from pipelines import show
    from pipelines.doctor import examine
    from pipelines.mosquitto import examine_mosquitto
    from pipelines.settings import load_settings

    settings = load_settings()
    checks = examine(settings) if mosquitto is None else examine_mosquitto(mosquitto, settings)
    show.doctor(checks, as_json=json)
    raise typer.Exit(1 if any(check.state == "broken" for check in checks) else 0)
