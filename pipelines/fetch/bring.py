"""``fetch``: one source to one snapshot."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import filelock

from pipelines.errors import FetchError
from pipelines.fetch import checks
from pipelines.fetch.download import Version, discard, download
from pipelines.fetch.snapshots import Snapshot, address_key, is_kept, keep, last_snapshot, resource_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.catalog import Checksum, Resource
    from pipelines.progress import Progress, Step
    from pipelines.settings import Settings


@dataclass(frozen=True)
class _Wanted:
    """What to bring: ``size`` and ``checksum`` are promises, ``expected`` (bytes) is only for the progress bar."""

    key: str
    url: str
    title: str | None
    expected: int | None = None
    size: int | None = None
    checksum: Checksum | None = None


def fetch(source: Resource | str | Path, settings: Settings, progress: Progress) -> Snapshot:
    """Bring the bytes of ``source`` into the raw store, or confirm that the ones there are still the present ones.

    A resource that data.gouv.fr hosts is asked for at its ``url``, which is immutable, and must have the catalogue's
    length and checksum. A remote one is asked for at its permalink, which knows where it is today; what the catalogue
    says of its bytes is a hint and is not held against them.

    Safe to interrupt: a later call goes on from the bytes that were brought. Nothing is remembered as done here: see
    ``remember``.

    Args:
        source: a resource of the catalogue, an http(s) address, or a local file (text without ``://`` is a path). A
            local file is copied, not linked: the store must not change when its owner edits the file.
        settings: the raw store, timeout, retries, back-off.
        progress: counts bytes.

    Raises:
        ResourceGone: 404 or 410, or there is no such local file.
        CorruptDownload: length or checksum are not those promised.
        FetchError: the bytes cannot be brought, are none, or are a web page or an error message.
    """
    try:
        if isinstance(source, Path):
            return _fetch_file(source, settings, progress)
        if isinstance(source, str) and "://" not in source:
            return _fetch_file(Path(source), settings, progress)
        return _fetch_url(_wanted(source), settings, progress)
    except OSError as error:
        raise FetchError(
            f"the disk refuses: {error.strerror or error}",
            where=str(error.filename or settings.raw),
            fix="check free space and permissions",
        ) from error


def _wanted(source: Resource | str) -> _Wanted:
    if isinstance(source, str):
        parts = urlsplit(source)
        if parts.scheme not in ("http", "https"):
            raise FetchError(f"{parts.scheme}:// is not supported", where=source, fix="give an http(s) URL or a file")
        return _Wanted(address_key(source), source, None)
    key = resource_key(source.id)
    if not source.is_hosted:
        return _Wanted(key, source.latest or source.url, source.title, source.filesize)
    return _Wanted(key, source.url, source.title, source.filesize, source.filesize, source.checksum)


def _fetch_url(wanted: _Wanted, settings: Settings, progress: Progress) -> Snapshot:
    label = wanted.title or _file_name(wanted.url) or wanted.url
    with _part(wanted.key, settings) as part, progress.step(f"fetch {label}", wanted.expected, "B") as step:
        last = last_snapshot(wanted.key, settings)
        known = last if last and _is_worth_asking(last, wanted, settings) else None
        version = download(wanted.url, part, known, settings, step=step, tell=progress.note)
        if version is None and known is not None:
            return replace(known, name=wanted.title or known.name, fetched_at=datetime.now(UTC), unchanged=True)
        if version is None:
            raise FetchError("HTTP 304 to a question without condition", where=wanted.url, fix="try again later")
        return _snapshot(part, wanted, version, last=last, settings=settings, progress=progress)


def _is_worth_asking(last: Snapshot, wanted: _Wanted, settings: Settings) -> bool:
    """Whether to ask "has it changed since ``last``?", or for the bytes themselves.

    Validators belong to one address, and are worth nothing without the bytes they describe. A date alone is none: a file may be
    replaced within its second, or with its old date. An ETag may be made of date and length, so that a server's "not modified"
    is believed for some days only; the catalogue's word against it is believed at once.
    """
    return (
        last.url == wanted.url
        and last.etag is not None
        and is_kept(last)
        and datetime.now(UTC) - last.read_at < timedelta(days=settings.http_believe_days)
        and wanted.size in (None, last.size)
        and (wanted.checksum is None or wanted.checksum.value == last.promised)
    )


def _snapshot(
    part: Path, wanted: _Wanted, version: Version, *, last: Snapshot | None, settings: Settings, progress: Progress
) -> Snapshot:
    name = wanted.checksum and checks.algorithm(wanted.checksum)
    if wanted.checksum and not name:
        progress.note(f"{wanted.url}: a checksum of type {wanted.checksum.type} is not verified")
    try:
        checks.check_bytes(part, wanted.url)
        size = part.stat().st_size
        if wanted.size is not None:
            checks.check_promise(wanted.size, size, "length in bytes", wanted.url)
        sums = checks.digests(part, {"sha256", name or "sha256"})
        if wanted.checksum and name:
            checks.check_promise(wanted.checksum.value, sums[name], name, wanted.url)
    except FetchError:
        discard(part)  # these bytes will not get better
        raise
    path = keep(part, sums["sha256"], settings)
    discard(part)
    return Snapshot(
        resource=wanted.key,
        name=wanted.title or _file_name(version.final_url) or wanted.key,
        path=path,
        sha256=sums["sha256"],
        size=size,
        url=wanted.url,
        final_url=version.final_url,
        etag=version.etag,
        last_modified=version.last_modified,
        fetched_at=(now := datetime.now(UTC)),
        read_at=now,
        promised=wanted.checksum.value if wanted.checksum else None,
        unchanged=last is not None and last.sha256 == sums["sha256"],
    )


def _fetch_file(source: Path, settings: Settings, progress: Progress) -> Snapshot:
    if not source.is_file():
        what = "this is a folder" if source.is_dir() else "there is no such file"
        raise FetchError(what, where=str(source), fix="give a file or an http(s) URL")
    checks.check_bytes(source, str(source))
    key = resource_key(source.name)
    last = last_snapshot(key, settings)
    size = source.stat().st_size
    with _part(key, settings) as part, progress.step(f"fetch {source.name}", size, "B") as step:
        discard(part)  # of a download under the same name
        _copy(source, part, step)
        digest = checks.digests(part, ["sha256"])["sha256"]
        size = part.stat().st_size
        path = keep(part, digest, settings)
    return Snapshot(
        resource=key,
        name=source.name,
        path=path,
        sha256=digest,
        size=size,
        url=None,
        final_url=None,
        etag=None,
        last_modified=None,
        fetched_at=(now := datetime.now(UTC)),
        read_at=now,
        promised=None,
        unchanged=last is not None and last.sha256 == digest,
    )


def _copy(source: Path, part: Path, step: Step) -> None:
    with source.open("rb") as old, part.open("wb") as new:
        while chunk := old.read(checks.CHUNK):
            new.write(chunk)
            step.advance(len(chunk))


@contextmanager
def _part(key: str, settings: Settings) -> Iterator[Path]:
    """The part file of ``key``, ours alone while in the context."""
    incoming = settings.raw / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(incoming / f"{key}.lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise FetchError(
            "another process is fetching this resource", where=lock.lock_file, fix="let it end, then run again"
        ) from error
    try:
        yield incoming / f"{key}.part"
    finally:
        lock.release()


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
