from __future__ import annotations

import queue
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mqtt5
import pytest
from fake_broker import FakeBroker, publish

from pipelines.collect import Collector, Workers
from pipelines.collect.packets import Reader
from pipelines.collect.preflight import check_window
from pipelines.collect.session import Wanted, filters_for
from pipelines.collect.session_mqtt5 import Mqtt5Session
from pipelines.collect.session_paho import PahoSession
from pipelines.collect.sessions import open_session
from pipelines.collect.subscriptions import OWN, Subscription, load_subscriptions
from pipelines.errors import CollectError, SettingsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.collect.formats import Message

ALL = filters_for([OWN], shared=False)


OVMS = Subscription("ovms/+/+/metric/#", "ovms", "ovms/{owner}/{vehicle}/metric/{metric…}")


@contextmanager
def session(broker: FakeBroker, *wanted: Wanted, unwanted: tuple[str, ...] = (), **more: Any) -> Iterator[Any]:
    notes: list[str] = []
    settings = load_settings(mqtt_url=broker.url, **more)
    made = open_session(settings, wanted or ALL, notes.append, unwanted=unwanted)
    made.notes = notes  # type: ignore[attr-defined] # for the test to look at
    made.open()
    try:
        yield made
    finally:
        made.close()


def take(made: Any, count: int) -> list[Message]:
    taken: list[Message] = []
    end = time.monotonic() + 5
    while len(taken) < count and time.monotonic() < end:
        taken += made.take(count - len(taken), 0.01, 1e9)
    assert len(taken) == count
    return taken


