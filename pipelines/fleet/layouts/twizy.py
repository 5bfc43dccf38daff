"""Logs of the RSK Twizy EV data set (NaitMalek et al., CC-BY-4.0): CSV, a line a second, Moroccan local time.

What the published files get wrong, and what is done about it:

- dates that do not exist or cannot be (``90/02/2032``, ``03/00/2000``) while the time of day runs on: the date is taken
  from the readable lines before and after, where the time of day lies between theirs;
- a latitude of exactly 0: the receiver had no fix, so the position is left out and the rest of the line kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipelines.errors import ConformError
from pipelines.fleet.layouts.model import Fault, Layout, Log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import time
    from pathlib import Path

    from pipelines.fleet.batches import Value

_ZONE = ZoneInfo("Africa/Casablanca")
_EDGE = timedelta(minutes=10)  # how far a line before the first readable date (or after the last) may be from it
_LATITUDE = "Vehicle.CurrentLocation.Latitude"
_LONGITUDE = "Vehicle.CurrentLocation.Longitude"
_GEARS = {"N": 0, "D": 127, "R": -1, "P": 126}  # VSS: 0 neutral, 127 drive, -1 reverse, 126 park


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def _gear(text: str) -> int:
    try:
        return _GEARS[text.upper()]
    except KeyError:
        raise ValueError(text) from None


def _metres(text: str) -> int:
    return round(_number(text) * 1000)


# The battery's own figure in steps of 0.02 %, not the ten bars that the dashboard displays: StateOfCharge.Current.
_SIGNALS: dict[str, tuple[str, Callable[[str], Value]]] = {
    "soc": ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", _number),
    "speed": ("Vehicle.Speed", _number),
    "mode": ("Vehicle.Powertrain.Transmission.SelectedGear", _gear),
    "lat": (_LATITUDE, _number),
    "lon": (_LONGITUDE, _number),
    "alt": ("Vehicle.CurrentLocation.Altitude", _number),
    "temperature": ("Vehicle.Exterior.AirTemperature", _number),
    "humidity": ("Vehicle.Exterior.Humidity", _number),
    "windspeedav": ("Vehicle.Exterior.WindSpeed", _number),
    "windspeed": ("Vehicle.Exterior.WindSpeed", _number),
    "odometer": ("Vehicle.TraveledDistance", _metres),  # kilometres, in the data set's raw edition only
}


@dataclass(frozen=True)
class _Sheet:
    """The text of a log: header cells, and the cells of each line that is not blank, by line number."""

    file: Path
    header: list[str]
    lines: dict[int, list[str]]

    def place(self, name: str) -> int:
        return [title.casefold() for title in self.header].index(name)

    def fault(self, line: int, name: str, value: str, reason: str) -> Fault:
        return Fault(self.file, line, self.header[self.place(name)], value, reason)


@dataclass
class _Line:
    number: int
    cells: list[str]
    clock: time
    day: date | None


def read(file: Path, oldest: datetime, newest: datetime) -> Log:
    """The rows of one log, its faults repaired or listed.

    Args:
        file: the CSV.
        oldest: dates before this are a faulty clock's.
        newest: dates after this are a faulty clock's.

    Raises:
        ConformError: the file cannot be read or is no such log.
    """
    sheet = _sheet(file)
    log = Log(lines=len(sheet.lines), dropped_columns=[name for name in sheet.header if not _is_used(name)])
    lines = _timed_lines(sheet, log)
    _forget_impossible_days(lines, oldest.astimezone(_ZONE).date(), newest.astimezone(_ZONE).date())
    for line, at in zip(lines, _instants(lines), strict=True):
        if at is None:
            reason = "is no possible date, and the time of day does not lie between the lines before and after"
            log.rejected.append(sheet.fault(line.number, "date", line.cells[sheet.place("date")], reason))
            continue
        if line.day is None:
            log.repaired.append(line.number)
        log.rows.append((round(at.replace(tzinfo=_ZONE).timestamp() * 1000), _values(sheet, line, log)))
    log.rows.sort(key=lambda row: row[0])
    log.rejected.sort(key=lambda fault: fault.line)
    return log


LAYOUT = Layout(
    name="twizy",
    vehicle="twizy",
    identification={
        "Vehicle.VehicleIdentification.Brand": "Renault",
        "Vehicle.VehicleIdentification.Model": "Twizy",
        "Vehicle.Powertrain.Type": "ELECTRIC",
        "Vehicle.Powertrain.TractionBattery.NetCapacity": 6.1,
    },
    read=read,
)


def _sheet(file: Path) -> _Sheet:
    try:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ConformError(f"cannot be read: {error.strerror}", where=str(file), fix="check the path") from error
    # Not the csv module: one stray quote would swallow the lines after it, and no cell of these logs holds a comma.
    lines = {
        number: [cell.strip().strip('"').strip() for cell in line.split(",")]
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1)
        if line.strip()
    }
    if not lines:
        raise ConformError("the file is empty", where=str(file), fix="leave this file out")
    first = min(lines)
    header = lines.pop(first)
    while header and not header[-1]:  # a line that ends with a comma, as the lines of data may
        header.pop()
    if not {"date", "time"} <= {title.casefold() for title in header}:
        raise ConformError(
            f"no header with the columns Date and Time, but {','.join(header)[:80]!r}",
            where=f"{file}, line {first}",
            fix="this is no log of layout twizy: name the layout it has, or leave this file out",
        )
    return _Sheet(file, header, lines)


def _is_used(title: str) -> bool:
    return title.casefold() in _SIGNALS or title.casefold() in {"date", "time"}


def _timed_lines(sheet: _Sheet, log: Log) -> list[_Line]:
    """The lines that have all their cells and a time of day; the others go to ``log.rejected``."""
    lines = []
    for number, cells in sheet.lines.items():
        clock = _clock(cells[sheet.place("time")]) if len(cells) > sheet.place("time") else None
        if len(cells) < len(sheet.header) or any(cells[len(sheet.header) :]):
            missing = sheet.header[len(cells)] if len(cells) < len(sheet.header) else ""
            reason = f"has {len(cells)} cells, the header has {len(sheet.header)}"
            log.rejected.append(Fault(sheet.file, number, missing, ",".join(cells)[:120], reason))
        elif clock is None:
            reason = "is no time of day (hours:minutes:seconds)"
            log.rejected.append(sheet.fault(number, "time", cells[sheet.place("time")], reason))
        else:
            lines.append(_Line(number, cells, clock, _day(cells[sheet.place("date")])))
    return lines


def _clock(text: str) -> time | None:
    for pattern in ("%H:%M:%S", "%H:%M:%S.%f"):
        try:
            return datetime.strptime(text, pattern).time()  # noqa: DTZ007 - a time of day has no zone
        except ValueError:
            continue
    return None


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _forget_impossible_days(lines: Sequence[_Line], oldest: date, newest: date) -> None:
    """Forget days outside the plausible time, and days that the log leaves again for a day it was in before."""
    for line in lines:
        if line.day and not oldest <= line.day <= newest:
            line.day = None
    runs = [(day, list(run)) for day, run in groupby((line for line in lines if line.day), key=lambda line: line.day)]
    days = [day for day, _ in runs]
    for at, (_, run) in enumerate(runs):
        if set(days[:at]) & set(days[at + 1 :]):
            for line in run:
                line.day = None


def _instants(lines: Sequence[_Line]) -> list[datetime | None]:
    """Each line's local time, from its own day or else from the readable lines before and after it."""
    own = [datetime.combine(line.day, line.clock) if line.day else None for line in lines]
    return [
        at or _between(before, line.clock, after)
        for line, at, before, after in zip(lines, own, _last_known(own), _last_known(own[::-1])[::-1], strict=True)
    ]


