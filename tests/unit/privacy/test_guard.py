from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import GuardError
from pipelines.privacy.guard import MAX_DOMINANCE, MIN_VEHICLES, check_inputs, consented_sql, guarded, is_closed
from pipelines.tables.statements import Statement, Totals

TOTALS = Totals(("distance_km",), ("month", "brand"))


def statement(**changes: Any) -> Statement:
    defaults: dict[str, Any] = {
        "name": "big.things",
        "path": Path("sql/big/things.sql"),
        "sql": "",
        "fingerprint": "",
        "grain": "",
        "privacy": "aggregate",
        "period": "month",
        "before": 0,
        "after": 0,
        "keys": ("month",),
        "columns": dict.fromkeys(("month", "vehicles", "dominance"), ""),
        "inputs": ("small.trips",),
    }
    return Statement(**{**defaults, **changes})


def table(cells: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema(
        [
            ("month", pa.string()),
            ("brand", pa.string()),
            ("model", pa.string()),
            ("vehicles", pa.int64()),
            ("dominance", pa.float64()),
            ("distance_km", pa.float64()),
        ]
    )
    return pa.Table.from_pylist(cells, schema=schema)


def cell(
    model: str, vehicles: int | None, dominance: float | None = 0.1, km: float | None = 1000.0, brand: str = "A"
) -> dict[str, Any]:
    return {
        "month": "2024-05-01",
        "brand": brand,
        "model": model,
        "vehicles": vehicles,
        "dominance": dominance,
        "distance_km": km,
    }


def models(result: pa.Table) -> list[str]:
    return list(result["model"].to_pylist())


def test_cells_of_few_cars_or_of_one_above_all_are_suppressed() -> None:
    verdict = guarded(
        table(
            [
                cell("ten", 10),
                cell("eleven", 11),
                cell("dominated", 50, 0.8501),
                cell("at the limit", 50, 0.85),
                cell("unknown count", None),
                cell("unknown share", 50, None),
            ]
        ),
        None,
    )
    assert models(verdict.cells) == ["eleven", "at the limit"]
    assert verdict.suppressed == 4


def test_dominance_itself_is_not_published() -> None:
    assert "dominance" not in guarded(table([cell("a", 20)]), None).cells.schema.names


def test_one_suppressed_cell_takes_the_next_smallest_of_its_total_with_it() -> None:
    cells = [
        cell("few", 3),
        cell("large", 400),
        cell("small", 12),
        cell("middling", 90),
        cell("other brand", 12, brand="B"),
    ]
    verdict = guarded(table(cells), TOTALS)
    assert models(verdict.cells) == ["large", "middling", "other brand"]
    assert verdict.suppressed == 2


def test_two_suppressed_cells_that_are_still_few_cars_together_take_a_third() -> None:
    verdict = guarded(table([cell("one", 1), cell("two", 2), cell("small", 12), cell("large", 400)]), TOTALS)
    assert models(verdict.cells) == ["large"]


def test_what_is_left_of_a_total_may_not_be_dominated_either() -> None:
    cells = [
        cell("one", 1, 1.0, km=90_000),
        cell("small", 12, 0.1, km=1000),
        cell("mid", 30, 0.1, km=9_000),
        cell("big", 99, 0.1, km=50_000),
    ]
    verdict = guarded(table(cells), TOTALS)
    # 90 000 of 91 000, then of 100 000, then of 150 000: only the third is under 85 %.
    assert models(verdict.cells) == []


def test_without_a_known_total_nothing_more_is_suppressed() -> None:
    assert models(guarded(table([cell("few", 3), cell("small", 12)]), None).cells) == ["small"]


fleets = st.lists(
    st.lists(  # a cell: the kilometres of each of its cars
        st.integers(1, 1000), min_size=1, max_size=30
    ),
    min_size=1,
    max_size=7,
)


@given(st.lists(fleets, min_size=1, max_size=3))
def test_no_published_cell_breaks_the_rules_and_none_is_given_back_by_totals(brands: list[list[list[int]]]) -> None:
    cells = [
        cell(str(index), len(cars), max(cars) / sum(cars), float(sum(cars)), brand=str(brand))
        for brand, fleet in enumerate(brands)
        for index, cars in enumerate(fleet)
    ]
    verdict = guarded(table(cells), TOTALS)
    published = {(row["brand"], row["model"]) for row in verdict.cells.to_pylist()}
    assert len(published) + verdict.suppressed == len(cells)
    for brand, fleet in enumerate(brands):
        hidden = [cars for index, cars in enumerate(fleet) if (str(brand), str(index)) not in published]
        for index, cars in enumerate(fleet):
            if (str(brand), str(index)) in published:
                assert len(cars) >= MIN_VEHICLES
                assert max(cars) / sum(cars) <= MAX_DOMINANCE
        # Where the total itself could be published, what it leaves behind must be publishable too.
        if hidden and len(hidden) < len(fleet):
            together = [km for cars in hidden for km in cars]
            assert len(together) >= MIN_VEHICLES
            assert max(together) / sum(together) <= MAX_DOMINANCE
        unknown = [(str(brand), str(i)) for i in range(len(fleet)) if (str(brand), str(i)) not in published]
        assert not determined([[1] * len(unknown)]) or len(fleet) == 1


def determined(equations: list[list[int]]) -> set[int]:
    """Unknowns that the linear equations give exactly: those whose unit vector lies in the row space (brute force)."""
    if not equations or not equations[0]:
        return set()
    size = len(equations[0])
    rank = _rank(equations)
    return {i for i in range(size) if _rank([*equations, [int(i == j) for j in range(size)]]) == rank}


def _rank(matrix: list[list[int]]) -> int:
    rows = [[Fraction(x) for x in row] for row in matrix]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for other in range(rank + 1, len(rows)):
            factor = rows[other][column] / rows[rank][column]
            rows[other] = [a - factor * b for a, b in zip(rows[other], rows[rank], strict=True)]
        rank += 1
    return rank


def test_the_solver_of_this_test_finds_a_lone_unknown() -> None:
    assert determined([[1]]) == {0}
    assert determined([[1, 1]]) == set()
    assert determined([[1, 1], [0, 1]]) == {0, 1}


@pytest.mark.parametrize(
    ("kind", "period", "last_open", "closed"),
    [
        ("day", "2024-02-29", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        ("month", "2024-12-01", datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
        ("vintage", "2024", datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_period_is_closed_from_its_end_on_in_utc(
    kind: str, period: str, last_open: datetime, closed: datetime
) -> None:
    assert not is_closed(kind, period, last_open)
    assert is_closed(kind, period, closed)


PERSONAL = {"small.trips": "personal"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"privacy": "public"}, ["called public", "small.trips", "aggregate"]),
        ({"privacy": "personal"}, ["personal and in big/", "small/"]),
        ({"columns": {"month": "", "vehicles": ""}}, ["no column dominance", "AS dominance"]),
        ({"columns": {"month": "", "dominance": ""}}, ["no column vehicles", "count(DISTINCT vehicle)"]),
        (
            {"columns": dict.fromkeys(("month", "vehicle", "vehicles", "dominance"), "")},
            ["would publish vehicle", "aggregate over it"],
        ),
        ({"period": "none"}, ["has no period", "month"]),
        ({"totals": Totals(("distance_km",), ("brand",))}, ["across periods", "add month"]),
    ],
)
def test_a_statement_that_would_disclose_is_refused_by_file_and_with_what_to_add(
    changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(GuardError) as refusal:
        check_inputs(statement(**changes), PERSONAL)
    assert "sql/big/things.sql" in str(refusal.value)
    for word in words:
        assert word in str(refusal.value)


def test_a_proper_aggregate_and_a_public_table_of_open_data_pass() -> None:
    check_inputs(statement(), PERSONAL)
    check_inputs(statement(privacy="public", inputs=("core.accidents",)), {"core.accidents": "public"})


def test_an_input_that_does_not_carry_consent_is_refused() -> None:
    with pytest.raises(GuardError, match=r"small\.trips has no column consent"):
        consented_sql("small.trips", "x", ["vehicle"], statement())
