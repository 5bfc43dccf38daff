"""What everything that is shown is made of: a console, a JSON document, an error, tables and how figures are written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from datetime import datetime

    from rich.text import Text

    from pipelines.errors import RocadeError


class _Paper(Console):
    """A console that shows a control character in a publisher's text instead of obeying it, as terminals do."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(_CONTROL.sub("\ufffd", text), **options)


#: Without tab and line end.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console() -> Console:
    """Standard output, wide enough for a table even when it is a pipe."""
    return _Paper(highlight=False) if sys.stdout.isatty() else _Paper(highlight=False, width=200)


def document(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=1, default=str)
    sys.stdout.write("\n")


def error(failure: RocadeError, *, as_json: bool) -> None:
    """Where, what and what to do next, on lines of their own."""
    if as_json:
        document({"error": {"where": failure.where, "what": failure.what, "fix": failure.fix}})
    out = _Paper(stderr=True, highlight=False, markup=False, soft_wrap=True)
    out.print(f"rocade: {failure.what}", style="red")
    if failure.where:
        out.print(f"  where: {failure.where}")
    if failure.fix:
        out.print(f"  next:  {failure.fix}")


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table with these columns; ``>NAME`` stands to the right."""
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        # On a narrow terminal texts fold, figures do not.
        table.add_column(column.removeprefix(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def number(value: float | None) -> str:
    """A figure with its thousands apart; nothing for None."""
    return "" if value is None else f"{value:,}".replace(",", " ")


def figure(value: Any) -> str:
    """A value of a report as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {figure(each)}" for key, each in value.items())
    if isinstance(value, float):
        return f"{value:,.1f}".replace(",", " ")
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, list):
        return "; ".join(figure(each) for each in value)
    return str(value)


def when(moment: datetime | None) -> str:
    """A moment to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def plain(value: Any) -> Any:
    """``value`` as JSON can say it: data classes as mappings, sequences as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    return value
