"""What the local data.gouv.fr answers: from a folder and an address asked for to a JSON record, a redirect or a file.

The addresses are those of udata's API, versions 1 and 2; what is in the folder, and its records, are ``mirror_records``'. No
HTTP here: that is ``mirror``'s. A folder ``schemas`` in the folder holds Table Schemas, which are served and listed under their
path without ``.json``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from pipelines.demo.mirror_records import address, light, mirror_datasets, resource, whole
from pipelines.demo.mirror_search import facets_of, matches

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.demo.mirror_records import MirrorDataset, MirrorFile

SCHEMAS = "schemas"

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


def answer(folder: Path, base: str, target: str) -> Json | list[Json] | Redirect | Path:
    """What to send for ``target``.

    Args:
        folder: see the module; read anew each time, so a file that is replaced shows as a new version.
        base: scheme and host under which the reader knows this server, for the addresses in the answer.
        target: path and query as asked for.

    Raises:
        ApiError: 400, 404 or 410.
    """
    url = urlsplit(target)
    site = _Site(folder, mirror_datasets(folder), base, url)
    for pattern, method in _ROUTES:
        if match := pattern.fullmatch(url.path.rstrip("/")):
            found: Json | list[Json] | Redirect | Path = getattr(site, method)(*map(unquote, match.groups()))
            return found
    raise ApiError(HTTPStatus.NOT_FOUND, f"{url.path} is nothing this mirror knows")


_ROUTES = tuple(
    (re.compile(pattern), method)
    for pattern, method in (
        (r"/api/1/datasets", "all_datasets"),
        (r"/api/2/datasets/search", "search"),
        (r"/api/1/datasets/schemas", "schemas"),
        (r"/api/1/organizations/([^/]+)", "organization"),
        (r"/schemas/(.+)", "schema"),
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

    def __init__(self, folder: Path, datasets: list[MirrorDataset], base: str, url: SplitResult) -> None:
        self._folder, self._datasets, self._base, self._url = folder, datasets, base, url

    def all_datasets(self) -> Json:
        return self._page([whole(dataset, self._base) for dataset in self._matching()], default_size=20)

    def search(self) -> Json:
        found = self._matching()
        return {
            **self._page([light(dataset, self._base) for dataset in found], default_size=20),
            "facets": facets_of([whole(dataset, self._base) for dataset in found]),
        }

    def schemas(self) -> list[Json]:
        listed = []
        for path in sorted((self._folder / SCHEMAS).rglob("*.json")):
            document = json.loads(path.read_text(encoding="utf-8"))
            name = path.relative_to(self._folder / SCHEMAS).with_suffix("").as_posix()
            address = f"{self._base}/schemas/{quote(name)}.json"
            versions = [{"version_name": str(document.get("version", "1")).removeprefix("v"), "schema_url": address}]
            listed.append(
                {
                    "name": name,
                    "title": document.get("title"),
                    "description": document.get("description"),
                    "schema_url": address,
                    "schema_type": "tableschema",
                    "versions": versions,
                }
            )
        return listed

    def schema(self, name: str) -> Path:
        path = (self._folder / SCHEMAS / name).resolve()
        if not path.is_relative_to((self._folder / SCHEMAS).resolve()) or not path.is_file():
            raise ApiError(HTTPStatus.NOT_FOUND, f"there is no schema {name}")
        return path

    def organization(self, name: str) -> Json:
        for dataset in self._datasets:
            owner: Json | None = dataset.record.get("organization")
            if owner and name in (owner.get("id"), owner.get("slug")):
                return owner
        raise ApiError(HTTPStatus.NOT_FOUND, "Organization not found")

    def dataset_whole(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        return dataset if isinstance(dataset, Redirect) else whole(dataset, self._base)

    def dataset_light(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        return light(dataset, self._base)

    def resources(self, name: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        return self._page([resource(dataset, file, self._base) for file in dataset.files], default_size=50)

    def resource(self, name: str, rid: str) -> Json | Redirect:
        dataset = self._find(name)
        if isinstance(dataset, Redirect):
            return dataset
        owner, file = self._find_resource(rid)
        if owner is not dataset:
            raise ApiError(HTTPStatus.NOT_FOUND, "Resource does not exist")
        return resource(owner, file, self._base)

    def resource_alone(self, rid: str) -> Json:
        dataset, file = self._find_resource(rid)
        return {"resource": resource(dataset, file, self._base), "dataset_id": dataset.record["id"]}

    def permalink(self, rid: str) -> Redirect:
        return Redirect(HTTPStatus.FOUND, address(*self._find_resource(rid), self._base))

    def file(self, slug: str, name: str) -> Path:
        for dataset in self._datasets:
            for file in dataset.files:
                if (dataset.record["slug"], file.path.name) == (slug, name):
                    return file.path
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no file {slug}/{name}")

    def _matching(self) -> list[MirrorDataset]:
        """The datasets that the query asks for, by words and filters."""
        asked = {key: values[-1] for key, values in parse_qs(self._url.query).items()}
        return [dataset for dataset in self._datasets if matches(whole(dataset, self._base), asked)]

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
