"""Free trips: they arrive, obey limits and nature, remember places; and whole fleets at once."""

import io
import json
import uuid
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest

from pipelines.contracts.signals import load_signals
from pipelines.errors import SettingsError
from pipelines.fleet.batches import CONTENT_TYPES, Head, encode, wire_named
from pipelines.fleet.communes import communes
from pipelines.fleet.crowd import FUSION_BYTES_S, Crowd, Load, fusion
from pipelines.fleet.holidays import is_public_holiday, school_holiday
from pipelines.fleet.itinerary import travels
from pipelines.fleet.network import distances_m, route
from pipelines.fleet.trips import CarState, drive_together, range_m
from pipelines.fleet.truth import Plan
from pipelines.fleet.vehicles import fleet

DAY = date(2026, 9, 1)
SOC = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Current"
GEAR = "Vehicle.Powertrain.Transmission.CurrentGear"
RPM = "Vehicle.Powertrain.CombustionEngine.Speed"
NAMES = [each.name for each in communes()]


@pytest.fixture(scope="module")
def driven() -> list:
    cars = fleet(24)
    way = route(NAMES.index("Lille"), NAMES.index("Lens"))
    plans = [Plan(car, 0, uuid.UUID(int=car.number), 1_790_000_000_000, 1, way, "work") for car in cars]
    states = [CarState(1e6, 0.5, 0.8) for _ in cars]
    return [
        (plan, *each) for plan, each in zip(plans, drive_together(plans, states, np.random.default_rng(1)), strict=True)
    ]


def values(rows: list, path: str) -> np.ndarray:
    return np.array([row[path] for _, row in rows])


def test_every_trip_begins_and_ends_standing_and_is_as_long_as_its_road(driven: list) -> None:
    for plan, rows, truth in driven:
        speed = values(rows, "Vehicle.Speed")
        assert not speed[:5].any()
        assert not speed[-4:].any()
        assert truth.distance_m == pytest.approx(plan.route.length_m, abs=2)
        assert speed.sum() / 3.6 == pytest.approx(truth.distance_m, rel=1e-3)


def test_nobody_drives_much_faster_than_allowed(driven: list) -> None:
    for plan, rows, _ in driven:
        at = values(rows, "Vehicle.TraveledDistance") - rows[0][1]["Vehicle.TraveledDistance"]
        limit = np.interp(at, plan.route.way_m, plan.route.limit_ms) * 3.6
        near = np.maximum.reduce([np.roll(limit, shift) for shift in range(-3, 4)])
        assert (values(rows, "Vehicle.Speed") <= near * 1.06 * np.exp(0.1) + 4).all()


def test_accelerations_are_a_drivers_and_a_sporty_one_is_harsher(driven: list) -> None:
    harsh: dict[float, list[int]] = defaultdict(list)
    for plan, rows, truth in driven:
        change = values(rows, "Vehicle.Acceleration.Longitudinal")
        assert change.max() < 3
        assert change.min() > -6
        harsh[plan.driver.style.acceleration].append(truth.harsh_accelerations + truth.harsh_brakings)
    assert np.mean(harsh[1.6]) > np.mean(harsh[1.0]) >= np.mean(harsh[0.75])


def test_the_truth_counts_what_the_rows_show(driven: list) -> None:
    for plan, rows, truth in driven:
        change = values(rows, "Vehicle.Acceleration.Longitudinal")
        starts = np.diff((change <= -0.3 * 9.81).astype(int), prepend=0) == 1
        assert truth.harsh_brakings == pytest.approx(starts.sum(), abs=1)
        if plan.car.model.powertrain == "COMBUSTION":
            gear = values(rows, "Vehicle.Powertrain.Transmission.CurrentGear")
            shifts = (np.diff(gear) != 0) & (gear[1:] > 0) & (gear[:-1] > 0)
            assert truth.gear_shifts == shifts.sum() > 10
            assert values(rows, "Vehicle.OBD.FuelRate").sum() / 3600 == pytest.approx(truth.fuel_l, rel=1e-3)


def test_potholes_shake_every_car_at_the_places_that_the_truth_knows(driven: list) -> None:
    for plan, rows, truth in driven:
        assert truth.potholes == len(plan.route.potholes_m) > 0
        jolts = np.abs(values(rows, "Vehicle.Acceleration.Vertical")) > 2.5
        at = (values(rows, "Vehicle.TraveledDistance") - rows[0][1]["Vehicle.TraveledDistance"])[jolts]
        speed = values(rows, "Vehicle.Speed")[jolts] / 3.6
        for place, reach in zip(at, speed + 3, strict=True):
            assert np.abs(plan.route.potholes_m - place).min() < reach
        assert jolts.sum() >= 0.6 * truth.potholes


