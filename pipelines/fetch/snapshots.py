"""Snapshots and the raw store: which bytes we hold, of which resource, since when."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from pipelines.disk import settle, write_whole
from pipelines.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

_LONGEST_KEY = 120
_RECORDED = frozenset({"resource", "name", "sha256", "size", "url", "final_url", "etag", "last_modified", "fetched_at"})


@dataclass(frozen=True)
class Snapshot:
    """The bytes of a resource at one fetch.

    Attributes:
        resource: stable key: the resource's id in the catalogue, else the file name, see ``resource_key``.
        name: title or file name, by which a contract finds the vintage.
        path: the bytes in the raw store.
        sha256: of the bytes, hexadecimal.
        size: in bytes.
        url: the address asked; None for a local file.
        final_url: the address that answered, after redirects.
        etag: validator of ``final_url``, as sent.
        last_modified: the other validator, as sent (an HTTP date).
        fetched_at: when the bytes were brought, or last confirmed to be the present ones; UTC.
        unchanged: whether these are the bytes of the last snapshot that was remembered.
    """

    resource: str
    name: str
    path: Path
    sha256: str
    size: int
    url: str | None
    final_url: str | None
    etag: str | None
    last_modified: str | None
    fetched_at: datetime
    unchanged: bool


def resource_key(name: str) -> str:
    """``name`` as a key that is safe in a path: [A-Za-z0-9._-], no leading dot, at most 120 characters.

    Long names keep their beginning and gain a digest, so that they stay apart.
    """
    key = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "unnamed"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY - 17]}-{sha256(name.encode()).hexdigest()[:16]}"


def raw_path(digest: str, settings: Settings) -> Path:
    """Where the bytes with this sha256 are, or would be."""
    return settings.raw / digest[:2] / digest


def keep(part: Path, digest: str, settings: Settings) -> Path:
    """Move finished bytes into the raw store and return their place there.

    Bytes already there are replaced by the same bytes: that mends a store whose files were damaged.
    """
    path = raw_path(digest, settings)
    settle(part, path)
    path.chmod(0o444)
    return path


def is_kept(snapshot: Snapshot) -> bool:
    """Whether the raw store still holds the snapshot's bytes."""
    return snapshot.path.is_file() and snapshot.path.stat().st_size == snapshot.size


def last_snapshot(key: str, settings: Settings) -> Snapshot | None:
    """The snapshot of ``key`` that was last remembered, or None; its bytes may have been removed since.

    Raises:
        FetchError: the record was damaged.
    """
    path = _record(key, settings)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        moment = datetime.fromisoformat(record.pop("fetched_at"))
        return Snapshot(**record, fetched_at=moment, path=raw_path(record["sha256"], settings), unchanged=False)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise FetchError(
            f"the record of the last snapshot cannot be read ({type(error).__name__}: {error})",
            where=str(path),
            fix="delete it; the resource is then fetched anew",
        ) from error


def remember(snapshot: Snapshot, settings: Settings) -> None:
    """Record ``snapshot`` as the last of its resource: the caller's word that nothing is left to do with its bytes.

    Call it only when the ingest has succeeded. Until then the next fetch brings the bytes as new, and the ingest is
    tried again.
    """
    record = {key: value for key, value in asdict(snapshot).items() if key in _RECORDED}
    record["fetched_at"] = snapshot.fetched_at.isoformat()
    write_whole(_record(snapshot.resource, settings), json.dumps(record, ensure_ascii=False, indent=1))


def _record(key: str, settings: Settings) -> Path:
    return settings.raw / "resources" / f"{resource_key(key)}.json"
