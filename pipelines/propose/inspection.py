"""``inspect``: what conform would decide of a file, and why.

Belongs here: the findings as values. How they are printed is ``show``'s.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.conform.header import NONE, is_value
from pipelines.conform.kinds import unpack
from pipelines.conform.kinds.unpack import discard
from pipelines.contracts.files import contract_files, plain_contract
from pipelines.contracts.layouts import Layout
from pipelines.errors import ConformError, FetchError
from pipelines.propose.columns import Column, judged_columns
from pipelines.propose.keys import Key, smallest_key
from pipelines.propose.texts import open_texts

if TYPE_CHECKING:
    from pipelines.conform.kinds import Part
    from pipelines.progress import Progress
    from pipelines.propose.texts import Texts
    from pipelines.settings import Settings


#: Rows at the end among which a total or a footnote is looked for, and how those begin.
_LAST_ROWS = 5
_NO_ROW = r"(?i)^\W*(total|totaux|ensemble|sources?|notes?|champ|lecture|légende)\b"


@dataclass(frozen=True)
class Fault:
    """Something wrong with the text: what, how often, and where first."""

    what: str
    count: int
    line: int | None
    example: str


@dataclass(frozen=True)
class Inspection:
    """One table in a file.

    Attributes:
        name: the file, with member or sheet.
        kind: by its bytes.
        encoding: of the text.
        separator: as a word or a character; None for a single column.
        quote: the character around cells, None where the beginning of the file has none.
        header_line: the publisher's line of the header, from 1; 0 where the kind has its names elsewhere.
        preamble: lines before the header.
        rows: records that can be read.
        listed: records whose values were listed to judge types; every record was checked.
        columns: with their evidence.
        key: what tells the rows apart.
        faults: of the text; cells that do not fit are in ``columns``.
        fits: contract, table and layout that the header fits.
        notes: what is worth knowing.
    """

    name: str
    kind: str
    member: str | None
    encoding: str
    separator: str | None
    quote: str | None
    header_line: int
    preamble: int
    rows: int
    listed: int
    columns: tuple[Column, ...]
    key: Key | None
    faults: tuple[Fault, ...]
    fits: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """A member or sheet that is no table, and why."""

    name: str
    what: str


def inspect_source(source: str, settings: Settings, progress: Progress) -> list[Inspection | Unreadable]:
    """What is in a file, or in the file at an address, which is brought into the raw store.

    Raises:
        FetchError: it cannot be had.
        ConformError: nothing in it can be read.
    """
    if "://" in source:
        from pipelines.catalog import place_of  # noqa: PLC0415 - a file at hand needs no network
        from pipelines.fetch import fetch  # noqa: PLC0415

        if place_of(source, settings.datagouv_url).dataset:
            raise FetchError(
                "this is the address of a dataset, not of a file",
                where=source,
                fix=f"`rocade describe {source}` lists its files, `rocade add {source}` makes a table of one",
            )
        snapshot = fetch(source, settings, progress)
        return inspect_file(snapshot.path, snapshot.name, settings)
    path = Path(source)
    if not path.is_file():
        what = "this is a folder" if path.is_dir() else "there is no such file"
        raise FetchError(what, where=source, fix="give a file or an http(s) address")
    return inspect_file(path, path.name, settings)


def inspect_file(path: Path, name: str, settings: Settings) -> list[Inspection | Unreadable]:
    """What is in the file at ``path``, table by table.

    Raises:
        ConformError: nothing in it can be read.
    """
    settings.staging.mkdir(parents=True, exist_ok=True)
    scratch = settings.staging / f"inspect-{os.getpid()}.parts"
    try:
        parts = unpack(path, name, scratch)
        if len(parts) == 1:
            return [inspect_part(parts[0], settings)]
        return [_inspected(part, settings) for part in parts]
    finally:
        discard(scratch)


def inspect_part(part: Part, settings: Settings) -> Inspection:
    """What is in one table.

    Raises:
        ConformError: it is no delimited text.
    """
    with open_texts(part, settings) as texts:
        sniffed = texts.sniffed
        columns = tuple(judged_columns(texts))
        return Inspection(
            name=part.name,
            kind=part.kind,
            member=part.label,
            encoding=sniffed.encoding,
            separator=None if sniffed.separator == NONE else sniffed.separator,
            quote='"' if _has_quotes(sniffed.path) else None,
            header_line=1 + sniffed.offset,
            preamble=sniffed.preamble,
            rows=texts.rows,
            listed=texts.listed,
            columns=columns,
            key=smallest_key(texts, columns),
            faults=tuple(_faults(texts)),
            fits=tuple(fitting_layouts(sniffed.header, settings)),
            notes=tuple(_notes(texts, columns)),
        )


def fitting_layouts(header: tuple[str, ...], settings: Settings) -> list[str]:
    """Contract, table and layout that have the columns of ``header``, read without validating whole contracts."""
    found = []
    for name, path in contract_files(settings.own_schemas).items():
        contract = plain_contract(path)
        for table in contract.get("tables", ()):
            layouts = [Layout.model_validate(each) for each in table.get("layouts", ())]
            found += [f"{name}: core.{table['name']}, layout {each.name}" for each in layouts if each.fits(header)]
    return found


def _inspected(part: Part, settings: Settings) -> Inspection | Unreadable:
    try:
        return inspect_part(part, settings)
    except ConformError as error:
        return Unreadable(part.name, error.what)


def _faults(texts: Texts) -> list[Fault]:
    found = [Fault(each.reason, each.count, each.line, each.row[:200]) for each in texts.refused]
    for index, count in texts.damaged():
        ((line, example),) = texts.cells(
            index, f"regexp_matches(c{index}, '\ufffd|[\\x00-\\x08\\x0B-\\x1F\\x7F-\u009f]')", 1
        )
        found.append(Fault(f"damaged_text in {texts.sniffed.header[index]}", count, line, example[:200]))
    return found


def _notes(texts: Texts, columns: tuple[Column, ...]) -> list[str]:
    sniffed = texts.sniffed
    notes = [
        f"column {name!r} stands more than once; the later ones are called {name}__2, …"
        for name in sorted(sniffed.doubled)
    ]
    notes += [f"column {i + 1} has no name" for i, name in enumerate(sniffed.header) if re.fullmatch(r"(__\d+)?", name)]
    if sniffed.preamble:
        notes.append(f"above the header: {sniffed.preamble} line(s) that are taken for no part of the table")
    empty = [column.name for column in columns if not column.filled]
    if empty and texts.rows:
        notes.append(f"no cell is filled in {', '.join(map(repr, empty))}")
    if not texts.rows:
        notes.append("there is a header and no row")
    values = [name for name in sniffed.header if is_value(name)]
    if values and texts.rows and sniffed.offset >= 0:
        shown = ", ".join(map(repr, values[:3]))
        notes.append(
            f"the names of columns look like values ({shown}): if the file has no header, its first row is lost"
        )
    if len(columns) > 1:
        last = texts.cells(0, f"rowid >= {texts.rows - _LAST_ROWS} AND regexp_matches(c0, '{_NO_ROW}')", 1)
        notes += [
            f"line {line} looks like a total or a footnote and is read as a row: {text[:60]!r}" for line, text in last
        ]
    return notes


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        return b'"' in file.read(256 << 10)
