"""Which rows of a large file Great Expectations has to see to judge it soundly, without seeing all of them.

A file up to ``WHOLE`` rows is judged row by row. Of a larger one the suite is given

- *facts*, for rules without exception (required, limits, code lists): the smallest and greatest value that the Parquet
  statistics state for each row group, a null if a column has any, and every distinct value of a column with a code list. A
  limit that the extremes of all row groups keep is kept by all rows; a value outside a code list would be among the distinct
  ones. So these verdicts are about all rows;
- a *sample*, for patterns of texts and for rules that hold for most rows only: 2,000 blocks of 100 neighbouring rows, one in
  each two-thousandth of the file, so from every row group; the same ones each time. Conform's SQL has tried each pattern on
  every row already, so the suite is the second witness here. It looks at 200,000 rows: a fault scattered over one row in
  20,000 escapes it once in twenty thousand files, faults that stand together never do if they fill a thousandth of the file.

Belongs here: what is looked at. Does not: what is expected of it (suite).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.lake.duck import column_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

#: A file of so many rows or fewer is judged whole.
WHOLE = 500_000
_BLOCKS = 2_000
_BLOCK_ROWS = 100
#: A prime, by which the places of the blocks look drawn.
_SCATTER = 2_654_435_761


@dataclass(frozen=True)
class Evidence:
    """What the suite is shown of one file.

    Attributes:
        rows: in the file.
        whole: whether every row is shown; then there are no facts.
        file: to read the rows from.
        columns: that are judged.
        listed: of these, the columns that a code list closes.
    """

    rows: int
    whole: bool
    file: Path
    columns: tuple[str, ...]
    listed: frozenset[str]

    def samples(self) -> Iterator[pa.Table]:
        """Rows as they stand in the file, a part at a time: all of them, or the sample."""
        if self.whole:
            with pq.ParquetFile(self.file) as parquet:
                for group in range(parquet.num_row_groups):
                    yield parquet.read_row_group(group, columns=list(self.columns))
            return
        step = max(_BLOCK_ROWS, self.rows // _BLOCKS)
        with duckdb.connect() as con:
            yield con.sql(
                f"""SELECT {column_list(self.columns)} FROM read_parquet($file, file_row_number = true)
                WHERE file_row_number % {step} - file_row_number // {step} * {_SCATTER} % {step - _BLOCK_ROWS + 1}
                    BETWEEN 0 AND {_BLOCK_ROWS - 1}""",
                params={"file": str(self.file)},
            ).to_arrow_table()

    def facts(self) -> pa.Table:
        """For each column what suffices for rules without exception; its rows are no rows of the file.

        Columns are filled up to one length with values of their own.
        """
        with pq.ParquetFile(self.file) as parquet, duckdb.connect() as con:
            schema, metadata = parquet.schema_arrow, parquet.metadata
            found = {name: self._of(con, name, schema.field(name).type, metadata) for name in self.columns}
        longest = max((len(each) for each in found.values()), default=0)
        return pa.table(
            {
                name: pa.array([values[index % len(values)] for index in range(longest)], schema.field(name).type)
                for name, values in found.items()
            }
        )

    def _of(
        self, con: duckdb.DuckDBPyConnection, name: str, kind: pa.DataType, metadata: pq.FileMetaData
    ) -> Sequence[object]:
        if name in self.listed:
            rows = con.execute(
                f"SELECT DISTINCT {column_list([name])} FROM read_parquet($file)", {"file": str(self.file)}
            ).fetchall()
            return [value for (value,) in rows]
        column = next(
            at for at in range(metadata.num_columns) if metadata.row_group(0).column(at).path_in_schema == name
        )
        statistics = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
        if any(each is None or not each.has_null_count for each in statistics):
            return self._asked(con, name)
        nulls: list[object] = [None] if any(each.null_count for each in statistics) else []
        if pa.types.is_string(kind):
            # A long text's statistics may be cut off; its null count is not. Any value of the file stands for the others.
            return nulls or [""]
        if any(not each.has_min_max and each.null_count < each.num_values + each.null_count for each in statistics):
            return self._asked(con, name)
        extremes = [value for each in statistics if each.has_min_max for value in (each.min, each.max)]
        return [*extremes, *nulls]

    def _asked(self, con: duckdb.DuckDBPyConnection, name: str) -> Sequence[object]:
        """The extremes by a scan, for a file that was written without statistics."""
        column = column_list([name])
        query = f"SELECT min({column}), max({column}), count(*) > count({column}) FROM read_parquet($file)"
        ((least, greatest, nulls),) = con.execute(query, {"file": str(self.file)}).fetchall()
        return [least, greatest, *([None] if nulls else [])]


def evidence_of(file: Path, columns: Collection[str], listed: Collection[str]) -> Evidence:
    """What the suite is shown of the Parquet ``file``.

    Args:
        file: clean rows.
        columns: that are judged.
        listed: of these, the columns that a code list closes.
    """
    rows = pq.read_metadata(file).num_rows
    return Evidence(rows, rows <= WHOLE, file, tuple(sorted(columns)), frozenset(listed))
