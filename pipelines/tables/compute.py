"""One statement over one period: its inputs shown to DuckDB, its rows checked, guarded and written to a file.

Belongs here: all that a statement's SELECT meets when it runs. Does not: which periods run and what is committed (run).
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import TablesError
from pipelines.lake.duck import literal
from pipelines.privacy import guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.tables.periods import Source
    from pipelines.tables.statements import Statement

_LAKE_TYPES = frozenset(
    {"string", "bool", "int8", "int16", "int32", "int64", "float", "double", "date32[day]", "binary"}
    | {"timestamp[us, tz=UTC]", "timestamp[us]"}
)
ROWS_AT_ONCE = 1_500_000
"""Input rows computed together, about: what DuckDB keeps in 1 GB with the wide rows of core.samples."""

_NO_PERIOD = {"none": "", "day": "0001-06-01", "month": "0001-06-01", "vintage": "0"}
"""Periods that no input has: a statement over them has columns and no rows."""


@dataclass(frozen=True)
class Written:
    """What became of one period.

    Args:
        rows: rows in the file; 0 when no file was written.
        suppressed: cells that the guard took out.
    """

    rows: int
    suppressed: int = 0


@dataclass(frozen=True)
class Computation:
    """A statement with its inputs at fixed versions.

    Args:
        con: with the functions of sql/ registered.
        statement: what to run.
        sources: its inputs.
        personal: those of its inputs that are personal.
    """

    con: duckdb.DuckDBPyConnection
    statement: Statement
    sources: Mapping[str, Source]
    personal: frozenset[str]

    def schema(self) -> pa.Schema:
        """The published columns, typed as the SELECT gives them.

        Raises:
            TablesError: a column has a type that the lake does not keep.
            GuardError: a personal input does not carry consent.
        """
        self._show_inputs(_NO_PERIOD[self.statement.period])
        described: pa.Schema = self._rows(f"SELECT * FROM ({self.statement.sql}\n) LIMIT 0").schema
        for column in described:
            if str(column.type) not in _LAKE_TYPES and not pa.types.is_decimal(column.type):
                raise TablesError(
                    f"column {column.name} is of type {column.type}, which the lake does not keep",
                    where=str(self.statement.path),
                    fix="CAST it in the statement, a sum of integers to BIGINT for instance",
                )
        hidden = {"dominance"} if self.statement.privacy == "aggregate" else set()
        return pa.schema([column for column in described if column.name not in hidden])

    def parts(self, period: str) -> int:
        """In how many parts ``period`` is computed, so that memory does not grow with the fleet."""
        if self.statement.apart is None:
            return 1
        rows = sum(source.rows(self.statement, period) for source in self.sources.values())
        return max(1, math.ceil(rows / ROWS_AT_ONCE))

    def write(self, period: str, file: Path, part: int = 0, parts: int = 1) -> Written:
        """Compute one of the ``parts`` of ``period`` into ``file``; there is no file afterwards if it has no rows.

        Raises:
            TablesError: the SELECT failed, or its keys do not name one row.
        """
        self._show_inputs(period, part, parts)
        kind = self.statement.period
        rows = f"({self.statement.sql}\n)"
        if kind != "none":
            rows = f"(SELECT * FROM {rows} WHERE CAST({kind} AS VARCHAR) = '{period}')"
        columns = ", ".join(column for column in self.statement.columns if column != kind)
        ordered = f"FROM {rows} ORDER BY {', '.join(self.statement.keys)}"
        if self.statement.privacy == "aggregate":
            written = self._write_guarded(f"SELECT * {ordered}", period, file)
        else:
            copied = self._ask(
                f"COPY (SELECT {columns} {ordered}) TO {literal(file)} (FORMAT parquet, COMPRESSION zstd)"
            )
            written = Written(copied[0])
            self._check_keys(f"read_parquet({literal(file)}, hive_partitioning=false)", period)
        if not written.rows:
            file.unlink(missing_ok=True)
        return written

    def _write_guarded(self, query: str, period: str, file: Path) -> Written:
        cells = self._rows(query)
        self.con.register("cells", cells)
        self._check_keys("cells", period)
        self.con.unregister("cells")
        verdict = guard.guarded(cells, self.statement.totals)
        pq.write_table(verdict.cells.drop_columns([self.statement.period]), file, compression="zstd")
        return Written(len(verdict.cells), verdict.suppressed)

    def _show_inputs(self, period: str, part: int = 0, parts: int = 1) -> None:
        """Make the inputs, narrowed to what ``period`` may see, known under their names."""
        for name, source in self.sources.items():
            relation, columns = source.relation_sql(self.statement, period), source.snapshot.schema.names
            if self.statement.privacy == "aggregate" and name in self.personal:
                relation = guard.consented_sql(name, relation, columns, self.statement)
            self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
            apart = self.statement.apart
            chosen = f"WHERE hash({apart}) % {parts} = {part}" if parts > 1 and apart in columns else ""
            self.con.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {relation} {chosen}")

    def _check_keys(self, relation: str, period: str) -> None:
        # The period is part of every key: rows of one period are compared here.
        keys = [key for key in self.statement.keys if key != self.statement.period]
        listed = ", ".join(keys)
        group = f"GROUP BY {listed}" if keys else ""
        twice = self._ask(
            f"SELECT {listed}{',' * bool(keys)} count(*) FROM {relation} {group} HAVING count(*) > 1 LIMIT 1"
        )
        if twice:
            row = ", ".join(f"{key} {value}" for key, value in zip(keys, twice, strict=False))
            raise TablesError(
                f"{self.statement.name} has {twice[-1]} rows for {row or 'the whole'} in {period}",
                where=str(self.statement.path),
                fix="the header's keys must name one row; correct the keys or the statement",
            )

    def _rows(self, query: str) -> pa.Table:
        with self._faults_named():
            return self.con.sql(query).to_arrow_table()

    def _ask(self, query: str) -> Any:
        """The first row of the answer; None when there is none."""
        with self._faults_named():
            return self.con.execute(query).fetchone()

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise TablesError(
                str(error), where=str(self.statement.path), fix="`rocade sql` runs parts of it over the same tables"
            ) from error
