from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt.client import ConnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from pipelines.collect import Collector
from pipelines.collect.session import Session, check_window
from pipelines.errors import CollectError, SettingsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.collect.formats import Message


class Line:
    """A session whose network is this object."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes: list[str] = []
        self.sent: list[int] = []
        self.session = Session(load_settings(), self.notes.append)
        self._client: Any = self.session._client  # noqa: SLF001 - the seam to the network
        monkeypatch.setattr(self._client, "ack", lambda mid, _qos: self.sent.append(mid))
        monkeypatch.setattr(self._client, "subscribe", lambda *_, **__: None)

    def connect(self, grant: int = 1, *, resumed: bool = False) -> None:
        success = ReasonCode(PacketTypes.CONNACK, "Success")
        self._client.on_connect(self._client, None, ConnectFlags(session_present=resumed), success, None)
        if not resumed:
            self._client.on_subscribe(self._client, None, 1, [ReasonCode(PacketTypes.SUBACK, identifier=grant)], None)

    def lose(self) -> None:
        reason = ReasonCode(PacketTypes.DISCONNECT, "Unspecified error")
        self._client.on_disconnect(self._client, None, None, reason, None)

    def deliver(self, mid: int, topic: str = "rocade/v1/C/telemetry", qos: int = 1) -> None:
        message = MQTTMessage(mid, topic.encode())
        message.qos, message.payload = qos, b"{}"
        self._client.on_message(self._client, None, message)

    def received(self) -> list[Message]:
        return [self.session.inbox.get_nowait() for _ in range(self.session.inbox.qsize())]


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    return Line(monkeypatch)


def test_acknowledgements_go_out_in_the_order_of_receipt(line: Line) -> None:
    line.connect()
    for mid in (7, 3, 9):
        line.deliver(mid)
    line.session.acknowledge(line.received())
    assert line.sent == [7, 3, 9]


def test_an_acknowledgement_dies_with_its_connection(line: Line) -> None:
    line.connect()
    line.deliver(1)
    line.deliver(2)
    before = line.received()
    line.lose()
    line.connect()
    line.deliver(1)  # the same id, now another message
    line.session.acknowledge(before)
    assert line.sent == []
    line.session.acknowledge(line.received())
    assert line.sent == [1]


def test_what_needs_no_acknowledgement_gets_none(line: Line) -> None:
    line.connect()
    line.deliver(0, qos=0)
    line.session.acknowledge(line.received())
    assert line.sent == []


def test_a_resumed_session_does_not_wait_for_its_subscription(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.collect.session.connect", lambda *_, **__: line.connect(resumed=True))
    monkeypatch.setattr(line.session._client, "loop_start", lambda: None)  # noqa: SLF001 - no network here
    line.session.open()


def test_losing_and_finding_the_broker_is_told_once_it_was_there(line: Line) -> None:
    line.lose()
    assert line.notes == []
    line.connect()
    line.lose()
    line.connect()
    assert len(line.notes) == 2
    assert "is lost" in line.notes[0]
    assert "is back" in line.notes[1]


@pytest.mark.parametrize("grant", [0x87, 0])
def test_a_subscription_that_is_not_granted_ends_the_start(
    line: Line, grant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.collect.session.connect", lambda *_, **__: line.connect(grant))
    monkeypatch.setattr(line.session._client, "loop_start", lambda: None)  # noqa: SLF001 - no network here
    with pytest.raises(CollectError, match="does not grant rocade/v1") as caught:
        line.session.open()
    assert "access list" in str(caught.value)


def test_a_window_under_two_batches_is_refused() -> None:
    check_window(load_settings(receive_maximum=20, batch_messages=10))
    with pytest.raises(CollectError, match="less than two batches of 11") as caught:
        Collector(load_settings(receive_maximum=20, batch_messages=11))
    assert "ROCADE_RECEIVE_MAXIMUM to 22" in str(caught.value)
    with pytest.raises(CollectError) as caught:
        check_window(load_settings(receive_maximum=65_535, batch_messages=40_000))
    assert "ROCADE_BATCH_MESSAGES to 32767 or less" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:1883", "http://host", "mqtt://", "mqtt://host:port", "mqtt://host:99999", "mqtt://host/topic"],
)
def test_an_address_that_makes_no_sense(url: str) -> None:
    with pytest.raises(SettingsError, match="address does not make sense") as caught:
        Session(load_settings(mqtt_url=url), print)
    assert "mqtt://user:password@host:1883" in str(caught.value)


def test_a_password_is_not_told() -> None:
    with pytest.raises(SettingsError) as caught:
        Session(load_settings(mqtt_url="mqtt://anna:secret@host:port"), print)
    assert "secret" not in str(caught.value)


def test_credentials_may_hold_any_character() -> None:
    client: Any = Session(load_settings(mqtt_url="mqtts://an%40na:p%2Fw@host"), print)._client  # noqa: SLF001
    assert (client.username, client.password) == ("an@na", "p/w")


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    for settings in (
        load_settings(mqtt_url="mqtts://host", mqtt_ca=tmp_path / "none.pem"),
        load_settings(mqtt_url="mqtts://host", mqtt_key=tmp_path / "none.pem"),
    ):
        with pytest.raises(SettingsError, match="certificates cannot be used"):
            Session(settings, print)
