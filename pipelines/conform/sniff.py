"""What a text file is, found from its bytes and never from its name: encoding, separator, header.

The whole file is read once, in pieces: an encoding is a claim about every byte. UTF-8 is tried first and is used in
place; anything else is written again as UTF-8. The order is fixed (UTF-8, then Windows-1252, the superset of latin-1 that
French offices write), because guessers take `è` for `č`.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

_PIECE = 4 << 20
_HEAD = 256 << 10
_SEPARATORS = ";,\t|"
_VOTERS = 50

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
        path: UTF-8 text: the file itself, or its transcoded copy.
        encoding: of the original: ``utf-8``, ``utf-8-sig`` or ``cp1252``.
        separator: one of ``; , TAB |``.
        header: column names as published, stripped of blanks.
    """

    path: Path
    encoding: str
    separator: str
    header: tuple[str, ...]


def sniff(path: Path, name: str, scratch: Path) -> Sniffed:
    """What the file at ``path`` is; ``scratch`` is where a transcoded copy may be written.

    Raises:
        ConformError: empty, not text, a web page, or not in a known encoding.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    _refuse_other_kinds(head, name)
    encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if _bad_utf8_at(path) is not None:
        encoding = "cp1252"
    if encoding == "cp1252":
        _transcode(path, scratch, name)
        path = scratch
    with path.open("rb") as file:
        text = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    lines = text.splitlines()
    if len(text.encode()) >= _HEAD - 4:
        lines = lines[:-1]  # the last one is cut
    separator = _separator(lines[:_VOTERS])
    header = next(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))
    return Sniffed(path, encoding, separator, tuple(cell.strip(" \u00a0\ufeff") for cell in header))


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


def _bad_utf8_at(path: Path) -> int | None:
    """Offset of the piece with the first byte that is not UTF-8, or None when all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError:
                return file.tell() - len(piece)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return path.stat().st_size
    return None


def _transcode(source: Path, target: Path, name: str) -> None:
    """``source`` from Windows-1252 to UTF-8 at ``target``.

    Raises:
        ConformError: a byte that Windows-1252 leaves undefined.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    line = 1
    with source.open("rb") as old, target.open("wb") as new:
        while piece := old.read(_PIECE):
            try:
                new.write(piece.decode("cp1252").encode())
            except UnicodeDecodeError as error:
                line += piece.count(b"\n", 0, error.start)
                raise ConformError(
                    f"byte 0x{piece[error.start]:02x} is neither UTF-8 nor Windows-1252",
                    where=f"{name}, line {line}",
                    fix="the file is damaged or in an encoding that Rocade does not read",
                ) from error
            line += piece.count(b"\n")


def _separator(lines: list[str]) -> str:
    """The separator under which most lines have the same number of cells, and more than one."""

    def votes(separator: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if row)
        width, count = widths.most_common(1)[0]
        return (count if width > 1 else 0, width)

    return max(_SEPARATORS, key=votes)
