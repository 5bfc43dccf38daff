from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest
from faulty_site import (
    BODY,
    DATASET,
    Counted,
    Fault,
    FaultyHandler,
    Site,
    chunked,
    cut,
    first,
    hide,
    lie,
    page,
    short,
    status,
)

from pipelines.catalog import Catalog, Checksum, Resource
from pipelines.demo.mirror import Mirror
from pipelines.disk import write_whole
from pipelines.errors import CorruptDownload, FetchError, ResourceGone
from pipelines.fetch import Snapshot, address_key, fetch, last_snapshot, remember, resource_key
from pipelines.progress import Silent
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


OTHER = BODY.replace(b"number", b"NUMBER")
assert len(OTHER) == len(BODY)
SHA = hashlib.sha256(BODY).hexdigest()
#: Of the file's address.
KEY = "127.0.0.1_resources_numbers_numbers.csv"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    record = {"id": DATASET, "title": "Numbers", "slug": "numbers", "license": "lov2", "frequency": "annual"}
    (folder / "dataset.json").write_text(json.dumps(record))
    file = folder / "numbers.csv"
    file.write_bytes(BODY)
    faults: list[Fault] = []
    seen: list[dict[str, str]] = []
    handler = type("Handler", (FaultyHandler,), {"faults": faults, "seen": seen})
    with type("FaultyMirror", (Mirror,), {"handler": handler})(folder) as mirror:
        yield Site(mirror.url, file, faults, seen)


@pytest.fixture
def settings(tmp_path: Path, site: Site) -> Settings:
    return Settings(home=tmp_path / "home", datagouv_url=site.url, http_timeout_s=5, http_retries=2, http_backoff_s=0)


def catalogued(site: Site, settings: Settings) -> Resource:
    with Catalog(settings.datagouv_url, 5, 0, 0) as catalog:
        return catalog.resource(site.rid)


def got(source: Resource | str | Path, settings: Settings) -> Snapshot:
    return fetch(source, settings, Silent())


def leftovers(settings: Settings) -> list[str]:
    return sorted(p.name for p in (settings.raw / "incoming").iterdir() if p.suffix != ".lock")


def swap(site: Site, body: bytes = OTHER) -> None:
    draft = site.file.with_name(".draft")
    draft.write_bytes(body)
    draft.replace(site.file)


# What comes of a good day.


def test_resource_of_the_catalogue(site: Site, settings: Settings) -> None:
    before = datetime.now(UTC)
    progress = Counted()
    snapshot = fetch(catalogued(site, settings), settings, progress)
    assert snapshot.path == settings.raw / SHA[:2] / SHA
    assert snapshot.path.read_bytes() == BODY
    assert (snapshot.resource, snapshot.name, snapshot.sha256, snapshot.size) == (
        site.rid,
        "numbers.csv",
        SHA,
        len(BODY),
    )
    assert (snapshot.url, snapshot.final_url) == (site.file_url, site.file_url)
    assert snapshot.etag
    assert snapshot.last_modified
    assert before <= snapshot.fetched_at <= datetime.now(UTC)
    assert not snapshot.unchanged
    assert (progress.units, progress.done, progress.total) == (["B"], len(BODY), len(BODY))
    assert leftovers(settings) == []


def test_permalink_is_followed_and_the_final_address_kept(site: Site, settings: Settings) -> None:
    link = f"{site.url}/fr/datasets/r/{site.rid}"
    snapshot = got(link, settings)
    assert (snapshot.url, snapshot.final_url) == (link, site.file_url)
    assert (snapshot.resource, snapshot.name) == (site.rid, "numbers.csv")


def test_raw_bytes_cannot_be_written_to(site: Site, settings: Settings) -> None:
    assert got(site.file_url, settings).path.stat().st_mode & 0o222 == 0


# Nothing new.


def test_unchanged_twice_by_304(site: Site, settings: Settings) -> None:
    remember(got(site.file_url, settings), settings)
    for _ in range(2):
        again = got(site.file_url, settings)
        assert again.unchanged
        assert again.path.read_bytes() == BODY
        remember(again, settings)
    etag = again.etag
    assert site.asked("if-none-match") == [None, etag, etag]


