"""Simulated and replayed cars through real brokers: what is sent arrives, once, in order, consent first."""

from __future__ import annotations

import gc
import json
import subprocess
import threading
import uuid
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.errors import CollectError
from pipelines.fleet import publish
from pipelines.fleet.batches import batch_messages
from pipelines.fleet.broker import MAX_PAYLOAD_BYTES, EmbeddedBroker
from pipelines.fleet.publish import Publisher
from pipelines.fleet.replay import replay
from pipelines.fleet.roads import distance_m
from pipelines.fleet.simulate import FAULTS, simulate
from pipelines.mqtt import JSON_BATCH
from pipelines.progress import Silent
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Mosquitto

REAL = sorted((Path(__file__).parents[2] / "../shared/data/vehicles/twizy_ev").glob("*.csv"))
START = datetime(2026, 9, 1, tzinfo=UTC)
PATIENCE_S = 20


@pytest.fixture
def broker() -> Iterator[str]:
    with EmbeddedBroker() as embedded:
        yield embedded.url


class Ear:
    """A subscriber that keeps what it hears."""

    def __init__(self, url: str, name: str | None = None) -> None:
        self.heard: list[mqtt.MQTTMessage] = []
        self._changed = threading.Condition()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name or f"ear-{uuid.uuid4().hex[:8]}", protocol=mqtt.MQTTv5
        )
        self._client.on_message = self._on_message
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600 if name else 0
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        host, port = url.removeprefix("mqtt://").split(":")
        self._client.connect(host, int(port), clean_start=name is None, properties=properties)
        self._client.loop_start()
        assert self._connected.wait(PATIENCE_S)
        self._client.subscribe("rocade/v1/+/+", qos=1)
        assert ready.wait(PATIENCE_S)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[mqtt.MQTTMessage]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, PATIENCE_S), (len(self.heard), count)
        return self.heard

    def batches(self, count: int) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in self.wait_for(count) if message.topic.endswith("telemetry")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(url: str, name: str | None = None) -> Iterator[Ear]:
    ear = Ear(url, name)
    try:
        yield ear
    finally:
        ear.close()


