"""Making batches durable, one behind the other, and acknowledging them: the step between intake and landing.

Belongs here: the thread that writes the journal, waits when a disk is full, and acknowledges in the order of receipt.
Does not: what is written (intake.py), files (journal.py), what becomes of them (landing.py).

A message that waits for its car's consent holds back the acknowledgements of those behind it, never their rows. Of a
batch that the disk does not take nothing is acknowledged: it is tried again until it fits, and meanwhile the window fills
and the broker holds the queue.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import RocadeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.collect.formats import Message
    from pipelines.collect.intake import Taken
    from pipelines.collect.journal import Journal
    from pipelines.collect.meter import Meter
    from pipelines.collect.session import Session

_AHEAD = 2  # batches between intake and the disk
_RETRY_S = (0.25, 5.0)


@dataclass(frozen=True)
class _Batch:
    taken: Taken
    fresh: Sequence[Message]  # in the order of receipt
    before: Sequence[Message]  # held of earlier batches, taken up again in this one


class Durable:
    """The thread that journals and acknowledges.

    Args:
        journal: whose lock the caller holds.
        number: of the next segment.
        session: to acknowledge to.
        meter: where to count.
        notify: told when the disk does not take it, and when it does again.
        meanwhile: called now and then on the thread that ``put`` or ``retry`` keeps waiting for the disk.
    """

    def __init__(
        self,
        journal: Journal,
        number: int,
        session: Session,
        meter: Meter,
        notify: Callable[[str], None],
        meanwhile: Callable[[], None],
    ) -> None:
        self._journal, self._number, self._session = journal, number, session
        self._meter, self._notify, self._meanwhile = meter, notify, meanwhile
        self._queue: queue.Queue[_Batch | None] = queue.Queue(_AHEAD)
        self._unacknowledged: deque[Message] = deque()
        self._giving_up = threading.Event()
        self._timer: threading.Timer | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, taken: Taken, fresh: Sequence[Message], before: Sequence[Message]) -> None:
        """Hand over a batch; waits while the disk is behind.

        Raises:
            RocadeError: whatever ended the thread.
        """
        batch = _Batch(taken, fresh, before)
        while True:
            self.check()
            try:
                self._queue.put(batch, timeout=0.2)
            except queue.Full:
                self._meanwhile()
                continue
            return

    def check(self) -> None:
        """Raise what went wrong for good."""
        if self._error is not None:
            raise self._error

    def finish(self, patience_s: float) -> None:
        """Wait until everything handed over is durable and acknowledged; a disk that is full is waited for so long.

        Raises:
            RocadeError: the disk did not take it; nothing of that was acknowledged.
        """
        if self._thread.ident is None:
            return
        self.hurry(patience_s)
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.2)
            except queue.Full:
                continue
            self._thread.join()
        if self._timer is not None:
            self._timer.cancel()
        self.check()

    def hurry(self, patience_s: float) -> None:
        """Wait for a full disk for so many seconds more, and no longer."""
        if self._timer is None:
            self._timer = threading.Timer(patience_s, self._giving_up.set)
            self._timer.daemon = True
            self._timer.start()

    def retry(self, step: Callable[[], None]) -> None:
        """Do ``step`` until the disk takes it.

        Raises:
            RocadeError: what keeps it from that, once the time of ``hurry`` is over.
        """
        self._retry(step, self._meanwhile)

    def _retry(self, step: Callable[[], None], meanwhile: Callable[[], None] | None) -> None:
        delay = _RETRY_S[0]
        while True:
            try:
                step()
            except RocadeError as error:
                if self._giving_up.is_set():
                    raise
                if self._meter.stuck_since is None:
                    self._meter.stuck_since = time.time()
                    self._notify(
                        f"{error.what} ({error.where}): nothing is acknowledged until it can, the broker waits"
                    )
                if meanwhile is not None:
                    meanwhile()
                self._giving_up.wait(delay)
                delay = min(2 * delay, _RETRY_S[1])
            else:
                break
        if self._meter.stuck_since is not None:
            self._notify(f"the disk takes it again, after {time.time() - self._meter.stuck_since:.0f} s")
            self._meter.stuck_since = None

    def _run(self) -> None:
        try:
            while (batch := self._queue.get()) is not None:
                self._settle(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop raises it
            self._error = error

    def _settle(self, batch: _Batch) -> None:
        taken = batch.taken
        if taken.readings.num_rows or taken.rejected.num_rows:
            self._retry(lambda: self._journal.append(self._number, taken.readings, taken.rejected), None)
            self._number += 1
        for message in (*batch.before, *batch.fresh):
            message.done = True
        for message in taken.held:
            message.done = False
        self._unacknowledged.extend(batch.fresh)
        ready: list[Message] = []
        while self._unacknowledged and self._unacknowledged[0].done:
            ready.append(self._unacknowledged.popleft())
        self._session.acknowledge(ready)
        self._meter.settled(taken, batch.fresh, ready)
