"""Sheets of workbooks (xlsx, xls, ods) as CSV: row n of the sheet is row n of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.conform.kinds.write import csv_file, sheet_text_of
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_sheets(path: Path, name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Each sheet that has cells, in the workbook's order: its name and its file in ``folder``.

    Rows keep their place; blank columns to the left and to the right of the table do not appear.

    Raises:
        ConformError: a password, damage, or no cell in any sheet.
    """
    # Imported here: a delimited text must not wait for it.
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum

    found = False
    try:
        with path.open("rb") as file, CalamineWorkbook.from_filelike(file) as book:
            sheets = [each.name for each in book.sheets_metadata if each.typ == SheetTypeEnum.WorkSheet]
            for index, title in enumerate(sheets):
                sheet = book.get_sheet_by_name(title)
                if not sheet.height:
                    continue
                target = folder / f"sheet-{index}.csv"
                with csv_file(target) as write:
                    for row in sheet.iter_rows():
                        texts = [sheet_text_of(value) for value in row]
                        write(texts if any(texts) else [])
                found = True
                yield title, target
    except PasswordError as error:
        raise ConformError(
            "the workbook is locked with a password", where=name, fix="ask the publisher for it open"
        ) from error
    except CalamineError as error:
        raise ConformError(
            f"the workbook cannot be read: {error}",
            where=name,
            fix="fetch it again; the last good version stays published",
        ) from error
    if not found:
        raise ConformError("the workbook is empty: no sheet has a cell", where=name, fix="tell the publisher")
