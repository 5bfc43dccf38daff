"""Logs of the RSK Twizy EV data set (NaitMalek et al., CC-BY-4.0): CSV, a line a second, Moroccan local time.

What the published files get wrong, and what is done about it:

- dates that do not exist or cannot be (``90/02/2032``, ``03/00/2000``) while the time of day runs on: the date is taken
  from the readable lines before and after, where the time of day lies between theirs;
- a latitude of exactly 0: the receiver had no fix, so the position is left out and the rest of the line kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipelines.fleet.layouts.model import Drive, Layout, Log
from pipelines.fleet.layouts.sheet import Sheet, number, plain_title, read_sheet

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


def _gear(text: str) -> int:
    try:
        return _GEARS[text.upper()]
    except KeyError:
        raise ValueError(text) from None


def _metres(text: str) -> int:
    return round(number(text) * 1000)


# The battery's own figure in steps of 0.02 %, not the ten bars that the dashboard displays: StateOfCharge.Current.
_SIGNALS: dict[str, tuple[str, Callable[[str], Value]]] = {
    "soc": ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", number),
    "speed": ("Vehicle.Speed", number),
    "mode": ("Vehicle.Powertrain.Transmission.SelectedGear", _gear),
    "lat": (_LATITUDE, number),
    "lon": (_LONGITUDE, number),
    "alt": ("Vehicle.CurrentLocation.Altitude", number),
    "temperature": ("Vehicle.Exterior.AirTemperature", number),
    "humidity": ("Vehicle.Exterior.Humidity", number),
    "windspeedav": ("Vehicle.Exterior.WindSpeed", number),
    "windspeed": ("Vehicle.Exterior.WindSpeed", number),
    "odometer": ("Vehicle.TraveledDistance", _metres),  # kilometres, in the data set's raw edition only
}


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
    sheet = read_sheet(file, "twizy", ("date", "time"), ",")
    drive = Drive()
    log = Log([drive], lines=len(sheet.lines), dropped_columns=[name for name in sheet.header if not _is_used(name)])
    lines = _timed_lines(sheet, log)
    _forget_impossible_days(lines, oldest.astimezone(_ZONE).date(), newest.astimezone(_ZONE).date())
    for line, at in zip(lines, _instants(lines), strict=True):
        if at is None:
            reason = "is no possible date, and the time of day does not lie between the lines before and after"
            log.rejected.append(sheet.fault(line.number, "date", line.cells[sheet.place("date")], reason))
            continue
        if line.day is None:
            log.repaired.append(line.number)
        drive.rows.append((round(at.replace(tzinfo=_ZONE).timestamp() * 1000), _values(sheet, line.number, log)))
    drive.rows.sort(key=lambda row: row[0])
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
    columns=("date", "time"),
    separator=",",
    has_clock=True,
    read=read,
)


def _is_used(title: str) -> bool:
    return plain_title(title) in _SIGNALS or plain_title(title) in {"date", "time"}


def _timed_lines(sheet: Sheet, log: Log) -> list[_Line]:
    """The lines that have all their cells and a time of day; the others go to ``log.rejected``."""
    lines = []
    for at, cells in sheet.lines.items():
        clock = _clock(cells[sheet.place("time")]) if len(cells) > sheet.place("time") else None
        uneven = sheet.uneven(at)
        if uneven is not None:
            log.rejected.append(uneven)
        elif clock is None:
            reason = "is no time of day (hours:minutes:seconds)"
            log.rejected.append(sheet.fault(at, "time", cells[sheet.place("time")], reason))
        else:
            lines.append(_Line(at, cells, clock, _day(cells[sheet.place("date")])))
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


def _values(sheet: Sheet, line: int, log: Log) -> dict[str, Value]:
    """The readings of a line by VSS path, without a position that is none."""
    values = sheet.values(line, _SIGNALS, log)
    if 0 in (values.get(_LATITUDE), values.get(_LONGITUDE)):
        for name, path in (("lat", _LATITUDE), ("lon", _LONGITUDE)):
            if path in values:
                reason = "belongs to a position that the receiver had not fixed"
                log.left_out.append(sheet.fault(line, name, str(values.pop(path)), reason))
    return values
