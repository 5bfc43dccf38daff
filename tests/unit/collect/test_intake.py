from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.collect import columns as columns_module
from pipelines.collect import intake as intake_module
from pipelines.collect.formats import Message
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.contracts.signals import load_signals
from pipelines.privacy.consent import UNKNOWN
from pipelines.privacy.pseudonyms import KeyDestroyed

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Inlet

Make = Callable[..., Message]
Batch = Callable[..., dict[str, Any]]

NOW = 1_770_000_000_000
BOOT = "00000000-0000-4000-8000-000000000001"


def everything_under(folder: Path) -> bytes:
    return b"".join(file.name.encode() + file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_a_batch_becomes_readings(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    rows = [0, {"Vehicle.Speed": 50, "Vehicle.IsMoving": True}], [1000.5, {"Vehicle.Powertrain.Type": "ELECTRIC"}]
    taken = inlet.intake.take([message(batch(*rows, driver="D1", seq=3))])
    assert taken.readings.schema == READINGS_SCHEMA
    assert taken.rejected.num_rows == 0
    name = inlet.names.vehicle("CAR1", NOW)
    common = {
        "day": date(2026, 2, 2),
        "vehicle": name,
        "driver": inlet.names.driver("D1", NOW),
        "boot": BOOT,
        "seq": 3,
        "consent": "service+statistics",
        "received_at": datetime.fromtimestamp(NOW / 1000, UTC),
        "known": True,
        "tenant": None,
    }
    first, second = datetime.fromtimestamp(NOW / 1000, UTC), datetime.fromtimestamp(NOW / 1000 + 1.0005, UTC)
    assert taken.readings.to_pylist() == [
        common | {"row": 0, "ts": first, "signal": "Vehicle.Speed", "type": "float", "value": 50.0, "text": None},
        common | {"row": 0, "ts": first, "signal": "Vehicle.IsMoving", "type": "boolean", "value": 1.0, "text": None},
        common
        | {
            "row": 1,
            "ts": second,
            "signal": "Vehicle.Powertrain.Type",
            "type": "enum",
            "value": None,
            "text": "ELECTRIC",
        },
    ]


def test_rows_of_several_cars_are_not_mixed_up(inlet: Inlet, message: Make, batch: Batch) -> None:
    messages = []
    for car in range(5):
        inlet.consent(f"CAR{car}")
        rows = [[row, {"Vehicle.Speed": 10 * car + row}] for row in range(car)]  # the first has none
        messages.append(message(batch(*rows, seq=car), f"CAR{car}"))
    found = inlet.intake.take(messages).readings.to_pylist()
    assert [(row["vehicle"], row["seq"], row["row"], row["value"]) for row in found] == [
        (inlet.names.vehicle(f"CAR{car}", NOW), car, row, 10 * car + row) for car in range(5) for row in range(car)
    ]


def test_days_follow_the_device_clock(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    midnight = 1_769_990_400_000  # 2026-02-02T00:00Z
    taken = inlet.intake.take([message(batch([-1, {"Vehicle.Speed": 1}], [0, {"Vehicle.Speed": 2}], t0=midnight))])
    assert taken.readings["day"].to_pylist() == [date(2026, 2, 1), date(2026, 2, 2)]


def test_a_car_that_never_spoke_of_consent_leaves_nothing(
    inlet: Inlet, message: Make, batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(intake_module.time, "monotonic", lambda: clock[0])
    first = message(batch([0, {"Vehicle.Speed": 1}]), "STRANGER")
    poison = message(b"nonsense", "STRANGER")
    taken = inlet.intake.take([first, poison])
    assert taken.held == [first, poison]
    clock[0] += intake_module.PATIENCE_S
    taken = inlet.intake.take(taken.held)
    assert taken.held == []
    assert taken.silent == 2
    assert taken.readings.num_rows == taken.rejected.num_rows == 0
    inlet.ledger.flush()
    assert not list(tmp_path.rglob("*"))


def test_a_consent_that_comes_within_the_patience_is_in_time(inlet: Inlet, message: Make, batch: Batch) -> None:
    taken = inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}])), message(b"service", topic="consent")])
    assert len(taken.held) == taken.consents == 1
    taken = inlet.intake.take(taken.held)
    assert taken.readings["consent"].to_pylist() == ["service"]


