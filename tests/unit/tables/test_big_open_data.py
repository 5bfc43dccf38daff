"""The big tables over open data on a handful of rows whose sums can be done in the head."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from pipelines.settings import data_folder


def big(name: str, table: str, columns: str, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The rows of sql/big/NAME.sql over ``table``, which alone it reads."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA core")
        con.execute(f"CREATE TABLE core.{table} ({columns})")
        con.executemany(f"INSERT INTO core.{table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        text = (data_folder("sql") / "big" / f"{name}.sql").read_text(encoding="utf-8")
        return con.sql(text).to_arrow_table().to_pylist()


def test_one_commune_written_in_several_ways_is_one() -> None:
    found = big(
        "restaurant_hygiene_by_commune",
        "restaurant_inspections",
        "vintage BIGINT, postcode VARCHAR, commune_name VARCHAR, establishment_id VARCHAR, level_code VARCHAR",
        [
            (2024, "51480", "Œuilly", "a", "1"),
            (2024, "51480", "OEUILLY", "b", "3"),
            (2024, "22300", "L\u2019Île-d'Œx", "c", "2"),
            (2024, "22300", "L'ILE D'OEX", "c", "4"),
            (2024, None, None, "d", "2"),
        ],
    )
    told = {(row["postcode"], row["commune"]): (row["inspections"], row["share_satisfactory"]) for row in found}
    assert told == {
        ("51480", "OEUILLY"): (2, 0.5),
        ("22300", "L'ILE D'OEX"): (2, 0.5),
        ("unknown", "UNKNOWN"): (1, 1.0),
    }


def test_points_of_no_known_commune_are_one_row() -> None:
    columns = (
        "commune VARCHAR, station_id VARCHAR, station_name VARCHAR, address VARCHAR, identified BOOLEAN, power_kw DOUBLE, "
        "access VARCHAR, opening_hours VARCHAR, accessibility_code VARCHAR, updated_on DATE"
    )
    day = date(2024, 1, 2)
    found = big(
        "charging_coverage",
        "charge_points",
        columns,
        [
            (None, None, "a", "x", False, 22.0, "open to all", "24/7", "Non accessible", day),
            (None, None, "a", "x", False, None, None, None, None, None),
            ("2A004", "S1", "b", "y", True, 50.0, "reserved", "Mo-Fr 08:00-12:00", "Réservé PMR", day),
            ("97411", "S2", "c", "z", True, 150.0, "reserved", "Mo-Su 24/7", None, day),
            ("97411", "S2", "c", "z", True, 49.9, "open to all", "24/7", None, day),
        ],
    )
    told = {row["commune"]: row for row in found}
    assert {name: (row["department"], row["points"], row["stations"]) for name, row in told.items()} == {
        "unknown": (None, 2, 1),
        "2A004": ("2A", 1, 1),
        "97411": ("974", 2, 1),
    }
    reunion = told["97411"]
    assert (reunion["points_fast"], reunion["points_ultra_fast"], reunion["points_always_open"]) == (1, 1, 2)
    assert (reunion["power_kw"], reunion["most_power_kw"], reunion["points_open_to_all"]) == (199.9, 150.0, 1)
    assert told["unknown"]["points_unidentified"] == 2


def test_prices_count_what_can_be_compared_and_say_how_much_cannot() -> None:
    columns = (
        "vintage BIGINT, commune VARCHAR, commune_name VARCHAR, department VARCHAR, price_eur DECIMAL(18, 2), "
        "dwelling_m2 BIGINT, houses BIGINT, flats BIGINT, business_premises BIGINT, nature VARCHAR, ambiguous BOOLEAN"
    )
    place = (2024, "01004", "AMBERIEU", "01")
    found = big(
        "property_prices_by_commune",
        "property_sales",
        columns,
        [
            (*place, Decimal("100000.01"), 50, 1, 0, 0, "sale", False),
            (*place, Decimal("200000.02"), 80, 1, 0, 0, "sale", False),
            (*place, Decimal("900000.07"), 100, 1, 0, 0, "sale off plan", False),
            (*place, Decimal("1.00"), 100, 2, 0, 0, "sale", False),  # two houses
            (*place, Decimal("1.00"), 100, 1, 1, 0, "sale", False),  # a house and a flat
            (*place, Decimal("1.00"), 100, 1, 0, 1, "sale", False),  # with a shop
            (*place, Decimal("1.00"), 100, 1, 0, 0, "exchange", False),
            (*place, Decimal("1.00"), 100, 1, 0, 0, "sale", True),
            (*place, Decimal("0.00"), 100, 1, 0, 0, "sale", False),
            (*place, None, 100, 1, 0, 0, "sale", False),
            (*place, Decimal("1.00"), None, 1, 0, 0, "sale", False),
            (*place, Decimal("5.00"), None, 0, 0, 0, "sale", False),  # land
        ],
    )
    (row,) = found
    assert (row["kind"], row["sales"], row["left_out"]) == ("house", 3, 8)
    assert (row["total_eur"], row["median_eur"]) == (Decimal("1200000.10"), Decimal("200000.02"))
    assert (row["median_eur_per_m2"], row["median_m2"]) == (2500.0, 80.0)
