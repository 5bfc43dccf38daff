"""What the local data.gouv.fr answers: from a folder and an address asked for to a JSON record, a redirect or a file.

The shapes are those of udata's API, versions 1 and 2, key by key. No HTTP here: that is ``mirror``'s.

The folder holds ``dataset.json`` and data files beside it, or one such folder for each dataset. ``dataset.json`` is
the dataset's record in the API's own spelling: ``id``, ``title``, ``slug``, ``license`` and ``frequency`` must be
there, and any other key is served as it stands. ``"former_slugs": […]`` lead to the dataset; a date in ``"deleted"``
makes it gone.
"""

from __future__ import annotations

import hashlib
import json
import math
import mimetypes
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

RECORD = "dataset.json"
REQUIRED = ("id", "title", "slug", "license", "frequency")

Json = dict[str, Any]


@dataclass(frozen=True)
class Redirect:
    """An answer that leads elsewhere."""

    status: HTTPStatus
    location: str


class ApiError(Exception):
    """The API's way of saying no: a status and ``{"message": …}``."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


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


def answer(folder: Path, base: str, target: str) -> Json | Redirect | Path:
    """What to send for ``target``.

    Args:
        folder: see the module; read anew each time, so a file that is replaced shows as a new version.
        base: scheme and host under which the reader knows this server, for the addresses in the answer.
        target: path and query as asked for.

    Raises:
        ApiError: 400, 404 or 410.
    """
    url = urlsplit(target)
    site = _Site(mirror_datasets(folder), base, url)
    for pattern, method in _ROUTES:
        if match := pattern.fullmatch(url.path.rstrip("/")):
            found: Json | Redirect | Path = getattr(site, method)(*map(unquote, match.groups()))
            return found
    raise ApiError(HTTPStatus.NOT_FOUND, f"{url.path} is nothing this mirror knows")


_ROUTES = tuple(
    (re.compile(pattern), method)
    for pattern, method in (
        (r"/api/1/datasets", "all_datasets"),
        (r"(?:/api/1|/fr)?/datasets/r/([^/]+)", "permalink"),
        (r"/api/2/datasets/resources/([^/]+)", "resource_alone"),
        (r"/api/1/datasets/([^/]+)", "dataset_whole"),
        (r"/api/2/datasets/([^/]+)", "dataset_light"),
        (r"/api/2/datasets/([^/]+)/resources", "resources"),
        (r"/api/1/datasets/([^/]+)/resources/([^/]+)", "resource"),
        (r"/resources/([^/]+)/([^/]+)", "file"),
    )
)


class _Site:
    """The answers to one request, a method for each kind of address."""

    def __init__(self, datasets: list[MirrorDataset], base: str, url: SplitResult) -> None:
        self._datasets, self._base, self._url = datasets, base, url

    def all_datasets(self) -> Json:
        return self._page([self._whole(dataset) for dataset in self._datasets], default_size=20)

    def dataset_whole(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        return dataset if isinstance(dataset, Redirect) else self._whole(dataset)

    def dataset_light(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        href = f"{self._base}/api/2/datasets/{dataset.record['id']}/resources/?page=1&page_size=50"
        section = {"rel": "subsection", "href": href, "type": "GET", "total": len(dataset.files)}
        return {**self._head(dataset), "resources": section}

    def resources(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        return self._page([self._record(dataset, file) for file in dataset.files], default_size=50)

    def resource(self, name: str, rid: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        owner, file = self._find_resource(rid)
        if owner is not dataset:
            raise ApiError(HTTPStatus.NOT_FOUND, "Resource does not exist")
        return self._record(owner, file)

    def resource_alone(self, rid: str) -> Json:
        dataset, file = self._find_resource(rid)
        return {"resource": self._record(dataset, file), "dataset_id": dataset.record["id"]}

    def permalink(self, rid: str) -> Redirect:
        return Redirect(HTTPStatus.FOUND, self._address(*self._find_resource(rid)))

    def file(self, slug: str, name: str) -> Path:
        for dataset in self._datasets:
            for file in dataset.files:
                if (dataset.record["slug"], file.path.name) == (slug, name):
                    return file.path
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no file {slug}/{name}")

    def _find(self, name: str) -> MirrorDataset | Redirect:
        for dataset in self._datasets:
            record = dataset.record
            if name in (record["id"], record["slug"]):
                if record.get("deleted"):
                    raise ApiError(HTTPStatus.GONE, "Dataset has been deleted")
                return dataset
            if name in record.get("former_slugs", ()):
                moved = self._url._replace(path=self._url.path.replace(quote(name), quote(record["slug"]), 1))
                return Redirect(HTTPStatus.PERMANENT_REDIRECT, self._base + moved.geturl())
        raise ApiError(HTTPStatus.NOT_FOUND, "Dataset not found")

    def _find_resource(self, rid: str) -> tuple[MirrorDataset, MirrorFile]:
        for dataset in self._datasets:
            for file in dataset.files:
                if file.id == rid:
                    return dataset, file
        raise ApiError(HTTPStatus.NOT_FOUND, "Resource does not exist")

    def _page(self, items: list[Json], *, default_size: int) -> Json:
        page, size = self._whole_number("page", 1), self._whole_number("page_size", default_size)
        last = max(1, math.ceil(len(items) / size))
        if page > last:
            raise ApiError(HTTPStatus.NOT_FOUND, f"there is no page {page}, the last is {last}")
        address = f"{self._base}{self._url.path}?page_size={size}&page="
        return {
            "data": items[(page - 1) * size : page * size],
            "next_page": f"{address}{page + 1}" if page < last else None,
            "page": page,
            "page_size": size,
            "previous_page": f"{address}{page - 1}" if page > 1 else None,
            "total": len(items),
        }

    def _whole_number(self, key: str, default: int) -> int:
        value = parse_qs(self._url.query).get(key, [str(default)])[-1]
        if not value.isdecimal() or int(value) < 1:
            raise ApiError(HTTPStatus.BAD_REQUEST, f"{key} must be a positive integer")
        return int(value)

    def _whole(self, dataset: MirrorDataset) -> Json:
        return {**self._head(dataset), "resources": [self._record(dataset, file) for file in dataset.files]}

    def _head(self, dataset: MirrorDataset) -> Json:
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
            "page": f"{self._base}/fr/datasets/{slug}/",
            "private": False,
            "tags": [],
            "uri": f"{self._base}/api/1/datasets/{slug}/",
        }
        return usual | dataset.record

    def _record(self, dataset: MirrorDataset, file: MirrorFile) -> Json:
        state = file.path.stat()
        moment = _modified(file.path).isoformat()
        return {
            "id": file.id,
            "title": file.path.name,
            "description": None,
            "filetype": "file",
            "type": "main",
            "format": file.path.suffix.lstrip(".").lower() or None,
            "url": self._address(dataset, file),
            "latest": f"{self._base}/fr/datasets/r/{file.id}",
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

    def _address(self, dataset: MirrorDataset, file: MirrorFile) -> str:
        return f"{self._base}/resources/{quote(dataset.record['slug'])}/{quote(file.path.name)}"


def mime(path: Path) -> str:
    """The media type by the file's name."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


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
