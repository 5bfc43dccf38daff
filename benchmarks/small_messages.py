"""A fleet's small messages as fast as they are wanted, for bench_collect.py: run as a process of its own.

Usage: `small_messages.py URL SECONDS RATE HOME [MOST]`: first a retained consent for each car, then RATE messages a second of
five readings and about 230 bytes. Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import uuid
from pathlib import Path

import numpy as np

from pipelines.fleet.loader import Loader, packets
from pipelines.fleet.publish import Publisher
from pipelines.mqtt import TOPICS
from pipelines.settings import load_settings

CARS = 1000
ROUND = 1000  # messages of which the time is written anew together
_FIRST = 100_000_000  # seq has nine digits from the start, t0 thirteen, so that both can be written in place
_SEQ, _T0 = b'"seq":', b'"t0":'


def main() -> None:
    """Publish, and say what was published."""
    url, seconds, rate, home = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    most = int(sys.argv[5]) if len(sys.argv) > 5 else None
    settings = load_settings(home=Path(home), mqtt_url=url)
    with Publisher(settings) as publisher:
        publisher.consent({f"car-{car:05d}": ("service+statistics", 1_600_000_000_000) for car in range(CARS)})
    boots = [str(uuid.UUID(int=car + 1, version=4)) for car in range(CARS)]
    batch = packets((f"{TOPICS}/car-{n % CARS:05d}/telemetry", _payload(boots[n % CARS])) for n in range(ROUND))
    buffer = np.frombuffer(batch.buffer, np.uint8)
    starts = batch.ends - np.diff(batch.ends, prepend=0)
    first = bytes(batch.buffer[: batch.ends[0]])
    seq_at, t0_at = starts + first.index(_SEQ) + len(_SEQ), starts + first.index(_T0) + len(_T0)
    numbers = np.arange(ROUND) // CARS
    sent, began = 0, time.time()
    with Loader(settings, rate=rate) as loader:
        while time.time() - began < seconds and (most is None or sent < most):
            _write(buffer, seq_at, 9, _FIRST + sent // CARS + numbers)
            _write(buffer, t0_at, 13, np.full(ROUND, int(time.time() * 1000)))
            loader.send(batch)
            sent += ROUND
        loader.drain()
        load = loader.load
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    print(json.dumps({"began": began, "ended": time.time(), "messages": load.messages, "cpu_s": cpu}))


def _payload(boot: str) -> bytes:
    values = {
        "Vehicle.Speed": 48.2,
        "Vehicle.CurrentLocation.Latitude": 45.764,
        "Vehicle.CurrentLocation.Longitude": 4.8357,
        "Vehicle.Powertrain.FuelSystem.RelativeLevel": 50,
        "Vehicle.IsMoving": True,
    }
    said = {"vss": "6.0", "boot": boot, "seq": _FIRST, "t0": 1_760_000_000_000, "rows": [[0, values]]}
    return json.dumps(said, separators=(",", ":")).encode()


def _write(buffer: np.ndarray, at: np.ndarray, digits: int, numbers: np.ndarray) -> None:
    """Each of ``numbers`` in decimal at each of ``at``."""
    for place in range(digits - 1, -1, -1):
        buffer[at + place] = numbers % 10 + ord("0")
        numbers = numbers // 10


if __name__ == "__main__":
    main()
