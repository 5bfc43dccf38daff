"""A contract drafted from an inspection, and from the schema that the resource names where it names one.

Belongs here: what the contract says, as plain values with remarks. How it is written down is ``yaml_text``'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from pipelines.contracts.layouts import RECORD, VINTAGE
from pipelines.propose.judge import LATITUDE_FIRST, LONGITUDE_FIRST
from pipelines.propose.names import column_names, snake, title_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.propose.columns import Column
    from pipelines.propose.inspection import Inspection
    from pipelines.propose.table_schema import SchemaField, TableSchema

#: When a dataset of a given frequency is looked at, as cron says it; early in the morning, Paris time.
_SCHEDULES = {
    "continuous": "23 * * * *",
    "hourly": "23 * * * *",
    "daily": "23 5 * * *",
    "realtime": "23 * * * *",
    "monthly": "23 5 2 * *",
}
_WEEKLY = "23 5 * * 1"


@dataclass(frozen=True)
class Origin:
    """Where a file comes from, in the words of the catalogue as far as there are any.

    ``name`` is the dataset's name here; ``resource`` the title of the file.
    """

    name: str
    title: str
    resource: str
    datagouv: str | None = None
    address: str | None = None
    homepage: str = ""
    publisher: str = ""
    licence: str = "notspecified"
    frequency: str = "unknown"


@dataclass(frozen=True)
class Drafted:
    """One field of the contract and the remarks about it."""

    entry: dict[str, Any]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftedTable:
    """One table: what the contract says of it without its fields, the fields, the code lists that they use, and remarks."""

    entry: dict[str, Any]
    fields: tuple[Drafted, ...]
    code_lists: dict[str, dict[str, str]]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A contract to be written.

    Attributes:
        head: everything above the tables.
        tables: one for each different header in the file.
        remarks: about the whole.
    """

    head: dict[str, Any]
    tables: tuple[DraftedTable, ...]
    remarks: tuple[str, ...] = ()


def draft(origin: Origin, found: Sequence[Inspection], schema: TableSchema | None = None) -> Draft:
    """The contract for the tables that were inspected.

    Args:
        origin: where they come from.
        found: what is in them; those with one header are one table.
        schema: the Table Schema that the resource claims to follow; where the file disagrees, a remark says so.
    """
    different = {tuple(column.name for column in each.columns): each for each in reversed(found)}
    chosen = [each for each in found if each in different.values()]
    remarks = [f"{each.name}: {note}" if len(chosen) > 1 else note for each in chosen for note in each.notes]
    if schema:
        remarks.append(f"made from the schema {schema.title} ({schema.address})")
    if len(chosen) == 1:
        return Draft(
            _head(origin), (_table(origin.name, title_pattern(origin.resource), chosen[0], schema),), tuple(remarks)
        )
    members = [(each.member or each.name).rpartition("/")[2] for each in chosen]
    names = column_names(f"{origin.name}_{dataset_name(re.sub(r'[.].*', '', member))}" for member in members)
    whole = title_pattern(origin.resource).replace("(?P<vintage>", "(?:")
    tables = []
    for index, (each, member, name) in enumerate(zip(chosen, members, names, strict=True)):
        # The catalogue knows the whole by its title; the first table stands for it.
        pattern = f"{title_pattern(member)}|{whole}" if index == 0 else title_pattern(member)
        tables.append(_table(name, pattern, each, schema))
    return Draft(_head(origin), tuple(tables), tuple(remarks))