def _last_known(instants: Sequence[datetime | None]) -> list[datetime | None]:
    last: datetime | None = None
    return [last := at or last for at in instants]


def _between(before: datetime | None, clock: time, after: datetime | None) -> datetime | None:
    """The instant with that time of day between two others; near the one there is, at an end of the log."""
    first = before or (after - _EDGE if after else None)
    last = after or (before + _EDGE if before else None)
    if first is None or last is None:
        return None
    days = (datetime.combine(day, clock) for day in (first.date(), last.date()))
    return next((at for at in days if first <= at <= last), None)


def _values(sheet: _Sheet, line: _Line, log: Log) -> dict[str, Value]:
    """The readings of a line by VSS path; blank cells give none, unreadable ones go to ``log.left_out``."""
    values: dict[str, Value] = {}
    for title, text in zip(sheet.header, line.cells, strict=False):
        if title.casefold() not in _SIGNALS or not text:
            continue
        path, cast = _SIGNALS[title.casefold()]
        try:
            values[path] = cast(text)
        except ValueError:
            log.left_out.append(Fault(sheet.file, line.number, title, text, "does not read as a value of its column"))
    if 0 in (values.get(_LATITUDE), values.get(_LONGITUDE)):
        for name, path in (("lat", _LATITUDE), ("lon", _LONGITUDE)):
            if path in values:
                reason = "belongs to a position that the receiver had not fixed"
                log.left_out.append(sheet.fault(line.number, name, str(values.pop(path)), reason))
    return values
