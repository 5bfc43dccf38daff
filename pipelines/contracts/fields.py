"""One column of a core table: its type and rules, where its value is read and how, the labels of its codes.

Belongs here: what a contract says of a field. Does not: tables and keys (model), how a cast is computed (casts).
"""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa
from pydantic import Field as Attribute
from pydantic import field_validator, model_validator

from pipelines.contracts.casts import CASTS, Cast
from pipelines.contracts.layouts import Layout, Strict
from pipelines.contracts.patterns import common_regex, database_regex

FieldType = Literal["string", "integer", "number", "decimal", "date", "datetime", "time", "boolean", "code"]

_ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "decimal": pa.decimal128(18, 2),  # money: no binary fraction ever touches it
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
    "time": pa.string(),  # Delta has no time type: HH:MM text
    "boolean": pa.bool_(),
}
#: Types that have limits, and what a limit stays under so that it and the values beside it are distinct as floats: the
#: suite compares floats.
_MEASURED = {"integer": 2.0**53, "number": float("inf"), "decimal": 1e13}


class Constraints(Strict):
    """Table Schema constraints that reject a row."""

    required: bool = False
    pattern: str | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None

    @field_validator("pattern")
    @classmethod
    def _read_alike(cls, value: str | None) -> str | None:
        if value is not None:
            common_regex(value)
        return value


class Soft(Strict):
    """What the gate expects of most rows of a column, without rejecting the others."""

    minimum: float | None = None
    maximum: float | None = None
    mostly: float = Attribute(0.99, gt=0, le=1)


class _FromColumns(Strict):
    """Whatever is read from the publisher's columns: ``from: one`` or ``from: [several]``."""

    @field_validator("source", mode="before", check_fields=False)
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Label(Strict):
    """What a code means, in both languages, and other texts that the publisher writes for it.

    A contract may write ``daylight | plein jour``; a text without a bar stands for both languages.
    """

    en: str
    fr: str
    also: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_one_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            english, _, french = value.partition(" | ")
            return {"en": english, "fr": french or english}
        return value


class Override(_FromColumns):
    """What is different about a field in one layout."""

    source: tuple[str, ...] | None = Attribute(None, alias="from")
    cast: str | None = None


class Field(_FromColumns):
    """One column of a core table.

    Attributes:
        source: the publisher's column, or several: alternatives when ``cast`` takes one, parts when it takes more. Names in
            braces are no columns: ``{vintage}`` is the year in the resource's title; ``{NAME}`` of a layout that unpivots is
            the cell of that pattern, or what its named group captured, and ``{GROUP:newest}`` the greatest captured in the
            header.
        cast: a name from ``contracts.casts``; the field's type when absent.
        by_layout: another ``source`` or ``cast`` in some layouts.
        codes: name of the code list; the field then gives three columns: ``NAME_code``, ``NAME`` (its English label) and
            ``NAME_fr``.
        null_tokens: texts that mean "unknown" in this column, beside the contract's own.
        null_pattern: the same, for texts that match it whole.
    """

    name: str = Attribute(pattern=r"^[a-z][a-z0-9_]*$")
    type: FieldType
    title: str = ""
    unit: str | None = None
    source: tuple[str, ...] = Attribute(alias="from")
    cast: str | None = None
    by_layout: dict[str, Override] = Attribute(default_factory=dict)
    codes: str | None = None
    null_tokens: tuple[str, ...] = ()
    null_pattern: str | None = None
    constraints: Constraints = Constraints()
    expect: Soft | None = None

    @field_validator("null_pattern")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        return None if value is None else database_regex(value)

    @model_validator(mode="after")
    def _codes_have_a_list_and_casts_exist(self) -> Field:
        if (self.type == "code") != (self.codes is not None):
            raise ValueError(f"field {self.name}: type `code` and a `codes` list go together")
        for cast in (self.cast or self.type, *(each.cast for each in self.by_layout.values() if each.cast)):
            if cast not in CASTS:
                raise ValueError(f"field {self.name}: there is no cast {cast!r}; known: {', '.join(sorted(CASTS))}")
        return self

    @model_validator(mode="after")
    def _rules_suit_the_type(self) -> Field:
        limits = [self.constraints.minimum, self.constraints.maximum]
        limits += [self.expect.minimum, self.expect.maximum] if self.expect else []
        for limit in limits:
            if limit is not None and self.type not in _MEASURED:
                raise ValueError(
                    f"field {self.name}: a minimum or maximum needs one of the types {', '.join(_MEASURED)}"
                )
            if limit is not None and abs(limit) >= _MEASURED[self.type]:
                raise ValueError(f"field {self.name}: {limit:g} is too great for a limit")
            if limit is not None and self.type == "decimal" and round(limit, 2) != limit:
                raise ValueError(f"field {self.name}: {limit} has more than two decimals")
        if self.constraints.pattern is not None and self.type not in {"string", "time", "code"}:
            raise ValueError(f"field {self.name}: a pattern needs a text, not type {self.type}")
        return self

    def columns(self) -> list[pa.Field]:
        """The Arrow columns that this field gives."""
        nullable = not self.constraints.required
        if self.type == "code":
            labels = [pa.field(self.name, pa.string()), pa.field(f"{self.name}_fr", pa.string())]
            return [pa.field(f"{self.name}_code", pa.string(), nullable), *labels]
        return [pa.field(self.name, _ARROW[self.type], nullable)]

    def sources_in(self, layout: Layout) -> tuple[str, ...]:
        """The publisher's columns of this field in ``layout``; empty where the layout lacks one of them."""
        override = self.by_layout.get(layout.name)
        sources = override.source if override and override.source else self.source
        return sources if set(sources) <= layout.sources else ()

    def cast_in(self, layout: Layout) -> Cast:
        """How those columns become a value."""
        return CASTS[self.cast_name_in(layout)]

    def cast_name_in(self, layout: Layout) -> str:
        """The name of that cast."""
        override = self.by_layout.get(layout.name)
        return (override and override.cast) or self.cast or self.type

    @property
    def value_column(self) -> str:
        """The column that holds what the publisher wrote: the code where there is one."""
        return f"{self.name}_code" if self.type == "code" else self.name
