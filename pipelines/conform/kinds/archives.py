"""Members of gzip and zip archives onto disk, with an eye on bombs, cuts and passwords."""

from __future__ import annotations

import gzip
import lzma
import shutil
import zipfile
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from isal import igzip

from pipelines.conform.kinds.detect import kind_of
from pipelines.conform.kinds.following import Following
from pipelines.conform.kinds.inflate import DamagedStream, Inflated
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.conform.survey import Survey

_PIECE = 1 << 20
#: Text shrinks 5 to 50 times; only made-up bytes shrink more than this, and small files may do as they like.
_MOST_SHRUNK = 250
_SMALL = 200 << 20
_AGAIN = "fetch it again; the last good version stays published"


def gunzip(path: Path, name: str, target: Path) -> Survey | None:
    """What the gzip file at ``path`` holds, to ``target``; its survey where it is a text of some length.

    Raises:
        ConformError: cut, damaged, or a bomb.
    """
    try:
        with igzip.open(path) as source:  # type: ignore[no-untyped-call]
            return _copy(source, target, name, path.stat().st_size)
    except EOFError as error:
        raise ConformError("the gzip file ends in the middle: it was cut", where=name, fix=_AGAIN) from error
    except (gzip.BadGzipFile, DamagedStream) as error:
        raise ConformError(f"the gzip file is damaged: {error}", where=name, fix=_AGAIN) from error


def zip_members(path: Path, name: str) -> list[str]:
    """The files in a zip archive, without what computers add on their own (``__MACOSX``, hidden files).

    Raises:
        ConformError: damaged, or nothing is in it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise ConformError(f"the zip file is damaged or was cut: {error}", where=name, fix=_AGAIN) from error
    members = [each for each in members if not _is_litter(each)]
    if not members:
        raise ConformError("the zip file is empty", where=name, fix=_AGAIN)
    if len(set(members)) < len(members):
        twice = next(each for each in members if members.count(each) > 1)
        raise ConformError(f"member {twice!r} stands twice in the zip file", where=name, fix="tell the publisher")
    return members


def unzip(path: Path, name: str, targets: dict[str, Path]) -> Iterator[tuple[str, Path, Survey | None]]:
    """Members of the zip archive at ``path``, one by one, each to its target.

    Gives member, target and, where it is a text of some length, its survey.

    Raises:
        ConformError: a password, a method that is not known, a wrong checksum, or a bomb.
    """
    with zipfile.ZipFile(path) as archive:
        for member, target in targets.items():
            info, where = archive.getinfo(member), f"{name}, member {member}"
            if info.flag_bits & 1:
                raise ConformError(
                    "the member is locked with a password", where=where, fix="ask the publisher for it open"
                )
            try:
                with _opened(path, archive, info) as source:
                    found = _copy(source, target, where, info.compress_size)
            except NotImplementedError as error:
                raise ConformError(
                    f"compressed in a way that is not known here ({error})",
                    where=where,
                    fix="unpack it, give the member",
                ) from error
            except (zipfile.BadZipFile, DamagedStream, lzma.LZMAError, EOFError, OSError) as error:
                if (
                    isinstance(error, OSError) and error.errno is not None
                ):  # without a number it is bzip2's word for damage
                    raise
                raise ConformError(f"the member is damaged or was cut: {error}", where=where, fix=_AGAIN) from error
            yield member, target, found


def refuse_bomb(path: Path, name: str) -> None:
    """Look at a zip archive that a library will read whole (a workbook): how large it says that its members are.

    Raises:
        ConformError: too large to be what it seems.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > _allowed(path.stat().st_size):
            raise _bomb(name)


def _opened(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes] | Inflated:
    if info.compress_type == zipfile.ZIP_DEFLATED:
        return Inflated(path, archive, info)
    return archive.open(info)


def _allowed(packed: int) -> int:
    return max(_SMALL, packed * _MOST_SHRUNK)


def _bomb(where: str) -> ConformError:
    return ConformError(
        f"grows to more than {_MOST_SHRUNK} times its size: that is no table but a bomb",
        where=where,
        fix="look at the archive with care; unpack it yourself if you trust it",
    )


def _copy(source: IO[bytes] | Inflated, target: Path, where: str, packed: int) -> Survey | None:
    """All of ``source`` to ``target``; the survey of it, made meanwhile, where it is a text of more than a piece."""
    target.parent.mkdir(parents=True, exist_ok=True)
    allowed, written = _allowed(packed), 0
    following: Following | None = None
    with ExitStack() as open_until_written:
        file = open_until_written.enter_context(target.open("wb"))
        while piece := source.read(_PIECE):
            if written and following is None and kind_of(target) == "text":
                following = open_until_written.enter_context(Following(target))
            written += len(piece)
            if written > allowed:
                raise _bomb(where)
            if not file.tell() % (256 * _PIECE) and shutil.disk_usage(target.parent).free < 2 * _SMALL:
                raise ConformError(
                    "the disk has no room for what is in the archive", where=where, fix="free some space"
                )
            file.write(piece)
            if following is not None:
                file.flush()
                following.grown(written)
    return None if following is None else following.survey()


def _is_litter(member: str) -> bool:
    last = member.rpartition("/")[2]
    return member.startswith("__MACOSX/") or last.startswith(".") or last == "Thumbs.db"
