"""Run the scan: clean rows to Parquet, rejected rows to quarantine rows with line, column, value and reason.

Rows stream in batches, so memory does not grow with the file. What DuckDB's reader itself cannot read (a row too short or
too long, a quote left open) joins the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.conform.match import match_layout
from pipelines.conform.query import checks_of, conform_sql
from pipelines.conform.reader import lines_of_records, read_csv_sql, refused_records
from pipelines.conform.sniff import Sniffed, sniff
from pipelines.contracts.model import SEEN
from pipelines.errors import ConformError
from pipelines.lake.duck import connect, one_row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

    from pipelines.conform.match import Match
    from pipelines.conform.query import Check
    from pipelines.contracts import Contract, Table
    from pipelines.progress import Progress, Step
    from pipelines.settings import Settings

#: One rejected row; `quarantine.rows` in the lake, partitioned by resource.
QUARANTINE = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("table_name", pa.string()),
        pa.field("source_name", pa.string()),
        pa.field("source_sha256", pa.string()),
        pa.field("source_line", pa.int64()),
        pa.field("column_name", pa.string()),
        pa.field("value", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("row", pa.string()),
        pa.field("rejected_at", pa.timestamp("us", "UTC")),
        pa.field("source_resource", pa.string()),
    ]
)
#: What is particular to a rejected row; the rest of ``QUARANTINE`` is the same for the whole file.
FOUND = pa.schema([QUARANTINE.field(n) for n in ("source_line", "column_name", "value", "reason", "detail", "row")])

#: The reason of a row that the contract's ``prefer`` set aside.
SUPERSEDED = "superseded"

_BATCH = 100_000


@dataclass(frozen=True)
class Conformed:
    """A file after the scan: ``rows == clean + rejected.num_rows``.

    Attributes:
        match: table, layout and vintage.
        sniffed: encoding, separator and header.
        file: Parquet with the clean rows, without the partition column.
        clean: rows in ``file``.
        rejected: rows in the schema ``QUARANTINE``.
        origin: what all rejected rows of the file say alike: dataset, table, source.
    """

    match: Match
    sniffed: Sniffed
    file: Path
    clean: int
    rejected: pa.Table
    origin: Mapping[str, object]

    @property
    def rows(self) -> int:
        """Rows in the source, header apart."""
        return self.clean + int(self.rejected.num_rows)

    @property
    def faulty(self) -> int:
        """Rejected rows, without those that a better row of the same key supersedes by the contract's rule."""
        return int(self.rejected.num_rows) - self.superseded

    @property
    def superseded(self) -> int:
        """Rows that ``prefer`` set aside; they wait in quarantine and are nobody's fault."""
        return int(pc.sum(pc.equal(self.rejected["reason"], SUPERSEDED)).as_py() or 0)

    @property
    def rejected_share(self) -> float:
        """Faulty rows over all rows."""
        return self.faulty / self.rows if self.rows else 0.0

    def without(self, found: pa.Table) -> Conformed:
        """The same file with rows taken out of it and rejected.

        Args:
            found: ``source_line``, ``column_name``, ``value``, ``reason``, ``detail``, ``row`` of rows that are in ``file``.
        """
        if not found.num_rows:
            return self
        _take_lines(self.file, found["source_line"])
        rejected = pa.concat_tables([self.rejected, _quarantined(found.cast(FOUND), self.origin)])
        return replace(self, clean=self.clean - found.num_rows, rejected=rejected.sort_by("source_line"))


def conform(
    source: Path,
    contract: Contract,
    settings: Settings,
    progress: Progress,
    *,
    name: str,
    resource: str,
    sha256: str,
    target: Path,
    metadata: dict[str, str] | None = None,
) -> Conformed:
    """Cast the file at ``source`` by ``contract`` and write its clean rows to ``target``.

    Args:
        source: the bytes as fetched.
        contract: whose tables to look among.
        settings: limits and scratch folder.
        progress: rows are counted on it.
        name: the file's name or title, for its year and for messages.
        resource: the resource's key, for provenance.
        sha256: of the bytes, for provenance.
        target: Parquet file to write; its folder exists.
        metadata: kept in the Parquet file.

    Raises:
        ConformError: the file is not a table of this contract, its rows cannot be told apart, or it holds no row at all.
    """
    scratch = settings.staging / f"{sha256[:16]}.utf8"
    try:
        sniffed = sniff(source, name, scratch)
        match = match_layout(contract, sniffed.header, name, sniffed.doubled)
        checks = checks_of(contract, match, sniffed)
        with connect(settings) as con, progress.step(f"conform {name}", unit="rows") as step:
            query = con.sql(conform_sql(contract, match, sniffed, checks, sha256))
            try:
                read, faulty = _scan(query, checks, _file_schema(match.table, metadata), target, step)
            except duckdb.InvalidInputException as error:
                raise ConformError(
                    f"the reader gave up: {str(error).splitlines()[0]}", where=name, fix="tell the publisher"
                ) from error
            refused = refused_records(con, sniffed, name)
            records = _records(con, sniffed) if match.unpivoted else read
            good, bad = lines_of_records(sniffed, records, refused, name)
            faulty = _renumbered(target, faulty, good)
            doubles = _take_doubles(con, target, match.table)
    finally:
        scratch.unlink(missing_ok=True)
    found = pa.concat_tables([faulty, _at_lines(refused, bad), doubles]).sort_by("source_line")
    clean = read - faulty.num_rows - doubles.num_rows
    if not clean + found.num_rows:
        raise ConformError("the file has a header and no row", where=name, fix="the last good version stays published")
    origin = {
        "dataset": contract.name,
        "table_name": match.table.name,
        "source_name": name,
        "source_sha256": sha256,
        "rejected_at": datetime.now(UTC),
        "source_resource": resource,
    }
    return Conformed(match, sniffed, target, clean, _quarantined(found, origin), origin)


