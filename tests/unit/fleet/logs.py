"""Small logs in the layouts that replay reads, made up line by line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipelines.fleet.layouts import LAYOUTS, Log

SHARED = Path(__file__).parents[3] / "../shared/data/vehicles"
OLDEST, NEWEST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def read_real(layout: str, name: str) -> Log:
    return LAYOUTS[layout].read(SHARED / name, OLDEST, NEWEST)


def read_text(folder: Path, layout: str, header: str, *lines: str, name: str = "log.csv", end: str = "\n") -> Log:
    file = folder / name
    file.write_bytes(end.join([header, *lines, ""]).encode())
    return LAYOUTS[layout].read(file, OLDEST, NEWEST)


def column(log: Log, path: str) -> list[object]:
    return [values[path] for _, values in log.rows if path in values]
