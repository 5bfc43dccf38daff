"""A local data.gouv.fr that misbehaves on demand."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from pipelines.demo.mirror import MirrorHandler
from pipelines.demo.mirror_records import resource_id

if TYPE_CHECKING:
    import os
    from pathlib import Path

DATASET = "0123456789abcdef01234567"
BODY = b"id;name\n" + b"".join(b"%06d;number %06d\n" % (n, n) for n in range(40_000))

Fault = Callable[["FaultyHandler"], None]


class FaultyHandler(MirrorHandler):
    """Commits one of ``faults`` on each download, in their order, and notes what was asked."""

    faults: list[Fault]
    seen: list[dict[str, str]]
    cut_after: int | None = None
    lie = 0
    hidden: tuple[str, ...] = ()
    ignore_if_range = False
    longest_span: int | None = None

    def do_GET(self) -> None:  # noqa: N802 - the name is http.server's
        self.cut_after, self.lie, self.hidden, self.ignore_if_range, self.longest_span = None, 0, (), False, None
        if not self.path.startswith("/resources/"):
            super().do_GET()
            return
        self.seen.append({key.lower(): value for key, value in self.headers.items()})
        if self.faults:
            self.faults.pop(0)(self)
        else:
            super().do_GET()

    def go_on(self) -> None:
        super().do_GET()

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Content-Length":
            value = str(int(value) + self.lie)
        if keyword not in self.hidden:
            super().send_header(keyword, value)

    def send_bytes(self, body: bytes) -> None:
        if self.cut_after is None:
            super().send_bytes(body)
            return
        super().send_bytes(body[: self.cut_after])
        self.cut_after -= min(self.cut_after, len(body))
        if not self.cut_after and not self.close_connection:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.close_connection = True

    def end_headers(self) -> None:
        if self.lie:
            self.close_connection = True
        super().end_headers()

    def _span(self, state: os.stat_result) -> range | None:
        span = super()._span(state)
        return span if span is None or self.longest_span is None else span[: self.longest_span]

    def _may_range(self, state: os.stat_result) -> bool:
        return self.ignore_if_range or super()._may_range(state)


def cut(after: int, *, before: Callable[[], object] = lambda: None, hidden: tuple[str, ...] = ()) -> Fault:
    """End the connection after so many bytes of the body."""

    def fault(handler: FaultyHandler) -> None:
        before()
        handler.cut_after, handler.hidden = after, hidden
        handler.go_on()

    return fault


def first(before: Callable[[], object], *, ignore_if_range: bool = False, hidden: tuple[str, ...] = ()) -> Fault:
    """Do something, then answer properly (or as a server that knows no If-Range)."""

    def fault(handler: FaultyHandler) -> None:
        before()
        handler.ignore_if_range, handler.hidden = ignore_if_range, hidden
        handler.go_on()

    return fault


def hide(*headers: str) -> Fault:
    return first(lambda: None, hidden=headers)


def status(code: int, **headers: str) -> Fault:
    """Answer with an error instead."""

    def fault(handler: FaultyHandler) -> None:
        body = json.dumps({"message": "not today"}).encode()
        handler.send_response(code)
        for key, value in headers.items():
            handler.send_header(key.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.send_bytes(body)

    return fault


def page(body: bytes, **headers: str) -> Fault:
    """Answer 200 with other bytes than the file's."""

    def fault(handler: FaultyHandler) -> None:
        handler.send_response(HTTPStatus.OK)
        for key, value in headers.items():
            handler.send_header(key.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.send_bytes(body)

    return fault


def chunked(stream: bytes) -> Fault:
    """Send these chunks, and nothing more."""

    def fault(handler: FaultyHandler) -> None:
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.send_bytes(stream)
        handler.close_connection = True

    return fault


def short(longest: int) -> Fault:
    """Send at most so many bytes of a range, as a server may."""

    def fault(handler: FaultyHandler) -> None:
        handler.longest_span = longest
        handler.go_on()

    return fault


def lie(by: int) -> Fault:
    """Announce more bytes than there are."""

    def fault(handler: FaultyHandler) -> None:
        handler.lie = by
        handler.go_on()

    return fault


@dataclass
class Site:
    """A mirror of one file, ``numbers.csv`` unless somebody says otherwise."""

    url: str
    file: Path
    faults: list[Fault] = field(default_factory=list)
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def file_url(self) -> str:
        return self.file_url_of("numbers.csv")

    def file_url_of(self, name: str) -> str:
        return f"{self.url}/resources/numbers/{name}"

    @property
    def rid(self) -> str:
        return resource_id(DATASET, "numbers.csv")

    def asked(self, header: str) -> list[str | None]:
        """The header in each download asked for so far."""
        return [headers.get(header) for headers in self.seen]


@dataclass
class Counted:
    """A progress that counts bytes, and interrupts the program after ``stop_at`` of them."""

    stop_at: float = float("inf")
    units: list[str] = field(default_factory=list)
    done: float = 0
    total: float | None = None
    notes: list[str] = field(default_factory=list)

    def step(self, name: str, total: float | None = None, unit: str = "") -> Counted:
        self.units.append(unit)
        self.total = total
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def advance(self, amount: float = 1, total: float | None = None) -> None:
        self.done += amount
        self.total = total if total is not None else self.total
        if self.done >= self.stop_at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)
