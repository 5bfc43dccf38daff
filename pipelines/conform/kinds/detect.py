"""The kind of a file by its bytes: magic numbers first, then what the text begins with; its name counts for nothing."""

from __future__ import annotations

import codecs
import re
import zipfile
from typing import TYPE_CHECKING, Literal

import orjson

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal[
    "text", "utf-16 text", "gzip", "zip", "xlsx", "xls", "ods", "json lines", "json", "geojson", "parquet", "other"
]

_HEAD = 64 << 10
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"PAR1", "parquet"),
    (codecs.BOM_UTF16_LE, "utf-16 text"),
    (codecs.BOM_UTF16_BE, "utf-16 text"),
)
_HOLDS_RECORDS = re.compile(rb'":\s*\[\s*\{')
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
#: What Rocade does not open, with the words for it.
NOT_OPENED: tuple[tuple[bytes, str], ...] = (
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"SQLite format 3\x00", "a SQLite database"),
)


def kind_of(path: Path) -> Kind:
    """What the file at ``path`` holds; ``text`` where nothing else fits, ``other`` for what is never opened."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if any(head.startswith(magic) for magic, _ in NOT_OPENED):
        return "other"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    return _kind_of_text(head)


def not_opened(path: Path) -> str:
    """The words for a file of kind ``other``."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((words for magic, words in NOT_OPENED if head.startswith(magic)), "not a table")


def _kind_of_zip(path: Path) -> Kind:
    """Office documents are zip archives with a known inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                return "xlsx" if any(name.startswith("xl/") for name in names) else "other"
            if "mimetype" in names:
                with archive.open("mimetype") as member:  # 46 bytes; what is longer is something else
                    return "ods" if b"opendocument.spreadsheet" in member.read(100) else "other"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        pass  # opening it in earnest says what is wrong
    return "zip"


def _kind_of_text(head: bytes) -> Kind:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"["):
        # `[2.35, 48.85]` in the first cell of a CSV is no JSON array of records
        return "json" if text[1:].lstrip()[:1] in (b"{", b"") else "text"
    if not text.startswith(b"{"):
        return "text"
    if b'"FeatureCollection"' in head:
        return "geojson"
    if text[1:].lstrip()[:1] not in (b'"', b"}"):
        return "text"
    first, _, rest = text.partition(b"\n")
    if rest.strip():
        return "json lines" if _is_object(first.strip()) else "json"
    # All that we see is one line: one record of many keys, or an object around an array of records.
    return "json" if _HOLDS_RECORDS.search(first) else "json lines"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
