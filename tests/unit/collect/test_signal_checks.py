from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.collect.checks import LONGEST_TEXT, REASONS, TYPES, Rules
from pipelines.collect.values import BOOLEAN, FLOAT, INTEGER, LIST, OTHER, TEXT, split_values
from pipelines.contracts.signals import Signal


def signal(
    path: str, kind: Any, unit: str = "", low: float | None = None, high: float | None = None, *allowed: str
) -> Signal:
    return Signal(path, kind, unit, low, high, allowed, "rocade")


CATALOGUE = {
    each.path: each
    for each in (
        signal("Speed", "float", "km/h", -50, 400),
        signal("Free", "float", "m"),
        signal("Gear", "integer", "", -10, 10),
        signal("Pedal", "integer", "percent", 0, 100),
        signal("Moving", "boolean"),
        signal("Mode", "enum", "", None, None, "OFF", "SLOW"),
        signal("Brand", "text"),
    )
}

CASES: list[tuple[str, object, str | None, str]] = [
    ("Speed", 50, None, ""),
    ("Speed", -50, None, ""),
    ("Speed", 400.0, None, ""),
    ("Speed", 400.1, "out_of_range", "Speed = 400.1 km/h is above the maximum 400"),
    ("Speed", -51, "out_of_range", "Speed = -51 km/h is below the minimum -50"),
    ("Speed", "fast", "wrong_type", "Speed = 'fast' is a text where the catalogue has float"),
    ("Speed", True, "wrong_type", "Speed = True is a boolean"),
    ("Speed", None, "wrong_type", "Speed = null is no number, boolean, text or list"),
    ("Speed", [1, 2], "wrong_type", "Speed = [1,2] is a list"),
    ("Speed", {"a": 1}, "wrong_type", 'Speed = {"a":1} is no number, boolean, text or list'),
    ("Free", 1e300, None, ""),
    ("Free", float("inf"), "out_of_range", "Free = inf m is above"),
    ("Gear", 3.0, None, ""),
    ("Gear", 2.5, "wrong_type", "Gear = 2.5 is not a whole number"),
    ("Gear", 11, "out_of_range", "above the maximum 10"),
    ("Pedal", 12.5, None, ""),
    ("Moving", False, None, ""),
    ("Moving", 1, "wrong_type", "Moving = 1 is a number where the catalogue has boolean"),
    ("Mode", "SLOW", None, ""),
    ("Mode", "slow", "out_of_range", "Mode = 'slow' is none of OFF, SLOW"),
    ("Mode", 3, "wrong_type", "Mode = 3 is a number where the catalogue has enum"),
    ("Brand", "Renault", None, ""),
    ("Brand", 5, "wrong_type", "Brand = 5 is a number"),
    ("Brand", ["a", "b"], None, ""),
    ("Brand", {"a": 1}, "wrong_type", 'Brand = {"a":1} is no number, boolean, text or list'),
    ("Brand", "x" * LONGEST_TEXT, None, ""),
    ("Brand", "x" * (LONGEST_TEXT + 1), "out_of_range", "longer than 4096 characters"),
    ("Mode", ["OFF"], "wrong_type", "is a list where the catalogue has enum"),
    ("Colour", "red", None, ""),
    ("Colour", 900, None, ""),
    ("Colour", True, None, ""),
    ("Colour", 2**53 - 1, None, ""),
    ("Colour", 2**53 + 1, "out_of_range", "cannot be kept exactly"),
    ("Colour", float(2**60), None, ""),
    ("Colour", [1], "wrong_type", "Colour, which the catalogue does not have, is a list"),
    ("Colour", None, "wrong_type", "send a number, a boolean or a text"),
]


def judged(cases: list[tuple[str, object, str | None, str]]) -> tuple[list[str | None], list[str]]:
    rules = Rules(CATALOGUE)
    paths = [case[0] for case in cases]
    values = split_values([case[1] for case in cases])
    numbers = {path: at for at, path in enumerate(CATALOGUE)}
    code = np.array([numbers.get(path, len(numbers)) for path in paths], np.int32)
    reasons = rules.judge(code, values)
    told = [
        rules.explain(reason, signal, path, kind, number, text) if reason else ""
        for reason, signal, path, kind, number, text in zip(
            reasons.tolist(),
            code.tolist(),
            paths,
            values.kinds.tolist(),
            values.numbers.tolist(),
            values.texts.to_pylist(),
            strict=True,
        )
    ]
    return [REASONS[reason] for reason in reasons], told


def test_a_mixed_batch_is_judged_value_by_value() -> None:
    reasons, told = judged(CASES)
    assert reasons == [case[2] for case in CASES]
    for case, detail in zip(CASES, told, strict=True):
        assert case[3] in detail, case


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}={case[1]}")
def test_the_verdict_does_not_depend_on_the_company(case: tuple[str, object, str | None, str]) -> None:
    assert judged([case])[0] == [case[2]]


def test_every_fault_says_what_to_do() -> None:
    for case, detail in zip(CASES, judged(CASES)[1], strict=True):
        assert any(word in detail for word in ("correct", "check", "send")) == (case[2] is not None)


def test_a_reading_has_the_type_of_the_catalogue_or_else_its_own() -> None:
    cases = [
        ("Speed", 1, "float"),
        ("Gear", 3, "integer"),
        ("Pedal", 12.5, "float"),  # finer than the bus of the catalogue
        ("Moving", True, "boolean"),
        ("Mode", "OFF", "enum"),
        ("Brand", "x", "text"),
        ("Colour", 1, "integer"),
        ("Colour", 1.0, "float"),
        ("Colour", False, "boolean"),
        ("Colour", "red", "text"),
    ]
    numbers = {path: at for at, path in enumerate(CATALOGUE)}
    code = np.array([numbers.get(path, len(numbers)) for path, _, _ in cases], np.int32)
    types = Rules(CATALOGUE).types(code, split_values([value for _, value, _ in cases]))
    assert [TYPES[each] for each in types] == [wanted for _, _, wanted in cases]


def test_values_keep_their_kind() -> None:
    values = split_values([1, 2.5, True, False, "x", None, [1]])
    assert values.kinds.tolist() == [INTEGER, FLOAT, BOOLEAN, BOOLEAN, TEXT, OTHER, LIST]
    np.testing.assert_array_equal(values.numbers, [1, 2.5, 1, 0, np.nan, np.nan, np.nan])
    assert values.texts.to_pylist() == [None, None, None, None, "x", "null", "[1]"]
    numbers = split_values([1, 2**63, 2.5], FLOAT)
    assert numbers.numbers.tolist() == [1, float(2**63), 2.5]
    assert numbers.texts.null_count == 3
    assert len(split_values([]).numbers) == 0


@pytest.mark.parametrize("expected", [FLOAT, BOOLEAN, TEXT, None])
@pytest.mark.parametrize("values", [[1, 2.5], [True, False], ["a", "b"], [1, True, "x", None]])
def test_what_is_expected_of_values_changes_none(values: list[object], expected: int | None) -> None:
    found, plain = split_values(values, expected), split_values(values)
    np.testing.assert_array_equal(found.numbers, plain.numbers)
    assert found.texts.equals(plain.texts)
    np.testing.assert_array_equal(np.maximum(found.kinds, INTEGER), np.maximum(plain.kinds, INTEGER))
