"""A small MQTT 5 broker inside this process' care, for the demo and for machines that have none.

It is rumqttd (from the `iotcore` wheel) in a child process that ends with ours. A real deployment runs Mosquitto, EMQX
or the like; nothing but the address changes.

Limits, measured with iotcore 0.4.0:

- At most 100 QoS 1 messages are in flight to a subscriber, whatever its Receive Maximum says: one that acknowledges in
  batches must do so when it holds 100, or it waits for company that cannot come.
- The order of messages holds within a subscription and not between two of one client. A subscriber that must see
  consent before telemetry needs one filter over both (``rocade/v1/+/+``).
- Retained messages come with a client's first subscription and not when a resumed session subscribes again; what was
  published meanwhile is in the session.
- Shared subscriptions (``$share/…``) bring the broker down when a member leaves.
- The last ``MEMORY_BYTES`` of messages a subscription are kept, in memory. An absent subscriber loses what is older,
  silently; 200,000 messages of 200 bytes were kept and delivered whole. Nothing survives the process.
- A message longer than ``MAX_PAYLOAD_BYTES`` ends its publisher's connection.
"""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from iotcore import Broker

from pipelines.errors import CollectError

if TYPE_CHECKING:
    from types import TracebackType

MAX_PAYLOAD_BYTES = 4 * 2**20
MEMORY_BYTES = 512 * 2**20

_SEGMENTS = 16  # the log is dropped a segment at a time
_TRIES = 5  # ports that somebody else may take between our asking and the broker's binding

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = {segment_bytes}
max_segment_count = {segments}

[v5.1]
name = "v5-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_bytes}
max_inflight_count = 100
dynamic_filters = true
"""


class EmbeddedBroker:
    """A broker on a free port of 127.0.0.1 while the ``with`` block lasts.

    ::

        with EmbeddedBroker() as broker:
            settings = load_settings(mqtt_url=broker.url)
    """

    def __init__(self) -> None:
        self._broker: Broker | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """``mqtt://127.0.0.1:PORT``.

        Raises:
            CollectError: the broker is not running.
        """
        if self._broker is None or not self._broker.is_running:
            raise CollectError("the embedded broker is not running", fix="use it inside its `with` block")
        return f"mqtt://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        failure: Exception | None = None
        for _ in range(_TRIES):
            self._port = _free_port()
            try:
                self._broker = _started(self._port)
            except (OSError, RuntimeError) as error:
                failure = error
            else:
                return self
        raise CollectError(
            f"the embedded broker does not start: {failure}",
            where=f"127.0.0.1:{self._port}",
            fix="set ROCADE_MQTT_URL to a broker of yours",
        ) from failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._broker is not None:
            self._broker.stop()
            self._broker = None


def _started(port: int) -> Broker:
    config = _CONFIG.format(
        port=port, segment_bytes=MEMORY_BYTES // _SEGMENTS, segments=_SEGMENTS, payload_bytes=MAX_PAYLOAD_BYTES
    )
    with tempfile.TemporaryDirectory(prefix="rocade-broker-") as folder:
        file = Path(folder) / "broker.toml"
        file.write_text(config, encoding="utf-8")
        return Broker(config_path=str(file)).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
