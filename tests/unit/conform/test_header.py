"""Where a table begins: separator, preamble, header."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conform.header import NONE, find_header

TABLE = "commune;population;surface\n01001;782;15,6\n01002;267;9,2\n01004;14134;24,6\n"


@pytest.mark.parametrize(
    ("text", "separator", "names", "preamble"),
    [
        (TABLE, ";", "commune;population;surface", 0),
        (TABLE.replace(";", "\t"), "\t", "commune;population;surface", 0),
        (TABLE.replace(",", ".").replace(";", ","), ",", "commune;population;surface", 0),
        (TABLE.replace(";", "|"), "|", "commune;population;surface", 0),
        ("Source : Insee, 2024\n\n" + TABLE, ";", "commune;population;surface", 2),
        ("Populations légales;;\nmillésime 2021;;\n;;\n" + TABLE, ";", "commune;population;surface", 3),
        ('Note: "population\nau 1er janvier\n\n\n' + TABLE, ";", "commune;population;surface", 4),
        ('"Note\n' + TABLE + "1;2;3\n" * 40, ";", "commune;population;surface", 1),
        ("\n" + TABLE, ";", "commune;population;surface", 1),
        ("titre\n" + TABLE.replace("surface", "2024"), ";", "commune;population;2024", 1),
        # a header that lacks a name is the publisher's fault, not a preamble
        (TABLE.replace(";surface", "", 1), ";", "commune;population", 0),
        ("1;2;3\n4;5;6\n", ";", "1;2;3", 0),
        ("adresse\n12, rue X\n14, rue Y\n", NONE, "adresse", 0),
        ("nom\nDupont\nDurand; fils\n", NONE, "nom", 0),
        ("adresse\nrue X, Paris\nrue Y, Lyon\n", NONE, "adresse", 0),
        # a decimal comma in every row, and rows that are too long or too short
        (
            "code;nom;prix\n" + "".join(f"{i};x;{i},5\n" for i in range(9)) + "9;9,5\n9;x;y;9,5\n",
            ";",
            "code;nom;prix",
            0,
        ),
        ("seul\n", NONE, "seul", 0),
        ('"a\nb";c\n1;2\n', ";", "a\nb;c", 0),
        ("a;b;;\n1;2;;\n", ";", "a;b", 0),
        ("a;b\r\n1;2\r\n", ";", "a;b", 0),
        ("\ufeffa;b\n1;2\n", ";", "a;b", 0),
    ],
)
def test_where_a_table_begins(tmp_path: Path, text: str, separator: str, names: str, preamble: int) -> None:
    (tmp_path / "t").write_bytes(text.encode())
    found = find_header(tmp_path / "t", "t")
    assert (found.separator, ";".join(found.names), found.preamble) == (separator, names, preamble)


def test_a_doubled_name_is_told_apart_and_told(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a;b;a;;a;;a__2;c\n1;2;3;4;5;6;7;8\n")
    found = find_header(tmp_path / "t", "t")
    assert found.names == ("a", "b", "a__3", "", "a__4", "__2", "a__2", "c")
    assert found.doubled == {"a", ""}


@pytest.mark.parametrize("text", [",value\nA,foo\nB,bar\n", ";valeur\nA;foo\nB;bar\nC;foo\n"])
def test_the_index_that_pandas_writes_has_no_name_and_takes_no_row(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text)
    found = find_header(file, "x.csv")
    assert (len(found.names), found.names[0], found.preamble) == (2, "", 0)
