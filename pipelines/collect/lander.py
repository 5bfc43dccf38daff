"""Landing journals in the lake every so often, whatever happens.

Belongs here: the thread, its retries, and how much waits. Does not: one landing (landing.py).

A commit that fails stops nobody: the collector goes on journalling while there is room, and this thread tries again,
less and less often.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pipelines.collect.landing import land

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipelines.collect.journal import Journal
    from pipelines.collect.meter import Meter
    from pipelines.collect.once import Once
    from pipelines.lake.store import Lake

FORGET_S = 3600.0
"""Between two times that a collector forgets boots of which nothing can come again."""

_LONGEST_S = 60.0


class Lander:
    """Lands journals on a thread of its own.

    Args:
        lake: where to.
        journals: whose locks the caller, or processes in its care, hold.
        every_s: seconds from the beginning of a landing to that of the next, if it is over by then.
        meter: where to count.
        notify: told when a landing fails, and when one succeeds again.
        once: what has landed, where messages may come to several journals.
        horizon_s: seconds after which nothing of a silent boot comes again, and ``once`` may forget it.
    """

    def __init__(
        self,
        lake: Lake,
        journals: Sequence[Journal],
        every_s: float,
        meter: Meter,
        notify: Callable[[str], None],
        *,
        once: Once | None = None,
        horizon_s: float = math.inf,
    ) -> None:
        self._lake, self._journals, self._every_s = lake, journals, every_s
        self._meter, self._notify, self._once, self._horizon_s = meter, notify, once, horizon_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lander", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for a landing under way; there is no other after it."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def land(self) -> None:
        """Land all that there is now.

        Raises:
            RocadeError: a commit failed, or a segment cannot be read; the segments stay.
        """
        for journal in self._journals:
            began = time.monotonic()
            report = land(self._lake, journal, self._once)
            self._meter.landed(report, time.monotonic() - began)
        if self._once is not None:
            self._meter.landed_before = self._once.dropped

    def _run(self) -> None:
        delay, forgot = self._every_s, time.monotonic()
        while not self._end.wait(delay):
            failed, began = self._meter.failed, time.monotonic()
            if self._once is not None and began - forgot > FORGET_S:  # here, where no landing is asking it
                forgot = began
                self._once.seen.forget((time.time() - self._horizon_s) * 1000)
            try:
                self.land()
            except Exception as error:  # noqa: BLE001 - else the thread ends unheard, and the journal grows under "up"
                self._meter.not_landed(str(error))
                delay = min(self._every_s * 2 ** min(self._meter.failed, 10), _LONGEST_S)
                if not failed:
                    self._notify(f"the lake takes nothing now, the journal keeps it; trying again ({error})")
            else:
                # From beginning to beginning: where landing takes long, a wait after it would be time lost.
                delay = max(0.0, self._every_s - (time.monotonic() - began))
                if failed:
                    self._notify(f"the lake takes it again, after {failed} failures")


def waiting(folder: Path) -> tuple[int, int, float | None]:
    """What waits for the lake in a journal: segments, bytes, and when the oldest was written (epoch seconds)."""
    count, size, oldest = 0, 0, None
    for file in folder.glob("*.arrow"):
        with suppress(FileNotFoundError):  # it has just landed
            found = file.stat()
            count, size = count + 1, size + found.st_size
            oldest = min(oldest or found.st_mtime, found.st_mtime)
    return count, size, oldest
