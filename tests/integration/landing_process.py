"""A collector's disk side in a process of its own, to be killed: `write` journals and lands, `compact` merges.

`write` says the number of each message once it is durable, as a collector would acknowledge it, and begins after the last
one that is; a message is five readings, every tenth one has one more that waits in quarantine.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from pipelines.collect.compaction import compact_readings
from pipelines.collect.journal import Journal
from pipelines.collect.landing import land, next_number
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA
from pipelines.errors import LakeError
from pipelines.lake import Lake, connect
from pipelines.lake.duck import one_row
from pipelines.settings import Settings, load_settings

DAY = datetime(2026, 2, 1, tzinfo=UTC)


def tables(first: int, count: int) -> tuple[pa.Table, pa.Table]:
    """The readings and the rejected ones of messages ``first`` and on."""
    readings, rejected = [], []
    for seq in range(first, first + count):
        key = {"vehicle": f"v{seq % 5}", "boot": "b", "seq": seq, "row": 0, "received_at": DAY}
        ts = DAY + timedelta(seconds=seq % 100_000)
        readings += [
            key | {"day": ts.date(), "ts": ts, "signal": f"Vehicle.S{n}", "value": float(seq)} for n in range(5)
        ]
        if seq % 10 == 0:
            rejected.append(key | {"day": DAY.date(), "ts": ts, "signal": "Vehicle.S9", "reason": "wrong_type"})
    return pa.Table.from_pylist(readings, READINGS_SCHEMA), pa.Table.from_pylist(rejected, QUARANTINE_SCHEMA)


def write(settings: Settings) -> None:
    """Journal and land until killed."""
    lake, journal = Lake(settings.lake), Journal(settings.journal / "killed")
    with journal.locked():
        land(lake, journal)
        seq, number = _last(settings, lake) + 1, next_number(lake, journal)
        while True:
            for _ in range(3):
                journal.append(number, *tables(seq, 40))
                seq, number = seq + 40, number + 1
                sys.stdout.write(f"{seq - 1}\n")
                sys.stdout.flush()
            land(lake, journal)


def compact(settings: Settings) -> None:
    """Merge until killed."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        with suppress(LakeError):  # a day that another one merged first
            compact_readings(settings, [date(2026, 2, 1), date(2026, 2, 2)])


def _last(settings: Settings, lake: Lake) -> int:
    if not lake.exists(READINGS):
        return -1
    with connect(settings) as con:
        (last,) = one_row(con, f"SELECT coalesce(max(seq), -1) FROM {lake.relation_sql(READINGS)}")
    return int(last)


if __name__ == "__main__":
    {"write": write, "compact": compact}[sys.argv[1]](load_settings())
