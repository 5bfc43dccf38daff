"""Logs of the carOBD data set (Toyota Etios 2014): CSV, 27 OBD values a line, no clock but the engine's run time.

What the files do not say, and how far it can be known (measured on the published logs):

- *Time.* The logger writes a line at a steady pace, but asks the car for its values in turn, so that the run time
  (whole seconds) stands still over three or four lines. The pace is the slope of run time over line number (0.4923 s,
  that is 2.03 lines/s, the same in all logs). Between them the instants of lines are even; as a whole they are as late
  as they must be for no line to hold a run time from its future. Each is then within the time of one round of questions
  (1.8 s) and one second of rounding. Where the run time falls (the engine was started again) the pace goes on; where it
  leaps, lines are missing and the instants leap with it. The date is not known at all: instants count from the first line.
- *Zeros.* What the logger has not been told yet is 0. A line of zeros alone tells nothing and is set aside. In the lines
  at the start of the published logs the engine speed is 0 while the manifold is at the pressure of the atmosphere and the
  battery below 12.6 V: the engine was not running, and these are readings. A commanded fuel-air ratio of 0, on
  every line, is no mixture: the car does not answer that question, and the column is dropped.
- 255 warm-ups since the codes were cleared is a counter at its end: 255 or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import ConformError
from pipelines.fleet.layouts.model import Drive, Fault, Layout, Log, NotAValue
from pipelines.fleet.layouts.sheet import Sheet, number, plain_title, read_sheet, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from pipelines.fleet.batches import Value

_COLUMNS = ("engine_rpm", "vehicle_speed", "coolant_temperature")
_RUN_TIMES = ("engine_run_tine", "engine_run_time")  # the published logs have the first
_RATIO = "fuel_air_commanded_equiv_ratio"
_FEWEST = 10  # run times that a pace can be measured on
_LEAP_S = 3.0  # a run time farther on than the pace explains: a round of questions, a second of rounding


def _ratio(text: str) -> float:
    value = number(text)
    if value == 0:
        raise NotAValue("is no mixture that burns: the logger holds 0 for what the car has not answered")
    return value


_ENGINE = "Vehicle.Powertrain.CombustionEngine"
_SIGNALS: dict[str, tuple[str, Callable[[str], Value]]] = {
    **dict.fromkeys(_RUN_TIMES, ("Vehicle.OBD.RunTime", number)),
    "engine_rpm": (f"{_ENGINE}.Speed", number),
    "vehicle_speed": ("Vehicle.Speed", number),
    "throttle": (f"{_ENGINE}.TPS", number),
    "engine_load": ("Vehicle.OBD.EngineLoad", number),
    "coolant_temperature": (f"{_ENGINE}.EngineCoolant.Temperature", number),
    "long_term_fuel_trim_bank_1": ("Vehicle.OBD.LongTermFuelTrim1", number),
    "short_term_fuel_trim_bank_1": ("Vehicle.OBD.ShortTermFuelTrim1", number),
    "intake_manifold_pressure": (f"{_ENGINE}.MAP", number),
    "fuel_tank": ("Vehicle.Powertrain.FuelSystem.RelativeLevel", number),
    "absolute_throttle_b": ("Vehicle.OBD.ThrottlePositionB", number),
    "pedal_d": ("Vehicle.OBD.AcceleratorPositionD", number),
    "pedal_e": ("Vehicle.OBD.AcceleratorPositionE", number),
    "commanded_throttle_actuator": ("Vehicle.OBD.ThrottleActuator", number),
    _RATIO: ("Vehicle.OBD.CommandedEquivalenceRatio", _ratio),
    "absolute_barometric_pressure": ("Vehicle.OBD.BarometricPressure", number),
    "relative_throttle_position": ("Vehicle.OBD.RelativeThrottlePosition", number),
    "intake_air_temp": ("Vehicle.OBD.IntakeTemp", number),
    "timing_advance": ("Vehicle.OBD.TimingAdvance", number),
    "catalyst_temperature_bank1_sensor1": ("Vehicle.OBD.Catalyst.Bank1.Temperature1", number),
    "catalyst_temperature_bank1_sensor2": ("Vehicle.OBD.Catalyst.Bank1.Temperature2", number),
    "control_module_voltage": ("Vehicle.OBD.ControlModuleVoltage", number),
    "commanded_evaporative_purge": ("Vehicle.OBD.CommandedEVAP", number),
    "time_run_with_mil_on": ("Vehicle.OBD.RunTimeMIL", number),
    "time_since_trouble_codes_cleared": ("Vehicle.OBD.TimeSinceDTCCleared", number),
    "distance_traveled_with_mil_on": ("Vehicle.OBD.DistanceWithMIL", number),
    "warm_ups_since_codes_cleared": ("Vehicle.OBD.WarmupsSinceDTCClear", whole),
}


@dataclass(frozen=True)
class _Clock:
    """Instants of all lines, in seconds from the first, and what they rest on."""

    seconds: list[float]
    pace_s: float
    points: int
    late_s: float


def read(file: Path, _oldest: datetime, _newest: datetime) -> Log:
    """The rows of one log, on the log's own clock.

    Args:
        file: the CSV.
        _oldest: not needed, there is no date.
        _newest: as ``_oldest``.

    Raises:
        ConformError: the file cannot be read, is no such log or too short to measure its pace.
    """
    sheet = read_sheet(file, "carobd", _COLUMNS, ",")
    run_time = next((title for title in _RUN_TIMES if title in map(plain_title, sheet.header)), None)
    if run_time is None:
        raise ConformError("no column of the engine's run time", where=str(file), fix="this is no log of layout carobd")
    signals = dict(_SIGNALS)
    drive = Drive()
    log = Log([drive], len(sheet.lines), dropped_columns=[t for t in sheet.header if plain_title(t) not in _SIGNALS])
    if _always_zero(sheet, _RATIO):
        del signals[_RATIO]
        log.dropped_columns.append(sheet.header[sheet.place(_RATIO)])
        log.remarks.append("the commanded fuel-air ratio is 0 on every line: the car does not answer that question")
    clock = _clock(file, [_run_time(sheet, line, run_time) for line in sheet.lines])
    log.remarks.append(
        f"no clock: a line every {clock.pace_s:.4f} s, measured on {clock.points} run times; "
        f"no run time is more than {clock.late_s:.1f} s older than its line"
    )
    first = None
    for line, at in zip(sheet.lines, clock.seconds, strict=True):
        fault = sheet.uneven(line) or _nothing(sheet, line)
        if fault is not None:
            log.rejected.append(fault)
            continue
        first = at if first is None else first
        drive.rows.append((round((at - first) * 1000), sheet.values(line, signals, log)))
    return log


LAYOUT = Layout(
    name="carobd",
    vehicle="etios",
    identification={
        "Vehicle.VehicleIdentification.Brand": "Toyota",
        "Vehicle.VehicleIdentification.Model": "Etios",
        "Vehicle.VehicleIdentification.Year": 2014,
        "Vehicle.Powertrain.Type": "COMBUSTION",
        "Vehicle.Powertrain.CombustionEngine.Displacement": 1496,
    },
    columns=_COLUMNS,
    separator=",",
    has_clock=False,
    read=read,
)


def _always_zero(sheet: Sheet, title: str) -> bool:
    if title not in map(plain_title, sheet.header):
        return False
    place = sheet.place(title)
    texts = [cells[place] for cells in sheet.lines.values() if len(cells) > place and cells[place]]
    return bool(texts) and all(_is_zero(text) for text in texts)


def _is_zero(text: str) -> bool:
    try:
        return number(text) == 0
    except ValueError:
        return False


def _nothing(sheet: Sheet, line: int) -> Fault | None:
    """The fault of a line on which every value is 0."""
    cells = [text for text in sheet.lines[line] if text]
    if cells and not all(map(_is_zero, cells)):
        return None
    text = ",".join(sheet.lines[line])[:120]
    return Fault(sheet.file, line, "", text, "holds zeros alone: the logger had no answer of the car yet")


def _run_time(sheet: Sheet, line: int, title: str) -> float:
    """Seconds, or NaN: a line without a run time has its place in the pace all the same."""
    cells, place = sheet.lines[line], sheet.place(title)
    try:
        return number(cells[place]) if len(cells) > place else np.nan
    except ValueError:
        return np.nan


def _clock(file: Path, run_times: Sequence[float]) -> _Clock:
    """Instants of lines that come at a steady pace, from the run time that each holds."""
    times = np.array(run_times)
    stretches = _stretches(times)
    longest = max(stretches, key=len)
    points = len(np.unique(times[longest]))
    if points < _FEWEST:
        raise ConformError(
            f"its pace cannot be measured: the engine's run time takes {points} values, {_FEWEST} are needed",
            where=str(file),
            fix="leave this file out",
        )
    pace = float(np.polyfit(longest, times[longest], 1)[0])
    seconds = np.arange(len(times)) * pace
    late, before = 0.0, None
    for stretch in stretches:
        behind = times[stretch] - seconds[stretch]
        late = max(late, float(behind.max() - behind.min()))
        # The earliest clock on which no line of the stretch holds a run time from its future.
        offset = float(behind.max())
        if before is not None and times[stretch[0]] > times[before[1]]:
            leap = max(0.0, offset - before[0])
            seconds[stretch[0] :] += leap
            offset -= leap
        before = offset, stretch[-1]
    return _Clock((seconds - seconds[0]).tolist(), pace, points, late)


def _stretches(times: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Lines between which the run time goes on as the pace lets it. Not those of a 0: the engine did not run."""
    known = np.flatnonzero(times > 0)
    steps, lines = np.diff(times[known]), np.diff(known)
    return np.split(known, np.flatnonzero((steps < 0) | (steps > _LEAP_S + lines - 1)) + 1)
