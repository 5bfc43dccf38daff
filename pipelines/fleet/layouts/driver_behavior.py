"""Phone logs of the driver behavior data set (Ferreira et al. 2017): CSV at 50 Hz, and labelled harsh events beside it.

What the files do not say, and how far it can be known:

- *Which quantity* stands in x, y, z: only the file's name tells (``aceleracaoLinear``, ``acelerometro``, ``giroscopio``). The
  mean of z must agree: an accelerometer holds gravity (9.80665 m/s², which is subtracted), linear acceleration does not.
- *Axes.* ``_terra``: turned into the frame of the earth, x east, y north, z up. What is ahead and what is left of the
  car is not in the file, so x and y are sent as Vehicle.Acceleration.East and North, Rocade's own signals, and not as
  Longitudinal and Lateral, which they are not. z is Vertical; of a gyroscope it is Yaw (rad/s become degrees/s), and
  x and y are dropped.
- *Time.* ``timestamp`` is cut to whole seconds, ``uptimeNanos`` runs on: their difference places the uptime on the clock to
  within some milliseconds. The zone is not said; it was in Brazil in May, UTC-3.
- *Events.* ``groundTruth.csv`` beside the log: what somebody saw on the video, in seconds since the first line. They are no
  readings but the truth to check readings against (``--truth``).
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import TYPE_CHECKING

from pipelines.errors import ConformError
from pipelines.fleet.layouts.model import Drive, Event, Fault, Layout, Log
from pipelines.fleet.layouts.sheet import Sheet, number, read_sheet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.fleet.batches import Value

GRAVITY = 9.80665
"""Standard gravity, m/s²: what the data set itself subtracted."""

_COLUMNS = ("timestamp", "uptimenanos", "x", "y", "z")
_ZONE = timezone(timedelta(hours=-3))
_LABELS = ("evento", "inicio", "fim")
_KINDS = {
    "freada_agressiva": "harsh_braking",
    "aceleracao_agressiva": "harsh_acceleration",
    "curva_direita_agressiva": "harsh_right_turn",
    "curva_esquerda_agressiva": "harsh_left_turn",
    "troca_faixa_direita_agressiva": "harsh_right_lane_change",
    "troca_faixa_esquerda_agressiva": "harsh_left_lane_change",
    "evento_nao_agressivo": "calm",
}

_HORIZONTAL: dict[str, tuple[str, Callable[[str], Value]]] = {
    "x": ("Vehicle.Acceleration.East", number),
    "y": ("Vehicle.Acceleration.North", number),
}
# By the part of the file's name that tells: the signals, and what the mean of z lies around.
_QUANTITIES: dict[str, tuple[dict[str, tuple[str, Callable[[str], Value]]], float]] = {
    "aceleracaolinear": ({**_HORIZONTAL, "z": ("Vehicle.Acceleration.Vertical", number)}, 0.0),
    "acelerometro": ({**_HORIZONTAL, "z": ("Vehicle.Acceleration.Vertical", lambda t: number(t) - GRAVITY)}, GRAVITY),
    "giroscopio": ({"z": ("Vehicle.AngularVelocity.Yaw", lambda t: math.degrees(number(t)))}, 0.0),
}
_TOLERANCE = GRAVITY / 2
_STRAY_S = 2.0  # a timestamp this far from where the others place the uptime is not believed


def read(file: Path, oldest: datetime, newest: datetime) -> Log:
    """The rows of one sensor's log, and the events of ``groundTruth.csv`` beside it.

    Args:
        file: the CSV of one sensor.
        oldest: timestamps before this are a faulty clock's.
        newest: timestamps after this are a faulty clock's.

    Raises:
        ConformError: the file cannot be read, is no such log, or of a sensor that tells nothing of the car.
    """
    name, (signals, mean) = _quantity(file)
    sheet = read_sheet(file, "driver_behavior", _COLUMNS, ",")
    log = Log(lines=len(sheet.lines), dropped_columns=[t for t in sheet.header if t.casefold() not in _COLUMNS])
    log.dropped_columns += [axis for axis in ("x", "y", "z") if axis not in signals]
    _check_gravity(sheet, name, mean)
    uptimes = _uptimes(sheet, log)
    offset_s = _offset_s(sheet, uptimes, oldest, newest, log)
    if offset_s is None:
        reason = "has no possible timestamp, and no other line has one"
        log.rejected += [
            sheet.fault(at, "timestamp", sheet.lines[at][sheet.place("timestamp")], reason) for at in uptimes
        ]
    else:
        instants = {line: round((uptime / 1e9 + offset_s) * 1000) for line, uptime in uptimes.items()}
        log.drives.append(Drive([(at, sheet.values(line, signals, log)) for line, at in instants.items()]))
        _label(file, name, log)
    log.rejected.sort(key=lambda fault: fault.line)
    return log


LAYOUT = Layout(
    name="driver_behavior",
    vehicle="civic",
    identification={
        "Vehicle.VehicleIdentification.Brand": "Honda",
        "Vehicle.VehicleIdentification.Model": "Civic",
        "Vehicle.VehicleIdentification.Year": 2011,
    },
    columns=_COLUMNS,
    separator=",",
    has_clock=True,
    read=read,
)


def _quantity(file: Path) -> tuple[str, tuple[dict[str, tuple[str, Callable[[str], Value]]], float]]:
    for name, quantity in _QUANTITIES.items():
        if name in file.name.casefold():
            return name, quantity
    raise ConformError(
        "its name does not tell which sensor it is of, and its header does not either",
        where=str(file),
        fix=f"name it as the data set does: one of {', '.join(_QUANTITIES)} (a magnetometer has no signal)",
    )


def _check_gravity(sheet: Sheet, name: str, expected: float) -> None:
    place, sample = sheet.place("z"), []
    for cells in sheet.lines.values():
        try:
            sample.append(number(cells[place]))
        except (IndexError, ValueError):  # judged line by line later
            continue
    mean = math.fsum(sample) / len(sample) if sample else expected
    if abs(mean - expected) > _TOLERANCE:
        raise ConformError(
            f"the name says {name}, but z is {mean:.2f} m/s² in the mean where that sensor has {expected:.2f}",
            where=str(sheet.file),
            fix="give the file the name of its sensor",
        )


def _uptimes(sheet: Sheet, log: Log) -> dict[int, int]:
    """Nanoseconds by line, rising; lines that have none go to ``log.rejected``."""
    uptimes: dict[int, int] = {}
    latest = -1
    for line, cells in sheet.lines.items():
        fault = sheet.uneven(line)
        if fault is not None:
            log.rejected.append(fault)
            continue
        text = cells[sheet.place("uptimenanos")]
        uptime = int(text) if text.isascii() and text.isdigit() else None
        if uptime is None:
            log.rejected.append(sheet.fault(line, "uptimenanos", text, "is no count of nanoseconds"))
        elif uptime <= latest:
            log.rejected.append(sheet.fault(line, "uptimenanos", text, "is not later than the line before"))
        else:
            uptimes[line] = latest = uptime
    return uptimes


def _offset_s(sheet: Sheet, uptimes: dict[int, int], oldest: datetime, newest: datetime, log: Log) -> float | None:
    """Seconds from uptime to epoch: each timestamp, cut to its second, says that it lies in an interval of one."""
    offsets: dict[int, float] = {}
    for line, uptime in uptimes.items():
        at = _timestamp(sheet.lines[line][sheet.place("timestamp")])
        if at is not None and oldest <= at <= newest:
            offsets[line] = at.timestamp() - uptime / 1e9
    if not offsets:
        return None
    middle = median(offsets.values())
    offsets = {line: offset for line, offset in offsets.items() if abs(offset - middle) < _STRAY_S}
    log.repaired += [line for line in uptimes if line not in offsets]
    low, high = max(offsets.values()), min(offsets.values()) + 1
    log.remarks.append(
        f"the uptime placed on the clock to within {abs(high - low) / 2 * 1000:.0f} ms; the zone, UTC-3, is not in the log"
    )
    return (low + high) / 2


def _timestamp(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=_ZONE)
    except ValueError:
        return None


def _label(file: Path, name: str, log: Log) -> None:
    """Read the events beside the log into it."""
    start = file.name.casefold().index(name)
    labels = file.with_name(f"{file.name[:start]}groundTruth.csv")
    if not labels.exists():
        log.remarks.append(f"no labelled events: there is no {labels.name} beside it")
        return
    sheet = read_sheet(labels, "driver_behavior", _LABELS, ",")
    first, last = log.rows[0][0], log.rows[-1][0]
    for line in sheet.lines:
        event = _event(sheet, line, first, last)
        if isinstance(event, Fault):
            log.left_out.append(event)
        else:
            log.events.append(event)
    log.events.sort(key=lambda event: event.start_ms)


def _event(sheet: Sheet, line: int, first: int, last: int) -> Event | Fault:
    fault = sheet.uneven(line)
    if fault is not None:
        return fault
    kind, begin, end = (sheet.lines[line][sheet.place(title)] for title in _LABELS)
    if kind not in _KINDS:
        return sheet.fault(line, "evento", kind, "is no kind of event of this data set")
    try:
        start_ms, end_ms = (first + round(number(text) * 1000) for text in (begin, end))
    except ValueError:
        return sheet.fault(line, "inicio", f"{begin} to {end}", "are no seconds since the start")
    if not first <= start_ms < end_ms <= last:
        return sheet.fault(line, "inicio", f"{begin} to {end}", "is no stretch of the trip")
    return Event(_KINDS[kind], start_ms, end_ms, line)