def _records(con: duckdb.DuckDBPyConnection, sniffed: Sniffed) -> int:
    """How many records the reader gives, where a record gives several rows."""
    (count,) = one_row(con, f"SELECT count(*) FROM {read_csv_sql(sniffed)}")
    return int(count)


def _quarantined(found: pa.Table, origin: Mapping[str, object]) -> pa.Table:
    """``found`` in the schema ``QUARANTINE``."""
    columns = [
        pa.repeat(pa.scalar(origin[column.name], column.type), found.num_rows)
        if column.name in origin
        else found[column.name]
        for column in QUARANTINE
    ]
    return pa.table(columns, schema=QUARANTINE)


def _take_lines(file: Path, lines: pa.ChunkedArray) -> None:
    taken = lines.combine_chunks()
    _rewrite(file, lambda rows: rows.filter(pc.invert(pc.is_in(rows["source_line"], taken))))


def _file_schema(table: Table, metadata: dict[str, str] | None) -> pa.Schema:
    """The table's schema without the partition column and what publishing adds."""
    later = {"source_resource", *SEEN.names}
    return pa.schema([field for field in table.arrow_schema() if field.name not in later], metadata=metadata)


def _scan(
    query: duckdb.DuckDBPyRelation, checks: list[Check], schema: pa.Schema, target: Path, step: Step
) -> tuple[int, pa.Table]:
    """Write the clean rows of ``query``; gives how many records there were, and the rows with a fault."""
    read, faulty = 0, [FOUND.empty_table()]
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in query.to_arrow_reader(_BATCH):
            good = pc.equal(batch["fault"], 0)
            rows = batch if pc.all(good).as_py() else batch.filter(good)
            writer.write_batch(rows.select(schema.names).cast(schema), row_group_size=1_000_000)
            if rows.num_rows < batch.num_rows:
                faulty.append(_faulty_rows(batch.filter(pc.invert(good)), checks))
            read += batch.num_rows
            step.advance(batch.num_rows)
    return read, pa.concat_tables(faulty)


def _faulty_rows(batch: pa.RecordBatch, checks: list[Check]) -> pa.Table:
    found = [checks[index - 1] for index in batch["fault"].to_pylist()]
    return pa.table(
        [
            batch["source_line"],
            pa.array([", ".join(check.sources) for check in found], pa.string()),
            batch["fault_value"],
            pa.array([check.reason for check in found], pa.string()),
            pa.array([check.detail for check in found], pa.string()),
            batch["fault_row"],
        ],
        schema=FOUND,
    )


def _renumbered(target: Path, faulty: pa.Table, lines: np.ndarray) -> pa.Table:
    """``faulty``, and the rows of ``target`` in place, with ``source_line`` as the file has it.

    Args:
        target: clean rows, numbered as if each record took one line.
        faulty: rejected rows, numbered in the same way.
        lines: for each record that was read, where it stands.
    """

    def moved(rows: pa.Table) -> pa.Table:
        at = rows.schema.get_field_index("source_line")
        real = pa.array(lines[rows["source_line"].to_numpy() - 2], pa.int64())
        return rows.set_column(at, rows.schema.field(at), real)

    if len(lines) == 0 or lines[-1] == len(lines) + 1:
        return faulty
    _rewrite(target, moved)
    return moved(faulty)


def _at_lines(refused: pa.Table, lines: np.ndarray) -> pa.Table:
    located = refused.append_column("source_line", pa.array(lines, pa.int64()))
    return located.select(FOUND.names).cast(FOUND)


def _take_doubles(con: duckdb.DuckDBPyConnection, file: Path, table: Table) -> pa.Table:
    """Take out of ``file`` all rows of a key but one, and give them as rejected rows.

    The one that stays is what the table prefers, the earliest line among equals.
    """
    if not table.primary_key:
        return FOUND.empty_table()
    columns = ", ".join(table.primary_key)
    rows = f"read_parquet('{str(file).replace(chr(39), chr(39) * 2)}')"
    value = f"concat_ws(' / ', {columns})"
    best = ", ".join([*(f"{column} DESC NULLS LAST" for column in table.prefer), "source_line"])
    preferred = " AND ".join(f"r.{column} IS NOT DISTINCT FROM first.{column}" for column in table.prefer) or "true"
    found = con.sql(
        f"""
        WITH doubled AS (SELECT * FROM {rows} r SEMI JOIN (
            SELECT {columns} FROM {rows} GROUP BY {columns} HAVING count(*) > 1) USING ({columns})),
        first AS (SELECT * FROM doubled QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY {best}) = 1)
        SELECT r.source_line, '{columns}' AS column_name, {value} AS value,
            CASE WHEN {preferred} THEN 'duplicate_key' ELSE '{SUPERSEDED}' END AS reason,
            CASE WHEN {preferred} THEN 'the same key stands on line ' ELSE 'the contract prefers line ' END
                || first.source_line AS detail, to_json(r)::VARCHAR AS row
        FROM doubled r JOIN first USING ({columns})
        WHERE r.source_line <> first.source_line ORDER BY r.source_line"""
    ).to_arrow_table()
    if found.num_rows:
        _take_lines(file, found["source_line"])
    return found.cast(FOUND)


def _rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """The Parquet ``file`` with ``change`` made to each row group."""
    changed = file.with_suffix(".changed")
    with pq.ParquetFile(file) as old, pq.ParquetWriter(changed, old.schema_arrow, compression="zstd") as new:
        for group in range(old.num_row_groups):
            new.write_table(change(old.read_row_group(group)))
    changed.replace(file)