def test_people_brake_hard_at_the_spots_more_than_elsewhere(driven: list) -> None:
    near = far = 0
    for plan, rows, _ in driven:
        hard = values(rows, "Vehicle.Acceleration.Longitudinal") < -3.4
        at = (values(rows, "Vehicle.TraveledDistance") - rows[0][1]["Vehicle.TraveledDistance"])[hard]
        closest = np.array([np.abs(plan.route.spots_m - place).min() for place in at])
        near, far = near + int((closest < 150).sum()), far + int((closest >= 150).sum())
    assert near > 3 * far


def test_a_car_works_on_weekdays_and_goes_far_in_its_holidays() -> None:
    reasons: Counter[str] = Counter()
    for number in range(60):
        for travel in islice(travels(date(2026, 7, 1), np.random.default_rng(number)), 60):
            day = travel.departure.date()
            distance = distances_m()[travel.origin, travel.destination]
            reasons[travel.reason] += 1
            if travel.reason == "work":
                assert day.weekday() < 5
                assert not is_public_holiday(day)
                assert 9_000 <= distance <= 45_000
            if travel.reason == "holiday":
                assert distance > 100_000
                home = {travel.origin, travel.destination}
                assert any(school_holiday(communes()[each].zone, day) for each in home)
                assert any(communes()[each].is_resort for each in home)
    assert min(reasons.values()) > 30
    assert set(reasons) == {"work", "outing", "holiday"}


def test_even_trips_leave_home_and_odd_ones_return_in_order() -> None:
    trips = list(islice(travels(DAY, np.random.default_rng(3)), 40))
    assert {trip.origin for trip in trips[::2]} == {trips[0].origin}
    assert all(out.destination == back.origin for out, back in zip(trips[::2], trips[1::2], strict=True))
    assert [trip.departure for trip in trips] == sorted(trip.departure for trip in trips)


# -- whole fleets ----------------------------------------------------------------------------------------------------


def crowd(wire: str = "json", cars: int = 30, **changes: float) -> Crowd:
    load = Load(**{"hz": 1.0, "signals": 40, "batch": 10, "wire": wire, **changes})  # type: ignore[arg-type]
    return Crowd(fleet(cars), load, 1_790_000_000_000, DAY, seed=1)


def test_a_crowd_sends_each_row_of_each_car_once_in_order_with_forty_known_signals() -> None:
    known = load_signals()
    many = crowd()
    seen: dict[str, list[int]] = defaultdict(list)
    seqs: dict[str, list[int]] = defaultdict(list)
    ends = []
    for message in many.messages(35):
        batch = json.loads(message.payload)
        seqs[batch["boot"]].append(batch["seq"])
        ends.append(message.ends_ms)
        for dt, row in batch["rows"]:
            seen[message.vehicle].append(batch["t0"] + dt)
            assert len(row) == 40
            for path, value in row.items():
                assert (
                    type(value) is {"integer": int, "float": float, "boolean": bool, "enum": str}[known[path].type]
                ), path
                signal = known[path]
                assert not isinstance(value, float | int) or signal.minimum is None or value >= signal.minimum, path
    assert ends == sorted(ends)
    assert len(seen) == 30
    assert all(instants == [1_790_000_000_000 + 1000 * second for second in range(35)] for instants in seen.values())
    assert all(each == list(range(len(each))) for each in seqs.values())
    truth = {each.vehicle: each for each in many.truth}
    assert {each.rows for each in truth.values()} == {35}
    assert sum(each.distance_m for each in truth.values()) > 30 * 20


def test_a_crowd_that_has_not_moved_yet_has_a_truth() -> None:
    still = crowd()
    assert list(still.messages(0.3)) == []
    assert {(each.rows, each.distance_m, each.fuel_l, each.battery_kwh) for each in still.truth} == {(0, 0, 0, 0)}


def test_a_diesel_in_a_crowd_shifts_up_at_four_fifths_of_its_drivers_style() -> None:
    # Who drives hastily also shifts down for power, and is then above it.
    calm = [car for car in fleet(240) if car.drivers[0].style.acceleration <= 1]
    cars = [car for car in calm if car.model.fuel == "diesel"]
    seen: dict[str, list[float]] = defaultdict(list)
    for message in Crowd(cars, Load(5.0, 60, 10, "json"), 0, DAY, seed=1).messages(60):
        for _, row in json.loads(message.payload)["rows"]:
            if 0 < row[GEAR] < 4:
                seen[message.vehicle].append(row[RPM])
    for car in cars:
        style = car.drivers[0].style.shift_rpm
        assert 0.7 * style < max(seen[car.vehicle]) <= 0.81 * style, car.vehicle


