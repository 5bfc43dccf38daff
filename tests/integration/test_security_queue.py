"""The broker as it is shipped: what is acknowledged to a car reaches the collector, whatever happens between."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from secured import NOT_AUTHORIZED, Authority, Peer, Secured, flood

from pipelines.collect import Until, collect
from pipelines.lake.duck import connect
from pipelines.lake.store import Lake
from pipelines.settings import Settings, load_settings

pytestmark = pytest.mark.mosquitto

OWNER = ("owner-7", "a long pass phrase")
QUIET = Until(idle_s=2)
PLAIN_QUEUE = {"max_queued_messages 100000000\n": "", "max_queued_bytes 2000000000\n": ""}
"""What an operator has who sets nothing."""


@pytest.fixture(scope="module")
def authority(require: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(require("openssl", "openssl"), tmp_path_factory.mktemp("ours") / "ca").found()


@pytest.fixture
def secured(
    require: Callable[[str, str], Path], authority: Authority, tmp_path: Path
) -> Iterator[Callable[..., Secured]]:
    """`secured({line: other})`: a running broker with docker/mosquitto.conf, and those lines changed."""
    binary = require("mosquitto", "mosquitto")
    made: list[Secured] = []

    def start(changes: dict[str, str] | None = None) -> Secured:
        folder = tmp_path / f"broker-{len(made)}"
        made.append(Secured(binary, folder, authority, dict([OWNER]), changes or {}).prepare())
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture
def settings_for(authority: Authority, tmp_path: Path) -> Callable[..., Settings]:
    def make(broker: Secured, **more: Any) -> Settings:
        certificate, key = authority.sign("collector")
        return load_settings(
            home=tmp_path / "home",
            mqtt_url=f"mqtts://127.0.0.1:{broker.cars}",
            mqtt_ca=authority.ca,
            mqtt_cert=certificate,
            mqtt_key=key,
            **({"land_seconds": 0.3} | more),
        )

    return make


def batches(count: int) -> tuple[str, list[bytes]]:
    """A boot, and so many messages of it with one reading each: their number."""
    boot, now = str(uuid.uuid4()), int(time.time() * 1000)
    return boot, [
        json.dumps(
            {"vss": "6.0", "boot": boot, "seq": n, "t0": now, "rows": [[0, {"Vehicle.Speed": n % 200}]]}
        ).encode()
        for n in range(count)
    ]


def consent(port: int, authority: Authority, *names: str) -> None:
    for name in names:
        car = Peer(port, authority.context(name))
        said = json.dumps({"consent": "service", "ts": int(time.time() * 1000) - 60_000}).encode()
        assert car.say(f"rocade/v1/{name}/consent", said, retain=True) in (0, 0x10)
        car.leave()


def sequences(settings: Settings) -> Counter[tuple[str, int]]:
    """How often each message is in the lake."""
    lake, con = Lake(settings.lake), connect(settings)
    try:
        rows = con.sql(f"SELECT boot, seq FROM {lake.relation_sql('core.readings')} AS t").fetchall()
    finally:
        con.close()
    return Counter(rows)


class Window:
    """An MQTT 3.1.1 subscriber under the collector's certificate that acknowledges nothing until told to."""

    def __init__(self, broker: Secured, authority: Authority) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, "window", clean_session=False, protocol=mqtt.MQTTv311, manual_ack=True
        )
        self._client.tls_set_context(authority.context("collector"))
        self._client.on_connect = lambda client, *_: client.subscribe("rocade/v1/+/telemetry", 1)
        subscribed: list[object] = []
        self._client.on_subscribe = lambda *_: subscribed.append(None)
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.mid, message.payload))
        self._client.connect("127.0.0.1", broker.cars)
        self._client.loop_start()
        while not subscribed:
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until nothing more comes."""
        heard = -1
        while heard != len(self.heard):
            heard = len(self.heard)
            time.sleep(1)

    def drain(self) -> list[bytes]:
        """Acknowledge everything as it comes; the payloads."""
        done, quiet = 0, time.monotonic()
        while time.monotonic() < quiet + 1.5:
            for mid, _ in self.heard[done:]:
                self._client.ack(mid, 1)
                done, quiet = done + 1, time.monotonic()
            time.sleep(0.02)
        return [payload for _, payload in self.heard]

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.parametrize(("changes", "arrive"), [({}, 3_000), (PLAIN_QUEUE, 1_000)], ids=["shipped", "default"])
def test_what_was_acknowledged_to_cars_while_the_collector_was_away(
    secured: Any, authority: Authority, settings_for: Any, changes: dict[str, str], arrive: int
) -> None:
    broker = secured(changes)
    settings = settings_for(broker)
    consent(broker.cars, authority, "CAR-A")
    collect(settings, until=Until(idle_s=0.1))
    boot, sent = batches(3_000)
    assert flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", sent) == {0: 3_000}
    collect(settings, until=QUIET)
    assert sequences(settings) == {(boot, seq): 1 for seq in range(arrive)}
    assert ("being dropped" in broker.log) == (arrive < 3_000)


def test_a_queue_of_102_000_arrives_whole(secured: Any, authority: Authority, settings_for: Any) -> None:
    broker = secured()
    settings = settings_for(broker, land_seconds=5)
    consent(broker.cars, authority, "CAR-A", "CAR-B")
    collect(settings, until=Until(idle_s=0.1))
    expected: dict[tuple[str, int], int] = {}
    for name in ("CAR-A", "CAR-B"):
        boot, sent = batches(51_000)
        assert flood(broker.cars, authority.context(name), f"rocade/v1/{name}/telemetry", sent) == {0: 51_000}
        expected |= {(boot, seq): 1 for seq in range(51_000)}
    collect(settings, until=QUIET)
    assert sequences(settings) == expected


def test_the_shipped_bound_is_one_of_bytes_and_the_log_says_when_it_is_reached(
    secured: Any, authority: Authority
) -> None:
    broker = secured({"max_queued_bytes 2000000000\n": "max_queued_bytes 500000\n"})
    window = Window(broker, authority)
    window.leave()
    flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", [b"%0500d" % n for n in range(1_500)])
    window = Window(broker, authority)
    assert window.drain() == [b"%0500d" % n for n in range(1_000)]
    window.leave()
    assert "Outgoing messages are being dropped for client window" in broker.log


@pytest.mark.parametrize(
    ("inflight", "sent", "first"), [("20000", 25_000, 20_000), ("20", 1_000, 20), ("0", 70_000, 70_000)]
)
def test_how_many_messages_wait_for_the_acknowledgement_of_an_older_collector(
    secured: Any, authority: Authority, inflight: str, sent: int, first: int
) -> None:
    broker = secured({"max_inflight_messages 20000\n": f"max_inflight_messages {inflight}\n"})
    window = Window(broker, authority)
    window.leave()
    payloads = [b"%d" % n for n in range(sent)]
    flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", payloads)
    window = Window(broker, authority)
    window.settle()
    assert len(window.heard) == first
    ids = {mid for mid, _ in window.heard}
    assert len(ids) == min(first, 65_535)  # with 0, two messages share an id, and so an acknowledgement
    if inflight == "20000":
        assert window.drain() == payloads
    window.leave()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_queues_and_consents_outlive_the_broker(
    secured: Any, authority: Authority, settings_for: Any, end: str
) -> None:
    broker = secured({"autosave_interval 30\n": "autosave_interval 1\n"} if end == "kill" else {})
    settings = settings_for(broker)
    collect(settings, until=Until(idle_s=0.1))
    consent(broker.cars, authority, "CAR-A")
    boot, sent = batches(3_000)
    flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", sent)
    if end == "kill":
        broker.saved()
        broker.kill()
    else:
        broker.stop()
    broker.start()
    _, late = batches(100)
    flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", late)
    collect(settings, until=QUIET)
    found = sequences(settings)
    assert {seq for each, seq in found if each == boot} == set(range(3_000))
    assert set(found.values()) == {1}
    assert len(found) == 3_100


def test_a_kill_under_the_default_of_half_an_hour_forgets_everything(secured: Any, authority: Authority) -> None:
    broker = secured({"autosave_interval 30\n": ""})
    window = Window(broker, authority)
    window.leave()
    flood(broker.cars, authority.context("CAR-A"), "rocade/v1/CAR-A/telemetry", [b"x"] * 1_000)
    time.sleep(1.5)
    broker.kill()
    broker.start()
    window = Window(broker, authority)
    assert window.drain() == []
    window.leave()


def test_a_car_cannot_speak_for_another_by_what_it_writes_inside(
    secured: Any, authority: Authority, settings_for: Any
) -> None:
    broker = secured()
    settings = settings_for(broker)
    consent(broker.cars, authority, "CAR-A", "CAR-B")
    collect(settings, until=Until(idle_s=0.1))
    _, (own,) = batches(1)
    forged = {**json.loads(own), "seq": 1, "vehicle": "CAR-B", "vin": "CAR-B", "topic": "rocade/v1/CAR-B/telemetry"}
    car = Peer(broker.cars, authority.context("CAR-A"))
    assert car.say("rocade/v1/CAR-A/telemetry", own) == 0
    assert car.say("rocade/v1/CAR-A/telemetry", json.dumps(forged).encode()) == 0
    assert car.say("rocade/v1/CAR-B/telemetry", own) == NOT_AUTHORIZED
    car.leave()
    collect(settings, until=QUIET)
    from pipelines.privacy.pseudonyms import Pseudonyms

    lake, con = Lake(settings.lake), connect(settings)
    try:
        vehicles = con.sql(f"SELECT DISTINCT vehicle FROM {lake.relation_sql('core.readings')} AS t").fetchall()
    finally:
        con.close()
    assert vehicles == [(Pseudonyms(settings.keys).vehicle("CAR-A", time.time() * 1000),)]


def test_a_packet_beyond_the_limit_is_not_acknowledged_and_its_sender_is_told(
    secured: Any, authority: Authority
) -> None:
    broker = secured()
    window = Window(broker, authority)
    car = Peer(broker.cars, authority.context("CAR-A"))
    assert car.limit == 16_777_216
    assert car.say("rocade/v1/CAR-A/telemetry", b"x" * 16_000_000) == 0
    assert car.say("rocade/v1/CAR-A/telemetry", b"x" * 17_000_000) is None
    assert "oversize packet" in broker.log
    car.leave()
    assert [len(each) for each in window.drain()] == [16_000_000]
    window.leave()
