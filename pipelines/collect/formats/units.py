"""Units: what other formats send, into what VSS has.

Belongs here: conversions that are linear, by the names that SenML (RFC 8428, RFC 8798), OVMS and TeslaMate give to
units. Does not: which value becomes which signal.
"""

from __future__ import annotations

from typing import NamedTuple


class Conversion(NamedTuple):
    """``factor * value + offset``."""

    factor: float
    offset: float = 0.0


SAME = Conversion(1.0)

# Each unit as so much of a base unit of its kind, by every name under which it comes or VSS asks for it.
_KINDS: tuple[dict[str, Conversion], ...] = (
    {
        "m": SAME,
        "meter": SAME,
        "mm": Conversion(0.001),
        "cm": Conversion(0.01),
        "km": Conversion(1000.0),
        "Km": Conversion(1000.0),
        "mi": Conversion(1609.344),
        "M": Conversion(1609.344),  # OVMS
        "Miles": Conversion(1609.344),
        "ft": Conversion(0.3048),
        "inch": Conversion(0.0254),
    },
    {
        "m/s": SAME,
        "velocity": SAME,
        "km/h": Conversion(1 / 3.6),
        "kph": Conversion(1 / 3.6),
        "Kph": Conversion(1 / 3.6),
        "Mph": Conversion(0.44704),
        "mph": Conversion(0.44704),
        "mi/h": Conversion(0.44704),
    },
    {
        "m/s^2": SAME,
        "m/s2": SAME,
        "m/s²": SAME,
        "g0": Conversion(9.80665),
        "kph/s": Conversion(1 / 3.6),
        "km/h/s": Conversion(1 / 3.6),
        "mph/s": Conversion(0.44704),
    },
    {
        "Pa": SAME,
        "hPa": Conversion(100.0),
        "mbar": Conversion(100.0),
        "kPa": Conversion(1000.0),
        "bar": Conversion(100_000.0),
        "psi": Conversion(6894.757293168),
        "PSI": Conversion(6894.757293168),
    },
    {
        "Celsius": SAME,
        "Cel": SAME,
        "celsius": SAME,
        "°C": SAME,
        "C": SAME,
        "K": Conversion(1.0, -273.15),
        "°F": Conversion(5 / 9, -32 * 5 / 9),
        "F": Conversion(5 / 9, -32 * 5 / 9),
    },
    {"percent": SAME, "%": SAME, "%RH": SAME, "%EL": SAME, "/": Conversion(100.0), "ratio": Conversion(100.0)},
    {"degrees": SAME, "deg": SAME, "°": SAME, "lat": SAME, "lon": SAME, "rad": Conversion(57.29577951308232)},
    {"degrees/s": SAME, "deg/s": SAME, "rad/s": Conversion(57.29577951308232)},
    {
        "rpm": SAME,
        "1/min": SAME,
        "cpm": SAME,
        "bpm": SAME,
        "beat/min": SAME,
        "1/s": Conversion(60.0),
        "Hz": Conversion(60.0),
        "event/min": SAME,
    },
    {
        "s": SAME,
        "Sec": SAME,
        "sec": SAME,
        "ms": Conversion(0.001),
        "min": Conversion(60.0),
        "Min": Conversion(60.0),
        "h": Conversion(3600.0),
        "Hour": Conversion(3600.0),
        "day": Conversion(86_400.0),
    },
    {"W": SAME, "kW": Conversion(1000.0), "MW": Conversion(1_000_000.0), "hp": Conversion(745.69987158227)},
    {
        "kWh": SAME,
        "Wh": Conversion(0.001),
        "J": Conversion(1 / 3_600_000),
        "MJ": Conversion(1 / 3.6),
        "MWh": Conversion(1000.0),
    },
    {"V": SAME, "mV": Conversion(0.001), "kV": Conversion(1000.0)},
    {"A": SAME, "mA": Conversion(0.001)},
    {"Ah": SAME, "C.": Conversion(1 / 3600)},
    {"l": SAME, "L": SAME, "m3": Conversion(1000.0), "ml": Conversion(0.001), "cm^3": Conversion(0.001)},
    {"l/h": SAME, "l/s": Conversion(3600.0), "m3/s": Conversion(3_600_000.0)},
    {"kg": SAME, "g": Conversion(0.001)},
    {"g/s": SAME, "kg/s": Conversion(1000.0)},
    {"Nm": SAME, "N.m": SAME},
    {"N": SAME},
    {"kWh/100km": SAME, "Wh/km": Conversion(0.1), "Wh/k": Conversion(0.1)},
)
_PLACE = {name: (at, conversion) for at, kind in enumerate(_KINDS) for name, conversion in kind.items()}


def conversion(unit: str, wanted: str) -> Conversion | None:
    """How a value in ``unit`` becomes one in ``wanted``; None where that is impossible or not known."""
    if unit == wanted:
        return SAME
    theirs, ours = _PLACE.get(unit), _PLACE.get(wanted)
    if theirs is None or ours is None or theirs[0] != ours[0]:
        return None
    have, want = theirs[1], ours[1]
    return Conversion(have.factor / want.factor, (have.offset - want.offset) / want.factor)