def twizy(folder: Path, name: str, date: str, hour: int, seconds: int) -> Path:
    file = folder / name
    lines = [f"{date},{hour:02d}:{second // 60:02d}:{second % 60:02d},{second % 50}.5" for second in range(seconds)]
    file.write_text("Date,Time,Speed\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return file


# -- the embedded broker ---------------------------------------------------------------------------------------------


def test_retained_consent_and_content_type_reach_a_later_subscriber(broker: str) -> None:
    with Publisher(load_settings(mqtt_url=broker)) as publisher:
        publisher.consent({"car-01": ("service", 1_000)})
    with listening(broker) as ear:
        (message,) = ear.wait_for(1)
    assert message.retain
    assert message.topic == "rocade/v1/car-01/consent"
    assert json.loads(message.payload) == {"consent": "service", "ts": 1000}
    assert message.properties is not None
    assert message.properties.ContentType == JSON_BATCH


def test_an_absent_subscriber_gets_its_backlog_whole_and_in_order(broker: str) -> None:
    with listening(broker, "collector"):
        pass
    messages = [
        message
        for number in range(20)
        for message in batch_messages(
            f"car-{number}", uuid.UUID(int=number), [(1000 * s, {"a": s}) for s in range(500)]
        )
    ]
    with Publisher(load_settings(mqtt_url=broker)) as publisher:
        publisher.consent({f"car-{number}": ("service", 0) for number in range(20)})
        publisher.send(messages)
    with listening(broker, "collector") as ear:
        heard = ear.wait_for(20 + len(messages))
    assert [message.payload for message in heard[20:]] == [message.payload for message in messages]


def test_a_long_message_passes(broker: str) -> None:
    (message,) = batch_messages("car-01", uuid.UUID(int=1), [(0, {"text": "x" * (MAX_PAYLOAD_BYTES - 1000)})])
    with listening(broker) as ear:
        with Publisher(load_settings(mqtt_url=broker)) as publisher:
            publisher.send([message])
        assert ear.wait_for(1)[0].payload == message.payload


def test_the_address_is_known_while_the_broker_runs() -> None:
    embedded = EmbeddedBroker()
    with pytest.raises(CollectError, match="is not running"):
        _ = embedded.url
    with embedded:
        assert embedded.url.startswith("mqtt://127.0.0.1:")
    with pytest.raises(CollectError, match="is not running"):
        _ = embedded.url


def test_a_broker_that_dies_under_way_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_PATIENCE_S", 0.5)
    message = batch_messages("car-01", uuid.UUID(int=1), [(0, {"a": 1})])[0]
    embedded = EmbeddedBroker()
    with embedded, Publisher(load_settings(mqtt_url=embedded.url)) as publisher:
        publisher.send([message])
        embedded.__exit__(None, None, None)
        with pytest.raises(CollectError, match="no acknowledgement"):
            publisher.send([message])
        assert publisher.published.messages == 1


# -- replay ----------------------------------------------------------------------------------------------------------


def test_a_replay_publishes_consent_first_and_every_row_once(broker: str, tmp_path: Path) -> None:
    files = [
        twizy(tmp_path, "later.csv", "03/30/2021", 9, 95),
        twizy(tmp_path, "earlier.csv", "03/29/2021", 9, 25),
    ]
    with listening(broker) as ear:
        report = replay(files, "twizy", load_settings(mqtt_url=broker), speed=0, progress=Silent())
        batches = ear.batches(1 + report.published.messages)
    consent = json.loads(ear.heard[0].payload)
    assert ear.heard[0].topic == "rocade/v1/twizy/consent"
    assert consent == {"consent": "service+statistics", "ts": batches[0]["t0"]}
    assert [file.file.name for file in report.files] == ["earlier.csv", "later.csv"]
    assert [file.rows for file in report.files] == [25, 95]
    assert [batch["seq"] for batch in batches] == [*range(3), *range(10)]
    assert sum(len(batch["rows"]) for batch in batches) == report.published.rows == 120
    identified = [b["rows"][0][1].get("Vehicle.VehicleIdentification.Model") for b in batches if b["seq"] == 0]
    assert identified == ["Twizy", "Twizy"]
    assert report.published.readings == sum(len(values) for batch in batches for _, values in batch["rows"])
    assert report.published.bytes == sum(len(m.payload) for m in ear.heard[1:])


def test_a_second_replay_publishes_the_same_identities_whatever_its_speed(broker: str, tmp_path: Path) -> None:
    file = twizy(tmp_path, "a.csv", "03/29/2021", 9, 95)
    settings = load_settings(mqtt_url=broker)
    with listening(broker) as ear:
        sent = replay([file], "twizy", settings, speed=0, progress=Silent()).published.messages
        replay([file], "twizy", settings, speed=1000, progress=Silent())
        ear.wait_for(2 * (1 + sent))
        telemetry = Counter(message.payload for message in ear.heard if message.topic.endswith("telemetry"))
    assert set(telemetry.values()) == {2}


@pytest.mark.skipif(len(REAL) != 11, reason="the eleven Twizy logs are not in ../shared/data")
@pytest.mark.parametrize("kind", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_the_real_logs_arrive_row_for_row(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("broker") if kind == "embedded" else request.getfixturevalue("mosquitto").url
    with listening(url) as ear:
        report = replay(REAL, "twizy", load_settings(mqtt_url=url), speed=0, vehicle="my-twizy", progress=Silent())
        batches = ear.batches(1 + report.published.messages)
    assert sum(file.lines for file in report.files) == 40_380
    assert report.published.rows + len(report.rejected) == 40_380
    assert {message.topic.split("/")[2] for message in ear.heard} == {"my-twizy"}
    rows = [(batch["boot"], batch["t0"] + dt, values) for batch in batches for dt, values in batch["rows"]]
    assert len({(boot, ts) for boot, ts, _ in rows}) == len(rows) == 40_380
    theirs = sum(float(line.split(",")[3]) for file in REAL for line in file.read_text().splitlines()[1:])
    assert sum(values["Vehicle.Speed"] for *_, values in rows) == pytest.approx(theirs)


# -- simulation ------------------------------------------------------------------------------------------------------


def distances(batches: list[dict[str, Any]]) -> dict[str, float]:
    """Metres by boot: the trapezium rule over Vehicle.Speed."""
    speeds: dict[str, dict[int, float]] = defaultdict(dict)
    for batch in batches:
        for dt, values in batch["rows"]:
            speeds[batch["boot"]][batch["t0"] + dt] = values["Vehicle.Speed"] / 3.6
    return {boot: sum(at.values()) for boot, at in speeds.items()}  # standing at both ends, a second a row


def test_what_a_fleet_publishes_is_what_the_truth_says(broker: str, tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    with listening(broker) as ear:
        report = simulate(
            load_settings(mqtt_url=broker), vehicles=14, trips=3, start=START, truth=truth, progress=Silent()
        )
        batches = ear.batches(14 + report.published.messages)
    consents = {m.topic.split("/")[2]: json.loads(m.payload) for m in ear.heard[:14]}
    assert {vehicle: consent["consent"] for vehicle, consent in consents.items()} == report.consents
    assert len(report.trips) == 14 * 3
    assert report.published.messages == len(batches)
    assert report.published.rows == sum(trip.rows for trip in report.trips)
    assert report.published.rows == sum(len(batch["rows"]) for batch in batches)
    ends = [batch["t0"] + batch["rows"][-1][0] for batch in batches]
    assert ends == sorted(ends)  # as cars that drive at the same time are heard
    first = {batch["boot"]: batch["rows"][0][1] for batch in batches if batch["seq"] == 0}
    measured = distances(batches)
    for trip in report.trips:
        assert measured[trip.boot] == pytest.approx(trip.distance_m, rel=1e-3)
        assert first[trip.boot]["Vehicle.VehicleIdentification.Brand"] == trip.brand
        assert first[trip.boot]["Vehicle.VehicleIdentification.Model"] == trip.model
        assert START.timestamp() * 1000 <= consents[trip.vehicle]["ts"] <= trip.start.timestamp() * 1000
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert [line["boot"] for line in lines if line["kind"] == "trip"] == [trip.boot for trip in report.trips]
    assert {line["kind"] for line in lines} == {"trip", "pothole", "braking_spot"}


def test_a_car_returns_home_on_the_road_it_left_by(broker: str) -> None:
    with listening(broker) as ear:
        report = simulate(load_settings(mqtt_url=broker), vehicles=1, trips=2, start=START, progress=Silent())
        rows = [values for batch in ear.batches(1 + report.published.messages) for _, values in batch["rows"]]
    places = [(row["Vehicle.CurrentLocation.Latitude"], row["Vehicle.CurrentLocation.Longitude"]) for row in rows]
    departure, arrival, home = places[0], places[report.trips[0].rows], places[-1]
    assert distance_m(*departure, *arrival) > 9_000
    assert distance_m(*departure, *home) < 50
    driven = sum(distance_m(*a, *b) for a, b in pairwise(places))
    assert driven == pytest.approx(sum(trip.distance_m for trip in report.trips), rel=0.03)
    odometer = [row["Vehicle.TraveledDistance"] for row in rows]
    assert odometer == sorted(odometer)
    assert odometer[-1] - odometer[0] == pytest.approx(sum(trip.distance_m for trip in report.trips), abs=2)


def test_fuel_and_battery_readings_add_up_to_the_truth(broker: str) -> None:
    with listening(broker) as ear:
        report = simulate(load_settings(mqtt_url=broker), vehicles=2, start=START, cycle="nedc", progress=Silent())
        batches = ear.batches(2 + report.published.messages)
    fuel: Counter[str] = Counter()
    battery: Counter[str] = Counter()
    for batch in batches:
        for _, values in batch["rows"]:
            fuel[batch["boot"]] += values.get("Vehicle.OBD.FuelRate", 0) / 3600
            battery[batch["boot"]] -= values.get("Vehicle.Powertrain.TractionBattery.CurrentPower", 0) / 3.6e6
    for trip in report.trips:
        assert fuel[trip.boot] == pytest.approx(trip.fuel_l, rel=1e-3)
        assert battery[trip.boot] == pytest.approx(trip.battery_kwh, rel=1e-3)
        assert trip.distance_m == pytest.approx(11_013, abs=20)
    assert {trip.model: (trip.fuel_l > 0, trip.battery_kwh > 0) for trip in report.trips} == {
        "208": (True, False),
        "Zoe": (False, True),
    }


def test_a_seed_gives_the_same_messages_and_another_seed_others(broker: str) -> None:
    settings = load_settings(mqtt_url=broker)
    with listening(broker) as ear:
        for seed in (1, 1, 2):
            simulate(settings, vehicles=2, start=START, seed=seed, cycle="nedc", progress=Silent())
        ear.wait_for(3 * 2 + 3 * 4 * 119)
        telemetry = Counter(message.payload for message in ear.heard if message.topic.endswith("telemetry"))
    assert Counter(telemetry.values()) == {2: 4 * 119, 1: 4 * 119}
    assert len({json.loads(payload)["boot"] for payload in telemetry}) == 2 * 4


def test_deliberate_faults_are_few_counted_and_leave_the_truth_alone(broker: str) -> None:
    settings = load_settings(mqtt_url=broker)
    with listening(broker) as ear:
        report = simulate(settings, vehicles=1, trips=1, start=START, faults=True, progress=Silent())
        messages = ear.wait_for(1 + report.published.messages)[1:]
    assert report.faults == dict.fromkeys(FAULTS, 1)
    payloads = Counter(message.payload for message in messages)
    assert sorted(payloads.values())[-2:] == [1, 2]  # duplicate_batch
    batches = []
    for payload in payloads:
        try:
            batches.append(json.loads(payload))
        except ValueError:  # not_json
            continue
    assert len(batches) == len(payloads) - 1
    rows = [(batch["t0"], values) for batch in batches for _, values in batch["rows"]]
    assert sum(t0 < 86_400_000 for t0, _ in rows) == 1  # clock_past
    assert sum(values.get("Vehicle.Chassis.Accelerator.PedalPosition", 0) > 100 for _, values in rows) == 1
    assert sum("Vehicle.Cabin.CoffeeTemperature" in values for _, values in rows) == 1
    assert len(rows) == report.trips[0].rows + 1


def test_every_signal_of_the_fleet_is_in_the_catalogue(broker: str, tmp_path: Path) -> None:
    catalogue = Path(__file__).parents[2] / "schemas/signals.csv"
    known = {line.split(",")[0] for line in catalogue.read_text(encoding="utf-8").splitlines()[1:]}
    settings = load_settings(mqtt_url=broker)
    with listening(broker) as ear:
        sent = simulate(settings, vehicles=2, trips=1, start=START, progress=Silent()).published.messages
        sent += replay(
            [twizy(tmp_path, "a.csv", "03/29/2021", 9, 5)], "twizy", settings, progress=Silent(), speed=0
        ).published.messages
        batches = ear.batches(3 + sent)
    published = {path for batch in batches for _, values in batch["rows"] for path in values}
    assert published <= known


def test_rows_ten_times_a_second(broker: str) -> None:
    with listening(broker) as ear:
        report = simulate(
            load_settings(mqtt_url=broker), vehicles=1, trips=1, start=START, hz=10, cycle="nedc", progress=Silent()
        )
        batches = ear.batches(1 + report.published.messages)
    assert report.trips[0].rows == 11_801
    assert [dt for dt, _ in batches[0]["rows"]] == [100 * row for row in range(10)]


@pytest.mark.mosquitto
def test_telemetry_that_nobody_hears_is_counted(mosquitto: Mosquitto) -> None:
    settings = load_settings(mqtt_url=mosquitto.url)
    report = simulate(settings, vehicles=1, trips=1, start=START, progress=Silent())
    assert report.published.unheard == report.published.messages
    with listening(mosquitto.url):
        report = simulate(settings, vehicles=1, trips=1, start=START, progress=Silent())
    assert report.published.unheard == 0


@pytest.mark.mosquitto
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_over_tls_with_the_brokers_certificate_checked(
    mosquitto_with: Callable[[str], Mosquitto], require: Callable[[str, str], Path], tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *(require("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    broker = mosquitto_with(f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}")
    url = broker.url.replace("mqtt://", "mqtts://")
    with Publisher(load_settings(mqtt_url=url, mqtt_ca=certificate)) as publisher:
        publisher.send(batch_messages("car-01", uuid.UUID(int=1), [(0, {"a": 1})]))
        assert publisher.published.messages == 1
    with pytest.raises(CollectError, match="certificate verify failed"):
        Publisher(load_settings(mqtt_url=url)).__enter__()
    gc.collect()  # here and not in a later test: the socket that paho leaves open
