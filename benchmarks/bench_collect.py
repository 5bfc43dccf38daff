"""Small messages from cars into the lake: a real Mosquitto, a publisher and the collector on the same cores, QoS 1.

Bars: 30,000 messages a second (230 bytes, 5 readings) for 60 s, durable before they are acknowledged, counted in the lake;
p99 from the car to the lake under 5 s at half that; under 600 MB with 5 million messages waiting at the broker. Beside it the
script that one writes in an afternoon (plain_collector.py). Then cars with 800 signals at their real rate: 10 in JSON
(5.6 MB/s each, 20 GB an hour), 25 in Arrow row for row the same; `--only fusion --wire W --cars N [--hz 0]` tries another
number, or 20 GB an hour of Arrow. `--short` is a few seconds; `--workers N`; `--rate R` what the publisher offers;
`--backlog [N]` measures memory with N messages (5 million) waiting, instead. collecting.py starts the processes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from collecting import broker, collecting, cpu_s, peaks_mb, running, said
from side_by_side import SHORT, Row, report

from pipelines.collect.tables import READINGS
from pipelines.lake.duck import connect
from pipelines.lake.store import Lake
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

FUSION = {"json": 10, "arrow": 25}
"""Cars with 800 signals that have to be kept up with, by wire format."""
FUSION_HZ = 117.0  # rows a second and car: 20 GB an hour of JSON
_STEADY_S = 1.5  # the lag may grow by so much over a run
_DRAINED_S = 8.0  # and this long after the last message all is in the lake
READINGS_A_MESSAGE = 5
BACKLOG, BACKLOG_MB = 5_000_000, 600
"""Messages that wait at the broker, and the memory in which they have to be collected."""


def counted(settings: Settings) -> tuple[int, int]:
    """Messages in the lake, and readings."""
    lake = Lake(settings.lake)
    if not lake.exists(READINGS):
        return 0, 0
    con = connect(settings)
    try:
        found = con.sql(f"SELECT count(DISTINCT (boot, seq)), count(*) FROM {lake.relation_sql(READINGS)}").fetchall()
        return int(found[0][0]), int(found[0][1])
    finally:
        con.close()


def rows_in(settings: Settings) -> int:
    """Readings in the lake by its log alone."""
    lake = Lake(settings.lake)
    if not lake.exists(READINGS):
        return 0
    return sum(pq.read_metadata(each.path).num_rows for each in lake.snapshot(READINGS).files)


def throughput(folder: Path, workers: int, seconds: float, rate: float) -> float:
    """Messages a second into the lake."""
    with broker(folder) as made:
        settings = Settings(home=folder / "home", mqtt_url=made.url)
        with collecting(settings, workers) as child:
            before = cpu_s(child.pid), cpu_s(made.pid)
            told = said(running("small_messages.py", made.url, seconds, rate, folder / "home"))
            wanted = told["messages"] * READINGS_A_MESSAGE
            end = time.time() + 120
            while rows_in(settings) < wanted and time.time() < end:
                time.sleep(0.1)
            took = time.time() - told["began"]
            used = [
                (cpu_s(child.pid) - before[0]) / told["messages"] * 1e6,
                (cpu_s(made.pid) - before[1]) / told["messages"] * 1e6,
                told["cpu_s"] / told["messages"] * 1e6,
            ]
            memory = list(peaks_mb(settings).values())
        messages, readings = counted(settings)
    if (messages, readings) != (told["messages"], wanted):
        sys.exit(f"published {told['messages']} messages, in the lake are {messages}, with {readings} readings")
    offered = told["messages"] / (told["ended"] - told["began"])
    print(
        f"  {workers} workers: {told['messages']:,} messages offered at {offered:,.0f}/s, all in the lake "
        f"{took - (told['ended'] - told['began']):.1f} s after the last; CPU us a message: collector {used[0]:.1f}, broker "
        f"{used[1]:.1f}, publisher {used[2]:.1f}; MB {memory}"
    )
    return float(told["messages"] / took)


def latency(folder: Path, workers: int, seconds: float, rate: float) -> float:
    """p99 in seconds from a car's clock to a version of the lake that has the reading."""
    with broker(folder) as made:
        settings = Settings(home=folder / "home", mqtt_url=made.url)
        lake, late, seen = Lake(settings.lake), [], set()
        with collecting(settings, workers):
            publisher = running("small_messages.py", made.url, seconds, rate, folder / "home")
            over: float | None = None
            while over is None or time.time() < over + (3 if SHORT else 6):
                if publisher.poll() is not None and over is None:
                    over = time.time()
                files = lake.snapshot(READINGS).files if lake.exists(READINGS) else []
                now = time.time()
                for file in files:
                    if file.path not in seen:
                        seen.add(file.path)
                        ts = pq.read_table(file.path, columns=["ts"]).column("ts").to_numpy().astype("int64") / 1e6
                        late.append(now - ts)
                time.sleep(0.05)
            publisher.communicate()
    return float(np.quantile(np.concatenate(late), 0.99))


