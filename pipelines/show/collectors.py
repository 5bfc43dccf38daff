"""The collectors of this home as a table."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.collect.gaps import OpenGaps
    from pipelines.collect.status import Status

_COLOURS = {"up": "green", "stopped": "dim", "down": "bold red"}


def collectors(found: Sequence[Status]) -> Table:
    """A row a collector, and what to do about those that need it."""
    table = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left", caption_style="")
    table.add_column("collector")
    table.add_column("state")
    for name in ("msg/s", "received", "durable", "acked", "again", "quarantined", "lag", "waiting", "commit"):
        table.add_column(name, justify="right")
    for each in found:
        figures = each.figures
        table.add_row(
            each.name,
            f"[{_COLOURS.get(each.state, 'yellow')}]{each.state}[/]{_since(each)}",
            _number(each.rate),
            *(_number(figures.get(name, 0)) for name in ("received", "durable", "acknowledged", "redelivered")),
            _number(sum(figures.get("quarantined", {}).values())),
            f"{each.lag_s:.1f} s",
            f"{each.segments} seg" if each.segments else "-",
            f"{figures['commit_s']:.2f} s" if figures.get("landings") else "-",
        )
    hints = [f"{each.name}: {each.hint}" for each in found if each.hint]
    table.caption = "\n".join(hints) or None
    return table


def gaps(found: OpenGaps | None) -> str:
    """A line on what is missing; empty where nobody has looked yet."""
    if found is None:
        return ""
    if not found.count:
        return "no open gaps in what the cars numbered"
    worst = ", ".join(f"{vehicle} ({_number(missing)})" for vehicle, missing in found.worst)
    return (
        f"open gaps: {_number(found.count)}, {_number(found.missing)} messages of {_number(found.vehicles)} cars; "
        f"most are missing of {worst}"
    )


def _since(status: Status) -> str:
    if status.state not in ("down", "stopped") or not status.since:
        return ""
    when = datetime.fromtimestamp(status.since, UTC)
    shown = when.strftime("%H:%M:%S" if time.time() - status.since < 86_400 else "%Y-%m-%d %H:%M")  # noqa: PLR2004 - a day
    return f" since {shown} UTC"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
