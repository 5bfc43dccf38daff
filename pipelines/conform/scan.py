"""Run the scan: clean rows to Parquet, rejected rows to quarantine rows with line, column, value and reason.

DuckDB writes the clean rows itself, on all cores; only rows that are bad come to Python. What its reader cannot read (a row
too short or too long, a quote left open) joins them. Memory does not grow with the file.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from pipelines.conform.blocks import Blocks, Irregular
from pipelines.conform.clean import ASIDE, Statement
from pipelines.conform.csv_sql import read_csv_sql
from pipelines.conform.keys import any_doubled, ascending_cell
from pipelines.conform.query import explain_sql
from pipelines.conform.reader import lines_of_records, refused_records
from pipelines.conform.segments import segments_of
from pipelines.conform.usual import Usual
from pipelines.conform.written import FOUND, rewrite, take_doubles
from pipelines.errors import ConformError
from pipelines.lake.duck import connect, literal, one_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np

    from pipelines.conform.match import Match
    from pipelines.conform.query import Check
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract
    from pipelines.progress import Step
    from pipelines.settings import Settings

_ASIDE = pa.schema([pa.field("record", pa.int64()), pa.field("cells", pa.list_(pa.string()))])
#: Measured on 1 GB: level 1 is as small as level 3 and 5 % faster, and columns of many values are not tried as dictionaries
#: for long.
_PARQUET = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 4000, PARQUET_VERSION v2, "
    "WRITE_BLOOM_FILTER false"
)
_MEMORY = 600_000_000
#: Rows at fault are held in memory, and so many are no oversight.
_MOST_FAULTY = 1_000_000
#: What DuckDB makes of Ctrl-C, depending on whether it or Python, which it has called, was at work.
_INTERRUPTED = ("Query interrupted", "KeyboardInterrupt", "INTERRUPT Error")
#: From here on it pays to ask for the meanings of usual texts first.
_LARGE = 4 << 20


@dataclass(frozen=True)
class Job:
    """One file on its way."""

    contract: Contract
    match: Match
    sniffed: Sniffed
    checks: list[Check]
    settings: Settings
    step: Step
    name: str
    sha256: str
    target: Path
    metadata: dict[str, str]


@dataclass(frozen=True)
class Found:
    """Clean rows by number; the others in the schema ``FOUND``."""

    clean: int
    rejected: pa.Table


def scan(job: Job) -> Found:
    """Write the clean rows and find the others.

    A large text is read in blocks on all cores as long as it is regular. Any other is read by DuckDB from its beginning to its
    end; if its records are not one line each, each record's line is looked for.
    """
    large = job.sniffed.path.stat().st_size >= _LARGE
    if large and not job.sniffed.foreign and len(job.sniffed.header) > 1 and not job.match.unpivoted:
        with suppress(Irregular), _connected(job.settings) as con:
            return _without_doubles(con, job, _in_blocks(con, job))
    with _connected(job.settings) as con:
        usual = Usual(job.contract, job.match, job.sniffed, in_blocks=False) if large else None
        return _without_doubles(con, job, _from_end_to_end(con, job, usual))


@dataclass(frozen=True)
class _Scanned:
    """Rows and records by number, rows with a fault (numbered as if each record took one line), and records not read.

    ``refused`` is None where every line is a record, and was read; ``distinct`` where the key is known to stand nowhere twice.
    """

    rows: int
    records: int
    faulty: pa.Table
    refused: pa.Table | None = None
    distinct: bool = False


def _without_doubles(con: duckdb.DuckDBPyConnection, job: Job, found: _Scanned) -> Found:
    clean = found.rows - found.faulty.num_rows
    rejected = [found.faulty]
    if found.refused is not None and (found.refused.num_rows or job.sniffed.lines != 1 + found.records):
        good, bad = lines_of_records(job.sniffed, found.records, found.refused, job.name)
        rejected = [_renumbered(job, found.faulty, good), _at_lines(found.refused, bad)]
    key = job.match.table.primary_key
    if key and clean and not found.distinct and any_doubled(con, job.target, key):
        rejected.append(take_doubles(con, job.target, job.match.table))
        clean -= rejected[-1].num_rows
    return Found(clean, pa.concat_tables(rejected).sort_by("source_line"))


@contextmanager
def _connected(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that leaves room for what is not DuckDB's: conform stays under 1 GB whatever the file's size."""
    with connect(settings, at_most=_MEMORY) as con:
        # It would make joins of IN lists, which are then computed for every row, needed or not.
        con.execute("SET disabled_optimizers = 'in_clause'")
        yield con


