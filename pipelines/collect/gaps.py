"""``core.gaps``: the messages of cars that are missing, told from the numbers that cars give them.

Belongs here: bringing the table up to date with what has landed. Does not: why something is missing, nor what came twice.

A car numbers the messages of a boot from 0. A row is a run of numbers that did not come: open while they are missing,
closed when late messages filled it; a run that was filled in part becomes several rows. One row a boot has no ``last``:
what comes after its newest message, since when. It is how the next update knows the boot, so that only files that are
new since the last update are read. What nobody can know is no row: whether messages followed the newest one.

A car that was silent for a while, or sent messages without a value, leaves a gap, too: nothing of those is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from pipelines.collect.tables import PARTITION, QUARANTINE, READINGS, SYNTHETIC
from pipelines.disk import sync_file
from pipelines.errors import LakeError
from pipelines.lake import Lake, Provenance, connect, uncommitted
from pipelines.lake.duck import literal, one_row
from pipelines.lake.snapshot import relation_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from pipelines.lake import Snapshot
    from pipelines.settings import Settings

GAPS = "core.gaps"
_INSTANT = pa.timestamp("us", "UTC")
GAPS_SCHEMA = pa.schema(
    [
        pa.field("day", pa.date32()),
        pa.field("vehicle", pa.string()),
        pa.field("boot", pa.string()),
        pa.field("first", pa.int64()),
        pa.field("last", pa.int64()),
        pa.field("since", _INSTANT),
        pa.field("until", _INSTANT),
        pa.field("closed_at", _INSTANT),
    ]
)
"""``core.gaps``: messages ``first`` to ``last`` of a boot are missing, or were until ``closed_at``. ``since`` and ``until``
are the device's times of the readings before and after (null before the boot's first); ``day`` is the UTC day on which
the boot was first heard of."""

_OPERATION = "gaps"
_MESSAGES = """
CREATE OR REPLACE TEMP TABLE come AS
SELECT vehicle, boot, seq, min(ts) AS first_ts, max(ts) AS last_ts, max(received_at) AS received_at
FROM ({files})
WHERE vehicle IS NOT NULL AND boot IS NOT NULL AND seq BETWEEN 0 AND {synthetic} - 1
GROUP BY vehicle, boot, seq
"""

# Runs of consecutive numbers that have come now, of the boots that something came of.
_RUNS = """
CREATE OR REPLACE TEMP TABLE runs AS
SELECT vehicle, boot, min(seq) AS first, max(seq) AS last, arg_min(first_ts, seq) AS first_ts,
    arg_max(last_ts, seq) AS last_ts, max(received_at) AS received_at
