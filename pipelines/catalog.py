"""The catalogue: what data.gouv.fr says exists.

Datasets and resources as values, read from the API: version 2 for datasets and their paged resources (version 1 puts
thousands of resources in one answer), version 2 too for one resource by its id alone. Bytes are ``fetch``'s business.

What to believe of a resource:

- ``filetype`` "file" is stored by data.gouv.fr itself, under an address that is new with every upload. ``url``,
  ``filesize`` and ``checksum`` were taken together from that upload, so bytes from ``url`` must match them.
- ``filetype`` "remote" is somebody else's server. ``filesize`` and ``checksum`` are what was once seen there: hints.
- ``extras`` (``check:…``, ``analysis:…``) are only refreshed when the crawler sees a change, and have been found months
  behind the file, with another length and checksum. Rocade does not read them.
- ``last_modified`` of a remote resource can move without a byte changing, or stay while bytes change. Only bytes tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import quote, unquote, urlsplit

import requests

from pipelines import web
from pipelines.errors import CatalogError, ResourceGone

if TYPE_CHECKING:
    from types import TracebackType

PAGE_SIZE = 50
PROBE_S = 3.0

_GONE = frozenset({404, 410})


@dataclass(frozen=True)
class Checksum:
    """A checksum as catalogued: ``type`` is sha1, sha2, sha256, md5 or crc, ``value`` hexadecimal."""

    type: str
    value: str


@dataclass(frozen=True)
class Dataset:
    """A dataset of the catalogue, without its resources.

    ``licence`` and ``frequency`` are data.gouv.fr's own ids (``fr-lo``, ``annual``); ``page`` is for people.
    """

    id: str
    title: str
    slug: str
    licence: str | None
    frequency: str | None
    page: str | None
    last_update: datetime | None
    organization: str | None
    resource_count: int


@dataclass(frozen=True)
class Resource:
    """One file or address of a dataset; see the module on which figures to believe.

    ``url`` is where the bytes are now, ``latest`` the permalink that always leads there; ``filesize`` is in bytes;
    ``type`` is main, documentation, update, api, code or other; ``schema`` names the schema it claims to follow.
    """

    id: str
    title: str
    url: str
    latest: str | None
    format: str | None
    type: str
    filetype: str
    filesize: int | None
    mime: str | None
    checksum: Checksum | None
    last_modified: datetime | None
    schema: str | None
    dataset_id: str | None

    @property
    def file_name(self) -> str:
        """The last part of ``url``, without its query: what the publisher called the file."""
        return unquote(urlsplit(self.url).path).rstrip("/").rpartition("/")[2]

    @property
    def is_hosted(self) -> bool:
        """Whether data.gouv.fr keeps the bytes, so that ``filesize`` and ``checksum`` are promises."""
        return self.filetype == "file"


class Catalog:
    """A client of the data.gouv.fr API; a context manager around one HTTP session.

    Args:
        base_url: ``https://www.data.gouv.fr``, the demo platform or a mirror.
        timeout_s: seconds without a byte before a request is given up.
        retries: tries after the first on 429, 5xx and cut connections.
        backoff_s: first pause between tries in seconds, doubled each time.
    """

    def __init__(self, base_url: str, timeout_s: float, retries: int, backoff_s: float) -> None:
        self._base = base_url.rstrip("/")
        self._timeout_s, self._retries, self._backoff_s = timeout_s, retries, backoff_s
        self._session = web.new_session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def dataset(self, id_or_slug: str) -> Dataset:
        """The dataset; a former slug leads to the present one.

        Raises:
            ResourceGone: there is no such dataset, or it was deleted.
            CatalogError: the catalogue cannot be reached or answers with something else.
        """
        record = self._record(f"{self._base}/api/2/datasets/{quote(id_or_slug, safe='')}/")
        return Dataset(
            id=record.text("id"),
            title=record.text("title"),
            slug=record.text("slug"),
            licence=record.text_or_none("license"),
            frequency=record.text_or_none("frequency"),
            page=record.text_or_none("page"),
            last_update=record.moment("last_update"),
            organization=owner.text_or_none("name") if (owner := record.record_or_none("organization")) else None,
            resource_count=record.record("resources").number("total"),
        )

    def resources(self, dataset_id: str) -> list[Resource]:
        """All resources of a dataset, over all pages, in the catalogue's order.

        Raises:
            ResourceGone: there is no such dataset, or it was deleted.
            CatalogError: as for ``dataset``; or the pages do not add up to the total that the last one states.
        """
        path = f"/api/2/datasets/{quote(dataset_id, safe='')}/resources/"
        url: str | None = f"{self._base}{path}?page=1&page_size={PAGE_SIZE}"
        seen: set[str] = set()
        found: list[Resource] = []
        while url is not None:
            if url in seen:
                raise CatalogError("the pages of resources lead in a circle", where=url, fix="try again later")
            seen.add(url)
            page = self._record(url)
            found += [_resource(entry, dataset_id) for entry in page.records("data")]
            total, here, url = page.number("total"), url, page.text_or_none("next_page")
        if len(found) != total:
            raise CatalogError(
                f"the pages hold {len(found)} resources and announce {total}: the list changed while it was read",
                where=here,
                fix="run the command again",
            )
        return found

    def resource(self, resource_id: str) -> Resource:
        """One resource by its id, without knowing its dataset.

        Raises:
            ResourceGone: there is no such resource.
            CatalogError: as for ``dataset``.
        """
        record = self._record(f"{self._base}/api/2/datasets/resources/{quote(resource_id, safe='')}/")
        return _resource(record.record("resource"), record.text_or_none("dataset_id"))

    def reachable(self) -> bool:
        """Whether the API answers, with JSON, within about three seconds; one try."""
        try:
            answer = self._session.get(f"{self._base}/api/1/datasets/?page_size=1", timeout=PROBE_S)
            return answer.ok and isinstance(answer.json(), dict)
        except requests.RequestException:  # also what .json() raises for HTML
            return False

    def _record(self, url: str) -> _Record:
        try:
            answer = web.persist(lambda: self._answer(url), retries=self._retries, backoff_s=self._backoff_s)
        except web.PassingError as error:
            raise CatalogError(
                f"{error.what}, {self._retries + 1} times",
                where=url,
                fix="check the network, or ROCADE_DATAGOUV_URL; `rocade ingest --resource FILE` needs no catalogue",
            ) from error
        try:
            value = answer.json()
        except requests.JSONDecodeError as error:
            raise CatalogError(
                f"the answer is not JSON but {answer.headers.get('Content-Type', 'of no stated type')}, "
                f"and begins {answer.content[:60]!r}",
                where=url,
                fix="open the address in a browser; a proxy or a maintenance page may answer in its place",
            ) from error
        return _Record(url, "the answer", value)

    def _answer(self, url: str) -> requests.Response:
        try:
            answer = self._session.get(url, timeout=self._timeout_s, headers={"Accept": "application/json"})
        except requests.RequestException as error:
            if web.is_passing_exception(error):
                raise web.PassingError(f"no answer ({type(error).__name__})") from error
            raise CatalogError(f"cannot be asked: {error}", where=url, fix="check ROCADE_DATAGOUV_URL") from error
        if web.is_passing_status(answer.status_code):
            raise web.PassingError(f"HTTP {answer.status_code}", retry_after_s=web.retry_after_s(answer.headers))
        if answer.status_code in _GONE:
            raise ResourceGone(
                f"HTTP {answer.status_code}: {_message(answer)}", where=url, fix="look the id up on data.gouv.fr"
            )
        if not answer.ok:
            raise CatalogError(f"HTTP {answer.status_code}: {_message(answer)}", where=url, fix="check the address")
        return answer


class _Record:
    """A JSON object and where it came from, so that a missing or mistyped key can be named.

    Raises:
        CatalogError: ``value`` is not an object.
    """

    def __init__(self, url: str, name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise CatalogError(f"{name} is {_kind(value)} where an object is due", where=url, fix=_REPORT)
        self._url, self._value = url, value

    def text(self, key: str) -> str:
        value = self._present(key)
        if not isinstance(value, str):
            self._refuse(key, value, "text")
        return value

    def text_or_none(self, key: str) -> str | None:
        return self.text(key) if self._value.get(key) is not None else None

    def number(self, key: str) -> int:
        value = self._present(key)
        if type(value) is not int:  # a bool is an int to Python, not to JSON
            self._refuse(key, value, "an integer")
        return value

    def number_or_none(self, key: str) -> int | None:
        return self.number(key) if self._value.get(key) is not None else None

    def moment(self, key: str) -> datetime | None:
        """An ISO 8601 date; the API states an offset, and where an old record does not it means UTC."""
        text = self.text_or_none(key)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._refuse(key, text, "an ISO 8601 date")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def record(self, key: str) -> _Record:
        return _Record(self._url, f"`{key}`", self._present(key))

    def record_or_none(self, key: str) -> _Record | None:
        return self.record(key) if self._value.get(key) is not None else None

    def records(self, key: str) -> list[_Record]:
        value = self._present(key)
        if not isinstance(value, list):
            self._refuse(key, value, "a list")
        return [_Record(self._url, f"`{key}[{index}]`", entry) for index, entry in enumerate(value)]

    def _present(self, key: str) -> Any:
        if self._value.get(key) is None:
            raise CatalogError(f"the answer lacks `{key}`", where=self._url, fix=_REPORT)
        return self._value[key]

    def _refuse(self, key: str, value: Any, due: str) -> NoReturn:
        raise CatalogError(f"`{key}` is {value!r} where {due} is due", where=self._url, fix=_REPORT)


_REPORT = "data.gouv.fr may have changed its API: update rocade, or report this"


def _resource(record: _Record, dataset_id: str | None) -> Resource:
    checksum = record.record_or_none("checksum")
    schema = record.record_or_none("schema")
    return Resource(
        id=record.text("id"),
        title=record.text("title"),
        url=record.text("url").strip(),
        latest=record.text_or_none("latest"),
        format=record.text_or_none("format"),
        type=record.text("type"),
        filetype=record.text("filetype"),
        filesize=record.number_or_none("filesize"),
        mime=record.text_or_none("mime"),
        checksum=Checksum(checksum.text("type"), checksum.text("value").lower()) if checksum else None,
        last_modified=record.moment("last_modified"),
        schema=schema.text_or_none("name") if schema else None,
        dataset_id=dataset_id,
    )


def _message(answer: requests.Response) -> str:
    """What the server says: the API's ``message``, else the status line's reason."""
    try:
        value = answer.json()
    except requests.JSONDecodeError:
        return answer.reason
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else answer.reason


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
