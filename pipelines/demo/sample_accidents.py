"""Invented accidents: what happened, before any vintage's notation.

An accident is drawn as rows of the four BAAC tables under the publisher's column names, with whole numbers and text for
values and None for "not recorded". How a year writes that down is ``sample_notation``'s business, and how often what
happens is ``sample_odds``'s.
"""

# ruff: noqa: PLR2004 - shares, years and codes are the content here

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import TYPE_CHECKING

from pipelines.demo import sample_odds as chance
from pipelines.demo.sample_towns import TOWNS, Town

if TYPE_CHECKING:
    from random import Random

Value = int | float | str | None
Row = dict[str, Value]


@dataclass(frozen=True)
class Accident:
    """One accident: a row of characteristics, and rows of places, vehicles and users that belong to it."""

    caracteristiques: Row
    lieux: list[Row]
    vehicules: list[Row]
    usagers: list[Row]


@dataclass(frozen=True)
class Spot:
    """A black spot: WGS 84 degrees and the street it is in."""

    latitude: float
    longitude: float
    street: str


Spots = Mapping[str, Sequence[Spot]]

KM_PER_DEGREE = 111.2
SPOT_SHARE = 0.45
SPOT_SPREAD_KM = 0.05
TOWN_SPREAD_KM = 2.5
COUNTRY_SPREAD_KM = 12.0


def black_spots(rng: Random) -> dict[str, list[Spot]]:
    """One to three places in each town where accidents come back year after year."""
    return {town.commune: [_spot(rng, town) for _ in range(_spot_count(town))] for town in TOWNS}


def draw_accident(rng: Random, year: int, serial: int, spots: Spots) -> Accident:
    """The ``serial``-th accident of a year; equal arguments give equal accidents."""
    town = chance.TOWN_SINCE_2019(rng) if year >= 2019 else chance.TOWN(rng)  # the year the Pacific joins
    built_up = rng.random() < 0.64
    scene = (chance.SCENES_IN_TOWN if built_up else chance.SCENES_OUTSIDE)(rng)
    month, hour, minute = (
        chance.MONTH(rng),
        chance.HOUR(rng),
        rng.choice((0, 5, 10, 15, 20, 25, 30, 30, 40, 45, 50, rng.randrange(60))),
    )
    weather = chance.WEATHER(rng)
    latitude, longitude, street = _position(rng, town, spots, built_up=built_up)
    number = f"{year}{serial:08}"
    accident: Row = {
        "Num_Acc": number,
        "an": year,
        "mois": month,
        "jour": rng.randint(1, monthrange(year, month)[1]),
        "hrmn": f"{hour:02}:{minute:02}",
        "lum": _light(rng, month, hour + minute / 60, built_up=built_up),
        "dep": town.department,
        "com": town.commune,
        "agg": 2 if built_up else 1,
        "int": (chance.CROSSING_IN_TOWN if built_up else chance.CROSSING_OUTSIDE)(rng),
        "atm": weather,
        "col": scene.collision(rng),
        "adr": street,
        "lat": latitude,
        "long": longitude,
    }
    places = [_place(rng, year, number, street, weather, built_up=built_up)]
    if accident["int"] in (2, 3, 5) and rng.random() < 0.25:
        places.append(_place(rng, year, number, _street(rng), weather, built_up=built_up))
    vehicles: list[Row] = []
    users: list[Row] = []
    for index in range(scene.vehicles(rng)):
        vehicle = _vehicle(rng, year, number, index, scene)
        vehicles.append(vehicle)
        users += _occupants(rng, year, vehicle, built_up=built_up)
    if scene.pedestrian:
        users.append(_pedestrian(rng, year, vehicles[0], built_up=built_up))
    if all(user["grav"] == 1 for user in users):  # nobody hurt would be no accident of this dataset
        rng.choice(users)["grav"] = 4
    return Accident(accident, places, vehicles, users)


def _spot_count(town: Town) -> int:
    return 1 + sum(town.weight > size for size in (5, 15))


def _spot(rng: Random, town: Town) -> Spot:
    latitude, longitude = _near(rng, town.latitude, town.longitude, TOWN_SPREAD_KM)
    return Spot(latitude, longitude, _street(rng))


def _position(rng: Random, town: Town, spots: Spots, *, built_up: bool) -> tuple[float, float, str]:
    if built_up and rng.random() < SPOT_SHARE:
        spot = rng.choice(spots[town.commune])
        return *_near(rng, spot.latitude, spot.longitude, SPOT_SPREAD_KM), spot.street
    spread = TOWN_SPREAD_KM if built_up else COUNTRY_SPREAD_KM
    return *_near(rng, town.latitude, town.longitude, spread), _street(rng)


def _near(rng: Random, latitude: float, longitude: float, spread_km: float) -> tuple[float, float]:
    """A point around another, normally distributed with ``spread_km`` as the standard deviation each way."""
    north, east = rng.gauss(0, spread_km) / KM_PER_DEGREE, rng.gauss(0, spread_km) / KM_PER_DEGREE
    return latitude + north, longitude + east / cos(radians(latitude))


def _street(rng: Random) -> str:
    return f"{rng.choice(chance.STREET_KINDS)} {rng.choice(chance.STREET_NAMES)}"


