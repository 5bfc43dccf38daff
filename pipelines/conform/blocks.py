"""The cells of a regular text, read in blocks on all cores.

DuckDB's reader numbers records on one core only. A text in which every line is a record and every quote encloses a cell, as
nearly all are, can be cut at any line end: there pyarrow's parser gives the same cells for less, and its casts make numbers of
texts at a third of the cost. Where a block is not so, ``Irregular`` is raised, and DuckDB reads the file, whose reader says of
each bad record what is wrong with it.

Belongs here: what a regular text is, and its cells. Does not: what a cell means.
"""

from __future__ import annotations

import os
import re
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pipelines.conform.keys import Ascent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pipelines.conform.segments import Segment
    from pipelines.conform.sniff import Sniffed

#: Larger blocks cost less to plan, and smaller ones stay in the caches; measured, 4 MB cost 3 % less than 1 MB.
BLOCK = 4 << 20
_LONGEST = 64 << 10  # of a line, as a rule: the end of the last one in a block is looked for so far back
_SLICE = 256 << 10  # with what is computed from it, it just stays in a core's cache
_LF, _CR, _QUOTE = 10, 13, 34
_BOM = b"\xef\xbb\xbf"  # pyarrow would take it out wherever a block begins with it
_POINT = bytes.maketrans(b",", b".")


class Irregular(Exception):  # noqa: N818 - nothing is wrong: another way is taken
    """The text, or a block of it, is not regular."""


class Blocks:
    """A text that is to be read in blocks.

    Args:
        sniffed: the text.
        reals: columns (``c13``) of which ``real_c13`` is wanted too: the cells as numbers, with a point or a comma.
        key: a column of which ``whole_c0`` is wanted, the cells as whole numbers, and whether they ascend.
        on_read: told how many records were read.

    Attributes:
        numbers: names of the columns of numbers. A block in which a text is no number may have none in such a column: there the
            texts have to be looked at.
        records: how many were read.
        irregular: why reading was broken off.
    """

    def __init__(
        self, sniffed: Sniffed, reals: Collection[str], key: str | None, on_read: Callable[[int], None]
    ) -> None:
        self._sniffed, self._key, self._on_read = sniffed, key, on_read
        self._columns = [f"c{index}" for index in range(len(sniffed.header))]
        self._numbers = {f"real_{name}": (name, _reals) for name in reals}
        if key:
            self._numbers[f"whole_{key}"] = (key, _wholes)
        self.numbers = frozenset(self._numbers)
        self.records = 0
        self._counting = Lock()
        self.irregular: str | None = None
        self._ascents: dict[int, Ascent] = {}
        separator = re.escape(sniffed.separator.encode())
        # DuckDB passes over blanks before a quote.
        cell = rb'(?:"(?:[^"\r\n]|"")*+"|(?!\s*")[^%b\r\n]*+)' % separator
        self._record = re.compile(rb"%b(?:%b%b){%d}\r?" % (cell, separator, cell, len(self._columns) - 1))

    def reader(self, segment: Segment) -> pa.RecordBatchReader:
        """The records of ``segment`` in order: ``c0, c1, …`` as published (NULL where empty), and ``numbers``.

        In the midst of it comes an error if a block is irregular.
        """
        schema = [(name, pa.string()) for name in self._columns]
        schema += [(name, pa.int64() if cast is _wholes else pa.float64()) for name, (_, cast) in self._numbers.items()]
        return pa.RecordBatchReader.from_batches(pa.schema(schema), self._batches(segment))

    def ascends(self, apart: np.ndarray) -> bool:
        """Whether the key's numbers ascend throughout the text, each once; only records in ``apart`` (from 1) may have none."""
        ascents = [self._ascents[start] for start in sorted(self._ascents)]
        ends = [end for each in ascents for end in each.ends]
        return (
            self._key is not None
            and ends == sorted(set(ends))
            and all(each.holds and np.isin(each.strangers, apart).all() for each in ascents)
        )

    def _batches(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        desk = _Desk(BLOCK)
        ascent = self._ascents[segment.start] = Ascent(segment.first_record)
        try:
            with segment.path.open("rb", buffering=0) as file:
                first = self._after_header(file.fileno()) if segment.line == 1 else segment.start
                for start, end in _ranges(file.fileno(), first, segment.end):
                    table = self._read(desk, desk.load(file.fileno(), start, end))
                    if self._key:
                        ascent.go_on(table[f"whole_{self._key}"].chunk(0))
                    with self._counting:
                        self.records += table.num_rows
                        self._on_read(table.num_rows)
                    yield from table.to_batches()
        except Irregular as error:
            self.irregular = str(error)
            raise

    def _after_header(self, file: int) -> int:
        """Where the second line begins."""
        head = os.pread(file, _LONGEST, 0)
        end = head.find(b"\n")
        if end < 0 or not self._record.fullmatch(head[:end].removeprefix(_BOM)):
            raise Irregular("the header is no line of its own")
        return end + 1

    def _read(self, desk: _Desk, block: memoryview) -> pa.Table:
        if block[:3] == _BOM:
            raise Irregular("a byte order mark stands at the beginning of a line")
        if self._sniffed.damaged and desk.has_nul():
            raise Irregular("a NUL byte stands in it")
        try:
            table = csv.read_csv(
                pa.BufferReader(block),
                csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=self._columns),
                csv.ParseOptions(delimiter=self._sniffed.separator, ignore_empty_lines=False),
                csv.ConvertOptions(
                    check_utf8=False,  # sniffing has looked at every byte
                    column_types=dict.fromkeys(self._columns, pa.string()),
                    strings_can_be_null=True,
                    null_values=[""],
                ),
            )
        except pa.ArrowInvalid as error:
            raise Irregular(str(error)) from error
        if all(column.null_count for column in table.columns) and desk.has_empty_line():
            raise Irregular("a line is empty")
        for line in desk.odd_lines(self._sniffed, table.num_rows):
            if not self._record.fullmatch(line):
                raise Irregular(f"a line's quotes are odd: {line[:100]!r}")
        for name, (source, cast) in self._numbers.items():
            table = table.append_column(name, cast(table[source].chunk(0)))
        return table


