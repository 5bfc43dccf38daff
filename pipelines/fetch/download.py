"""One download over as many tries as it takes, and over as many runs of the program.

The bytes so far are in a ``.part`` file; beside it a ``.json`` says which version of which address they belong to. A
try goes on from there by Range, under three locks against splicing two versions: If-Range asks the server to send the
whole file if it changed; the answer's own validators, total and place must be those of the part, for servers that
ignore If-Range; and a part without a strong validator (RFC 9110, section 8.8.1) is never gone on from.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
import urllib3

from pipelines import web
from pipelines.disk import write_whole
from pipelines.errors import CorruptDownload, FetchError, ResourceGone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.fetch.snapshots import Snapshot
    from pipelines.progress import Step
    from pipelines.settings import Settings

CHUNK = 1 << 16
#: A try is worth its while when it brings this many bytes, or this share of a smaller file: a server that gives a few
#: bytes a try would otherwise be asked for ever.
_WORTH_BYTES, _WORTH_SHARE = 1 << 20, 0.05

_SETTLED_S = 60  # a file that changed less than a minute before it was sent may change again within its second
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass(frozen=True)
class Version:
    """Which version of what a server sent: enough to tell whether two answers are parts of the same bytes.

    ``url`` is the address asked, ``final_url`` the one that answered; ``total`` is the length in bytes, None where
    the server did not say; ``strong`` is the validator that If-Range may carry.
    """

    url: str
    final_url: str
    etag: str | None
    last_modified: str | None
    total: int | None
    strong: str | None


def download(
    url: str, part: Path, known: Snapshot | None, settings: Settings, *, step: Step, tell: Callable[[str], object]
) -> Version | None:
    """Bring ``url`` into ``part``, whole.

    Args:
        url: http or https.
        part: where the bytes go; what an earlier run left there is gone on from.
        known: a snapshot of this very url whose bytes we hold, to be confirmed instead of brought again.
        settings: timeout, retries and back-off.
        step: counts bytes.
        tell: called with a line before each pause.

    Returns:
        What was brought, or None where ``known`` is still the present version.

    Raises:
        ResourceGone: 404 or 410.
        CorruptDownload: the length stays other than promised.
        FetchError: anything else, after the retries.
    """
    with web.new_session() as session:
        one = _Download(url, part, known, timeout_s=settings.http_timeout_s, step=step, session=session)
        try:
            return web.persist(
                one.attempt,
                retries=settings.http_retries,
                backoff_s=settings.http_backoff_s,
                tell=lambda line: tell(f"{url}: {line}"),
            )
        except web.PassingError as error:
            kind = CorruptDownload if one.was_cut else FetchError
            raise kind(
                f"{error.what}; given up after {settings.http_retries} tries more that brought next to nothing",
                where=url,
                fix="run the command again later: it goes on from what was brought",
            ) from error


def discard(part: Path) -> None:
    """Forget a part, so that the next try starts from the beginning."""
    part.unlink(missing_ok=True)
    _label(part).unlink(missing_ok=True)


class _Download:
    def __init__(
        self, url: str, part: Path, known: Snapshot | None, *, timeout_s: float, step: Step, session: requests.Session
    ) -> None:
        self._url, self._part, self._known, self._timeout_s = url, part, known, timeout_s
        self._step, self._session = step, session
        self._shown = 0
        self._furthest = part.stat().st_size if part.exists() else 0
        self.was_cut = False

    def attempt(self) -> Version | None:
        held, offset = self._held()
        try:
            headers = self._conditions() | _range(held, offset)
            with self._session.get(self._url, headers=headers, stream=True, timeout=self._timeout_s) as answer:
                again, version = self._take(answer, held, offset)
        except requests.RequestException as error:
            raise self._failure(error) from error
        return self.attempt() if again else version

    def _held(self) -> tuple[Version | None, int]:
        """What the part is part of and how far it goes; nothing where it cannot be gone on from."""
        try:
            held = Version(**json.loads(_label(self._part).read_text(encoding="utf-8")))
            size = self._part.stat().st_size
        except (FileNotFoundError, ValueError, TypeError):
            return None, 0
        if held.url != self._url or held.strong is None or held.total is None or not 0 < size <= held.total:
            return None, 0
        # A part that is complete (the program was killed right then) asks for its last byte again: the answer says
        # whether the file is still the same, where a range beyond the end would only be refused.
        return held, min(size, held.total - 1)

    def _conditions(self) -> dict[str, str]:
        # Identity: lengths and ranges count bytes of the file, not of a compressed transfer.
        headers = {"Accept-Encoding": "identity"}
        if self._known is not None and self._known.etag:
            headers["If-None-Match"] = self._known.etag
        return headers

    def _take(self, answer: requests.Response, held: Version | None, offset: int) -> tuple[bool, Version | None]:
        """Whether to ask again at once, and what was brought."""
        if answer.status_code == HTTPStatus.NOT_MODIFIED and self._known is not None:
            if answer.url == self._known.final_url:
                discard(self._part)
                return False, None
            # The permalink leads to another file now, and validators say nothing about another file.
            self._known = None
            return True, None
        version = _version(self._url, answer)
        if answer.status_code == HTTPStatus.PARTIAL_CONTENT and held is not None and offset:
            if _start(answer) == offset and _same(version, held):
                self._write(answer, version, offset)
                return False, version
            discard(self._part)
            return True, None
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            discard(self._part)
            return True, None
        if answer.status_code == HTTPStatus.OK:
            # Bytes first gone, then the label changed, then bytes again: a kill in between leaves nothing to splice.
            discard(self._part)
            write_whole(_label(self._part), json.dumps(asdict(version)))
            self._write(answer, version, 0)
            return False, version
        raise self._refusal(answer)

    def _write(self, answer: requests.Response, version: Version, offset: int) -> None:
        self.was_cut = False
        size = offset
        self._show(size, version.total)
        with self._part.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            try:
                # read1 gives what has arrived; reading fixed amounts would drop the beginning of an amount cut short.
                while chunk := answer.raw.read1(CHUNK, decode_content=True):
                    file.write(chunk)
                    size += len(chunk)
                    self._show(size, version.total)
            except urllib3.exceptions.HTTPError as error:
                raise self._cut(size, version.total) from error
        if version.total is not None and size != version.total:  # a server may send less than the range asked for
            raise self._cut(size, version.total)

    def _show(self, size: int, total: int | None) -> None:
        self._step.advance(size - self._shown, total)  # negative when a try starts over
        self._shown = size

    def _failure(self, error: requests.RequestException) -> Exception:
        if not web.is_passing_exception(error):
            return FetchError(f"cannot be asked: {error}", where=self._url, fix="check the address")
        self.was_cut = False
        return web.PassingError(f"the connection failed ({type(error).__name__})")

    def _cut(self, size: int, total: int | None) -> web.PassingError:
        self.was_cut = True
        worth = _WORTH_BYTES if total is None else min(_WORTH_BYTES, total * _WORTH_SHARE)
        progressed = size - self._furthest >= worth
        if progressed:
            self._furthest = size
        promised = "an unstated number of" if total is None else total
        return web.PassingError(f"the connection ended after {size} of {promised} bytes", progressed=progressed)

    def _refusal(self, answer: requests.Response) -> Exception:
        status = f"HTTP {answer.status_code} {answer.reason}".strip()
        if web.is_passing_status(answer.status_code):
            self.was_cut = False
            return web.PassingError(status, retry_after_s=web.retry_after_s(answer.headers))
        if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return ResourceGone(
                status, where=self._url, fix="the publisher removed or moved it: see the dataset's page on data.gouv.fr"
            )
        return FetchError(status, where=self._url, fix="check the address and whether it asks for a login")


def _label(part: Path) -> Path:
    return part.with_suffix(".json")


def _range(held: Version | None, offset: int) -> dict[str, str]:
    if held is None or held.strong is None or not offset:
        return {}
    return {"Range": f"bytes={offset}-", "If-Range": held.strong}


def _version(url: str, answer: requests.Response) -> Version:
    headers = answer.headers
    etag, last_modified = headers.get("ETag"), headers.get("Last-Modified")
    if headers.get("Content-Encoding", "identity") != "identity":
        return Version(url, answer.url, etag, last_modified, total=None, strong=None)
    spread = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    length = spread[3] if spread else headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    strong = etag if etag and not etag.startswith("W/") else _settled(last_modified, headers.get("Date"))
    return Version(url, answer.url, etag, last_modified, total, strong)


def _settled(last_modified: str | None, date: str | None) -> str | None:
    """``last_modified`` where it is old enough to name one version only (RFC 9110, section 8.8.2.2)."""
    try:
        age = parsedate_to_datetime(date or "") - parsedate_to_datetime(last_modified or "")
    except ValueError:
        return None
    return last_modified if age.total_seconds() >= _SETTLED_S else None


def _start(answer: requests.Response) -> int | None:
    spread = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(spread[1]) if spread else None


def _same(version: Version, held: Version) -> bool:
    """Whether a partial answer is of the version held; it may leave out a validator, but not contradict one."""
    return (
        version.final_url == held.final_url
        and version.total == held.total
        and version.etag in (None, held.etag)
        and version.last_modified in (None, held.last_modified)
    )