def _light(rng: Random, month: int, hour: float, *, built_up: bool) -> int:
    rise, fall = chance.SUNRISE[month - 1], chance.SUNSET[month - 1]
    if min(abs(hour - rise), abs(hour - fall)) < 0.4:  # civil twilight, in hours
        return 2
    return 1 if rise < hour < fall else (chance.LAMPS_IN_TOWN if built_up else chance.LAMPS_OUTSIDE)(rng)


def _place(rng: Random, year: int, number: str, street: str, weather: int | None, *, built_up: bool) -> Row:
    category = (chance.ROAD_IN_TOWN if built_up else chance.ROAD_OUTSIDE)(rng)
    outside = chance.LIMITS_OUTSIDE.get(category, chance.LIMIT_OUTSIDE)
    marked = not built_up and category in (1, 2, 3)
    surface = chance.WET if weather in (2, 3) else chance.WINTRY if weather == 4 else chance.DRY
    return {
        "Num_Acc": number,
        "catr": 7 if year >= 2018 and built_up and rng.random() < 0.04 else category,  # a new code
        "voie": str(rng.randint(1, 999)) if category in (1, 2, 3) else street,
        "v1": 0 if rng.random() < 0.9 else None,
        "v2": rng.choice("ABDN") if rng.random() < 0.04 else None,
        "circ": chance.REGIME(rng),
        "nbv": chance.LANES(rng),
        "vosp": chance.RESERVED(rng),
        "prof": chance.GRADIENT(rng),
        "pr": rng.randint(0, 90) if marked else 0 if rng.random() < 0.6 else None,
        "pr1": rng.choice((0, 50, 100, 200, 250, 300, 500, 700, 800, 955)) if marked else None,
        "plan": chance.BENDS(rng),
        "lartpc": round(rng.uniform(0.5, 6), 1) if rng.random() < 0.02 else None,
        "larrout": round(rng.uniform(3, 14), 1) if rng.random() < 0.25 else None,
        "surf": surface(rng),
        "infra": chance.INFRASTRUCTURE(rng),
        "situ": chance.SITUATION(rng),
        "vma": (chance.LIMIT_IN_TOWN if built_up else outside)(rng),
        "env1": chance.SCHOOL(rng),
    }


def _vehicle(rng: Random, year: int, number: str, index: int, scene: chance.Scene) -> Row:
    category = (chance.CATEGORY_SINCE_2019 if year >= 2019 else chance.CATEGORY)(rng)  # the year of the new kinds
    fled = index == 0 and rng.random() < 0.015
    return {
        "Num_Acc": number,
        "num_veh": f"{'Z' if fled else 'ABCD'[index]}01",
        "senc": chance.DIRECTION(rng),
        "catv": category,
        "obs": scene.fixed(rng),
        "obsm": scene.moving,
        "choc": chance.IMPACT(rng),
        "manv": chance.MANOEUVRE(rng),
        "motor": 5 if category == 1 else 3 if category in chance.SCOOTERS else chance.MOTOR(rng),
        "occutc": rng.randint(0, 40) if category in (37, 38, 40) else None,
    }


def _occupants(rng: Random, year: int, vehicle: Row, *, built_up: bool) -> list[Row]:
    category = vehicle["catv"]
    unprotected = category in chance.UNPROTECTED
    hurt = chance.HURT_IN_A_LORRY if category in chance.LARGE else chance.HURT[unprotected, built_up]
    fled = vehicle["num_veh"] == "Z01"
    count = 1 + (
        0
        if category in chance.BICYCLES | chance.SCOOTERS
        else (chance.PILLION if unprotected else chance.PASSENGERS)(rng)
    )
    users = []
    for seat in range(1, count + 1):
        age = int(14 + 74 * rng.betavariate(1.5, 3)) if seat == 1 else int(88 * rng.betavariate(1.2, 2.2))
        users.append(
            _user(rng, vehicle)
            | {
                "place": seat,
                "catu": 1 if seat == 1 else 2,
                "grav": 1 if fled else hurt(rng),
                "sexe": None if fled else 1 + (rng.random() > (0.69 if seat == 1 else 0.45)),
                "trajet": chance.PURPOSE(rng),
                "an_nais": None if fled else year - age,
                "secu1": None if fled else _equipment(rng, unprotected=unprotected),
                "secu2": 6 if unprotected and rng.random() < 0.3 else 0,
            }
        )
    return users


def _equipment(rng: Random, *, unprotected: bool) -> int:
    worn = 2 if unprotected else 1
    return worn if rng.random() < 0.88 else rng.choice((0, 8))


def _pedestrian(rng: Random, year: int, vehicle: Row, *, built_up: bool) -> Row:
    return _user(rng, vehicle) | {
        "place": 10,
        "catu": 3,
        "grav": chance.HURT[True, built_up](rng),
        "sexe": rng.choice((1, 2)),
        "trajet": chance.PURPOSE(rng),
        "an_nais": year - int(3 + 89 * rng.betavariate(1.1, 1.4)),
        "secu1": 0,
        "locp": chance.CROSSING_WHERE(rng),
        "actp": chance.CROSSING_HOW(rng),
        "etatp": chance.COMPANY(rng),
    }


def _user(rng: Random, vehicle: Row) -> Row:
    """What is common to everybody; locp, actp and etatp are a pedestrian's."""
    beside = rng.choice((0, None))
    return {
        "Num_Acc": vehicle["Num_Acc"],
        "num_veh": vehicle["num_veh"],
        "secu2": None,
        "secu3": None,
        "locp": beside,
        "actp": beside,
        "etatp": None,
    }
