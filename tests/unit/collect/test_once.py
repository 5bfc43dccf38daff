from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from pipelines.collect import lander, workers
from pipelines.collect.identity import TIMED
from pipelines.collect.journal import Journal
from pipelines.collect.lander import Lander
from pipelines.collect.landing import LandReport, land
from pipelines.collect.meter import Meter
from pipelines.collect.once import Once
from pipelines.collect.recall import horizon
from pipelines.collect.seen import Seen
from pipelines.collect.tables import QUARANTINE, QUARANTINE_SCHEMA, READINGS, READINGS_SCHEMA, SYNTHETIC
from pipelines.errors import LakeError
from pipelines.lake.store import Lake
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

US = 1_770_000_000_000_000
DAY = US // 86_400_000_000


def readings(*seqs: int, rows: int = 2) -> pa.Table:
    made = [
        {"day": DAY, "vehicle": "v", "boot": "b", "seq": seq, "row": row, "ts": US, "signal": "S", "received_at": US}
        | {"type": "float", "known": True, "consent": "service", "value": 1.0}
        for seq in seqs
        for row in range(rows)
    ]
    return pa.Table.from_pylist(made, READINGS_SCHEMA)


def rejected(*seqs: int, poison: tuple[bytes, ...] = ()) -> pa.Table:
    made: list[dict[str, Any]] = [
        {"day": DAY, "received_at": US, "vehicle": "v", "boot": "b", "seq": seq, "reason": "out_of_range"}
        for seq in seqs
    ]
    made += [
        {"day": DAY, "received_at": US, "vehicle": "v", "reason": "not_json", "payload": payload} for payload in poison
    ]
    return pa.Table.from_pylist(made, QUARANTINE_SCHEMA)


def seqs_of(lake: Lake, table: str) -> list[int]:
    return sorted(lake.open(table).to_pyarrow_table().column("seq").to_pylist(), key=lambda seq: seq or 0)


def test_a_message_in_two_journals_lands_once_with_all_its_rows(tmp_path: Path) -> None:
    lake, once = Lake(tmp_path / "lake"), Once(Seen())
    one, two = Journal(tmp_path / "one"), Journal(tmp_path / "two")
    for journal, first in ((one, 1), (two, 3)):
        with journal.locked():
            journal.append(0, readings(first, first + 1, first + 2), rejected(first + 2, poison=(b"{",)))
            journal.append(1, readings(first + 2), rejected(poison=(b"{",)))
    for journal in (one, two):
        land(lake, journal, once)
    assert seqs_of(lake, READINGS) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert seqs_of(lake, QUARANTINE) == [None, 3, 5]


def test_what_the_lake_has_from_before_does_not_land_again(tmp_path: Path) -> None:
    seen = Seen()
    seen.add("v", "b", 1, 2, 0)
    seen.add_poison("telemetry:v", b"{")
    good, bad = Once(seen).admit(readings(1, 2, 3), rejected(2, 4, poison=(b"{", b"}")))
    assert good.column("seq").to_pylist() == [3, 3]
    assert bad.column("seq").to_pylist() == [4, None]


def test_messages_without_number_and_time_are_told_apart_elsewhere() -> None:
    once = Once(Seen())
    for _ in range(2):
        assert once.admit(readings(SYNTHETIC + 1, rows=1), rejected())[0].num_rows == 1
    assert once.admit(readings(SYNTHETIC + TIMED, rows=1), rejected())[0].num_rows == 1
    assert once.admit(readings(SYNTHETIC + TIMED, rows=1), rejected())[0].num_rows == 0


