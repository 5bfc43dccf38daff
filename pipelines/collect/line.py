"""A connection to the broker for the `mqtt5` codec: reached, secured, greeted, and read into packets.

Belongs here: one connection from its opening to its end. Does not: what is subscribed, sent and acknowledged on it, and
connecting again (session_mqtt5.py); what a broker has to promise (preflight.py).
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

from mqtt5 import ConnAckPacket, ConnAckReasonCode, ConnectPacket

from pipelines.collect.packets import Reader
from pipelines.mqtt import ANSWER_S, ENDED, KEEPALIVE_S, refusal, unreachable

if TYPE_CHECKING:
    from mqtt5 import DisconnectReasonCode, Packet

    from pipelines.mqtt import Address
    from pipelines.settings import Settings


def open_line(settings: Settings, address: Address, tls: ssl.SSLContext | None) -> tuple[Line, ConnAckPacket]:
    """A connection that the broker has accepted, not blocking from now on, and its answer to our greeting.

    Args:
        settings: our name, window and expiry.
        address: where the broker is.
        tls: under which certificates; None without TLS.

    Raises:
        CollectError: it cannot be had.
    """
    try:
        line = Line(socket.create_connection((address.host, address.port), ANSWER_S), settings)
    except OSError as error:
        raise unreachable(settings, error) from error
    try:
        if tls is not None:
            line.secure(tls, address.host)
        line.socket.sendall(_greeting(settings, address))
        answer = _answer(settings, line)
    except OSError as error:
        line.close()
        raise unreachable(settings, error) from error
    except BaseException:
        line.close()
        raise
    line.keepalive_s = answer.server_keep_alive or KEEPALIVE_S
    line.socket.settimeout(0)
    return line, answer


class Line:
    """A connection and what has come on it."""

    def __init__(self, connection: socket.socket, settings: Settings) -> None:
        self.socket = connection
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(round(settings.message_mb * 1e6))
        self.keepalive_s = KEEPALIVE_S
        self.sent_at = time.monotonic()
        self.pinged_at: float | None = None

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on."""
        self.socket = context.wrap_socket(self.socket, server_hostname=host)

    def fill(self) -> int | None:
        """Bytes read into the reader; 0 at the end, None when there are none now."""
        total = 0
        while room := self.reader.room():
            try:
                got = self.socket.recv_into(room)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return total or None
            self.reader.filled(got)
            total += got
            if not got or not isinstance(self.socket, ssl.SSLSocket) or self.socket.gettimeout() != 0.0:
                return total
        return total

    def close(self) -> None:
        """End it."""
        self.socket.close()


def words(code: ConnAckReasonCode | DisconnectReasonCode) -> str:
    """A reason code as a sentence begins."""
    return code.name.replace("_", " ").capitalize()


def _greeting(settings: Settings, address: Address) -> bytes:
    return ConnectPacket(
        settings.collector_name,
        username=address.user,
        password=None if address.password is None else address.password.encode(),
        clean_start=False,
        keep_alive=KEEPALIVE_S,
        session_expiry_interval=settings.session_expiry_s,
        receive_max=settings.receive_maximum,
        max_packet_size=min(round(settings.message_mb * 1e6), 0xFFFFFFFF),
    ).write()


def _answer(settings: Settings, line: Line) -> ConnAckPacket:
    packets: list[Packet] = []
    while not packets:
        try:
            got = line.fill()
        except TimeoutError as error:
            raise refusal(settings, None) from error
        if not got:
            raise refusal(settings, ENDED)
        line.reader.decode(0, 0.0, [], packets, 1)
    answer = packets[0]
    if not isinstance(answer, ConnAckPacket):
        raise refusal(settings, ENDED)
    if answer.reason_code != ConnAckReasonCode.SUCCESS:
        raise refusal(settings, f"the broker refuses the connection: {answer.reason_str or words(answer.reason_code)}")
    return answer
