"""Keys that stand more than once in a file: found cheaply, because nearly no file has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.contracts.shortcuts import digits_of
from pipelines.lake.duck import column_list, literal, one_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from pipelines.conform.match import Match
    from pipelines.conform.sniff import Sniffed

_MOST_STRANGERS = 100_000


def any_doubled(con: duckdb.DuckDBPyConnection, file: Path, key: Sequence[str]) -> bool:
    """Whether two rows of ``file`` may have the same key: false is certain, true is to be looked into.

    Each key becomes a number of 64 bits (8 bytes a row, 80 MB for ten million rows); sorted, equal ones are neighbours.
    Two keys of one number come about by chance once in a hundred thousand files of ten million rows, and cost a second look.
    To see first whether keys ascend, as they do in most files, costs more than it spares: decoding takes the time, not sorting.
    """
    rows = f"read_parquet({literal(file)})"
    (count,) = one_row(con, f"SELECT count(*) FROM {rows}")
    numbers = np.empty(count, np.uint64)
    filled = 0
    for batch in con.sql(f"SELECT hash({column_list(key)}) AS number FROM {rows}").to_arrow_reader(1_000_000):
        numbers[filled : filled + batch.num_rows] = batch["number"].to_numpy()
        filled += batch.num_rows
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())


def ascending_cell(match: Match, sniffed: Sniffed) -> str | None:
    """A cell that tells rows apart by its number alone, if there is one: as a rule it ascends from row to row."""
    fields = {field.name: field for field in match.table.fields}
    for field in (fields[name] for name in match.table.primary_key if name in fields):
        sources, cast = field.sources_in(match.layout), field.cast_name_in(match.layout)
        numbered = cast in {"integer", "digits"} or (cast == "string" and digits_of(field.constraints.pattern))
        if len(sources) == 1 and sources[0] in sniffed.header and numbered and field.codes is None:
            return f"c{sniffed.header.index(sources[0])}"
    return None


class Ascent:
    """Whether numbers ascend from block to block, each once, and which records (from ``record`` on) have none."""

    def __init__(self, record: int) -> None:
        self.holds = True
        self.ends: tuple[int, ...] = ()
        self.strangers: list[int] = []
        self._record = record

    def go_on(self, numbers: pa.Int64Array) -> None:
        """``numbers`` are those of the next records."""
        if self.holds and numbers.null_count:
            self.strangers += (np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False)) + self._record).tolist()
            self.holds = len(self.strangers) <= _MOST_STRANGERS
        self._record += len(numbers)
        found = numbers.drop_null().to_numpy()
        if self.holds and len(found):
            self.holds = bool((found[1:] > found[:-1]).all()) and not (self.ends and self.ends[-1] >= found[0])
            self.ends = (self.ends[0] if self.ends else int(found[0]), int(found[-1]))
