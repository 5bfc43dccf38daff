"""What owners have already, over a real broker into the lake: OVMS, TeslaMate, VISS, SenML, Arrow, beside Rocade's own."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pyarrow as pa
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipelines.collect import Collector, CollectReport, Until
from pipelines.lake import Lake
from pipelines.lake.duck import connect
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Mosquitto

pytestmark = pytest.mark.mosquitto

TOML = """
[[subscriptions]]
filter = "rocade/v1/+/+"
format = "rocade"
vehicle = "rocade/v1/{vehicle}/{kind}"

[[subscriptions]]
filter = "ovms/+/+/metric/#"
format = "ovms"
vehicle = "ovms/{owner}/{vehicle}/metric/{metric…}"

[[subscriptions]]
filter = "teslamate/cars/+/+"
format = "teslamate"
vehicle = "teslamate/cars/{vehicle}/{topic}"
tenant = "acme"
consent = "service"

[[subscriptions]]
filter = "viss/+"
format = "viss"
vehicle = "viss/{vehicle}"
consent = "service"
"""


def typed(content_type: str) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)
    properties.ContentType = content_type
    return properties


def arrow(boot: str, t0: int) -> bytes:
    table = pa.table({"dt_ms": range(100), "Vehicle.Speed": [at / 2 for at in range(100)]})
    head = {"vss": "6.0", "boot": boot, "seq": 0, "t0": t0}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata({"rocade": json.dumps(head)})) as stream:
        stream.write_table(table)
    payload: bytes = sink.getvalue().to_pybytes()
    return payload


def test_six_formats_side_by_side(mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rocade.toml").write_text(TOML, encoding="utf-8")
    settings = load_settings(home=tmp_path / "home", mqtt_url=mosquitto.url, land_seconds=0.3)
    now = int(time.time() * 1000)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()

    def say(
        topic: str, payload: bytes | str, content: str | None = None, *, qos: int = 1, retain: bool = False
    ) -> None:
        properties = None if content is None else typed(content)
        client.publish(topic, payload, qos, retain, properties).wait_for_publish()

    say("ovms/ada/DEMO/metric/v/b/soc", "11", retain=True)  # from before: its age is unknown
    for car in ("CAR1", "CAR2", "ada~DEMO"):
        say(f"rocade/v1/{car}/consent", "service", retain=True)
    reports: list[CollectReport] = []
    collector = Collector(settings, until=Until(idle_s=1.5))
    thread = threading.Thread(target=lambda: reports.append(collector.run()))
    thread.start()
    assert collector.ready.wait(20)
    say("ovms/ada/DEMO/metric/v/b/soc", "50", qos=0)
    say("ovms/ada/DEMO/metric/v/p/odometer", "100000", qos=0)
    say("ovms/eve/DEMO/metric/v/b/soc", "99", qos=0)  # nobody has consented
    say("teslamate/cars/1/speed", "12")
    say("teslamate/cars/1/charger_phases", "3")
    point = {"value": "50", "ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    event = {"action": "subscription", "subscriptionId": "1", "data": {"path": "Vehicle.Speed", "dp": point}}
    for _ in range(3):
        say("viss/3", json.dumps(event))
    say("rocade/v1/CAR1/telemetry", json.dumps([{"n": "Vehicle.Speed", "u": "m/s", "v": 10}]), "application/senml+json")
    say("rocade/v1/CAR2/telemetry", arrow(str(uuid.uuid4()), now), "application/vnd.apache.arrow.stream")
    row = {"vss": "6.0", "boot": str(uuid.uuid4()), "seq": 0, "t0": now, "rows": [[0, {"Vehicle.Speed": 7.25}]]}
    say("rocade/v1/CAR2/telemetry", json.dumps(row))
    thread.join()
    client.disconnect()
    client.loop_stop()
    with connect(settings) as con:
        readings: list[dict[str, Any]] = (
            con.sql(f"SELECT * FROM {Lake(settings.lake).relation_sql('core.readings')} AS t")
            .to_arrow_table()
            .to_pylist()
        )
    streamed = [
        row for row in readings if row["signal"] == "Vehicle.Speed" and row["seq"] == 0 and row["value"] != 7.25
    ]
    assert sum(row["value"] for row in streamed) == sum(range(100)) / 2
    assert sorted((row["signal"], row["value"], row["known"], row["tenant"]) for row in readings if row["seq"]) == [
        ("TeslaMate.charger_phases", 3, False, "acme"),
        ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed", 50, True, None),
        ("Vehicle.Speed", 12, True, "acme"),
        ("Vehicle.Speed", 36, True, None),
        ("Vehicle.Speed", 50, True, None),
        ("Vehicle.TraveledDistance", 100_000_000, True, None),
    ]
    assert len(readings) == 100 + 1 + 6
    assert reports[0].quarantined == {}
    assert reports[0].duplicates == 2
