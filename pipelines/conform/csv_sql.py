"""How DuckDB's CSV reader is asked; on its own so that looking at a file needs nothing but DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lake.duck import literal

if TYPE_CHECKING:
    from pipelines.conform.sniff import Sniffed

#: What the reader calls a record that it refuses, and what quarantine calls it.
REASONS = {
    "MISSING COLUMNS": "row_too_short",
    "TOO MANY COLUMNS": "row_too_long",
    "UNQUOTED VALUE": "open_quote",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
    "INVALID ENCODING": "bad_encoding",
}
#: Bytes of the longest line that is read, and of the buffer, which each thread holds a few times over; without it the reader
#: takes sixteen times the longest line.
_LONGEST, _BUFFER = 16 << 20, 24 << 20


def read_csv_sql(sniffed: Sniffed) -> str:
    """A table function over the file: columns ``c0, c1, …``, all text; records it cannot read go to ``reject_errors``.

    Empty cells beyond the last column are let pass: a separator at the end of a row says nothing.
    """
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(sniffed.header)))
    return (
        f"read_csv({literal(sniffed.path)}, "
        f"delim='{sniffed.separator}', header=true, auto_detect=false, all_varchar=true, "
        f"quote='\"', escape='\"', columns={{{columns}}}, ignore_errors=true, store_rejects=true, max_line_size={_LONGEST}, "
        f"buffer_size={_BUFFER})"
    )
