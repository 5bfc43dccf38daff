"""Rows that another resource has published already: they wait in quarantine, so that no row is counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.conform.written import WITHOUT_POSITION
from pipelines.lake import Lake, connect
from pipelines.lake.duck import column_list, literal

if TYPE_CHECKING:
    from pipelines.conform import Conformed
    from pipelines.settings import Settings


def without_published(conformed: Conformed, settings: Settings, resource: str) -> Conformed:
    """``conformed`` without the rows whose key (or parent) stands in the lake from another resource than ``resource``.

    They are rejected as ``already_published``: a few are tolerated as other rejects are, a whole file is refused.
    """
    table, lake = conformed.match.table, Lake(settings.lake)
    if not table.owner or not conformed.clean or not lake.exists(table.qualified_name):
        return conformed
    if not set(table.owner) <= set(lake.snapshot(table.qualified_name).schema.names):
        return conformed  # a changed contract has another key: what is there cannot be told by it
    columns = column_list(table.owner)
    value = f"concat_ws(' / ', {columns})"
    with connect(settings) as con:
        found = con.sql(
            f"""
            SELECT source_line, '{", ".join(table.owner)}' AS column_name, {value} AS value, 'already_published' AS reason,
                'the same is published from resource ' || _other AS detail, {WITHOUT_POSITION} AS row,
                r.file_row_number AS position
            FROM read_parquet({literal(conformed.file)}, file_row_number=true) r JOIN (
                SELECT {columns}, any_value(source_resource) AS _other
                FROM {lake.relation_sql(table.qualified_name)} WHERE source_resource <> '{resource}' GROUP BY {columns}
            ) USING ({columns}) ORDER BY source_line"""
        ).to_arrow_table()
    return conformed.without(found)
