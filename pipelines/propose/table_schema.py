"""A Table Schema (schema.data.gouv.fr) as fields of a contract."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.contracts.patterns import common_regex
from pipelines.errors import CatalogError

if TYPE_CHECKING:
    from pipelines.propose.judge import Judgement

_TYPES = {
    "string": "string",
    "integer": "integer",
    "year": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
#: Bounds from here on are not told apart by all engines.
_MOST = 2.0**53
_LONGEST_PATTERN = 4_000
_LONGEST_SHOWN = 200
#: What a judgement on values may add to a type of the schema.
_COMPATIBLE = {("number", "integer"), ("number", "decimal"), ("string", "string")}


@dataclass(frozen=True)
class SchemaField:
    """One field of the schema; ``rules`` are its constraints as published."""

    name: str
    type: str
    format: str
    title: str
    rules: dict[str, Any]

    @property
    def required(self) -> bool:
        """Whether no cell may be blank, and so the column must be there."""
        return bool(self.rules.get("required"))

    def entry(self, name: str, seen: Judgement) -> tuple[dict[str, Any], list[str]]:
        """The contract's field called ``name``, and remarks where the schema and the values ``seen`` differ.

        The schema says the type, the values its notation.
        """
        remarks: list[str] = []
        kind = _TYPES.get(self.type, "string")
        entry: dict[str, Any] = {"name": name, "type": kind, "from": self.name}
        if kind == "date" and self.format in _DAY_FIRST:
            entry["cast"] = "date_day_first"
        elif seen.type == kind and seen.cast:
            entry["cast"] = seen.cast
        elif seen.kind != "empty" and seen.type != kind and (kind, seen.type) not in _COMPATIBLE:
            remarks.append(f"the schema says {self.type}, the values look like {seen.kind}")
            if kind != "string" and seen.type == "string":
                remarks.append("cells that are not so will wait in quarantine")
        if self.type not in _TYPES:
            remarks.append(f"of type {self.type} in the schema: kept as text")
        if constraints := self._constraints(kind, remarks):
            entry["constraints"] = constraints
        return entry, remarks

    def _constraints(self, kind: str, remarks: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.required:
            found["required"] = True
        found |= self._limits(kind, remarks)
        if kind == "string":
            choices, pattern = self.rules.get("enum"), self.rules.get("pattern")
            if isinstance(choices, list) and choices:
                pattern = "|".join(_quoted(str(choice)) for choice in choices)
            if pattern is not None and _is_common(pattern):
                found["pattern"] = pattern
            elif pattern is not None:
                remarks.append(f"the schema's pattern is not read alike by all engines and left out: {_short(pattern)}")
        return found

    def _limits(self, kind: str, remarks: list[str]) -> dict[str, Any]:
        """Bounds that every engine compares alike; a bound of 10³⁰⁰ bounds nothing."""
        found = {}
        for key in ("minimum", "maximum"):
            limit = self.rules.get(key)
            if type(limit) not in (int, float):  # Table Schema allows texts; a bool is an int to Python
                continue
            if kind in ("integer", "number") and abs(limit) < _MOST:  # type: ignore[arg-type]
                found[key] = limit
            else:
                remarks.append(f"the schema's {key} is left out: {_short(limit)}")
        return found


@dataclass(frozen=True)
class TableSchema:
    """A schema: its title, where it is, its fields and the key."""

    title: str
    address: str
    fields: tuple[SchemaField, ...]
    primary_key: tuple[str, ...]


def read_table_schema(document: Any, address: str) -> TableSchema:
    """The schema in a JSON document.

    Raises:
        CatalogError: it is no Table Schema.
    """
    entries = document.get("fields") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(each, dict) and each.get("name") for each in entries):
        raise CatalogError(
            "this is no Table Schema: it has no list of named fields", where=address, fix="tell its authors"
        )
    key = document.get("primaryKey")
    key = [key] if isinstance(key, str) else key if isinstance(key, list) else []
    fields = tuple(
        SchemaField(
            str(each["name"]),
            str(each.get("type", "string")),
            str(each.get("format", "default")),
            str(each.get("title") or ""),
            dict(rules) if isinstance(rules := each.get("constraints"), dict) else {},
        )
        for each in entries
    )
    title = str(document.get("name") or document.get("title") or "a schema")
    return TableSchema(title, address, fields, tuple(map(str, key)))


def _quoted(text: str) -> str:
    """``text`` as a pattern that means itself; only what has a meaning is escaped."""
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _short(what: object) -> str:
    return text if len(text := str(what)) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _is_common(pattern: Any) -> bool:
    """Whether it can be a rule: a stranger wrote it, and each cell will be held to it."""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN:
        return False
    try:
        common_regex(pattern)
    except ValueError:
        return False
    return True
