"""Invented roads between real communes: a metre on the road is a metre on the globe, and a road is always the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.fleet.communes import communes
from pipelines.fleet.network import distances_m, neighbours, places, road, route
from pipelines.fleet.roads import distance_m, make_road

STATIONS = Path(__file__).parents[3] / "../shared/data/datagouv/stations/gares-de-voyageurs_2026-04.csv"
NAMES = [each.name for each in communes()]
PAIRS = neighbours()[::20]


def test_great_circle_distance_of_lille_and_lyon() -> None:
    assert distance_m(50.6292, 3.0573, 45.7640, 4.8357) == pytest.approx(557_000, rel=0.005)
    assert distances_m()[NAMES.index("Lille"), NAMES.index("Lyon")] == pytest.approx(557_000, rel=0.005)


@pytest.mark.skipif(not STATIONS.exists(), reason="the list of stations is not in ../shared/data")
def test_communes_are_where_their_stations_are() -> None:
    stations = pd.read_csv(STATIONS, sep=";", dtype=str, encoding="utf-8-sig")
    position = stations["Position géographique"].str.split(",", expand=True).astype(float)
    codes = stations["Code commune"].str.zfill(5)
    checked = 0
    for each in communes():
        here = position[codes == each.insee]
        if len(here):
            checked += 1
            assert min(distance_m(each.latitude, each.longitude, *spot) for spot in here.to_numpy()) < 3_000, each.name
    assert checked > 100


@pytest.mark.parametrize("pair", PAIRS)
def test_positions_are_as_far_apart_as_the_way(pair: tuple[int, int]) -> None:
    one = road(*pair)
    way = np.arange(0, one.length_m, 100.0)
    latitude, longitude, _ = one.at(way)
    steps = [distance_m(*a, *b) for a, b in zip(zip(latitude, longitude), zip(latitude[1:], longitude[1:]))]  # noqa: B905
    assert sum(steps) == pytest.approx(way[-1], rel=0.02)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_road_is_longer_than_the_line_no_steeper_than_a_road_and_in_france(pair: tuple[int, int]) -> None:
    one = road(*pair)
    assert 1.05 < one.length_m / distances_m()[pair] < 1.36
    assert np.abs(np.gradient(one.altitude_m, one.way_m)).max() < 0.065
    assert 42 < one.latitude.min() < one.latitude.max() < 51.5
    assert -5.5 < one.longitude.min() < one.longitude.max() < 8.5
    assert 4 < one.limit_ms.min() * 3.6 < one.limit_ms.max() * 3.6 <= 130.01


def test_a_road_is_the_same_each_time_and_from_both_ends() -> None:
    one, other = PAIRS[3]
    there, back, again = road(one, other), road(other, one), make_road(communes()[one], communes()[other])
    assert (there.latitude == again.latitude).all()
    assert (there.potholes_m == again.potholes_m).all()
    assert back.latitude[0] == there.latitude[-1]
    assert there.length_m - back.potholes_m[::-1] == pytest.approx(there.potholes_m)
    assert back.curvature.sum() == pytest.approx(-there.curvature.sum())


def test_every_commune_can_be_reached_by_a_sensible_way() -> None:
    way = route(NAMES.index("Lille"), NAMES.index("Marseille"))
    assert way.communes[0] == NAMES.index("Lille")
    assert way.communes[-1] == NAMES.index("Marseille")
    assert 1.05 < way.length_m / distances_m()[NAMES.index("Lille"), NAMES.index("Marseille")] < 1.6
    assert np.diff(way.way_m).max() < 11
    assert all(len(route(0, each).communes) > 1 for each in range(1, len(NAMES), 9))


def test_places_lie_on_their_road() -> None:
    one, other = PAIRS[3]
    found = places({(one, other)})
    line = road(one, other)
    assert sum(each.kind == "pothole" for each in found) == len(line.potholes_m)
    assert sum(each.kind == "braking_spot" for each in found) == len(line.spots_m)
    for each in found:
        assert (
            min(
                distance_m(each.latitude, each.longitude, *point)
                for point in zip(line.latitude[::1], line.longitude[::1], strict=True)
            )
            < 12
        )
        assert each.road == (communes()[one].insee, communes()[other].insee)
