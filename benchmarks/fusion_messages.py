"""Cars with 800 signals at their real rate, for bench_collect.py: run as a process of its own.

Usage: `fusion_messages.py URL SECONDS CARS WIRE HZ HOME`. First a retained consent for each car and a lap of a few seconds,
driven and encoded (fleet/crowd.py) before the clock starts; then lap after lap at the time at which cars would send it, every
time under boots and instants of its own. HZ is rows a second, 0 for the rate that makes 20 GB an hour in this format.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.fleet.batches import CONTENT_TYPES, Message, wire_named
from pipelines.fleet.crowd import FUSION_SIGNALS, Crowd, Load, fusion
from pipelines.fleet.loader import Loader, Packets, packets
from pipelines.fleet.publish import Publisher
from pipelines.fleet.vehicles import fleet
from pipelines.mqtt import TOPICS
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pipelines.fleet.batches import Wire
    from pipelines.fleet.vehicles import Car

LAP_S = 4  # at most
MESSAGES_S = 4  # a car
_CURVE_S = (
    0.1  # between two points of the curve of what was sent: what is printed has to fit a pipe that nobody reads yet
)
_BOOT = re.compile(rb'"boot":\s*"([0-9a-f-]{36})"')
_T0 = re.compile(rb'"t0":\s*([0-9]{13})')


@dataclass(frozen=True)
class Group:
    """Messages that are due together, and where in their packets boots and instants are.

    Attributes:
        due_s: after the lap's beginning.
        batch: the packets.
        boots: where each message's boot is.
        instants: where its t0 is, and how much later than the lap's beginning it is (ms).
        readings: in all messages.
    """

    due_s: float
    batch: Packets
    boots: list[int]
    instants: list[tuple[int, int]]
    readings: int


def main() -> None:
    """Publish, and say what was published."""
    url, seconds, count, wire, hz = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
    settings = load_settings(home=Path(sys.argv[6]), mqtt_url=url)
    cars = fleet(count, "service+statistics")
    lap_s = min(LAP_S, seconds)
    groups = list(lap(cars, load_of(cars[0], wire_named(wire), hz), lap_s))
    with Publisher(settings) as publisher:
        publisher.consent({car.vehicle: ("service+statistics", 1_600_000_000_000) for car in cars})
    time.sleep(1)
    sent, curve, late = 0, [], 0.0
    began, spent = time.time(), _cpu_s()
    with Loader(settings) as loader:
        for turn in range(round(seconds / lap_s)):
            for group in groups:
                due = began + turn * lap_s + group.due_s
                while (left := due - time.time()) > 0:
                    loader.listen(min(left, 0.05))
                _renew(group, round((began + turn * lap_s) * 1000))
                loader.send(group.batch)
                sent += group.readings
                late = max(late, time.time() - due)
                if not curve or time.time() > curve[-1][0] + _CURVE_S:
                    curve.append((round(time.time(), 3), sent))
        ended = time.time()
        loader.drain()
        load = loader.load
    told = {"began": began, "ended": ended, "messages": load.messages, "bytes": load.payload_bytes, "readings": sent}
    print(json.dumps({**told, "curve": curve, "late_s": late, "cpu_s": _cpu_s() - spent}))


def load_of(car: Car, wire: Wire, hz: float) -> Load:
    """Rows of 800 signals: ``hz`` a second, or as many as make 20 GB an hour."""
    day = _today()
    return Load(hz, FUSION_SIGNALS, max(1, round(hz / MESSAGES_S)), wire) if hz else fusion(car, wire, day)


def lap(cars: Sequence[Car], load: Load, seconds: float) -> Iterator[Group]:
    """A lap's messages, those that are due together in one group."""
    start_ms = 1_760_000_000_000
    made = Crowd(cars, load, start_ms, _today(), seed=1).messages(seconds)
    for ends_ms, some in groupby(made, key=lambda message: message.ends_ms):
        yield _group(list(some), load.wire, start_ms, (ends_ms - start_ms) / 1000)


def _group(messages: Sequence[Message], wire: Wire, start_ms: int, due_s: float) -> Group:
    named = ((f"{TOPICS}/{message.vehicle}/telemetry", message.payload) for message in messages)
    batch = packets(named, CONTENT_TYPES[wire])
    boots, instants, begin = [], [], 0
    for end in batch.ends.tolist():
        boot, t0 = _BOOT.search(batch.buffer, begin, end), _T0.search(batch.buffer, begin, end)
        if boot is None or t0 is None:
            sys.exit("a message without boot or t0")
        boots.append(boot.start(1))
        instants.append((t0.start(1), int(t0[1]) - start_ms))
        begin = end
    return Group(due_s, batch, boots, instants, sum(message.readings for message in messages))


def _renew(group: Group, start_ms: int) -> None:
    """Boots of a run that begins at ``start_ms``, the same for all messages of one car and lap, and its instants."""
    buffer = group.batch.buffer
    for boot, (t0, late_ms) in zip(group.boots, group.instants, strict=True):
        buffer[boot : boot + 8] = b"%08x" % (start_ms & 0xFFFFFFFF)  # the rest stays, and is the car's
        buffer[t0 : t0 + 13] = b"%d" % (start_ms + late_ms)


def _today() -> date:
    return datetime.now(UTC).date()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
