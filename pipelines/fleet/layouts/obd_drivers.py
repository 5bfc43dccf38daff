"""The log of nineteen drivers in Natal, Brazil (cephasax/OBDdatasets): an app's records, then saved by a spreadsheet.

Separator ``;``, decimal commas, units in the values, a line every four to six seconds. What the spreadsheet and the adapter
have broken, and what can be known of it:

- ``TIME`` (``1,51336E+12``): milliseconds since 1970, of which six digits are left: an interval of 10,000 s. The
  engine's run time gives the spacing inside a drive to the second; all lines of a drive together narrow the interval
  (``timeline``), to seconds where the rounded figure changes within the drive. A drive is put in the middle of what
  is possible, and a remark says how far off it may be.
- ``LATITUDE``, ``LONGITUDE`` (``-58.321.307``, ``-3.520.429.461``): the decimal point is lost, dots group the digits. All
  digits are there but zeros at the end. In Natal one digit stands before the point of a latitude and two of a
  longitude; what does not lie in its state then is left out. (With these places the positions move as SPEED says.)
- ``0.0`` in both: no fix; the position and the altitude that came with it are left out.
- ``TIMING_ADVANCE`` in percent: the app showed the byte A as A/255; the angle is A/2 - 64 degrees. A percentage with one
  digit after the comma tells the byte.
- ``EQUIV_RATIO`` in percent: the app's label only, the figure is the ratio itself. 0 is no mixture and left out.
- ``DTC_NUMBER``: ``MIL is OFF0 codes``, or the adapter's raw answer ``41 01 AA …``, whose first byte says the same.
- ``1:6032000007E803`` in any column: a piece of a raw answer to something else. The value is lost.
- a value without its unit: the record was cut there, and digits may be missing. The value is lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.fleet.layouts.model import Drive, Fault, Layout, Log, NotAValue
from pipelines.fleet.layouts.sheet import Sheet, plain_title, read_sheet
from pipelines.fleet.layouts.timeline import Point, place

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from pipelines.fleet.batches import Row, Value

_COLUMNS = ("time", "vehicle_id", "engine_runtime")
_VEHICLE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_RUN_TIME = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
_ROUNDED = re.compile(r"(\d),(\d{1,5})E\+(\d\d)")
_FRAGMENT = re.compile(r"\d:[0-9A-F]{6,}")
_ANSWER = re.compile(r"4101([0-9A-F]{2})[0-9A-F]{6}1:.*")
_MIL = re.compile(r"MIL is (ON|OFF)(\d+) codes")
_LATITUDE, _LONGITUDE, _ALTITUDE = (f"Vehicle.CurrentLocation.{name}" for name in ("Latitude", "Longitude", "Altitude"))
_STATE = {_LATITUDE: (-7.0, -4.8), _LONGITUDE: (-38.6, -34.9)}  # Rio Grande do Norte
_BYTE_STEP = 0.13  # one digit after the comma is known to 0.05 %, that is 0.1275 of a byte
_SHOWN_DIGITS = 5  # that a spreadsheet shows after the comma of such a figure; zeros at the end it drops
_MIL_ON, _CODES = "Vehicle.OBD.Status.IsMILOn", "Vehicle.OBD.Status.DTCCount"


def _measured(unit: str) -> Callable[[str], float]:
    """A reader of decimal-comma figures that end with ``unit``."""
    figure = re.compile(rf"(-?\d+(?:,\d+)?){re.escape(unit)}")

    def read_figure(text: str) -> float:
        found = figure.fullmatch(text)
        if found is not None:
            return float(found[1].replace(",", "."))
        if _FRAGMENT.fullmatch(text):
            raise NotAValue("is a piece of the adapter's raw answer to something else")
        if re.fullmatch(r"-?\d+(,\d+)?", text):
            raise NotAValue("has lost its unit: the record was cut here, digits may be missing")
        raise ValueError(text)

    return read_figure


_PERCENT = _measured("%")


def _advance(text: str) -> float:
    """Degrees, from the share that the app made of the byte."""
    byte = _PERCENT(text) * 255 / 100
    if abs(byte - round(byte)) > _BYTE_STEP:
        raise NotAValue("is no byte's share of 255, and so no spark advance")
    return round(byte) / 2 - 64


def _ratio(text: str) -> float:
    ratio = _PERCENT(text)
    if ratio == 0:
        raise NotAValue("is no mixture that burns")
    return ratio


def _regrouped(path: str, whole_digits: int) -> Callable[[str], float]:
    """A reader of coordinates whose decimal point has become dots between groups of digits."""
    low, high = _STATE[path]

    def read_degrees(text: str) -> float:
        if text in {"0.0", "0"}:
            return 0.0
        if not re.fullmatch(r"-?\d{1,3}(\.\d{3})+", text):
            raise ValueError(text)
        digits = text.replace(".", "").lstrip("-")
        degrees = float(f"{digits[:whole_digits]}.{digits[whole_digits:]}") * (-1 if text.startswith("-") else 1)
        if not low <= degrees <= high:
            raise NotAValue("is no place in the state of the log, wherever its decimal point was")
        return degrees

    return read_degrees


_ENGINE = "Vehicle.Powertrain.CombustionEngine"
_SIGNALS: dict[str, tuple[str, Callable[[str], Value]]] = {
    "latitude": (_LATITUDE, _regrouped(_LATITUDE, 1)),
    "longitude": (_LONGITUDE, _regrouped(_LONGITUDE, 2)),
    "altitude": (_ALTITUDE, float),
    "barometric_pressure": ("Vehicle.OBD.BarometricPressure", _measured("kPa")),
    "engine_coolant_temp": (f"{_ENGINE}.EngineCoolant.Temperature", _measured("C")),
    "fuel_level": ("Vehicle.Powertrain.FuelSystem.RelativeLevel", _PERCENT),
    "engine_load": ("Vehicle.OBD.EngineLoad", _PERCENT),
    "ambient_air_temp": ("Vehicle.OBD.AmbientAirTemperature", _measured("C")),
    "engine_rpm": (f"{_ENGINE}.Speed", _measured("RPM")),
    "intake_manifold_pressure": (f"{_ENGINE}.MAP", _measured("kPa")),
    "maf": ("Vehicle.OBD.MAF", _measured("g/s")),
    "air_intake_temp": ("Vehicle.OBD.IntakeTemp", _measured("C")),
    "speed": ("Vehicle.Speed", _measured("km/h")),
    "short term fuel trim bank 1": ("Vehicle.OBD.ShortTermFuelTrim1", _PERCENT),
    "throttle_pos": (f"{_ENGINE}.TPS", _PERCENT),
    "timing_advance": ("Vehicle.OBD.TimingAdvance", _advance),
    "equiv_ratio": ("Vehicle.OBD.CommandedEquivalenceRatio", _ratio),
}
_USED = {*_SIGNALS, *_COLUMNS, "dtc_number"}


def read(file: Path, oldest: datetime, newest: datetime) -> Log:
    """The rows of one log, a drive a vehicle.

    Args:
        file: the CSV.
        oldest: times before this are a faulty clock's.
        newest: times after this are a faulty clock's.

    Raises:
        ConformError: the file cannot be read or is no such log.
    """
    sheet = read_sheet(file, "obd_drivers", _COLUMNS, ";")
    log = Log(lines=len(sheet.lines), dropped_columns=[t for t in sheet.header if plain_title(t) not in _USED])
    points: dict[str, list[Point]] = {}
    for line, cells in sheet.lines.items():
        fault = sheet.uneven(line) or _stranger(sheet, line)
        if fault is not None:
            log.rejected.append(fault)
            continue
        vehicle = cells[sheet.place("vehicle_id")]
        point = Point(line, _span_ms(cells[sheet.place("time")], oldest, newest), _seconds(sheet, line))
        points.setdefault(vehicle, []).append(point)
    for vehicle, mine in points.items():
        placed = place(mine)
        rows: list[Row] = []
        for point in mine:
            if (at := placed.instants.get(point.line)) is not None:
                rows.append((at, _values(sheet, point.line, log)))
                continue
            title = "time" if placed.contradiction else "engine_runtime"
            text = sheet.lines[point.line][sheet.place(title)]
            log.rejected.append(sheet.fault(point.line, title, text, placed.contradiction or _UNTIMED))
        log.repaired += placed.repaired
        log.remarks += [f"{vehicle}: {remark}" for remark in placed.remarks]
        if rows:
            log.drives.append(Drive(rows, vehicle))
    for faults in (log.rejected, log.left_out):
        faults.sort(key=lambda fault: fault.line)
    log.repaired.sort()
    return log


LAYOUT = Layout(
    name="obd_drivers",
    vehicle="natal",
    identification={"Vehicle.Powertrain.Type": "COMBUSTION"},
    columns=_COLUMNS,
    separator=";",
    has_clock=True,
    read=read,
)

_UNTIMED = "does not place the line: the run time is missing or stands still, and its neighbours do not enclose it"


def _stranger(sheet: Sheet, line: int) -> Fault | None:
    name = sheet.lines[line][sheet.place("vehicle_id")]
    return None if _VEHICLE.fullmatch(name) else sheet.fault(line, "vehicle_id", name, "cannot be a vehicle's id")


def _span_ms(text: str, oldest: datetime, newest: datetime) -> tuple[float, float] | None:
    """From when to when a rounded time may have been, epoch milliseconds; None when it tells nothing."""
    found = _ROUNDED.fullmatch(text)
    if found is None:
        return None
    last_digit = 10.0 ** (int(found[3]) - _SHOWN_DIGITS)
    middle = int(found[1] + found[2].ljust(_SHOWN_DIGITS, "0")) * last_digit
    if not oldest.timestamp() * 1000 <= middle <= newest.timestamp() * 1000:
        return None
    return middle - last_digit / 2, middle + last_digit / 2


def _seconds(sheet: Sheet, line: int) -> int | None:
    found = _RUN_TIME.fullmatch(sheet.lines[line][sheet.place("engine_runtime")])
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])


def _values(sheet: Sheet, line: int, log: Log) -> dict[str, Value]:
    values = sheet.values(line, _SIGNALS, log)
    cells = sheet.lines[line]
    if values.get(_LATITUDE) == 0 and values.get(_LONGITUDE) == 0:
        for title, path in (("latitude", _LATITUDE), ("longitude", _LONGITUDE), ("altitude", _ALTITUDE)):
            if values.pop(path, None) is not None:
                reason = "belongs to a position that the receiver had not fixed"
                log.left_out.append(sheet.fault(line, title, cells[sheet.place(title)], reason))
    seconds = _seconds(sheet, line)
    if seconds is not None:
        values["Vehicle.OBD.RunTime"] = seconds
    elif text := cells[sheet.place("engine_runtime")]:
        log.left_out.append(sheet.fault(line, "engine_runtime", text, "is no run time (hours:minutes:seconds)"))
    if "dtc_number" in map(plain_title, sheet.header) and (text := cells[sheet.place("dtc_number")]):
        codes = _codes(text)
        if codes is None:
            log.left_out.append(sheet.fault(line, "dtc_number", text, "does not say how many fault codes there are"))
        else:
            values[_MIL_ON], values[_CODES] = codes
    return values


def _codes(text: str) -> tuple[bool, int] | None:
    """Whether the lamp is on, and how many codes are stored: from the app's words or the adapter's byte."""
    if found := _MIL.fullmatch(text):
        return found[1] == "ON", int(found[2])
    if found := _ANSWER.fullmatch(text):
        byte = int(found[1], 16)
        return bool(byte & 0x80), byte & 0x7F
    return None
