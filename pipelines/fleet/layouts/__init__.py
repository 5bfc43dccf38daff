"""Layouts of car logs that ``rocade replay`` can read: one module a layout.

What belongs here: how the columns of somebody's log become VSS signals, and which of its faults can be repaired. What
is sent and when is ``pipelines.fleet.replay``'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import ConformError
from pipelines.fleet.layouts import carobd, driver_behavior, fms, obd_drivers, twizy
from pipelines.fleet.layouts.model import Drive, Event, Fault, Layout, Log
from pipelines.fleet.layouts.sheet import plain_title, raw_lines

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LAYOUTS", "Drive", "Event", "Fault", "Layout", "Log", "layout_of"]

LAYOUTS = {
    layout.name: layout
    for layout in (carobd.LAYOUT, driver_behavior.LAYOUT, fms.LAYOUT, obd_drivers.LAYOUT, twizy.LAYOUT)
}
"""All layouts, by name."""


def layout_of(file: Path) -> Layout:
    """The layout whose columns the header of ``file`` has.

    Raises:
        ConformError: the file cannot be read, or its header is of no layout or of several.
    """
    header = next((line for line in raw_lines(file) if line.strip()), "")
    found = [layout for layout in LAYOUTS.values() if set(layout.columns) <= _titles(header, layout.separator)]
    if len(found) == 1:
        return found[0]
    if _titles(header, ",") >= {"evento", "inicio", "fim"}:
        raise ConformError(
            "it holds labelled events, which are no readings",
            where=str(file),
            fix="name the sensor's log; the events beside it are read with it (see --truth)",
        )
    raise ConformError(
        f"its header {header[:80]!r} is of {'several layouts' if found else 'no known layout'}",
        where=str(file),
        fix=f"say which it is with --layout: {', '.join(LAYOUTS)}",
    )


def _titles(header: str, separator: str) -> set[str]:
    return {plain_title(cell.strip().strip('"').strip()) for cell in header.split(separator)}
