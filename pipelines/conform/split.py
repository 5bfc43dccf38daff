"""Run the scan: clean rows to Parquet, rejected rows to quarantine rows with line, column, value and reason.

Rows stream in batches, so memory does not grow with the file. What DuckDB's reader itself cannot read (a row too short or
too long, a quote left open) is taken from its reject table and joins the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.conform.match import match_layout
from pipelines.conform.query import Check, checks_of, conform_sql
from pipelines.conform.sniff import Sniffed, sniff
from pipelines.errors import ConformError
from pipelines.lake.duck import connect

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from pipelines.conform.match import Match
    from pipelines.contracts import Contract
    from pipelines.progress import Progress
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

_BATCH = 100_000
_READER_REASONS = {
    "MISSING COLUMNS": "row_too_short",
    "TOO MANY COLUMNS": "row_too_long",
    "UNQUOTED VALUE": "open_quote",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
    "INVALID ENCODING": "bad_encoding",
}


@dataclass(frozen=True)
class Conformed:
    """A file after the scan: ``rows == clean + rejected.num_rows``.

    Attributes:
        match: table, layout and vintage.
        sniffed: encoding, separator and header.
        file: Parquet with the clean rows, without the partition column.
        clean: rows in ``file``.
        rejected: rows in the schema ``QUARANTINE``.
        checks: what each row was judged by.
    """

    match: Match
    sniffed: Sniffed
    file: Path
    clean: int
    rejected: pa.Table
    checks: tuple[Check, ...]

    @property
    def rows(self) -> int:
        """Rows in the source, header apart."""
        return self.clean + int(self.rejected.num_rows)

    @property
    def rejected_share(self) -> float:
        """Rejected rows over all rows."""
        return self.rejected.num_rows / self.rows if self.rows else 0.0


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
        ConformError: the file is not a table of this contract, or holds no row at all.
    """
    scratch = settings.staging / f"{sha256[:16]}.utf8"
    try:
        sniffed = sniff(source, name, scratch)
        match = match_layout(contract, sniffed.header, name)
        checks = checks_of(contract, match)
        with connect(settings) as con:
            clean, rejects = _scan(
                con, contract, match, sniffed, checks, sha256, target, metadata or {}, progress, name
            )
            doubles = _take_doubles(con, target, match.table.primary_key)
    finally:
        scratch.unlink(missing_ok=True)
    if doubles.num_rows:
        clean -= doubles.num_rows
        rejects = pa.concat_tables([rejects, doubles]).sort_by("source_line")
    now = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
    constants = {
        "dataset": contract.name,
        "table_name": match.table.name,
        "source_name": name,
        "source_sha256": sha256,
        "source_resource": resource,
    }
    filled = {key: pa.repeat(pa.scalar(text), rejects.num_rows) for key, text in constants.items()}
    filled["rejected_at"] = pa.repeat(now, rejects.num_rows)
    columns = {column.name: filled.get(column.name) for column in QUARANTINE}
    rejected = pa.table(
        {key: rejects[key] if value is None else value for key, value in columns.items()}, schema=QUARANTINE
    )
    result = Conformed(match, sniffed, target, clean, rejected, tuple(checks))
    if result.rows == 0:
        raise ConformError("the file has a header and no row", where=name, fix="the last good version stays published")
    return result


_FOUND = pa.schema([QUARANTINE.field(n) for n in ("source_line", "column_name", "value", "reason", "detail", "row")])


def _scan(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    match: Match,
    sniffed: Sniffed,
    checks: list[Check],
    sha256: str,
    target: Path,
    metadata: dict[str, str],
    progress: Progress,
    name: str,
) -> tuple[int, pa.Table]:
    schema = pa.schema(
        [column for field in match.table.fields for column in field.columns()]
        + [pa.field("source_sha256", pa.string()), pa.field("source_line", pa.int64())],
        metadata=metadata,
    )
    clean, faulty = 0, [_FOUND.empty_table()]
    with progress.step(f"conform {name}", unit="rows") as step:
        reader = con.sql(conform_sql(contract, match, sniffed, checks, sha256)).to_arrow_reader(_BATCH)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                good = pc.equal(batch["fault"], 0)
                rows = batch if pc.all(good).as_py() else batch.filter(good)
                writer.write_batch(rows.select(schema.names).cast(schema), row_group_size=1_000_000)
                clean += rows.num_rows
                if rows.num_rows < batch.num_rows:
                    faulty.append(_faulty_rows(batch.filter(pc.invert(good)), checks))
                step.advance(batch.num_rows)
    unread = _unread_rows(con, sniffed)
    rejects = pa.concat_tables(faulty)
    if unread.num_rows:
        # The reader skipped these lines without counting them: every later row stands further down.
        lines = np.sort(np.unique(unread["source_line"].to_numpy()))
        _move_lines(target, lines)
        rejects = rejects.set_column(0, _FOUND.field(0), pa.array(_moved(rejects["source_line"].to_numpy(), lines)))
        rejects = pa.concat_tables([rejects, unread]).sort_by("source_line")
    return clean, rejects


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
        schema=_FOUND,
    )


