"""How results look on a terminal, and as JSON for scripts.

Belongs here: turning the stages' values into tables and documents. Knows nothing of how they came about.
"""

from pipelines.show.collectors import collectors, gaps
from pipelines.show.fleet import replayed, simulated
from pipelines.show.open_data import difference, history, ingest, quarantine, traces
from pipelines.show.page import console, document, error
from pipelines.show.results import build, doctor, report, rows, tables

__all__ = [
    "build",
    "collectors",
    "console",
    "difference",
    "doctor",
    "document",
    "error",
    "gaps",
    "history",
    "ingest",
    "quarantine",
    "replayed",
    "report",
    "rows",
    "simulated",
    "tables",
    "traces",
]
