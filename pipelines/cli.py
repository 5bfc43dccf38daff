"""The `rocade` command: one verb a thing you want done.

Belongs here: arguments, choosing how progress is shown, exit codes. What is done lives in the stages, which are imported
inside the commands so that `rocade --help` answers at once. How results look lives in ``pipelines.show``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipelines import __version__

if TYPE_CHECKING:
    from pipelines.errors import RocadeError
    from pipelines.progress import Progress

app = typer.Typer(
    name="rocade",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="French open data and connected-car telemetry, in one validated lake.",
    epilog="State lives under ROCADE_HOME (default ./rocade-data). Exit codes: 0 done or nothing new, 1 failed, "
    "2 wrong arguments or settings, 3 done but rows wait in quarantine (with --strict), 4 network, 5 refused: not published.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]


class Format(StrEnum):
    """How `rocade sql` prints rows."""

    table = "table"
    csv = "csv"
    json = "json"


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"rocade {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
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
        bool, typer.Option("--accept-shrink", help="Publish although a resource lost more than half of its rows.")
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
    outcomes = run(dataset, load_settings(), _progress(json), resource, vintages=vintages, accept_shrink=accept_shrink)
    show.ingest(outcomes, as_json=json)
    code = max((outcome.exit_code for outcome in outcomes), default=0)
    quarantined = any(outcome.quarantined for outcome in outcomes)
    raise typer.Exit(code or (3 if strict and quarantined else 0))


@app.command()
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

    collector = Collector(load_settings(), until=Until(idle_s=idle, messages=max_messages), progress=_progress(json))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: collector.stop())
    show.report("collected", collector.run(), as_json=json)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Logs to publish.", exists=True, dir_okay=False)],
    layout: Annotated[str, typer.Option(help="What the files are, such as `twizy`.")],
    speed: Annotated[float, typer.Option(help="Times real time; 0 is as fast as the broker takes it.")] = 1.0,
    consent: Annotated[
        str, typer.Option(help="Published first: silent, service or service+statistics.")
    ] = "service+statistics",
    vehicle: Annotated[
        str | None, typer.Option(help="The car's id in the topic; the layout's own when absent.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Publish real logs through MQTT as if the car were driving.

    Example: `rocade replay T1_03_29_2021.csv --layout twizy --speed 60`
    """
    from pipelines import show
    from pipelines.fleet.replay import replay as run
    from pipelines.settings import load_settings

    report = run(
        files, layout, load_settings(), speed=speed, consent=consent, vehicle=vehicle, progress=_progress(json)
    )
    show.report("replayed", report, as_json=json)


@app.command()
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
        progress=_progress(json),
    )
    show.report("simulated", report, as_json=json)


@app.command()
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

    show.build(run(load_settings(), names=names or None, full=full, progress=_progress(json)), as_json=json)


@app.command()
def tables(*, json: Json = False) -> None:
    """List the tables: rows, versions, where they live, who may see them."""
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.tables import list_tables

    show.tables(list_tables(load_settings()), as_json=json)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A SELECT in DuckDB's dialect; `-` reads it from standard input.")],
    output: Annotated[Format, typer.Option("--format", "-f", help="How rows are printed.")] = Format.table,
    *,
    public: Annotated[bool, typer.Option(help="Only what is in public.duckdb: nothing personal.")] = False,
) -> None:
    """Ask the tables.

    Example: `rocade sql "SELECT * FROM big.accidents_by_department ORDER BY killed DESC LIMIT 5"`
    """
    from pipelines import show
    from pipelines.settings import load_settings
    from pipelines.tables import run_query

    text = sys.stdin.read() if query == "-" else query
    with run_query(load_settings(), text, personal=not public) as rows:
        show.rows(rows, output.value)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def demo(*, json: Json = False) -> None:
    """Run the whole road once on a small scale: open data, telemetry, Airflow, tables."""
    from pipelines.demo.run import demo as run
    from pipelines.demo.summary import summarise
    from pipelines.settings import load_settings

    settings = load_settings()
    summarise(run(settings, _progress(json)), settings, as_json=json)


@app.command()
def doctor(*, json: Json = False) -> None:
    """Check this installation: settings in force, folders, broker, catalogue, what is missing."""
    from pipelines import show
    from pipelines.doctor import examine
    from pipelines.settings import load_settings

    checks = examine(load_settings())
    show.doctor(checks, as_json=json)
    raise typer.Exit(1 if any(check.state == "broken" for check in checks) else 0)


def _progress(silent: bool) -> Progress:  # noqa: FBT001 - the --json switch
    from pipelines.progress import Bars, Lines, Silent

    if silent:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


def _fail(error: RocadeError) -> NoReturn:
    from pipelines import show

    show.error(error, as_json="--json" in sys.argv)
    sys.exit(error.exit_code)


_INTERRUPTED = 130  # the exit code that typer makes of Ctrl-C


def main() -> None:
    """The entry point: runs a command, turns our errors into three lines and an exit code."""
    from pipelines.errors import RocadeError

    try:
        app()
    except RocadeError as error:
        _fail(error)
    except OSError as error:
        _fail(
            RocadeError(
                f"the disk refuses: {error.strerror or error}",
                where=str(error.filename) if error.filename else None,
                fix="check ROCADE_HOME, free space and permissions; run the same command again",
            )
        )
    except SystemExit as leave:
        if leave.code == _INTERRUPTED:
            typer.echo("interrupted: nothing half-written is left; run the same command to go on", err=True)
        raise


if __name__ == "__main__":
    main()
