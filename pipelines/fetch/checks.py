"""What bytes must be before they are kept: as many and as summed as promised, and not a page in a table's place."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipelines.errors import CorruptDownload, FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipelines.catalog import Checksum

CHUNK = 1 << 20

_HEAD = 1024
_PAGE = re.compile(rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype|html)\b", re.IGNORECASE | re.DOTALL)
_MESSAGE = re.compile(rb'\{\s*"message"')
_SHA2_BY_LENGTH = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}


def algorithm(checksum: Checksum) -> str | None:
    """The name that hashlib gives a catalogued checksum; None for those that it leaves open (``crc``)."""
    if checksum.type == "sha2":
        return _SHA2_BY_LENGTH.get(len(checksum.value))
    return checksum.type if checksum.type in ("sha1", "sha256", "md5") else None


def digests(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Hexadecimal digests of a file by hashlib's names, in one pass over what is on disk."""
    sums = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            for one in sums.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in sums.items()}


def check_bytes(path: Path, where: str) -> None:
    """Refuse an empty file, a web page and an error message of an API; they often come with status 200.

    Raises:
        FetchError: with the first bytes.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise FetchError("the file is empty", where=where, fix="the publisher may be replacing it: try again later")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    kind = "a web page" if _PAGE.match(text) else "an error message" if _MESSAGE.match(text) else None
    if kind:
        raise FetchError(
            f"{kind} came instead of data; it begins {text[:80]!r}",
            where=where,
            fix="open the address in a browser: the file may have moved, or a proxy or a firewall answers in its place",
        )


def check_promise(promised: int | str, found: int | str, what: str, where: str) -> None:
    """Refuse bytes whose ``what`` (length in bytes, or a checksum) is not the ``promised`` one.

    Raises:
        CorruptDownload: with both figures.
    """
    if promised != found:
        raise CorruptDownload(
            f"the {what} is {found}, promised was {promised}",
            where=where,
            fix="run the command again; if it stays so, the file or its entry in the catalogue is damaged",
        )
