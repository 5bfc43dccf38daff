"""What waits in quarantine, from files and from cars: kept, let go, counted, shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.lake.duck import connect, one_row
from pipelines.lake.log import Provenance
from pipelines.lake.store import Lake

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.settings import Settings

#: The two quarantines: rows of files, readings and messages of cars.
FILES, MESSAGES = "quarantine.rows", "quarantine.messages"


@dataclass(frozen=True)
class Reason:
    """How many rows of a table wait for one reason, and one of them."""

    table: str
    reason: str
    rows: int
    example: str


def keep_rejects(settings: Settings, resource: str, sha256: str, rows: pa.Table) -> None:
    """Keep the rejected ``rows`` of a file, in place of those that the same bytes gave before."""
    if rows.num_rows or Lake(settings.lake).exists(FILES):
        _replace(settings, resource, sha256, rows, f"source_sha256 = '{sha256}'")


def forget_older_rejects(settings: Settings, resource: str, sha256: str) -> None:
    """Let go what other bytes of ``resource`` left: those with ``sha256`` are published now."""
    lake = Lake(settings.lake)
    if not lake.exists(FILES):
        return
    older = f"source_sha256 <> '{sha256}'"
    waiting = lake.relation_sql(FILES, partitions={"source_resource": [resource]})
    with connect(settings) as con:
        (count,) = one_row(con, f"SELECT count(*) FROM {waiting} WHERE {older}")
    if count:
        _replace(settings, resource, sha256, lake.snapshot(FILES).schema.empty_table(), older)


def reasons(settings: Settings, reason: str | None = None) -> list[Reason]:
    """Reasons with their row counts, most frequent first; only ``reason`` when given."""
    found = _query(
        settings,
        """
        SELECT table_name, reason, count(*), any_value(place || coalesce(', value ' || value, '') || ': ' || detail)
        FROM waiting WHERE $reason IS NULL OR reason = $reason GROUP BY ALL ORDER BY 3 DESC, 1, 2""",
        {"reason": reason},
    )
    return [Reason(*row) for row in found]


def rejected_rows(settings: Settings, reason: str | None, limit: int) -> list[dict[str, Any]]:
    """At most ``limit`` rejected rows: table, reason, place, column, value, detail, and the row as it was."""
    names = ("table", "reason", "place", "column", "value", "detail", "row")
    found = _query(
        settings,
        "SELECT table_name, reason, place, column_name, value, detail, row FROM waiting "
        "WHERE $reason IS NULL OR reason = $reason ORDER BY table_name, place_group, line LIMIT $limit",
        {"reason": reason, "limit": limit},
    )
    return [dict(zip(names, row, strict=True)) for row in found]


def _replace(settings: Settings, resource: str, sha256: str, rows: pa.Table, replaced: str) -> None:
    Lake(settings.lake).append(
        FILES,
        rows,
        Provenance("quarantine", resource, {"sha256": sha256, "rows": rows.num_rows}),
        partition_by=["source_resource"],
        overwrite=f"source_resource = '{resource}' AND {replaced}",
    )


def _query(settings: Settings, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    lake = Lake(settings.lake)
    parts = []
    if lake.exists(FILES):
        parts.append(
            "SELECT 'core.' || table_name AS table_name, reason, source_name || ', line ' || source_line AS place, "
            "source_name AS place_group, source_line AS line, "
            f"column_name, value, detail, row FROM {lake.relation_sql(FILES)}"
        )
    if lake.exists(MESSAGES):
        parts.append(
            # The topic, with the pseudonym where the car's id stood; the detail begins with its kind.
            "SELECT 'core.readings', reason, "
            "concat('rocade/v1/', left(vehicle, 8), '…/', split_part(detail, ':', 1), ', batch ' || seq), vehicle, seq, "
            "signal, coalesce(text, value::VARCHAR), trim(substr(detail, instr(detail, ':') + 1)), left(payload::VARCHAR, 500) "
            f"FROM {lake.relation_sql(MESSAGES)}"
        )
    if not parts:
        return []
    with connect(settings) as con:
        columns = "table_name, reason, place, place_group, line, column_name, value, detail, row"
        waiting = f"waiting({columns}) AS ({' UNION ALL '.join(parts)})"
        return con.execute(f"WITH {waiting} {sql}", parameters).fetchall()