def until(happens: Any, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_message_is_what_was_published() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.publish(7, payload=b"abc", content_type="text/x", duplicate=True)
        broker.publish(0, topic="rocade/v1/D/state")
        first, second = take(made, 2)
    assert (first.mid, first.qos, first.again, first.topic) == (7, 1, True, "rocade/v1/C/telemetry")
    assert (first.payload, first.content_type) == (b"abc", "text/x")
    assert abs(first.received_ms - time.time() * 1000) < 5000
    assert (second.qos, second.again, second.content_type) == (0, False, None)


def test_acknowledgements_go_out_in_the_order_of_receipt_and_none_where_none_is_due() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.publish(7, 3, 0, 9)
        made.acknowledge(take(made, 4))
        assert broker.acks(3) == [7, 3, 9]
        assert broker.heard.empty()


def test_an_acknowledgement_dies_with_its_connection() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.connected.acquire()
        broker.publish(1, 2)
        before = take(made, 2)
        broker.hang_up()
        assert broker.connected.acquire(timeout=5)
        until(lambda: len(broker.subscribed) == 2)
        broker.publish(1)  # the same id, now another message
        made.acknowledge(before)
        made.acknowledge(take(made, 1))
        assert broker.acks(1) == [1]
        with pytest.raises(queue.Empty):
            broker.heard.get(timeout=0.2)


def test_what_the_broker_is_told_of_us() -> None:
    with FakeBroker() as broker, session(broker, receive_maximum=12_000, message_mb=5, session_expiry_s=99):
        said = broker.greetings[0]
    assert (said.client_id, said.clean_start, said.session_expiry_interval) == ("collector-1", False, 99)
    assert (said.receive_max, said.max_packet_size, said.topic_alias_max) == (12_000, 5_000_000, 0)
    assert broker.hear(mqtt5.DisconnectPacket).reason_code == mqtt5.DisconnectReasonCode.NORMAL_DISCONNECTION


def test_the_last_acknowledgements_leave_before_we_do() -> None:
    with FakeBroker() as broker:
        with session(broker) as made:
            broker.publish(*range(1, 1001))
            made.acknowledge(take(made, 1000))
        assert broker.acks(1000) == list(range(1, 1001))


def test_a_session_that_ends_for_good_says_so() -> None:
    with FakeBroker() as broker:
        with session(broker) as made:
            made.close(forget=True)
        assert broker.hear(mqtt5.UnsubscribePacket).patterns == ["rocade/v1/+/+"]
        assert broker.hear(mqtt5.DisconnectPacket).session_expiry_interval == 0


def test_workers_share_telemetry_and_each_hears_all_consents_first() -> None:
    filters = filters_for([OWN, replace(OVMS, qos=0)], shared=True)
    with FakeBroker() as broker, session(broker, *filters[:2], unwanted=("rocade/v1/+/+",)):
        assert broker.subscribed == ["rocade/v1/+/consent", "$share/rocade/rocade/v1/+/telemetry"]
        assert broker.hear(mqtt5.UnsubscribePacket).patterns == ["rocade/v1/+/+"]
    assert filters[2] == Wanted("$share/rocade/ovms/+/+/metric/#", 0)
    with pytest.raises(SettingsError, match="several workers need MQTT 5"):
        check_window(load_settings(mqtt_version="3.1.1"), shared=True)
    with pytest.raises(SettingsError, match="several workers need MQTT 5"):
        Workers(load_settings(mqtt_version="3.1.1"), 2)


@pytest.mark.parametrize(
    ("listed", "alone", "shared"),
    [
        (
            (OVMS,),
            [("rocade/v1/+/consent", 1), ("ovms/+/+/metric/#", 1)],
            [("rocade/v1/+/consent", 1), ("$share/rocade/ovms/+/+/metric/#", 1)],
        ),
        (
            (OVMS, OWN),
            [("ovms/+/+/metric/#", 1), ("rocade/v1/+/+", 1)],
            [
                ("rocade/v1/+/consent", 1),
                ("$share/rocade/ovms/+/+/metric/#", 1),
                ("$share/rocade/rocade/v1/+/telemetry", 1),
            ],
        ),
        (
            (replace(OWN, filter="fleet/+/+", vehicle="fleet/{vehicle}/{kind}", qos=0),),
            [("rocade/v1/+/consent", 1), ("fleet/+/+", 0)],
            [("rocade/v1/+/consent", 1), ("fleet/+/consent", 1), ("$share/rocade/fleet/+/telemetry", 0)],
        ),
    ],
)
def test_what_is_listed_is_subscribed_to_and_the_consents(
    tmp_path: Path, listed: tuple[Subscription, ...], alone: list[tuple[str, int]], shared: list[tuple[str, int]]
) -> None:
    names = ("filter", "format", "vehicle", "qos")
    entries = [{name: getattr(each, name) for name in names} for each in listed]
    found = load_subscriptions(load_settings(home=tmp_path, subscriptions=entries))
    assert [(each.filter, each.qos) for each in filters_for(found, shared=False)] == alone
    assert [(each.filter, each.qos) for each in filters_for(found, shared=True)] == shared


def test_a_resumed_session_does_not_wait_for_its_subscription() -> None:
    with FakeBroker(session_present=True) as broker:
        broker.grant = 0x97  # a broker that is busy with our backlog
        settings = load_settings(mqtt_url=broker.url)
        made = Mqtt5Session(settings, [], lambda _: None)
        made.open()
        made.close()


def test_losing_and_finding_the_broker_is_told_once() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.hang_up()
        until(lambda: len(broker.subscribed) == 2 and made.connected)
        kinds = [word for note in made.notes for word in ("is lost (", "forgotten", "is back") if word in note]
        assert kinds == ["is lost (", "forgotten", "is back"]


@pytest.mark.parametrize("grant", [0x87, 0])
def test_a_subscription_that_is_not_granted_ends_the_start(grant: int) -> None:
    with (
        FakeBroker(grant=grant) as broker,
        pytest.raises(CollectError, match="does not grant rocade/v1") as caught,
        session(broker),
    ):
        pass
    assert "access list" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"session_expiry_interval": 0}, "drops our session when the connection breaks"),
        ({"session_expiry_interval": 60}, "keeps our session for 60 s only"),
        ({"max_qos": mqtt5.QoS.AT_MOST_ONCE}, "does not offer quality of service 1"),
        ({"wildcard_subscription_available": False}, "does not offer subscriptions with wildcards"),
        ({"shared_subscription_available": False}, "does not offer shared subscriptions"),
        ({"reason_code": mqtt5.ConnAckReasonCode.NOT_AUTHORIZED}, "refuses the connection: Not authorized"),
        ({"reason_code": mqtt5.ConnAckReasonCode.SERVER_BUSY}, "refuses the connection: Server busy"),
    ],
)
def test_a_broker_that_would_lose_messages_is_refused(answer: dict[str, Any], why: str) -> None:
    with (
        FakeBroker(**answer) as broker,
        pytest.raises(CollectError, match=why) as caught,
        session(broker, *filters_for([OWN], shared=True)),
    ):
        pass
    assert caught.value.where == broker.url
    assert caught.value.fix


