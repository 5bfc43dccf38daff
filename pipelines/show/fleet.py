"""What a replay did, for people: the drives, and of each log what was not sent and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.show.page import console, document, number, table_of, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.fleet.account import ReplayedFile, ReplayReport
    from pipelines.fleet.layouts import Fault

_PLACES = 5  # lines named of each reason; the rest is counted


def replayed(report: ReplayReport, *, as_json: bool) -> None:
    """The drives in a table, then the account of each log."""
    if as_json:
        document(report)
        return
    out = console()
    table = table_of("car", "log", "from (UTC)", "to (UTC)", ">rows")
    for file in report.files:
        for drive in file.drives:
            table.add_row(
                drive.vehicle, escape(file.file.name), when(drive.first), when(drive.last), number(drive.rows)
            )
    out.print(table)
    for file in report.files:
        aside = file.lines - file.rows
        out.print(
            f"[bold]{escape(file.file.name)}[/]: {number(file.lines)} lines read = {number(file.rows)} published"
            f" + {number(aside)} set aside"
        )
        for text in _account(file):
            out.print(f"  {text}", markup=False)
    sent = report.published
    out.print(
        f"sent as layout {report.layout}, consent {report.consent}: {number(sent.readings)} readings"
        f" in {number(sent.messages)} messages, {sent.bytes / 1e6:.1f} MB, {sent.seconds:.1f} s"
    )
    if sent.unheard:
        out.print(
            f"[yellow]note[/] nobody was subscribed to {number(sent.unheard)} of the messages: is a collector running?"
        )
    if any(file.rejected or file.left_out for file in report.files):
        out.print("[dim]note[/] --rejects FILE writes all that was set aside or left out, with its place and reason")


def _account(file: ReplayedFile) -> Iterable[str]:
    for reason, faults in _grouped(file.rejected, by_column=False).items():
        yield f"set aside: {number(len(faults))} ({_places(faults)}) {reason}"
    for reason, faults in _grouped(file.left_out, by_column=True).items():
        yield f"left out: {number(len(faults))} cell{'s' * (len(faults) > 1)} ({_places(faults)}) {reason}"
    if file.repaired:
        yield f"repaired: the instant of {number(len(file.repaired))}, from the lines around ({_lines(file.repaired)})"
    if file.dropped_columns:
        yield f"no signal for: {', '.join(file.dropped_columns)}"
    for remark in file.remarks:
        yield f"note: {remark}"
    if file.events:
        harsh = sum(event.kind != "calm" for event in file.events)
        yield f"labelled events: {number(len(file.events))}, {number(harsh)} of them harsh (--truth FILE writes them)"


def _grouped(faults: Sequence[Fault], *, by_column: bool) -> dict[str, list[Fault]]:
    groups: dict[str, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(f"{fault.column}: {fault.reason}" if by_column else fault.reason, []).append(fault)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def _places(faults: Sequence[Fault]) -> str:
    example = f", such as {faults[0].value!r}" if faults[0].value else ""
    return _lines([fault.line for fault in faults]) + example


def _lines(lines: Sequence[int]) -> str:
    more = ", …" if len(lines) > _PLACES else ""
    return f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:_PLACES]))}{more}"
