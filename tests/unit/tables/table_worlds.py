"""Lakes with a little of everything, and readers of what was built from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.collect.tables import READINGS_SCHEMA
from pipelines.lake import Lake, Provenance
from pipelines.settings import Settings

ACCIDENTS = pa.schema(
    [
        ("accident_id", pa.string()),
        ("vintage", pa.int64()),
        ("department", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("source_sha256", pa.string()),
        ("source_line", pa.int64()),
        ("source_resource", pa.string()),
    ]
)
USERS = pa.schema(
    [
        ("accident_id", pa.string()),
        ("vintage", pa.int64()),
        ("user_id", pa.string()),
        ("severity", pa.string()),
        ("hospitalised_definition", pa.string()),
        ("source_sha256", pa.string()),
        ("source_line", pa.int64()),
        ("source_resource", pa.string()),
    ]
)


@dataclass(frozen=True)
class World:
    """A state folder, with shortcuts to fill it and to look at it."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake)

    def land(self, rows: list[dict[str, Any]]) -> None:
        """Readings, as the collector would commit them."""
        table = pa.Table.from_pylist(rows, schema=READINGS_SCHEMA)
        self.lake.append("core.readings", table, Provenance("collect"), partition_by=["day"])

    def ingest(self, name: str, schema: pa.Schema, resource: str, rows: Iterable[dict[str, Any]]) -> None:
        """Open data, as `rocade ingest` would publish one resource."""
        filled = [
            {**row, "source_sha256": "0" * 64, "source_line": line, "source_resource": resource}
            for line, row in enumerate(rows, start=2)
        ]
        file = self.lake.new_file(name, {"source_resource": resource})
        pq.write_table(pa.Table.from_pylist(filled, schema=schema).drop_columns(["source_resource"]), file)
        self.lake.publish(
            name,
            [file],
            schema,
            Provenance("ingest", resource),
            partition_by=["source_resource"],
            replace={"source_resource": [resource]},
        )

    def rows(self, name: str, version: int | None = None) -> list[tuple[Any, ...]]:
        """All rows of a table of the lake, sorted."""
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            query = f"SELECT * FROM {self.lake.relation_sql(name, version=version)} ORDER BY ALL"
            return [tuple(row.values()) for row in con.sql(query).to_arrow_table().to_pylist()]

    def dicts(self, name: str) -> list[dict[str, Any]]:
        """The same as dictionaries."""
        names = self.lake.snapshot(name).schema.names
        return [dict(zip(names, row, strict=True)) for row in self.rows(name)]


def reading(vehicle: str, ts: datetime, signal: str, value: float | str, **others: Any) -> dict[str, Any]:
    """One row of core.readings."""
    return {
        "day": ts.date(),
        "vehicle": vehicle,
        "driver": None,
        "boot": f"{vehicle}-boot",
        "seq": 0,
        "row": 0,
        "ts": ts,
        "signal": signal,
        "type": "text" if isinstance(value, str) else "float",
        "value": None if isinstance(value, str) else float(value),
        "text": value if isinstance(value, str) else None,
        "known": True,
        "consent": "service+statistics",
        "received_at": ts,
        "tenant": None,
        **others,
    }


def drive(vehicle: str, start: datetime, seconds: int, speed_kmh: float = 36.0, **others: Any) -> list[dict[str, Any]]:
    """Readings at 1 Hz of a car that begins at ``start`` and holds its speed."""
    return [
        reading(vehicle, start + timedelta(seconds=s), "Vehicle.Speed", speed_kmh, seq=s, **others)
        for s in range(seconds)
    ]


def identity(
    vehicle: str, ts: datetime, brand: str = "Renault", model: str = "Zoe", **others: Any
) -> list[dict[str, Any]]:
    """What a car says of itself when it starts."""
    return [
        reading(vehicle, ts, f"Vehicle.{path}", value, row=row, **others)
        for row, (path, value) in enumerate(
            {
                "VehicleIdentification.Brand": brand,
                "VehicleIdentification.Model": model,
                "Powertrain.Type": "COMBUSTION",
                "OBD.FuelRate": 3.6,
            }.items(),
            start=10,
        )
    ]


def at(day: int, hour: int = 8, minute: int = 0, second: int = 0, month: int = 5) -> datetime:
    return datetime(2024, month, day, hour, minute, second, tzinfo=UTC)