def fusion(folder: Path, workers: int, seconds: float, cars: int, wire: str, hz: float) -> float:
    """How many of ``cars`` at their real rate the collector keeps up with: all, or the share that came into the lake in time."""
    samples: list[tuple[float, int]] = []
    with broker(folder) as made:
        settings = Settings(home=folder / "home", mqtt_url=made.url)
        with collecting(settings, workers) as child:
            before = cpu_s(child.pid), cpu_s(made.pid)
            publisher = running("fusion_messages.py", made.url, seconds, cars, wire, hz, folder / "home")
            while publisher.poll() is None:
                samples.append((time.time(), rows_in(settings)))
                time.sleep(0.5)
            told = said(publisher)
            while (found := rows_in(settings)) < told["readings"] and time.time() < told["ended"] + 60:
                time.sleep(0.1)
            done = time.time()
            used = [cpu_s(child.pid) - before[0], cpu_s(made.pid) - before[1]]
            memory = {name: round(peak) for name, peak in peaks_mb(settings).items()}
        found = rows_in(settings)
    if found != told["readings"]:
        sys.exit(f"published {told['readings']:,} readings, in the lake are {found:,}")
    lasted = told["ended"] - told["began"]
    first, second = lags(told, samples)
    kept_up = second - first < _STEADY_S and done - told["ended"] < _DRAINED_S and told["late_s"] < _STEADY_S
    print(
        f"  {cars} cars, {wire}: {told['bytes'] / lasted / 1e6:.1f} MB/s, {found / lasted:,.0f} readings/s, {found:,} in the "
        f"lake {done - told['ended']:.1f} s after the last; lag {first:.1f} s, then {second:.1f} s; publisher late "
        f"{told['late_s']:.2f} s; CPU s a second: collector {used[0] / lasted:.2f}, broker {used[1] / lasted:.2f}, publisher "
        f"{told['cpu_s'] / lasted:.2f}; MB {memory}: {'kept up' if kept_up else 'NOT kept up'}"
    )
    return float(cars) if kept_up else cars * lasted / (done - told["began"])


def lags(told: dict[str, Any], samples: list[tuple[float, int]]) -> tuple[float, float]:
    """Median seconds by which the lake was behind the publisher, in the middle of the run and in its last third."""
    at, sent = np.array(told["curve"]).T
    behind = np.array(
        [(now, now - at[np.searchsorted(sent, rows, "right").clip(max=len(at) - 1)]) for now, rows in samples]
    )
    share = (behind[:, 0] - told["began"]) / (told["ended"] - told["began"])
    parts = [behind[(share > low) & (share <= high), 1] for low, high in ((1 / 3, 2 / 3), (2 / 3, 1))]
    middle, last = (float(np.median(part)) if len(part) else 0.0 for part in parts)
    return middle, last


def plain(folder: Path, seconds: float, rate: float) -> float:
    """Messages a second of the plain script, counted in its files."""
    with broker(folder) as made:
        out = folder / "plain"
        out.mkdir()
        child = running("plain_collector.py", made.port, out)
        if child.stdout is None or child.stdout.readline() != "ready\n":
            sys.exit("the plain script does not start")
        told = said(running("small_messages.py", made.url, seconds, rate, folder / "home"))
        rows, still = 0, time.time()
        ended = still
        while time.time() - still < 3:
            now = sum(pq.read_metadata(file).num_rows for file in sorted(out.glob("*.parquet"))[:-1])
            if now != rows:
                rows, still = now, time.time()
                ended = still
            if rows >= (told["messages"] - 10_000) * READINGS_A_MESSAGE:
                break
            time.sleep(0.2)
        child.terminate()
        child.communicate()
    return float(rows / READINGS_A_MESSAGE / (ended - told["began"]))


