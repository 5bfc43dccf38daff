"""A layout for a header that no layout fits: the nearest one, with columns under their new names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.conform.match import nearest_layout, stated_year
from pipelines.mend.columns import likeness, pair_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts import Contract, Layout, Table
    from pipelines.mend.edits import ContractText
    from pipelines.mend.trial import Trial

_YEAR = re.compile(r"(?:19|20)\d\d")
#: Of the columns of the nearest layout, the share that must be found again, under whatever name.
_ENOUGH = 0.5


def new_layout(text: ContractText, contract: Contract, trial: Trial) -> tuple[ContractText, str] | None:
    """``text`` with a layout for the header of ``trial``, and what was found out about its columns.

    Returns:
        None where too little of a known table is found again, or a column that must be there is not.
    """
    table, nearest = nearest_layout(contract, trial.header, trial.name)
    if nearest.fits(trial.header):
        return None  # its columns are all there: something else is wrong
    base = nearest.model_copy(update={"header": (*nearest.header, *nearest.optional), "optional": ()})
    names = _found_again(contract, table, base, trial)
    patterns = _patterns(base, trial.header)
    lost = [column for column in nearest.header if column not in names]
    if len(names) < _ENOUGH * len(base.header) or patterns is None:
        return None
    title = _name_of_layout(table, trial.name)
    read = {source for field in table.fields for source in field.source} - set(names) - set(names.values())
    found = [names[each] for each in nearest.header if each in names] + [each for each in trial.header if each in read]
    present = sorted(found, key=trial.header.index)
    layout: dict[str, Any] = {"name": title, "header": present}
    if optional := [names.get(column, column) for column in nearest.optional]:
        layout["optional"] = optional
    if patterns:
        layout["unpivot"] = {"columns": patterns}
    changed = text.copy()
    changed.add_layout(table.name, layout)
    for field in table.fields:
        changes = _changes(field.sources_in(base), field, nearest, names)
        if changes:
            changed.override(table.name, field.name, title, changes)
    try:
        changed.contract()
    except ValidationError:
        return None  # a required field has no column any more: no contract can mend that
    renamed = [f"{was!r} is now {now!r}" for was, now in names.items() if was != now]
    gone = [f"{column!r} is gone" for column in lost]
    told = "; ".join([*renamed, *gone]) or "other columns"
    return changed, f"{table.name} has a layout {title!r}: {told}"


def _found_again(contract: Contract, table: Table, base: Layout, trial: Trial) -> dict[str, str]:
    """By column of ``base``, its name in the file; columns that are not there are left out."""
    names = {column: column for column in base.header if column in trial.header}
    lost = [column for column in base.header if column not in names]

    def holds(was: str, now: str) -> bool | None:
        return trial.holds(contract, table, base, names | {was: now}, was)

    return names | pair_columns(lost, base.header, trial.header, holds)


def _changes(sources: tuple[str, ...], field: Any, nearest: Layout, names: Mapping[str, str]) -> dict[str, Any]:
    """What a field's ``by_layout`` says of the new layout, so that it reads there what it read in the nearest one."""
    override = field.by_layout.get(nearest.name)
    changes: dict[str, Any] = {}
    now = tuple(names.get(source, source) for source in sources)
    if sources and now != field.source:
        changes["from"] = now[0] if len(now) == 1 else list(now)
    if override and override.cast:
        changes["cast"] = override.cast
    return changes


def _patterns(base: Layout, header: tuple[str, ...]) -> dict[str, str] | None:
    """The patterns of wide columns for ``header``: none needed, those of ``base``, or new ones; None where none are found."""
    unpivot = base.unpivot
    if unpivot is None:
        return {}
    if unpivot.found_in(header):
        return dict(unpivot.columns)
    families = {
        _YEAR.sub("\0", column) for column in header if column not in base.header and len(_YEAR.findall(column)) == 1
    }
    found: dict[str, str] = {}
    for name, pattern in unpivot.columns.items():
        words = re.sub(r"\(\?P<.*?>.*?\)|\\", " ", pattern)
        free = [family for family in families if family not in found.values()]
        best = max(free, key=lambda family: likeness(words, family), default=None)
        if best is None:
            return None
        found[name] = best
    group = unpivot.group
    return {
        name: re.escape(family).replace("\0", rf"(?P<{group}>\d{{4}})").replace("\\ ", " ")
        for name, family in found.items()
    }


def _name_of_layout(table: Table, name: str) -> str:
    year = stated_year(table, name)
    title = f"from {year}" if year else f"seen on {datetime.now(UTC).date()}"
    taken, number, free = {layout.name for layout in table.layouts}, 1, title
    while free in taken:
        number += 1
        free = f"{title} ({number})"
    return free
