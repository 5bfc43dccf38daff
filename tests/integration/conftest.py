"""Real servers, on this machine only."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Mosquitto:
    """A broker of our own, with persistence and unbounded queues."""

    binary: Path
    folder: Path
    extra: str = "allow_anonymous true"
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.port = self.port or free_port()
        config = self.folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""  # else it gives up root, and with it this folder
        config.write_text(
            f"{user}listener {self.port} 127.0.0.1\n"
            f"{self.extra}\n"
            "persistence true\n"
            f"persistence_location {self.folder}/\n"
            "max_queued_messages 0\n"
            "max_inflight_messages 0\n"
        )
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([self.binary, "-c", config], stdout=log, stderr=log)
        for _ in range(100):
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("mosquitto did not start: " + (self.folder / "mosquitto.log").read_text())

    def stop(self) -> None:
        """Stop in order: sessions and queues are written down."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def mosquitto_with(require: Callable[[str, str], Path], tmp_path: Path) -> Iterator[Callable[[str], Mosquitto]]:
    """A factory: `mosquitto_with("allow_anonymous false\\n…")` gives a running broker with those lines."""
    binary = require("mosquitto", "mosquitto")
    brokers: list[Mosquitto] = []

    def start(extra: str) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(brokers)}"
        folder.mkdir()
        broker = Mosquitto(binary, folder, extra)
        broker.start()
        brokers.append(broker)
        return broker

    yield start
    for broker in brokers:
        broker.stop()


@pytest.fixture
def mosquitto(mosquitto_with: Callable[[str], Mosquitto]) -> Mosquitto:
    """A running broker that lets everybody in."""
    return mosquitto_with("allow_anonymous true")