def _table(name: str, pattern: str, found: Inspection, schema: TableSchema | None) -> DraftedTable:
    columns, remarks = _told_apart([column for column in found.columns if not _is_ghost(column)])
    by_schema = {each.name: each for each in schema.fields} if schema else {}
    if schema:
        remarks += _disagreements(schema, columns)
    key, more = _key(found, columns, schema)
    fields, code_lists = _fields(columns, by_schema, key)
    if "(?P<vintage>" in pattern:
        rules = {"constraints": {"required": True}} if key else {}
        year = {"name": "vintage", "type": "integer", "from": "{vintage}", **rules}
        fields.insert(0, Drafted(year, ("the year in the resource's title",)))
        key = ["vintage", *key] if key else key
    entry: dict[str, Any] = {"name": name, "title": found.name, "resources": pattern}
    if key:
        entry["primary_key"] = key
    if tolerated := _tolerance(found):
        entry["tolerance"] = tolerated
        first, bad = found.faults[0], sum(fault.count for fault in found.faults)
        others = " and others" if bad > 1 else ""
        more = [
            *more,
            f"tolerance: line {first.line}{others} cannot be read ({first.what}); such rows wait in quarantine",
        ]
    entry["layouts"] = [_layout(columns, by_schema, schema)]
    return DraftedTable(entry, tuple(fields), code_lists, (*remarks, *more))


def _tolerance(found: Inspection) -> float | None:
    """What lets a short file with a footnote pass; None where the usual share does, or where a look at the file is due."""
    bad = sum(fault.count for fault in found.faults)
    share = bad / (found.rows + bad) if bad else 0.0
    return ceil(share * 100) / 100 if _USUAL_TOLERANCE < share <= _MOST_TOLERANCE else None


_USUAL_TOLERANCE = 0.01
_MOST_TOLERANCE = 0.1


def _layout(
    columns: Sequence[Column], by_schema: Mapping[str, SchemaField], schema: TableSchema | None
) -> dict[str, Any]:
    """Columns without a single value, and those that the schema does not demand, may be missing next time."""
    required = [
        c.name for c in columns if c.filled and (not schema or (c.name in by_schema and by_schema[c.name].required))
    ]
    optional = [column.name for column in columns if column.name not in required]
    name = f"of {schema.title}" if schema else "as first seen"
    if not required:
        return {"name": name, "header": optional}
    return {"name": name, "header": required, **({"optional": optional} if optional else {})}


