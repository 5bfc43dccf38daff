"""Upkeep of telemetry in the lake, beside running collectors: land, merge, find gaps, clear away.

Belongs here: the order of these, and what is removed when, from the tables of several stages. Does not: how each is done
(collect), erasure of a car's data (privacy).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deltalake.exceptions import CommitFailedError, DeltaError

from pipelines.collect.compaction import LEAST, CompactReport, compact_readings
from pipelines.collect.gaps import GAPS, GapReport, find_gaps
from pipelines.collect.landing import LandReport, land_pending
from pipelines.collect.tables import QUARANTINE, READINGS
from pipelines.errors import LakeError
from pipelines.lake import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from pipelines.settings import Settings

SAMPLES = "core.samples"
"""Made anew, day by day, from the readings; its old files are as many as theirs."""

_LOG_KEPT = {
    "delta.logRetentionDuration": "interval 3 days"
}  # of 40,000 commits a day and collector, read at each opening


@dataclass(frozen=True)
class ClearReport:
    """What was cleared away.

    Attributes:
        files: files that no version within the retention needs, by table.
        merged: small files of ``quarantine.messages`` that became larger ones.
    """

    files: dict[str, int]
    merged: int


@dataclass(frozen=True)
class UpkeepReport:
    """What an upkeep did, step by step."""

    landed: LandReport
    compacted: CompactReport
    gaps: GapReport
    cleared: ClearReport


def upkeep(settings: Settings) -> UpkeepReport:
    """All steps, once; safe beside running collectors, and to be run every hour or so.

    Raises:
        LakeError: somebody else was at the same work, or a commit failed; run it again.
        CollectError: a journal's segment cannot be read.
    """
    # Gaps come before the old files go, which it would otherwise miss and start from the beginning.
    landed, compacted = land_pending(settings), compact_readings(settings)
    return UpkeepReport(landed, compacted, find_gaps(settings), clear(settings))


def clear(settings: Settings) -> ClearReport:
    """Merge what waits in quarantine, and remove files and log entries that are older than the settings keep.

    Raises:
        LakeError: a commit failed; run it again.
    """
    lake = Lake(settings.lake)
    removed: dict[str, int] = {}
    merged = 0
    for name in (READINGS, QUARANTINE, GAPS, SAMPLES):
        if not lake.exists(name):
            continue
        try:
            if name == QUARANTINE:
                merged = _merged(lake.open(name))
            _shorten_log(lake, name)
            removed[name] = _removed(lake.open(name), settings.keep_old_files_h)
        except DeltaError as error:
            raise LakeError(f"could not clear up: {error}", where=name, fix="run the command again") from error
    return ClearReport(removed, merged)


def _merged(table: DeltaTable) -> int:
    try:
        metrics: dict[str, Any] = table.optimize.compact(target_size=LEAST)
    except CommitFailedError:  # a collector or another upkeep came first: the next time, then
        return 0
    return int(metrics["numFilesRemoved"])


def _shorten_log(lake: Lake, name: str) -> None:
    """Set, once, how long log entries are kept; Delta removes older ones as it goes."""
    table = lake.open(name)
    if table.metadata().configuration != {**table.metadata().configuration, **_LOG_KEPT}:
        table.alter.set_table_properties(_LOG_KEPT)
    table.cleanup_metadata()


def _removed(table: DeltaTable, keep_h: int) -> int:
    # `full` takes what a killed process has written and never committed, too.
    how: dict[str, Any] = {"retention_hours": keep_h, "enforce_retention_duration": False, "full": True}
    files = table.vacuum(dry_run=True, **how)
    if files:  # else it would make versions for nothing
        table.vacuum(dry_run=False, **how)
    return len(files)
