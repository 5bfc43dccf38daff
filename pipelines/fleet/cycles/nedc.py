"""The New European Driving Cycle, from its definition in UN Regulation 83, annex 4a.

Four elementary urban cycles of 195 s (part one) and one extra-urban cycle of 400 s (part two): 1180 s and 11.0 km. Each
is a table of phases of constant acceleration, so its speed is a polyline. JRC's list of the same cycle
begins with second 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet.cycles.file import Cycle

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECONDS = 1180
"""Length of the whole cycle."""

# Corners (second, km/h) of the polylines. Sums of the phases' durations; speeds at the end of each phase.
_URBAN = (
    (0, 0), (11, 0), (15, 15), (23, 15), (25, 10), (28, 0),
    (49, 0), (54, 15), (56, 15), (61, 32), (85, 32), (93, 10), (96, 0),
    (117, 0), (122, 15), (124, 15), (133, 35), (135, 35), (143, 50), (155, 50), (163, 35), (176, 35), (178, 32),
    (185, 10), (188, 0), (195, 0),
)  # fmt: skip
_EXTRA_URBAN = (
    (0, 0), (20, 0), (25, 15), (27, 15), (36, 35), (38, 35), (46, 50), (48, 50), (61, 70), (111, 70), (119, 50),
    (188, 50), (201, 70), (251, 70), (286, 100), (316, 100), (336, 120), (346, 120), (362, 80), (370, 50), (380, 0),
    (400, 0),
)  # fmt: skip
_URBAN_REPEATS = 4
_URBAN_SECONDS = _URBAN[-1][0]


def nedc() -> NDArray[np.float64]:
    """Speed in m/s at 0, 1, … 1180 s: all corners are at whole seconds, so nothing lies between."""
    corners = [
        (repeat * _URBAN_SECONDS + second, speed) for repeat in range(_URBAN_REPEATS) for second, speed in _URBAN
    ]
    corners += [(_URBAN_REPEATS * _URBAN_SECONDS + second, speed) for second, speed in _EXTRA_URBAN]
    seconds, speeds = np.array(corners, dtype=float).T
    return np.asarray(np.interp(np.arange(SECONDS + 1), seconds, speeds) / 3.6)


def nedc_cycle() -> Cycle:
    """The same as a cycle, a point a second, on the flat; ``Cycle.at`` samples it at other rates."""
    speed = nedc()
    return Cycle("nedc", np.arange(len(speed), dtype=float), speed, np.zeros(len(speed)))