def _told_apart(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """The columns whose name stands once and is no word of the contract's own, and remarks about the others."""
    ours = [column.name for column in columns if column.name in (VINTAGE, RECORD)]
    columns = [column for column in columns if column.name not in ours]
    remarks = [f"left out, because the name means something else in a contract: {', '.join(ours)}"] if ours else []
    names = {column.name for column in columns}
    doubled = {base for c in columns if (base := re.sub(r"__\d+$", "", c.name)) != c.name and base in names}
    if not doubled:
        return columns, remarks
    told = f"left out, because they stand more than once in the header: {', '.join(sorted(doubled))}"
    return [c for c in columns if re.sub(r"__\d+$", "", c.name) not in doubled], [*remarks, told]


def _head(origin: Origin) -> dict[str, Any]:
    where = {"datagouv": origin.datagouv} if origin.datagouv else {"addresses": [origin.address]}
    return {
        "name": origin.name,
        "title": origin.title,
        **where,
        "homepage": origin.homepage,
        "publisher": origin.publisher,
        "licence": origin.licence,
        "frequency": origin.frequency,
        "schedule": _SCHEDULES.get(origin.frequency, _WEEKLY),
    }


def _is_ghost(column: Column) -> bool:
    """A column without a name that holds nothing."""
    return not column.filled and re.fullmatch(r"(__\d+)?", column.name) is not None


def _disagreements(schema: TableSchema, columns: Sequence[Column]) -> list[str]:
    held = {column.name for column in columns}
    lost = [each.name for each in schema.fields if each.required and each.name not in held]
    new = [column.name for column in columns if column.name not in {each.name for each in schema.fields}]
    told = []
    if lost:
        told.append(f"the schema demands columns that the file lacks: {', '.join(lost)}")
    if new:
        told.append(f"columns that the schema does not know, judged by their values: {', '.join(new)}")
    return told


def _key(found: Inspection, columns: Sequence[Column], schema: TableSchema | None) -> tuple[list[str], list[str]]:
    """The key's field names, and remarks."""
    names = dict(zip((c.name for c in columns), column_names(c.name for c in columns), strict=True))
    if schema and schema.primary_key and set(schema.primary_key) <= set(names):
        return [names[each] for each in schema.primary_key], []
    if found.key is None or not set(found.key.columns) <= set(names):
        return [], ["no column and no pair of columns tells the rows apart: a row that stands twice is kept twice"]
    key = [names[each] for each in found.key.columns]
    if found.key.sure and not any("[" in name for name in key):
        return key, []
    return [], [
        f"unique in this file, perhaps by chance; if it is what a row is, write: primary_key: [{', '.join(key)}]"
    ]


def _fields(
    columns: Sequence[Column], by_schema: Mapping[str, SchemaField], key: Sequence[str]
) -> tuple[list[Drafted], dict[str, dict[str, str]]]:
    fields: list[Drafted] = []
    code_lists: dict[str, dict[str, str]] = {}
    for column, name in zip(columns, column_names(c.name for c in columns), strict=True):
        judgement, known = column.judgement, by_schema.get(column.name)
        if known is not None:
            entry, remarks = _by_schema(name, column, known)
        else:
            entry, remarks = _by_values(name, column)
            if judgement.codes:
                code_lists[name] = {code: code for code in judgement.codes}
        if judgement.null_tokens:
            entry["null_tokens"] = list(judgement.null_tokens)
        if name in key:
            entry["constraints"] = {**entry.get("constraints", {}), "required": True}
        fields.append(Drafted(entry, tuple(remarks)))
        if judgement.kind in _PAIRS:
            fields += _coordinates(name, column, [each.entry["name"] for each in fields])
    return fields, code_lists


def _by_schema(name: str, column: Column, known: SchemaField) -> tuple[dict[str, Any], list[str]]:
    entry, remarks = known.entry(name, column.judgement)
    tokens = [
        note for note in column.judgement.notes if column.judgement.null_tokens and note.startswith("taken to mean")
    ]
    return entry, [*([known.title] if known.title else []), *remarks, *tokens]


def _by_values(name: str, column: Column) -> tuple[dict[str, Any], list[str]]:
    judgement = column.judgement
    entry: dict[str, Any] = {"name": name, "type": judgement.type, "from": column.name}
    if judgement.cast:
        entry["cast"] = judgement.cast
    if judgement.codes:
        entry["codes"] = name
    if judgement.pattern:
        entry["constraints"] = {"pattern": judgement.pattern}
    return entry, [*([] if judgement.kind in _PLAIN else [judgement.kind]), *judgement.notes]


_PLAIN = ("text", "text of few values", "empty", "whole number", "number", "date", "code list")


def _coordinates(name: str, column: Column, taken: Sequence[str]) -> list[Drafted]:
    """Two numbers beside the text of a pair."""
    made = []
    for place, what in zip(("first_of_pair", "second_of_pair"), _PAIRS[column.judgement.kind], strict=True):
        free = what if what not in taken else f"{name}_{what}"
        made.append(Drafted({"name": free, "type": "number", "from": column.name, "cast": place}, (f"of {name}",)))
    return made


_PAIRS = {LATITUDE_FIRST: ("latitude", "longitude"), LONGITUDE_FIRST: ("longitude", "latitude")}


_ARTICLES = frozenset({"a", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les"})


def dataset_name(text: str) -> str:
    """A dataset's name from its title or slug: at most some words long, without years and articles."""
    words = [word for word in snake(text).split("_") if word and not word.isdigit()] or ["dataset"]
    words = [word for word in words if word not in _ARTICLES] or words
    name = ""
    for word in words:
        if name and len(name) + len(word) >= 40:  # noqa: PLR2004 - it will be typed
            break
        name = f"{name}_{word}" if name else word
    return name[:40] if name[:1].isalpha() else f"d_{name[:38]}"
