"""A fleet that drives all at once, published as fast as one core can: load for brokers and collectors.

What belongs here: from a profile to a crowd to the publisher for load. The cars are in ``crowd``, the sending is in
``loader``; trips with a beginning and an end are in ``simulate``.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from pipelines.errors import SettingsError
from pipelines.fleet.batches import CONTENT_TYPES, ROWS_PER_BATCH
from pipelines.fleet.crowd import Crowd, Load, fusion
from pipelines.fleet.loader import Loader, packets
from pipelines.fleet.publish import Published, Publisher
from pipelines.fleet.results import TruthFile
from pipelines.fleet.vehicles import fleet
from pipelines.mqtt import TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from pipelines.fleet.batches import Message, Wire
    from pipelines.progress import Progress
    from pipelines.settings import Settings

_SIGNALS = 40
_GROUP = 1000  # messages sent at once


@dataclass(frozen=True)
class LoadReport:
    """What a fleet that drives all at once sent.

    Args:
        vehicles: cars.
        hz: rows a second and car.
        signals: readings a row.
        rows_a_message: rows in most messages.
        device_seconds: for how long the cars drove.
        published: what the broker acknowledged.
    """

    vehicles: int
    hz: float
    signals: int
    rows_a_message: int
    device_seconds: float
    published: Published


def simulate_load(
    settings: Settings,
    *,
    vehicles: int,
    start: datetime,
    seconds: float,
    profile: str | None = None,
    hz: float | None = None,
    signals: int | None = None,
    wire: Wire = "json",
    seed: int = 1,
    speed: float = 0,
    truth: Path | None = None,
    progress: Progress,
) -> LoadReport:
    """Drive a fleet all at once and publish what its cars say, as fast as one core can (see ``crowd``, ``loader``).

    All cars give ``service+statistics``. The same arguments give the same messages.

    Args:
        settings: which broker; without TLS.
        vehicles: how many cars.
        start: the first instant, with a time zone.
        seconds: for how long the cars drive.
        profile: ``fusion`` (800 signals at the rate that makes 20 GB an hour and car in this format).
        hz: rows a second and car; the profile's, or 1, when absent.
        signals: readings a row; the profile's, or 40, when absent.
        wire: format of the messages.
        seed: another seed, other roads and lights.
        speed: 1 is real time, 0 as fast as the broker takes it.
        truth: file for what each car really did, a JSON object a line and car.
        progress: told of each row.

    Raises:
        SettingsError: an argument does not make sense, or the file for the truth cannot be written.
        CollectError: the broker cannot be reached or stops answering.
    """
    _check(vehicles=vehicles, start=start, seconds=seconds, profile=profile, hz=hz, signals=signals, speed=speed)
    cars = fleet(vehicles, "service+statistics")
    start_ms = round(start.timestamp() * 1000)
    load = Load(1.0, _SIGNALS, ROWS_PER_BATCH, wire) if profile is None else fusion(cars[0], wire, start.date())
    if hz is not None:
        load = replace(load, hz=hz, batch=max(1, round(load.batch * hz / load.hz)) if profile else load.batch)
    load = replace(load, signals=signals or load.signals)
    crowd = Crowd(cars, load, start_ms, start.date(), seed=seed)
    with TruthFile(truth) as written:
        with Publisher(settings) as publisher:
            publisher.consent({car.vehicle: (car.consent, start_ms) for car in cars})
        begun = time.monotonic()
        rows = readings = 0
        with Loader(settings) as loader, progress.step(f"{vehicles} cars at once", None, "rows") as step:
            for group in _groups(crowd.messages(seconds)):
                rows += sum(message.rows for message in group)
                readings += sum(message.readings for message in group)
                if speed:
                    _wait_until(loader, begun + (group[0].ends_ms - start_ms) / 1000 / speed)
                named = ((f"{TOPICS}/{message.vehicle}/telemetry", message.payload) for message in group)
                loader.send(packets(named, CONTENT_TYPES[wire]))
                step.advance(sum(message.rows for message in group))
        written.write({"kind": "car", **asdict(car)} for car in crowd.truth)
    sent = loader.load
    done = Published(sent.messages, rows, readings, sent.payload_bytes, time.monotonic() - begun, sent.unheard)
    return LoadReport(vehicles, load.hz, load.signals, load.batch, seconds, done)


def _check(
    *,
    vehicles: int,
    start: datetime,
    seconds: float,
    profile: str | None,
    hz: float | None,
    signals: int | None,
    speed: float,
) -> None:
    wrong = {
        f"{vehicles} vehicles": vehicles < 1,
        f"a start of {start.isoformat()} without a time zone": start.tzinfo is None,
        f"{seconds} seconds": not 0 < seconds < float("inf"),
        f"profile {profile!r} (the only one is fusion)": profile not in {None, "fusion"},
        f"{hz} rows a second (1 to 2000 are possible)": hz is not None and not 1 <= hz <= 2000,  # noqa: PLR2004
        f"{signals} signals a row": signals is not None and signals < 1,
        f"a speed of {speed}": not 0 <= speed < float("inf"),
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise SettingsError(f"cannot simulate with {what}", fix="see `rocade simulate --help`")


def _groups(messages: Iterator[Message]) -> Iterator[list[Message]]:
    """Messages that are due at the same time, in groups that fit a few sends."""
    group: list[Message] = []
    for message in messages:
        if group and (message.ends_ms != group[0].ends_ms or len(group) >= _GROUP):
            yield group
            group = []
        group.append(message)
    if group:
        yield group


def _wait_until(loader: Loader, due: float) -> None:
    """Sleep, and listen to the broker meanwhile."""
    while (left := due - time.monotonic()) > 0:
        loader.listen(min(left, 0.05))
