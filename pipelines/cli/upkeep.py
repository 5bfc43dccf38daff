"""Commands that keep the lake in order."""

from __future__ import annotations

from pipelines.cli.base import Json, app

PANEL = "Telemetry"


@app.command(rich_help_panel=PANEL)
def upkeep(*, json: Json = False) -> None:
    """Land what dead collectors left, merge small files, find gaps, remove old files; safe beside running collectors.

    The `telemetry` DAG does the same every hour.
    """
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.upkeep import upkeep as run

    show.report("kept up", run(load_settings()), as_json=json)