FROM (SELECT *, seq - row_number() OVER (PARTITION BY vehicle, boot ORDER BY seq) AS run FROM come)
GROUP BY vehicle, boot, run;
CREATE OR REPLACE TEMP TABLE known AS
SELECT * FROM {gaps} WHERE (vehicle, boot) IN (SELECT (vehicle, boot) FROM runs);
CREATE OR REPLACE TEMP TABLE days AS
SELECT vehicle, boot, coalesce(any_value(known.day), CAST(min(runs.first_ts) AS DATE), CAST(min(runs.received_at) AS DATE)) AS day
FROM runs LEFT JOIN known USING (vehicle, boot) GROUP BY vehicle, boot
"""

# All that is there of those boots: what has come now, and what lies between the gaps known so far.
_NEW = """
CREATE OR REPLACE TEMP TABLE present AS
WITH before AS (
    SELECT vehicle, boot, coalesce(lag("last") OVER boot_order + 1, 0) AS first, "first" - 1 AS last,
        lag(until) OVER boot_order AS first_ts, since AS last_ts
    FROM known WHERE closed_at IS NULL
    WINDOW boot_order AS (PARTITION BY vehicle, boot ORDER BY "first")
),
every AS (
    SELECT vehicle, boot, first, last, first_ts, last_ts FROM runs
    UNION ALL
    SELECT vehicle, boot, first, last, first_ts, last_ts FROM before WHERE last >= first
),
reached AS (
    SELECT *, max(last) OVER (
        PARTITION BY vehicle, boot ORDER BY first, last ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS reach
    FROM every
),
islands AS (
    SELECT *, sum(CASE WHEN first <= reach + 1 THEN 0 ELSE 1 END) OVER (
        PARTITION BY vehicle, boot ORDER BY first, last
    ) AS island
    FROM reached
)
SELECT vehicle, boot, min(first) AS first, max(last) AS last,
    arg_min(first_ts, first) AS first_ts, arg_max(last_ts, last) AS last_ts
FROM islands GROUP BY vehicle, boot, island;

CREATE OR REPLACE TEMP TABLE fresh AS
WITH holes AS (
    SELECT vehicle, boot, coalesce(lag(last) OVER boot_order + 1, 0) AS first, first - 1 AS last,
        lag(last_ts) OVER boot_order AS since, first_ts AS until
    FROM present WINDOW boot_order AS (PARTITION BY vehicle, boot ORDER BY first)
)
SELECT vehicle, boot, first, last, since, until, NULL::TIMESTAMPTZ AS closed_at FROM holes WHERE last >= first
UNION ALL
SELECT vehicle, boot, max(last) + 1, NULL, arg_max(last_ts, last), NULL, NULL FROM present GROUP BY vehicle, boot
UNION ALL -- what late messages filled, piece by piece
SELECT known.vehicle, known.boot, greatest(known."first", runs.first), least(known."last", runs.last),
    known.since, known.until, runs.received_at
FROM known JOIN runs ON known.vehicle = runs.vehicle AND known.boot = runs.boot
    AND runs.first <= known."last" AND runs.last >= known."first"
WHERE known.closed_at IS NULL AND known."last" IS NOT NULL
UNION ALL
SELECT vehicle, boot, "first", "last", since, until, closed_at FROM known WHERE closed_at IS NOT NULL
"""

_WORST = 3
_OPEN = """
SELECT vehicle, count(*), sum("last" - "first" + 1) AS missing FROM {gaps}
WHERE closed_at IS NULL AND "last" IS NOT NULL GROUP BY vehicle ORDER BY missing DESC, vehicle
"""


@dataclass(frozen=True)
class GapReport:
    """What an update of ``core.gaps`` found.

    Attributes:
        boots: boots of which something new had landed.
        open: runs of messages that are missing now, of all boots.
        missing: messages in them.
        version: the version it made, if any.
    """

    boots: int = 0
    open: int = 0
    missing: int = 0
    version: int | None = None


@dataclass(frozen=True)
class OpenGaps:
    """What is missing now, as of the last update of ``core.gaps``.

    Attributes:
        count: runs of messages that are missing.
        missing: messages in them.
        vehicles: cars that they are of.
        worst: pseudonyms of the cars of which most messages are missing, with their number, most first.
    """

    count: int
    missing: int
    vehicles: int
    worst: tuple[tuple[str, int], ...]


def open_gaps(settings: Settings) -> OpenGaps | None:
    """What is missing now; None where ``core.gaps`` was never made."""
    lake = Lake(settings.lake)
    if not lake.exists(GAPS):
        return None
    with connect(settings) as con:
        return _still_open(con, lake)


def find_gaps(settings: Settings) -> GapReport:
    """Bring ``core.gaps`` up to date with ``core.readings`` and ``quarantine.messages``.

    Raises:
        LakeError: another update is under way, or the commit failed.
    """
    settings.root.mkdir(parents=True, exist_ok=True)
    path = settings.root / "gaps.lock"
    try:
        with FileLock(path, timeout=0):
            return _update(settings, Lake(settings.lake))
    except Timeout as error:
        raise LakeError("another update of core.gaps is under way", where=str(path), fix="wait for it") from error


def _update(settings: Settings, lake: Lake) -> GapReport:
    sources = {name: lake.snapshot(name) for name in (READINGS, QUARANTINE) if lake.exists(name)}
    before = _before(lake)
    versions = {name: source.version for name, source in sources.items()}
    if versions == before:
        still = open_gaps(settings)
        return GapReport() if still is None else GapReport(open=still.count, missing=still.missing)
    files = {name: _new_files(lake, source, before.get(name, -1)) for name, source in sources.items()}
    whole = any(found is None for found in files.values())  # then from the beginning
    relations = [
        f"SELECT vehicle, boot, seq, ts, received_at FROM {_relation(source, None if whole else files[name])}"
        for name, source in sources.items()
    ]
    gaps = f"({_EMPTY})" if whole or not lake.exists(GAPS) else lake.relation_sql(GAPS)
    with connect(settings) as con, uncommitted(lake, GAPS) as new_file:
        con.execute(_MESSAGES.format(files=" UNION ALL ".join(relations), synthetic=SYNTHETIC))
        con.execute(_RUNS.format(gaps=gaps))
        con.execute(_NEW)
        (boots,) = one_row(con, "SELECT count(*) FROM days")
        days = [str(day) for (day,) in con.execute("SELECT DISTINCT day FROM days ORDER BY 1").fetchall()]
        written = []
        for day in days:
            written.append(new_file({"day": day}))
            _write(con, gaps, day, written[-1])
        version = lake.publish(
            GAPS,
            written,
            GAPS_SCHEMA,
            Provenance(_OPERATION, details={"inputs": versions, "boots": boots}),
            partition_by=PARTITION,
            replace=None if whole else {"day": days},
            overwrite=whole,
        )
        still = _still_open(con, lake)
    return GapReport(boots, still.count, still.missing, version)


def _still_open(con: duckdb.DuckDBPyConnection, lake: Lake) -> OpenGaps:
    found = con.execute(_OPEN.format(gaps=lake.relation_sql(GAPS))).fetchall()
    return OpenGaps(
        sum(count for _, count, _ in found),
        sum(int(missing) for *_, missing in found),
        len(found),
        tuple((vehicle, int(missing)) for vehicle, _, missing in found[:_WORST]),
    )


def _before(lake: Lake) -> Mapping[str, int]:
    """The versions that the last update had seen."""
    if not lake.exists(GAPS):
        return {}
    last = next((each for each in lake.history(GAPS) if each.operation == _OPERATION), None)
    return last.details["inputs"] if last else {}


def _new_files(lake: Lake, source: Snapshot, since: int) -> list[str] | None:
    """Files that came after version ``since``; None where not all of them can be had any more."""
    if since < 0:
        return None
    changed = lake.changed_files(source.name, since, source.version)
    if changed is None:
        return None
    held = {file.path for file in source.files}
    new = [file.path for file in changed]
    return new if all(path in held or Path(path).exists() for path in new) else None


def _relation(source: Snapshot, files: Sequence[str] | None) -> str:
    paths = [file.path for file in source.files] if files is None else list(dict.fromkeys(files))
    return relation_sql(source.schema, source.partition_columns, paths)


def _write(con: duckdb.DuckDBPyConnection, gaps: str, day: str, file: Path) -> None:
    rows = con.sql(
        f"""
        SELECT vehicle, boot, "first", "last", since, until, closed_at FROM {gaps}
        WHERE day = {literal(day)} AND (vehicle, boot) NOT IN (SELECT (vehicle, boot) FROM days)
        UNION ALL
        SELECT fresh.* FROM fresh JOIN days USING (vehicle, boot) WHERE day = {literal(day)}
        ORDER BY 1, 2, 3
        """
    ).to_arrow_table()
    schema = pa.schema([field for field in GAPS_SCHEMA if field.name not in PARTITION])
    pq.write_table(rows.cast(schema), file, compression="zstd")
    sync_file(file)


_EMPTY = relation_sql(GAPS_SCHEMA, PARTITION, [])
