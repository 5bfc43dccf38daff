"""Reading in blocks: the cells that DuckDB's reader gives, or a refusal."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.conform import blocks as reading
from pipelines.conform import segments
from pipelines.conform.blocks import Blocks, Irregular
from pipelines.conform.csv_sql import read_csv_sql
from pipelines.conform.sniff import Sniffed

_HEADER = ("a", "b", "c")
_CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "1",
            "-1",
            "x",
            "é",
            " ",
            " x ",
            "1,5",
            '""',
            '"x"',
            '"x;y"',
            '"x""y"',
            'x"y',
            'x"',
            '"x"y',
            '"',
            ' "',
            ' "1"',
            '"1" ',
        ]
    ),
    st.text('a";\n 1é\ufeff\t\x0b\x1a\x7f', max_size=4),
)
_LINES = st.one_of(st.tuples(_CELLS, _CELLS, _CELLS), st.lists(_CELLS, max_size=4).map(tuple))


def _sniffed(path: Path, text: str) -> Sniffed:
    path.write_bytes(text.encode())
    return Sniffed(path, "utf-8", ";", _HEADER, text.count("\n"), damaged=False, odd_blanks=True, quoted='"' in text)


def _read(blocks: Blocks, parts: list[segments.Segment]) -> list[tuple[str | None, ...]]:
    return [
        tuple(row[name] for name in ("c0", "c1", "c2"))
        for part in parts
        for row in blocks.reader(part).read_all().to_pylist()
    ]


def _by_duckdb(sniffed: Sniffed) -> tuple[list[tuple[str | None, ...]], int]:
    with duckdb.connect() as con:
        con.execute("SET threads = 1")
        rows = con.execute(f"SELECT * FROM {read_csv_sql(sniffed)}").fetchall()
        (refused,) = con.execute("SELECT count(*) FROM reject_errors").fetchall()
        return rows, refused[0]


@given(
    st.lists(_LINES, min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
    st.integers(16, 200),
)
@example([('"x"y', "1", "2")], "\n", "\n", 100)
@example([("x", 'y"z', "2")], "\n", "\n", 100)
@example([('"a;"b;c"', "1")], "\n", "\n", 100)
@example([('"', "1", '"')], "\n", "\n", 100)
@example([('"1\n2"', "1", "2")], "\n", "\n", 100)
@example([(' "', "1", "2"), (' "', "1", "2")], "\n", "\n", 100)
@example([('"a;"b";c"', "d")], "\n", "\n", 100)
@example([("", '1"', '"1')], "\n", "", 100)
@example([("", '1"', '"1')], "\n", "\n", 100)
@example([(' "', '"1', ""), ("", ' "', '"1')], "\n", "", 100)
@example([("x", "y", "z"), ("x", "y", "z"), ("\ufeffx", "y", "z")], "\n", "\n", 16)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_blocks_give_the_cells_that_duckdb_gives_or_none(
    records: list[tuple[str, ...]], end: str, last: str, size: int
) -> None:
    text = "\n".join([";".join(_HEADER), *(";".join(cells) for cells in records)]) + last
    text = text.replace("\n", end)  # another text would have been written anew
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as small:
        small.setattr(reading, "BLOCK", size)
        small.setattr(segments, "SMALLEST", 64)
        sniffed = _sniffed(Path(folder) / "x.csv", text)
        blocks = Blocks(sniffed, [], None, lambda _: None)
        parts = segments.segments_of(sniffed.path, 3)
        with suppress(Irregular):
            found = _read(blocks, parts)
            rows, refused = _by_duckdb(sniffed)
            assert found == rows
            assert not refused
            assert blocks.records == len(rows) == text.count("\n", 0, -1)


@pytest.mark.parametrize("quoting", ["none", "all", "some", "odd"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_regular_texts_are_read_in_blocks(
    quoting: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(f"{quoting}{end}")

    def cell() -> str:
        text = chance.choice(["", "1", "RUE DE L'ÉGLISE", "2,5"])
        if quoting == "odd" and chance.random() < 0.1:
            return chance.choice(['"a;b"', '"12 ""BIS"""', 'RUE "BASSE"'])
        return f'"{text}"' if quoting == "all" or (quoting != "none" and chance.random() < 0.5) else text

    text = end.join([";".join(_HEADER), *(f"{cell()};{cell()};{cell()}" for _ in range(3000))]) + end
    monkeypatch.setattr(reading, "BLOCK", 5000)
    monkeypatch.setattr(segments, "SMALLEST", 5000)
    sniffed = _sniffed(tmp_path / "x.csv", text)
    found = _read(Blocks(sniffed, [], None, lambda _: None), segments.segments_of(sniffed.path, 4))
    assert (found, 0) == _by_duckdb(sniffed)
    assert len(found) == 3000


