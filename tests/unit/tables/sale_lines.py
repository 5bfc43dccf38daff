"""Published lines of sales as core.property_sale_lines has them, and readers of what the statement makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from pipelines.contracts import load_contract
from pipelines.demo.sample_property import Line, Sale, parcel
from pipelines.tables.statements import read_statement

STATEMENT = read_statement(Path(__file__).parents[3] / "sql/core/property_sales.sql")
SCHEMA = load_contract("property").table("property_sale_lines").arrow_schema()


def published_raw(sales: Sequence[Sale]) -> pa.Table:
    """The lines one deed after the other, in the order given."""
    return _table([(sale, line) for sale in sales for line in sale.lines], geolocated=False)


def published_geolocated(sales: Sequence[Sale]) -> pa.Table:
    """The lines sorted by day and price; deeds of the same day and price are mixed and have one mutation_id."""
    pairs = [(sale, line) for sale in sales for line in sale.lines]
    pairs.sort(key=lambda pair: (pair[0].day, pair[0].price or Decimal(0), pair[1].number))
    return _table(pairs, geolocated=True)


def made_of(lines: pa.Table) -> list[dict[str, Any]]:
    """The rows of core.property_sales, in the order of their first lines."""
    with duckdb.connect() as con:
        _show(con, lines)
        made: list[dict[str, Any]] = (
            con.sql(f"FROM ({STATEMENT.sql}) ORDER BY source_line").to_arrow_table().to_pylist()
        )
    return made


def put_together(lines: pa.Table) -> list[set[int]]:
    """For each sale the source lines that the statement takes for its own."""
    query = sqlglot.parse_one(STATEMENT.sql, read="duckdb")
    members = sqlglot.select("sale_line", "source_line").from_("sold")
    members.set("with_", query.args["with_"])
    found: dict[int, set[int]] = {}
    with duckdb.connect() as con:
        _show(con, lines)
        for sale, line in con.execute(members.sql("duckdb")).fetchall():
            found.setdefault(sale, set()).add(line)
    return [found[sale] for sale in sorted(found)]


def _show(con: duckdb.DuckDBPyConnection, lines: pa.Table) -> None:
    con.execute("CREATE SCHEMA core")
    con.register("given", lines)
    con.execute("CREATE VIEW core.property_sale_lines AS FROM given")


def _table(pairs: Sequence[tuple[Sale, Line]], *, geolocated: bool) -> pa.Table:
    mutations: dict[object, str] = {}
    rows = []
    for number, (sale, line) in enumerate(pairs, start=2):
        row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
        row |= {
            "vintage": sale.day.year,
            "sold_on": sale.day,
            "disposition": sale.disposition,
            "nature_code": sale.nature,
            "nature": {"Vente": "sale", "Echange": "exchange"}.get(sale.nature, "sale off plan"),
            "price_eur": sale.price,
            "department": sale.town.department,
            "commune": sale.town.insee,
            "commune_name": sale.town.name,
            "parcel": parcel(sale, line),
            "local_type_code": line.local or None,
            "built_m2": line.built_m2,
            "rooms": line.rooms,
            "land_use_code": line.use or None,
            "land_m2": line.land_m2,
            "source_resource": "file",
            "source_line": number,
        }
        row |= {f"lot_{place}": lot for place, lot in enumerate(line.lots, start=1)}
        if geolocated:
            key = (sale.day, sale.price)
            row["mutation_id"] = mutations.setdefault(key, f"{sale.day.year}-{len(mutations) + 1}")
        rows.append(row)
    return pa.Table.from_pylist(rows, pa.schema([pa.field(each.name, each.type) for each in SCHEMA]))
