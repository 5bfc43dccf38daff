"""What a text file is, found from its bytes and never from its name: encoding, separator, header.

The whole file is read once, in pieces: an encoding is a claim about every byte. UTF-8 is tried first, then Windows-1252
(the superset of latin-1 that French offices write); the order is fixed, because guessers take `è` for `č`. UTF-8 with one
kind of line end is used in place; anything else is written again, as UTF-8 with LF, line for line. So is text that was
encoded twice (`Ã©` for `é`): it can be mended without a guess.
"""

from __future__ import annotations

import codecs
import io
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.conform.header import find_header
from pipelines.conform.survey import CP1252, STRIDE, TWICE, survey, text_begins
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.conform.survey import Survey

_PIECE = 4 << 20
_HEAD = 256 << 10
_MANY_NULS = 100  # one in so many bytes makes a file binary; a few are damage, whose rows wait in quarantine
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
        path: UTF-8 text that begins with the header: the file itself, or its copy with the same lines.
        encoding: of the original: ``utf-8``, ``utf-8-sig`` or ``cp1252``.
        separator: one of ``; , TAB |``, or ``header.NONE`` where there is one column.
        header: column names as published, without quotes and blanks around them and without empty ones at the end; a name
            that stands a second time ends in ``__2``.
        lines: physical lines, header and blank ones included.
        damaged: whether ``survey.DAMAGE`` is somewhere in the text.
        odd_blanks: whether a cell may begin or end with another blank than a space: a tab or a no-break space.
        quoted: whether there is a double quote, within which a cell may also begin or end with a line end.
        foreign: whether it holds bytes that are not UTF-8.
        doubled: names that stand more than once in the header.
        preamble: lines before the header in the original, which are not in ``path``.
        offset: what to add to a line of ``path`` to have the publisher's; the preamble, or -1 where the header is ours.
        by_record: the publisher counts records (rows of a sheet, JSON objects), not lines.
        stray: numbers of the ``survey.STRIDE`` lines of ``path`` among which a ``survey.STRAY`` letter may stand; None where
            it may be anywhere.
        marks: places in ``path`` and the line that each is on, where that is known.
    """

    path: Path
    encoding: str
    separator: str
    header: tuple[str, ...]
    lines: int
    damaged: bool
    odd_blanks: bool
    quoted: bool
    foreign: bool = False
    doubled: frozenset[str] = frozenset()
    preamble: int = 0
    offset: int = 0
    by_record: bool = False
    stray: frozenset[int] | None = None
    marks: tuple[tuple[int, int], ...] = ()


def sniff(
    path: Path,
    name: str,
    scratch: Path,
    *,
    separator: str | None = None,
    offset: int = 0,
    found: Survey | None = None,
) -> Sniffed:
    """What the file at ``path`` is; ``scratch`` is where a copy may be written.

    Args:
        path: the bytes.
        name: for messages.
        scratch: file that may be written.
        separator: of a text that ``kinds`` wrote.
        offset: of its lines, see ``Sniffed``.
        found: the survey of ``path``, where it was made before.

    Raises:
        ConformError: empty, not text, a web page, not in a known encoding, or without a header.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    _refuse_other_kinds(head, name)
    found = found or survey(path)
    encoding = "cp1252" if not found.is_utf8 else "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    original = path
    if not found.usable:
        _rewrite(path, scratch, encoding, name)
        path = scratch
    header = find_header(path, name, separator)
    if header.preamble:
        path = _without_preamble(path, header.preamble, scratch)
    return Sniffed(
        path,
        encoding,
        header.separator,
        header.names,
        found.lines - header.preamble,
        bool(found.damaged),
        bool(found.odd or (found.tabs and header.separator != "\t") or path != original),
        bool(found.quotes),
        foreign=encoding != "cp1252" and bool(found.not_utf8),
        doubled=header.doubled,
        preamble=header.preamble,
        offset=header.preamble + offset,
        by_record=separator is not None,
        stray=None if found.stray is None else frozenset((line - header.preamble) // STRIDE for line in found.stray),
        marks=found.marks if path == original else (),
    )


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
    if head.count(0) > len(head) // _MANY_NULS:
        raise ConformError("the file is full of NUL bytes: it is binary or UTF-16", where=name, fix="give a UTF-8 CSV")


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
        raw.seek(text_begins(raw))
        # its default `newline` makes LF of every line end
        old = io.TextIOWrapper(raw, "cp1252" if encoding == "cp1252" else "utf-8", errors="surrogateescape")
        for line in old:
            new.write(TWICE.sub(_once, line))


def _once(found: re.Match[str]) -> str:
    return bytes(CP1252.get(each, ord(each)) for each in found[0]).decode()


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


def _without_preamble(path: Path, lines: int, scratch: Path) -> Path:
    """The text at ``path`` from its header on, at ``scratch``."""
    scratch.parent.mkdir(parents=True, exist_ok=True)
    cut = scratch.with_name(f"{scratch.name}.cut")
    with path.open("rb") as source, cut.open("wb") as new:
        for _ in range(lines):
            source.readline()
        shutil.copyfileobj(source, new, _PIECE)
    cut.replace(scratch)
    return scratch