def test_unchanged_by_equal_bytes_where_the_server_has_no_validators(site: Site, settings: Settings) -> None:
    site.faults += [hide("ETag", "Last-Modified")] * 2
    remember(got(site.file_url, settings), settings)
    assert got(site.file_url, settings).unchanged
    assert site.asked("if-none-match") == [None, None]


def test_a_date_alone_is_no_validator(site: Site, settings: Settings) -> None:
    """Replaced by another file with the same date, which is what a server without ETag would go by."""
    site.faults += [hide("ETag")] * 2
    remember(got(site.file_url, settings), settings)
    state = site.file.stat()
    swap(site)
    os.utime(site.file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert got(site.file_url, settings).path.read_bytes() == OTHER
    assert site.asked("if-modified-since") == [None, None]


def test_an_etag_is_believed_for_some_days(site: Site, settings: Settings) -> None:
    """Other bytes of the same length and date: the mirror makes its ETag of both, as many servers do."""
    snapshot = got(site.file_url, settings)
    remember(snapshot, settings)
    state = site.file.stat()
    swap(site)
    os.utime(site.file, ns=(state.st_atime_ns, state.st_mtime_ns))
    confirmed = got(site.file_url, settings)
    assert confirmed.unchanged
    remember(replace(confirmed, read_at=confirmed.read_at - timedelta(days=31)), settings)
    found = got(site.file_url, settings)
    assert not found.unchanged
    assert found.path.read_bytes() == OTHER


@pytest.mark.parametrize("what", ["checksum", "filesize"])
def test_the_catalogue_is_believed_against_an_etag(site: Site, settings: Settings, what: str) -> None:
    listed = catalogued(site, settings)
    remember(got(listed, settings), settings)
    checksum = Checksum("sha256", hashlib.sha256(OTHER).hexdigest())
    assert listed.checksum is not None
    changed = {"checksum": replace(listed, checksum=checksum), "filesize": replace(listed, filesize=len(BODY) + 1)}[
        what
    ]
    with pytest.raises(CorruptDownload):  # the file is the old one; that it is looked at is the point
        got(changed, settings)
    assert site.asked("if-none-match") == [None, None]


def test_a_record_of_an_older_release_is_read(site: Site, settings: Settings) -> None:
    remember(got(site.file_url, settings), settings)
    record = settings.raw / "resources" / f"{KEY}.json"
    older = {key: value for key, value in json.loads(record.read_text()).items() if key not in ("read_at", "promised")}
    record.write_text(json.dumps(older))
    assert got(site.file_url, settings).unchanged


def test_not_remembered_is_fetched_again_as_new(site: Site, settings: Settings) -> None:
    got(site.file_url, settings)
    assert not got(site.file_url, settings).unchanged
    assert site.asked("if-none-match") == [None, None]


def test_a_new_version_is_new(site: Site, settings: Settings) -> None:
    remember(got(site.file_url, settings), settings)
    swap(site)
    snapshot = got(site.file_url, settings)
    assert not snapshot.unchanged
    assert snapshot.path.read_bytes() == OTHER


def test_validators_without_their_bytes_are_not_used(site: Site, settings: Settings) -> None:
    snapshot = got(site.file_url, settings)
    remember(snapshot, settings)
    snapshot.path.unlink()
    again = got(site.file_url, settings)
    assert site.asked("if-none-match") == [None, None]
    assert again.path.read_bytes() == BODY


def test_validators_of_damaged_bytes_are_not_used(site: Site, settings: Settings) -> None:
    snapshot = got(site.file_url, settings)
    remember(snapshot, settings)
    snapshot.path.chmod(0o644)
    snapshot.path.write_bytes(BODY[:-1])
    assert got(site.file_url, settings).path.read_bytes() == BODY


def test_validators_of_another_address_are_not_used(site: Site, settings: Settings) -> None:
    snapshot = got(site.file_url, settings)
    remember(replace(snapshot, url=f"{site.url}/resources/numbers/former.csv"), settings)
    assert got(site.file_url, settings).unchanged  # by its bytes
    assert site.asked("if-none-match") == [None, None]


def test_304_from_where_a_permalink_did_not_lead_before(site: Site, settings: Settings) -> None:
    link = f"{site.url}/fr/datasets/r/{site.rid}"
    snapshot = got(link, settings)
    swap(site)
    newer = got(link, settings)
    # The remembered bytes are the old ones, from elsewhere; the validators happen to fit the new file.
    remember(replace(newer, sha256=SHA, path=snapshot.path, final_url="http://127.0.0.1/elsewhere"), settings)
    assert got(link, settings).path.read_bytes() == OTHER


# Cuts and resumes.


def test_resume_after_cuts_at_several_places(site: Site, settings: Settings) -> None:
    places = [1, 70_000, 65_536, 300_000, 100_001, 200_000]
    site.faults += [cut(n) for n in places]
    progress = Counted()
    snapshot = fetch(catalogued(site, settings), settings, progress)
    assert snapshot.path.read_bytes() == BODY
    starts = [sum(places[:n]) for n in range(1, len(places) + 1)]
    assert site.asked("range") == [None, *(f"bytes={start}-" for start in starts)]
    assert set(site.asked("if-range")[1:]) == {snapshot.etag}
    assert progress.done == len(BODY)


def test_cuts_without_progress_end_soon_and_are_resumed_by_the_next_run(site: Site, settings: Settings) -> None:
    site.faults += [cut(5000), cut(0), cut(0), cut(0)]
    with pytest.raises(CorruptDownload, match=rf"ended after 5000 of {len(BODY)} bytes.*2 tries more"):
        got(site.file_url, settings)
    assert leftovers(settings) == [f"{KEY}.json", f"{KEY}.part"]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("range")[-1] == "bytes=5000-"


def test_a_few_bytes_a_try_are_no_progress(site: Site, settings: Settings) -> None:
    site.faults += [cut(10)] * 50
    with pytest.raises(CorruptDownload, match="2 tries more"):
        got(site.file_url, settings)
    assert len(site.asked("range")) == 3


@pytest.mark.parametrize("ignore_if_range", [False, True])
def test_changed_between_two_ranges_starts_over(site: Site, settings: Settings, *, ignore_if_range: bool) -> None:
    site.faults += [cut(100_000), first(lambda: swap(site), ignore_if_range=ignore_if_range)]
    progress = Counted()
    assert fetch(site.file_url, settings, progress).path.read_bytes() == OTHER
    assert site.asked("range")[:2] == [None, "bytes=100000-"]
    assert progress.done == len(BODY)


def test_changed_and_shorter_starts_over(site: Site, settings: Settings) -> None:
    site.faults += [cut(100_000), first(lambda: swap(site, BODY[:4000]), ignore_if_range=True)]
    assert got(site.file_url, settings).path.read_bytes() == BODY[:4000]


def test_changed_between_two_runs_starts_over(site: Site, settings: Settings) -> None:
    site.faults += [cut(100_000), cut(0), cut(0)]
    with pytest.raises(CorruptDownload):
        got(site.file_url, replace_retries(settings, 1))
    swap(site)
    assert got(site.file_url, settings).path.read_bytes() == OTHER


def test_without_a_strong_validator_nothing_is_resumed(site: Site, settings: Settings) -> None:
    site.faults += [cut(100_000, hidden=("ETag",)), first(lambda: swap(site), hidden=("ETag",))]
    # The file is a moment old: its Last-Modified could name two versions.
    assert got(site.file_url, settings).path.read_bytes() == OTHER
    assert site.asked("range") == [None, None]


def test_an_old_last_modified_is_a_strong_validator(site: Site, settings: Settings) -> None:
    os.utime(site.file, (1_500_000_000, 1_500_000_000))
    site.faults += [cut(100_000, hidden=("ETag",)), hide("ETag")]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("if-range") == [None, "Fri, 14 Jul 2017 02:40:00 GMT"]


def test_a_part_of_another_address_is_not_gone_on_from(site: Site, settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(f"{site.file_url}?edition=1", settings, Counted(1))
    assert got(f"{site.file_url}?edition=2", settings).path.read_bytes() == BODY
    assert site.asked("range") == [None, None]


def test_killed_between_two_versions(site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(site.file_url, settings, Counted(1))
    swap(site)

    def write_and_die(path: Path, text: str) -> None:
        write_whole(path, text)
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.fetch.download.write_whole", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        got(site.file_url, settings)
    monkeypatch.undo()
    assert got(site.file_url, settings).path.read_bytes() == OTHER


def test_less_than_the_range_asked_for(site: Site, settings: Settings) -> None:
    site.faults += [cut(100_000), short(50_000), short(50_000)]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("range") == [None, "bytes=100000-", "bytes=150000-", "bytes=200000-"]


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_chunked_transfer_cut_and_then_whole(site: Site, settings: Settings, chunks: int) -> None:
    half = len(BODY) // 2
    whole = b"%x\r\n%b\r\n" % (half, BODY[:half]) + b"%x\r\n%b\r\n" % (len(BODY) - half, BODY[half:])
    ends = [len(whole) // 3, len(whole) // 2, len(whole)]  # in a chunk, near its end, before the last, empty one
    site.faults += [chunked(whole[: ends[chunks - 1]]), chunked(whole + b"0\r\n\r\n")]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert len(site.seen) == 2


def test_compressed_transfer_is_not_asked_for_and_undone_all_the_same(site: Site, settings: Settings) -> None:
    site.faults += [page(gzip.compress(BODY), Content_Encoding="gzip", ETag='"x"')]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("accept-encoding") == ["identity"]


def test_compressed_transfer_that_is_cut_starts_over(site: Site, settings: Settings) -> None:
    def half(handler: FaultyHandler) -> None:
        handler.cut_after = 2000
        page(gzip.compress(BODY), Content_Encoding="gzip", ETag='"x"')(handler)

    site.faults += [half]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("range") == [None, None]


@pytest.mark.parametrize("stop_at", [1, 65_536, 500_000, len(BODY)])
def test_interrupted_in_the_middle_then_resumed(site: Site, settings: Settings, stop_at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(site.file_url, settings, Counted(stop_at))
    part = settings.raw / "incoming" / f"{KEY}.part"
    brought = part.stat().st_size
    assert 0 < brought <= len(BODY)
    assert not list(settings.raw.glob("??/*"))
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert site.asked("range") == [None, f"bytes={min(brought, len(BODY) - 1)}-"]


def test_part_of_a_version_that_is_the_last_again(site: Site, settings: Settings) -> None:
    snapshot = got(site.file_url, settings)
    remember(snapshot, settings)
    moment = site.file.stat().st_mtime_ns
    swap(site)
    with pytest.raises(KeyboardInterrupt):
        fetch(site.file_url, settings, Counted(1))
    swap(site, BODY)
    os.utime(site.file, ns=(moment, moment))
    assert got(site.file_url, settings).unchanged
    assert leftovers(settings) == []


# Errors that pass.


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_passing_errors_then_success(site: Site, settings: Settings, code: int) -> None:
    site.faults += [status(code), status(code)]
    assert got(site.file_url, settings).path.read_bytes() == BODY
    assert len(site.seen) == 3


def test_retry_after_is_honoured_and_capped(site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    site.faults += [status(429, Retry_After="7"), status(503, Retry_After="86400")]
    progress = Counted()
    fetch(site.file_url, settings, progress)
    assert pauses == [7, 300]
    assert progress.notes == [
        f"{site.file_url}: HTTP 429 Too Many Requests; trying again in 7 s",
        f"{site.file_url}: HTTP 503 Service Unavailable; trying again in 300 s",
    ]


def test_passing_errors_that_stay(site: Site, settings: Settings) -> None:
    site.faults += [status(503)] * 3
    with pytest.raises(FetchError, match=r"numbers\.csv: HTTP 503 .*2 tries more"):
        got(site.file_url, settings)
    assert len(site.seen) == 3


def test_nobody_listens(settings: Settings) -> None:
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9/x\.csv: the connection failed"):
        got("http://127.0.0.1:9/x.csv", settings)


# Errors that stay.


@pytest.mark.parametrize("code", [404, 410])
def test_gone_is_not_asked_again(site: Site, settings: Settings, code: int) -> None:
    site.faults += [status(code)]
    with pytest.raises(ResourceGone, match=f"HTTP {code}"):
        got(site.file_url, settings)
    assert len(site.seen) == 1


def test_refusal_is_not_asked_again(site: Site, settings: Settings) -> None:
    site.faults += [status(403)]
    with pytest.raises(FetchError, match="HTTP 403"):
        got(site.file_url, settings)
    assert len(site.seen) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html><body>Maintenance</body></html>", "a web page"),
        (b"\xef\xbb\xbf \n<HTML><head><title>Request Rejected</title></head></html>", "a web page"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<!doctype html>', "a web page"),
        (b'{"message": "Dataset has been deleted"}', "an error message"),
    ],
)
def test_page_with_200(site: Site, settings: Settings, body: bytes, kind: str) -> None:
    site.faults += [page(body)]
    with pytest.raises(FetchError, match=kind) as caught:
        got(site.file_url, settings)
    assert caught.value.where == site.file_url
    assert repr(body.removeprefix(b"\xef\xbb\xbf").lstrip()[:20])[:-1] in caught.value.what
    assert caught.value.fix
    assert leftovers(settings) == []
    assert got(site.file_url, settings).path.read_bytes() == BODY


def test_empty_body(site: Site, settings: Settings) -> None:
    site.faults += [page(b"")]
    with pytest.raises(FetchError, match="empty"):
        got(site.file_url, settings)
    assert got(site.file_url, settings).path.read_bytes() == BODY


def test_wrong_length_that_stays(site: Site, settings: Settings) -> None:
    site.faults += [lie(10)] * 20
    with pytest.raises(CorruptDownload, match=f"after {len(BODY)} of {len(BODY) + 10} bytes"):
        got(site.file_url, settings)
    site.faults.clear()
    assert got(site.file_url, settings).path.read_bytes() == BODY


def test_length_other_than_catalogued(site: Site, settings: Settings) -> None:
    resource = replace(catalogued(site, settings), filesize=len(BODY) + 1)
    with pytest.raises(CorruptDownload, match=f"length in bytes is {len(BODY)}, promised was {len(BODY) + 1}"):
        got(resource, settings)
    assert leftovers(settings) == []


@pytest.mark.parametrize("kind", ["sha1", "md5", "sha256", "sha2"])
def test_wrong_checksum(site: Site, settings: Settings, kind: str) -> None:
    good = hashlib.new("sha256" if kind == "sha2" else kind, BODY).hexdigest()
    resource = catalogued(site, settings)
    got(replace(resource, checksum=Checksum(kind, good)), settings)
    wrong = Checksum(kind, good[:-1] + ("0" if good[-1] != "0" else "1"))
    with pytest.raises(CorruptDownload, match=f"is {good}, promised was {wrong.value}"):
        got(replace(resource, checksum=wrong), settings)
    assert last_snapshot(resource.id, settings) is None


def test_a_checksum_of_a_kind_that_is_not_known_is_said(site: Site, settings: Settings) -> None:
    progress = Counted()
    fetch(replace(catalogued(site, settings), checksum=Checksum("crc", "1")), settings, progress)
    assert "type crc is not verified" in progress.notes[0]


def test_figures_of_a_remote_resource_are_hints(site: Site, settings: Settings) -> None:
    resource = replace(catalogued(site, settings), filetype="remote", filesize=1, checksum=Checksum("sha1", "0" * 40))
    snapshot = got(resource, settings)
    assert snapshot.path.read_bytes() == BODY
    assert snapshot.url == resource.latest


def test_two_processes_do_not_write_one_part(site: Site, settings: Settings) -> None:
    (settings.raw / "incoming").mkdir(parents=True)
    with (
        filelock.FileLock(settings.raw / "incoming" / f"{KEY}.lock"),
        pytest.raises(FetchError, match="another process"),
    ):
        got(site.file_url, settings)


def test_disk_that_refuses(site: Site, settings: Settings) -> None:
    settings.root.mkdir()
    settings.raw.write_text("in the way")
    with pytest.raises(FetchError, match="the disk refuses"):
        got(site.file_url, settings)


def test_other_schemes(settings: Settings) -> None:
    with pytest.raises(FetchError, match="ftp:// is not supported"):
        got("ftp://example.org/x.csv", settings)


# Local files.


@pytest.mark.parametrize("kind", [str, Path])
def test_local_file(tmp_path: Path, settings: Settings, kind: type[str | Path]) -> None:
    source = tmp_path / "Données (copie) 2018.csv"
    source.write_bytes(BODY)
    snapshot = got(kind(source), settings)
    assert snapshot.path.read_bytes() == BODY
    assert (snapshot.resource, snapshot.name, snapshot.sha256) == ("Donn_es_copie_2018.csv", source.name, SHA)
    assert (snapshot.url, snapshot.etag, snapshot.unchanged) == (None, None, False)
    source.write_bytes(b"edited")
    assert snapshot.path.read_bytes() == BODY
    source.write_bytes(BODY)
    remember(snapshot, settings)
    assert got(source, settings).unchanged


def test_local_file_in_the_place_of_a_download(tmp_path: Path, site: Site, settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch(site.file_url, settings, Counted(1))
    source = tmp_path / KEY
    source.write_bytes(OTHER)
    assert got(source, settings).path.read_bytes() == OTHER
    assert leftovers(settings) == []


@pytest.mark.parametrize(("body", "what"), [(b"", "empty"), (b"<html>", "web page"), (None, "no such file")])
def test_local_file_that_is_none(tmp_path: Path, settings: Settings, body: bytes | None, what: str) -> None:
    source = tmp_path / "x.csv"
    if body is not None:
        source.write_bytes(body)
    with pytest.raises(FetchError, match=rf"x\.csv: .*{what}"):
        got(source, settings)


def test_local_folder(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(FetchError, match="this is a folder"):
        got(tmp_path, settings)


# Records.


def test_record_round_trip(site: Site, settings: Settings) -> None:
    snapshot = got(site.file_url, settings)
    assert last_snapshot(snapshot.resource, settings) is None
    remember(snapshot, settings)
    assert last_snapshot(snapshot.resource, settings) == snapshot


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"fetched_at": "2026-01-01T00:00:00+00:00"}'])
def test_damaged_record(settings: Settings, text: str) -> None:
    path = settings.raw / "resources" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(FetchError, match=r"resources/x\.json: .*delete it"):
        last_snapshot("x", settings)


@pytest.mark.parametrize(
    ("name", "key"),
    [("a b/ç.csv", "a_b_.csv"), ("../../etc/passwd", "_.._etc_passwd"), ("..", "unnamed"), ("", "unnamed")],
)
def test_resource_key(name: str, key: str) -> None:
    assert resource_key(name) == key


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://files.example.org/dvf/2024/full.csv.gz", "files.example.org_dvf_2024_full.csv.gz"),
        ("https://files.example.org/dvf/2023/full.csv.gz?t=1", "files.example.org_dvf_2023_full.csv.gz"),
        ("http://USER:secret@127.0.0.1:8123/r/a%20b.csv", "127.0.0.1_r_a_b.csv"),
        ("https://example.org/export/csv?year=2024", "example.org_export_csv_year_2024"),
        ("https://example.org/?id=7", "example.org_id_7"),
        ("https://example.org", "example.org"),
        (
            "https://www.data.gouv.fr/api/1/datasets/r/C849FF50-c6dd-5882-82d3-fd7f1a9282e3",
            "c849ff50-c6dd-5882-82d3-fd7f1a9282e3",
        ),
    ],
)
def test_the_key_of_an_address_is_host_and_path(url: str, key: str) -> None:
    assert address_key(url) == key


def test_long_names_stay_apart() -> None:
    keys = {resource_key("x" * 300 + end) for end in ("a", "b")}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {120}


def replace_retries(settings: Settings, retries: int) -> Settings:
    return settings.model_copy(update={"http_retries": retries})