def backlog(folder: Path, workers: int, count: int) -> Row:
    """Peak memory of the collector's processes together with ``count`` messages waiting at the broker."""
    with broker(folder) as made:
        settings = Settings(home=folder / "home", mqtt_url=made.url)
        with collecting(settings, workers):
            pass
        told = said(running("small_messages.py", made.url, 3600, 200_000, folder / "home", count))
        print(f"  {told['messages']:,} messages wait at the broker")
        began = time.time()
        with collecting(settings, workers):
            while rows_in(settings) < told["messages"] * READINGS_A_MESSAGE:
                time.sleep(1)
            took = time.time() - began
            memory = peaks_mb(settings)
        print(f"  drained at {told['messages'] / took:,.0f}/s; in the lake: {counted(settings)}; peak MB {memory}")
    what = f"collector's memory, all processes, {count:,} messages waiting"
    held = 1 if count >= BACKLOG else None
    return Row(what, sum(memory.values()), "MB", "bar", BACKLOG_MB, bar=held, at_most=True)


def main() -> None:
    """Measure, print, append."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=60_000)
    parser.add_argument("--seconds", type=float, default=1 if SHORT else 60)
    parser.add_argument("--backlog", type=int, nargs="?", const=BACKLOG)
    parser.add_argument("--only", choices=("throughput", "latency", "plain", "fusion"))
    parser.add_argument("--wire", choices=tuple(FUSION))
    parser.add_argument("--cars", type=int)
    parser.add_argument("--hz", type=float, default=FUSION_HZ)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("backlog", "throughput", "latency", "plain", *FUSION):
            (folder / each).mkdir()
        if given.backlog is not None:
            report([backlog(folder / "backlog", given.workers, given.backlog)])
            return

        def small() -> list[Row]:
            rate = throughput(folder / "throughput", given.workers, given.seconds, given.rate)
            return [Row("collect small messages", rate, "messages/s", "bar", 30_000, bar=1)]

        def late() -> list[Row]:
            p99 = latency(folder / "latency", given.workers, min(given.seconds, 30), 15_000)
            return [Row("p99 from car to lake at 15,000/s", p99, "s", "bar", 5, bar=1, at_most=True)]

        theirs: list[float] = []

        def afternoon() -> list[Row]:
            theirs.append(plain(folder / "plain", min(given.seconds, 20), 30_000))
            print(f"  plain paho + json + pyarrow: {theirs[0]:,.0f} messages/s")
            return []

        def long(wire: str) -> list[Row]:
            cars = given.cars or (2 if SHORT else FUSION[wire])
            ran = fusion(folder / wire, given.workers, min(given.seconds, 24), cars, wire, given.hz)
            what = f"{given.hz:g} rows/s" if given.hz else "20 GB/h"
            held = 1 if given.hz else None  # of Arrow 20 GB an hour are thirteen times as many rows
            return [Row(f"cars of 800 signals, {wire}, {what}", ran, "cars", "bar", FUSION[wire], bar=held)]

        wires = [given.wire] if given.wire else list(FUSION)
        parts: dict[str, list[Callable[[], list[Row]]]] = {
            "throughput": [small],
            "latency": [late],
            "plain": [afternoon],
            "fusion": [partial(long, wire) for wire in wires],
        }
        wanted = [part for key, some in parts.items() if given.only in (None, key) for part in some]
        # A short run tells nothing of speed, so its parts need not wait for each other.
        with ThreadPoolExecutor(len(wanted) if SHORT else 1) as pool:
            rows = [row for made in pool.map(lambda part: part(), wanted) for row in made]
        rows += [
            Row("collect small messages", rows[0].value, "messages/s", "plain script", rate)
            for rate in theirs
            if rate and given.only is None
        ]
    report(rows)


if __name__ == "__main__":
    main()
