"""What a text file is, found from its bytes and never from its name: encoding, separator, header.

The whole file is read once, in pieces: an encoding is a claim about every byte. UTF-8 is tried first, then Windows-1252
(the superset of latin-1 that French offices write); the order is fixed, because guessers take `è` for `č`. UTF-8 with one
kind of line end is used in place; anything else is written again, as UTF-8 with LF, line for line. So is text that was
encoded twice (`Ã©` for `é`): it can be mended without a guess.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

_PIECE = 4 << 20
_HEAD = 256 << 10
_SEPARATORS = ";,\t|"
_VOTERS = 50
#: Control characters that no text has (tab and line ends apart), and the mark of a character that was lost. The same
#: expression serves Python and DuckDB.
DAMAGE = "[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F-\u009f\ufffd]"
_DAMAGE = re.compile(DAMAGE)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8
#: The two bytes of a UTF-8 character up to U+00FF, each taken for a latin-1 character and encoded again.
_TWICE = re.compile("[\u00c2\u00c3][\u0080-\u00bf]")
_NOT_CP1252 = re.compile(b"[\x81\x8d\x8f\x90\x9d]")

_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Office document",
    b"\x1f\x8b": "a gzip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"7z\xbc\xaf": "a 7z archive",
}
_PAGES = (b"<!doctype", b"<html", b"<?xml", b'{"message"')


@dataclass(frozen=True)
class Sniffed:
    """A delimited text file, ready to be scanned.

    Attributes:
        path: UTF-8 text: the file itself, or its copy with the same lines.
        encoding: of the original: ``utf-8``, ``utf-8-sig`` or ``cp1252``.
        separator: one of ``; , TAB |``.
        header: column names as published, without quotes and blanks around them and without empty ones at the end.
        lines: physical lines, header and blank ones included.
        damaged: whether ``DAMAGE`` is somewhere in the text.
    """

    path: Path
    encoding: str
    separator: str
    header: tuple[str, ...]
    lines: int
    damaged: bool


@dataclass(frozen=True)
class _Survey:
    """What one reading of all bytes as UTF-8 tells: characters beyond ASCII, bytes that are none, line ends by kind."""

    wide: int
    not_utf8: int
    damaged: bool
    twice: bool
    lf: int
    crlf: int
    cr: int
    last: str

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
        return self.lf + self.crlf + self.cr + (self.last not in "\r\n")


def sniff(path: Path, name: str, scratch: Path) -> Sniffed:
    """What the file at ``path`` is; ``scratch`` is where a copy may be written.

    Raises:
        ConformError: empty, not text, a web page, not in a known encoding, or without a header on line 1.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    _refuse_other_kinds(head, name)
    survey = _survey(path)
    encoding = "cp1252" if not survey.is_utf8 else "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if not survey.usable:
        _rewrite(path, scratch, encoding, name)
        path = scratch
    separator, header = _header(path, name)
    return Sniffed(path, encoding, separator, header, survey.lines, survey.damaged)


def _refuse_other_kinds(head: bytes, name: str) -> None:
    if not head.strip(b"\xef\xbb\xbf \r\n\t"):
        raise ConformError("the file is empty", where=name, fix="fetch it again; the last good version stays published")
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise ConformError(f"this is {kind}, not delimited text", where=name, fix="give the CSV resource")
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:64].lower()
    if start.startswith(_PAGES):
        raise ConformError(
            f"this is a web page or an error message, not a table: it begins with {start[:40].decode('ascii', 'replace')!r}",
            where=f"{name}, line 1",
            fix="open the address in a browser; the last good version stays published",
        )
    if b"\x00" in head:
        raise ConformError("the file holds NUL bytes: it is binary or UTF-16", where=name, fix="give a UTF-8 CSV")