def _records(con: duckdb.DuckDBPyConnection, sniffed: Sniffed) -> int:
    """How many records the reader gives, where a record gives several rows."""
    (count,) = one_row(con, f"SELECT count(*) FROM {read_csv_sql(sniffed)}")
    return int(count)


def _in_blocks(con: duckdb.DuckDBPyConnection, job: Job) -> _Scanned:
    """The scan of a large, regular text.

    Raises:
        Irregular: it is not regular.
    """
    usual = Usual(job.contract, job.match, job.sniffed, in_blocks=True)
    statement = Statement(con, job.contract, job.match, job.sniffed, usual)
    blocks = Blocks(job.sniffed, usual.reals, ascending_cell(job.match, job.sniffed), job.step.advance)
    usual.given = blocks.numbers
    threads = job.settings.duckdb_threads or os.cpu_count() or 1
    parts = segments_of(job.sniffed.path, threads, job.sniffed.marks)
    for number, part in enumerate(parts):
        con.register(f"part_{number}", blocks.reader(part))
    # Numbering keeps each part to one core, so that nobody waits for the other's block.
    relation = " UNION ALL ".join(
        f"SELECT row_number() OVER () + {part.first_record - 1} AS record, * FROM part_{number}"
        for number, part in enumerate(parts)
    )
    # Each block is in order, and so is each row group; which row group comes first does not matter.
    con.execute("SET preserve_insertion_order = false")
    try:
        rows, faulty = _write(con, job, statement.select(f"({relation})", job.sha256))
    except ConformError as error:
        if blocks.irregular is None:
            raise
        job.step.advance(-blocks.records)
        raise Irregular(blocks.irregular) from error
    if job.sniffed.lines != 1 + rows:
        raise ConformError(
            f"{job.sniffed.lines - 1} lines gave {rows} records, where each line is one",
            where=job.name,
            fix="this is a fault of Rocade: report it with a few of the file's lines",
        )
    apart = faulty["source_line"].to_numpy() - 1 - job.sniffed.offset
    return _Scanned(rows, rows, faulty, distinct=blocks.ascends(apart))


def _from_end_to_end(con: duckdb.DuckDBPyConnection, job: Job, usual: Usual | None) -> _Scanned:
    """The scan of any text."""
    statement = Statement(con, job.contract, job.match, job.sniffed, usual)
    relation = f"(SELECT row_number() OVER () AS record, * FROM {read_csv_sql(job.sniffed)})"
    rows, faulty = _write(con, job, statement.select(relation, job.sha256))
    job.step.advance(rows)
    refused = refused_records(con, job.sniffed, job.name)
    return _Scanned(rows, _records(con, job.sniffed) if job.match.unpivoted else rows, faulty, refused)


def _write(con: duckdb.DuckDBPyConnection, job: Job, query: str) -> tuple[int, pa.Table]:
    """Write the clean rows that ``query`` gives; how many rows there were in all, and those at fault in the schema ``FOUND``.

    Raises:
        ConformError: more rows are at fault than the contract bears, or the reader gave up.
    """
    aside: list[pa.Table] = []
    faulty_rows = 0
    most = max(_MOST_FAULTY, int(job.match.table.tolerance * job.sniffed.lines))

    def set_aside(records: pa.Array, cells: pa.Array) -> pa.Array:
        nonlocal faulty_rows
        aside.append(pa.table([records, cells], schema=_ASIDE))
        faulty_rows += len(records)
        if faulty_rows > most:
            raise OverflowError
        return records.is_null()  # none is, so no row is kept

    con.create_function(
        ASIDE,
        set_aside,
        ["BIGINT", "VARCHAR[]"],
        "BOOLEAN",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
        side_effects=True,
    )
    kept = ", ".join(f"{key}: {literal(value)}" for key, value in job.metadata.items())
    try:
        (written,) = one_row(con, f"COPY ({query}) TO {literal(str(job.target))} ({_PARQUET}, KV_METADATA {{{kept}}})")
        faulty = _explained(con, job, pa.concat_tables([_ASIDE.empty_table(), *aside]))
    except (duckdb.Error, RuntimeError) as error:
        if any(sign in str(error) for sign in _INTERRUPTED):
            raise KeyboardInterrupt from error
        if not isinstance(error, duckdb.Error):
            raise
        if faulty_rows > most:
            raise _too_many(con, job, aside[0], faulty_rows) from error
        raise ConformError(
            f"the reader gave up: {str(error).splitlines()[0]}", where=job.name, fix="tell the publisher"
        ) from error
    return int(written) + faulty.num_rows, faulty


