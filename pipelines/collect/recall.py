"""Remembering, at start, which messages the lake already has.

Belongs here: reading ``core.readings`` and ``quarantine.messages`` back into a ``Seen``. Does not: the set itself
(seen.py).

A message can come again as long as the broker keeps our session, so all that was received within
``session_expiry_s``, and a day more for clocks and long stops, is read back. What a car itself sends again after that
is taken out by compaction.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.collect.seen import Seen
from pipelines.collect.tables import QUARANTINE, READINGS
from pipelines.lake.duck import connect
from pipelines.lake.store import Lake

if TYPE_CHECKING:
    from pipelines.settings import Settings

_MARGIN = timedelta(days=1)
_RUNS = """
SELECT vehicle, boot, min(seq), max(seq), max(received_ms)
FROM (
  SELECT vehicle, boot, seq, received_ms, seq - row_number() OVER (PARTITION BY vehicle, boot ORDER BY seq) AS run
  FROM (
    SELECT vehicle, boot, seq, max(epoch_ms(received_at)) AS received_ms
    FROM {messages}
    WHERE received_at >= $since AND vehicle IS NOT NULL AND boot IS NOT NULL
    GROUP BY vehicle, boot, seq
  )
)
GROUP BY vehicle, boot, run
ORDER BY max(received_ms)
"""
_POISON = """
SELECT CASE reason WHEN 'bad_consent' THEN 'consent' ELSE 'telemetry' END || ':' || vehicle, payload
FROM {messages}
WHERE received_at >= $since AND payload IS NOT NULL AND vehicle IS NOT NULL
ORDER BY received_at
"""


def horizon(settings: Settings) -> timedelta:
    """How far back a message that comes again must be known."""
    return timedelta(seconds=settings.session_expiry_s) + _MARGIN


def recall(settings: Settings) -> Seen:
    """All messages that the lake has and that may come again."""
    lake, seen = Lake(settings.lake), Seen()
    since = datetime.fromtimestamp(time.time(), UTC) - horizon(settings)
    con = connect(settings)
    try:
        for table in (READINGS, QUARANTINE):
            if not lake.exists(table):
                continue
            runs = con.execute(_RUNS.format(messages=lake.relation_sql(table)), {"since": since})
            while batch := runs.fetchmany(10_000):
                for vehicle, boot, first, last, received_ms in batch:
                    seen.add(vehicle, boot, first, last, received_ms)
        if lake.exists(QUARANTINE):
            poison = con.execute(_POISON.format(messages=lake.relation_sql(QUARANTINE)), {"since": since})
            while batch := poison.fetchmany(1_000):
                for name, payload in batch:
                    seen.add_poison(name, payload)
    finally:
        con.close()
    return seen
