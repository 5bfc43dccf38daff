"""Layouts of car logs that ``rocade replay`` can read: one module a layout.

What belongs here: how the columns of somebody's log become VSS signals, and which of its faults can be repaired. What
is sent and when is ``pipelines.fleet.replay``'s business.
"""

from __future__ import annotations

from pipelines.fleet.layouts import twizy
from pipelines.fleet.layouts.model import Fault, Layout, Log

__all__ = ["LAYOUTS", "Fault", "Layout", "Log"]

LAYOUTS = {layout.name: layout for layout in (twizy.LAYOUT,)}
"""All layouts, by name."""
