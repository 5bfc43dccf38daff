"""What bench_collect.py measures: a broker, the collector and publishers, each a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from side_by_side import ROOT

from pipelines.collect.status import collectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

HERE = Path(__file__).parent
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Broker:
    """Mosquitto as in docker/mosquitto.conf, without its locks."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"mqtt://127.0.0.1:{self.port}"


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A broker while the context is open."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shipped = (ROOT / "docker/mosquitto.conf").read_text(encoding="utf-8").splitlines()
    kept = [line for line in shipped if line.startswith(("max_", "autosave", "persistent_client"))]
    config = folder / "mosquitto.conf"
    root = ["user root"] if os.geteuid() == 0 else []
    here = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"persistence_location {folder}/",
        "persistence true",
    ]
    config.write_text("\n".join([*root, *here, *kept]) + "\n", encoding="utf-8")
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") or sys.exit("no mosquitto here")
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([program, "-c", config], stdout=log, stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Broker(port, process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def collecting(settings: Settings, workers: int) -> Iterator[subprocess.Popen[bytes]]:
    """`rocade collect` while the context is open; ready when it is entered."""
    environment = os.environ | {
        "ROCADE_HOME": str(settings.root),
        "ROCADE_MQTT_URL": settings.mqtt_url,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "pipelines.cli", "collect", "--workers", str(workers), "--json"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        names = [settings.collector_name] if workers == 1 else [f"collector-1-{k}" for k in range(1, workers + 1)]
        while not set(names) <= {each.name for each in collectors(settings) if each.state == "up"}:
            if child.poll() is not None:
                sys.exit("the collector ended")
            time.sleep(0.1)
        time.sleep(0.5)
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate()


def peaks_mb(settings: Settings) -> dict[str, float]:
    """Peak memory of each of the collector's processes that is up."""
    return {each.name: each.figures["peak_mb"] for each in collectors(settings) if each.figures}


def running(script: str, *words: object) -> subprocess.Popen[str]:
    """A script of this folder, under way."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(HERE / script), *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def said(publisher: subprocess.Popen[str]) -> dict[str, Any]:
    """What it published, once it has ended."""
    out = publisher.communicate()[0]
    if publisher.returncode:
        sys.exit("the publisher failed")
    told: dict[str, Any] = json.loads(out)
    return told


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its children that are alive."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(folder.name) == pid or int(words[1]) == pid:
            total += (int(words[11]) + int(words[12])) / _TICKS
    return total
