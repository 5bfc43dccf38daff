"""Results of the stages and of queries, a line each."""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from pipelines.show.page import console, document, figure, number, plain, table_of, when

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from pipelines.doctor import Check
    from pipelines.tables import BuildReport, TableInfo

#: Rows, and parts of a report, that are shown before the rest is only counted.
_SCREENFUL, _MANY = 200, 8


def report(verb: str, value: Any, *, as_json: bool) -> None:
    """A stage's report: its fields, one a line."""
    if as_json:
        document(value)
        return
    out = console()
    out.print(f"[bold]{verb}[/]")
    for name, found in plain(value).items():
        shown = f"{len(found)} (see --json)" if isinstance(found, list) and len(found) > _MANY else found
        if shown not in (None, [], {}):
            out.print(f"  {name.replace('_', ' ')}: {figure(shown)}", markup=False)


def build(result: BuildReport, *, as_json: bool) -> None:
    """A line a table, then what waits."""
    if as_json:
        document(result)
        return
    table = table_of("table", "status", ">rows", ">periods", ">suppressed", ">seconds", "version")
    for each in result.tables:
        figures = (each.rows, each.periods, each.suppressed) if each.status == "built" else (None, None, None)
        table.add_row(each.name, each.status, *map(number, figures), f"{each.seconds:.1f}", number(each.version))
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
    table = table_of("table", "privacy", ">rows", ">files", ">size", "version", "last commit")
    for each in found:
        size = f"{each.bytes / 1e6:.1f} MB"
        table.add_row(
            each.name,
            each.privacy,
            number(each.rows),
            number(each.files),
            size,
            number(each.version),
            when(each.committed_at),
        )
    out = console()
    out.print(table if found else "no table yet: `rocade demo` or `rocade ingest accidents` makes some")


def doctor(checks: Sequence[Check], *, as_json: bool) -> None:
    """A line a check."""
    if as_json:
        document(checks)
        return
    marks = {"ok": "[green]ok[/]", "absent": "[yellow]absent[/]", "broken": "[red]broken[/]"}
    table = table_of("what", "state", "found")
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


def _print_table(result: pa.RecordBatchReader) -> None:
    table, shown, more = table_of(*result.schema.names), 0, 0
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
        return f"{value:.15g}"  # all digits that are sure; no exponent below 1e15
    return escape(str(value))
