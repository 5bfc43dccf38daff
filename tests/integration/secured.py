"""A Mosquitto with exactly docker/mosquitto.conf and docker/acl, certificates of our own making, and who talks to it.

Only ports, paths and what a test says in ``changes`` differ from what is shipped.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import paho.mqtt.client as mqtt
import pytest
from conftest import free_port

DOCKER = Path(__file__).parents[2] / "docker"
NOT_AUTHORIZED = 0x87
_WINDOW = 5_000
_PUBLISH_QOS1, _CONNACK, _PUBACK = 0x32, 0x20, 0x40


@dataclass(frozen=True)
class Authority:
    """A CA in a folder, and what it signs."""

    openssl: Path
    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def found(self) -> Authority:
        self.folder.mkdir()
        self._openssl("req", "-x509", *self._new(self.folder / "ca.key", "ca"), "-days", "2", "-out", str(self.ca))
        return self

    def sign(self, name: str, days: int = 2, subject: str | None = None) -> tuple[Path, Path]:
        """Certificate and key for `name` at 127.0.0.1; expired yesterday when `days` is -1."""
        stem = name if days > 0 else f"{name}-expired"
        request, certificate, extensions, key = (self.folder / f"{stem}.{end}" for end in ("csr", "crt", "ext", "key"))
        if not certificate.exists():
            extensions.write_text("subjectAltName=IP:127.0.0.1\n")
            self._openssl("req", *self._new(key, name if subject is None else subject), "-out", str(request))
            signing = ["-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-extfile", extensions]
            dated = ["-days", str(days), "-out", str(certificate)]
            self._openssl("x509", "-req", "-in", str(request), *map(str, signing), *dated)
        return certificate, key

    def context(self, name: str | None = None, days: int = 2) -> ssl.SSLContext:
        """A client's side of TLS: trusts this CA, and shows a certificate for `name`."""
        context = ssl.create_default_context(cafile=self.ca)
        if name is not None:
            context.load_cert_chain(*self.sign(name, days))
        return context

    def _new(self, key: Path, subject: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        common = subject.replace("/", "\\/")
        return [*curve, "-subj", f"/CN={common}", "-keyout", str(key)]

    def _openssl(self, *arguments: str) -> None:
        subprocess.run([self.openssl, *arguments], check=True, capture_output=True)


@dataclass
class Secured:
    """The broker as it is shipped.

    ``changes`` are lines of docker/mosquitto.conf and what they become; each must be there.
    """

    binary: Path
    folder: Path
    authority: Authority
    passwords: dict[str, str] = field(default_factory=dict)
    changes: dict[str, str] = field(default_factory=dict)
    cars: int = field(default_factory=free_port)
    owners: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def prepare(self) -> Secured:
        """Write the folder: configuration, access list, passwords, certificates."""
        certificates = self.folder / "certs"
        certificates.mkdir(parents=True)
        (self.folder / "data").mkdir()
        for name, file in zip(("broker.crt", "broker.key"), self.authority.sign("broker"), strict=True):
            (certificates / name).write_bytes(file.read_bytes())
        (certificates / "ca.crt").write_bytes(self.authority.ca.read_bytes())
        (self.folder / "acl").write_bytes((DOCKER / "acl").read_bytes())
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{name}:{password}\n" for name, password in self.passwords.items()))
        if self.passwords:
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
        text = (DOCKER / "mosquitto.conf").read_text()
        places = {"/mosquitto/config/": f"{self.folder}/", "/mosquitto/data/": f"{self.folder}/data/"}
        ports = {
            "listener 8883\n": f"listener {self.cars} 127.0.0.1\n",
            "listener 8884\n": f"listener {self.owners} 127.0.0.1\n",
        }
        for shipped, ours in (places | ports | self.changes).items():
            assert shipped in text, shipped
            text = text.replace(shipped, ours)
        user = "user root\n" if os.geteuid() == 0 else ""  # else it gives up root, and with it this folder
        (self.folder / "mosquitto.conf").write_text(text + user)
        return self

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text()

    def start(self) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.binary, "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log
            )
        for port in (self.cars, self.owners):
            self._await(port)

    def stop(self) -> None:
        """SIGTERM."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def reload(self) -> None:
        """SIGHUP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
        self._await_line("Reloading config")

    def saved(self) -> None:
        """Wait until the queues have been written down once more."""
        self._await_line("Saving in-memory database")  # said before it begins,
        self._await_line("Saving in-memory database")  # so the one before is done

    def _await_line(self, line: str) -> None:
        """Wait until it is logged once more."""
        before = self.log.count(line)
        for _ in range(200):
            if self.log.count(line) > before:
                return
            time.sleep(0.05)
        pytest.fail(f"mosquitto did not say {line!r}: {self.log}")

    def _await(self, port: int) -> None:
        assert self._process is not None
        for _ in range(200):
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("mosquitto did not start: " + self.log)


