"""From a row back to where it came from: resource, bytes, line, and the commit that brought it.

Belongs here: finding rows of open data by key or by value, in the lake and in quarantine, and the line that the publisher
wrote. Knows rows by the columns that every core table has: ``source_resource``, ``source_sha256`` and ``source_line``.
"""

from __future__ import annotations

import csv
import json
import shutil
import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from pipelines.conform.kinds import unpack
from pipelines.conform.sniff import Sniffed, sniff
from pipelines.contracts import find_table
from pipelines.errors import LakeError, RocadeError, SettingsError
from pipelines.fetch import raw_path
from pipelines.lake import Lake, connect
from pipelines.lake.brought import brought
from pipelines.lake.quarantine import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.contracts import Table
    from pipelines.lake.brought import Brought
    from pipelines.settings import Settings

#: Rows that are traced at most, in the lake and in quarantine each.
MOST = 20
_FAULT = {"reason": "reason", "column": "column_name", "value": "value", "detail": "detail"}
#: Lines that one record may take; a quote that stands alone would otherwise take the rest of the file.
_LONGEST = 50


@dataclass(frozen=True)
class Trace:
    """One row, and where it came from.

    Attributes:
        table: its name in the lake.
        row: as published by us; of a row in quarantine, as far as it was read.
        fault: of a row in quarantine, why: reason, column, value, detail.
        resource, name: which resource, and its title.
        url: where it was fetched; None for a local file.
        sha256, bytes_at: of the bytes, and where they are kept; the latter is None where they were removed.
        fetched_at: when.
        encoding, separator, member: how the bytes were read.
        line_number, line: where the row stands, and what the publisher wrote there; None where the bytes are gone.
        note: why there is no line.
        version: of the table, that brought the row; None for a row in quarantine.
        contract, layout, verdict: by which it was cast, and what the gate said.
    """

    table: str
    row: Mapping[str, Any]
    fault: Mapping[str, str] | None
    resource: str
    name: str | None
    url: str | None
    sha256: str
    bytes_at: str | None
    fetched_at: datetime | None
    encoding: str | None
    separator: str | None
    member: str | None
    line_number: int | None
    line: str | None
    note: str | None
    version: int | None
    contract: str | None
    layout: str | None
    verdict: str | None


def trace(settings: Settings, name: str, terms: Sequence[str]) -> list[Trace]:
    """The rows of table ``name`` that ``terms`` mean, published ones first, at most ``MOST`` of each.

    Args:
        settings: where the lake and the raw bytes are.
        name: a table that a contract makes.
        terms: values of the primary key in its order, of which the last may be left out, or ``column=value``.

    Raises:
        SettingsError: there is no such table or column.
        LakeError: there is no such row.
    """
    known = find_table(name, settings.own_schemas)
    lake = Lake(settings.lake)
    if known is None or not lake.exists(name):
        raise SettingsError(f"{name} is no open-data table of this lake", fix="`rocade tables` lists what is there")
    table = known[1]
    wanted = _conditions(table, terms)
    snapshots = {(each.resource, each.sha256): each for each in reversed(list(brought(lake.path(name))))}
    with _Lines(settings) as lines:
        found = [_trace(row, row, table, snapshots, lines) for row in _rows(settings, lake, name, wanted)]
        for row in _waiting(settings, lake, table, wanted):
            cells = _cells(row["row"]) or {"text": row["row"]}
            found.append(_trace(cells, row, table, snapshots, lines))
    if not found:
        told = ", ".join(f"{column} = {value}" for column, value in wanted.items())
        if unknown := [term for term in terms if "=" in term and term.partition("=")[0] not in table.column_names]:
            raise SettingsError(
                f"{name} has no column {unknown[0].partition('=')[0]}, and no {told}",
                fix=f"its columns are {', '.join(table.column_names)}",
            )
        raise LakeError(
            f"no row of {name} has {told}, published or in quarantine",
            fix=f'`rocade sql "SELECT * FROM {name} LIMIT 5"` shows how its values are written',
        )
    return found


def _conditions(table: Table, terms: Sequence[str]) -> dict[str, str]:
    """Column and value of each term."""
    wanted, key = {}, iter(table.primary_key)
    for term in terms:
        column, equals, value = term.partition("=")
        if equals and column in table.column_names:
            wanted[column] = value
        elif (of_key := next(key, None)) is not None:
            wanted[of_key] = term
        else:
            keyed = (
                f"its key is {', '.join(table.primary_key)}"
                if table.primary_key
                else "it has no key: write column=value"
            )
            raise SettingsError(f"{term!r} names no value of a column of {table.qualified_name}", fix=keyed)
    return wanted


