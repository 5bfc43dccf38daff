"""What is shown of files and of the catalogue before anything is ingested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.propose.inspection import Inspection, Unreadable
from pipelines.show.page import console, document, number, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from pipelines.add import Added, Description
    from pipelines.catalog import Found, Resource
    from pipelines.propose.columns import Column

_SEPARATORS = {"\t": "tab", None: "none"}
_FACET_VALUES = 5
_LONGEST = 40
_MB = 1_000_000


def inspection(found: Sequence[Inspection | Unreadable], *, as_json: bool) -> None:
    """Each table in a file: what it is, its columns, what is wrong."""
    if as_json:
        document(found)
        return
    out = console()
    for each in found:
        out.print(f"[bold]{escape(each.name)}[/]")
        if isinstance(each, Unreadable):
            out.print(f"[red]no table[/] {escape(each.what)}")
            continue
        out.print(_summary(each), markup=False)
        out.print(_columns(each))
        for kind, text in _remarks(each):
            out.print(f"{kind} {escape(text)}")


def _summary(found: Inspection) -> str:
    separator = _SEPARATORS.get(found.separator, repr(found.separator))
    where = f"header on line {found.header_line}" if found.header_line else "names in each record"
    checked = f" (types judged on {number(found.listed)}, checked on all)" if found.listed < found.rows else ""
    return (
        f"{found.kind}, {found.encoding}, separator {separator}, quote {found.quote or 'none'}, {where}, "
        f"{number(found.rows)} rows{checked}, {len(found.columns)} columns"
    )


def _columns(found: Inspection) -> Table:
    table = table_of("column", "read as", "because", ">filled", ">different", "from", "to", "for example")
    for column in found.columns:
        table.add_row(
            escape(column.name),
            _type(column),
            escape(column.judgement.kind),
            number(found.rows - column.nulls),
            number(column.distinct),
            *(escape(_short(each or "")) for each in (column.minimum, column.maximum)),
            escape(_short(", ".join(column.examples))),
        )
    return table


def _remarks(found: Inspection) -> Iterator[tuple[str, str]]:
    """What is worth a line below the table, each with its mark."""
    if found.key:
        yield "key:", ", ".join(found.key.columns) + ("" if found.key.sure else " (perhaps by chance)")
    for fit in found.fits:
        yield "[green]fits[/]", fit
    for fault in found.faults:
        yield (
            "[red]fault[/]",
            f"{fault.what}: {number(fault.count)}, first on line {fault.line}: {_short(fault.example)}",
        )
    for column in found.columns:
        for line, text in column.misfit_cells[:1]:
            told = f"{number(column.misfits)} cells do not fit, first on line {line}: {_short(text)!r}"
            yield "[red]fault[/]", f"{column.name}: {told}"
    for note in found.notes:
        yield "[yellow]note[/]", note
    for column in found.columns:
        for note in column.judgement.notes if column.judgement.kind != "empty" else ():
            yield "[yellow]note[/]", f"{column.name}: {note}"


def _type(column: Column) -> str:
    cast = column.judgement.cast
    return f"{column.judgement.type}, {cast}" if cast else column.judgement.type


def search(found: Found, *, as_json: bool) -> None:
    """A line a dataset, then the facets."""
    if as_json:
        document(found)
        return
    out = console()
    table = table_of("id", "title", "organisation", "licence", "updated", ">files")
    for each in found.datasets:
        updated = each.last_update.date().isoformat() if each.last_update else ""
        owner = escape(each.organization or "")
        table.add_row(each.id, escape(each.title), owner, each.licence or "", updated, number(each.resource_count))
    if found.datasets:
        out.print(table)
    pages = -(-found.total // found.query.limit)
    out.print(f"{number(found.total)} datasets" + (f", page {found.query.page} of {pages}" if pages > 1 else ""))
    for facet in found.facets:
        values = ", ".join(f"{value} ({number(count)})" for value, count in facet.values[:_FACET_VALUES])
        if values:
            out.print(f"[dim]{facet.name}[/] {escape(values)}")
    for note in found.notes:
        out.print(f"[yellow]note[/] {escape(note)}")


def description(about: Description, *, as_json: bool) -> None:
    """A dataset and its resources."""
    if as_json:
        document(about)
        return
    out, dataset = console(), about.dataset
    out.print(f"[bold]{escape(dataset.title)}[/]")
    updated = dataset.last_update.date().isoformat() if dataset.last_update else None
    for name, value in {
        "id": dataset.id,
        "organisation": dataset.organization,
        "licence": dataset.licence,
        "frequency": dataset.frequency,
        "updated": updated,
        "page": dataset.page,
    }.items():
        if value:
            out.print(f"  {name}: {value}", markup=False)
    table = table_of("resource", "title", "kind", "format", ">size", "modified", "schema")
    for each in about.resources:
        mark = "[bold]" if each.id == about.asked_for else ""
        modified = each.last_modified.date().isoformat() if each.last_modified else ""
        table.add_row(
            f"{mark}{each.id}",
            f"{mark}{escape(each.title)}",
            each.type,
            each.format or "",
            _size(each),
            modified,
            each.schema or "",
        )
    out.print(table)
    if about.contract:
        out.print(f"Rocade has a contract for it: `rocade ingest {about.contract}`", markup=False)
    else:
        out.print(f"`rocade add {about.asked_for or dataset.id}` makes a table of it", markup=False)


def added(result: Added, *, as_json: bool) -> None:
    """The contract and what became of the ingest."""
    from pipelines.show.open_data import ingest  # noqa: PLC0415 - a dry run shows none

    if as_json:
        document(result)
        return
    out = console()
    if result.status == "proposed":
        out.print(result.text, markup=False, soft_wrap=True, end="")
    else:
        out.print(f"contract {result.status}: {result.file}", markup=False)
    for note in result.notes:
        out.print(f"[yellow]note[/] {escape(note)}")
    if result.outcomes:
        ingest(result.outcomes, as_json=False)
    for table in dict.fromkeys(outcome.table for outcome in result.outcomes if outcome.table and not outcome.exit_code):
        out.print(f'next: rocade sql "SELECT * FROM {table} LIMIT 5"', markup=False)


def _size(resource: Resource) -> str:
    size = resource.filesize
    return "" if size is None else f"{size / 1e6:.1f} MB" if size >= _MB / 10 else f"{size / 1e3:.1f} kB"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
