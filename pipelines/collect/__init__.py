"""Collect: from MQTT to ``core.readings``, each reading once, none without consent.

Belongs here: the session with the broker, wire formats, the journal, landing in the lake, compaction of what has
landed. Does not: consents and pseudonyms themselves (privacy), samples and trips (tables).

The flow::

    broker -> session -> intake -> journal -> landing -> core.readings, quarantine.messages
              (thread)   consent   (thread)   (thread, or the process that minds several workers)
                         names     fsync,
                         checks    then ack
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lazy import lazily

if TYPE_CHECKING:
    from pipelines.collect.collector import Collector, Until, collect
    from pipelines.collect.compaction import CompactReport, compact_readings
    from pipelines.collect.landing import LandReport, land_pending
    from pipelines.collect.meter import CollectReport
    from pipelines.collect.workers import Workers

__getattr__ = lazily(
    __name__,
    {
        "CollectReport": "meter",
        "Collector": "collector",
        "CompactReport": "compaction",
        "LandReport": "landing",
        "Until": "collector",
        "Workers": "workers",
        "collect": "collector",
        "compact_readings": "compaction",
        "land_pending": "landing",
    },
)

__all__ = [
    "CollectReport",
    "Collector",
    "CompactReport",
    "LandReport",
    "Until",
    "Workers",
    "collect",
    "compact_readings",
    "land_pending",
]
