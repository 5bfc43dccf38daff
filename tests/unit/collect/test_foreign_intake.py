"""Foreign formats through the intake: whose they are, under whose consent, and each message once."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.collect.identity import TIMED
from pipelines.collect.intake import Intake
from pipelines.collect.seen import Seen
from pipelines.collect.subscriptions import load_subscriptions
from pipelines.collect.tables import SYNTHETIC
from pipelines.contracts.signals import load_signals
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Inlet

    from pipelines.collect.formats import Message

NOW = 1_770_000_000_000
ENTRIES: tuple[dict[str, Any], ...] = (
    {
        "filter": "ovms/+/+/metric/#",
        "format": "ovms",
        "vehicle": "ovms/{owner}/{vehicle}/metric/{metric…}",
        "consent": "service",
    },
    {
        "filter": "teslamate/cars/+/+",
        "format": "teslamate",
        "vehicle": "teslamate/cars/{vehicle}/{topic}",
        "tenant": "bob",
    },
    {"filter": "viss/+", "format": "viss", "vehicle": "viss/{vehicle}", "consent": "service"},
    {"filter": "rocade/v1/+/+", "format": "rocade", "vehicle": "rocade/v1/{vehicle}/{kind}"},
)
SOC = "ovms/ada/DEMO/metric/v/b/soc"


@pytest.fixture
def taking(inlet: Inlet, tmp_path: Path) -> Intake:
    return make(inlet, tmp_path, inlet.seen)


def make(inlet: Inlet, tmp_path: Path, seen: Seen, **more: Any) -> Intake:
    subscriptions = load_subscriptions(load_settings(home=tmp_path, subscriptions=ENTRIES))
    return Intake(
        load_signals(),
        inlet.ledger,
        inlet.names,
        seen,
        oldest_ms=1_262_304_000_000,
        ahead_ms=86_400_000,
        room=10,
        subscriptions=subscriptions,
        **more,
    )


def bare(message: Callable[..., Message], topic: str, payload: str, **more: Any) -> Message:
    made = message(payload.encode(), **more)
    made.topic = topic
    return made


def test_a_car_of_an_owner_who_has_consented(inlet: Inlet, taking: Intake, message: Callable[..., Message]) -> None:
    taken = taking.take([bare(message, SOC, "50"), bare(message, "ovms/ada/DEMO/metric/v/p/satcount", "12")])
    rows = {row["signal"]: row for row in taken.readings.to_pylist()}
    soc = rows["Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed"]
    assert (soc["value"], soc["type"], soc["known"], soc["tenant"], soc["consent"]) == (
        50,
        "float",
        True,
        None,
        "service",
    )
    assert soc["vehicle"] == inlet.names.vehicle("ada~DEMO", NOW)
    assert uuid.UUID(soc["boot"]).version == 5
    assert soc["seq"] >= SYNTHETIC
    satellites = rows["OVMS.v.p.satcount"]
    assert (satellites["value"], satellites["type"], satellites["known"]) == (12, "integer", False)
    assert taken.unknown == 1


def test_what_the_car_says_of_its_consent_goes_first(taking: Intake, message: Callable[..., Message]) -> None:
    silence = message(b"silent", "ada~DEMO", "consent")
    taken = taking.take([bare(message, SOC, "50"), silence, bare(message, SOC, "51"), bare(message, SOC, "52")])
    assert taken.readings["value"].to_pylist() == [50]
    assert taken.silent == 2


def test_without_anybodys_consent_a_foreign_car_is_silent(taking: Intake, message: Callable[..., Message]) -> None:
    speed = bare(message, "teslamate/cars/1/speed", "50")
    assert taking.take([speed]).held == [speed]
    taken = taking.take([message(b"service", "bob:1", "consent"), speed])
    assert taken.readings["value"].to_pylist() == [50]
    assert taken.readings["tenant"].to_pylist() == ["bob"]


def test_two_owners_cars_of_one_name_are_two(taking: Intake, message: Callable[..., Message]) -> None:
    taken = taking.take([bare(message, SOC, "50"), bare(message, SOC.replace("ada", "eve"), "50")])
    assert len(set(taken.readings["vehicle"].to_pylist())) == len(set(taken.readings["boot"].to_pylist())) == 2


def test_the_boot_tells_nobody_which_car_it_is(inlet: Inlet, taking: Intake, message: Callable[..., Message]) -> None:
    (january, february) = (
        taking.take([bare(message, SOC, "50", received_ms=at)]).readings["boot"].to_pylist()[0]
        for at in (NOW - 10 * 86_400_000, NOW)
    )
    assert january != february  # it follows the pseudonym of the month, whose key can be destroyed


def test_a_value_that_is_said_again_is_a_new_reading(taking: Intake, message: Callable[..., Message]) -> None:
    taken = taking.take(
        [
            bare(message, SOC, "50", mid=1),
            bare(message, SOC, "50", mid=2, received_ms=NOW + 10_000),
            bare(message, SOC, "50", mid=0, qos=0),
            bare(message, SOC, "50", mid=0, qos=0),  # within the same millisecond
        ]
    )
    assert taken.readings.num_rows == 4
    assert taken.duplicates == 0
    assert len(set(taken.readings["seq"].to_pylist())) == 4


def test_a_redelivery_is_known(taking: Intake, message: Callable[..., Message]) -> None:
    taking.take([bare(message, SOC, "50", mid=7), bare(message, SOC, "51", mid=8)])
    taken = taking.take(
        [
            bare(message, SOC, "50", mid=7, again=True, received_ms=NOW + 5000),
            bare(message, SOC, "51", mid=8, again=True, received_ms=NOW + 5000),
            bare(message, SOC, "52", mid=9, again=True, received_ms=NOW + 5000),  # sent before, never received
            bare(message, SOC, "50", mid=10, again=True, received_ms=NOW + 5000),
        ]
    )
    assert taken.duplicates == 2
    assert taken.readings["value"].to_pylist() == [52, 50]


def test_a_redelivery_is_known_after_a_restart(
    inlet: Inlet, taking: Intake, message: Callable[..., Message], tmp_path: Path
) -> None:
    rows = taking.take([bare(message, SOC, "50", mid=7)]).readings.to_pylist()
    seen = Seen()  # as recall fills it from the lake
    for row in rows:
        seen.add(row["vehicle"], row["boot"], row["seq"], row["seq"], NOW)
    fresh = make(inlet, tmp_path, seen)
    again = bare(message, SOC, "50", mid=7, again=True, received_ms=NOW + 60_000)
    assert fresh.take([again]).duplicates == 1


def test_retained_values_of_unknown_age_are_left_out(taking: Intake, message: Callable[..., Message]) -> None:
    taken = taking.take([bare(message, SOC, "50", retained=True)])
    assert (taken.readings.num_rows, taken.stale) == (0, 1)


@pytest.mark.parametrize(("times", "stale"), [({"t": -5}, 1), ({}, 1), ({"bt": NOW / 1000}, 0)])
def test_retained_senml_is_left_out_where_its_times_are_relative(
    inlet: Inlet, taking: Intake, message: Callable[..., Message], times: dict[str, float], stale: int
) -> None:
    inlet.consent("CAR1")
    pack = [{"n": "Vehicle.Speed", "u": "m/s", "v": 10} | times]
    said = {"content_type": "application/senml+json"}
    taken = taking.take([message(pack, retained=True, **said)])
    assert (taken.readings.num_rows, taken.stale) == (1 - stale, stale)
    assert taking.take([message(pack, mid=2, **said)]).readings.num_rows == stale  # live it is taken in


def event(value: str, ts: str = "2026-02-02T02:40:00Z") -> str:
    return json.dumps({"action": "subscription", "data": {"path": "Vehicle.Speed", "dp": {"value": value, "ts": ts}}})


def test_a_message_with_its_own_time_is_known_by_what_it_says(taking: Intake, message: Callable[..., Message]) -> None:
    first = bare(message, "viss/CAR1", event("50"), mid=1)
    copy = bare(message, "viss/CAR1", event("50"), mid=2, received_ms=NOW + 60_000)  # no redelivery: sent three times
    later = bare(message, "viss/CAR1", event("50", "2026-02-02T02:40:01Z"), mid=3)
    taken = taking.take([first, copy, copy, later])
    assert (taken.readings.num_rows, taken.duplicates) == (2, 2)
    assert all(seq & TIMED for seq in taken.readings["seq"].to_pylist())


def test_senml_by_its_content_type(inlet: Inlet, taking: Intake, message: Callable[..., Message]) -> None:
    inlet.consent("CAR1")
    pack = [
        {"bn": "urn:dev:x:", "bt": NOW / 1000, "n": "Vehicle.Speed", "u": "m/s", "v": 10},
        {"t": 1, "n": "Maker.A", "v": 2},
    ]
    taken = taking.take([message(pack, content_type="application/senml+json")] * 2)
    assert {(row["signal"], row["value"], row["row"]) for row in taken.readings.to_pylist()} == {
        ("Vehicle.Speed", 36, 0),
        ("Maker.A", 2, 1),
    }
    assert taken.duplicates == 1


def test_values_that_are_none_are_set_aside_alone(taking: Intake, message: Callable[..., Message]) -> None:
    taken = taking.take([bare(message, "ovms/ada/DEMO/metric/v/p/speed", "fast"), bare(message, SOC, "400")])
    assert sorted(taken.rejected["reason"].to_pylist()) == ["out_of_range", "wrong_type"]
    assert taken.readings.num_rows == 0


def test_a_payload_that_is_too_long_keeps_its_beginning_and_its_digest(
    inlet: Inlet, tmp_path: Path, message: Callable[..., Message]
) -> None:
    inlet.consent("CAR1")
    small = make(inlet, tmp_path, inlet.seen, largest_bytes=5000)
    long = [b'{"rows":[' + b" " * 10_000 + mark for mark in (b"1", b"2")]
    taken = small.take([message(long[0]), message(long[1]), message(long[0])])
    assert taken.duplicates == 1
    for row, payload in zip(taken.rejected.to_pylist(), long, strict=True):
        assert row["reason"] == "too_large"
        assert "10010 bytes" in row["detail"]
        assert row["payload"].startswith(payload[:1024])
        assert hashlib.sha256(payload).hexdigest().encode() in row["payload"]
        assert len(row["payload"]) < 1200
