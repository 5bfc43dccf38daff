"""The shape of a contract file, in the vocabulary of Table Schema with what Rocade adds.

Table Schema gives fields, types, constraints and keys; ours are the data.gouv.fr id, the layouts (which publisher's
columns a vintage has), how a cell is cast, null tokens, code lists and tolerances. Here are the contract and its tables; a
table's columns are in ``fields``.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field as Attribute
from pydantic import field_validator, model_validator

from pipelines.contracts.fields import Field, Label
from pipelines.contracts.layouts import Layout, Strict, python_regex

#: Where each row came from, in every core table made from a file; the resource is the table's partition.
PROVENANCE = pa.schema(
    [
        pa.field("source_sha256", pa.string()),
        pa.field("source_line", pa.int64()),
        pa.field("source_resource", pa.string()),
    ]
)
#: When a row of an accumulating table was first and last in what the publisher listed; before the provenance.
SEEN = pa.schema([pa.field("first_seen", pa.timestamp("us", "UTC")), pa.field("last_seen", pa.timestamp("us", "UTC"))])
#: Columns that are not the publisher's: they never make two rows differ.
OURS = frozenset([*PROVENANCE.names, *SEEN.names])
#: What stands in a contract and changes no row: words for readers, where files are looked for, and what the gate judges by.
_NO_ROW_DEPENDS_ON: Any = {
    **dict.fromkeys(("title", "homepage", "publisher", "licence", "frequency", "schedule"), True),
    **dict.fromkeys(("datagouv", "datagouv_also", "addresses"), True),
    "tables": {
        "__all__": {
            **dict.fromkeys(("title", "tolerance", "dated_by"), True),
            "foreign_keys": {"__all__": {"tolerance"}},
            "fields": {"__all__": {"title", "unit", "expect"}},
        }
    },
}


class ForeignKey(Strict):
    """Rows of this table point at a row of another; judged for vintages that the other table holds."""

    fields: tuple[str, ...]
    table: str
    tolerance: float = Attribute(0.01, ge=0, le=1)


class Table(Strict):
    """One core table of a dataset.

    Attributes:
        resources: expression that the title of a resource matches; group ``vintage`` is its year.
        keep: what a new snapshot does to the rows of the one before. ``resource``: they leave, the resource's rows are
            those of its newest snapshot. ``accumulate``: a row leaves only for one with the same key, so that a source that
            forgets does not make us forget; whichever resource brings it.
        prefer: of rows with the same key the one with the greatest values of these columns stays, in a file and, for a
            table that accumulates, against the lake (where the newer snapshot wins a tie). Nulls are smallest.
        exclusive: columns whose values must all come from one resource, where that is neither the key nor the parent's.
        dated_by: the column that tells how fresh the rows are.
        tolerance: share of rows that may be rejected; what ``prefer`` sets aside is not counted.
    """

    name: str = Attribute(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    resources: str
    layouts: tuple[Layout, ...]
    fields: tuple[Field, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    keep: Literal["resource", "accumulate"] = "resource"
    prefer: tuple[str, ...] = ()
    exclusive: tuple[str, ...] = ()
    dated_by: str | None = None
    tolerance: float = Attribute(0.01, ge=0, le=1)

    @field_validator("resources")
    @classmethod
    def _compiles(cls, value: str) -> str:
        python_regex(value)
        return value

    @model_validator(mode="after")
    def _fields_and_layouts_agree(self) -> Table:
        for field in self.fields:
            if unknown := set(field.by_layout) - {each.name for each in self.layouts}:
                raise ValueError(f"{self.name}.{field.name}: there is no layout {min(unknown)!r}")
            for layout in self.layouts if field.constraints.required else ():
                if not field.sources_in(layout.present_in(layout.header)):
                    raise ValueError(f"{self.name}.{field.name}: required, and not in layout {layout.name!r}")
        required = {column.name for column in self.arrow_schema() if not column.nullable}
        if lost := set(self.primary_key) - set(self.column_names):
            raise ValueError(f"{self.name}: key columns {sorted(lost)} are not fields")
        if optional := set(self.primary_key) - required:
            raise ValueError(f"{self.name}: key columns {sorted(optional)} must be required")
        if (self.prefer or self.keep == "accumulate") and not self.primary_key:
            raise ValueError(f"{self.name}: `prefer` and `keep: accumulate` need a primary key")
        named = {*self.prefer, *self.exclusive, *([self.dated_by] if self.dated_by else [])}
        if unknown_columns := named - set(self.column_names):
            raise ValueError(f"{self.name}: {sorted(unknown_columns)} are not columns")
        return self

    @property
    def column_names(self) -> list[str]:
        """The columns of the table in the lake, provenance included."""
        return list(self.arrow_schema().names)

    @property
    def qualified_name(self) -> str:
        """The table's name in the lake."""
        return f"core.{self.name}"

    @property
    def owner(self) -> tuple[str, ...]:
        """The columns whose values must come from one resource: the key, else what the rows belong to.

        Without it a file that is ingested under two names would double the table. A table that accumulates needs none: there
        a key has one row, whichever resource brought it last.
        """
        if self.keep == "accumulate":
            return ()
        return self.exclusive or self.primary_key or (self.foreign_keys[0].fields if self.foreign_keys else ())

    def arrow_schema(self) -> pa.Schema:
        """The whole Arrow schema: fields, then when they were seen in a table that accumulates, then provenance."""
        seen = list(SEEN) if self.keep == "accumulate" else []
        return pa.schema([column for field in self.fields for column in field.columns()] + seen + list(PROVENANCE))

    def names_resource(self, title: str) -> re.Match[str] | None:
        """Whether a resource's title says that it belongs to this table; group ``vintage`` is its year, if any."""
        return re.search(self.resources, title, re.IGNORECASE)


