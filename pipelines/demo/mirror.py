"""A local data.gouv.fr: `rocade mirror FOLDER`.

Lets `rocade ingest` run where data.gouv.fr cannot be reached, over the real protocol: paged listings, permalinks, ETag,
Last-Modified, conditional and ranged downloads, checksums, and the errors of the original. HTTP is here; what is
answered, and how the folder must look, is ``mirror_api``'s.
"""

from __future__ import annotations

import json
import os
import re
import sys
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Self

from pipelines.demo.mirror_api import ApiError, Redirect, answer
from pipelines.demo.mirror_records import Json, mime, mirror_datasets
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

CHUNK = 1 << 16


class MirrorHandler(BaseHTTPRequestHandler):
    """Answers on one connection; tests subclass it to misbehave."""

    protocol_version = "HTTP/1.1"
    server_version = "rocade-mirror"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        """Any address: the API, a permalink or a file."""
        try:
            found = answer(self.server.folder, f"http://{self.headers.get('Host', 'localhost')}", self.path)
            if isinstance(found, Redirect):
                self.send_redirect(found)
            elif isinstance(found, dict | list):
                self.send_json(HTTPStatus.OK, found)
            else:
                self.send_file(found)
        except ApiError as error:
            self.send_json(error.status, {"message": error.message})
        except SettingsError as error:  # the folder was fine at the start
            self.send_json(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": str(error)})

    def do_HEAD(self) -> None:
        """As GET, without the body."""
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is http.server's
        """One line a request, to whoever started the mirror and wants to know."""
        if self.server.log is not None:
            self.server.log(f"{self.address_string()} {format % args}")

    def send_json(self, status: HTTPStatus, value: Json | list[Json]) -> None:
        """A whole answer of the API."""
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send_bytes(body)

    def send_redirect(self, redirect: Redirect) -> None:
        """An answer without body that leads elsewhere."""
        self.send_response(redirect.status)
        self.send_header("Location", redirect.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, path: Path) -> None:
        """A file, whole, in part or not at all, as the request's headers ask (RFC 9110, sections 13 and 14)."""
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise ApiError(HTTPStatus.NOT_FOUND, f"{path.name} is not here any more") from error
        with file:
            state = os.fstat(file.fileno())  # of the file that is open, whatever replaces it meanwhile
            if self._is_known(state):
                self._start(HTTPStatus.NOT_MODIFIED, state)
                self.end_headers()
                return
            span = self._span(state)
            if span is None:
                self._start(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, state)
                self.send_header("Content-Range", f"bytes */{state.st_size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            partial = span != range(state.st_size)
            self._start(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK, state)
            self.send_header("Content-Type", mime(path))
            self.send_header("Content-Length", str(len(span)))
            if partial:
                self.send_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{state.st_size}")
            self.end_headers()
            self.send_body(file, span)

    def send_body(self, file: BinaryIO, span: range) -> None:
        """The bytes of ``span``; the connection is closed when the file turns out shorter."""
        file.seek(span.start)
        left = len(span)
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                self.close_connection = True
                return
            self.send_bytes(chunk)
            left -= len(chunk)

    def send_bytes(self, body: bytes) -> None:
        """A piece of a body, unless only the head was asked for; a reader who has gone away ends the connection."""
        if self.command == "HEAD":
            return
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _start(self, status: HTTPStatus, state: os.stat_result) -> None:
        self.send_response(status)
        self.send_header("ETag", _etag(state))
        self.send_header("Last-Modified", _date(state))
        self.send_header("Accept-Ranges", "bytes")

    def _is_known(self, state: os.stat_result) -> bool:
        if tags := self.headers.get("If-None-Match"):
            return _etag(state) in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        try:
            since = parsedate_to_datetime(self.headers.get("If-Modified-Since", ""))
        except ValueError:
            return False
        return int(state.st_mtime) <= since.timestamp()

    def _span(self, state: os.stat_result) -> range | None:
        """The bytes to send; None where the asked range lies outside the file."""
        whole = range(state.st_size)
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not match or match.groups() == ("", "") or not self._may_range(state):
            return whole
        first, last = match.groups()
        if not first:
            return whole[-int(last) :] if int(last) else None
        return whole[int(first) : int(last) + 1 if last else None] or None

    def _may_range(self, state: os.stat_result) -> bool:
        condition = self.headers.get("If-Range")
        return condition is None or condition in (_etag(state), _date(state))


class Mirror:
    """A running local data.gouv.fr; as a context manager it serves from a thread until it is left.

    Args:
        folder: see ``mirror_api``.
        host: address to listen on.
        port: 0 takes any free port.
        log: called with a line for every request.

    Raises:
        SettingsError: the folder holds no dataset, or the port is taken.
    """

    handler: ClassVar[type[MirrorHandler]] = MirrorHandler

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 0, *, log: Callable[[str], object] | None = None
    ) -> None:
        mirror_datasets(folder)  # refuse a wrong folder now, not at the first request
        try:
            self._server = _Server((host, port), self.handler)
        except OSError as error:
            raise SettingsError(
                f"cannot listen: {error.strerror}", where=f"{host}:{port}", fix="choose another --port"
            ) from error
        self._server.folder, self._server.log = folder, log
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="mirror")
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve_forever(self) -> None:
        """Serve from this thread until it is interrupted: for the command line, instead of the context manager."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    folder: Path
    log: Callable[[str], object] | None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader who hangs up in the middle is no fault of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _etag(state: os.stat_result) -> str:
    return f'"{state.st_mtime_ns:x}-{state.st_size:x}"'


def _date(state: os.stat_result) -> str:
    return formatdate(state.st_mtime, usegmt=True)
