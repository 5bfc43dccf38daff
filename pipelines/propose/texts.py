"""A delimited file as a table of texts in DuckDB, to be asked about its columns.

The file is read once, in its order; blanks around cells are cut and blank cells are NULL, as in conform. Small files are held
in memory, others in a scratch database beside the staged files, which DuckDB compresses.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.conform.csv_sql import REASONS, read_csv_sql
from pipelines.conform.sniff import sniff
from pipelines.conform.survey import DAMAGE
from pipelines.lake.duck import connect, one_row
from pipelines.propose.judge import Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

    from pipelines.conform.kinds import Part
    from pipelines.conform.sniff import Sniffed
    from pipelines.settings import Settings

# Spelt out: a DuckDB string has no escapes.
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239)"
_IN_MEMORY = 64 << 20
#: Rows whose values are listed when types are judged; taken evenly from larger files. Every row is then checked.
LISTED = 200_000
_DISTINCT_LISTED = 1_000


@dataclass(frozen=True)
class Refused:
    """Records that the reader refused for one reason: how many, and the first of them."""

    reason: str
    count: int
    line: int
    row: str


@dataclass(frozen=True)
class Texts:
    """An open file.

    Attributes:
        sniffed: encoding, separator, header.
        rows: that could be read.
        refused: the others.
    """

    con: duckdb.DuckDBPyConnection
    sniffed: Sniffed
    name: str
    rows: int
    refused: tuple[Refused, ...]

    @property
    def listed(self) -> int:
        """Rows whose values are listed."""
        return min(self.rows, -(-self.rows // self._step))

    @property
    def _step(self) -> int:
        return max(1, self.rows // LISTED)

    def values(self, index: int, where: str = "true") -> Values:
        """The most frequent values of a column, and of equally frequent ones any, always the same."""
        sample = f"rowid % {self._step} = 0" if where == "true" else where
        found = self.con.execute(
            f"SELECT c{index}, count(*) AS n, count(*) OVER () AS different FROM texts WHERE c{index} IS NOT NULL AND {sample} "
            f"GROUP BY c{index} ORDER BY n DESC, hash(c{index}) LIMIT {_DISTINCT_LISTED}"
        ).fetchall()
        different = found[0][2] if found else 0
        counts = {value: count for value, count, _ in found}
        return Values(self.sniffed.header[index], counts, different, whole=different == len(found) and self._step == 1)

    def one(self, expressions: Sequence[str]) -> tuple[Any, ...]:
        """Aggregates over all rows."""
        return one_row(self.con, f"SELECT {', '.join(expressions)} FROM texts")

    def cells(self, index: int, condition: str, limit: int) -> list[tuple[int, str]]:
        """Line and text of the first cells of a column for which an SQL condition is true."""
        found = self.con.execute(
            f"SELECT rowid, c{index} FROM texts WHERE {condition} ORDER BY rowid LIMIT {limit}"
        ).fetchall()
        lines = self._lines([row for row, _ in found]) if found else []
        return [(line, text) for line, (_, text) in zip(lines, found, strict=True)]

    def damaged(self) -> list[tuple[int, int]]:
        """Columns that hold lost characters, by index, with the number of such cells."""
        if not self.sniffed.damaged:
            return []
        counts = self.one([f"count_if(regexp_matches(c{i}, '{DAMAGE}'))" for i in range(len(self.sniffed.header))])
        return [(index, count) for index, count in enumerate(counts) if count]

    def _lines(self, rows: list[int]) -> list[int]:
        """The publisher's lines of the given records, which are counted from 0."""
        refused = sorted(line for (line,) in self.con.execute("SELECT DISTINCT line FROM reject_errors").fetchall())
        sniffed = self.sniffed
        if sniffed.lines == 1 + self.rows + len(refused):
            gaps = [line - 2 - place for place, line in enumerate(refused)]  # records read before each refused one
            return [row + 2 + bisect_left(gaps, row + 1) + sniffed.offset for row in rows]
        from pipelines.conform.reader import lines_of_records, refused_records  # noqa: PLC0415 - Arrow, only if need be

        good, _ = lines_of_records(sniffed, self.rows, refused_records(self.con, sniffed, self.name), self.name)
        return [int(good[row]) for row in rows]


@contextmanager
def open_texts(part: Part, settings: Settings) -> Iterator[Texts]:
    """The text of ``part`` as a table.

    Raises:
        ConformError: it is no delimited text.
    """
    scratch = settings.staging / f"inspect-{os.getpid()}.utf8"
    database = settings.staging / f"inspect-{os.getpid()}.duckdb"
    large = part.path.stat().st_size > _IN_MEMORY
    try:
        sniffed = sniff(part.path, part.name, scratch, separator=part.separator, offset=part.offset)
        with connect(settings, database if large else None) as con:
            cells = ", ".join(f"nullif(trim(c{i}, {_BLANKS}), '') AS c{i}" for i in range(len(sniffed.header)))
            con.execute(f"CREATE TABLE texts AS SELECT {cells} FROM {read_csv_sql(sniffed)}")
            (rows,) = one_row(con, "SELECT count(*) FROM texts")
            yield Texts(con, sniffed, part.name, rows, _refused(con, sniffed))
    finally:
        for file in (scratch, database, *_leftovers(database)):
            file.unlink(missing_ok=True)


def _leftovers(database: Path) -> list[Path]:
    return [*database.parent.glob(f"{database.name}.wal")]


def _refused(con: duckdb.DuckDBPyConnection, sniffed: Sniffed) -> tuple[Refused, ...]:
    found = con.execute(
        """
        SELECT error_type::VARCHAR, count(*), min(line), arg_min(csv_line, line)
        FROM (SELECT DISTINCT ON (line_byte_position) * FROM reject_errors ORDER BY line_byte_position, column_idx)
        GROUP BY 1 ORDER BY min(line)"""
    ).fetchall()
    return tuple(
        Refused(REASONS.get(kind, "unreadable"), count, line + sniffed.offset, (row or "").strip())
        for kind, count, line, row in found
    )
