"""Members of zip archives as ISA-L unpacks them, against zlib."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import pytest

from pipelines.conform.kinds.inflate import DamagedStream, Inflated


def _packed(path: Path, data: bytes, level: int, *, streamed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr("first.txt", b"before")
        if streamed:  # the length follows the stream
            with archive.open("é.txt", "w", force_zip64=True) as member:
                member.write(data)
        else:
            archive.writestr("é.txt", data)
    return path


def _read(path: Path, size: int) -> bytes:
    with zipfile.ZipFile(path) as archive, Inflated(path, archive, archive.getinfo("é.txt")) as member:
        pieces = list(iter(lambda: member.read(size), b""))
    assert all(len(piece) <= size for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("streamed", [True, False])
def test_the_bytes_are_those_that_were_packed(*, level: int, streamed: bool, tmp_path: Path) -> None:
    chance = random.Random(level)
    for data in (
        b"",
        b"a",
        bytes(3_000_000),
        chance.randbytes(700_000),
        b"".join(b"%d;x\n" % n for n in range(200_000)),
    ):
        path = _packed(tmp_path / "x.zip", data, level, streamed=streamed)
        assert _read(path, 100_000) == data


def test_what_stands_before_an_archive_does_not_move_its_members(tmp_path: Path) -> None:
    path = _packed(tmp_path / "x.zip", b"data" * 1000, 6)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert _read(path, 1 << 20) == b"data" * 1000


def test_no_byte_changes_unnoticed(tmp_path: Path) -> None:
    data = b"".join(b"%d;x\n" % n for n in range(20_000))
    path = _packed(tmp_path / "x.zip", data, 6)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("é.txt")
    begin = info.header_offset + 40
    chance = random.Random(5)
    for _ in range(200):
        at = chance.randrange(begin, begin + info.compress_size - 8)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        with pytest.raises((zipfile.BadZipFile, DamagedStream, EOFError)):
            _read(path, 1 << 16)
