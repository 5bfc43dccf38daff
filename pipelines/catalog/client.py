"""``Catalog``: asking the API, with patience."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from pipelines import web
from pipelines.catalog.records import REPORT, Record
from pipelines.catalog.search import Found, Query, found_in
from pipelines.catalog.values import Dataset, Resource, dataset_of, resource_of
from pipelines.errors import CatalogError, ResourceGone

if TYPE_CHECKING:
    from types import TracebackType

    from pipelines.settings import Settings

PAGE_SIZE = 50
PROBE_S = 3.0

_GONE = frozenset({404, 410})


class NotOffered(CatalogError):  # noqa: N818 - what the server says is its name
    """The server says 501: it does not have this."""


def open_catalog(settings: Settings) -> Catalog:
    """The catalogue under the settings' address and patience."""
    return Catalog(settings.datagouv_url, settings.http_timeout_s, settings.http_retries, settings.http_backoff_s)


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
        return dataset_of(record, record.record("resources").number("total"))

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
            found += [resource_of(entry, dataset_id) for entry in page.records("data")]
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
        return resource_of(record.record("resource"), record.text_or_none("dataset_id"))

    def search(self, query: Query) -> Found:
        """Datasets that answer ``query``, a page of them.

        The search proper knows facets; where it is switched off, the plain list of version 1 is asked, and a note says so.

        Raises:
            CatalogError: as for ``dataset``; or there is no such organisation.
        """
        if query.organization:
            query = replace(query, organization=self._organization_id(query.organization))
        try:
            return found_in(self._record(f"{self._base}/api/2/datasets/search/?{query.parameters()}"), query)
        except NotOffered:
            page = self._record(f"{self._base}/api/1/datasets/?{query.parameters()}")
            note = "the catalogue's search is switched off; these come from its plain list, without facets"
            return found_in(page, query, notes=(note,))

    def schema_url(self, name: str, version: str | None) -> str | None:
        """Where the schema called ``name`` is, as the catalogue of schemas says; None where it does not know it.

        Raises:
            CatalogError: as for ``dataset``.
        """
        url = f"{self._base}/api/1/datasets/schemas/"
        entries = self.document(url)
        if not isinstance(entries, list):
            raise CatalogError("the catalogue of schemas is no list", where=url, fix=REPORT)
        for entry in (Record(url, "a schema", each) for each in entries):
            if entry.text_or_none("name") != name:
                continue
            versions = {
                each.text("version_name"): each.text_or_none("schema_url") for each in entry.records("versions")
            }
            return versions.get(version or "") or entry.text_or_none("schema_url")
        return None

    def document(self, url: str) -> Any:
        """Any JSON document.

        Raises:
            ResourceGone: 404 or 410.
            CatalogError: it cannot be had, or is no JSON.
        """
        try:
            answer = web.persist(lambda: self._answer(url), retries=self._retries, backoff_s=self._backoff_s)
        except web.PassingError as error:
            raise CatalogError(
                f"{error.what}, {self._retries + 1} times",
                where=url,
                fix="check the network, or ROCADE_DATAGOUV_URL; `rocade ingest --resource FILE` needs no catalogue",
            ) from error
        try:
            return answer.json()
        except requests.JSONDecodeError as error:
            raise CatalogError(
                f"the answer is not JSON but {answer.headers.get('Content-Type', 'of no stated type')}, "
                f"and begins {answer.content[:60]!r}",
                where=url,
                fix="open the address in a browser; a proxy or a maintenance page may answer in its place",
            ) from error

    def reachable(self) -> bool:
        """Whether the API answers, with JSON, within about three seconds; one try."""
        try:
            answer = self._session.get(f"{self._base}/api/1/datasets/?page_size=1", timeout=PROBE_S)
            return answer.ok and isinstance(answer.json(), dict)
        except requests.RequestException:  # also what .json() raises for HTML
            return False

    def _record(self, url: str) -> Record:
        return Record(url, "the answer", self.document(url))

    def _organization_id(self, given: str) -> str:
        """The search wants the id; people know the name in the address."""
        if re.fullmatch(r"[0-9a-f]{24}", given):
            return given
        try:
            return self._record(f"{self._base}/api/1/organizations/{quote(given, safe='')}/").text("id")
        except ResourceGone as error:
            raise CatalogError(
                f"there is no organisation {given!r}",
                where="--organization",
                fix="give its id or the last part of its page's address, such as `etalab`",
            ) from error

    def _answer(self, url: str) -> requests.Response:
        try:
            answer = self._session.get(url, timeout=self._timeout_s, headers={"Accept": "application/json"})
        except requests.RequestException as error:
            if web.is_passing_exception(error):
                raise web.PassingError(f"no answer ({type(error).__name__})") from error
            raise CatalogError(f"cannot be asked: {error}", where=url, fix="check ROCADE_DATAGOUV_URL") from error
        if answer.status_code == HTTPStatus.NOT_IMPLEMENTED:
            raise NotOffered(f"HTTP 501: {_message(answer)}", where=url, fix="the catalogue does not offer this")
        if web.is_passing_status(answer.status_code):
            raise web.PassingError(f"HTTP {answer.status_code}", retry_after_s=web.retry_after_s(answer.headers))
        if answer.status_code in _GONE:
            raise ResourceGone(
                f"HTTP {answer.status_code}: {_message(answer)}", where=url, fix="look the id up on data.gouv.fr"
            )
        if not answer.ok:
            raise CatalogError(f"HTTP {answer.status_code}: {_message(answer)}", where=url, fix="check the address")
        return answer


def _message(answer: requests.Response) -> str:
    """What the server says: the API's ``message``, else the status line's reason."""
    try:
        value = answer.json()
    except requests.JSONDecodeError:
        return answer.reason
    message = value.get("message") if isinstance(value, dict) else None
    return message if isinstance(message, str) else answer.reason