def _unread_rows(con: duckdb.DuckDBPyConnection, sniffed: Sniffed) -> pa.Table:
    """Rows that DuckDB's reader refused, one a line."""
    kinds = ", ".join(f"'{kind}': '{reason}'" for kind, reason in _READER_REASONS.items())
    found = con.sql(
        f"""
        SELECT line::BIGINT AS source_line, any_value(column_name) AS column_name, any_value(csv_line) AS value,
            any_value(coalesce(MAP {{{kinds}}}[error_type::VARCHAR], 'unreadable')) AS reason,
            any_value(error_message) AS detail, any_value(csv_line) AS row
        FROM reject_errors GROUP BY line ORDER BY line"""
    ).to_arrow_table()
    names = [
        sniffed.header[int(column[1:])]
        if column and column[1:].isdigit() and int(column[1:]) < len(sniffed.header)
        else None
        for column in found["column_name"].to_pylist()
    ]
    details = [_first_sentence(text, len(sniffed.header)) for text in found["detail"].to_pylist()]
    found = found.set_column(1, "column_name", pa.array(names, pa.string()))
    return found.set_column(4, "detail", pa.array(details, pa.string())).cast(_FOUND)


def _take_doubles(con: duckdb.DuckDBPyConnection, file: Path, key: tuple[str, ...]) -> pa.Table:
    """Take the rows out of ``file`` whose key stands on an earlier line already, and give them as rejected rows."""
    if not key:
        return _FOUND.empty_table()
    columns = ", ".join(key)
    rows = f"read_parquet('{str(file).replace(chr(39), chr(39) * 2)}')"
    value = f"concat_ws(' / ', {columns})"
    found = con.sql(
        f"""
        SELECT source_line, '{columns}' AS column_name, {value} AS value, 'duplicate_key' AS reason,
            'the same key stands on line ' || first_line AS detail, to_json(r)::VARCHAR AS row
        FROM {rows} r JOIN (
            SELECT {columns}, min(source_line) AS first_line FROM {rows} GROUP BY {columns} HAVING count(*) > 1
        ) USING ({columns})
        WHERE source_line > first_line ORDER BY source_line"""
    ).to_arrow_table()
    if found.num_rows:
        lines = pa.chunked_array(found["source_line"])
        kept = file.with_suffix(".kept")
        with pq.ParquetFile(file) as old, pq.ParquetWriter(kept, old.schema_arrow, compression="zstd") as new:
            for group in range(old.num_row_groups):
                each = old.read_row_group(group)
                new.write_table(each.filter(pc.invert(pc.is_in(each["source_line"], lines.combine_chunks()))))
        kept.replace(file)
    return found.cast(_FOUND)


def _first_sentence(message: str, width: int) -> str:
    return f"{message.splitlines()[0].strip()} (the header has {width} columns)"


def _moved(lines: np.ndarray, skipped: np.ndarray) -> np.ndarray:
    """Line numbers counted over the rows read, as line numbers of the file, given the skipped lines (sorted)."""
    before = skipped - 1 - np.arange(1, len(skipped) + 1)  # rows read before each skipped line
    return lines + np.searchsorted(before, lines - 1, side="left")


def _move_lines(file: Path, skipped: np.ndarray) -> None:
    fixed = file.with_suffix(".lines")
    with pq.ParquetFile(file) as old, pq.ParquetWriter(fixed, old.schema_arrow, compression="zstd") as new:
        for group in range(old.num_row_groups):
            rows = old.read_row_group(group)
            at = rows.schema.get_field_index("source_line")
            lines = pa.array(_moved(rows["source_line"].to_numpy(), skipped), pa.int64())
            new.write_table(rows.set_column(at, rows.schema.field(at), lines))
    fixed.replace(file)
