"""A deflated member of a zip archive, unpacked by ISA-L: the same bytes as by zlib in half the time.

Unpacking is what a large zip waits for on one core before anything can be read. The standard library's ``zipfile`` finds the
member and judges its header; only the stream is read here.
"""

from __future__ import annotations

import struct
import zipfile
from typing import IO, TYPE_CHECKING, Self

from isal import isal_zlib

if TYPE_CHECKING:
    from pathlib import Path

#: What a damaged stream raises; the library's stub takes the class for one of its instances.
DamagedStream: type[Exception] = isal_zlib.error  # type: ignore[assignment]
_HEADER = struct.Struct("<26xHH")  # the lengths of the name and of the extra field, which the stream follows
_PACKED = 256 << 10


class Inflated:
    """The bytes of a member that is deflated and has no password.

    Args:
        path: the archive.
        archive: the same, open: it is asked whether the member's own header is sound.
        info: the member.

    Raises:
        zipfile.BadZipFile: the member's header is not the one that the archive's directory says.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        archive.open(info).close()
        self._info, self._left = info, info.compress_size
        self._inflater, self._crc, self._size = isal_zlib.decompressobj(-15), 0, 0
        self._file: IO[bytes] = path.open("rb")
        self._file.seek(info.header_offset)
        self._file.seek(sum(_HEADER.unpack(self._file.read(_HEADER.size))), 1)

    def __enter__(self) -> Self:
        """The member itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the archive's file."""
        self._file.close()

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.

        Raises:
            EOFError: the stream ends in the middle.
            zipfile.BadZipFile: length or checksum are not what the archive says.
            DamagedStream: the stream is damaged.
        """
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail
            if not packed:
                packed = self._file.read(min(_PACKED, self._left))
                self._left -= len(packed)
            data: bytes = self._inflater.decompress(packed, size)
            self._crc, self._size = isal_zlib.crc32(data, self._crc), self._size + len(data)
            if data:
                return data
            if not packed:
                raise EOFError
        if self._crc != self._info.CRC or self._size != self._info.file_size:
            raise zipfile.BadZipFile(f"wrong checksum or length of {self._info.filename!r}")
        return b""
