"""Tables of open data with everything that is known of them: data files beside a ``datapackage.json``.

The description is a Data Package of the Frictionless standard, made from the contract (fields, units, constraints, keys, code
lists) and from the table's log (version, sources). Belongs here: writing it. Does not: reading one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pipelines.contracts import contract_names, find_table, load_contract
from pipelines.contracts.model import PROVENANCE, SEEN
from pipelines.disk import settle, write_whole
from pipelines.errors import LakeError, SettingsError
from pipelines.fetch.checks import digests
from pipelines.lake import Lake, connect
from pipelines.lake.brought import brought
from pipelines.lake.duck import literal, one_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from pipelines.contracts import Contract, Field, Table
    from pipelines.lake import Snapshot
    from pipelines.settings import Settings

DataFormat = Literal["csv", "parquet"]

#: Licences of data.gouv.fr: the SPDX name where there is one, the title and where the text is.
_LICENCES = {
    "fr-lo": ("fr-lo", "Licence Ouverte / Open Licence", "https://www.etalab.gouv.fr/licence-ouverte-open-licence"),
    "lov2": ("etalab-2.0", "Licence Ouverte / Open Licence 2.0", "https://spdx.org/licenses/etalab-2.0.html"),
    "odc-odbl": ("ODbL-1.0", "Open Database License 1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
    "odc-by": ("ODC-By-1.0", "Open Data Commons Attribution 1.0", "https://opendatacommons.org/licenses/by/1-0/"),
    "odc-pddl": ("PDDL-1.0", "Public Domain Dedication 1.0", "https://opendatacommons.org/licenses/pddl/1-0/"),
    "cc-by": ("CC-BY-4.0", "Creative Commons Attribution 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "cc-by-sa": ("CC-BY-SA-4.0", "Attribution Share-Alike 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
    "cc-zero": ("CC0-1.0", "Creative Commons Zero 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
}
_TYPES = {"decimal": "number", "time": "string", "code": "string"}
_TITLES = {
    "first_seen": "when a row with this key was first in the publisher's file",
    "last_seen": "when this row was last in a new copy of the publisher's file",
    "source_sha256": "the bytes that the row comes from",
    "source_line": "the line in them, from 1",
    "source_resource": "the resource of data.gouv.fr, or the file",
}
_COPY = {
    "csv": "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%fZ'",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
_MEDIA = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_ARROW_TYPES = {"int64": "integer", "string": "string"}


def export(settings: Settings, name: str, folder: Path, data_format: DataFormat) -> Path:
    """Write a table, or all tables of a dataset, into ``folder``; gives the path of its ``datapackage.json``.

    The description is written last: where it is, all that it names is there.

    Args:
        settings: where the lake is.
        name: a table (``core.accidents``) or a dataset (``accidents``).
        folder: made if it is not there; files of the same names in it are replaced.
        data_format: of the data files.

    Raises:
        SettingsError: ``name`` is neither.
        LakeError: nothing of it has been ingested.
    """
    lake = Lake(settings.lake)
    contract, tables = _chosen(name, settings.own_schemas)
    held = {table.name: lake.snapshot(table.qualified_name) for table in tables if lake.exists(table.qualified_name)}
    if not held:
        raise LakeError(f"nothing of {name} is in the lake", fix=f"`rocade ingest {contract.name}` brings it")
    folder.mkdir(parents=True, exist_ok=True)
    description = folder / "datapackage.json"
    description.unlink(missing_ok=True)
    with connect(settings) as con:
        resources = [_resource(con, contract, contract.table(table), held, folder, data_format) for table in held]
        sources = [source for snapshot in held.values() for source in _sources(con, lake, snapshot)]
    package = _package(contract, name, held, resources, sources)
    write_whole(description, json.dumps(package, ensure_ascii=False, indent=1, default=str))
    return description


def _chosen(name: str, own: Path) -> tuple[Contract, Sequence[Table]]:
    if name in contract_names(own):
        contract = load_contract(name, own)
        return contract, contract.tables
    known = find_table(name, own)
    if known is None:
        raise SettingsError(
            f"{name} is neither a dataset nor a table of open data",
            fix=f"datasets: {', '.join(contract_names(own))}; `rocade tables` lists the tables",
        )
    return known[0], [known[1]]


def _package(
    contract: Contract,
    name: str,
    held: dict[str, Snapshot],
    resources: list[dict[str, Any]],
    sources: list[dict[str, Any]],
) -> dict[str, Any]:
    description = (
        "Typed and checked against its contract by Rocade. Every row names the bytes and the line it comes from."
    )
    package: dict[str, Any] = {
        "name": name.removeprefix("core."),
        "title": contract.title,
        "description": description,
        "homepage": contract.homepage,
        "version": ".".join(str(snapshot.version) for snapshot in held.values()),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "contributors": [{"title": contract.publisher, "role": "publisher"}],
        "sources": sources,
        "resources": resources,
    }
    if contract.licence in _LICENCES:
        spdx, title, path = _LICENCES[contract.licence]
        package["licenses"] = [{"name": spdx, "title": title, "path": path}]
    else:
        package["description"] += f" Licence, as data.gouv.fr has it: {contract.licence}."
    return package


def _resource(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    table: Table,
    held: dict[str, Snapshot],
    folder: Path,
    data_format: DataFormat,
) -> dict[str, Any]:
    """The data file of one table, written, and what is to be said of it."""
    snapshot = held[table.name]
    file = folder / f"{table.name}.{data_format}"
    draft = file.with_name(f".{file.name}.draft")
    (rows,) = one_row(con, f"COPY (FROM {snapshot.relation_sql()}) TO {literal(draft)} ({_COPY[data_format]})")
    settle(draft, file)
    return {
        "name": table.name,
        "title": table.title,
        "profile": "tabular-data-resource",
        "path": file.name,
        "format": data_format,
        "mediatype": _MEDIA[data_format],
        "encoding": "utf-8",
        "bytes": file.stat().st_size,
        "rows": int(rows),
        "hash": f"sha256:{digests(file, ['sha256'])['sha256']}",
        "version": snapshot.version,
        "schema": _schema(con, contract, table, held),
    }


def _schema(
    con: duckdb.DuckDBPyConnection, contract: Contract, table: Table, held: dict[str, Snapshot]
) -> dict[str, Any]:
    snapshot = held[table.name]
    known = {each["name"]: each for field in table.fields for each in _fields(contract, field)}
    known |= {column.name: _ours(column) for column in [*SEEN, *PROVENANCE]}
    # A column of the lake that the contract has dropped since holds nothing but old values.
    schema: dict[str, Any] = {
        "fields": [known.get(column.name, {"name": column.name, "type": "any"}) for column in snapshot.schema],
        "missingValues": [""],
    }
    if table.primary_key:
        schema["primaryKey"] = list(table.primary_key)
    keys = [
        {"fields": list(key.fields), "reference": {"resource": key.table, "fields": list(key.fields)}}
        for key in table.foreign_keys
        # The standard knows no tolerance: a key is one when every row that has it has its parent.
        if key.table in held and not _orphans(con, snapshot, held[key.table], key.fields)
    ]
    if keys:
        schema["foreignKeys"] = keys
    return schema


def _fields(contract: Contract, field: Field) -> list[dict[str, Any]]:
    """What Table Schema says of the columns of ``field``."""
    rules = field.constraints.model_dump(exclude_none=True, exclude_defaults=True)
    described = {"title": field.title, "unit": field.unit, "publisherNames": list(field.source)}
    first: dict[str, Any] = {
        "name": field.value_column,
        "type": _TYPES.get(field.type, field.type),
        **{word: value for word, value in described.items() if value},
    }
    if field.codes is None:
        return [first | ({"constraints": rules} if rules else {})]
    labels = contract.code_lists[field.codes]
    first["constraints"] = rules | {"enum": list(labels)}
    first["categories"] = [{"value": code, "label": label.en, "label_fr": label.fr} for code, label in labels.items()]
    return [
        first,
        {"name": field.name, "type": "string", "title": f"what {field.value_column} means"},
        {"name": f"{field.name}_fr", "type": "string", "title": f"what {field.value_column} means, in French"},
    ]


def _ours(column: pa.Field) -> dict[str, str]:
    kind = _ARROW_TYPES.get(str(column.type), "datetime")
    return {"name": column.name, "type": kind, "title": _TITLES[column.name]}


def _orphans(con: duckdb.DuckDBPyConnection, child: Snapshot, parent: Snapshot, columns: Sequence[str]) -> bool:
    named = ", ".join(f'"{column}"' for column in columns)
    present = " AND ".join(f'"{column}" IS NOT NULL' for column in columns)
    (count,) = one_row(
        con,
        f"SELECT count(*) FROM (FROM {child.relation_sql()} WHERE {present}) ANTI JOIN {parent.relation_sql()} USING ({named})",
    )
    return bool(count)


def _sources(con: duckdb.DuckDBPyConnection, lake: Lake, snapshot: Snapshot) -> list[dict[str, Any]]:
    """The snapshots that rows of this version come from."""
    held = set(con.execute(f"SELECT DISTINCT source_resource, source_sha256 FROM {snapshot.relation_sql()}").fetchall())
    found = {
        (each.resource, each.sha256): each
        for each in brought(lake.path(snapshot.name))
        if each.version <= snapshot.version
    }
    return [
        {
            "title": each.name,
            **({"path": each.details["url"]} if each.details.get("url") else {}),
            "resource": each.resource,
            "sha256": each.sha256,
            "fetched_at": each.fetched_at.isoformat(),
        }
        for identity, each in found.items()
        if identity in held
    ]
