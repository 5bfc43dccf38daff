"""A broker of a few lines that says what a test tells it to."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import Any, Self

import mqtt5


class FakeBroker:
    """Answers CONNECT and SUBSCRIBE as told, and keeps all other packets that it hears in ``heard``."""

    def __init__(self, *, grant: int = 1, **answer: Any) -> None:
        self.heard: queue.Queue[Any] = queue.Queue()
        self.subscribed: list[str] = []
        self.greetings: list[mqtt5.ConnectPacket] = []
        self.connected = threading.Semaphore(0)
        self.grant, self.answer = grant, answer
        self.pings = True
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.hang_up()
        self._thread.join(5)

    def hang_up(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes) -> None:
        assert self._client is not None
        self._client.sendall(data)

    def publish(self, *mids: int, topic: str = "rocade/v1/C/telemetry", payload: bytes = b"{}", **more: Any) -> None:
        self.send(b"".join(publish(mid, topic, payload, **more) for mid in mids))

    def acks(self, count: int, timeout: float = 5) -> list[int]:
        return [self.hear(mqtt5.PubAckPacket, timeout).packet_id for _ in range(count)]

    def hear(self, kind: type, timeout: float = 5) -> Any:
        while True:
            packet = self.heard.get(timeout=timeout)
            if isinstance(packet, kind):
                return packet

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._client = client
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        data = b""
        while piece := client.recv(65536):
            data += piece
            while data:
                try:
                    packet, size = mqtt5.read(memoryview(data))
                except IndexError:
                    break
                data = data[size:]
                self._hear(client, packet)

    def _hear(self, client: socket.socket, packet: Any) -> None:
        if isinstance(packet, mqtt5.ConnectPacket):
            self.greetings.append(packet)
            client.sendall(mqtt5.ConnAckPacket(**self.answer).write())
            self.connected.release()
        elif isinstance(packet, mqtt5.SubscribePacket):
            self.subscribed.append(packet.topic_filters[0].pattern)
            client.sendall(mqtt5.SubAckPacket(packet.packet_id, [mqtt5.SubAckReasonCode(self.grant)]).write())
        elif isinstance(packet, mqtt5.PingReqPacket) and self.pings:
            client.sendall(mqtt5.PingRespPacket().write())
        else:
            self.heard.put(packet)


def publish(mid: int, topic: str = "rocade/v1/C/telemetry", payload: bytes = b"{}", **more: Any) -> bytes:
    if mid:
        more |= {"qos": mqtt5.QoS.AT_LEAST_ONCE, "packet_id": mid}
    return mqtt5.PublishPacket(topic, payload, **more).write()
