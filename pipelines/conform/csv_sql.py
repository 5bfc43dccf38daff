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
#: takes sixteen times the longest line. Where a file is read again if a line was refused, less will do at first.
_LONGEST, _BUFFER = 16 << 20, 24 << 20
_LONGEST_AT_FIRST, _BUFFER_AT_FIRST = 2 << 20, 4 << 20


def read_csv_sql(sniffed: Sniffed, address: str | None = None, *, header: bool = True, at_first: bool = False) -> str:
    """A table function over the file: columns ``c0, c1, …``, all text; records it cannot read go to ``reject_errors``.

    Empty cells beyond the last column are let pass: a separator at the end of a row says nothing.

    Args:
        sniffed: the file.
        address: what to read in its place: a part of it.
        header: whether the header is in that part.
        at_first: whether the file is read again if a line is refused, such as one of more than 2 MB.
    """
    longest, buffer = (_LONGEST_AT_FIRST, _BUFFER_AT_FIRST) if at_first else (_LONGEST, _BUFFER)
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(sniffed.header)))
    return (
        f"read_csv({literal(address or sniffed.path)}, "
        f"delim='{sniffed.separator}', header={str(header).lower()}, auto_detect=false, all_varchar=true, "
        f"quote='\"', escape='\"', columns={{{columns}}}, ignore_errors=true, store_rejects=true, max_line_size={longest}, "
        f"buffer_size={buffer})"
    )
