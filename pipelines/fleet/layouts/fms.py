"""Recordings of Kuksa's CSV recorder, such as the truck of Eclipse fleet-management (Apache-2.0): a line a value.

``field,signal,value,delay``: the signal is a VSS path, the delay is seconds *since the line before* (so the recorder writes it;
its player waits *after* a line). In the truck's recording the once-a-second values are whole seconds apart only on
the first understanding (within 1 ms, against 184 ms), so that one is taken. There is no date: instants count from the first line.

Paths of the FMS overlay that VSS 6.0 has another name for are renamed; its tachograph has none and keeps its own. A VIN
is not sent: a car's identity belongs to its owner and to the topic, and the collector gives it a pseudonym there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.fleet.layouts.model import Drive, Fault, Layout, Log
from pipelines.fleet.layouts.sheet import Sheet, number, read_sheet

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pipelines.fleet.batches import Value

_COLUMNS = ("field", "signal", "value", "delay")
_PATH = re.compile(r"Vehicle(\.[A-Za-z0-9_]+)+")
_IDENTITIES = re.compile(r"\.(VIN|LicensePlate|Identification|OemIdentification|Identifier(\..*)?)$")
_RENAMED = {
    "Vehicle.TraveledDistanceHighRes": "Vehicle.TraveledDistance",  # metres both
    "Vehicle.Powertrain.FuelSystem.Tank.First.RelativeLevel": "Vehicle.Powertrain.FuelSystem.RelativeLevel",
}
_TEXTS = re.compile(r"\.(WorkingState|Status|TimeRelatedStatus|Type|Mode|State)$")
_BOOLEANS = {"true": True, "false": False}


def read(file: Path, _oldest: datetime, _newest: datetime) -> Log:
    """The rows of one recording, one a line, on the recording's own clock.

    Args:
        file: the CSV.
        _oldest: not needed, there is no date.
        _newest: as ``_oldest``.

    Raises:
        ConformError: the file cannot be read or is no such recording.
    """
    sheet = read_sheet(file, "fms", _COLUMNS, ",")
    drive = Drive()
    log = Log([drive], len(sheet.lines), dropped_columns=[t for t in sheet.header if t.casefold() not in _COLUMNS])
    at = 0.0
    first = None
    for line in sheet.lines:
        fault = sheet.uneven(line)
        if fault is None:
            delay = _delay(sheet.lines[line][sheet.place("delay")])
            at += delay or 0.0
            if delay is None:
                reason = "is no delay: the line's instant is lost, and later ones are early by it"
                fault = sheet.fault(line, "delay", sheet.lines[line][sheet.place("delay")], reason)
        reading = _reading(sheet, line) if fault is None else fault
        reading = _identity(sheet, line) or reading
        if isinstance(reading, Fault):
            log.rejected.append(reading)
            continue
        first = at if first is None else first
        drive.rows.append((round((at - first) * 1000), reading))
    log.remarks.append("no clock: a line's delay is the time since the line before")
    return log


LAYOUT = Layout(
    name="fms",
    vehicle="truck",
    identification={},
    columns=_COLUMNS,
    separator=",",
    has_clock=False,
    read=read,
)


def _delay(text: str) -> float | None:
    try:
        delay = number(text)
    except ValueError:
        return None
    return delay if delay >= 0 else None


def _identity(sheet: Sheet, line: int) -> Fault | None:
    """The fault of a line that tells who somebody is, whatever else is wrong with it; its text is repeated nowhere."""
    path = next((cell for cell in sheet.lines[line] if _PATH.fullmatch(cell) and _IDENTITIES.search(cell)), None)
    if path is None:
        return None
    return Fault(sheet.file, line, "signal", path, "is an identity and not sent", secret=True)


def _reading(sheet: Sheet, line: int) -> dict[str, Value] | Fault:
    """The one reading of a line, or why there is none."""
    kind, path, text = (sheet.lines[line][sheet.place(title)] for title in ("field", "signal", "value"))
    if kind != "current":
        return sheet.fault(line, "field", kind, "is not `current`: what somebody wanted is no reading")
    if not _PATH.fullmatch(path):
        return sheet.fault(line, "signal", path, "is no VSS path")
    value = _value(path, text)
    if value is None:
        return sheet.fault(line, "value", text, "is no number and neither True nor False")
    return {_RENAMED.get(path, path): value}


def _value(path: str, text: str) -> Value | None:
    if text.casefold() in _BOOLEANS:
        return _BOOLEANS[text.casefold()]
    if _TEXTS.search(path) and text:
        return text
    try:
        value = number(text)
    except ValueError:
        return None
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else value
