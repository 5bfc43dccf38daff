"""A download whose process is killed outright goes on from its part, over real sockets and a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

from pipelines.demo.mirror import Mirror, MirrorHandler
from pipelines.fetch import address_key, fetch
from pipelines.progress import Silent
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

BODY = os.urandom(3_000_000)
SCRIPT = """
import sys
from pathlib import Path
from pipelines.fetch import fetch
from pipelines.progress import Silent
from pipelines.settings import Settings
fetch(sys.argv[1], Settings(home=Path(sys.argv[2])), Silent())
"""


class Stalling(MirrorHandler):
    """Sends the first part of a file and then nothing until told to."""

    halts: list[int]
    go = threading.Event()
    ranges: list[str | None]

    def send_body(self, file: BinaryIO, span: range) -> None:
        self.ranges.append(self.headers.get("Range"))
        if self.halts:
            stop = min(span.start + self.halts.pop(0), span.stop)
            super().send_body(file, range(span.start, stop))
            self.go.wait(60)
            self.close_connection = True
        else:
            super().send_body(file, span)


def test_killed_three_times_then_resumed(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    record = {"id": "d", "title": "Noise", "slug": "noise", "license": "lov2", "frequency": "punctual"}
    (site / "dataset.json").write_text(json.dumps(record))
    (site / "noise.bin").write_bytes(BODY)
    home = tmp_path / "home"
    ranges: list[str | None] = []
    halts = [1_000_000, 700_000, 1_299_999]
    handler = type("Handler", (Stalling,), {"halts": list(halts), "ranges": ranges})
    with type("StallingMirror", (Mirror,), {"handler": handler})(site) as mirror:
        url = f"{mirror.url}/resources/noise/noise.bin"
        part = home / "raw" / "incoming" / f"{address_key(url)}.part"
        for sent in (1_000_000, 1_700_000, 2_999_999):
            process = subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(home)])
            while not (part.exists() and part.stat().st_size > sent - 100_000):
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        Stalling.go.set()
        snapshot = fetch(url, Settings(home=home, http_backoff_s=0), Silent())
    assert snapshot.path.read_bytes() == BODY
    assert ranges[0] is None
    starts = [int(str(r).removeprefix("bytes=").removesuffix("-")) for r in ranges[1:]]
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert len(starts) == 3
