from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.catalog import Catalog, Checksum, Resource
from pipelines.demo.mirror import Mirror
from pipelines.demo.mirror_records import resource_id
from pipelines.errors import CatalogError, ResourceGone

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parents[2] / "../shared/data/datagouv/api"
DATASET = "0123456789abcdef01234567"

Answer = tuple[int, Any]  # a status and JSON, or bytes, or a dict of headers for a redirect


class Scripted(BaseHTTPRequestHandler):
    """Gives each address its next answer; the last one stays."""

    script: dict[str, list[Answer]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        answers = self.script.get(self.path, [(404, {"message": "not in the script"})])
        status, value = answers.pop(0) if len(answers) > 1 else answers[0]
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        if status in (302, 308):
            self.send_header("Location", value)
        self.send_header("Content-Type", "text/html" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def scripted(script: dict[str, list[Answer]]) -> Iterator[tuple[Catalog, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Scripted,), {"script": script, "asked": asked}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with Catalog(f"http://127.0.0.1:{server.server_port}/", 5, 2, 0) as catalog:
            yield catalog, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    record = {
        "id": DATASET,
        "title": "Numbers",
        "slug": "numbers",
        "license": "fr-lo",
        "frequency": "annual",
        "former_slugs": ["numéros"],
        "organization": {"name": "The Counters"},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(record))
    for n in range(120):
        (tmp_path / f"part {n:03}.csv").write_text(f"n\n{n}\n")
    with Mirror(tmp_path) as running:
        yield running


@pytest.fixture
def catalog(mirror: Mirror) -> Iterator[Catalog]:
    with Catalog(mirror.url, 5, 0, 0) as client:
        yield client


@pytest.mark.parametrize("name", [DATASET, "numbers", "numéros"])
def test_dataset_by_id_slug_and_former_slug(catalog: Catalog, mirror: Mirror, name: str) -> None:
    dataset = catalog.dataset(name)
    assert (dataset.id, dataset.title, dataset.slug) == (DATASET, "Numbers", "numbers")
    assert (dataset.licence, dataset.frequency, dataset.organization) == ("fr-lo", "annual", "The Counters")
    assert dataset.page == f"{mirror.url}/fr/datasets/numbers/"
    assert dataset.resource_count == 120
    assert dataset.last_update is not None
    assert timedelta() <= datetime.now(UTC) - dataset.last_update < timedelta(minutes=5)


def test_resources_over_all_pages(catalog: Catalog) -> None:
    resources = catalog.resources(DATASET)
    assert [resource.title for resource in resources] == [f"part {n:03}.csv" for n in range(120)]
    assert len({resource.id for resource in resources}) == 120


def test_resource_alone_is_the_one_of_the_list(catalog: Catalog, mirror: Mirror) -> None:
    rid = resource_id(DATASET, "part 007.csv")
    resource = catalog.resource(rid)
    assert resource == catalog.resources(DATASET)[7]
    assert resource.latest == f"{mirror.url}/fr/datasets/r/{rid}"
    assert resource.url == f"{mirror.url}/resources/numbers/part%20007.csv"
    assert resource.file_name == "part 007.csv"
    assert (resource.format, resource.type, resource.filetype, resource.filesize) == ("csv", "main", "file", 4)
    assert resource.checksum == Checksum("sha1", hashlib.sha1(b"n\n7\n").hexdigest())  # noqa: S324 - the API's own
    assert resource.dataset_id == DATASET
    assert resource.is_hosted


@pytest.mark.parametrize("version", ["api1", "api2"])
def test_recorded_resource(version: str) -> None:
    path = RECORDED / f"resource_metadata_{version}.json"
    if not path.is_file():
        pytest.skip("the recorded answers are not beside this checkout")
    value = json.loads(path.read_text())
    value = value if version == "api2" else {"resource": value, "dataset_id": "5d13a8b6634f41070a43dff3"}
    rid = value["resource"]["id"]
    with scripted({f"/api/2/datasets/resources/{rid}/": [(200, value)]}) as (catalog, _):
        resource = catalog.resource(rid)
    assert resource == Resource(
        id=rid,
        title="export-dataservice-20250407-061526.csv",
        url=value["resource"]["url"],
        latest=f"https://www.data.gouv.fr/fr/datasets/r/{rid}",
        format="csv",
        type="main",
        filetype="file",
        filesize=1_643_394,
        mime="text/csv",
        checksum=Checksum("sha1", "0d7bb1d30a853949fb522fb7f8b330cbb9cf38c5"),
        last_modified=datetime(2025, 4, 7, 8, 15, 26, 421_000, UTC),
        schema=None,
        dataset_id="5d13a8b6634f41070a43dff3",
    )


def test_recorded_dataset() -> None:
    path = RECORDED / "api2_dataset_baac_transcribed.json"
    if not path.is_file():
        pytest.skip("the recorded answers are not beside this checkout")
    value = json.loads(path.read_text())
    with scripted({f"/api/2/datasets/{value['id']}/": [(200, value)]}) as (catalog, _):
        dataset = catalog.dataset(value["id"])
    assert (dataset.licence, dataset.frequency, dataset.resource_count) == ("fr-lo", "annual", 95)
    assert dataset.organization == "Ministère de l'Intérieur et des Outre-Mer"


def test_every_recorded_resource_can_be_read() -> None:
    path = RECORDED / "udata_fixture_datasets_subset.json"
    if not path.is_file():
        pytest.skip("the recorded answers are not beside this checkout")
    recorded = [item for entry in json.loads(path.read_text()) for item in entry["resources"]]
    page = {"data": recorded, "next_page": None, "total": len(recorded)}
    with scripted({"/api/2/datasets/d/resources/?page=1&page_size=50": [(200, page)]}) as (catalog, _):
        resources = catalog.resources("d")
    assert [resource.id for resource in resources] == [item["id"] for item in recorded]
    assert {resource.filetype for resource in resources} == {"file", "remote"}


def minimal(**over: Any) -> dict[str, Any]:
    resource = {
        "id": "r",
        "title": "t",
        "url": " https://example.org/a.csv ",
        "type": "main",
        "filetype": "remote",
        "checksum": None,
        "filesize": None,
        "schema": None,
    }
    return {"resource": resource | over, "dataset_id": "d"}


@pytest.mark.parametrize(
    ("schema", "name"),
    [(None, None), ({"name": None, "url": None, "version": None}, None), ({"name": "etalab/x"}, "etalab/x")],
)
def test_empty_values_in_both_of_their_forms(schema: Any, name: str | None) -> None:
    with scripted({"/api/2/datasets/resources/r/": [(200, minimal(schema=schema))]}) as (catalog, _):
        resource = catalog.resource("r")
    assert (resource.schema, resource.checksum, resource.filesize, resource.latest) == (name, None, None, None)
    assert resource.url == "https://example.org/a.csv"
    assert not resource.is_hosted


def test_dates_without_offset_are_utc() -> None:
    with scripted({"/api/2/datasets/resources/r/": [(200, minimal(last_modified="2024-12-10T06:11:06"))]}) as (c, _):
        assert c.resource("r").last_modified == datetime(2024, 12, 10, 6, 11, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"url": None}, "lacks `url`"),
        ({"id": 7}, "`id` is 7 where text is due"),
        ({"filesize": "12"}, "`filesize` is '12' where an integer is due"),
        ({"filesize": True}, "`filesize` is True where an integer is due"),
        ({"last_modified": "yesterday"}, "`last_modified` is 'yesterday' where an ISO 8601 date is due"),
        ({"checksum": "abc"}, "`checksum` is a text where an object is due"),
        ({"checksum": {"type": "sha1"}}, "lacks `value`"),
    ],
)
def test_a_missing_or_mistyped_key_is_named_with_its_address(over: dict[str, Any], words: str) -> None:
    with (
        scripted({"/api/2/datasets/resources/r/": [(200, minimal(**over))]}) as (catalog, _),
        pytest.raises(CatalogError) as caught,
    ):
        catalog.resource("r")
    assert words in caught.value.what
    assert str(caught.value.where).endswith("/api/2/datasets/resources/r/")


