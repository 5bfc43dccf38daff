"""The publisher for load against the real Mosquitto: everything arrives once, in order, within the broker's window."""

from __future__ import annotations

import io
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import mqtt5
import paho.mqtt.client as mqtt
import pyarrow as pa
import pytest

from pipelines.errors import CollectError, SettingsError
from pipelines.fleet.load import simulate_load
from pipelines.fleet.loader import Loader, packets
from pipelines.mqtt import JSON_BATCH
from pipelines.progress import Silent
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
COUNT = 70_000  # more than there are packet ids


def test_the_packets_are_those_that_the_codec_writes() -> None:
    messages = [("rocade/v1/car-é/telemetry", b"x" * size) for size in (0, 1, 100, 127, 128, 20_000)]
    ours = packets(messages)
    theirs = [
        mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=0x1234, content_type=JSON_BATCH)
        for topic, payload in messages
    ]
    begin = 0
    for end, at, packet in zip(ours.ends.tolist(), ours.ids.tolist(), theirs, strict=True):
        ours.buffer[at : at + 2] = b"\x12\x34"
        read, size = mqtt5.read(memoryview(ours.buffer)[begin:end])
        assert size == end - begin
        assert isinstance(read, mqtt5.PublishPacket)
        assert read.write() == packet.write() == bytes(ours.buffer[begin:end])
        begin = end
    assert begin == len(ours.buffer)
    assert ours.payload_bytes == sum(len(payload) for _, payload in messages)


def test_seventy_thousand_messages_arrive_once_and_in_order(mosquitto: Mosquitto) -> None:
    batch = packets((f"rocade/v1/car-{number % 50}/telemetry", b"%d" % number) for number in range(COUNT))
    with subscribed(mosquitto.url) as heard:
        with Loader(load_settings(mqtt_url=mosquitto.url)) as loader:
            loader.send(batch)
        wait_for(lambda: len(heard) >= COUNT)
    assert heard == [b"%d" % number for number in range(COUNT)]
    assert (loader.load.messages, loader.load.payload_bytes) == (COUNT, batch.payload_bytes)


def test_a_broker_that_allows_seven_in_flight_never_has_eight() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        most = pool.submit(slow_broker, server, 7)
        batch = packets(("rocade/v1/car-01/telemetry", b"x" * 200) for _ in range(200))
        with Loader(load_settings(mqtt_url=f"mqtt://127.0.0.1:{server.getsockname()[1]}")) as loader:
            loader.send(batch)
            loader.send(batch)
        assert loader.load.messages == 400
    assert most.result() == 7


def test_no_more_messages_a_second_than_asked_for(mosquitto: Mosquitto) -> None:
    batch = packets(("rocade/v1/car-01/telemetry", b"x") for _ in range(500))
    with Loader(load_settings(mqtt_url=mosquitto.url), rate=1000) as loader:
        loader.send(batch)
    assert loader.load.messages == 500
    assert 0.49 < loader.load.seconds < 2


def test_refusals_say_what_and_where(mosquitto_with: Callable[[str], Mosquitto]) -> None:
    closed = mosquitto_with("allow_anonymous false")
    with pytest.raises(CollectError, match="refused the connection"):
        Loader(load_settings(mqtt_url=closed.url)).__enter__()
    with pytest.raises(CollectError, match="cannot be reached"):
        Loader(load_settings(mqtt_url="mqtt://127.0.0.1:1")).__enter__()
    with pytest.raises(SettingsError, match="TLS"):
        Loader(load_settings(mqtt_url="mqtts://127.0.0.1"))


def test_a_fleet_at_once_arrives_whole_and_the_truth_knows_it(mosquitto: Mosquitto, tmp_path: Path) -> None:
    settings = load_settings(mqtt_url=mosquitto.url)
    truth = tmp_path / "truth.jsonl"
    with subscribed(mosquitto.url) as heard:
        report = simulate_load(
            settings, vehicles=200, start=START, seconds=15, wire="arrow", truth=truth, progress=Silent()
        )
        wait_for(lambda: len(heard) >= report.published.messages)
    assert report.published.rows == 200 * 15
    assert report.published.readings == 200 * 15 * 40
    tables = [pa.ipc.open_stream(io.BytesIO(payload)).read_all() for payload in heard]
    assert sum(len(table) for table in tables) == report.published.rows
    assert {table.num_columns for table in tables} == {41}
    assert report.published.bytes == sum(len(payload) for payload in heard)
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert sum(line["rows"] for line in lines) == report.published.rows


def test_a_fleet_at_once_keeps_to_the_clock(mosquitto: Mosquitto) -> None:
    settings = load_settings(mqtt_url=mosquitto.url)
    begun = time.monotonic()
    simulate_load(settings, vehicles=5, start=START, seconds=4, speed=2, progress=Silent())
    assert 1.4 < time.monotonic() - begun < 6
    for wrong in ({"profile": "tesla"}, {"seconds": 0.0}, {"hz": 5000.0}, {"vehicles": 0}):
        with pytest.raises(SettingsError, match="cannot simulate"):
            simulate_load(settings, **{"vehicles": 5, "start": START, "seconds": 4.0, "progress": Silent(), **wrong})


@contextmanager
def subscribed(url: str) -> Iterator[list[bytes]]:
    """Payloads of telemetry, as they come."""
    heard: list[bytes] = []
    ready: list[int] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _client, _data, message: heard.append(message.payload)
    client.on_subscribe = lambda *_: ready.append(1)
    host, port = url.removeprefix("mqtt://").split(":")
    client.connect(host, int(port))
    client.loop_start()
    client.subscribe("rocade/v1/+/telemetry", qos=0)
    wait_for(lambda: bool(ready))
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def slow_broker(server: socket.socket, window: int) -> int:
    """Acknowledges only what has waited for a moment; the most messages that were outstanding at once."""
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(mqtt5.ConnAckPacket(receive_max=window).write())
        data, most = b"", 0
        while chunk := connection.recv(1 << 16):
            time.sleep(0.001)
            data += chunk
            ids = []
            with suppress(IndexError):
                while data:
                    packet, size = mqtt5.read(memoryview(data))
                    assert isinstance(packet, mqtt5.PublishPacket)
                    ids.append(packet.packet_id or 0)
                    data = data[size:]
            most = max(most, len(ids))
            connection.sendall(b"".join(mqtt5.PubAckPacket(number).write() for number in ids))
    return most


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.01)
