"""The publisher's manners without a broker: addresses, silence, refusals, pace."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import CollectError, SettingsError
from pipelines.fleet import publish
from pipelines.fleet.publish import Publisher
from pipelines.settings import load_settings

CONNACK_OK = bytes.fromhex("200300 00 00")
CONNACK_NOT_AUTHORIZED = bytes.fromhex("200300 87 00")


@pytest.fixture
def deaf_broker() -> Iterator[socket.socket]:
    """A port that accepts connections; the test says what it answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def url(server: socket.socket) -> str:
    return f"mqtt://127.0.0.1:{server.getsockname()[1]}"


def answer(server: socket.socket, *replies: bytes) -> None:
    """Answer one connection's first packets with ``replies``, one each, and then nothing."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            for reply in replies:
                connection.recv(65536)
                connection.sendall(reply)
            while connection.recv(65536):
                pass

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("address", ["http://127.0.0.1", "mqtt://", "127.0.0.1:1883", "mqtt://host:port"])
def test_an_address_that_makes_no_sense_is_a_setting_error(address: str) -> None:
    with pytest.raises(SettingsError, match="address does not make sense"):
        Publisher(load_settings(mqtt_url=address))


def test_certificates_that_are_not_there_are_a_setting_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the certificates cannot be used"):
        Publisher(load_settings(mqtt_url="mqtts://127.0.0.1", mqtt_ca=tmp_path / "no.pem"))


def test_a_broker_that_is_not_there_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = url(gone)
    with pytest.raises(CollectError, match=r"mqtt://127\.0\.0\.1:\d+: the broker cannot be reached: .*ROCADE_MQTT_URL"):
        Publisher(load_settings(mqtt_url=address)).__enter__()


def test_a_broker_that_never_answers_is_given_up(deaf_broker: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "ANSWER_S", 0.2)
    with pytest.raises(CollectError, match="there was no answer to our greeting"):
        Publisher(load_settings(mqtt_url=url(deaf_broker))).__enter__()


def test_a_refusal_to_connect_is_passed_on(deaf_broker: socket.socket) -> None:
    answer(deaf_broker, CONNACK_NOT_AUTHORIZED)
    with pytest.raises(CollectError, match="refused the connection: Not authorized"):
        Publisher(load_settings(mqtt_url=url(deaf_broker))).__enter__()


def test_nothing_counts_as_sent_without_its_acknowledgement(
    deaf_broker: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.2)
    answer(deaf_broker, CONNACK_OK)
    with (
        Publisher(load_settings(mqtt_url=url(deaf_broker))) as publisher,
        pytest.raises(CollectError, match=r"no acknowledgement for 0.2 s, 1 messages are outstanding"),
    ):
        publisher.consent({"car-01": ("service", 0)})


def test_no_more_is_in_flight_than_the_broker_takes(
    deaf_broker: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.2)
    answer(deaf_broker, bytes.fromhex("2006 00 00 03 210002"))  # CONNACK with Receive Maximum 2
    with (
        Publisher(load_settings(mqtt_url=url(deaf_broker))) as publisher,
        pytest.raises(CollectError, match=r"2 messages are outstanding"),
    ):
        publisher.consent({f"car-{number}": ("service", 0) for number in range(5)})


def test_a_refused_message_is_passed_on(deaf_broker: socket.socket) -> None:
    answer(deaf_broker, CONNACK_OK, bytes.fromhex("4004 0001 87 00"))  # PUBACK of the first message
    with (
        Publisher(load_settings(mqtt_url=url(deaf_broker))) as publisher,
        pytest.raises(CollectError, match="refused a message: Not authorized"),
    ):
        publisher.consent({"car-01": ("service", 0)})


def test_the_pace_is_that_of_the_device_and_parked_time_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 100.0}
    monkeypatch.setattr(time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.update(now=clock["now"] + seconds))
    pace = publish._Pace(10)  # noqa: SLF001 - time cannot be tested through a broker
    moments = []
    for device_s in (0, 10, 20, 4000, 4010):
        pace.wait_until(device_s * 1000)
        moments.append(round(clock["now"] - 100, 3))
    assert moments == [0, 1, 2, 2, 3]
