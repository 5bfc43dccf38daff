"""The status of this home's collectors for Prometheus.

Belongs here: names and meanings of the metrics, and the page they are read from. Does not: the figures (meter.py); they
are read from the status files when somebody asks, so that one page tells of all workers and costs them nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from pipelines.collect.meter import BATCHES
from pipelines.collect.status import collectors
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

    from pipelines.collect.status import Status
    from pipelines.settings import Settings

_COUNTERS = {
    "received": "Messages taken from the broker, redelivered ones included",
    "durable": "Messages journalled, or of which nothing is to be kept",
    "acknowledged": "Messages of which the broker was told",
    "redelivered": "Messages that the broker marked as sent before",
    "duplicates": "Messages that were durable already",
    "silent": "Messages of which nothing may be kept",
    "stale": "Retained messages that do not tell of when they are",
    "unknown": "Readings of signals that the catalogue does not have",
    "landed_before": "Messages dropped on landing, as another worker's or a former run's had landed",
    "readings": "Readings made durable",
    "landings": "Landings in the lake",
}


@contextmanager
def served(settings: Settings, port: int) -> Iterator[int]:
    """The page at ``http://ROCADE_METRICS_HOST:port/metrics`` while the context is open; gives the port.

    Raises:
        SettingsError: the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(settings))
    try:
        server, thread = start_http_server(port, settings.metrics_host, registry)
    except OSError as error:
        raise SettingsError(
            f"the metrics cannot be served: {error.strerror or error}",
            where=f"{settings.metrics_host}:{port}",
            fix="choose another --metrics-port",
        ) from error
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Figures:
    """A custom collector in the sense of prometheus-client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """All metrics, now."""
        found = [each for each in collectors(self._settings) if each.figures]
        for name, meaning in _COUNTERS.items():
            counter = CounterMetricFamily(f"rocade_{name}", meaning, labels=["collector"])
            for each in found:
                if name in each.figures:  # an earlier version, stopped since, may not have counted it
                    counter.add_metric([each.name], each.figures[name])
            yield counter
        reasons = CounterMetricFamily("rocade_quarantined", "Rows in quarantine", labels=["collector", "reason"])
        for each in found:
            for reason, count in each.figures["quarantined"].items():
                reasons.add_metric([each.name, reason], count)
        yield reasons
        gauges: dict[str, tuple[str, Callable[[Status], float]]] = {
            "lag_seconds": ("Age of the oldest journal segment that waits for the lake", lambda each: each.lag_s),
            "segments_waiting": ("Journal segments that wait for the lake", lambda each: each.segments),
            "journal_bytes": ("Their size", lambda each: each.journal_bytes),
            "up": ("Whether the collector is at work and connected", lambda each: float(each.state == "up")),
            "commit_seconds": ("Duration of the last landing", lambda each: each.figures["commit_s"]),
            "failed_landings": (
                "Landings that failed since the last that did not",
                lambda each: each.figures["failed"],
            ),
        }
        for name, (meaning, value) in gauges.items():
            gauge = GaugeMetricFamily(f"rocade_{name}", meaning, labels=["collector"])
            for each in found:
                gauge.add_metric([each.name], value(each))
            yield gauge
        sizes = HistogramMetricFamily("rocade_batch_messages", "Messages made durable together", labels=["collector"])
        for each in found:
            total, buckets = 0, []
            for end, count in zip((*map(str, BATCHES), "+Inf"), each.figures["batches"], strict=True):
                total += count
                buckets.append((end, total))
            sizes.add_metric([each.name], buckets, each.figures["received"])
        yield sizes
