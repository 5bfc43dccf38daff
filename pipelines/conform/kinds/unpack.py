"""``unpack``: one file of any kind to the delimited texts in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.conform.kinds.archives import gunzip, refuse_bomb, unzip, zip_members
from pipelines.conform.kinds.columns import write_parquet
from pipelines.conform.kinds.detect import Kind, kind_of, not_opened
from pipelines.conform.kinds.records import write_geojson, write_json, write_json_lines
from pipelines.conform.kinds.workbooks import write_sheets
from pipelines.conform.kinds.write import SEPARATOR
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.conform.survey import Survey


@dataclass(frozen=True)
class Part:
    """One table's worth of delimited text.

    Attributes:
        path: the text: the file itself, or one in the scratch folder.
        name: for messages: the file's name, with member or sheet.
        kind: what it was before.
        member: of a zip archive, else None.
        sheet: of a workbook, else None.
        separator: of a text that was written here; None where the publisher wrote it.
        offset: what a line's number here lacks to the publisher's: -1 where the header is ours, as for JSON.
        survey: of the text, where it was made while it was unpacked.
    """

    path: Path
    name: str
    kind: Kind
    member: str | None = None
    sheet: str | None = None
    separator: str | None = None
    offset: int = 0
    survey: Survey | None = None

    @property
    def label(self) -> str | None:
        """What tells the part from its fellows: member, sheet or both; None for a part that is alone by nature."""
        return " ".join(each for each in (self.member, self.sheet) if each) or None


def unpack(path: Path, name: str, scratch: Path) -> list[Part]:
    """The delimited texts in the file at ``path``, in its own order.

    Documents beside the tables of a zip archive (PDF, pictures) are left out; a member that cannot be read is an error.

    Args:
        path: the bytes.
        name: for messages.
        scratch: folder for what is not delimited text as it stands; the caller removes it when done.

    Raises:
        ConformError: not a kind that Rocade opens, damaged, locked, a bomb, an archive in an archive, or empty.
    """
    kind = kind_of(path)
    if kind == "gzip":
        return [_inside_gzip(path, name, scratch)]
    if kind == "zip":
        return _inside_zip(path, name, scratch)
    return _tables(path, name, kind, scratch)


def discard(scratch: Path) -> None:
    """Remove the folder given to ``unpack``."""
    shutil.rmtree(scratch, ignore_errors=True)


def _inside_gzip(path: Path, name: str, scratch: Path) -> Part:
    target = scratch / "unzipped"
    found = gunzip(path, name, target)
    kind = kind_of(target)
    if kind in ("gzip", "zip"):
        raise _nested(name)
    parts = _tables(target, name, kind, scratch)
    if len(parts) > 1:
        raise ConformError("a workbook of several sheets inside gzip is not opened", where=name, fix="unpack it first")
    return replace(parts[0], kind="gzip", survey=found) if kind == "text" else replace(parts[0], kind=kind)


def _inside_zip(path: Path, name: str, scratch: Path) -> list[Part]:
    members = zip_members(path, name)
    targets = {member: scratch / f"member-{index}" for index, member in enumerate(members)}
    parts: list[Part] = []
    for member, target, survey in unzip(path, name, targets):
        where, kind = f"{name}, member {member}", kind_of(target)
        if kind in ("gzip", "zip"):
            raise _nested(where)
        if kind == "other":
            continue
        found = _tables(target, where, kind, scratch / f"from-{target.name}")
        if kind == "text":
            found = [replace(part, kind="zip", survey=survey) for part in found]
        parts += [replace(part, member=member) for part in found]
    if not parts:
        shown = ", ".join(members[:5]) + (", …" if len(members) > 5 else "")  # noqa: PLR2004 - enough to know it by
        raise ConformError(f"no table is in the zip file; it holds {shown}", where=name, fix="give another resource")
    return parts


def _tables(path: Path, name: str, kind: Kind, scratch: Path) -> list[Part]:
    """The parts of a file that is no archive."""
    target = scratch / "table.csv"
    if kind == "text":
        return [Part(path, name, kind)]
    if kind in ("xlsx", "ods"):
        refuse_bomb(path, name)
    if kind in ("xlsx", "xls", "ods"):
        sheets = write_sheets(path, name, scratch)
        return [Part(file, f"{name}, sheet {title}", kind, sheet=title, separator=SEPARATOR) for title, file in sheets]
    if kind == "utf-16 text":
        _from_utf_16(path, name, target)
        return [Part(target, name, kind)]
    if kind == "json lines":
        write_json_lines(path, name, target)
    elif kind == "json":
        write_json(path, name, target)
    elif kind == "geojson":
        write_geojson(path, name, target)
    elif kind == "parquet":
        write_parquet(path, name, target)
    else:
        raise ConformError(
            f"this is {not_opened(path)}, which Rocade does not open",
            where=name,
            fix="give a CSV, xlsx, xls, ods, JSON, GeoJSON or Parquet file, plain or in gzip or zip",
        )
    return [Part(target, name, kind, separator=SEPARATOR, offset=-1)]


def _from_utf_16(path: Path, name: str, target: Path) -> None:
    """Excel's "Unicode text", as UTF-8."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open(encoding="utf-16", newline="") as source, target.open("w", encoding="utf-8", newline="") as new:
            shutil.copyfileobj(source, new, 1 << 20)
    except UnicodeError as error:
        raise ConformError(f"the UTF-16 text is damaged: {error}", where=name, fix="fetch it again") from error


def _nested(where: str) -> ConformError:
    return ConformError("an archive inside an archive is not opened", where=where, fix="unpack it, give what is inside")
