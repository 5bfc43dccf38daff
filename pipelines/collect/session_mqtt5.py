"""An MQTT 5 session with one thread and many packets a system call.

Belongs here: the socket loop, connecting again, subscribing, acknowledging. Does not: one connection (line.py), bytes to
packets (the `mqtt5` codec; packets.py for what it cannot read), what a broker has to promise (preflight.py).

All that came in one read is decoded in one go and handed over as one piece, and a batch is acknowledged by one send. The
thread alone touches the socket, since TLS allows no two at once; others queue bytes and wake it.
"""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mqtt5 import (
    DisconnectPacket,
    DisconnectReasonCode,
    PingReqPacket,
    PingRespPacket,
    QoS,
    RetainHandling,
    SubAckPacket,
    SubscribePacket,
    TopicFilter,
    UnsubscribePacket,
)

from pipelines.collect.line import Line, open_line, words
from pipelines.collect.preflight import check_answer, check_grant, taken_over
from pipelines.collect.session import Inbox
from pipelines.errors import CollectError
from pipelines.mqtt import ANSWER_S, ENDED, address, place, refusal, trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mqtt5 import Packet

    from pipelines.collect.formats import Message
    from pipelines.collect.session import Wanted
    from pipelines.settings import Settings

_FILL = 65_536  # bytes of a read from which on the next one need not wait for more
_PAUSE_S = 0.004  # for which a smaller read lets the next one gather
_BACKOFF_S = (1.0, 30.0)
_FAREWELL_S = 2.0  # to send the last acknowledgements
_UNSUBSCRIBE_ID = 65_535


class _Lost(Exception):  # noqa: N818 - the state of the connection is its name
    """The connection is over; another may be made."""


