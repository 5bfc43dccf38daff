"""Open data: what an ingest did, what a table's versions are, what waits in quarantine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from pipelines.show.page import console, document, number, table_of, when
from pipelines.show.results import rows as rows_of_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa
    from rich.console import Console
    from rich.table import Table

    from pipelines.compare import Difference
    from pipelines.ingest import Outcome
    from pipelines.lake import Commit
    from pipelines.lake.quarantine import Reason
    from pipelines.mend import Proposal
    from pipelines.trace import Trace

#: Columns that a trace tells on lines of their own.
_TOLD_APART = frozenset(["source_sha256", "source_line", "source_resource"])
_MARKS = {
    "published": "[green]published[/]",
    "unchanged": "[dim]unchanged[/]",
    "refused": "[red]refused[/]",
    "failed": "[red]failed[/]",
}


def ingest(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """A line a resource, then the messages."""
    if as_json:
        document(outcomes)
        return
    out = console()
    out.print(_outcomes(outcomes))
    for each in outcomes:
        for warning in each.warnings:
            out.print(f"[yellow]note[/] {escape(f'{each.name}: {warning}')}")
    for each in outcomes:
        if each.message:
            _trouble(out, each)
    if not outcomes:
        out.print("nothing to do: the catalogue lists no resource of these years")
    elif all(each.status == "unchanged" for each in outcomes):
        out.print("nothing new: every resource is already published as it is")


def _trouble(out: Console, outcome: Outcome) -> None:
    out.print(f"[red]{outcome.status}[/] {escape(outcome.message or '')}")
    if outcome.report:
        out.print(f"  report: {outcome.report}", markup=False, soft_wrap=True)
    if outcome.proposal and outcome.proposal_file:
        _proposal(out, outcome.proposal, outcome.proposal_file)


def _outcomes(outcomes: Sequence[Outcome]) -> Table:
    told = any(each.changes for each in outcomes)
    table = table_of("resource", "table", "status", ">rows", ">published", ">rejected", *(["changes"] if told else []))
    for each in outcomes:
        figures = (each.rows, each.published, sum(each.quarantined.values()))
        changes = [_changes(each.changes)] if told else []
        table.add_row(escape(each.name), each.table or "", _MARKS[each.status], *map(number, figures), *changes)
    return table


def _proposal(out: Console, proposal: Proposal, file: Path) -> None:
    takes = "takes" if proposal.complete else "may help to take"
    out.print(f"[bold]proposed[/] a change of the contract that {takes} it:")
    for change in proposal.changes:
        out.print(f"  - {change}", markup=False)
    out.print(proposal.diff.rstrip(), markup=False, soft_wrap=True)
    out.print("  next: read it; if it is right, apply it and run the same command again:", markup=False)
    out.print(f"  patch {proposal.contract} {file}", markup=False, soft_wrap=True)


def history(name: str, commits: Sequence[Commit], *, as_json: bool) -> None:
    """A line a version, newest first."""
    if as_json:
        document(commits)
        return
    table = table_of("version", "when", "operation", "resource", ">rows", "changes", "bytes (sha256)", title=name)
    for each in commits:
        details = each.details
        what = details.get("name") or each.resource or ""
        table.add_row(
            str(each.version),
            when(each.committed_at),
            each.operation,
            escape(what),
            number(each.rows_added),
            _changes(details),
            str(details.get("sha256") or "")[:12],
        )
    console().print(table)


def difference(found: Difference, rows: pa.RecordBatchReader | None, *, as_json: bool) -> None:
    """Rows that came, went and changed, then a line a column that changed, then some of the rows."""
    if as_json:
        document(asdict(found) | ({"rows": rows.read_all().to_pylist()} if rows is not None else {}))
        return
    out = console()
    by = f"by {', '.join(found.key)}" if found.key else "whole rows: the table has no key"
    out.print(f"[bold]{found.table}[/], version {found.since} to version {found.until} ({by})")
    for word in ("added", "removed", "changed"):
        if found.key or word != "changed":
            out.print(f"  {word}: {number(getattr(found, word))}")
    for word, columns in (("new", found.columns_added), ("gone", found.columns_removed)):
        if columns:
            out.print(f"  {word} columns, not compared: {', '.join(columns)}", markup=False)
    if found.columns:
        table = table_of("column", ">rows that changed")
        for column, count in sorted(found.columns.items(), key=lambda pair: -pair[1]):
            table.add_row(column, number(count))
        out.print(table)
    if rows is not None:
        rows_of_query(rows, "table")


def traces(found: Sequence[Trace], *, as_json: bool) -> None:
    """A paragraph a row: what it says, and the way back."""
    if as_json:
        document(found)
        return
    out = console()
    for each in found:
        if each.fault is None:
            out.print(f"[bold]{each.table}[/], version {each.version}")
        else:
            fault = each.fault
            out.print(f"[bold]{each.table}[/], in quarantine")
            out.print(
                f"  because   column {fault['column']}, value {fault['value']!r}: {fault['reason']} ({fault['detail']})",
                markup=False,
            )
        values = ", ".join(
            f"{name} {value}" for name, value in each.row.items() if value not in (None, "") and name not in _TOLD_APART
        )
        where = f"line {each.line_number}" + (f" of {each.member}" if each.member else "")
        read = ", ".join(
            text
            for text in (
                each.encoding,
                each.separator and f"separator {each.separator!r}",
                each.layout and f"layout {each.layout!r}",
            )
            if text
        )
        rows = (
            ("row", values),
            ("resource", each.name if each.name == each.resource else f"{each.name} ({each.resource})"),
            ("address", each.url or "a local file"),
            ("fetched", when(each.fetched_at)),
            ("bytes", f"sha256 {each.sha256}"),
            ("", each.bytes_at or "removed from the raw store"),
            ("read as", read),
            ("line", f"{where}: {each.line}" if each.line else f"{where}: {each.note}"),
            ("contract", each.contract),
            ("gate", each.verdict),
        )
        for word, text in rows:
            if text:
                out.print(f"  {word:<9} {text}", markup=False, soft_wrap=True)


def _changes(counts: Mapping[str, Any]) -> str:
    words = ("added", "changed", "removed", "same", "older")
    return ", ".join(f"{number(counts[word])} {word}" for word in words if counts.get(word))


def quarantine(found: Sequence[Reason], rejected: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Reasons with counts, then rejected rows when asked for."""
    if as_json:
        document({"reasons": found, "rows": rejected} if rejected else found)
        return
    out = console()
    if not found:
        out.print("quarantine is empty")
        return
    table = table_of("table", "reason", ">rows", "for example")
    for each in found:
        table.add_row(each.table, each.reason, number(each.rows), escape(each.example))
    out.print(table)
    for row in rejected:
        out.print(
            f"{row['table']}  {row['place']}  column {row['column']}: {row['value']!r}: {row['detail']}", markup=False
        )
        if row["row"]:
            out.print(f"    {row['row']}", markup=False)
