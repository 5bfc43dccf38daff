"""A collector in a process of its own, to be killed. Says `ready` once it is subscribed."""

from __future__ import annotations

import signal
import sys
import threading

from pipelines.collect import Collector
from pipelines.settings import load_settings


def main() -> None:
    collector = Collector(load_settings())
    signal.signal(signal.SIGTERM, lambda *_: collector.stop())

    def announce() -> None:
        collector.ready.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    threading.Thread(target=announce, daemon=True).start()
    report = collector.run()
    sys.stdout.write(f"{report}\n")


main()
