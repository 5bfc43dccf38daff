"""One reading of every byte of a text file: is it UTF-8, how do its lines end, is something in it that no text has.

An encoding is a claim about every byte, so nothing is sampled. Pieces are read by several threads; what is ASCII is counted
by array operations, and only the few bytes beyond it are decoded.
"""

from __future__ import annotations

import codecs
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

#: Control characters that no text has (tab and line ends apart), and the mark of a character that was lost. The same
#: expression serves Python and DuckDB.
DAMAGE = "[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F-\u009f\ufffd]"
#: What Windows-1252 makes of the bytes 0x80 to 0x9F (five of which it leaves undefined), with those bytes.
CP1252 = {
    bytes([byte]).decode("cp1252"): byte for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_NEXT = f"[\u0080-\u00bf{''.join(CP1252)}]"
#: The bytes of a UTF-8 character, each taken for one of latin-1 or Windows-1252 and encoded again: letters up to U+00FF, œ,
#: and the dashes, quotes and the euro sign beyond U+2000.
TWICE = re.compile(f"[\u00c2\u00c3]{_NEXT}|\u00c5[\u0092\u0093\u2019\u201c]|\u00e2[\u0080\u0082\u20ac\u201a]{_NEXT}")
_DAMAGE = re.compile(DAMAGE)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8
_ODD = re.compile("[\u00a0\u202f]")
#: A letter (or underscore) within what DuckDB would take for a number: `2.02E+11`, `1_000`.
STRAY = re.compile(rb"[0-9.,][eE_][0-9+-]")
#: Stray letters are told by the line, in steps of so many lines (a power of two), and only as long as they are few.
STRIDE = 4096
_MOST_STRAY = 20_000
_MOST_TRIED = 1000  # in a piece
_PIECE = 1 << 20  # with what is computed from it, it just stays in a core's cache
_WINDOW = 1 << 10
_TAB, _LF, _CR, _BLANK, _DELETE, _ASCII = 9, 10, 13, 32, 127, 128
_COMMA, _NINE = ord(","), ord("9")  # between them stand `-`, `.`, `/` and the digits
#: `E`, `e` and `_` are alike in these bits, and a few others are.
_ALIKE, _E = 0b11000101, 0b01000101
_LETTERS = np.frombuffer(b"eE_", np.uint8)
_WORD = 8
_FIRST, _ACCENTED = 0xC0, 0xC3  # the first byte of a character, and that of U+00C0 to U+00FF
_NO_CUT = np.array([chr(code) in "\n+-_eE0123456789" or code >= _ASCII for code in range(256)])


@dataclass(frozen=True)
class Survey:
    """What one reading of all bytes as UTF-8 tells.

    Attributes:
        wide: characters beyond ASCII.
        not_utf8: bytes that are no UTF-8.
        damaged: places that match ``DAMAGE``; of characters beyond ASCII, whether there are any.
        twice: whether text was encoded twice.
        lf: lines that end in LF alone; ``crlf`` and ``cr`` likewise.
        tabs: how many.
        quotes: whether there is a double quote.
        odd: whether there is a no-break space.
        open_end: whether the last line lacks its end.
        stray: lines (from 1) on which ``STRAY`` is found, some more than once; None where they are many or lines end oddly.
        marks: places in the file and the line (from 1) that each is on.
    """

    wide: int = 0
    not_utf8: int = 0
    damaged: int = 0
    twice: int = 0
    lf: int = 0
    crlf: int = 0
    cr: int = 0
    tabs: int = 0
    quotes: int = 0
    odd: int = 0
    open_end: int = 0
    stray: tuple[int, ...] | None = ()
    marks: tuple[tuple[int, int], ...] = ()

    @property
    def is_utf8(self) -> bool:
        """UTF-8, or UTF-8 with a few damaged places: there are more good characters beyond ASCII than bad bytes.

        In Windows-1252 text accents stand alone, and alone they are not UTF-8.
        """
        return not self.not_utf8 or self.wide > self.not_utf8

    @property
    def usable(self) -> bool:
        """Whether the reader can have the file as it is."""
        return self.is_utf8 and not self.twice and not self.cr and not (self.lf and self.crlf)

    @property
    def lines(self) -> int:
        """Physical lines, blank ones included."""
        return self.lf + self.crlf + self.cr + self.open_end


def survey(path: Path) -> Survey:
    """The survey of the text at ``path``, its byte order mark left out."""
    with path.open("rb") as file:
        start, end = text_begins(file), path.stat().st_size
        cuts = [start]
        while cuts[-1] + _PIECE < end:
            cuts.append(_cut(file, cuts[-1] + _PIECE, end))
        ranges = list(zip(cuts, [*cuts[1:], end], strict=True))
        shares = min(8, os.cpu_count() or 1, len(ranges))
        found = [Survey()] * len(ranges)
        with ThreadPoolExecutor(shares) as pool:
            looks = [pool.submit(_look_at, file.fileno(), ranges[share::shares]) for share in range(shares)]
            for share, look in enumerate(looks):
                found[share::shares] = look.result()
        return _sum(file, cuts, found)


def survey_while_written(path: Path, written: Callable[[int], int]) -> Survey:
    """The same of a text that somebody is still writing.

    Args:
        path: the text.
        written: waits until at least so many bytes of it are written, or its writer is done, and says how many are.
    """
    with path.open("rb") as file:
        end = written(_PIECE)
        cuts, found = [text_begins(file)], []
        desk = _Desk(_PIECE + _WINDOW)
        while cuts[-1] + _PIECE < (end := written(cuts[-1] + _PIECE + _WINDOW)):
            cut = _cut(file, cuts[-1] + _PIECE, end)
            while cut == end < (more := written(end + _WINDOW)):
                cut, end = _cut(file, cut, more), more
            if cut - cuts[-1] > _PIECE + _WINDOW:
                desk = _Desk(cut - cuts[-1])
            found.append(desk.look(file.fileno(), cuts[-1], cut))
            cuts.append(cut)
        found += _look_at(file.fileno(), [(cuts[-1], end)])
        return _sum(file, cuts, found)


def _sum(file: BinaryIO, cuts: Sequence[int], found: Sequence[Survey]) -> Survey:
    """The survey of a text from those of its pieces, which begin at ``cuts``."""
    end = os.fstat(file.fileno()).st_size
    file.seek(max(cuts[0], end - 1))
    open_end = int(file.read(1) not in {b"", b"\n", b"\r"})
    few = all(each.stray is not None for each in found) and sum(len(each.stray or ()) for each in found) <= _MOST_STRAY
    counts = [field.name for field in fields(Survey) if field.name not in {"stray", "marks", "open_end"}]
    sums = {name: sum(getattr(each, name) for each in found) for name in counts}
    before = [0, *accumulate(each.lf + each.crlf for each in found)]
    few &= not sums["cr"]
    stray = tuple(lines + line for lines, each in zip(before, found, strict=False) for line in each.stray or () if few)
    marks = tuple((cut, lines + 1) for cut, lines in zip(cuts, before, strict=False))
    return Survey(**sums, open_end=open_end, stray=stray if few else None, marks=marks)


def text_begins(file: BinaryIO) -> int:
    """The offset after the byte order mark, if any."""
    return len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0


def _read(file: int, start: int, end: int) -> bytes:
    return os.pread(file, end - start, start)


def _cut(file: BinaryIO, at: int, end: int) -> int:
    """The first place from ``at`` on that splits no character, no CRLF and nothing that could be ``STRAY``."""
    while at < end:
        window = np.frombuffer(_read(file.fileno(), at, min(end, at + _WINDOW)), np.uint8)
        places = np.flatnonzero(~_NO_CUT[window])
        if len(places):
            return at + int(places[0])
        at += len(window)
    return end


def _look_at(file: int, ranges: list[tuple[int, int]]) -> list[Survey]:
    desk = _Desk(max(end - start for start, end in ranges))
    return [desk.look(file, *each) for each in ranges]


class _Desk:
    """Room for one piece after another and what is computed from it: fresh memory would cost as much as the arithmetic."""

    def __init__(self, size: int) -> None:
        room = (size // _WORD + 3) * _WORD
        self._data = bytearray(room)
        self._flags, self._others = np.zeros(room, np.bool_), np.zeros(room, np.bool_)

    def look(self, file: int, start: int, end: int) -> Survey:
        size = os.preadv(file, [memoryview(self._data)[: end - start]], start)
        self._data[size : size + 2 * _WORD] = bytes(2 * _WORD)  # what an earlier piece has left there
        piece = np.frombuffer(self._data, np.uint8, size)
        flags = self._flags[:size]
        low = int(np.count_nonzero(np.less(piece, _BLANK, out=flags)))
        lf = int(np.count_nonzero(np.equal(piece, _LF, out=flags)))
        tabs = crlf = cr = 0
        if low > lf:
            tabs = int(np.count_nonzero(piece == _TAB))
            carriage = piece == _CR
            cr = int(np.count_nonzero(carriage))
            crlf = int(np.count_nonzero(carriage[:-1] & (piece[1:] == _LF))) if cr else 0
        wide = None if self._has(b"\x7f", size) else self._accented(piece)
        text = "" if wide is not None else self._beyond_ascii(piece)
        bad = len(_NOT_UTF8.findall(text)) if _NOT_UTF8.search(text) else 0
        return Survey(
            wide=len(text) - len(text.encode("ascii", "ignore")) - bad if wide is None else wide,
            not_utf8=bad,
            damaged=low - lf - tabs - cr + (_DAMAGE.search(text) is not None),
            twice=TWICE.search(text) is not None,
            lf=lf - crlf,
            crlf=crlf,
            cr=cr - crlf,
            tabs=tabs,
            quotes=self._has(b'"', size),
            odd=_ODD.search(text) is not None,
            stray=self._stray(piece),
        )

    def _has(self, byte: bytes, size: int) -> bool:
        return self._data.find(byte, 0, size) >= 0

    def _stray(self, piece: np.ndarray) -> tuple[int, ...] | None:
        """The lines on which ``STRAY`` stands, counted from 1 in this piece; None where too many places must be tried."""
        size = len(piece)
        letters, others = self._flags[:size], self._others[:size]
        np.subtract(piece, _COMMA, out=others.view(np.uint8))  # what is below the comma wraps round to more
        np.less_equal(others.view(np.uint8), _NINE - _COMMA, out=others)
        np.bitwise_and(piece, _ALIKE, out=letters.view(np.uint8))
        np.equal(letters.view(np.uint8), _E, out=letters)
        np.logical_and(others[:-1], letters[1:], out=letters[1:])
        letters[:1] = False
        if not letters.any():
            return ()
        places = np.flatnonzero(letters)
        places = places[np.isin(piece[places], _LETTERS)] - 1
        if len(places) > _MOST_TRIED:
            return None
        found = [at for at in places if STRAY.match(self._data, int(at), size)]
        return tuple(int(line) for line in np.searchsorted(np.flatnonzero(piece == _LF), found) + 1) if found else ()

    def _accented(self, piece: np.ndarray) -> int | None:
        """How many characters beyond ASCII there are, if all are plain letters with accents and all is well with them.

        These are U+00C0 to U+00FF, two bytes each; None where there are others, or two of these that may be one encoded twice.
        Eight bytes are looked at together, and of all only those eights that hold a letter, each with the next.
        """
        np.greater_equal(piece, _ASCII, out=self._flags[: len(piece)])
        self._flags[len(piece) : len(piece) + 2 * _WORD] = False
        holds = self._flags.view(np.uint64) != 0
        if not holds.any():
            return 0
        holds[1:] |= holds[:-1]
        near = np.frombuffer(self._data, np.uint64).take(np.flatnonzero(holds)).view(np.uint8)
        first = near == _ACCENTED
        second = (near >= _ASCII) & (near < _FIRST)
        apart = first[:-1] == second[1:]
        if second[0] or first[-1] or not apart.all() or np.count_nonzero(near >= _FIRST) != np.count_nonzero(first):
            return None
        doubtful = first[:-2] & first[2:] & ((near[1:-1] == _ASCII + 2) | (near[1:-1] == _ASCII + 3))
        return None if doubtful.any() else int(np.count_nonzero(first))

    def _beyond_ascii(self, piece: np.ndarray) -> str:
        """The characters from U+007F on, and after each run of them the ASCII character that ends it.

        That one keeps apart what stands apart in the text, so that the rest decodes as it would in its place.
        """
        beyond = np.greater_equal(piece, _DELETE, out=self._flags[: len(piece)])
        if not beyond.any():
            return ""
        kept = self._others[: len(piece)]
        kept[0] = beyond[0]
        np.logical_or(beyond[1:], beyond[:-1], out=kept[1:])
        return bytes(piece[np.flatnonzero(kept)]).decode("utf-8", "surrogateescape")