class Vintages(Strict):
    """The published years that the contract knows, and the field that holds a row's year."""

    first: int
    last: int
    field: str = "vintage"

    def __contains__(self, year: object) -> bool:
        return isinstance(year, int) and self.first <= year <= self.last


class Contract(Strict):
    """A dataset and the core tables made from it.

    Attributes:
        datagouv: its id on data.gouv.fr; None for files from elsewhere, whose tables never count as public.
        addresses: of those files.
        datagouv_also: datasets whose resources hold rows of the same tables, where the publisher splits them.
    """

    name: str = Attribute(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    datagouv: str | None = None
    addresses: tuple[str, ...] = ()
    datagouv_also: tuple[str, ...] = ()
    homepage: str
    publisher: str
    licence: str
    frequency: str
    schedule: str
    vintages: Vintages | None = None
    null_tokens: tuple[str, ...] = ("",)
    code_lists: dict[str, dict[str, Label]] = Attribute(default_factory=dict)
    tables: tuple[Table, ...]

    @model_validator(mode="after")
    def _hangs_together(self) -> Contract:
        if not self.datagouv and not self.addresses:
            raise ValueError("neither `datagouv` nor `addresses` says where the dataset is")
        for table in self.tables:
            for field in table.fields:
                if field.codes is not None and field.codes not in self.code_lists:
                    raise ValueError(f"{table.name}.{field.name}: there is no code list {field.codes!r}")
            for key in table.foreign_keys:
                if key.table not in {each.name for each in self.tables} or set(key.fields) - set(table.column_names):
                    raise ValueError(f"{table.name}: foreign key to {key.table} names an unknown table or field")
        return self

    def table(self, name: str) -> Table:
        """The table called ``name``."""
        return next(table for table in self.tables if table.name == name)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with whatever a row depends on: rows cast by another contract are cast again.

        Whoever mends a description, or what is tolerated and expected, does not have years of snapshots cast anew.
        """
        return hashlib.sha256(self.model_dump_json(exclude=_NO_ROW_DEPENDS_ON).encode()).hexdigest()[:12]