class Peer:
    """A client of paho that remembers what it was told; QoS 1 throughout."""

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext,
        *,
        login: tuple[str, str] | None = None,
        will: str | None = None,
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.limit: int | None = None
        self._answers: dict[int, Any] = {}
        self._ready, self._gone = threading.Event(), threading.Event()
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        client.tls_set_context(context)
        if login is not None:
            client.username_pw_set(*login)
        if will is not None:
            client.will_set(will, b"offline", 1, retain=True)
        client.on_connect = self._welcome
        client.on_disconnect = lambda *_: self._gone.set()
        client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        client.on_publish = lambda _c, _d, mid, reason, _p: self._answers.update({mid: reason.value})
        client.on_subscribe = lambda _c, _d, mid, reasons, _p: self._answers.update(
            {mid: [each.value for each in reasons]}
        )
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert self._ready.wait(10)
        self._client = client

    def say(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int | None:
        """Publish; the reason code of the acknowledgement, None when thrown out instead."""
        return self._answer(self._client.publish(topic, payload, 1, retain).mid)

    def listen(self, *filters: str, retained: bool = False) -> list[int] | None:
        """Subscribe; what was granted, None when thrown out instead."""
        options = mqtt.SubscribeOptions(qos=1, retainHandling=0 if retained else 2)
        mid = self._client.subscribe([(each, options) for each in filters])[1]
        return None if mid is None else self._answer(mid)

    def hears(self, count: int, seconds: float = 10) -> bool:
        """Whether `count` messages come within `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(self.heard) >= count

    def leave(self, *, politely: bool = True) -> None:
        if politely:
            self._client.disconnect()
        elif (wire := self._client.socket()) is not None:
            wire.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _welcome(self, _client: object, _data: object, _flags: object, _reason: object, more: Any) -> None:
        self.limit = getattr(more, "MaximumPacketSize", None)
        self._ready.set()

    def _answer(self, mid: int) -> Any:
        for _ in range(500):
            if mid in self._answers or self._gone.is_set():
                return self._answers.get(mid)
            time.sleep(0.02)
        pytest.fail("the broker did not answer")


def greeting(port: int, context: ssl.SSLContext | None, login: tuple[str, str] | None = None) -> int | None:
    """The reason code with which the broker answers a CONNECT; None when it hangs up instead."""
    try:
        with _connected(port, context) as stream:
            stream.write(_connect(login))
            stream.flush()
            head = _packet(stream)
    except (ssl.SSLError, ConnectionError):
        return None
    return None if head is None else head[1][1]


def flood(port: int, context: ssl.SSLContext, topic: str, payloads: Sequence[bytes]) -> Counter[int]:
    """Publish fast, QoS 1; how often each reason code came back."""
    answers: Counter[int] = Counter()
    window = threading.Semaphore(_WINDOW)
    with _connected(port, context) as stream:
        stream.write(_connect(None))
        stream.flush()
        welcome = _packet(stream)
        assert welcome is not None
        assert welcome[1][1] == 0

        def count() -> None:
            for _ in payloads:
                answer = _packet(stream)
                assert answer is not None
                assert answer[0] == _PUBACK
                answers[answer[1][2] if len(answer[1]) > 2 else 0] += 1
                window.release()

        counter = threading.Thread(target=count)
        counter.start()
        name = _text(topic)
        for number, payload in enumerate(payloads):
            if not window.acquire(blocking=False):
                stream.flush()
                assert window.acquire(timeout=30)
            stream.write(_framed(_PUBLISH_QOS1, name + struct.pack(">HB", number % 65_535 + 1, 0) + payload))
        stream.flush()
        counter.join(60)
    return answers


def _connected(port: int, context: ssl.SSLContext | None) -> BinaryIO:
    raw = socket.create_connection(("127.0.0.1", port), 10)
    wrapped = raw
    if context is not None:
        try:
            wrapped = context.wrap_socket(raw, server_hostname="127.0.0.1")
        except OSError:
            raw.close()
            raise
    with wrapped:  # the file keeps it open
        return wrapped.makefile("rwb")


def _connect(login: tuple[str, str] | None) -> bytes:
    flags = 0x02 | (0xC0 if login else 0)
    body = _text("MQTT") + bytes([5, flags]) + struct.pack(">H", 600) + b"\0" + _text("")
    return _framed(0x10, body + b"".join(map(_text, login or ())))


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _framed(kind: int, body: bytes) -> bytes:
    size, head = len(body), bytearray([kind])
    while True:
        size, low = divmod(size, 128)
        head.append(low | (128 if size else 0))
        if not size:
            return bytes(head) + body


def _packet(stream: BinaryIO) -> tuple[int, bytes] | None:
    kind = stream.read(1)
    if not kind:
        return None
    size = shift = 0
    while True:
        low = stream.read(1)[0]
        size |= (low & 127) << shift
        shift += 7
        if low < 128:
            return kind[0], stream.read(size)
