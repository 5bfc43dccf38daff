"""Who is in the fleet: enough of two models for the disclosure guard, too few of two others."""

from collections import Counter

from pipelines.fleet.vehicles import fleet


def test_twenty_five_cars_make_two_publishable_models_and_two_rare_ones() -> None:
    cars = fleet(25)
    assert Counter(car.model.name for car in cars) == {"208": 12, "Zoe": 11, "Duster": 1, "Clio": 1}
    statistics = Counter(car.model.name for car in cars if car.consent == "service+statistics")
    assert statistics["208"] >= 11
    assert statistics["Zoe"] >= 11
    assert Counter(car.consent for car in fleet(30)) == {"service+statistics": 28, "service": 1, "silent": 1}
    assert Counter(car.consent for car in cars) == {"service+statistics": 24, "silent": 1}


def test_some_cars_have_two_drivers_and_some_drivers_two_cars() -> None:
    cars = fleet(25)
    assert sum(len(car.drivers) == 2 for car in cars) == 4
    assert max(Counter(driver.name for car in cars for driver in car.drivers).values()) == 2


def test_one_level_for_all() -> None:
    assert {car.consent for car in fleet(25, "silent")} == {"silent"}


def test_ids_are_distinct_and_a_small_fleet_is_the_start_of_a_large_one() -> None:
    assert len({car.vehicle for car in fleet(120)}) == 120
    assert fleet(120)[:5] == fleet(5)