def _rows(settings: Settings, lake: Lake, name: str, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    relation = lake.relation_sql(name)
    with connect(settings) as con:
        kinds = dict(con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {relation})").fetchall())
        # As SQL shows the value, or as somebody else writes the same: 12.5 for 12.50, an hour of another zone.
        either = [f'("{each}"::VARCHAR = ? OR "{each}" = TRY_CAST(? AS {kinds[each]}))' for each in wanted]
        query = f"FROM {relation} WHERE {' AND '.join(either)} ORDER BY source_resource, source_line LIMIT {MOST}"
        twice = [value for value in wanted.values() for _ in range(2)]
        rows: list[dict[str, Any]] = con.sql(query, params=twice).to_arrow_table().to_pylist()
    return rows


def _waiting(settings: Settings, lake: Lake, table: Table, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows in quarantine that hold the values, under our names for the columns or the publisher's."""
    if not lake.exists(FILES):
        return []
    conditions = "".join(" AND contains(row, ?)" for _ in wanted)
    with connect(settings) as con:
        rows = con.sql(
            f"FROM {lake.relation_sql(FILES)} WHERE table_name = ?{conditions} ORDER BY source_name, source_line",
            params=[table.name, *(json.dumps(value, ensure_ascii=False)[1:-1] for value in wanted.values())],
        ).to_arrow_table()
    return [row for row in rows.to_pylist() if _holds(row["row"], table, wanted)][:MOST]


def _holds(text: str, table: Table, wanted: Mapping[str, str]) -> bool:
    cells = _cells(text)
    if not cells:
        return True  # a row that was not cut into cells: it holds the texts
    return all(
        any(str(cells[name]).strip() == value for name in _names(table, column) if name in cells)
        for column, value in wanted.items()
    )


def _names(table: Table, column: str) -> set[str]:
    """``column`` and what the publisher calls it, in whatever layout."""
    names = {column}
    for field in table.fields:
        if column in {each.name for each in field.columns()}:
            names.update(field.source, *(each.source for each in field.by_layout.values() if each.source))
    return names


def _cells(text: str) -> dict[str, Any]:
    try:
        cells = json.loads(text)
    except ValueError:
        return {}
    return cells if isinstance(cells, dict) else {}


def _trace(
    shown: Mapping[str, Any],
    source: Mapping[str, Any],
    table: Table,
    snapshots: Mapping[tuple[str, str], Brought],
    lines: _Lines,
) -> Trace:
    snapshot = snapshots.get((source["source_resource"], source["source_sha256"]))
    fault = None
    if "reason" in source:  # it is in quarantine
        fault = {word: source[of] for word, of in _FAULT.items()}
    details = snapshot.details if snapshot else {}
    sha256, number = source["source_sha256"], source["source_line"]
    name = snapshot.name if snapshot else source.get("source_name")
    path = raw_path(sha256, lines.settings)
    line, note = lines.read(sha256, name or source["source_resource"], snapshot.member if snapshot else None, number)
    return Trace(
        table=table.qualified_name,
        row=shown,
        fault=fault,
        resource=source["source_resource"],
        name=name,
        url=details.get("url"),
        sha256=sha256,
        bytes_at=str(path) if path.is_file() else None,
        fetched_at=snapshot.fetched_at if snapshot else None,
        encoding=details.get("encoding"),
        separator=details.get("separator"),
        member=snapshot.member if snapshot else None,
        line_number=number,
        line=line,
        note=note,
        version=snapshot.version if snapshot and fault is None else None,
        contract=snapshot.contract if snapshot else None,
        layout=details.get("layout"),
        verdict=details.get("verdict"),
    )


class _Lines:
    """Lines of raw files; a file that was unpacked stays so while the context is open."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._scratch = settings.staging / f"trace-{uuid.uuid4().hex}"
        self._known: dict[tuple[str, str | None], Sniffed | RocadeError] = {}

    def __enter__(self) -> Self:
        self._scratch.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def read(self, sha256: str, name: str, member: str | None, number: int | None) -> tuple[str | None, str | None]:
        """The record that begins on line ``number``, or why it cannot be shown."""
        if number is None:
            return None, "the row has no line of its own"
        path = raw_path(sha256, self.settings)
        if not path.is_file():
            return None, f"the bytes are gone: they were {path}"
        if (sha256, member) not in self._known:
            self._known[sha256, member] = self._sniffed(path, name, member)
        sniffed = self._known[sha256, member]
        if isinstance(sniffed, RocadeError):
            return None, str(sniffed)
        return _record(sniffed, number - 1 - sniffed.offset), None

    def _sniffed(self, path: Path, name: str, member: str | None) -> Sniffed | RocadeError:
        scratch = self._scratch / str(len(self._known))
        try:
            parts = unpack(path, name, scratch)
            part = next((each for each in parts if each.label == member), parts[0])
            return sniff(part.path, name, scratch / "text", separator=part.separator, offset=part.offset)
        except RocadeError as error:
            return error


def _record(sniffed: Sniffed, index: int) -> str | None:
    """The record at ``index``, counted from 0 in lines, or in records where the publisher counts those."""
    with sniffed.path.open(encoding="utf-8", errors="replace", newline="") as text:
        if sniffed.by_record:
            cells = next(islice(csv.reader(text, delimiter=sniffed.separator), index, None), None)
            return json.dumps(dict(zip(sniffed.header, cells, strict=False)), ensure_ascii=False) if cells else None
        record = ""
        for line in islice(text, index, index + _LONGEST):
            record += line
            if record.count('"') % 2 == 0:
                break
    return record.rstrip("\r\n") or None
