"""Commands between the broker and the cars, real or made up."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.base import Json, app, progress

PANEL = "Telemetry"


@app.command(rich_help_panel=PANEL)
def collect(
    idle: Annotated[float | None, typer.Option(help="Stop after this many seconds without a message.")] = None,
    max_messages: Annotated[int | None, typer.Option(help="Stop after this many messages.")] = None,
    *,
    json: Json = False,
) -> None:
    """Take the cars' messages from the broker into core.readings until stopped (Ctrl-C or SIGTERM drain first).

    The broker is ROCADE_MQTT_URL. A message is acknowledged only when its readings are on disk.
    """
    import signal

    from pipelines import show
    from pipelines.collect import Collector, Until
    from pipelines.settings import load_settings

    collector = Collector(load_settings(), until=Until(idle_s=idle, messages=max_messages), progress=progress(json))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: collector.stop())
    show.report("collected", collector.run(), as_json=json)


@app.command(rich_help_panel=PANEL)
def replay(
    files: Annotated[list[Path], typer.Argument(help="Logs to publish.", exists=True, dir_okay=False)],
    layout: Annotated[
        str | None, typer.Option(help="What the files are, such as `twizy`; told from their headers when absent.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Times real time; 0 is as fast as the broker takes it.")] = 1.0,
    consent: Annotated[
        str, typer.Option(help="Published first: silent, service or service+statistics.")
    ] = "service+statistics",
    vehicle: Annotated[
        str | None, typer.Option(help="The car's id in the topic; the layout's own when absent.")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
            help="When a log without a clock begins (UTC); such that it ends now.",
        ),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Write the lines and cells that could not be sent here, as CSV.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Write the labelled events that came with the logs here, as JSON lines.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Publish real logs through MQTT as if the car were driving.

    Example: `rocade replay T1_03_29_2021.csv --speed 60`
    """
    from pipelines import show
    from pipelines.fleet.replay import replay as run
    from pipelines.settings import load_settings

    report = run(
        files,
        layout,
        load_settings(),
        speed=speed,
        consent=consent,
        vehicle=vehicle,
        start=start,
        rejects=rejects,
        truth=truth,
        progress=progress(json),
    )
    show.replayed(report, as_json=json)


@app.command(rich_help_panel=PANEL)
def simulate(
    vehicles: Annotated[int, typer.Option(min=1, help="Cars in the fleet.")] = 25,
    trips: Annotated[int, typer.Option(min=1, help="Trips a car.")] = 2,
    start: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; yesterday (UTC) when absent.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Times real time; 0 is as fast as the broker takes it.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet and trips.")] = 1,
    truth: Annotated[
        Path | None, typer.Option(help="Write what the simulator knows of each trip here, as JSON lines.")
    ] = None,
    *,
    faults: Annotated[bool, typer.Option(help="Send a few bad readings and a batch twice, too.")] = False,
    json: Json = False,
) -> None:
    """Drive a made-up fleet on French roads and publish it through MQTT."""
    from pipelines import show
    from pipelines.fleet.simulate import simulate as run
    from pipelines.settings import load_settings

    yesterday = datetime.combine(datetime.now(UTC).date() - timedelta(days=1), time.min)
    begin = (start or yesterday).replace(tzinfo=UTC)
    report = run(
        load_settings(),
        vehicles=vehicles,
        trips=trips,
        start=begin,
        seed=seed,
        speed=speed,
        faults=faults,
        truth=truth,
        progress=progress(json),
    )
    show.report("simulated", report, as_json=json)
