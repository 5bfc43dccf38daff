"""What all commands share: the application, the switch for JSON, the choice of how progress is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import __version__

if TYPE_CHECKING:
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


def progress(silent: bool) -> Progress:  # noqa: FBT001 - the --json switch
    """A bar where somebody watches, lines in a log, nothing beside a JSON document."""
    from pipelines.progress import Bars, Lines, Silent

    if silent:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


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
