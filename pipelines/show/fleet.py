"""What a replay or a simulation did, for people: drives and trips, and of each log what was not sent and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.show.page import console, document, number, table_of, when

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.fleet.account import ReplayedFile, ReplayReport
    from pipelines.fleet.layouts import Fault
    from pipelines.fleet.publish import Published
    from pipelines.fleet.simulate import SimulationReport

_TRIPS = 10  # shown; a fleet has thousands
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
    _print_published(report.published, f"as layout {report.layout}, consent {report.consent}")


def simulated(report: SimulationReport, *, as_json: bool) -> None:
    """The fleet and its trips in a few lines, the first trips in a table; all of them only as JSON."""
    if as_json:
        document(report)
        return
    out = console()
    table = table_of("car", "model", "departure (UTC)", ">km", ">minutes", ">litres", ">kWh", "from", "to", "reason")
    for trip in report.trips[:_TRIPS]:
        minutes = (trip.end - trip.start).total_seconds() / 60
        figures = (f"{trip.distance_m / 1000:.1f}", f"{minutes:.0f}", f"{trip.fuel_l:.2f}", f"{trip.battery_kwh:.2f}")
        places = (trip.origin, trip.destination, trip.reason)
        table.add_row(trip.vehicle, f"{trip.brand} {trip.model}", when(trip.start), *figures, *places)
    out.print(table)
    if len(report.trips) > _TRIPS:
        out.print(f"[dim]and {number(len(report.trips) - _TRIPS)} more trips; --truth FILE writes all of them[/]")
    levels = ", ".join(f"{number(count)} {level}" for level, count in sorted(Counter(report.consents.values()).items()))
    km = sum(trip.distance_m for trip in report.trips) / 1000
    fuel, energy = sum(trip.fuel_l for trip in report.trips), sum(trip.battery_kwh for trip in report.trips)
    out.print(f"{number(len(report.consents))} cars by consent: {levels}", markup=False)
    out.print(f"{number(len(report.trips))} trips, {number(round(km))} km, {fuel:.1f} l, {energy:.1f} kWh")
    if report.faults:
        out.print(f"put in on purpose: {', '.join(f'{count} {kind}' for kind, count in report.faults.items())}")
    _print_published(report.published, f"{number(report.published.rows)} rows")


def _print_published(sent: Published, what: str) -> None:
    out = console()
    out.print(
        f"sent {what}: {number(sent.readings)} readings in {number(sent.messages)} messages,"
        f" {sent.bytes / 1e6:.1f} MB, {sent.seconds:.1f} s"
    )
    if sent.unheard:
        out.print(
            f"[yellow]note[/] nobody was subscribed to {number(sent.unheard)} of the messages: is a collector running?"
        )


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
