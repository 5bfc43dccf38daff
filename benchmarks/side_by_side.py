"""What the benchmarks share: runs in fresh processes, medians, the bar beside the figure, rows of benchmarks/history.csv.

Peers live in an environment of their own (`make bench` makes it from requirements/bench.txt), because one of them wants
older versions of what Rocade uses. A peer that is not there is skipped with a sentence, and is an error where
ROCADE_REQUIRE_ALL=1. `--short` runs once on little data and keeps nothing: does it still work?
"""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
HISTORY = ROOT / "benchmarks/history.csv"
PEERS = ROOT / ".venv/peers/bin/python"
SHORT = "--short" in sys.argv[1:]
LARGE = "--large" in sys.argv[1:]
RUNS = 1 if SHORT else 3

_COLUMNS = ("date", "what", "value", "unit", "peer", "peer_value", "ratio", "machine")
#: A child times its body, not its imports, and says how much memory the whole process took at most.
_CHILD = """
import json, resource, sys, time
from pathlib import Path
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
{imports}
began = time.perf_counter()
{body}
print("MEASURED", json.dumps([time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Runner:
    """Something that is measured: Python to run in a process of its own.

    Attributes:
        name: for the table.
        imports: run before the clock starts; ``source`` and ``folder``, an empty one, are paths there.
        body: what is timed.
        peer: the module that it needs in the peers' environment; None where Rocade's own will do.
    """

    name: str
    imports: str
    body: str
    peer: str | None = None


@dataclass(frozen=True)
class Row:
    """A figure beside a peer's, or beside the bar itself; ``bar`` is the ratio to hold, at least or at most."""

    what: str
    value: float
    unit: str
    peer: str
    peer_value: float
    bar: float | None = None
    at_most: bool = False

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.value / self.peer_value

    @property
    def verdict(self) -> str:
        """The bar, and whether it holds; little data, of which a short run consists, tells nothing of that."""
        if self.bar is None or SHORT:
            return ""
        held = self.ratio <= self.bar if self.at_most else self.ratio >= self.bar
        return f" (bar: {'at most' if self.at_most else 'at least'} {self.bar:g}; {'pass' if held else 'MISS'})"


def available(runners: Sequence[Runner]) -> list[Runner]:
    """Those whose module is installed; the others are named."""
    found = [each for each in runners if each.peer is None or _peer_is_there(each.peer)]
    missing = [each.name for each in runners if each not in found]
    if missing:
        print(f"skipped, not installed in {PEERS.parents[1]}: {', '.join(missing)} (`make bench` installs them)")
        if os.environ.get("ROCADE_REQUIRE_ALL") == "1":
            sys.exit("ROCADE_REQUIRE_ALL=1 and a peer is missing")
    return found


def measured(runner: Runner, source: Path, folder: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MB, of one run in a fresh process; ``folder`` is empty and the runner's own."""
    script = _CHILD.replace("{imports}", runner.imports).replace("{body}", runner.body)
    done = subprocess.run(
        [sys.executable if runner.peer is None else str(PEERS), "-c", script, str(source), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | ({"PYTHONPATH": str(ROOT)} if runner.peer is None else {}),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("MEASURED")]
    if not lines:
        sys.exit(f"{runner.name} failed:\n{done.stderr[-2000:]}")
    seconds, memory = json.loads(lines[0].removeprefix("MEASURED"))
    return seconds, memory


def report(rows: Sequence[Row]) -> None:
    """Print the rows; append them to the history unless this is a short run."""
    for row in rows:
        print(
            f"{row.what}: {row.value:.3g} {row.unit}; {row.peer}: {row.peer_value:.3g}; ratio {row.ratio:.2f}{row.verdict}"
        )
    if SHORT:
        return
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    new = not HISTORY.exists()
    with HISTORY.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(_COLUMNS)
        for row in rows:
            figures = (f"{row.value:.3f}", row.unit, row.peer, f"{row.peer_value:.3f}", f"{row.ratio:.2f}", machine)
            writer.writerow([datetime.now(UTC).strftime("%Y-%m-%d"), row.what, *figures])


def _peer_is_there(module: str) -> bool:
    if not PEERS.exists():
        return False
    done = subprocess.run([str(PEERS), "-c", f"import {module}"], capture_output=True, check=False)
    return done.returncode == 0
