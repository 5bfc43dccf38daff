"""DuckDB's CSV reader: how it is asked, which records it refused, and on which line of the file each record stands.

The reader numbers records, and a record is not always a line: a quoted cell may hold line ends, and blank lines are
skipped. Files in which every record is one line (the rule) cost nothing; only the others are walked again.
"""

from __future__ import annotations

import csv
import os
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.conform.csv_sql import REASONS
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from pipelines.conform.sniff import Sniffed

_DETAILS = {
    "open_quote": "has a quote that is opened and not closed, or closed in the middle of a cell",
    "line_too_long": "is longer than any line of a table",
    "bad_encoding": "holds bytes that are not UTF-8, in which the rest of the file is",
}
_WIDE = 3  # separators in a row, below which a cell may well hold as many


def refused_records(con: duckdb.DuckDBPyConnection, sniffed: Sniffed, name: str) -> pa.Table:
    """Records that the reader refused in the scan just made on ``con``, in the order of the file.

    Returns:
        ``line`` (as the reader counts), ``position`` (of the record's first byte, from 0; blank lines may stand between),
        ``column_name``, ``value``, ``reason``, ``detail``, ``row``.

    Raises:
        ConformError: a quote is never closed, so that rows were swallowed.
    """
    kinds = ", ".join(f"'{kind}': '{reason}'" for kind, reason in REASONS.items())
    found = con.sql(
        f"""
        SELECT DISTINCT ON (line_byte_position) line::BIGINT AS line, line_byte_position::BIGINT - 1 AS position,
            column_name, left(csv_line, 1000) AS value, coalesce(MAP {{{kinds}}}[error_type::VARCHAR], 'unreadable') AS reason,
            error_message AS detail, csv_line AS row
        FROM reject_errors ORDER BY line_byte_position, column_idx, byte_position"""
    ).to_arrow_table()
    for record in found.select(["line", "reason", "row"]).to_pylist():
        if record["reason"] == "open_quote" and "\n" in (record["row"] or "").strip("\r\n"):
            raise ConformError(
                "a quote is opened that is never closed; what follows cannot be told apart",
                where=f"{name}, near line {record['line']}",
                fix="the last good version stays published; tell the publisher",
            )
    names = [_published_name(column, sniffed) for column in found["column_name"].to_pylist()]
    details = [
        _detail(reason, text, len(sniffed.header))
        for reason, text in zip(found["reason"].to_pylist(), found["detail"].to_pylist(), strict=True)
    ]
    found = found.set_column(found.schema.get_field_index("column_name"), "column_name", pa.array(names, pa.string()))
    return found.set_column(found.schema.get_field_index("detail"), "detail", pa.array(details, pa.string()))


def lines_of_records(sniffed: Sniffed, read: int, refused: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The publisher's line on which each record begins: of those read, in order, and of those refused.

    Of a file whose publisher counts records (a sheet's rows), the record's number.

    Args:
        sniffed: the file.
        read: how many records the reader gave.
        refused: from ``refused_records``.
        name: for the message.

    Raises:
        ConformError: quotes are so odd that the file's lines and its records do not go together, or the file was cut.
    """
    if sniffed.lines == 1 + read + refused.num_rows:
        lines, bad = np.arange(2, sniffed.lines + 1), refused["line"].to_numpy()
    else:
        lines, starts = _walk(sniffed, name)
        at = np.searchsorted(starts, refused["position"].to_numpy())
        bad = lines[at[at < len(lines)]]
    good = np.setdiff1d(lines, bad)
    if len(good) != read or len(bad) != refused.num_rows:
        raise ConformError(
            f"its rows cannot be told apart: {len(good)} by its lines and quotes, {read} by the reader",
            where=name,
            fix="look for a cell in which a quote stands alone; the last good version stays published",
        )
    cut = len(bad) and bad[-1] == sniffed.lines and refused["reason"][-1].as_py() in {"row_too_short", "open_quote"}
    if cut and not _ends_with_a_line_end(sniffed):
        raise ConformError(
            "the file ends in the middle of a row: it was cut",
            where=f"{name}, line {sniffed.lines}",
            fix="fetch it again; the last good version stays published",
        )
    return good + sniffed.offset, bad + sniffed.offset


def _ends_with_a_line_end(sniffed: Sniffed) -> bool:
    with sniffed.path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) in b"\r\n"


def _walk(sniffed: Sniffed, name: str) -> tuple[np.ndarray, np.ndarray]:
    """First line (from 1; where records count, the record's number) and first byte (from 0) of each record after the header."""
    offsets = [0]

    def lines() -> Iterator[str]:
        with sniffed.path.open("rb") as file:
            for raw in file:
                offsets.append(offsets[-1] + len(raw))
                yield raw.decode("latin-1")  # only separators, quotes and line ends matter here

    starts, numbers, before = [], [], 0
    reader = csv.reader(lines(), delimiter=sniffed.separator)
    try:
        for number, record in enumerate(reader):
            if record:
                starts.append(before)
                numbers.append(number if sniffed.by_record else before)
            if reader.line_num - before > 1 and not sniffed.by_record:
                _refuse_swallowed_rows(record, sniffed, f"{name}, line {before + 1}")
            before = reader.line_num
    except csv.Error as error:
        raise ConformError(
            f"this line cannot be read: {error}", where=f"{name}, line {reader.line_num}", fix="tell the publisher"
        ) from error
    first = np.array(starts[1:], dtype=np.int64)
    return np.array(numbers[1:], dtype=np.int64) + 1, np.array(offsets, dtype=np.int64)[first]


def _refuse_swallowed_rows(record: list[str], sniffed: Sniffed, where: str) -> None:
    """Two quotes that stand alone, rows apart, make one cell of all the rows between them.

    Raises:
        ConformError: a cell of several lines holds the separators of a whole row or more.
    """
    row = len(sniffed.header) - 1
    for cell in record:
        if row >= _WIDE and "\n" in cell and cell.count(sniffed.separator) >= row:
            raise ConformError(
                f"a cell holds {cell.count(chr(10)) + 1} lines with the separators of whole rows: a quote stands alone",
                where=where,
                fix="tell the publisher; the last good version stays published",
            )


def _detail(reason: str, said: str, width: int) -> str:
    """What is wrong with a record, where the reader's own words are for programmers."""
    if reason == "row_too_short" and (cells := re.search(r"Found: (\d+)", said)):
        return f"has {cells[1]} cells where the header has {width} columns"
    if reason == "row_too_long":  # the reader does not count to the end
        return f"has more cells than the header's {width} columns"
    return _DETAILS.get(reason, said.splitlines()[0].strip())


def _published_name(column: str | None, sniffed: Sniffed) -> str | None:
    """The reader says `c3`; rows with too many columns name none."""
    index = int(column[1:]) if column and column[1:].isdigit() else len(sniffed.header)
    return sniffed.header[index] if index < len(sniffed.header) else None