def test_only_so_many_messages_are_held(inlet: Inlet, message: Make, batch: Batch) -> None:
    taken = inlet.intake.take([message(batch(seq=seq), f"C{seq}") for seq in range(15)])
    assert len(taken.held) == 10
    assert taken.silent == 5


def test_a_car_on_no_topic_of_ours_is_silent(inlet: Inlet, message: Make, batch: Batch) -> None:
    assert inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}]), "a b")]).silent == 1


def test_state_and_advice_are_no_telemetry(inlet: Inlet, message: Make) -> None:
    inlet.consent("CAR1")
    taken = inlet.intake.take([message(b"online", topic="state"), message(b"brake early", topic="advice")])
    assert taken.ignored == 2
    assert taken.silent == taken.rejected.num_rows == 0


def test_a_withdrawal_cuts_between_rows(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1", 1)
    inlet.consent("CAR1", 0, NOW + 2000)
    inlet.consent("CAR1", 2, NOW + 4000)
    rows = [[1000 * second, {"Vehicle.Speed": second, "Vehicle.AverageSpeed": -9}] for second in range(6)]
    taken = inlet.intake.take([message(batch(*rows))])
    assert taken.readings["value"].to_pylist() == [0, 1, 4, 5]
    assert taken.readings["row"].to_pylist() == [0, 1, 4, 5]
    assert taken.readings["consent"].to_pylist() == ["service"] * 2 + ["service+statistics"] * 2
    assert taken.rejected["row"].to_pylist() == [0, 1, 4, 5]  # what is silent is not in quarantine either
    assert taken.silent == 0


def test_a_withdrawal_holds_for_what_comes_after_it_in_the_same_batch(
    inlet: Inlet, message: Make, batch: Batch
) -> None:
    inlet.consent("CAR1")
    taken = inlet.intake.take(
        [
            message(batch([0, {"Vehicle.Speed": 1}], seq=0)),
            message(b"silent", topic="consent"),
            message(batch([0, {"Vehicle.Speed": 2}], seq=1)),
            message(b"not even json"),
            message(b"service", topic="consent"),
            message(batch([0, {"Vehicle.Speed": 3}], seq=2)),
        ]
    )
    assert taken.readings["value"].to_pylist() == [1, 3]
    assert taken.silent == 2
    assert taken.rejected.num_rows == 0


def test_a_message_that_is_silent_throughout_is_counted(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1", 1, NOW + 10_000)
    taken = inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}], [1, {"Vehicle.AverageSpeed": -9}]))])
    assert taken.silent == 1
    assert taken.readings.num_rows == taken.rejected.num_rows == 0


@pytest.mark.parametrize(
    ("t0", "reason"),
    [
        (0, "clock_past"),
        (1_262_303_999_999, "clock_past"),
        (3_786_912_000_000, "clock_future"),
        (NOW + 86_400_001, "clock_future"),
    ],
)
def test_a_clock_beyond_belief(inlet: Inlet, message: Make, batch: Batch, t0: int, reason: str) -> None:
    inlet.consent("CAR1", 1, NOW - 5000)  # rules at the receipt, not at the time the device believes in
    taken = inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}], t0=t0))])
    assert taken.readings.num_rows == 0
    row = taken.rejected.to_pylist()[0]
    assert row["reason"] == reason
    assert row["ts"] == datetime.fromtimestamp(t0 / 1000, UTC)
    assert row["day"] == date(2026, 2, 2)
    assert "Vehicle.Speed at " in row["detail"]
    assert "set the device's clock" in row["detail"]
    assert row["vehicle"] == inlet.names.vehicle("CAR1", NOW)


def test_a_wrong_clock_does_not_get_round_a_withdrawal(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1", 1)
    inlet.consent("CAR1", 0, NOW - 5000)
    taken = inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}], t0=0))])
    assert taken.rejected.num_rows == 0
    assert taken.silent == 1


@pytest.mark.parametrize("t0", [1e300, -1e300, 9.3e15])
def test_a_time_that_no_calendar_has(inlet: Inlet, message: Make, batch: Batch, t0: float) -> None:
    inlet.consent("CAR1")
    taken = inlet.intake.take([message(batch([0, {"Vehicle.Speed": 1}], t0=t0))])
    assert taken.rejected["ts"].to_pylist() == [None]
    assert taken.rejected["reason"].to_pylist()[0] in ("clock_past", "clock_future")


