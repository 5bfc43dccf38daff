from __future__ import annotations

import errno
import json
import os
import resource
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import LakeError
from pipelines.privacy.consent import ALWAYS, SILENT, UNKNOWN, ConsentLedger, Timeline

if TYPE_CHECKING:
    from pathlib import Path

SERVICE, STATISTICS = 1, 2


def ledger(folder: Path) -> ConsentLedger:
    return ConsentLedger(folder / "privacy", folder / "keys" / "consent.key")


def test_before_the_first_entry_a_car_is_silent() -> None:
    line = UNKNOWN.with_level(SERVICE, 1000)
    assert line.between(0, 999) == SILENT
    assert line.between(1000, 5000) == SERVICE
    assert line.between(999, 1000) is None
    assert UNKNOWN.between(0, 1) == SILENT


def test_a_withdrawal_rules_from_its_instant_on() -> None:
    line = UNKNOWN.with_level(STATISTICS, ALWAYS).with_level(SILENT, 500).with_level(SERVICE, 800)
    assert line.at(np.array([-1e12, 499, 500, 799, 800, 9e12])).tolist() == [2, 2, 0, 0, 1, 1]


def test_a_level_without_a_time_holds_for_everything() -> None:
    line = UNKNOWN.with_level(SERVICE, 100).with_level(SILENT, 200).with_level(SERVICE, ALWAYS)
    assert line == Timeline((ALWAYS,), (SERVICE,))


def test_a_late_message_takes_its_place_in_time() -> None:
    line = UNKNOWN.with_level(SILENT, 200).with_level(SERVICE, 100)
    assert line.at(np.array([50.0, 150, 250])).tolist() == [0, 1, 0]


def test_the_last_word_on_an_instant_rules() -> None:
    assert UNKNOWN.with_level(SERVICE, 100).with_level(SILENT, 100).silent


def test_a_sender_that_repeats_itself_does_not_grow_the_timeline() -> None:
    line = UNKNOWN.with_level(SERVICE, 0)
    for at in range(1, 50):
        line = line.with_level(SERVICE, at)
    for at in range(50, 100):
        line = line.with_level(SILENT, at)
    assert line.starts == (0, 50, 99)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), max_size=12))
def test_said_in_order_the_timeline_is_what_was_said(said: list[tuple[int, int]]) -> None:
    line = UNKNOWN
    for level, since in sorted(said, key=lambda each: each[1]):
        line = line.with_level(level, since)
    for instant in range(31):
        ruling = [level for level, since in sorted(said, key=lambda each: each[1]) if since <= instant]
        assert line.between(instant, instant) == (ruling[-1] if ruling else SILENT)
        assert line.at(np.array([float(instant)]))[0] == line.between(instant, instant)


def test_the_ledger_remembers(tmp_path: Path) -> None:
    first = ledger(tmp_path)
    assert first.record("CAR1", SERVICE, 1000, 1500)
    assert first.record("CAR1", SILENT, 2000, 2500)
    assert first.record("CAR2", STATISTICS, ALWAYS, 1)
    first.flush()
    again = ledger(tmp_path)
    assert again.timeline("CAR1") == Timeline((1000, 2000), (SERVICE, SILENT))
    assert again.timeline("CAR2") == Timeline((ALWAYS,), (STATISTICS,))
    assert again.timeline("CAR3") is UNKNOWN


def test_nothing_is_on_disk_before_the_flush(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record("CAR1", SERVICE, 1000, 1500)
    assert not (tmp_path / "privacy" / "consent.jsonl").exists()
    book.flush()
    assert len((tmp_path / "privacy" / "consent.jsonl").read_text().splitlines()) == 1
    book.flush()
    assert len((tmp_path / "privacy" / "consent.jsonl").read_text().splitlines()) == 1


def test_what_changes_nothing_is_not_written(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    assert book.record("CAR1", SERVICE, 1000, 1500)
    assert not book.record("CAR1", SERVICE, 1000, 9999)
    assert not book.record("CAR1", SERVICE, 3000, 9999)


def test_a_car_that_was_only_ever_silent_leaves_no_line(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record("CAR1", SILENT, 1000, 1500)
    book.flush()
    assert book.timeline("CAR1") is not UNKNOWN
    assert book.timeline("CAR1").silent
    assert not (tmp_path / "privacy").exists()
    book.record("CAR1", SERVICE, 500, 1600)  # late: it held until the withdrawal
    book.flush()
    assert ledger(tmp_path).timeline("CAR1") == Timeline((500, 1000), (SERVICE, SILENT))


def test_the_raw_id_is_nowhere(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record("AB-123-CD", SERVICE, 1000, 1500)
    book.flush()
    for file in tmp_path.rglob("*"):
        assert "AB-123-CD" not in file.name
        assert file.is_dir() or b"AB-123-CD" not in file.read_bytes()
    line = json.loads((tmp_path / "privacy" / "consent.jsonl").read_text())
    assert line["consent"] == "service"
    assert line["timeline"] == [[1000, "service"]]
    assert (tmp_path / "privacy" / "consent.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_line_cut_by_a_crash_is_dropped(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    book.record("CAR1", SERVICE, 1000, 1500)
    book.flush()
    file = tmp_path / "privacy" / "consent.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])
    again = ledger(tmp_path)
    assert file.read_bytes() == whole
    again.record("CAR1", SILENT, 2000, 2500)
    again.flush()
    assert ledger(tmp_path).timeline("CAR1") == Timeline((1000, 2000), (SERVICE, SILENT))


def test_a_damaged_ledger_stops_the_collector(tmp_path: Path) -> None:
    (tmp_path / "privacy").mkdir()
    (tmp_path / "privacy" / "consent.jsonl").write_text('{"car": "x"}\n')
    with pytest.raises(LakeError, match="not a line of the consent ledger") as caught:
        ledger(tmp_path)
    assert "consent.jsonl line 1" in str(caught.value)


def test_a_full_disk_is_named_and_nothing_counts_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    ledger_ = ledger(tmp_path)
    ledger_.record("CAR1", 1, 0, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LakeError, match=r"consent.jsonl: the consent ledger cannot be written: No space left"):
            ledger_.flush()
    ledger_.flush()
    assert ledger(tmp_path).timeline("CAR1") == Timeline((0,), (1,))


def test_a_disk_that_takes_half_a_line_leaves_the_ledger_whole(tmp_path: Path) -> None:
    ledger_ = ledger(tmp_path)
    ledger_.record("CAR0", SERVICE, 0, 0)
    ledger_.flush()
    file = tmp_path / "privacy" / "consent.jsonl"
    whole = file.read_bytes()
    for number in range(1, 5):
        ledger_.record(f"CAR{number}", SERVICE, 0, 0)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    room = len(whole) + 300  # for two lines and a half
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(LakeError, match="cannot be written"):
            ledger_.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read_bytes() == whole
    ledger_.flush()
    assert file.read_bytes().startswith(whole)
    for number in range(5):
        assert ledger(tmp_path).timeline(f"CAR{number}") == Timeline((0,), (SERVICE,))


def test_what_another_collector_left_half_written_is_cut_before_more_is_written(tmp_path: Path) -> None:
    mine = ledger(tmp_path)
    mine.record("CAR1", SERVICE, 0, 0)
    mine.flush()
    file = tmp_path / "privacy" / "consent.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])  # it was killed while its disk was full
    mine.record("CAR2", SERVICE, 0, 0)
    mine.flush()
    assert ledger(tmp_path).timeline("CAR1") == ledger(tmp_path).timeline("CAR2") == Timeline((0,), (SERVICE,))
