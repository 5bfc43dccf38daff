"""The survey against one plain decoding of the whole file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.conform import survey as surveying
from pipelines.conform.survey import DAMAGE, STRAY, TWICE, survey, survey_while_written

_TEXTS = [
    "a",
    "\n",
    "\r",
    "\r\n",
    "\t",
    '"',
    "é",
    "€",
    "😀",
    "\x7f",
    "\x85",
    "�",
    "Ã©",
    "\xa0",
    "\u202f",
    ";",
    "1e5",
    "2,E+",
    "1_0",
]
_BYTES = [b"\xe9", b"\xc3", b"\xff", b"\x00", b"\xe2\x80", b"\xa9", b"\xac"]
_PIECES = st.sampled_from([*(text.encode() for text in _TEXTS), *_BYTES])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.lists(_PIECES, max_size=40).map(b"".join), piece=st.sampled_from([3, 7, 16, 1000]))
def test_a_survey_in_pieces_is_that_of_the_whole(tmp_path: Path, data: bytes, piece: int) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveying, "_PIECE", piece)
        patch.setattr(surveying, "_WINDOW", 4)
        found = survey(tmp_path / "x")
    text = data.decode("utf-8", "surrogateescape")
    crlf = text.count("\r\n")
    bad = len(re.findall("[\udc80-\udcff]", text))
    assert (found.crlf, found.lf, found.cr) == (crlf, text.count("\n") - crlf, text.count("\r") - crlf)
    assert found.not_utf8 == bad
    assert found.wide == sum(ord(each) > 127 for each in text) - bad
    assert bool(found.damaged) == (re.search(DAMAGE, text) is not None)
    assert bool(found.twice) == (TWICE.search(text) is not None)
    assert bool(found.odd) == ("\u00a0" in text or "\u202f" in text)
    assert (found.tabs, bool(found.quotes)) == (text.count("\t") if "\r" in text or "\t" in text else 0, '"' in text)
    assert found.lines == crlf + found.lf + found.cr + (text[-1:] not in {"", "\n", "\r"})
    if cr := text.count("\r") - crlf:
        assert found.stray is None, cr
    else:
        assert set(found.stray or ()) == {data.count(b"\n", 0, hit.start()) + 1 for hit in STRAY.finditer(data)}
    assert all(line == data.count(b"\n", 0, place) + 1 for place, line in found.marks)


def test_a_file_full_of_stray_letters_says_that_they_may_be_anywhere(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1e5\n" * 5000)
    assert survey(tmp_path / "x").stray is None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(_PIECES, max_size=40).map(b"".join),
    piece=st.sampled_from([3, 7, 16, 1000]),
    steps=st.lists(st.integers(1, 30), min_size=1, max_size=40),
)
def test_the_survey_of_a_text_that_is_being_written_is_that_of_the_whole(
    tmp_path: Path, data: bytes, piece: int, steps: list[int]
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"")
    written = 0

    def grown(wanted: int) -> int:
        nonlocal written
        while written < min(wanted, len(data)):
            with file.open("ab") as end:
                written += end.write(data[written : written + steps.pop()] if steps else data[written:])
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surveying, "_PIECE", piece)
        patch.setattr(surveying, "_WINDOW", 4)
        assert survey_while_written(file, grown) == survey(file)
