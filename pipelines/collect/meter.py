"""What a collector counts, from its start.

Belongs here: the figures, and the report they end in. Does not: showing them (status.py, metrics.py).

Several threads add, each to figures of its own.
"""

from __future__ import annotations

import resource
import sys
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.collect.formats import Message
    from pipelines.collect.intake import Taken
    from pipelines.collect.landing import LandReport

BATCHES = (1, 10, 50, 100, 500, 1000, 2000, 5000, 10_000)
"""Upper ends of the histogram of batch sizes, in messages."""


@dataclass(frozen=True)
class CollectReport:
    """What a run of the collector did.

    Attributes:
        messages: messages received, telemetry and consent, redelivered ones included.
        consents: consent messages read.
        readings: readings made durable.
        quarantined: quarantined rows by reason.
        duplicates: messages that were durable already.
        silent: messages of which nothing may be kept.
        redelivered: messages that the broker marked as sent before.
        stale: retained messages that do not tell of when they are.
        unknown: readings of signals that the catalogue does not have.
        landed_before: messages dropped on landing, as another worker's or a former run's had landed.
        segments: journal segments landed, of former runs too.
        commits: versions of the lake's tables made.
        seconds: how long it ran.
    """

    messages: int
    consents: int
    readings: int
    quarantined: Mapping[str, int]
    duplicates: int
    silent: int
    redelivered: int
    stale: int
    unknown: int
    landed_before: int
    segments: int
    commits: int
    seconds: float


@dataclass
class Meter:
    """The figures of a run.

    Attributes:
        received: messages taken from the session, of whatever topic.
        messages: of them, telemetry and consent.
        durable: messages that are journalled, or of which nothing is to be kept.
        acknowledged: messages of which the broker was told.
        stuck_since: epoch seconds since when the disk takes nothing; None when it does.
        batches: messages in batches, counted under the ends in ``BATCHES``, and one more above them.
        commit_s: seconds of the last landing.
        failed: landings that failed, one after the other until now.
    """

    received: int = 0
    messages: int = 0
    consents: int = 0
    readings: int = 0
    duplicates: int = 0
    silent: int = 0
    redelivered: int = 0
    stale: int = 0
    unknown: int = 0
    landed_before: int = 0
    durable: int = 0
    acknowledged: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    stuck_since: float | None = None
    batches: list[int] = field(default_factory=lambda: [0] * (len(BATCHES) + 1))
    segments: int = 0
    commits: int = 0
    landings: int = 0
    commit_s: float = 0.0
    failed: int = 0
    fault: str | None = None
    began: float = field(default_factory=time.monotonic)

    def took(self, batch: Sequence[Message]) -> None:
        """A batch was taken from the session."""
        self.received += len(batch)
        self.batches[bisect_left(BATCHES, len(batch))] += 1

    def settled(self, taken: Taken, fresh: Sequence[Message], acknowledged: Sequence[Message]) -> None:
        """A batch is durable, and some messages were acknowledged."""
        self.messages += len(fresh) - taken.ignored
        self.redelivered += sum([message.again for message in fresh])
        self.consents += taken.consents
        self.readings += taken.readings.num_rows
        self.duplicates += taken.duplicates
        self.silent += taken.silent
        self.stale += taken.stale
        self.unknown += taken.unknown
        self.durable += len(fresh) - len(taken.held)
        self.acknowledged += len(acknowledged)
        if taken.rejected.num_rows:
            self.quarantined.update(taken.rejected.column("reason").to_pylist())

    def landed(self, report: LandReport, seconds: float) -> None:
        """A landing is done."""
        self.segments += report.segments
        self.commits += report.commits
        self.failed, self.fault = 0, None
        if report.segments:
            self.landings += 1
            self.commit_s = seconds

    def not_landed(self, fault: str) -> None:
        """A landing failed."""
        self.failed += 1
        self.fault = fault

    def report(self) -> CollectReport:
        """The figures of a run that is over."""
        return CollectReport(
            messages=self.messages,
            consents=self.consents,
            readings=self.readings,
            quarantined=dict(self.quarantined),
            duplicates=self.duplicates,
            silent=self.silent,
            redelivered=self.redelivered,
            stale=self.stale,
            unknown=self.unknown,
            landed_before=self.landed_before,
            segments=self.segments,
            commits=self.commits,
            seconds=time.monotonic() - self.began,
        )

    def figures(self) -> dict[str, Any]:
        """All of it, for a status file."""
        named = {name: value for name, value in vars(self).items() if name not in ("began", "quarantined")}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return named | {
            "quarantined": dict(self.quarantined),
            "seconds": round(time.monotonic() - self.began, 3),
            "peak_mb": round(peak / 1e6, 1),
        }