def test_the_same_crowd_sends_the_same_bytes_and_another_seed_others() -> None:
    one, same = ([message.payload for message in crowd().messages(12)] for _ in range(2))
    assert one == same
    other = Crowd(fleet(30), Load(1.0, 40, 10, "json"), 1_790_000_000_000, DAY, seed=2)
    assert not set(one) & {message.payload for message in other.messages(12)}


def test_a_crowd_says_the_same_in_every_format() -> None:
    texts = [json.loads(message.payload) for message in crowd("json", 5).messages(20)]
    packs = [json.loads(message.payload) for message in crowd("senml", 5).messages(20)]
    streams = [pa.ipc.open_stream(io.BytesIO(message.payload)).read_all() for message in crowd("arrow", 5).messages(20)]
    assert len(texts) == len(packs) == len(streams)
    for text, pack, table in zip(texts, packs, streams, strict=True):
        rows = table.to_pylist()
        assert [{path: row[path] for path in row if path != "dt_ms"} for row in rows] == [
            row for _, row in text["rows"]
        ]
        assert [row["dt_ms"] for row in rows] == [dt for dt, _ in text["rows"]]
        assert json.loads(table.schema.metadata[b"rocade"]).keys() == {"vss", "boot", "seq", "t0", "driver"}
        spoken = [(each["n"], each.get("t", 0), each.get("v", each.get("vb", each.get("vs")))) for each in pack]
        assert spoken == [(path, dt / 1000, value) for dt, row in text["rows"] for path, value in row.items()]
        assert pack[0]["bt"] == text["t0"] / 1000


@pytest.mark.parametrize("wire", ["json", "arrow"])
def test_a_fusion_makes_twenty_gigabytes_an_hour_of_eight_hundred_signals(wire: str) -> None:
    car = fleet(1)[0]
    load = fusion(car, wire_named(wire), DAY)
    messages = list(Crowd([car], load, 0, DAY, seed=1).messages(2))
    assert {message.readings / message.rows for message in messages} == {800}
    assert sum(len(message.payload) for message in messages) / 2 == pytest.approx(FUSION_BYTES_S, rel=0.1)


def test_an_arrow_batch_has_nulls_where_nothing_was_read() -> None:
    message = encode(Head("car-01", "b", 3), [(1000, {"a": 1, "s": "x"}), (1500, {"b": True})], "arrow")
    table = pa.ipc.open_stream(io.BytesIO(message.payload)).read_all()
    assert table.to_pylist() == [
        {"dt_ms": 0, "a": 1, "s": "x", "b": None},
        {"dt_ms": 500, "a": None, "s": None, "b": True},
    ]
    assert message.content_type == CONTENT_TYPES["arrow"]
    assert json.loads(table.schema.metadata[b"rocade"]) == {"vss": "6.0", "boot": "b", "seq": 3, "t0": 1000}
    with pytest.raises(SettingsError, match="no wire format"):
        wire_named("xml")


def test_an_electric_car_goes_no_further_than_its_battery() -> None:
    (electric,) = {car.model for car in fleet(24) if car.model.powertrain == "ELECTRIC"}
    car = next(car for car in fleet(24) if car.model is electric)
    reach = range_m(car)
    assert reach == pytest.approx(electric.battery_kwh / 0.25 * 1000)
    away = [
        route(each.origin, each.destination).length_m
        for seed in range(40)
        for each in islice(travels(date(2026, 10, 10), np.random.default_rng(seed), reach), 60)
    ]
    assert max(away) < reach
    assert any(each > 100_000 for each in away)  # it still goes on holiday
    far = next(
        Plan(car, 0, uuid.UUID(int=1), 1_790_000_000_000, 1, way, "holiday")
        for seed in range(200)
        for each in islice(travels(date(2026, 10, 10), np.random.default_rng(seed), reach), 60)
        if (way := route(each.origin, each.destination)).length_m > 0.7 * reach
    )
    ((rows, truth),) = drive_together([far], [CarState(0, 1, 0.4)], np.random.default_rng(1))
    charge = [row[SOC] for _, row in rows if SOC in row]
    assert charge[0] > 99  # charged before it leaves
    assert charge[-1] == pytest.approx(
        100 * (1 - truth.battery_kwh / electric.battery_kwh), abs=2
    )  # the cells lose a little
    assert charge[-1] > 0


def test_departures_are_local_time() -> None:
    first = next(travels(DAY, np.random.default_rng(1))).departure
    assert first.utcoffset() is not None
    assert 4 <= first.astimezone(UTC).hour <= 9
    assert first.date() >= datetime(2026, 9, 1, tzinfo=UTC).date()
