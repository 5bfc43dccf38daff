"""The disclosure guard: what may leave the personal side, decided by the runner and not by a table's author.

Belongs here: the rules for tables in which many cars are counted together. Does not: pseudonyms, consent as it is
recorded, erasure.

A table with personal inputs is published only as an ``aggregate``:

- its inputs are narrowed to rows whose ``consent`` is ``service+statistics``;
- only closed periods are published, so that a growing period cannot be subtracted from itself;
- a cell is published when it counts at least ``MIN_VEHICLES`` distinct cars and none of them makes up more than
  ``MAX_DOMINANCE`` of it;
- where the header says that a total is known (``totals: MEASURE over COLUMN``), what is left of the total when the
  published cells are taken away is held to the same rules, and further cells are suppressed until it keeps them;
- ``dominance`` itself is not published: times the total it would be the exact figure of one car. ``vehicles`` is.

Known totals are one level: a table whose totals are themselves cells of another suppressed table is not protected
against the two read together.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelines.tables.statements import Statement, Totals

MIN_VEHICLES = 11
"""Distinct cars in a published cell, at least: Insee's threshold for gridded data (facts: 11 households)."""

MAX_DOMINANCE = 0.85
"""Share of one car in a published cell, at most: Insee's rule for business statistics."""

CONSENT_TO_STATISTICS = "service+statistics"

RULES = f"vehicles>={MIN_VEHICLES} dominance<={MAX_DOMINANCE} consent={CONSENT_TO_STATISTICS} one level of totals"
"""The rules as text; part of an aggregate's fingerprint, so that other rules mean a rebuild."""

_IDENTIFYING = frozenset({"vehicle", "driver", "boot", "trip_id", "consent"})


@dataclass(frozen=True)
class Guarded:
    """What may be published of a period.

    Args:
        cells: the published cells, without ``dominance``.
        suppressed: cells that were taken out.
    """

    cells: pa.Table
    suppressed: int


def check_inputs(statement: Statement, privacy_of: Mapping[str, str]) -> None:
    """Refuse a statement that would publish personal inputs outside the guard.

    Args:
        statement: from sql/.
        privacy_of: the class of each of its inputs.

    Raises:
        GuardError: names the file, the input and what the file needs.
    """
    where = str(statement.path)
    personal = [name for name in statement.inputs if privacy_of[name] == "personal"]
    if statement.privacy == "public" and personal:
        raise GuardError(
            f"{statement.name} is called public and reads {', '.join(personal)}",
            where=where,
            fix="write `-- privacy: aggregate`, and give it the columns vehicles and dominance",
        )
    if statement.privacy == "personal" and statement.layer == "big":
        raise GuardError(f"{statement.name} is personal and in big/", where=where, fix="move it to small/")
    if statement.privacy != "aggregate":
        return
    for column, meaning in (
        ("vehicles", "count(DISTINCT vehicle)"),
        ("dominance", "the largest car's share of the cell, 0 to 1"),
    ):
        if column not in statement.columns:
            raise GuardError(
                f"{statement.name} reads personal data and has no column {column}",
                where=where,
                fix=f"add {meaning} AS {column}",
            )
    if named := sorted(_IDENTIFYING & set(statement.columns)):
        raise GuardError(f"{statement.name} would publish {', '.join(named)}", where=where, fix="aggregate over it")
    if statement.period == "none":
        raise GuardError(
            f"{statement.name} has no period",
            where=where,
            fix="say `-- period: month` or day: only closed periods are published",
        )
    if statement.totals and statement.period not in statement.totals.over:
        raise GuardError(
            f"totals of {statement.name} run across periods", where=where, fix=f"add {statement.period} after `over`"
        )


def consented_sql(name: str, relation: str, columns: Iterable[str], statement: Statement) -> str:
    """``relation`` narrowed to the rows that may be counted in statistics.

    Args:
        name: the input's name, for the message.
        relation: a table expression.
        columns: the columns of ``relation``.
        statement: the aggregate that reads it.

    Raises:
        GuardError: the input does not say what its rows may be used for.
    """
    if "consent" not in columns:
        raise GuardError(
            f"{name} has no column consent, so {statement.name} cannot tell which rows it may count",
            where=str(statement.path),
            fix=f"carry consent through to {name}, the strictest of the rows it is made from",
        )
    return f"(SELECT * FROM {relation} WHERE consent = '{CONSENT_TO_STATISTICS}')"


def is_closed(kind: str, period: str, now: datetime) -> bool:
    """Whether ``period`` (a day, the first day of a month, or a year, as text) has ended before ``now`` in UTC."""
    if kind == "vintage":
        end = date(int(period) + 1, 1, 1)
    elif kind == "month":
        end = (date.fromisoformat(period).replace(day=1) + timedelta(days=31)).replace(day=1)
    else:
        end = date.fromisoformat(period) + timedelta(days=1)
    return datetime(end.year, end.month, end.day, tzinfo=UTC) <= now


def guarded(cells: pa.Table, totals: Totals | None) -> Guarded:
    """The cells of one period that may be published.

    Args:
        cells: with columns ``vehicles`` (distinct cars) and ``dominance`` (largest car's share, 0 to 1); a cell
            in which either is missing is suppressed.
        totals: sums that the public knows; None when there are none.
    """
    vehicles = np.asarray(cells["vehicles"].to_numpy(zero_copy_only=False), dtype=float)
    dominance = np.asarray(cells["dominance"].to_numpy(zero_copy_only=False), dtype=float)
    # Written so that NaN, a missing figure, does not pass.
    keep = (vehicles >= MIN_VEHICLES) & (dominance <= MAX_DOMINANCE)
    if totals is not None:
        measure = np.nan_to_num(np.asarray(cells[totals.measures[0]].to_numpy(zero_copy_only=False), dtype=float))
        for group in _groups(cells, totals.over):
            _suppress_complement(group, keep, vehicles, dominance, measure)
    published = cells.filter(pa.array(keep)).drop_columns(["dominance"])
    return Guarded(published, int(np.count_nonzero(~keep)))


def _groups(cells: pa.Table, over: Iterable[str]) -> Iterable[list[int]]:
    members: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, labels in enumerate(zip(*(cells[column].to_pylist() for column in over), strict=True)):
        members[labels].append(row)
    return members.values()


def _suppress_complement(
    group: list[int], keep: np.ndarray, vehicles: np.ndarray, dominance: np.ndarray, measure: np.ndarray
) -> None:
    """Suppress the smallest cells of ``group`` in ``keep`` until what its total gives back is itself publishable."""
    hidden = [row for row in group if not keep[row]]
    if not hidden:
        return
    rest = sorted((row for row in group if keep[row]), key=lambda row: (vehicles[row], measure[row], row))
    for row in rest:
        if _is_publishable_together(hidden, vehicles, dominance, measure):
            return
        keep[row] = False
        hidden.append(row)


def _is_publishable_together(rows: list[int], vehicles: np.ndarray, dominance: np.ndarray, measure: np.ndarray) -> bool:
    # The same cars may be in several cells, so the union holds at least as many as its largest cell, and its largest
    # car holds at most the sum of what the largest of each cell holds. A missing dominance counts as 1.
    share = np.where(np.isnan(dominance[rows]), 1.0, dominance[rows])
    largest = float(np.sum(share * measure[rows]))
    enough = float(np.nanmax(np.nan_to_num(vehicles[rows]))) >= MIN_VEHICLES
    return len(rows) > 1 and enough and largest <= MAX_DOMINANCE * float(np.sum(measure[rows]))