def _ranges(file: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """First byte and end of each block between ``start`` and ``end``: whole lines."""
    while start < end:
        cut = min(start + BLOCK, end)
        if cut < end:
            tail = max(start, cut - _LONGEST)
            found = os.pread(file, cut - tail, tail).rfind(b"\n")
            if found < 0:
                raise Irregular(f"a line is longer than {_LONGEST:,} bytes")
            cut = tail + found + 1
        yield start, cut
        start = cut


class _Desk:
    """Room for one block after another and what is computed from it: fresh memory would cost as much as the arithmetic."""

    def __init__(self, size: int) -> None:
        self._room = bytearray(size + 2)  # a line end before and behind the block
        self._room[0] = _LF
        self._edges, self._others, self._flags = (np.empty(_SLICE + 2, np.bool_) for _ in range(3))
        self._size = 0

    def load(self, file: int, start: int, end: int) -> memoryview:
        """The bytes from ``start`` to ``end`` of ``file``."""
        room = memoryview(self._room)
        self._size = os.preadv(file, [room[1 : 1 + end - start]], start)
        self._room[1 + self._size] = _LF
        return room[1 : 1 + self._size]

    def has_nul(self) -> bool:
        """Whether a byte is NUL, of which each reader makes something else."""
        return self._room.find(0, 1, 1 + self._size) >= 0

    def has_empty_line(self) -> bool:
        """Whether a line has nothing in it."""
        return any(self._room.find(empty, 0, 1 + self._size) >= 0 for empty in (b"\n\n", b"\n\r\n"))

    def odd_lines(self, sniffed: Sniffed, records: int) -> Iterator[bytes]:
        """Lines, without LF, of which it is not plain that all is well with their quotes, after ``records`` were read.

        Of a block it is plain where each quote has a separator or a line end on one side and not on the other, as many before as
        behind, and where there are no more separators and line ends than the cells of so many records need. If not so, it is
        plain of the lines in which quotes before a cell and quotes behind one take turns.
        """
        if not sniffed.quoted:
            return
        separator = ord(sniffed.separator)
        if self._plain(separator, len(sniffed.header), records):
            yield self._last_line()  # a quote that is opened in it may never be closed
            return
        piece = np.frombuffer(self._room, np.uint8, self._size + 2)
        edges = (piece == separator) | (piece == _LF) | (piece == _CR)
        quotes = np.flatnonzero(piece[1:-1] == _QUOTE)
        before, behind = edges[:-2][quotes], edges[2:][quotes]
        line_end = np.flatnonzero(piece[1:] == _LF)  # the last may be the one behind the block
        begin = np.concatenate(([0], line_end[:-1] + 1))
        first = np.searchsorted(quotes, begin)  # quote of each line, if it has any
        line = np.searchsorted(line_end, quotes)
        opens = (np.arange(len(quotes)) - first[line]) % 2 == 0
        odd = np.zeros(len(line_end), np.bool_)
        odd[line[(before != opens) | (behind == opens)]] = True
        odd |= np.diff(np.append(first, len(quotes))) % 2 != 0
        for number in np.flatnonzero(odd):
            yield bytes(self._room[1 + begin[number] : 1 + line_end[number]])

    def _last_line(self) -> bytes:
        end = self._size if self._room[self._size] == _LF else self._size + 1
        return bytes(self._room[self._room.rfind(b"\n", 0, end) + 1 : end])

    def _plain(self, separator: int, width: int, records: int) -> bool:
        quotes = opening = regular = ends = 0
        line_ends = (_LF, _CR) if self._room.find(b"\r", 0, self._size + 1) >= 0 else (_LF,)
        for piece in self._slices():
            edges, others, inner = self._edges[: len(piece)], self._others[: len(piece)], self._inner(piece)
            np.equal(piece, separator, out=edges)
            for end in line_ends:
                np.logical_or(edges, np.equal(piece, end, out=others), out=edges)
            ends += int(np.count_nonzero(edges[1:-1]))
            quotes += int(np.count_nonzero(np.equal(piece[1:-1], _QUOTE, out=inner)))
            opening += int(np.count_nonzero(np.logical_and(inner, edges[:-2], out=others[1:-1])))
            one = np.not_equal(edges[:-2], edges[2:], out=others[1:-1])
            regular += int(np.count_nonzero(np.logical_and(inner, one, out=inner)))
        wanted = records * (width - 1 + len(line_ends)) - len(line_ends) * (self._room[self._size] != _LF)
        return regular == quotes == 2 * opening and ends == wanted

    def _inner(self, piece: np.ndarray) -> np.ndarray:
        return self._flags[: len(piece) - 2]

    def _slices(self) -> Iterator[np.ndarray]:
        """The block in parts, each with the byte before and the byte behind it."""
        for at in range(0, self._size, _SLICE):
            yield np.frombuffer(self._room, np.uint8, min(_SLICE, self._size - at) + 2, at)


def _wholes(texts: pa.StringArray) -> pa.Int64Array:
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        digits = pc.if_else(pc.ascii_is_decimal(texts), texts, None)
    try:
        return digits.cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.nulls(len(texts), pa.int64())


def _reals(texts: pa.StringArray) -> pa.DoubleArray:
    blank, offsets, data = texts.buffers()
    if data is None:
        return pa.nulls(len(texts), pa.float64())
    with_point = pa.py_buffer(memoryview(data).tobytes().translate(_POINT))
    try:
        return pa.StringArray.from_buffers(len(texts), offsets, with_point, blank).cast(pa.float64())
    except pa.ArrowInvalid:
        return pa.nulls(len(texts), pa.float64())
