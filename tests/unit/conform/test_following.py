"""A text is surveyed while it is unpacked, with the same result as afterwards."""

from __future__ import annotations

import gzip
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from pipelines.conform.kinds import unpack
from pipelines.conform.survey import survey
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 200_000
TEXT = "Ville;Prix\n" + "".join(f"Orléans {n % 977};{n},5\n" for n in range(ROWS)) + "1e5;2\n"


def test_a_long_text_from_gzip_or_zip_comes_with_its_survey(tmp_path: Path) -> None:
    data = TEXT.encode()
    (tmp_path / "text.csv.gz").write_bytes(gzip.compress(data, 1))
    with zipfile.ZipFile(tmp_path / "text.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text.csv", data)
        archive.writestr("short.csv", "a;b\n1;2\n")
    (packed,) = unpack(tmp_path / "text.csv.gz", "text.csv.gz", tmp_path / "a")
    long, short = unpack(tmp_path / "text.zip", "text.zip", tmp_path / "b")
    for part in (packed, long):
        assert part.path.read_bytes() == data
        assert part.survey == survey(part.path)
        assert part.survey.lines == ROWS + 2
    assert short.survey is None


def test_an_archive_that_breaks_off_leaves_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(TEXT.encode(), 1)[:-900_000])
    before = threading.active_count()
    with pytest.raises(ConformError, match="was cut"):
        unpack(tmp_path / "cut.csv.gz", "cut.csv.gz", tmp_path / "a")
    assert threading.active_count() == before
