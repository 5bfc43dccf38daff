"""How Rocade asks over HTTP: one kind of session, one rule for trying again.

Belongs here: what ``catalog`` and ``fetch`` share. What an answer means is theirs to say.

Tenacity drives the tries, not urllib3's ``Retry``: that one ends where the headers end, and a download that is cut in
its body must be tried again too, from where it stopped. One rule then covers both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import requests
import tenacity

import pipelines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

LONGEST_PAUSE_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0  # a server may ask for a day; a person who waits should rather be told

_ASK_AGAIN = frozenset({408, 425, 429})
_SERVER_FAULTS = range(500, 600)


class PassingError(Exception):
    """Something went wrong that may go right the next time.

    Args:
        what: the fault, as a sentence without its place.
        retry_after_s: seconds the server asked us to wait.
        progressed: whether this try brought something new, so that counting starts again.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None, progressed: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after_s = retry_after_s
        self.progressed = progressed


def new_session() -> requests.Session:
    """A session that says who we are; the caller closes it."""
    session = requests.Session()
    session.headers["User-Agent"] = f"rocade/{pipelines.__version__}"
    return session


def persist(
    attempt: Callable[[], T], *, retries: int, backoff_s: float, tell: Callable[[str], object] | None = None
) -> T:
    """The result of the first ``attempt`` that does not end in a ``PassingError``.

    Args:
        attempt: one try; may keep what it got so far for the next.
        retries: tries after the first. Only tries in a row that brought nothing new count, so that a large file over
            a poor line ends well, and a server that keeps failing still ends soon.
        backoff_s: first pause in seconds, doubled after each fruitless try.
        tell: called with a line before each pause, so that whoever waits knows why.

    Raises:
        PassingError: of the last try.
    """
    patience = _Patience(retries, backoff_s)

    def announce(state: tenacity.RetryCallState) -> None:
        if tell is not None:
            tell(f"{_error(state).what}; trying again in {state.upcoming_sleep:.0f} s")

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(PassingError),
        after=patience.count,
        wait=patience.pause_s,
        stop=patience.is_over,
        before_sleep=announce,
        reraise=True,
    )(attempt)


def pause_s(error: PassingError, fruitless: int, backoff_s: float) -> float:
    """Seconds to wait after the ``fruitless``-th try in a row: what the server asked for, else exponential."""
    if error.retry_after_s is not None:
        return min(error.retry_after_s, LONGEST_RETRY_AFTER_S)
    return float(min(backoff_s * 2 ** (fruitless - 1), LONGEST_PAUSE_S))


def is_passing_status(status: int) -> bool:
    """Whether an HTTP status invites another try: 408, 425, 429 and the server's own faults."""
    return status in _ASK_AGAIN or status in _SERVER_FAULTS


def is_passing_exception(error: requests.RequestException) -> bool:
    """Whether ``error`` is a cut or refused connection or a silence, not a wrong address or an untrusted server."""
    kinds = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    # requests files a certificate that does not convince under connection errors; asking again will not convince.
    return isinstance(error, kinds) and not isinstance(error, requests.exceptions.SSLError)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds asked for by ``Retry-After`` (a number or an HTTP date), or None where it is absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


class _Patience:
    """Counts fruitless tries in a row; tenacity calls the methods in the order below."""

    def __init__(self, retries: int, backoff_s: float) -> None:
        self._retries, self._backoff_s, self._fruitless = retries, backoff_s, 0

    def count(self, state: tenacity.RetryCallState) -> None:
        self._fruitless = 1 if _error(state).progressed else self._fruitless + 1

    def pause_s(self, state: tenacity.RetryCallState) -> float:
        return pause_s(_error(state), self._fruitless, self._backoff_s)

    def is_over(self, state: tenacity.RetryCallState) -> bool:  # noqa: ARG002 - the signature is tenacity's
        return self._fruitless > self._retries


def _error(state: tenacity.RetryCallState) -> PassingError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, PassingError):
        raise TypeError(f"tenacity called without a PassingError: {error!r}")
    return error
