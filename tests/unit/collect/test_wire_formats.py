from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collect.formats import Statement, Unreadable, read_batch, read_consent, subject
from pipelines.mqtt import JSON_BATCH
from pipelines.privacy.consent import ALWAYS, LEVELS

BOOT = "00000000-0000-4000-8000-00000000000a"
GOOD: dict[str, Any] = {"vss": "6.0", "boot": BOOT, "seq": 7, "t0": 1_770_000_000_000, "rows": [[0, {"A": 1}]]}


def batch_of(**changes: Any) -> bytes:
    return json.dumps({key: value for key, value in (GOOD | changes).items() if value != "gone"}).encode()


def test_a_batch_becomes_columns() -> None:
    batch = read_batch(
        batch_of(driver="D1", rows=[[0, {"A": 1, "B": "x"}], [250.5, {}], [-3, {"A": True}]]), JSON_BATCH
    )
    assert (batch.boot, batch.seq, batch.t0_ms, batch.driver) == (BOOT, 7, 1.77e12, "D1")
    assert batch.offsets_ms == [0, 250.5, -3]
    assert batch.widths == [2, 0, 1]
    assert batch.paths == ["A", "B", "A"]
    assert batch.values == [1, "x", True]


def test_boots_are_told_apart_without_case() -> None:
    assert read_batch(batch_of(boot=BOOT.upper()), None).boot == BOOT


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        (b"\xff\xfe", "not_json", "is not JSON"),
        (b"", "not_json", "is not JSON"),
        (b'{"vss":"6.0"', "not_json", "is not JSON"),
        (b"[1]", "bad_batch", "JSON array, not an object"),
        (b"3", "bad_batch", "JSON number, not an object"),
        (batch_of(vss="5.0"), "bad_batch", "vss is '5.0'"),
        (batch_of(vss="gone"), "bad_batch", "vss is missing"),
        (batch_of(boot="CAR1-monday"), "bad_batch", "boot is 'CAR1-monday'"),
        (batch_of(seq=-1), "bad_batch", "seq is -1"),
        (batch_of(seq=True), "bad_batch", "seq is True"),
        (batch_of(seq=2**63), "bad_batch", "seq is 9223372036854775808"),
        (batch_of(seq=1.0), "bad_batch", "seq is 1.0"),
        (batch_of(t0="2026-01-01"), "bad_batch", "t0 is '2026-01-01'"),
        (batch_of(t0=None), "bad_batch", "t0 is None"),
        (batch_of(driver=4711), "bad_batch", "driver is a JSON number"),
        (batch_of(rows={}), "bad_batch", "rows is {}"),
        (batch_of(rows=[[0, {"A": 1}], [1]]), "bad_batch", r"row 1 is \[1\]"),
        (batch_of(rows=[[0, {"A": 1}], "ab"]), "bad_batch", "row 1 is 'ab'"),
        (batch_of(rows=[[0, ["A"]]]), "bad_batch", "row 0 is"),
        (batch_of(rows=[[0, {}], ["1", {"A": 1}]]), "bad_batch", "dt_ms of row 1 is '1'"),
        (batch_of(rows=[[False, {"A": 1}]]), "bad_batch", "dt_ms of row 0 is False"),
        (batch_of(rows=[0]), "bad_batch", "row 0 is 0"),
    ],
)
def test_what_is_no_batch_says_why(payload: bytes, reason: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as caught:
        read_batch(payload, None)
    assert caught.value.reason == reason


def test_another_content_type_is_not_guessed_at() -> None:
    with pytest.raises(Unreadable, match="application/cbor"):
        read_batch(batch_of(), "application/cbor")


def test_a_driver_is_never_quoted() -> None:
    with pytest.raises(Unreadable) as caught:
        read_batch(batch_of(driver=4711), None)
    assert "4711" not in caught.value.detail


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_are_a_batch_or_unreadable(payload: bytes) -> None:
    for body in (payload, b'{"vss":"6.0","boot":"%b","seq":1,"t0":1,"rows":%b}' % (BOOT.encode(), payload)):
        try:
            batch = read_batch(body, None)
        except Unreadable:
            continue
        assert len(batch.paths) == len(batch.values) == sum(batch.widths)
        assert len(batch.offsets_ms) == len(batch.widths)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"service", Statement(1, ALWAYS)),
        (b" silent\n", Statement(0, ALWAYS)),
        (b'"service+statistics"', Statement(2, ALWAYS)),
        (b'{"consent":"service"}', Statement(1, ALWAYS)),
        (b'{"consent":"service","ts":null}', Statement(1, ALWAYS)),
        (b'{"consent":"silent","ts":150.5}', Statement(0, 150.5)),
        (b'{"consent":"silent","ts":3}', Statement(0, 160)),  # a clock nobody believes: the receipt decides
        (b'{"consent":"silent","ts":9999}', Statement(0, 160)),
    ],
)
def test_a_consent(payload: bytes, said: Statement) -> None:
    assert read_consent(payload, received_ms=160, oldest_ms=100, newest_ms=200) == said


def test_a_deleted_consent_is_silence() -> None:
    assert read_consent(b"", 1_000.0, 0.0, 2_000.0) == Statement(LEVELS.index("silent"), ALWAYS)


@pytest.mark.parametrize(
    "payload",
    [
        b"yes",
        b'{"consent":"yes"}',
        b'{"consent":["silent"]}',
        b"[]",
        b"7",
        b'{"consent":"silent","ts":"now"}',
        b"\xff",
    ],
)
def test_what_is_no_consent_changes_nothing(payload: bytes) -> None:
    with pytest.raises(Unreadable, match="nothing has changed") as caught:
        read_consent(payload, received_ms=160, oldest_ms=100, newest_ms=200)
    assert caught.value.reason == "bad_consent"


def test_topics() -> None:
    assert subject("rocade/v1/CAR-1_x/telemetry") == ("CAR-1_x", "telemetry")
    assert subject("rocade/v1/C/consent") == ("C", "consent")
    assert subject("rocade/v1/C/state") == ("C", "state")
    for foreign in (
        "rocade/v1/C/other",
        "rocade/v2/C/telemetry",
        "rocade/v1//telemetry",
        "rocade/v1/é/telemetry",
        "rocade/v1/" + "x" * 65 + "/telemetry",
        "rocade/v1/C/telemetry\n",
        "",
    ):
        assert subject(foreign) is None
