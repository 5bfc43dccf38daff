"""What a file's own statistics tell: its columns' types, and columns that were filled and are empty now.

Nothing is scanned: Parquet keeps the number of nulls of each column of each row group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from pipelines.quality.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

#: A column that was filled so far, at least, is missed when it is empty.
_FILLED = 0.05
#: A column of which no more than this share of the former cells is left is worth a note.
_LEFT = 0.5


def columns_have_their_types(file: Path, schema: pa.Schema) -> Finding:
    """Whether the columns of ``file`` are of the types in ``schema``, in which others may stand."""
    held = pq.read_schema(file)
    wrong = [
        f"{name} is {held.field(name).type}, not {schema.field(name).type}"
        for name in held.names
        if name not in schema.names or held.field(name).type != schema.field(name).type
    ]
    return Finding("columns_have_their_types", None, "failed" if wrong else "passed", "; ".join(wrong) or "all")


def columns_stay_filled(file: Path, before: Iterable[str], columns: Sequence[str], *, accepted: bool) -> list[Finding]:
    """A finding for each column that was filled in the files ``before`` and is empty, or nearly, in ``file``.

    Args:
        file: what is about to be published.
        before: what it replaces.
        columns: to look at.
        accepted: somebody has looked: an empty column is right.
    """
    old = _filled(before)
    if not old:
        return []
    new = _filled([str(file)])
    findings = []
    for column in columns:
        was, now = old.get(column, 0.0), new.get(column, 0.0)
        seen = f"{now:.0%} of the cells are filled, {was:.0%} in the last version"
        if was >= _FILLED and now == 0 and not accepted:
            hint = "if the publisher dropped it, run `rocade ingest` for this resource again with --accept-shrink"
            findings.append(Finding("column_stays_filled", column, "failed", f"{seen}; {hint}"))
        elif was >= _FILLED and now < was * _LEFT:
            findings.append(Finding("column_stays_filled", column, "warned", seen))
    return findings or [Finding("columns_stay_filled", None, "passed", f"{len(columns)} columns")]


def _filled(files: Iterable[str]) -> dict[str, float]:
    """The share of each column's cells that are not null; empty without a row, a column without statistics is left out."""
    rows, nulls, untold = 0, dict[str, int](), set[str]()
    for file in files:
        metadata = pq.read_metadata(file)
        for group in range(metadata.num_row_groups):
            rows += metadata.row_group(group).num_rows
            for index in range(metadata.num_columns):
                column = metadata.row_group(group).column(index)
                counts = column.statistics
                if counts is None or not counts.has_null_count:
                    untold.add(column.path_in_schema)
                else:
                    nulls[column.path_in_schema] = nulls.get(column.path_in_schema, 0) + counts.null_count
    return {name: 1 - count / rows for name, count in nulls.items() if name not in untold} if rows else {}
