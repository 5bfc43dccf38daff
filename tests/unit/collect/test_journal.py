from __future__ import annotations

import errno
import os

import pyarrow as pa
import pytest

from pipelines.collect.journal import Journal, JournalBusy
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.errors import CollectError

GOOD = pa.Table.from_pylist([{"vehicle": "v", "seq": 1, "signal": "Vehicle.Speed", "value": 2.5}], READINGS_SCHEMA)
BAD = pa.Table.from_pylist([{"reason": "not_json", "payload": b"\x00x"}] * 3, QUARANTINE_SCHEMA)


@pytest.fixture
def journal(tmp_path: object) -> Journal:
    return Journal(tmp_path / "journal" / "one")  # type: ignore[operator]


def test_a_segment_gives_back_both_tables(journal: Journal) -> None:
    with journal.locked():
        journal.append(9, GOOD, BAD)
        journal.append(10, READINGS_SCHEMA.empty_table(), BAD)
        assert journal.numbers() == [9, 10]
        assert journal.read(9) == (GOOD, BAD)
        assert journal.read(10) == (READINGS_SCHEMA.empty_table(), BAD)
        journal.delete(9)
        assert journal.numbers() == [10]


def test_one_at_a_time(journal: Journal) -> None:
    with journal.locked(), pytest.raises(JournalBusy, match="a collector named one is at work"), journal.locked():
        pass
    with journal.locked():
        pass


def test_what_a_crash_left_half_written_is_no_segment(journal: Journal) -> None:
    with journal.locked():
        journal.append(1, GOOD, BAD)
    (journal.folder / f"{2:020d}.tmp").write_bytes(b"half")
    assert journal.numbers() == [1]
    with journal.locked():
        assert sorted(file.suffix for file in journal.folder.iterdir()) == [".arrow", ".lock"]


def test_a_segment_is_synced_before_it_has_its_name(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    really = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append(f"sync {len(journal.numbers())}"), really(handle)))
    with journal.locked():
        journal.append(1, GOOD, BAD)
    assert steps == ["sync 0", "sync 1"]  # the bytes while it has no name, the folder once it has


def test_a_damaged_segment_is_named(journal: Journal) -> None:
    with journal.locked():
        journal.append(1, GOOD, BAD)
    file = journal.folder / f"{1:020d}.arrow"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(CollectError, match="cannot be read") as caught:
        journal.read(1)
    assert file.name in str(caught.value)


def test_a_full_disk_is_named_and_leaves_no_segment(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with journal.locked():
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(CollectError, match="cannot be written: No space left on device") as caught:
                journal.append(1, GOOD, BAD)
        assert str(journal.folder) in str(caught.value)
        assert journal.numbers() == []
        assert not list(journal.folder.glob("*.tmp"))  # what is on a full disk must not stay on it
        journal.append(1, GOOD, BAD)
        assert journal.read(1) == (GOOD, BAD)
