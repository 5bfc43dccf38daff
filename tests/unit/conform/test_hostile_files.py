"""Files made to break whoever opens them: an error that says what is wrong, soon and in little memory."""

from __future__ import annotations

import io
import json
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pipelines.conform.kinds import unpack
from pipelines.errors import ConformError


def text_in(content: str, tmp_path: Path) -> str:
    file = tmp_path / "file"
    file.write_text(content)
    (part,) = unpack(file, "file.json", tmp_path / "scratch")
    return part.path.read_text(encoding="utf-8")


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = "[" * 5_000 + "]" * 5_000
    with pytest.raises(ConformError, match="nested"):
        text_in(f'[{{"a": 1, "b": {deep}}}]', tmp_path)


@pytest.mark.parametrize(
    "shape", ['[{{"a": {0}}}]', '{{"type": "FeatureCollection", "features": [{{"properties": {{"a": {0}}}}}]}}']
)
def test_a_number_of_six_thousand_digits_is_refused(shape: str, tmp_path: Path) -> None:
    # Run in the tests' own process: the parser crashed the whole of it.
    with pytest.raises(ConformError, match="4 000 digits"):
        text_in(shape.format("9" * 6_000), tmp_path)


def test_an_exponent_is_not_written_out_over_the_whole_disk(tmp_path: Path) -> None:
    assert text_in('[{"a": 1e400000000}]', tmp_path) == "a\n1E+400000000\n"


def test_digits_within_a_value_are_kept(tmp_path: Path) -> None:
    text = text_in('[{"a": {"few": 1.10, "many": 0.12345678901234567890}}]', tmp_path)
    cell = text.splitlines()[1].strip('"').replace('""', '"')
    assert json.loads(cell) == {"few": 1.1, "many": "0.12345678901234567890"}


def test_a_bomb_beside_the_mimetype_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "sheet.ods"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", b"\0" * (300 << 20))
        archive.writestr("a.csv", "a;b\n1;2\n")
    tracemalloc.start()
    try:
        with pytest.raises(ConformError):
            unpack(file, "sheet.ods", tmp_path / "scratch")
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["xlsx", "ods"])
def test_a_sheet_that_grows_a_thousandfold_is_refused_before_it_is_read(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"sheet.{kind}"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind == "xlsx":
            archive.writestr("[Content_Types].xml", "<Types/>")
            name = "xl/worksheets/sheet1.xml"
        else:
            archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
            name = "content.xml"
        with archive.open(name, "w") as member:
            for _ in range(300):
                member.write(b" " * (1 << 20))
    begun = time.monotonic()
    with pytest.raises(ConformError, match="bomb"):
        unpack(file, file.name, tmp_path / "scratch")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("member", ["../../up.csv", "/etc/absolute.csv", "C:\\windows.csv", "a/../../../b.csv"])
def test_a_member_stays_in_the_scratch_folder(member: str, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, "a;b\n1;2\n")
    file = tmp_path / "deep/down/archive.zip"
    file.parent.mkdir(parents=True)
    file.write_bytes(packed.getvalue())
    scratch = file.parent / "scratch"
    (part,) = unpack(file, file.name, scratch)
    assert part.path.resolve().is_relative_to(scratch.resolve())
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"archive.zip", part.path.name}
