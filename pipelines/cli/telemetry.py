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
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the telemetry; a core each is enough.")] = 1,
    idle: Annotated[float | None, typer.Option(help="Stop after this many seconds without a message.")] = None,
    max_messages: Annotated[int | None, typer.Option(help="Stop after this many messages.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve metrics for Prometheus on this port.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Take the cars' messages from the broker into core.readings until stopped (Ctrl-C or SIGTERM drain first).

    The broker is ROCADE_MQTT_URL. A message is acknowledged only when its readings are on disk.
    """
    import signal
    from contextlib import ExitStack

    from pipelines import show
    from pipelines.collect import Collector, Until, Workers
    from pipelines.collect.metrics import served
    from pipelines.collect.workers import retire_former
    from pipelines.settings import load_settings

    settings, until, told = load_settings(), Until(idle_s=idle, messages=max_messages), progress(json)
    collector: Collector | Workers = (
        Collector(settings, until=until, progress=told)
        if workers == 1
        else Workers(settings, workers, until=until, progress=told)
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: collector.stop())
    with ExitStack() as stack:
        if metrics_port is not None:
            stack.enter_context(served(settings, metrics_port))
        if workers == 1:
            retire_former(settings, told)
        report = collector.run()
    show.report("collected", report, as_json=json)


@app.command(rich_help_panel=PANEL)
def status(
    *,
    watch: Annotated[bool, typer.Option(help="Show it anew every second until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """What the collectors of this home are doing: rates, lag, what waits, and what to do about those that are down.

    And how many messages are missing, of which cars, as of the last update of core.gaps.
    """
    import time
    from dataclasses import asdict

    from pipelines import show
    from pipelines.collect.gaps import open_gaps
    from pipelines.collect.status import collectors
    from pipelines.settings import load_settings

    settings = load_settings()
    if json:
        gaps = open_gaps(settings)
        show.document(
            {
                "collectors": [asdict(each) for each in collectors(settings)],
                "gaps": None if gaps is None else asdict(gaps),
            }
        )
        return
    console = show.console()
    if not watch:
        found = collectors(settings)
        console.print(show.collectors(found) if found else "no collector has run here; `rocade collect` starts one")
        if missing := show.gaps(open_gaps(settings)):
            console.print(missing, soft_wrap=True)
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=2) as live:
        try:
            while True:
                live.update(show.collectors(collectors(settings)))
                time.sleep(1)
        except KeyboardInterrupt:
            return


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
        Path | None,
        typer.Option(help="Where lines and cells that cannot be sent go, as CSV; in ROCADE_HOME/replay when absent."),
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
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day; four weeks ago when absent.")
    ] = None,
    speed: Annotated[float, typer.Option(help="Times real time; 0 is as fast as the broker takes it.")] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same fleet and trips.")] = 1,
    truth: Annotated[
        Path | None,
        typer.Option(help="Write what the simulator knows of trips, potholes and braking spots here, as JSON lines."),
    ] = None,
    cycle: Annotated[
        str | None, typer.Option(help="Every trip drives this cycle: `nedc`, or a file of m/s (CSV) or km/h (list).")
    ] = None,
    hz: Annotated[float | None, typer.Option(help="Rows a second and car; 1 when absent.")] = None,
    signals: Annotated[
        int | None, typer.Option(min=1, help="Signals a row; some twenty when absent, 40 with --seconds.")
    ] = None,
    wire: Annotated[str, typer.Option("--format", help="Of the messages: json, senml or arrow.")] = "json",
    seconds: Annotated[
        float | None, typer.Option(help="No trips: the whole fleet drives at the same time, for so long. For load.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="`fusion`: 800 signals, 20 GB an hour and car, for 60 s or --seconds.")
    ] = None,
    *,
    faults: Annotated[bool, typer.Option(help="Send a few bad readings and a batch twice, too.")] = False,
    json: Json = False,
) -> None:
    """Drive a made-up fleet on French roads and publish it through MQTT.

    Example: `rocade simulate --vehicles 10000 --seconds 60 --speed 1 --format arrow`
    """
    from pipelines import show
    from pipelines.fleet.batches import wire_named
    from pipelines.fleet.load import simulate_load
    from pipelines.fleet.simulate import simulate as run
    from pipelines.settings import load_settings

    # Cars have days off: of the first day's fleet some set out a week later, and nothing may lie in the future.
    recent = datetime.combine(datetime.now(UTC).date() - timedelta(weeks=4), time.min)
    begin = (start or recent).replace(tzinfo=UTC)
    settings, chosen = load_settings(), wire_named(wire)
    if seconds is not None or profile is not None:
        unused = {"--cycle": cycle is not None, "--faults": faults}
        if any(unused.values()):
            names = " and ".join(name for name, is_set in unused.items() if is_set)
            raise typer.BadParameter(f"{names} is for trips, not for --seconds and --profile")
        load = simulate_load(
            settings,
            vehicles=vehicles,
            start=begin,
            seconds=60.0 if seconds is None else seconds,
            profile=profile,
            hz=hz,
            signals=signals,
            wire=chosen,
            seed=seed,
            speed=speed,
            truth=truth,
            progress=progress(json),
        )
        show.report("simulated", load, as_json=json)
        return
    report = run(
        settings,
        vehicles=vehicles,
        trips=trips,
        start=begin,
        hz=1 if hz is None else hz,
        seed=seed,
        speed=speed,
        cycle=cycle,
        signals=signals,
        wire=chosen,
        faults=faults,
        truth=truth,
        progress=progress(json),
    )
    show.simulated(report, as_json=json)
