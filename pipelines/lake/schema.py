"""Columns of a Delta table that is there: what a commit may add to them, and what it may not.

Belongs here: comparing schemas before a commit. Does not: the commit itself (store).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deltalake import Field, Schema

from pipelines.errors import LakeError
from pipelines.lake.log import Provenance, properties

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


def widen(table: DeltaTable, schema: pa.Schema, name: str) -> None:
    """Add to ``table`` the columns of ``schema`` that it lacks; the rows it holds have nulls there.

    Raises:
        LakeError: a column has another type in the table; ``name`` is for the message.
    """
    held = {field.name: field for field in table.schema().fields}
    wanted = Schema.from_arrow(schema).fields
    for column in wanted:
        if column.name in held and held[column.name].type != column.type:
            raise LakeError(
                f"column {column.name} would become {_type(column)}; the table has it as {_type(held[column.name])}",
                where=name,
                fix="give the field another name, or remove the table's folder in the lake (its earlier versions go with "
                "it) and ingest again: the raw bytes are kept",
            )
    if new := [column for column in wanted if column.name not in held]:
        # The rows that are there have no value for it, whatever the schema promises of new ones.
        table.alter.add_columns(
            [Field(column.name, column.type, nullable=True) for column in new],
            commit_properties=properties(Provenance("add columns", None, {"columns": [column.name for column in new]})),
        )


def _type(field: Field) -> str:
    return str(field.type).split('"')[1] if '"' in str(field.type) else str(field.type)