@pytest.mark.parametrize("value", [[], None, "text", 3])
def test_json_that_is_no_object(value: Any) -> None:
    with (
        scripted({"/api/2/datasets/d/": [(200, value)]}) as (catalog, _),
        pytest.raises(CatalogError, match="where an object is due"),
    ):
        catalog.dataset("d")


def test_html_in_place_of_json() -> None:
    with (
        scripted({"/api/2/datasets/d/": [(200, b"<html>maintenance")]}) as (catalog, asked),
        pytest.raises(CatalogError, match=r"not JSON but text/html, and begins b'<html>maintenance'"),
    ):
        catalog.dataset("d")
    assert len(asked) == 1


@pytest.mark.parametrize(("status", "message"), [(410, "Dataset has been deleted"), (404, "Dataset not found")])
def test_gone_is_not_asked_again(status: int, message: str) -> None:
    with (
        scripted({"/api/2/datasets/d/": [(status, {"message": message})]}) as (catalog, asked),
        pytest.raises(ResourceGone, match=f"HTTP {status}: {message}"),
    ):
        catalog.dataset("d")
    assert len(asked) == 1


def test_other_refusals_carry_the_message() -> None:
    with (
        scripted({"/api/2/datasets/d/": [(400, {"message": "page must be positive"})]}) as (catalog, asked),
        pytest.raises(CatalogError, match="HTTP 400: page must be positive"),
    ):
        catalog.dataset("d")
    assert len(asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_errors_then_success(status: int) -> None:
    busy = (status, {"message": "busy"})
    with scripted({"/api/2/datasets/resources/r/": [busy, busy, (200, minimal())]}) as (catalog, asked):
        assert catalog.resource("r").id == "r"
    assert len(asked) == 3


def test_passing_errors_that_stay() -> None:
    with (
        scripted({"/api/2/datasets/d/": [(503, b"<html>")]}) as (catalog, asked),
        pytest.raises(CatalogError, match="HTTP 503, 3 times"),
    ):
        catalog.dataset("d")
    assert len(asked) == 3


def test_pages_in_a_circle() -> None:
    path = "/api/2/datasets/d/resources/?page=1&page_size=50"
    page = {"data": [], "next_page": None, "total": 0}
    with scripted({path: [(200, page)]}) as (catalog, _):
        page["next_page"] = f"{catalog._base}{path}"  # noqa: SLF001 - the port is the server's choice
        with pytest.raises(CatalogError, match="circle"):
            catalog.resources("d")


def test_pages_that_do_not_add_up() -> None:
    page = {"data": [minimal()["resource"]], "next_page": None, "total": 2}
    with (
        scripted({"/api/2/datasets/d/resources/?page=1&page_size=50": [(200, page)]}) as (catalog, _),
        pytest.raises(CatalogError, match="hold 1 resources and announce 2"),
    ):
        catalog.resources("d")


def test_reachable(catalog: Catalog) -> None:
    assert catalog.reachable()


@pytest.mark.parametrize("answer", [(200, b"<html>hotel"), (503, {}), (200, [])])
def test_not_reachable_behind_a_page_or_an_error(answer: Answer) -> None:
    with scripted({"/api/1/datasets/?page_size=1": [answer]}) as (catalog, asked):
        assert not catalog.reachable()
    assert len(asked) == 1


def test_not_reachable_where_nobody_listens() -> None:
    with Catalog("http://127.0.0.1:9", 5, 5, 1) as catalog:
        assert not catalog.reachable()


def test_nobody_listens() -> None:
    with (
        Catalog("http://127.0.0.1:9", 5, 1, 0) as catalog,
        pytest.raises(CatalogError, match=r"no answer \(ConnectionError\), 2 times"),
    ):
        catalog.dataset("d")


def test_an_address_that_is_none() -> None:
    with Catalog("htp:/x", 5, 1, 0) as catalog, pytest.raises(CatalogError, match="cannot be asked"):
        catalog.dataset("d")
