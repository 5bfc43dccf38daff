"""How results look on a terminal, and as JSON for scripts.

Belongs here: turning the stages' values into tables and documents. Knows nothing of how they came about.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from pipelines.doctor import Check
    from pipelines.errors import RocadeError
    from pipelines.ingest import Outcome
    from pipelines.lake import Commit
    from pipelines.lake.quarantine import Reason
    from pipelines.tables import BuildReport, TableInfo

_MARKS = {
    "published": "[green]published[/]",
    "unchanged": "[dim]unchanged[/]",
    "refused": "[red]refused[/]",
    "failed": "[red]failed[/]",
}


def console() -> Console:
    """Standard output, wide enough for a table even when it is a pipe."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


def document(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(_plain(value), sys.stdout, ensure_ascii=False, indent=1, default=str)
    sys.stdout.write("\n")


def error(failure: RocadeError, *, as_json: bool) -> None:
    """Where, what and what to do next, on lines of their own."""
    if as_json:
        document({"error": {"where": failure.where, "what": failure.what, "fix": failure.fix}})
    out = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    out.print(f"rocade: {failure.what}", style="red")
    if failure.where:
        out.print(f"  where: {failure.where}")
    if failure.fix:
        out.print(f"  next:  {failure.fix}")


def ingest(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    """A line a resource, then the messages."""
    if as_json:
        document(outcomes)
        return
    out = console()
    table = _table("resource", "table", "status", ">rows", ">published", ">rejected")
    for each in outcomes:
        figures = (each.rows, each.published, sum(each.quarantined.values()))
        table.add_row(escape(each.name), each.table or "", _MARKS[each.status], *map(_n, figures))
    out.print(table)
    for each in outcomes:
        for warning in each.warnings:
            out.print(f"[yellow]note[/] {escape(f'{each.name}: {warning}')}")
    for each in outcomes:
        if each.message:
            out.print(f"[red]{each.status}[/] {escape(each.message)}")
    if not outcomes:
        out.print("nothing to do: the catalogue lists no resource of these years")
    elif all(each.status == "unchanged" for each in outcomes):
        out.print("nothing new: every resource is already published as it is")


def report(verb: str, value: Any, *, as_json: bool) -> None:
    """A stage's report: its fields, one a line."""
    if as_json:
        document(value)
        return
    out = console()
    out.print(f"[bold]{verb}[/]")
    for name, figure in _plain(value).items():
        if isinstance(figure, list) and len(figure) > 8:  # noqa: PLR2004 - a screenful
            figure = f"{len(figure)} (see --json)"  # noqa: PLW2901
        if figure not in (None, [], {}):
            out.print(f"  {name.replace('_', ' ')}: {_figure(figure)}", markup=False)


def build(result: BuildReport, *, as_json: bool) -> None:
    """A line a table, then what waits."""
    if as_json:
        document(result)
        return
    table = _table("table", "status", ">rows", ">periods", ">suppressed", ">seconds", "version")
    for each in result.tables:
        figures = (each.rows, each.periods, each.suppressed) if each.status == "built" else (None, None, None)
        table.add_row(each.name, each.status, *map(_n, figures), f"{each.seconds:.1f}", _n(each.version))
    out = console()
    out.print(table)
    for each in result.tables:
        if each.waits_for:
            out.print(f"[yellow]note[/] {each.name} waits for {', '.join(each.waits_for)}")
        if each.pending:
            out.print(f"[dim]note[/] {each.name}: {', '.join(each.pending)} will be published when the period is over")
    if not result.changed:
        out.print("nothing to do: no input changed")


def tables(found: Sequence[TableInfo], *, as_json: bool) -> None:
    """A line a table."""
    if as_json:
        document(found)
        return
    table = _table("table", "privacy", ">rows", ">files", ">size", "version", "last commit")
    for each in found:
        size = f"{each.bytes / 1e6:.1f} MB"
        table.add_row(
            each.name, each.privacy, _n(each.rows), _n(each.files), size, _n(each.version), _when(each.committed_at)
        )
    out = console()
    out.print(table if found else "no table yet: `rocade demo` or `rocade ingest accidents` makes some")


def history(name: str, commits: Sequence[Commit], *, as_json: bool) -> None:
    """A line a version, newest first."""
    if as_json:
        document(commits)
        return
    table = _table("version", "when", "operation", "resource", ">rows", "bytes (sha256)", title=name)
    for each in commits:
        details = each.details
        what = details.get("name") or each.resource or ""
        table.add_row(
            str(each.version),
            _when(each.committed_at),
            each.operation,
            escape(what),
            _n(each.rows_added),
            str(details.get("sha256") or "")[:12],
        )
    console().print(table)


def quarantine(found: Sequence[Reason], rejected: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Reasons with counts, then rejected rows when asked for."""
    if as_json:
        document({"reasons": found, "rows": rejected} if rejected else found)
        return
    out = console()
    if not found:
        out.print("quarantine is empty")
        return
    table = _table("table", "reason", ">rows", "for example")
    for each in found:
        table.add_row(each.table, each.reason, _n(each.rows), escape(each.example))
    out.print(table)
    for row in rejected:
        out.print(
            f"{row['table']}  {row['place']}  column {row['column']}: {row['value']!r}: {row['detail']}", markup=False
        )
        if row["row"]:
            out.print(f"    {row['row']}", markup=False)


def doctor(checks: Sequence[Check], *, as_json: bool) -> None:
    """A line a check."""
    if as_json:
        document(checks)
        return
    marks = {"ok": "[green]ok[/]", "absent": "[yellow]absent[/]", "broken": "[red]broken[/]"}
    table = _table("what", "state", "found")
    for each in checks:
        table.add_row(each.name, marks[each.state], escape(each.found))
    console().print(table)


def rows(result: pa.RecordBatchReader, output: str) -> None:
    """Query results: ``csv`` and ``json`` stream, ``table`` shows a screenful."""
    if output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.schema.names)
        for batch in result:
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    elif output == "json":
        first = True
        sys.stdout.write("[")
        for batch in result:
            for row in batch.to_pylist():
                sys.stdout.write("\n" if first else ",\n")
                json.dump(_finite(row), sys.stdout, ensure_ascii=False, default=str, allow_nan=False)
                first = False
        sys.stdout.write("\n]\n")
    else:
        _print_table(result)


def _finite(value: Any) -> Any:
    """``value`` as JSON can say it: what is not a number, or infinite, is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return value


_SCREENFUL = 200


def _print_table(result: pa.RecordBatchReader) -> None:
    table, shown, more = _table(*result.schema.names), 0, 0
    for batch in result:
        for row in batch.slice(0, max(0, _SCREENFUL - shown)).to_pylist():
            table.add_row(*(_cell(value) for value in row.values()))
            shown += 1
        more += batch.num_rows
    out = console()
    out.print(table)
    if more > shown:
        out.print(f"{shown} of {more} rows shown; --format csv gives all")


def _cell(value: Any) -> str:
    if value is None:
        return "[dim]NULL[/]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(str(value))


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        # On a narrow terminal texts fold, figures do not.
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def _n(value: float | None) -> str:
    return "" if value is None else f"{value:,}".replace(",", " ")


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_figure(each)}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:,.1f}".replace(",", " ")
    if isinstance(value, int) and not isinstance(value, bool):
        return _n(value)
    if isinstance(value, list):
        return "; ".join(_figure(each) for each in value)
    return str(value)


def _when(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value
