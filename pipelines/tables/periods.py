"""Which days, months and vintages of a derived table a change in its inputs touches, and which files they need.

Belongs here: the arithmetic of periods and what the Delta logs say about them. Does not: running statements (run).

A period is written as text, the way the lake names a partition: a day ``2024-05-17``, a month by its first day
``2024-05-01``, a vintage ``2023``. The rows of one period depend on the inputs of that period alone (of that day and
the context days that the header asks for): each is computed by itself, so that an incremental build and one from
scratch see the same rows. A period has rows only if an input has rows of that very period; context is for looking at.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.lake.snapshot import relation_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

    from pipelines.lake import DataFile, Lake, Snapshot
    from pipelines.tables.statements import Statement

WHOLE = "all"
"""The only period of a table that has none."""


@dataclass(frozen=True)
class Source:
    """An input of a statement at one version.

    Args:
        snapshot: its files.
        column: the column that says which period a row belongs to; None when every period needs the whole input.
        files: the files that hold rows of each value of ``column``.
    """

    snapshot: Snapshot
    column: str | None
    files: Mapping[str, tuple[DataFile, ...]]

    @property
    def is_partitioned(self) -> bool:
        """Whether a file holds one value of ``column`` only."""
        return self.column in self.snapshot.partition_columns

    def rows(self, statement: Statement, period: str) -> int:
        """About how many rows ``relation_sql`` gives."""
        if self.column is None:
            return sum(file.rows or 0 for file in self.snapshot.files)
        return sum(file.rows or 0 for file in self._files(_needed(statement, period, self.files)))

    def relation_sql(self, statement: Statement, period: str) -> str:
        """The rows that ``period`` of ``statement`` may see, as a DuckDB table expression."""
        if self.column is None:
            return self.snapshot.relation_sql()
        labels = _needed(statement, period, self.files)
        relation = self.snapshot.relation_sql(self._files(labels))
        if self.is_partitioned or not labels:
            return relation
        listed = ", ".join(f"'{label}'" for label in labels)
        return f'(SELECT * FROM {relation} WHERE CAST("{self.column}" AS VARCHAR) IN ({listed}))'

    def _files(self, labels: Iterable[str]) -> list[DataFile]:
        return list({file.path: file for label in labels for file in self.files[label]}.values())


def source_of(con: duckdb.DuckDBPyConnection, snapshot: Snapshot, statement: Statement) -> Source:
    """An input of ``statement``, with the periods that its files hold."""
    column = _period_column(snapshot, statement)
    if column is None:
        return Source(snapshot, None, {})
    files: dict[str, list[DataFile]] = defaultdict(list)
    if column in snapshot.partition_columns:
        for file in snapshot.files:
            if (label := file.partition[column]) is not None:
                files[label].append(file)
    else:
        by_path = {file.path: file for file in snapshot.files}
        for path, label in _labels_in_files(con, snapshot, column, by_path):
            files[label].append(by_path[path])
    return Source(snapshot, column, {label: tuple(each) for label, each in sorted(files.items())})


def all_periods(statement: Statement, sources: Iterable[Source]) -> set[str]:
    """Every period in which ``statement`` can have rows."""
    if statement.period == "none":
        return {WHOLE}
    labels = {label for source in sources for label in source.files}
    return {_month(label) for label in labels} if statement.period == "month" else labels


def changed_periods(
    con: duckdb.DuckDBPyConnection, lake: Lake, statement: Statement, source: Source, since: int
) -> set[str] | None:
    """Periods of ``statement`` that the commits to ``source`` after version ``since`` touch; None for all of them."""
    snapshot = source.snapshot
    changed = lake.changed_files(snapshot.name, since, snapshot.version)
    if changed is None:
        return None
    if not changed:
        return set()
    if source.column is None:
        return None
    if source.is_partitioned:
        labels = {file.partition[source.column] for file in changed}
    elif all(Path(file.path).exists() for file in changed):
        paths = [file.path for file in changed]
        labels = {label for _, label in _labels_in_files(con, snapshot, source.column, paths)}
    else:
        return None  # a removed file was vacuumed: what it held is not known any more
    return _touched(statement, [label for label in labels if label is not None])


def _period_column(snapshot: Snapshot, statement: Statement) -> str | None:
    candidates = {"none": (), "day": ("day",), "month": ("month", "day"), "vintage": ("vintage",)}[statement.period]
    return next((column for column in candidates if column in snapshot.schema.names), None)


def _labels_in_files(
    con: duckdb.DuckDBPyConnection, snapshot: Snapshot, column: str, paths: Iterable[str]
) -> list[tuple[str, str]]:
    """(path, value of ``column``) for each value in each file that has the column."""
    found: list[tuple[str, str]] = []
    for path in paths:
        relation = relation_sql(snapshot.schema, snapshot.partition_columns, [path])
        query = f'SELECT DISTINCT CAST("{column}" AS VARCHAR) FROM {relation} WHERE "{column}" IS NOT NULL'
        found += [(path, label) for (label,) in con.execute(query).fetchall()]
    return found


def _touched(statement: Statement, labels: Iterable[str]) -> set[str]:
    """Periods of ``statement`` that see input rows of ``labels``."""
    if statement.period == "day":
        return {shifted for label in labels for shifted in _days(label, -statement.after, statement.before)}
    if statement.period == "month":
        return {_month(label) for label in labels}
    return set(labels)


def _needed(statement: Statement, period: str, labels: Iterable[str]) -> list[str]:
    """Those of ``labels`` whose rows ``period`` of ``statement`` sees."""
    if statement.period == "day":
        days = _days(period, -statement.before, statement.after)
        return [label for label in labels if label in days]
    if statement.period == "month":
        return [label for label in labels if _month(label) == period]
    return [label for label in labels if label == period]


def _days(label: str, first: int, last: int) -> list[str]:
    day = date.fromisoformat(label)
    return [(day + timedelta(days=shift)).isoformat() for shift in range(first, last + 1)]


def _month(label: str) -> str:
    return date.fromisoformat(label).replace(day=1).isoformat()