def test_what_a_client_cannot_see_of_a_broker_is_said() -> None:
    with FakeBroker(receive_max=20) as broker, session(broker) as made:
        assert any("max_queued_messages" in note for note in made.notes)
        assert any("few messages in flight (20)" in note for note in made.notes)


def test_a_session_that_another_client_takes_over_is_not_taken_back() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.send(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER).write())
        with pytest.raises(CollectError, match="taken our session over") as caught:
            take(made, 1)
        assert "ROCADE_COLLECTOR_NAME" in str(caught.value)
        assert len(broker.greetings) == 1


def test_packets_may_come_in_pieces_of_any_size() -> None:
    wire = b"".join(publish(mid, payload=b"x" * (mid % 300)) for mid in range(1, 200))
    for size in (1, 2, 3, 7, 64, 1000):
        reader, messages = Reader(10**6), []
        for at in range(0, len(wire), size):
            piece = wire[at : at + size]
            reader.room()[: len(piece)] = piece
            reader.filled(len(piece))
            reader.decode(0, 0.0, messages, [])
        assert [message.mid for message in messages] == list(range(1, 200))
        assert [len(message.payload) for message in messages] == [mid % 300 for mid in range(1, 200)]


def test_a_message_longer_than_the_buffer() -> None:
    with FakeBroker() as broker, session(broker) as made:
        broker.publish(1, payload=b"a" * 5_000_000)
        broker.publish(2, 3)
        assert [len(message.payload) for message in take(made, 3)] == [5_000_000, 2, 2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the codec's panic says so besides
def test_a_topic_that_is_not_text_does_not_block_those_behind_it() -> None:
    bad = bytearray(publish(5, payload=b"{}"))
    bad[6] = 0xFF
    with FakeBroker() as broker, session(broker) as made:
        broker.send(publish(4) + bytes(bad) + publish(6))
        taken = take(made, 3)
        assert [(message.mid, message.qos, message.topic) for message in taken][1] == (5, 1, "")
        made.acknowledge(taken)
        assert broker.acks(3) == [4, 5, 6]
        assert len(broker.greetings) == 1


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (b"\x00\x00", mqtt5.DisconnectReasonCode.MALFORMED_PACKET),
        (b"\x36\x05\x00\x01a\x00\x01\x00", mqtt5.DisconnectReasonCode.MALFORMED_PACKET),  # QoS 3
        (b"\x30\xff\xff\xff\xff\xff", mqtt5.DisconnectReasonCode.PACKET_TOO_LARGE),
        (b"\x30\xff\xff\x7f", mqtt5.DisconnectReasonCode.PACKET_TOO_LARGE),
    ],
)
def test_a_malformed_packet_ends_the_connection_and_a_new_one_is_made(packet: bytes, code: Any) -> None:
    with FakeBroker() as broker, session(broker, message_mb=1) as made:
        broker.publish(1)
        broker.send(packet)
        assert broker.hear(mqtt5.DisconnectPacket).reason_code == code
        take(made, 1)
        until(lambda: len(broker.greetings) == 2 and made.connected)
        broker.publish(2)
        assert take(made, 1)[0].mid == 2


