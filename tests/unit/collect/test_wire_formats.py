from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.collect.columns import Columns
from pipelines.collect.formats import Batch, Place, Statement, Unreadable, format_of, read_consent
from pipelines.collect.formats.rocade_json import read_batch
from pipelines.collect.subscriptions import OWN
from pipelines.privacy.consent import ALWAYS, LEVELS

BOOT = "00000000-0000-4000-8000-00000000000a"
GOOD: dict[str, Any] = {"vss": "6.0", "boot": BOOT, "seq": 7, "t0": 1_770_000_000_000, "rows": [[0, {"A": 1}]]}


def read(payload: bytes) -> tuple[Batch, Columns]:
    batch, columns = read_batch(payload), Columns({})
    columns.add(batch.rows)
    return batch, columns


def batch_of(**changes: Any) -> bytes:
    return json.dumps({key: value for key, value in (GOOD | changes).items() if value != "gone"}).encode()


def test_a_batch_becomes_columns() -> None:
    batch, columns = read(batch_of(driver="D1", rows=[[0, {"A": 1, "B": "x"}], [250.5, {}], [-3, {"A": True}]]))
    assert (batch.boot, batch.seq, batch.t0_ms, batch.driver) == (BOOT, 7, 1.77e12, "D1")
    assert columns.offsets_ms == [0, 250.5, -3]
    laid = columns.laid()
    assert laid.row.tolist() == [0, 0, 2]
    assert [laid.paths[code] for code in laid.code] == ["A", "B", "A"]
    assert laid.values.numbers.tolist()[::2] == [1, 1]
    assert laid.values.texts.to_pylist() == [None, "x", None]


def test_boots_are_told_apart_without_case() -> None:
    assert read_batch(batch_of(boot=BOOT.upper())).boot == BOOT


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
        (batch_of(seq=2**62), "bad_batch", "seq is 4611686018427387904"),
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
        read(payload)
    assert caught.value.reason == reason


def test_another_content_type_is_not_guessed_at() -> None:
    with pytest.raises(Unreadable, match="application/cbor"):
        format_of("application/cbor", Place("telemetry"))


def test_a_driver_is_never_quoted() -> None:
    with pytest.raises(Unreadable) as caught:
        read_batch(batch_of(driver=4711))
    assert "4711" not in caught.value.detail


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_bytes_are_a_batch_or_unreadable(payload: bytes) -> None:
    for body in (payload, b'{"vss":"6.0","boot":"%b","seq":1,"t0":1,"rows":%b}' % (BOOT.encode(), payload)):
        try:
            _, columns = read(body)
        except Unreadable:
            continue
        laid = columns.laid()
        assert len(laid.row) == len(laid.code) == len(laid.values.numbers) == len(laid.values.texts)
        assert sum(columns.heights) == len(columns.offsets_ms)


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
    assert OWN.place("rocade/v1/CAR-1_x/telemetry") == Place("telemetry", "CAR-1_x")
    assert OWN.place("rocade/v1/C/consent") == Place("consent", "C")
    assert OWN.place("rocade/v1/C/state") == Place("state", "C")
    for foreign in (
        "rocade/v1/C/other",
        "rocade/v2/C/telemetry",
        "rocade/v1//telemetry",
        "rocade/v1/é/telemetry",
        "rocade/v1/" + "x" * 65 + "/telemetry",
        "rocade/v1/C/telemetry\n",
        "",
    ):
        assert OWN.place(foreign) is None
