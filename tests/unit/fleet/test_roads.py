"""Invented roads: a metre on the road is a metre on the globe."""

import numpy as np
import pytest

from pipelines.fleet.roads import distance_m, random_route


def test_great_circle_distance_of_lille_and_lyon() -> None:
    assert distance_m(50.6292, 3.0573, 45.7640, 4.8357) == pytest.approx(557_000, rel=0.005)


@pytest.mark.parametrize("seed", range(10))
def test_positions_are_as_far_apart_as_the_way(seed: int) -> None:
    route = random_route(np.random.default_rng(seed))
    way = np.arange(0, route.length_m, 100.0)
    latitude, longitude, _ = route.at(way)
    steps = [distance_m(*a, *b) for a, b in zip(zip(latitude, longitude), zip(latitude[1:], longitude[1:]))]  # noqa: B905
    assert sum(steps) == pytest.approx(way[-1], rel=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_a_road_bends_and_rises_like_a_road(seed: int) -> None:
    route = random_route(np.random.default_rng(seed))
    straight = distance_m(route.latitude[0], route.longitude[0], route.latitude[-1], route.longitude[-1])
    assert 1.14 < route.length_m / straight < 1.36
    assert np.abs(route.grade(route.way_m)).max() < 0.06
    assert 43 < route.latitude.min() < 51
    assert 1 < route.longitude.min() < 6


def test_a_road_that_is_not_hilly_is_flat() -> None:
    grade = random_route(np.random.default_rng(1), hilly=False).grade(np.arange(1000.0))
    assert np.abs(grade).max() < 1e-9