def _explained(con: duckdb.DuckDBPyConnection, job: Job, aside: pa.Table) -> pa.Table:
    """Why rows were set aside, in the schema ``FOUND``."""
    if not aside.num_rows:
        return FOUND.empty_table()
    con.register("aside", aside)
    cells = ", ".join(f"cells[{index + 1}] AS c{index}" for index in range(len(job.sniffed.header)))
    # a record of a wide file may have given several rows
    relation = f"(SELECT record, {cells} FROM (SELECT DISTINCT ON (record) * FROM aside))"
    found = con.sql(explain_sql(job.contract, job.match, job.sniffed, job.checks, relation)).to_arrow_table()
    if found.num_rows != aside.num_rows:
        raise ConformError(
            f"{aside.num_rows} rows were set aside and {found.num_rows} have a fault; a shortcut and its cast differ",
            where=job.name,
            fix="this is a fault of Rocade: report it with the contract and a few of the file's lines",
        )
    faults = [[job.checks[index - 1] for index in each] for each in found["faults"].to_pylist()]
    captured = found["captured"].to_pylist()
    lines = pc.add(found["record"], 1 + job.sniffed.offset)
    return pa.table(
        [
            lines,
            pa.array(
                [_columns(each[0], of, job.match) for each, of in zip(faults, captured, strict=True)], pa.string()
            ),
            found["fault_value"],
            pa.array([each[0].reason for each in faults], pa.string()),
            pa.array([_detail(each) for each in faults], pa.string()),
            found["fault_row"],
        ],
        schema=FOUND,
    )


def _too_many(con: duckdb.DuckDBPyConnection, job: Job, aside: pa.Table, rows: int) -> ConformError:
    """Why reading was broken off."""
    (first,) = _explained(con, job, aside.slice(0, 1)).to_pylist()
    return ConformError(
        f"reading was broken off after {rows:,} rows at fault, more than the contract bears; "
        f"the first of them: {first['column_name']} {first['value']!r} {first['detail']}",
        where=f"{job.name}, line {first['source_line']}",
        fix="nothing of the file is published or kept in quarantine; look whether its layout has changed",
    )


def _columns(fault: Check, captured: str | None, match: Match) -> str:
    """The publisher's names of the cells at fault: of a wide file, those of the columns that gave the row."""
    wide = match.unpivoted.get(captured, {}) if captured is not None else {}
    return ", ".join(wide.get(source.strip("{}"), source) for source in fault.sources)


def _detail(faults: Sequence[Check]) -> str:
    """What is wrong first, and in which other columns something is."""
    others = dict.fromkeys(name for each in faults[1:] for name in each.sources if name not in faults[0].sources)
    return faults[0].detail + (f"; also at fault: {', '.join(others)}" if others else "")


def _renumbered(job: Job, faulty: pa.Table, lines: np.ndarray) -> pa.Table:
    """``faulty``, and the clean rows in place, with ``source_line`` as the file has it.

    Args:
        job: whose clean rows are numbered as if each record took one line.
        faulty: rejected rows, numbered in the same way.
        lines: for each record that was read, where it stands.
    """

    def moved(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("source_line")
        real = pa.array(lines[rows["source_line"].to_numpy() - first], pa.int64())
        return rows.set_column(at, rows.schema.field(at), real)

    first = 2 + job.sniffed.offset
    if len(lines) == 0 or lines[-1] == len(lines) - 1 + first:
        return faulty
    rewrite(job.target, moved)
    return moved(faulty)


def _at_lines(refused: pa.Table, lines: np.ndarray) -> pa.Table:
    located = refused.append_column("source_line", pa.array(lines, pa.int64()))
    return located.select(FOUND.names).cast(FOUND)
