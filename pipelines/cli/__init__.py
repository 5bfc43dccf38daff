"""The `rocade` command: one verb a thing you want done.

Belongs here: arguments, choosing how progress is shown, exit codes. What is done lives in the stages, which are imported
inside the commands so that `rocade --help` answers at once. How results look lives in ``pipelines.show``.

A module holds the commands of one panel of `rocade --help`; panels and commands appear in the order of the imports below.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import typer

# isort: off
from pipelines.cli import open_data, any_dataset, tables, past, telemetry, upkeep, tools  # noqa: F401 - they add commands to `app`

# isort: on
from pipelines.cli.base import app

if TYPE_CHECKING:
    from types import FrameType

    from pipelines.errors import RocadeError

__all__ = ["app", "main"]

_USAGE = 2  # the exit code that typer makes of wrong arguments; our own errors come as exceptions
_INTERRUPTED = 130  # the exit code that typer makes of Ctrl-C


def main() -> None:
    """The entry point: runs a command, turns our errors into three lines and an exit code."""
    from pipelines.errors import RocadeError, SettingsError

    interrupts = _counted_interrupts()
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
        if leave.code == _USAGE and "--json" in sys.argv:
            # typer has written what and where to standard error
            _fail(SettingsError("the arguments are wrong", fix="`--help` shows them; standard error says more"))
        if interrupts and not leave.code:
            leave.code = _INTERRUPTED  # C code under some library has swallowed it
        if leave.code == _INTERRUPTED:
            typer.echo("interrupted: nothing half-written is left; run the same command to go on", err=True)
        raise


def _counted_interrupts() -> list[int]:
    """A list that grows with each Ctrl-C, which is raised as ever."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    return interrupts


def _fail(error: RocadeError) -> NoReturn:
    from pipelines import show

    show.error(error, as_json="--json" in sys.argv)
    sys.exit(error.exit_code)
