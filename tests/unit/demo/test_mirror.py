from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from pipelines.demo.mirror import Mirror
from pipelines.demo.mirror_records import resource_id
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).parents[3] / "../shared/data/datagouv/api"
ID = "0123456789abcdef01234567"
BODY = b"id;name\n1;one\n2;two\n"


def write_dataset(folder: Path, slug: str = "numbers", **over: Any) -> None:
    folder.mkdir(exist_ok=True)
    record = {"id": ID, "title": "Numbers", "slug": slug, "license": "lov2", "frequency": "annual"}
    (folder / "dataset.json").write_text(json.dumps(record | over))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_dataset(tmp_path, former_slugs=["numerals"])
    (tmp_path / "one.csv").write_bytes(BODY)
    (tmp_path / "two é.csv").write_bytes(BODY)
    (tmp_path / ".hidden").write_bytes(BODY)
    return tmp_path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    with Mirror(folder) as mirror:
        yield mirror.url


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(
        url, headers={k.replace("_", "-"): v for k, v in headers.items()}, timeout=5, allow_redirects=False
    )


RID = resource_id(ID, "one.csv")


def test_dataset_of_version_1_has_its_resources_inline(url: str) -> None:
    record = get(f"{url}/api/1/datasets/{ID}/").json()
    assert [resource["title"] for resource in record["resources"]] == ["one.csv", "two é.csv"]
    assert (record["license"], record["deleted"], record["private"]) == ("lov2", None, False)


def test_dataset_of_version_2_has_a_link_to_them(url: str) -> None:
    section = get(f"{url}/api/2/datasets/numbers/").json()["resources"]
    assert section["total"] == 2
    assert get(section["href"]).json()["data"][0]["id"] == RID


def test_pages(url: str) -> None:
    first = get(f"{url}/api/2/datasets/{ID}/resources/?page=1&page_size=1").json()
    assert (first["page"], first["page_size"], first["total"], first["previous_page"]) == (1, 1, 2, None)
    second = get(first["next_page"]).json()
    assert [r["title"] for r in first["data"] + second["data"]] == ["one.csv", "two é.csv"]
    assert second["next_page"] is None
    assert get(second["previous_page"]).json() == first


def test_listing(url: str) -> None:
    listing = get(f"{url}/api/1/datasets/?page_size=1").json()
    assert [dataset["id"] for dataset in listing["data"]] == [ID]


def test_one_resource_in_both_versions(url: str) -> None:
    one = get(f"{url}/api/1/datasets/{ID}/resources/{RID}/").json()
    assert get(f"{url}/api/2/datasets/resources/{RID}/").json() == {"resource": one, "dataset_id": ID}
    assert one["checksum"] == {"type": "sha1", "value": hashlib.sha1(BODY).hexdigest()}  # noqa: S324 - the API's own
    assert (one["filesize"], one["filetype"], one["format"], one["mime"]) == (len(BODY), "file", "csv", "text/csv")


@pytest.mark.parametrize("prefix", ["/api/1", "/fr", ""])
def test_permalinks(url: str, prefix: str) -> None:
    answer = get(f"{url}{prefix}/datasets/r/{RID}")
    assert answer.status_code == 302
    assert get(answer.headers["Location"]).content == BODY


def test_file_with_an_accent_in_its_name(url: str) -> None:
    rid = resource_id(ID, "two é.csv")
    address = get(f"{url}/api/2/datasets/resources/{rid}/").json()["resource"]["url"]
    assert address.isascii()
    assert get(address).content == BODY


def test_former_slug(url: str) -> None:
    answer = get(f"{url}/api/2/datasets/numerals/resources/?page=1")
    assert (answer.status_code, answer.headers["Location"]) == (308, f"{url}/api/2/datasets/numbers/resources/?page=1")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/1/datasets/unknown/", 404),
        ("/api/2/datasets/unknown/resources/", 404),
        ("/api/2/datasets/resources/unknown/", 404),
        ("/datasets/r/unknown", 404),
        ("/resources/numbers/dataset.json", 404),
        ("/resources/numbers/.hidden", 404),
        ("/resources/numbers/..%2Fdataset.json", 404),
        ("/../../etc/passwd", 404),
        ("/", 404),
        (f"/api/2/datasets/{ID}/resources/?page=2", 404),
        (f"/api/2/datasets/{ID}/resources/?page=0", 400),
        (f"/api/2/datasets/{ID}/resources/?page_size=x", 400),
    ],
)
def test_refusals(url: str, path: str, status: int) -> None:
    answer = get(url + path)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_deleted(tmp_path: Path) -> None:
    write_dataset(tmp_path, deleted="2026-01-01T00:00:00+00:00")
    with Mirror(tmp_path) as mirror:
        answer = get(f"{mirror.url}/api/2/datasets/{ID}/")
    assert (answer.status_code, answer.json()) == (410, {"message": "Dataset has been deleted"})


ADDRESS = "/resources/numbers/one.csv"