class Mqtt5Session:
    """See ``Session``.

    Args:
        settings: address, name, window and expiry.
        wanted: what to subscribe to, in this order, each once the one before is granted.
        notify: told on our thread of what an operator wants to know.
        unwanted: filters that the broker may still hold for us.

    Raises:
        SettingsError: the address or a certificate does not make sense.
    """

    def __init__(
        self,
        settings: Settings,
        wanted: Sequence[Wanted],
        notify: Callable[[str], None],
        *,
        unwanted: Sequence[str] = (),
    ) -> None:
        self._settings, self._wanted, self._notify, self._unwanted = settings, list(wanted), notify, list(unwanted)
        self._address = address(settings)
        self._tls = trust(settings) if self._address.tls else None
        self._inbox = Inbox(settings.inbox_mb * 1e6)
        self._lock = threading.Lock()  # of what follows, up to the blank line
        self._epoch = 0
        self._out = bytearray()

        self._wake, self._woken = socket.socketpair()
        self._wake.settimeout(0)
        self._woken.settimeout(0)
        self._settled = threading.Event()  # subscribed, or given up
        self._error: CollectError | None = None
        self._up = self._was_up = False
        self._closing = self._forget = False
        self._paused = False
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._up

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return len(self._inbox)

    def open(self) -> None:
        """See ``Session.open``."""
        self._thread.start()
        answered = self._settled.wait(3 * ANSWER_S)
        if self._error is not None or not answered:
            self.close()
            raise self._error or refusal(self._settings, None)

    def take(self, most: int, wait_s: float, most_bytes: float) -> list[Message]:
        """See ``Session.take``."""
        taken = self._inbox.take(most, wait_s, most_bytes)
        if self._paused and not self._inbox.full:
            self._rouse()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """See ``Session.acknowledge``."""
        with self._lock:
            epoch = self._epoch
            self._out += b"".join(
                [b"\x40\x02" + each.mid.to_bytes(2, "big") for each in messages if each.qos and each.epoch == epoch]
            )
        self._rouse()

    def close(self, *, forget: bool = False) -> None:
        """See ``Session.close``."""
        if self._wake.fileno() < 0:
            return
        self._forget = forget
        self._closing = True
        self._rouse()
        if self._thread.ident is not None:
            self._thread.join()
        self._wake.close()
        self._woken.close()

    def _rouse(self) -> None:
        with suppress(BlockingIOError):  # it has been roused often enough
            self._wake.send(b"\0")

    def _run(self) -> None:
        try:
            self._stay_connected()
        except Exception as error:  # noqa: BLE001 - whatever it is, the collector has to hear it
            self._inbox.fail(error)
            self._settled.set()

    def _stay_connected(self) -> None:
        delay = _BACKOFF_S[0]
        while not self._closing:
            try:
                line = self._connect()
            except CollectError as error:
                if not self._was_up:
                    self._error = error
                    self._settled.set()
                    return
                self._pause(delay * random.uniform(0.5, 1.0))  # noqa: S311 - not all workers at once
                delay = min(2 * delay, _BACKOFF_S[1])
                continue
            try:
                self._serve(line)
            except (_Lost, OSError) as why:
                self._leave(line, str(why) or type(why).__name__)
            except CollectError as error:
                self._leave(line, error.what)
                self._inbox.fail(error)
                self._error = error
                self._settled.set()
                return
            else:
                self._farewell(line)
            delay = _BACKOFF_S[0]

    def _leave(self, line: Line, why: str) -> None:
        """A connection that broke: what was to be acknowledged on it never will be."""
        line.close()
        with self._lock:
            self._epoch += 1
            self._out.clear()
        if self._up:
            self._notify(f"the connection to {place(self._settings)} is lost ({why}); trying again")
        elif not self._was_up:
            self._error = refusal(self._settings, ENDED)
            self._settled.set()
            self._closing = True
        self._up = False
        if not self._closing:
            self._pause(random.uniform(0.0, _BACKOFF_S[0]))  # noqa: S311

    def _pause(self, seconds: float) -> None:
        """Wait, unless we are closed meanwhile."""
        end = time.monotonic() + seconds
        while not self._closing and (left := end - time.monotonic()) > 0:
            select.select([self._woken], [], [], left)
            self._drain_wakes()

    def _connect(self) -> Line:
        """A connection that the broker has accepted, with the first SUBSCRIBE under way.

        Raises:
            CollectError: it cannot be had.
        """
        settings = self._settings
        line, answer = open_line(settings, self._address, self._tls)
        try:
            warnings = list(check_answer(settings, self._wanted, answer))
        except CollectError:
            line.close()
            raise
        if not self._was_up:
            for warning in warnings:
                self._notify(warning)
        if self._was_up and not answer.session_present:
            self._notify(
                f"the broker at {place(settings)} has forgotten our session: what it had queued for us is lost, "
                "unless the cars send it again"
            )
        if self._unwanted:
            self._send(UnsubscribePacket(_UNSUBSCRIBE_ID, self._unwanted).write())
        self._subscribe(0)
        if answer.session_present or not self._wanted:
            # It holds already; a broker with a small window grants it again only once we have acknowledged the backlog.
            self._settle()
        return line

    def _subscribe(self, at: int) -> None:
        """Ask for the filter at ``at``; its place is its packet id, less one."""
        if at < len(self._wanted):
            each = self._wanted[at]
            # Retained messages only with a subscription that is new: those of a session that persisted were heard.
            option = TopicFilter(
                each.filter,
                max_qos=QoS(each.qos),
                retain_as_published=False,  # the flag then tells what the broker retained from what is new
                retain_handling=RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
            )
            self._send(SubscribePacket(at + 1, [option]).write())

    def _settle(self) -> None:
        if self._was_up and not self._up:
            self._notify("the broker is back")
        self._up = self._was_up = True
        self._settled.set()

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._out += data

    def _serve(self, line: Line) -> None:
        """Receive and send until we are closed.

        Raises:
            _Lost, OSError: the connection is over.
            CollectError: for good.
        """
        self._decode(line)  # what came with the greeting
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        poller.register(line.socket, select.POLLIN)
        while not self._closing:
            self._paused = self._inbox.full
            events = select.POLLIN * (not self._paused) | select.POLLOUT * bool(self._out)
            poller.modify(line.socket, events)
            if self._paused and not self._inbox.full:  # taken between the two lines above
                continue
            for handle, event in poller.poll(1000):
                if handle == self._woken.fileno():
                    self._drain_wakes()
                elif event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                    self._receive(line)
            self._flush(line)
            self._keep_alive(line)

    def _drain_wakes(self) -> None:
        try:
            while len(self._woken.recv(4096)) == 4096:  # noqa: PLR2004 - there may be more
                pass
        except BlockingIOError:
            pass

    def _receive(self, line: Line) -> None:
        got = line.fill()
        if got is None:
            return
        if not got:
            raise _Lost("the broker ended the connection")
        self._decode(line)
        if got < _FILL:
            time.sleep(_PAUSE_S)

    def _decode(self, line: Line) -> None:
        messages: list[Message] = []
        packets: list[Packet] = []
        size = line.reader.decode(self._epoch, time.time() * 1000, messages, packets)
        if messages:
            self._inbox.put(messages, size)
        for packet in packets:
            self._hear(line, packet)
        if line.reader.fault is not None:
            self._send(DisconnectPacket(reason_code=line.reader.fault.code).write())
            self._flush(line)
            raise _Lost(line.reader.fault.words)

    def _hear(self, line: Line, packet: Packet) -> None:
        if isinstance(packet, SubAckPacket):
            at = packet.packet_id - 1
            check_grant(self._settings, self._wanted[at], packet.reason_codes[0])
            self._subscribe(at + 1)
            if at + 1 == len(self._wanted):
                self._settle()
        elif isinstance(packet, PingRespPacket):
            line.pinged_at = None
        elif isinstance(packet, DisconnectPacket):
            if packet.reason_code == DisconnectReasonCode.SESSION_TAKEN_OVER:
                raise taken_over(self._settings)
            raise _Lost(f"the broker says: {packet.reason_str or words(packet.reason_code)}")

    def _flush(self, line: Line) -> None:
        with self._lock:
            while self._out:
                try:
                    sent = line.socket.send(self._out)
                except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                    return
                del self._out[:sent]
                line.sent_at = time.monotonic()

    def _keep_alive(self, line: Line) -> None:
        now = time.monotonic()
        if now - line.sent_at > line.keepalive_s / 2:
            line.pinged_at = line.pinged_at or now
            self._send(PingReqPacket().write())
            self._flush(line)
        if line.pinged_at is not None:
            if self._paused:
                line.pinged_at = now  # its answer waits behind what we do not read
            elif now - line.pinged_at > line.keepalive_s:
                raise _Lost(f"the broker has been mute for {line.keepalive_s} s")

    def _farewell(self, line: Line) -> None:
        expiry = 0 if self._forget else None
        if self._forget and self._wanted:
            self._send(UnsubscribePacket(_UNSUBSCRIBE_ID, [each.filter for each in self._wanted]).write())
        self._send(DisconnectPacket(session_expiry_interval=expiry).write())
        end = time.monotonic() + _FAREWELL_S
        try:
            while self._out and time.monotonic() < end:
                select.select([], [line.socket], [], 0.1)
                self._flush(line)
        except OSError:
            pass  # it was leaving too
        self._up = False
        line.close()