@pytest.mark.parametrize("table", [READINGS, QUARANTINE])
@pytest.mark.parametrize("made", [False, True])
def test_a_landing_that_fails_half_way_is_finished(
    tmp_path: Path, table: str, *, made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, journal = Lake(tmp_path / "lake"), Journal(tmp_path / "one")
    with journal.locked():
        journal.append(0, readings(1, 2), rejected(2, 3, poison=(b"{",)))
    publish = Lake.publish

    def failing(lake: Lake, name: str, *more: Any, **named: Any) -> int:
        if name != table:
            return publish(lake, name, *more, **named)
        if made:
            publish(lake, name, *more, **named)
        raise LakeError("no", where=name)

    for restarted in (False, True):
        once = Once(Seen())
        if restarted and lake.exists(READINGS):  # as recall finds it
            for seq in seqs_of(lake, READINGS):
                once.seen.add("v", "b", seq, seq, 0)
        with monkeypatch.context() as patch:
            patch.setattr(Lake, "publish", failing)
            with suppress(LakeError) if restarted else pytest.raises(LakeError):
                land(lake, journal, once)
    once = Once(Seen())
    for seq in seqs_of(lake, READINGS) if lake.exists(READINGS) else []:
        once.seen.add("v", "b", seq, seq, 0)
    land(lake, journal, once)
    assert seqs_of(lake, READINGS) == [1, 1, 2, 2]
    assert seqs_of(lake, QUARANTINE) == [None, 2, 3]


def test_what_a_lander_remembers_of_silent_boots_is_forgotten_every_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen()
    seen.add("v", "old", 0, 5, (time.time() - 7200) * 1000)
    seen.add("v", "new", 0, 5, (time.time() - 1800) * 1000)
    monkeypatch.setattr(lander, "FORGET_S", 0.05)
    at_work = Lander(Lake(tmp_path / "lake"), [], 0.01, Meter(), str, once=Once(seen), horizon_s=3600)
    at_work.start()
    end = time.monotonic() + 10
    while seen.has("v", "old", 5) and time.monotonic() < end:
        time.sleep(0.01)
    at_work.stop()
    assert not seen.has("v", "old", 5)
    assert seen.has("v", "new", 5)


def test_a_landing_that_takes_long_is_followed_by_the_next_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class End(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return len(waits) > 2

    def slow(*_: object) -> LandReport:
        time.sleep(0.05)
        return LandReport()

    monkeypatch.setattr(lander, "land", slow)
    for every_s in (0.04, 60.0):
        waits.clear()
        at_work = Lander(Lake(tmp_path / "lake"), [Journal(tmp_path / "journal")], every_s, Meter(), str)
        monkeypatch.setattr(at_work, "_end", End())
        at_work.start()
        at_work.stop()
        assert waits[0] == every_s
        assert all(0 <= wait <= max(0.0, every_s - 0.05) for wait in waits[1:])
        assert len(waits) == 3


def test_whatever_goes_wrong_in_a_landing_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [KeyError("what nobody thought of"), ValueError("nor of this")]
    landed = threading.Event()

    def land(*_: object) -> LandReport:
        if faults:
            raise faults.pop(0)
        landed.set()
        return LandReport()

    monkeypatch.setattr(lander, "land", land)
    notes: list[str] = []
    meter = Meter()
    at_work = Lander(Lake(tmp_path / "lake"), [Journal(tmp_path / "journal")], 0.01, meter, notes.append)
    at_work.start()
    assert landed.wait(5)
    at_work.stop()
    assert "what nobody thought of" in notes[0]
    assert "after 2 failures" in notes[1]
    assert meter.failed == 0


def test_what_is_dropped_counts_once_it_has_landed() -> None:
    once = Once(Seen())
    once.admit(readings(1), rejected())
    once.settle()
    for give_up in (True, False):  # a commit that failed is tried again
        once.admit(pa.concat_tables([readings(1), readings(2)]), rejected())
        once.abandon() if give_up else once.settle()
        assert once.dropped == (0 if give_up else 1)
    once.finish(readings(2), rejected())  # these have landed: their rows are not dropped
    once.settle()
    assert once.dropped == 1


def test_rows_that_name_no_message_pass_between_those_that_do() -> None:
    rows = pa.concat_tables([readings(1), readings(2), readings(1)])
    nameless = rows.slice(2, 2).set_column(
        rows.schema.get_field_index("boot"), rows.schema.field("boot"), pa.nulls(2, rows.schema.field("boot").type)
    )
    mixed = pa.concat_tables([rows.slice(0, 1), nameless, rows.slice(1, 1), rows.slice(4)])
    seen = Seen()
    once = Once(seen)
    assert once.admit(mixed, rejected())[0].num_rows == 6
    once.settle()
    assert seen.has("v", "b", 1)
    assert not seen.has("v", "b", 2)
    assert once.admit(mixed, rejected())[0].column("boot").to_pylist() == [None, None]


def test_who_lands_for_several_workers_forgets_what_the_broker_has_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AskedError(Exception):
        pass

    def asked(*_: object, once: Once, horizon_s: float) -> Lander:
        assert horizon_s == horizon(settings).total_seconds() > settings.session_expiry_s
        assert once is not None
        raise AskedError

    settings = load_settings(home=tmp_path)
    monkeypatch.setattr(workers, "Lander", asked)
    with pytest.raises(AskedError):
        workers.Workers(settings, 2).run()


@pytest.mark.parametrize("restarted", [False, True])
def test_poison_that_had_landed_before_is_not_landed_by_a_landing_that_is_finished(
    tmp_path: Path, *, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, once = Lake(tmp_path / "lake"), Once(Seen())
    one, two = Journal(tmp_path / "one"), Journal(tmp_path / "two")
    for journal, seq in ((one, 1), (two, 2)):
        with journal.locked():
            journal.append(0, readings(seq), rejected(seq, poison=(b"{",)))
    land(lake, one, once)
    publish = Lake.publish

    def failing(lake: Lake, name: str, *more: Any, **named: Any) -> int:
        if name == QUARANTINE:
            raise LakeError("no", where=name)
        return publish(lake, name, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "publish", failing)
        with pytest.raises(LakeError):
            land(lake, two, once)
    if restarted:
        once = Once(Seen())  # as recall finds it
        once.seen.add("v", "b", 1, 2, 0)
        once.seen.add_poison("telemetry:v", b"{")
    land(lake, two, once)
    assert seqs_of(lake, QUARANTINE) == [None, 1, 2]
    with one.locked():
        one.append(1, readings(2), rejected(2, poison=(b"{",)))  # the broker gives it to another one
    land(lake, one, once)
    assert seqs_of(lake, READINGS) == [1, 1, 2, 2]
    assert seqs_of(lake, QUARANTINE) == [None, 1, 2]
