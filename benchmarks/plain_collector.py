"""What one writes in an afternoon, for bench_collect.py to be held beside: paho, json and pyarrow, one file a batch.

Usage: `plain_collector.py PORT FOLDER`: QoS 1, acknowledged once the batch's file is synced; until SIGTERM. No consent, no
pseudonyms, no checks, no duplicates removed, no table that others could read meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pyarrow as pa
import pyarrow.parquet as pq
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

BATCH = 5000


def main() -> None:
    """Collect until told to stop."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    waiting: list[Any] = []
    rows: list[dict[str, Any]] = []
    files = 0

    def flush() -> None:
        nonlocal files
        if not waiting:
            return
        file = folder / f"{files:06d}.parquet"
        with file.open("wb") as handle:
            pq.write_table(pa.Table.from_pylist(rows), handle, compression="zstd")
            handle.flush()
            os.fsync(handle.fileno())
        files += 1
        for message in waiting:
            client.ack(message.mid, message.qos)
        waiting.clear()
        rows.clear()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        waiting.append(message)
        said = json.loads(message.payload)
        car = message.topic.split("/")[2]
        for dt, values in said["rows"]:
            for signal_, value in values.items():
                rows.append(
                    {
                        "vehicle": car,
                        "boot": said["boot"],
                        "seq": said["seq"],
                        "ts": said["t0"] + dt,
                        "signal": signal_,
                        "value": float(value),
                        "received": time.time(),
                    }
                )
        if len(waiting) >= BATCH:
            flush()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "plain", protocol=mqtt.MQTTv5, manual_ack=True)
    client.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum, properties.SessionExpiryInterval = 20_000, 3600
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.subscribe("rocade/v1/+/telemetry", qos=1)
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    while not stopping:
        client.loop(0.1)
    flush()


if __name__ == "__main__":
    main()
