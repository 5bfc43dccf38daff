"""Rows that another resource has published already: they wait in quarantine, so that no row is counted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lake import Lake, connect

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
    columns = ", ".join(table.owner)
    value = f"concat_ws(' / ', {columns})"
    file = str(conformed.file).replace("'", "''")
    with connect(settings) as con:
        found = con.sql(
            f"""
            SELECT source_line, '{columns}' AS column_name, {value} AS value, 'already_published' AS reason,
                'the same is published from resource ' || other AS detail, to_json(r)::VARCHAR AS row
            FROM read_parquet('{file}') r JOIN (
                SELECT {columns}, any_value(source_resource) AS other
                FROM {lake.relation_sql(table.qualified_name)} WHERE source_resource <> '{resource}' GROUP BY {columns}
            ) USING ({columns}) ORDER BY source_line"""
        ).to_arrow_table()
    return conformed.without(found)
