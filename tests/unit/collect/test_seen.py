from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.collect.seen import Runs, Seen


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6))))
def test_runs_are_a_set(spans: list[tuple[int, int]]) -> None:
    runs, truth = Runs(), set[int]()
    for first, length in spans:
        runs.add(first, first + length)
        truth.update(range(first, first + length + 1))
        assert {number for number in range(-1, 60) if number in runs} == truth
    assert len(runs) == sum(1 for number in truth if number - 1 not in truth)


def test_a_boot_in_order_is_one_run() -> None:
    runs = Runs()
    for number in range(100_000):
        runs.add(number, number)
    assert len(runs) == 1


def test_messages_are_known_by_car_boot_and_number() -> None:
    seen = Seen()
    seen.add("car", "boot", 5, 9, 0)
    assert seen.has("car", "boot", 5)
    assert seen.has("car", "boot", 9)
    assert not seen.has("car", "boot", 10)
    assert not seen.has("car", "other", 5)
    assert not seen.has("other", "boot", 5)


def test_poison_is_known_by_sender_and_bytes() -> None:
    seen = Seen()
    assert seen.add_poison("telemetry:car", b"x")
    assert not seen.add_poison("telemetry:car", b"x")
    assert seen.add_poison("telemetry:other", b"x")
    assert seen.add_poison("consent:car", b"x")
    assert seen.add_poison("telemetry:car", b"y")


def test_old_boots_are_forgotten() -> None:
    seen = Seen()
    seen.add("car", "old", 0, 0, 100)
    seen.add("car", "new", 0, 0, 100)
    seen.add("car", "new", 1, 1, 200)
    seen.forget(150)
    assert seen.has("car", "new", 0)
    assert seen.has("car", "new", 1)
    assert not seen.has("car", "old", 0)
