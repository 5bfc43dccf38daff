"""Datasets and resources of the local data.gouv.fr, from a folder: as records in the shapes of udata's API, key by key.

The folder holds ``dataset.json`` and data files beside it, or one such folder for each dataset. ``dataset.json`` is
the dataset's record in the API's own spelling: ``id``, ``title``, ``slug``, ``license`` and ``frequency`` must be
there, and any other key is served as it stands. ``"former_slugs": […]`` lead to the dataset; a date in ``"deleted"``
makes it gone; ``"resources": {FILE: {…}}`` says more of a file, such as its title or schema.

``base`` is the scheme and host under which the reader knows the server, for the addresses in records.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

RECORD = "dataset.json"
REQUIRED = ("id", "title", "slug", "license", "frequency")

Json = dict[str, Any]


@dataclass(frozen=True)
class MirrorFile:
    """One data file and the id of its resource."""

    id: str
    path: Path


@dataclass(frozen=True)
class MirrorDataset:
    """One folder with a ``dataset.json``: its record and its data files in order of name."""

    record: Json
    files: tuple[MirrorFile, ...]


def mirror_datasets(folder: Path) -> list[MirrorDataset]:
    """The datasets that ``folder`` holds: itself, or its sub-folders.

    Raises:
        SettingsError: there is no ``dataset.json``, or one that lacks a required key.
    """
    records = [folder / RECORD] if (folder / RECORD).is_file() else sorted(folder.glob(f"*/{RECORD}"))
    if not records:
        raise SettingsError(
            f"there is no {RECORD} in the folder or in its sub-folders",
            where=str(folder),
            fix=f"write one with {', '.join(REQUIRED)}; `rocade demo` makes an example",
        )
    return [_dataset(path) for path in records]


def resource_id(dataset_id: str, file_name: str) -> str:
    """The id of a file's resource: the same on every start, so that what was remembered of it stays true."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset_id}/{file_name}"))


def light(dataset: MirrorDataset, base: str) -> Json:
    """As version 2 gives it, with a link to its resources."""
    href = f"{base}/api/2/datasets/{dataset.record['id']}/resources/?page=1&page_size=50"
    section = {"rel": "subsection", "href": href, "type": "GET", "total": len(dataset.files)}
    return {**_head(dataset, base), "resources": section}


def whole(dataset: MirrorDataset, base: str) -> Json:
    """As version 1 gives it, with its resources."""
    return {**_head(dataset, base), "resources": [resource(dataset, file, base) for file in dataset.files]}


def resource(dataset: MirrorDataset, file: MirrorFile, base: str) -> Json:
    """One file as a resource."""
    state = file.path.stat()
    moment = _modified(file.path).isoformat()
    usual: Json = {
        "id": file.id,
        "title": file.path.name,
        "description": None,
        "filetype": "file",
        "type": "main",
        "format": file.path.suffix.lstrip(".").lower() or None,
        "url": address(dataset, file, base),
        "latest": f"{base}/fr/datasets/r/{file.id}",
        "checksum": {"type": "sha1", "value": _sha1(file.path, state.st_mtime_ns, state.st_size)},
        "filesize": state.st_size,
        "mime": mime(file.path),
        "created_at": moment,
        "last_modified": moment,
        "metrics": {},
        "harvest": None,
        "extras": {},
        "preview_url": None,
        "schema": None,
        "internal": {"created_at_internal": moment, "last_modified_internal": moment},
    }
    more: Json = dataset.record.get("resources", {}).get(file.path.name, {})
    return usual | more


def address(dataset: MirrorDataset, file: MirrorFile, base: str) -> str:
    """Where its bytes are."""
    return f"{base}/resources/{quote(dataset.record['slug'])}/{quote(file.path.name)}"


def mime(path: Path) -> str:
    """The media type by the file's name."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _head(dataset: MirrorDataset, base: str) -> Json:
    slug = quote(dataset.record["slug"])
    newest = max((_modified(file.path) for file in dataset.files), default=datetime.min.replace(tzinfo=UTC))
    usual: Json = {
        "acronym": None,
        "archived": None,
        "deleted": None,
        "description": "",
        "extras": {},
        "harvest": None,
        "last_modified": newest.isoformat(),
        "last_update": newest.isoformat(),
        "organization": None,
        "owner": None,
        "page": f"{base}/fr/datasets/{slug}/",
        "private": False,
        "tags": [],
        "uri": f"{base}/api/1/datasets/{slug}/",
    }
    return usual | dataset.record


def _dataset(path: Path) -> MirrorDataset:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SettingsError(
            f"not JSON: {error.msg}", where=f"{path}, line {error.lineno}, column {error.colno}", fix="mend the file"
        ) from error
    missing = [key for key in REQUIRED if not isinstance(record, dict) or not record.get(key)]
    if missing:
        raise SettingsError(f"lacks {', '.join(missing)}", where=str(path), fix="add them, in the API's own spelling")
    names = sorted(p.name for p in path.parent.iterdir() if p.is_file() and p.name != RECORD and p.name[0] != ".")
    files = tuple(MirrorFile(resource_id(record["id"], name), path.parent / name) for name in names)
    return MirrorDataset(record, files)


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


@lru_cache(maxsize=4096)
def _sha1(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001 - the cache must see a changed file as another
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()