def test_faulty_readings_wait_beside_good_ones(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    row = {
        "Vehicle.Speed": 900,
        "Vehicle.IsMoving": True,
        "WVWZZZ1JZXW000001 is the car of": 5,
        "Vehicle.AverageSpeed": "x",
        "Vehicle.Foo": ["WVWZZZ1JZXW000001"],
    }
    taken = inlet.intake.take([message(batch([5, row], seq=4))])
    assert taken.readings["signal"].to_pylist() == ["Vehicle.IsMoving"]
    assert taken.rejected.schema == QUARANTINE_SCHEMA
    found = {row["signal"]: row for row in taken.rejected.to_pylist()}
    assert {signal: row["reason"] for signal, row in found.items()} == {
        "Vehicle.Speed": "out_of_range",
        "WVWZZZ1JZXW000001 is the car of": "unknown_signal",
        "Vehicle.AverageSpeed": "wrong_type",
        "Vehicle.Foo": "wrong_type",
    }
    speed = found["Vehicle.Speed"]
    assert (speed["value"], speed["text"], speed["seq"], speed["row"], speed["boot"]) == (900, None, 4, 0, BOOT)
    assert speed["payload"] is None
    assert found["Vehicle.AverageSpeed"]["text"] == "x"
    assert found["Vehicle.Foo"]["text"] is None  # it could name somebody
    assert "WVW" not in found["Vehicle.Foo"]["detail"]


def test_signals_that_nobody_knows_are_kept_and_flagged(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    row = {
        "Vehicle.Speed": 50,
        "Maker.Whole": 3,
        "Maker.Broken": 2.5,
        "Maker.State": True,
        "Maker.Plate": "AB-123-CD",
        "Vehicle.Powertrain.Type": "ELECTRIC",
    }
    taken = inlet.intake.take([message(batch([0, row]))])
    assert taken.rejected.num_rows == 0
    assert taken.unknown == 4
    found = {
        row["signal"]: (row["type"], row["value"], row["text"], row["known"]) for row in taken.readings.to_pylist()
    }
    assert found == {
        "Vehicle.Speed": ("float", 50, None, True),
        "Maker.Whole": ("integer", 3, None, False),
        "Maker.Broken": ("float", 2.5, None, False),
        "Maker.State": ("boolean", 1, None, False),
        "Maker.Plate": ("text", None, None, False),  # it could name somebody
        "Vehicle.Powertrain.Type": ("enum", None, "ELECTRIC", True),
    }


def test_a_batch_that_comes_three_times_is_taken_once(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    same = message(batch([0, {"Vehicle.Speed": 1, "Vehicle.AverageSpeed": -2}]))
    taken = inlet.intake.take([same, same])
    assert (taken.readings.num_rows, taken.rejected.num_rows, taken.duplicates) == (1, 1, 1)
    taken = inlet.intake.take([same])
    assert (taken.readings.num_rows, taken.rejected.num_rows, taken.duplicates) == (0, 0, 1)


def test_poison_waits_with_its_bytes_once(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    bad = message(batch(seq="one"))
    taken = inlet.intake.take([message(b"{not json"), bad, message(b"{not json")])
    assert taken.duplicates == 1
    assert taken.readings.num_rows == 0
    rows = taken.rejected.to_pylist()
    assert [row["reason"] for row in rows] == ["not_json", "bad_batch"]
    assert [row["payload"] for row in rows] == [b"{not json", bad.payload]
    assert rows[0]["vehicle"] == inlet.names.vehicle("CAR1", NOW)
    assert rows[0]["day"] == date(2026, 2, 2)
    assert rows[0]["detail"].startswith("telemetry: the payload is not JSON")


def test_a_bad_consent_changes_nothing(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1", 1)
    taken = inlet.intake.take([message(b"perhaps", topic="consent"), message(batch([0, {"Vehicle.Speed": 1}]))])
    assert taken.consents == 0
    assert taken.readings.num_rows == 1
    row = taken.rejected.to_pylist()[0]
    assert (row["reason"], row["payload"]) == ("bad_consent", b"perhaps")
    assert "service+statistics" in row["detail"]


def test_a_bad_consent_of_a_silent_car_is_told_without_the_car(inlet: Inlet, message: Make, tmp_path: Path) -> None:
    taken = inlet.intake.take([message(b"perhaps CAR9", "CAR9", "consent")])
    row = taken.rejected.to_pylist()[0]
    assert row["reason"] == "bad_consent"
    assert row["vehicle"] is row["payload"] is None
    assert "CAR9" not in str(row)
    assert inlet.ledger.timeline("CAR9") is UNKNOWN
    assert b"CAR9" not in everything_under(tmp_path)


def test_a_retained_consent_that_cannot_be_read_is_still_reported_later(inlet: Inlet, message: Make) -> None:
    bad = message(b"perhaps", topic="consent")
    inlet.intake.hear_retained(bad)
    assert inlet.intake.take([bad]).rejected.num_rows == 1


def test_nothing_at_all(inlet: Inlet) -> None:
    taken = inlet.intake.take([])
    assert taken.readings.schema == READINGS_SCHEMA
    assert taken.rejected.schema == QUARANTINE_SCHEMA


def test_a_batch_over_a_months_end_keeps_the_name_it_began_with(inlet: Inlet, message: Make, batch: Batch) -> None:
    inlet.consent("CAR1")
    end = 1_769_904_000_000  # 2026-02-01T00:00Z
    rows = [0, {"Vehicle.Speed": 1}], [5000, {"Vehicle.Speed": 2}]
    taken = inlet.intake.take([message(batch(*rows, t0=end - 2000))])
    assert taken.readings["day"].to_pylist() == [date(2026, 1, 31), date(2026, 2, 1)]
    assert set(taken.readings["vehicle"].to_pylist()) == {inlet.names.vehicle("CAR1", end - 1)}


def test_late_readings_of_a_month_whose_key_was_destroyed_are_dropped(
    inlet: Inlet, message: Make, batch: Batch, tmp_path: Path
) -> None:
    inlet.consent("CAR1")
    january = NOW - 10 * 86_400_000
    inlet.names.vehicle("CAR1", january)
    (tmp_path / "keys" / "2026-01.key").unlink()
    fresh = type(inlet)(tmp_path)  # as after a restart
    fresh.consent("CAR1")
    late, recent = batch([0, {"Vehicle.Speed": 1}], t0=january), batch([0, {"Vehicle.Speed": 2}], seq=1)
    taken = fresh.intake.take([message(late), message(recent)])
    assert (taken.silent, taken.rejected.num_rows) == (1, 0)
    assert taken.readings["value"].to_pylist() == [2]
    assert not (tmp_path / "keys" / "2026-01.key").exists()


def test_without_the_key_of_the_month_that_runs_nothing_is_taken(
    inlet: Inlet, message: Make, batch: Batch, tmp_path: Path
) -> None:
    inlet.names.vehicle("CAR1", NOW)
    (tmp_path / "keys" / "2026-02.key").unlink()
    fresh = type(inlet)(tmp_path)
    fresh.consent("CAR1")
    with pytest.raises(KeyDestroyed, match="restore it from a backup"):
        fresh.intake.take([message(batch([0, {"Vehicle.Speed": 1}]))])


def test_names_made_up_by_the_thousand_do_not_fill_the_memory(
    inlet: Inlet, message: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns_module, "_MOST_STRANGERS", 100)
    inlet.consent("CAR1")
    rows = [[at, {f"Made.Up{at}": at}] for at in range(5_001)]
    one = [0, {f"At.Once{at}": at for at in range(5_001)}]
    taken = inlet.intake.take([message(batch(*rows)), message(batch(one))])
    assert taken.rejected["reason"].to_pylist() == ["bad_batch"] * 2
    assert all("more than 5000 names" in detail for detail in taken.rejected["detail"].to_pylist())
    many = [message(batch([0, {f"Other{seq}.{at}": at for at in range(80)}], seq=seq)) for seq in range(1, 6)]
    taken = inlet.intake.take(many)
    assert taken.unknown == taken.readings.num_rows == 400
    assert len(set(zip(taken.readings["seq"].to_pylist(), taken.readings["signal"].to_pylist(), strict=True))) == 400
    columns = inlet.intake._columns  # noqa: SLF001 - what it holds on to is what is tested
    columns.clear()
    assert len(columns._paths) <= len(load_signals()) + 100  # noqa: SLF001