def test_conditional(url: str) -> None:
    whole = get(url + ADDRESS)
    etag, date = whole.headers["ETag"], whole.headers["Last-Modified"]
    for headers in ({"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_Modified_Since": date}):
        answer = get(url + ADDRESS, **headers)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    for headers in ({"If_None_Match": '"x"'}, {"If_None_Match": '"x"', "If_Modified_Since": date}):
        assert get(url + ADDRESS, **headers).content == BODY
    assert get(url + ADDRESS, If_Modified_Since="Mon, 01 Jan 2001 00:00:00 GMT").content == BODY
    assert get(url + ADDRESS, If_Modified_Since="yesterday").content == BODY


@pytest.mark.parametrize(
    ("span", "start", "stop"), [("8-", 8, None), ("8-9", 8, 10), ("-3", -3, None), ("0-0", 0, 1), ("15-999", 15, None)]
)
def test_ranges(url: str, span: str, start: int, stop: int | None) -> None:
    answer = get(url + ADDRESS, Range=f"bytes={span}")
    assert (answer.status_code, answer.content) == (206, BODY[start:stop])
    first = range(len(BODY))[start]
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(BODY)}"


@pytest.mark.parametrize("span", ["20-", "999-", "-0"])
def test_range_beyond_the_end(url: str, span: str) -> None:
    answer = get(url + ADDRESS, Range=f"bytes={span}")
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


@pytest.mark.parametrize("span", ["bytes=0-1,4-5", "bytes=-", "lines=1-2"])
def test_ranges_that_are_not_served_give_the_whole(url: str, span: str) -> None:
    assert get(url + ADDRESS, Range=span).content == BODY


def test_if_range(url: str, folder: Path) -> None:
    whole = get(url + ADDRESS)
    for condition in (whole.headers["ETag"], whole.headers["Last-Modified"]):
        assert get(url + ADDRESS, Range="bytes=8-", If_Range=condition).status_code == 206
    os.utime(folder / "one.csv", (1, 1))
    for condition in (whole.headers["ETag"], whole.headers["Last-Modified"]):
        answer = get(url + ADDRESS, Range="bytes=8-", If_Range=condition)
        assert (answer.status_code, answer.content) == (200, BODY)


def test_head_has_no_body(url: str) -> None:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
    with closing(connection):  # one connection: a body would be taken for the next answer
        for path, status in ((ADDRESS, 200), ("/api/1/datasets/unknown/", 404)):
            connection.request("HEAD", path)
            head = connection.getresponse()
            assert (head.status, head.read()) == (status, b"")
            assert int(head.headers["Content-Length"]) > 0
            connection.request("GET", ADDRESS)
            assert connection.getresponse().read() == BODY


def test_a_replaced_file_shows_at_once(url: str, folder: Path) -> None:
    before = get(f"{url}/api/2/datasets/resources/{RID}/").json()["resource"]
    (folder / "one.csv").write_bytes(BODY + b"3;three\n")
    after = get(f"{url}/api/2/datasets/resources/{RID}/").json()["resource"]
    assert before["checksum"] != after["checksum"]
    assert get(after["url"]).content.endswith(b"three\n")


def test_several_datasets_may_hold_files_of_one_name(tmp_path: Path) -> None:
    for slug in ("a", "b"):
        write_dataset(tmp_path / slug, slug, id=slug * 24)
        (tmp_path / slug / "x.csv").write_text(slug)
    with Mirror(tmp_path) as mirror:
        for slug in ("a", "b"):
            assert (
                get(f"{mirror.url}/datasets/r/{resource_id(slug * 24, 'x.csv')}")
                .headers["Location"]
                .endswith(f"/{slug}/x.csv")
            )
            assert get(f"{mirror.url}/resources/{slug}/x.csv").text == slug


def test_every_key_of_a_recorded_resource_and_dataset_is_there(url: str) -> None:
    if not RECORDED.is_dir():
        pytest.skip("the recorded answers are not beside this checkout")
    recorded = json.loads((RECORDED / "resource_metadata_api1.json").read_text())
    assert get(f"{url}/api/1/datasets/{ID}/resources/{RID}/").json().keys() == recorded.keys()


def test_requests_are_logged(folder: Path) -> None:
    lines: list[str] = []
    with Mirror(folder, log=lines.append) as mirror:
        get(mirror.url + ADDRESS)
    assert [ADDRESS in line and "200" in line for line in lines] == [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no dataset.json"),
        ("{", "not JSON"),
        ("{}", "lacks id, title, slug, license, frequency"),
        ("[]", "lacks"),
    ],
)
def test_wrong_folders(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(SettingsError, match=words):
        Mirror(tmp_path)


def test_a_folder_that_goes_wrong_while_serving(url: str, folder: Path) -> None:
    (folder / "dataset.json").write_text("{")
    answer = get(f"{url}/api/1/datasets/{ID}/")
    assert answer.status_code == 500
    assert "not JSON" in answer.json()["message"]


def test_port_taken(folder: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="cannot listen"):
        Mirror(folder, port=int(url.rpartition(":")[2]))