@pytest.mark.parametrize(
    "line",
    ["1;2", "1;2;3;4", "", '"1"2;2;3', '"1;2;3', '"a;"b;c;d', '1;"a\nb";3', "1;2;3;", ' "1";2;3', '"1" ;2;3'],
)
def test_an_irregular_line_is_refused(line: str, tmp_path: Path) -> None:
    text = "\n".join([";".join(_HEADER), *['"1";"2";"3"'] * 50, line, *['"1";"2";"3"'] * 50]) + "\n"
    sniffed = _sniffed(tmp_path / "x.csv", text)
    blocks = Blocks(sniffed, [], None, lambda _: None)
    with pytest.raises(Irregular):
        _read(blocks, segments.segments_of(sniffed.path, 1))
    assert blocks.irregular


def test_a_nul_byte_is_left_to_the_other_reader(tmp_path: Path) -> None:
    sniffed = replace(_sniffed(tmp_path / "x.csv", "a;b;c\n1;2;3\x00\n"), damaged=True)
    with pytest.raises(Irregular, match="NUL"):
        _read(Blocks(sniffed, [], None, lambda _: None), segments.segments_of(sniffed.path, 1))


@pytest.mark.parametrize("header", ['"a\n1;2";b;c', 'a;"b"c;d', '"a"x;"b";c', 'a";"\n";b;c'])
def test_a_header_that_is_no_plain_line_is_irregular(header: str, tmp_path: Path) -> None:
    sniffed = _sniffed(tmp_path / "x.csv", f"{header}\n1;2;3\n")
    with pytest.raises(Irregular, match="header"):
        _read(Blocks(sniffed, [], None, lambda _: None), segments.segments_of(sniffed.path, 1))


def _numbers(lines: list[str], tmp_path: Path, *, key: str | None = "c0") -> tuple[Blocks, pa.Table]:
    sniffed = _sniffed(tmp_path / "x.csv", "\n".join([";".join(_HEADER), *lines]) + "\n")
    blocks = Blocks(sniffed, ["c1"], key, lambda _: None)
    tables = [blocks.reader(part).read_all() for part in segments.segments_of(sniffed.path, 4)]
    return blocks, pa.concat_tables(tables)


def test_numbers_are_read_where_the_whole_block_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 24)
    blocks, table = _numbers(["1;2,5;x", "2;;x", "3;1.25;x", "4;2,3,4;x", "x5;-7;x", "6;7;x"], tmp_path)
    assert blocks.numbers == {"real_c1", "whole_c0"}
    for text, real in zip(table["c1"].to_pylist(), table["real_c1"].to_pylist(), strict=True):
        assert real is None or real == float((text or "").replace(",", "."))
    assert table["real_c1"].to_pylist()[:2] == [2.5, None]
    assert table["whole_c0"].to_pylist() == [1, 2, 3, 4, None, 6]


def test_keys_that_ascend_are_known_to_stand_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1000)
    monkeypatch.setattr(segments, "SMALLEST", 3000)
    lines = [f"{number};1;x" for number in range(1, 4000)]
    nobody = np.array([], np.int64)

    def ascends(changed: list[str], apart: np.ndarray, key: str | None = "c0") -> bool:
        return _numbers(changed, tmp_path, key=key)[0].ascends(apart)

    assert ascends(lines, nobody)
    assert not ascends(lines, nobody, None)
    for at in (0, 1, 1500, 3998):
        assert not ascends([*lines[:at], lines[at], *lines[at:]], nobody), at
        stranger = [*lines[:at], "x;1;x", *lines[at + 1 :]]
        assert not ascends(stranger, nobody), at
        assert not ascends(stranger, np.array([at + 2])), at
        assert ascends(stranger, np.array([at + 1, 9999])), at
    numbers = [f"{number};1;x" for number in range(1000, 5000)]
    assert ascends(numbers, nobody)
    for part in segments.segments_of(tmp_path / "x.csv", 4)[1:]:  # down where one part ends and the next begins
        assert not ascends([*numbers[-part.line + 2 :], *numbers[: -part.line + 2]], nobody)
