"""A trip as it is planned, and as it really was: the truth to hold results against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pipelines.fleet.communes import communes

if TYPE_CHECKING:
    import uuid

    from numpy.typing import NDArray

    from pipelines.fleet.batches import Row
    from pipelines.fleet.cycles.file import Cycle
    from pipelines.fleet.drive import Moment
    from pipelines.fleet.models import Park
    from pipelines.fleet.network import Route
    from pipelines.fleet.vehicles import Car, Driver

    Array = NDArray[np.float64]

HARSH_ACCELERATION, HARSH_BRAKING = 0.25 * 9.81, 0.30 * 9.81
"""Mean over a second, m/s², from which ``TripTruth`` counts an event (0.25 g and 0.30 g)."""

_J_PER_KWH = 3.6e6


@dataclass(frozen=True)
class TripTruth:
    """What really happened on a trip, to hold results against.

    Args:
        vehicle: id of the car.
        driver: who drove.
        consent: level in force.
        brand: of the car.
        model: of the car.
        boot: identity of the trip's messages.
        start: instant of the first row (UTC).
        end: instant of the last row (UTC).
        rows: rows of the trip.
        origin: INSEE code of the commune it began in.
        destination: INSEE code of the commune it ended in.
        reason: ``work``, ``outing``, ``holiday`` or ``cycle``.
        mass_kg: of the car with all that was in it.
        distance_m: length of the way.
        stops: times it came to a standstill before the end.
        fuel_l: fuel burnt; 0 for an electric car.
        battery_kwh: energy out of the battery less what came back; 0 for a combustion car.
        wheel_kwh: work of the wheels while they drove.
        gear_shifts: changes from one gear to another.
        harsh_accelerations: times that ``HARSH_ACCELERATION`` was reached.
        harsh_brakings: times that ``HARSH_BRAKING`` was reached.
        potholes: potholes driven through.
        spots: braking spots passed, whether or not there was hard braking.
    """

    vehicle: str
    driver: str
    consent: str
    brand: str
    model: str
    boot: str
    start: datetime
    end: datetime
    rows: int
    origin: str
    destination: str
    reason: str
    mass_kg: float
    distance_m: float
    stops: int
    fuel_l: float
    battery_kwh: float
    wheel_kwh: float
    gear_shifts: int
    harsh_accelerations: int
    harsh_brakings: int
    potholes: int
    spots: int


@dataclass(frozen=True)
class Plan:
    """A trip that is to be driven.

    Args:
        car: which car.
        number: which of its trips, from 0; even ones leave home, odd ones return.
        boot: identity of its messages.
        departure_ms: first row (epoch, milliseconds).
        hz: rows a second.
        route: from where to where.
        reason: of the trip.
        cycle: the cycle that it drives instead of the route's limits, on the flat.
        signals: signals a row; the core when absent.
    """

    car: Car
    number: int
    boot: uuid.UUID
    departure_ms: int
    hz: float
    route: Route
    reason: str
    cycle: Cycle | None = None
    signals: int | None = None

    @property
    def driver(self) -> Driver:
        """Whose turn it is."""
        return self.car.drivers[self.number % len(self.car.drivers)]

    @property
    def shift_rpm(self) -> float:
        """Engine speed at which the driver takes the next gear."""
        return self.car.shift_rpm(self.driver.style)


def account(plan: Plan, car: Park, rows: list[Row], moment: Moment, burnt: Array, hz: float) -> TripTruth:
    """The truth of one trip, from its moments (arrays of shape (samples,)) at ``hz`` and the litres burnt so far."""
    moving, geared = moment.speed > 0, moment.gear > 0
    second = max(1, round(hz))
    felt = np.convolve(moment.acceleration, np.ones(second) / second, "same")
    places, route = communes(), plan.route
    return TripTruth(
        vehicle=plan.car.vehicle,
        driver=plan.driver.name,
        consent=plan.car.consent,
        brand=plan.car.model.brand,
        model=plan.car.model.name,
        boot=str(plan.boot),
        start=datetime.fromtimestamp(rows[0][0] / 1000, UTC),
        end=datetime.fromtimestamp(rows[-1][0] / 1000, UTC),
        rows=len(rows),
        origin=places[route.communes[0]].insee,
        destination=places[route.communes[-1]].insee,
        reason=plan.reason,
        mass_kg=float(car.mass_kg[0]),
        distance_m=float(moment.way[-1]),
        stops=int((moving[:-1] & ~moving[1:]).sum()) - 1,
        fuel_l=float(burnt[-1]),
        battery_kwh=float(moment.battery_w.sum()) / hz / _J_PER_KWH,
        wheel_kwh=float(np.maximum(moment.wheel_w, 0).sum()) / hz / _J_PER_KWH,
        gear_shifts=int(((moment.gear[1:] != moment.gear[:-1]) & geared[1:] & geared[:-1]).sum()),
        harsh_accelerations=_times(felt >= HARSH_ACCELERATION),
        harsh_brakings=_times(felt <= -HARSH_BRAKING),
        potholes=0 if plan.cycle else len(route.potholes_m),
        spots=0 if plan.cycle else len(route.spots_m),
    )


def _times(happens: NDArray[np.bool_]) -> int:
    return int((happens[1:] & ~happens[:-1]).sum() + happens[0])
