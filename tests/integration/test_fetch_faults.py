"""Whatever the network does: nothing half-written, nothing lost, a message that says what happened; then it goes on.

Each fault meets `ingest` on its way to a new copy of a file that is published already. While the fault lasts the last good
version stays; when it is lifted, the same command completes, and once more costs one conditional request a resource.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_site import Fault, FaultyHandler, Site, cut, first, hide, lie, page, short, status

from pipelines.contracts import load_contract
from pipelines.demo.mirror import Mirror
from pipelines.fetch import last_snapshot
from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings

HEADER = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
TRIES = 3


def copy(rows: int, address: str = "RUE") -> bytes:
    lines = (
        f'2019{n:08};20;9;2019;12:{n % 60:02};1;13;13063;2;2;1;3;{address};"43,{n:05}";"5,00"' for n in range(rows)
    )
    return "\n".join([HEADER, *lines, ""]).encode()


FIRST, SECOND, THIRD = copy(1000), copy(1100), copy(1100, "BDS")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    dataset = load_contract("accidents").datagouv
    record = {"id": dataset, "title": "Accidents", "slug": "numbers", "license": "fr-lo", "frequency": "annual"}
    (folder / "dataset.json").write_text(json.dumps(record), encoding="utf-8")
    file = folder / "caract-2019.csv"
    file.write_bytes(FIRST)
    faults: list[Fault] = []
    seen: list[dict[str, str]] = []
    handler = type("Handler", (FaultyHandler,), {"faults": faults, "seen": seen})
    with type("FaultyMirror", (Mirror,), {"handler": handler})(folder) as mirror:
        yield Site(mirror.url, file, faults, seen)


class Told(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def settings(tmp_path: Path, site: Site) -> Settings:
    return Settings(
        home=tmp_path / "home", datagouv_url=site.url, http_timeout_s=5, http_retries=TRIES - 1, http_backoff_s=0
    )


@pytest.fixture
def run(settings: Settings) -> Callable[[], tuple[Outcome, list[str]]]:
    def run() -> tuple[Outcome, list[str]]:
        told = Told()
        (outcome,) = ingest("accidents", settings, told)
        return outcome, told.notes

    return run


@pytest.fixture
def published(site: Site, run: Callable[[], tuple[Outcome, list[str]]]) -> Callable[[bytes], None]:
    """The first copy is published, and a second one is on the site."""
    assert run()[0].status == "published"
    site.seen.clear()

    def replace(body: bytes) -> None:
        draft = site.file.with_name(".draft")
        draft.write_bytes(body)
        draft.replace(site.file)

    replace(SECOND)
    return replace


def holds(settings: Settings, body: bytes) -> None:
    """The table is this copy, and whatever is kept on disk is whole."""
    with connect(settings) as con:
        query = f"SELECT count(*), min(source_sha256), max(source_sha256) FROM {Lake(settings.lake).relation_sql('core.accidents')}"
        digest = hashlib.sha256(body).hexdigest()
        assert con.execute(query).fetchall() == [(body.count(b"\n") - 1, digest, digest)]
    for folder in settings.raw.iterdir():
        for kept in folder.iterdir() if len(folder.name) == 2 else ():
            assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    assert [path for path in settings.staging.rglob("*") if path.is_file()] == []


def goes_on(settings: Settings, site: Site, run: Callable[[], tuple[Outcome, list[str]]], body: bytes) -> None:
    """The fault is lifted: the same command completes, and after that there is nothing to do."""
    site.faults.clear()
    outcome, _ = run()
    assert (outcome.status, outcome.published) == ("published", body.count(b"\n") - 1), outcome.message
    holds(settings, body)
    site.seen.clear()
    outcome, _ = run()
    assert outcome.status == "unchanged"
    assert len(site.asked("if-none-match")) == 1
    assert site.asked("if-none-match")[0] is not None
    assert [path.name for path in (settings.raw / "incoming").iterdir() if path.suffix != ".lock"] == []


STAYING = {
    "429 without Retry-After": ([status(429)] * TRIES, "HTTP 429"),
    "429 with Retry-After": ([status(429, Retry_After="0")] * TRIES, "HTTP 429"),
    "500": ([status(500)] * TRIES, "HTTP 500"),
    "502 after a cut": ([cut(20_000), *[status(502)] * TRIES], "HTTP 502"),
    "410": ([status(410)], "the publisher removed or moved it"),
    "404": ([status(404)], "the publisher removed or moved it"),
    "403": ([status(403)], "whether it asks for a login"),
    "HTML with 200": ([page(b"<!DOCTYPE html><title>Request Rejected</title>")], "a web page came instead of data"),
    "an error message with 200": ([page(b'{"message": "busy"}')], "an error message came instead of data"),
    "nothing with 200": ([page(b"")], "the file is empty"),
    "wrong length": ([lie(+100)] * (TRIES + 2), "the connection ended after"),
    "wrong checksum": ([page(SECOND.replace(b"RUE", b"QUA"))], "the sha1 is"),
    "another length than catalogued": ([page(SECOND + b"x")], "the length in bytes is"),
    "an older copy from a cache": ([page(FIRST)], "the length in bytes is"),
}


@pytest.mark.parametrize("fault", STAYING)
def test_a_fault_that_stays(
    settings: Settings, site: Site, run: Callable[[], tuple[Outcome, list[str]]], published: object, fault: str
) -> None:
    faults, words = STAYING[fault]
    site.faults += faults
    outcome, _ = run()
    assert (outcome.status, outcome.exit_code) == ("failed", 4)
    assert words in (outcome.message or "")
    assert site.file_url_of("caract-2019.csv") in (outcome.message or "")
    holds(settings, FIRST)
    remembered = last_snapshot(outcome.resource, settings)
    assert remembered is not None
    assert remembered.sha256 == hashlib.sha256(FIRST).hexdigest()
    goes_on(settings, site, run, SECOND)


PASSING = {
    "429, then well": ([status(429, Retry_After="1")], 1.0),
    "500, 503, then well": ([status(500), status(503)], 0.0),
    "cut, then the rest": ([cut(10_000)], 0.0),
    "less than was asked for": ([cut(10_000), short(30_000), short(30_000)], 0.0),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes(
    settings: Settings, site: Site, run: Callable[[], tuple[Outcome, list[str]]], published: object, fault: str
) -> None:
    faults, seconds = PASSING[fault]
    site.faults += faults
    started = time.monotonic()
    outcome, notes = run()
    assert (outcome.status, outcome.published) == ("published", 1100), outcome.message
    assert time.monotonic() - started >= seconds
    assert notes  # whoever waits knows why
    holds(settings, SECOND)
    assert run()[0].status == "unchanged"


def test_308_is_followed(
    settings: Settings, site: Site, run: Callable[[], tuple[Outcome, list[str]]], published: object
) -> None:
    site.faults.append(status(308, Location=site.file_url_of("caract-2019.csv")))
    assert run()[0].status == "published"
    holds(settings, SECOND)


@pytest.mark.parametrize(
    "percent",
    [pytest.param(n, marks=[] if n in (10, 50, 90) else pytest.mark.faults) for n in range(10, 101, 10)],
)
def test_cut_at_every_tenth_and_gone_on_from_there(
    settings: Settings, site: Site, run: Callable[[], tuple[Outcome, list[str]]], published: object, percent: int
) -> None:
    """The line is cut, then the server is down for the rest of the run; the next run brings only what is missing."""
    after = len(SECOND) * percent // 100
    site.faults += [cut(after), *[status(503)] * TRIES]
    outcome, notes = run()
    if percent == 100:  # nothing was missing
        assert outcome.status == "published"
        return
    assert (outcome.status, outcome.exit_code) == ("failed", 4)
    assert f"ended after {after} of {len(SECOND)} bytes" in " ".join(notes)
    holds(settings, FIRST)
    site.seen.clear()
    goes_on(settings, site, run, SECOND)


@pytest.mark.parametrize("percent", [pytest.param(n, marks=pytest.mark.faults) for n in range(10, 100, 10)] + [50])
def test_cut_and_changed_before_the_second_range(
    settings: Settings,
    site: Site,
    run: Callable[[], tuple[Outcome, list[str]]],
    published: Callable[[bytes], None],
    percent: int,
) -> None:
    """No half of one copy with half of the other: the new one is not what the catalogue promised, and the next run takes it."""
    assert len(SECOND) == len(THIRD)
    site.faults += [cut(len(SECOND) * percent // 100), first(lambda: published(THIRD))]
    outcome, _ = run()
    assert outcome.status == "failed"
    assert "the sha1 is" in (outcome.message or "")
    holds(settings, FIRST)
    goes_on(settings, site, run, THIRD)


@pytest.mark.parametrize(
    "hidden", [(), ("ETag",), ("ETag", "Last-Modified")], ids=["lying ETag", "date alone", "nothing"]
)
def test_a_copy_of_equal_length_and_date_is_noticed(
    site: Site, tmp_path: Path, published: Callable[[bytes], None], hidden: tuple[str, ...]
) -> None:
    """At an address of its own, so that no catalogue says a word. The mirror makes its ETag of length and date."""
    address = site.file_url_of("caract-2019.csv")
    settings = Settings(home=tmp_path / "other", http_believe_days=0)
    site.faults += [hide(*hidden)] * 4
    (old,) = ingest("accidents", settings, Silent(), [address])
    assert old.status == "published"
    state = site.file.stat()
    published(THIRD)
    os.utime(site.file, ns=(state.st_atime_ns, state.st_mtime_ns))
    (new,) = ingest("accidents", settings, Silent(), [address])
    assert (new.status, new.changes) == ("published", {"changed": 1100})
    assert ingest("accidents", settings, Silent(), [address])[0].status == "unchanged"
