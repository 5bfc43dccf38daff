"""Progress of long work, behind one small interface.

Stages report what they do through a ``Progress``; the command line chooses how it is shown: a live bar on a terminal,
plain lines elsewhere, nothing under ``--json``. Stages never print.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Step(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float = 1, total: float | None = None) -> None:
        """Count ``amount`` more units; correct the ``total`` when it becomes known."""


class Progress(Protocol):
    """Where a stage reports its work."""

    def step(self, name: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Step]:
        """A context for one step; ``unit`` is what is counted (``B`` for bytes)."""

    def note(self, text: str) -> None:
        """One line that stays."""


class _SilentStep:
    def advance(self, amount: float = 1, total: float | None = None) -> None:
        pass


class Silent:
    """Reports nothing: libraries, tests and ``--json``."""

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Step]:  # noqa: ARG002
        """Does nothing."""
        yield _SilentStep()

    def note(self, text: str) -> None:
        """Does nothing."""


class Lines:
    """A line when a step ends, and one every five seconds while it runs: logs and pipes.

    A step within another one that takes less than a second stays unsaid, so that eighty small files are not a page.
    """

    every_s = 5.0
    worth_a_line_s = 1.0

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._open = 0

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Step]:
        """Prints how far ``name`` has come."""
        step = _LineStep(self, name, total, unit)
        self._open += 1
        try:
            yield step
        finally:
            self._open -= 1
        if not self._open or step.seconds >= self.worth_a_line_s:
            self.note(f"  {name}: {step.figures()} in {step.seconds:.1f} s")

    def note(self, text: str) -> None:
        """Prints ``text``."""
        print(text, file=self._out, flush=True)


class _LineStep:
    def __init__(self, lines: Lines, name: str, total: float | None, unit: str) -> None:
        self._lines, self._name, self._total, self._unit = lines, name, total, unit
        self._done = 0.0
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def advance(self, amount: float = 1, total: float | None = None) -> None:
        self._done += amount
        self._total = total if total is not None else self._total
        if amount and time.monotonic() - self._last >= Lines.every_s:
            self._last = time.monotonic()
            self._lines.note(f"  {self._name}: {self.figures()}")

    def figures(self) -> str:
        return _of(self._done, self._total, self._unit) if self._done or self._total else "done"


class Bars:
    """A live bar for each step under way on a terminal; a step that ended within another one leaves the screen."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(stderr=True)
        self._rich: RichProgress = RichProgress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._open = 0

    @contextmanager
    def step(self, name: str, total: float | None = None, unit: str = "") -> Iterator[Step]:
        """Shows a bar for ``name``."""
        if not self._open:
            self._rich.start()
        self._open += 1
        task = self._rich.add_task(name, total=total, figures="")
        step = _BarStep(self._rich, task, total, unit)
        try:
            yield step
            step.close()
        finally:
            self._open -= 1
            if not self._open:
                self._rich.stop()  # the outermost bar stays on the screen as it ended
            self._rich.remove_task(task)

    def note(self, text: str) -> None:
        """Prints ``text`` above the bars."""
        self._console.print(text, highlight=False, markup=False)


class _BarStep:
    def __init__(self, rich: RichProgress, task: TaskID, total: float | None, unit: str) -> None:
        self._rich, self._task, self._total, self._unit, self._done = rich, task, total, unit, 0.0

    def advance(self, amount: float = 1, total: float | None = None) -> None:
        self._done += amount
        self._total = total if total is not None else self._total
        figures = _of(self._done, self._total, self._unit)
        self._rich.update(self._task, completed=self._done, total=self._total, figures=figures)

    def close(self) -> None:
        self._rich.update(self._task, total=self._done or 1, completed=self._done or 1)


def _of(done: float, total: float | None, unit: str) -> str:
    if not total or total <= done:
        return _amount(done, unit)
    return f"{_amount(done, unit if unit == 'B' else '')} of {_amount(total, unit)}"


def _amount(value: float, unit: str) -> str:
    if unit != "B":
        shown = f"{value:,.0f}"
        return f"{shown} {unit.removesuffix('s') if shown == '1' else unit}".replace(",", " ").strip()
    for name in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 - SI prefixes
            return f"{value:.0f} {name}"
        value /= 1000
    return f"{value:.1f} GB"
