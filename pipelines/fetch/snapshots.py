"""Snapshots and the raw store: which bytes we hold, of which resource, since when."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipelines.disk import settle, write_whole
from pipelines.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

_LONGEST_KEY = 120
_PERMALINK = re.compile(r"(?:^|/)datasets/r/(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$", re.IGNORECASE)
_TEXTS = ("resource", "name", "sha256", "size", "url", "final_url", "etag", "last_modified", "promised")
_MOMENTS = ("fetched_at", "read_at")


@dataclass(frozen=True)
class Snapshot:
    """The bytes of a resource at one fetch.

    Attributes:
        resource: stable key: the resource's id in the catalogue, else made of the address or the file name, see
            ``resource_key`` and ``address_key``.
        name: title or file name, by which a contract finds the vintage.
        path: the bytes in the raw store.
        sha256: of the bytes, hexadecimal.
        size: in bytes.
        url: the address asked; None for a local file.
        final_url: the address that answered, after redirects.
        etag: validator of ``final_url``, as sent.
        last_modified: the other validator, as sent (an HTTP date).
        fetched_at: when the bytes were brought, or last confirmed to be the present ones; UTC.
        read_at: when they were last brought; a server's word that nothing changed is not believed for ever.
        promised: the catalogue's checksum at that time.
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
    read_at: datetime
    promised: str | None
    unchanged: bool


def resource_key(name: str) -> str:
    """``name`` as a key that is safe in a path: [A-Za-z0-9._-], no leading dot, at most 120 characters.

    Long names keep their beginning and gain a digest, so that they stay apart.
    """
    key = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "unnamed"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{key[: _LONGEST_KEY - 17]}-{sha256(name.encode()).hexdigest()[:16]}"


def address_key(url: str) -> str:
    """The key of what stands at an http(s) address: host and path, since a file of each year may have the same name.

    The query belongs to it only where the path ends in no file's name (`…/export?year=2024`): elsewhere it tells how, not what.
    The port does not: a server that moves to another one has the same files. A permalink of data.gouv.fr ends in the resource's
    id, and is that.
    """
    parts = urlsplit(url)
    path = unquote(parts.path).strip("/")
    if permalink := _PERMALINK.search(path):
        return permalink["id"].lower()
    query = "" if "." in path.rpartition("/")[2] else unquote(parts.query)
    return resource_key("/".join(each for each in (parts.hostname, path, query) if each))


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
    place = _record(key, settings)
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
        record = {"read_at": record["fetched_at"], "promised": None} | record  # 0.1.0 did not write them
        fetched_at, read_at = (datetime.fromisoformat(record.pop(name)) for name in _MOMENTS)
        path = raw_path(record["sha256"], settings)
        return Snapshot(**record, fetched_at=fetched_at, read_at=read_at, path=path, unchanged=False)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise FetchError(
            f"the record of the last snapshot cannot be read ({type(error).__name__}: {error})",
            where=str(place),
            fix="delete it; the resource is then fetched anew",
        ) from error


def remember(snapshot: Snapshot, settings: Settings) -> None:
    """Record ``snapshot`` as the last of its resource: the caller's word that nothing is left to do with its bytes.

    Call it only when the ingest has succeeded. Until then the next fetch brings the bytes as new, and the ingest is
    tried again.
    """
    held = asdict(snapshot)
    record = {name: held[name] for name in _TEXTS} | {name: held[name].isoformat() for name in _MOMENTS}
    write_whole(_record(snapshot.resource, settings), json.dumps(record, ensure_ascii=False, indent=1))


def remembered_keys(prefix: str, settings: Settings) -> list[str]:
    """The resources that were remembered and whose key begins with ``prefix``, sorted."""
    folder = settings.raw / "resources"
    keys = (path.name.removesuffix(".json") for path in folder.glob("*.json"))
    return sorted(key for key in keys if key.startswith(prefix))


def _record(key: str, settings: Settings) -> Path:
    return settings.raw / "resources" / f"{resource_key(key)}.json"