def test_a_broker_that_goes_mute_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.collect.line.KEEPALIVE_S", 1)
    with FakeBroker(server_keep_alive=1) as broker, session(broker) as made:
        time.sleep(2.5)
        assert len(broker.greetings) == 1
        broker.pings = False
        until(lambda: len(broker.greetings) == 2)
        assert any("mute" in note for note in made.notes)


def test_a_full_inbox_stops_the_reading_and_an_emptied_one_resumes_it() -> None:
    with FakeBroker() as broker, session(broker, inbox_mb=1) as made:
        broker._client.settimeout(1)  # type: ignore[union-attr] # noqa: SLF001 - the network's far end
        sent = 0
        with suppress(TimeoutError):
            while sent < 1000:
                broker.publish(sent + 1, payload=b"x" * 100_000)
                sent += 1
        assert sent < 300  # the inbox, a buffer, and what the sockets between us hold
        assert made.waiting < 40
        assert len(take(made, sent)) == sent


def test_a_batch_is_bounded_in_bytes() -> None:
    with FakeBroker() as broker, session(broker) as made:
        for mid in range(1, 5):
            broker.publish(mid, payload=b"x" * 900_000)
            until(lambda: made.waiting == mid)  # noqa: B023 - it is asked now
        assert len(made.take(100, 0.1, 2e6)) == 2
        assert len(made.take(100, 0.1, 1)) == 1


def test_a_window_under_two_batches_is_refused() -> None:
    check_window(load_settings(receive_maximum=20, batch_messages=10))
    with pytest.raises(CollectError, match="less than two batches of 11") as caught:
        Collector(load_settings(receive_maximum=20, batch_messages=11))
    assert "ROCADE_RECEIVE_MAXIMUM to 22" in str(caught.value)
    with pytest.raises(CollectError) as caught:
        check_window(load_settings(receive_maximum=65_535, batch_messages=40_000))
    assert "ROCADE_BATCH_MESSAGES to 32767 or less" in str(caught.value)


@pytest.mark.parametrize("kind", [Mqtt5Session, PahoSession])
@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:1883", "http://host", "mqtt://", "mqtt://host:port", "mqtt://host:99999", "mqtt://host/topic"],
)
def test_an_address_that_makes_no_sense(kind: Any, url: str) -> None:
    with pytest.raises(SettingsError, match="address does not make sense") as caught:
        kind(load_settings(mqtt_url=url), ALL, print)
    assert "mqtt://user:password@host:1883" in str(caught.value)


def test_a_password_is_not_told() -> None:
    with pytest.raises(SettingsError) as caught:
        Mqtt5Session(load_settings(mqtt_url="mqtt://anna:secret@host:port"), ALL, print)
    assert "secret" not in str(caught.value)


def test_credentials_may_hold_any_character() -> None:
    with FakeBroker() as broker:
        url = broker.url.replace("//", "//an%40na:p%2Fw@")
        made = Mqtt5Session(load_settings(mqtt_url=url), ALL, lambda _: None)
        made.open()
        made.close()
        assert (broker.greetings[0].username, broker.greetings[0].password) == ("an@na", b"p/w")


@pytest.mark.parametrize("kind", [Mqtt5Session, PahoSession])
def test_certificates_that_cannot_be_read(kind: Any, tmp_path: Path) -> None:
    for settings in (
        load_settings(mqtt_url="mqtts://host", mqtt_ca=tmp_path / "none.pem"),
        load_settings(mqtt_url="mqtts://host", mqtt_key=tmp_path / "none.pem"),
    ):
        with pytest.raises(SettingsError, match="certificates cannot be used"):
            kind(settings, ALL, print)