def _survey(path: Path) -> _Survey:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    found: Counter[str] = Counter()
    damaged, twice, last = False, False, ""
    with path.open("rb") as file:
        file.seek(_text_begins(file))
        while piece := file.read(_PIECE):
            # The last character waits: the second half of a pair (CRLF, a double encoding) may be in the next piece.
            text = last + decoder.decode(piece)
            text, last = text[:-1], text[-1:]
            _count(text, found)
            damaged = damaged or _DAMAGE.search(text) is not None
            twice = twice or (not text.isascii() and _TWICE.search(text) is not None)
    rest = last + decoder.decode(b"", final=True)
    _count(rest, found)
    return _Survey(
        wide=found["wide"],
        not_utf8=found["not_utf8"],
        damaged=damaged or _DAMAGE.search(rest) is not None,
        twice=twice or _TWICE.search(rest) is not None,
        lf=found["lf"],
        crlf=found["crlf"],
        cr=found["cr"],
        last=rest[-1:],
    )


def _count(text: str, found: Counter[str]) -> None:
    crlf = text.count("\r\n")
    found["crlf"] += crlf
    found["lf"] += text.count("\n") - crlf
    found["cr"] += text.count("\r") - crlf
    if not text.isascii():
        bad = len(_NOT_UTF8.findall(text)) if _NOT_UTF8.search(text) else 0
        found["not_utf8"] += bad
        found["wide"] += len(text) - len(text.encode("ascii", "ignore")) - bad


def _rewrite(source: Path, target: Path, encoding: str, name: str) -> None:
    """``source`` as UTF-8 with LF at ``target``; bytes of UTF-8 text that are none stay as they are.

    Raises:
        ConformError: a byte that Windows-1252 leaves undefined.
    """
    if encoding == "cp1252":
        _refuse_undefined(source, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        source.open("rb") as raw,
        target.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as new,
    ):
        raw.seek(_text_begins(raw))
        # its default `newline` makes LF of every line end
        old = io.TextIOWrapper(raw, "cp1252" if encoding == "cp1252" else "utf-8", errors="surrogateescape")
        for line in old:
            new.write(_TWICE.sub(_once, line))


def _once(pair: re.Match[str]) -> str:
    return pair[0].encode("latin-1").decode()


def _text_begins(file: BinaryIO) -> int:
    """The offset after the byte order mark, if any."""
    return len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0


def _refuse_undefined(source: Path, name: str) -> None:
    line = 1
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            if bad := _NOT_CP1252.search(piece):
                line += piece.count(b"\n", 0, bad.start())
                raise ConformError(
                    f"byte 0x{piece[bad.start()]:02x} is neither UTF-8 nor Windows-1252",
                    where=f"{name}, line {line}",
                    fix="the file is damaged or in an encoding that Rocade does not read",
                )
            line += piece.count(b"\n")


def _header(path: Path, name: str) -> tuple[str, tuple[str, ...]]:
    """Separator and column names."""
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    # Not splitlines(), which also cuts at characters that are no line ends in a table.
    lines = text.replace("\r\n", "\n").split("\n")
    if len(text.encode()) >= _HEAD - 4:
        lines = lines[:-1]  # the last one is cut
    try:
        separator = _separator([f"{line}\n" for line in lines[:_VOTERS]])
        cells = next(csv.reader((f"{line}\n" for line in lines), delimiter=separator))
    except (csv.Error, StopIteration) as error:
        raise ConformError(
            "this is no table: its first lines do not end, or a quote in them does not",
            where=f"{name}, line 1",
            fix="look at the beginning of the file; the last good version stays published",
        ) from error
    header = [cell.strip(' \t\u00a0\ufeff"') for cell in cells]
    while header and not header[-1]:
        header.pop()  # separators at the end of a line, on which nothing depends
    if not header:
        raise ConformError(
            "line 1 is blank; the names of the columns are expected there",
            where=f"{name}, line 1",
            fix="the last good version stays published; look at the file",
        )
    return separator, tuple(header)


def _separator(lines: list[str]) -> str:
    """The separator under which most lines have the same number of cells, and more than one."""

    def votes(separator: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if row)
        width, count = next(iter(widths.most_common(1)), (0, 0))
        return (count if width > 1 else 0, width)

    return max(_SEPARATORS, key=votes)
