"""The fast statement against the plain one: a large file must give what the same rows give in a small one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.conform import Conformed, blocks, segments, sniff, usual
from pipelines.conform import scan as scanning
from pipelines.errors import ConformError

HEADER = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
ODD = {
    "jour": ["1", "01", "31", "30", "29", " 5", "5 ", "0", "32", "1.0", "1.5", "x", ""],
    "mois": ["1", "02", "12", "13", "2", " 3", "", "+4", "1e0"],
    "an": ["2019", "19", " 2019", "2019.0", "1e3", "", "99999"],
    "hrmn": ["12:25", "1225", "5", "24:00", "", "-1", " 07:30", "07:30\u00a0"],
    "lum": ["1", "01", "1.0", "-1", "0", "6", "", " 2", "é", "11"],
    "dep": ["59", "2A", "2a", "1", "96", "", "971", " 75"],
    "com": ["59350", "1004", "2A004", "", "x", "0", "000", " 75056"],
    "agg": ["1", "2", "-1", "", "3"],
    "int": ["1", "9", "09", "10", "-1"],
    "atm": ["1", "-1", "", "-1.0", "N/C"],
    "col": ["1", "7", "8", "#ERREUR"],
    "adr": ["RUE", " RUE", "RUE ", "\u00a0É", "Émile\u202f", "-1", "N/C", "", "a\tb", "~", "\x7fx"],
    "lat": [
        "48,85",
        "48.85",
        "0",
        "0,00",
        "-",
        "-0",
        "1e5",
        "1e1",
        "2E-1",
        "nan",
        "91",
        " 2,5",
        "1 234,5",
        "1_0",
        "",
        "+,5",
        ".",
    ],
    "long": ["2,35", "-2,35", "181", "0", "", "inf", "2,3,4"],
}


def _text(rows: int, seed: int, *, odd: float = 0.15) -> str:
    chance = random.Random(seed)
    usual = {
        "jour": "5",
        "mois": "6",
        "an": "2019",
        "dep": "59",
        "com": "59350",
        "hrmn": "12:30",
        "lat": "48,85",
        "long": "2,35",
    }
    lines = [HEADER]
    for number in range(rows):
        cells = [f"2019{number:08}" if chance.random() > 0.01 else "2.02E+11"]
        for name, texts in ODD.items():
            cells.append(chance.choice(texts) if chance.random() < odd else usual.get(name, "1"))
        lines.append(";".join(cells))
    return "\n".join(lines) + "\n"


def _all(result: Conformed) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    rows = pq.read_table(result.file).sort_by("source_line").to_pylist()
    return rows, result.rejected.drop_columns(["rejected_at"]).to_pylist()


@pytest.mark.parametrize("seed", range(3))
def test_the_fast_statement_gives_what_the_plain_one_gives(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    text = _text(4000, seed) if seed else _text(4000, seed).replace("\x7f", "")  # a damaged file takes another way
    plain = _all(run(text, "caracteristiques-2019.csv"))
    monkeypatch.setattr(scanning, "_LARGE", 0)
    fast = _all(run(text, "caracteristiques-2019.csv"))
    assert len(plain[0]) > 200
    assert len(plain[1]) > 200
    assert fast == plain


@pytest.mark.parametrize("oddity", [None, "", "201900000001;4;too short"])
def test_a_stray_letter_is_feared_only_near_where_it_stands(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch, oddity: str | None
) -> None:
    lines = _text(3000, 11, odd=0.03).replace("\x7f", "").split("\n")  # a damaged file takes no short way
    if oddity is not None:  # from here on records and lines no longer go together
        lines.insert(5, oddity)
    text = "\n".join(lines)
    plain = _all(run(text, "caracteristiques-2019.csv"))
    monkeypatch.setattr(scanning, "_LARGE", 0)
    for module in (usual, sniff):
        monkeypatch.setattr(module, "STRIDE", 2)
    assert _all(run(text, "caracteristiques-2019.csv")) == plain
    assert any("1e1" in str(row["row"]) for row in plain[1])


def test_a_file_of_nothing_but_faults_is_broken_off(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_MOST_FAULTY", 100)
    text = "\n".join([HEADER, *["x;5;6;2019;12:30;1;59;59350;1;1;1;1;RUE;1;2"] * 500])
    with pytest.raises(ConformError, match=r"broken off after \d+ rows at fault.*Num_Acc") as caught:
        run(text, "caracteristiques-2019.csv")
    assert "line 2" in str(caught.value)


def test_ctrl_c_is_no_fault_of_the_publisher(run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scanning, "_LARGE", 0)
    monkeypatch.setattr("pipelines.progress._SilentStep.advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(_text(100, 4, odd=0.0), "caracteristiques-2019.csv")


def test_a_file_read_in_blocks_keeps_its_lines(run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch) -> None:
    text = _text(20_000, 7, odd=0.002).replace("\x7f", "")
    whole = _all(run(text, "caracteristiques-2019.csv"))
    monkeypatch.setattr(scanning, "_LARGE", 0)
    monkeypatch.setattr(segments, "SMALLEST", 100_000)
    monkeypatch.setattr(blocks, "BLOCK", 20_000)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.delattr(scanning, "_from_end_to_end")
    assert _all(run(text, "caracteristiques-2019.csv")) == whole
    published = text.split("\n")
    for row in whole[0]:
        assert published[int(str(row["source_line"])) - 1].startswith(str(row["accident_id"]))


@pytest.mark.parametrize(
    "oddity", ["201900000001;4;too short", "", '201999999999;1;1;2019;;1;59;;1;1;1;1;"two\nlines";1;1']
)
def test_a_file_whose_lines_are_no_records_is_read_from_end_to_end(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch, oddity: str
) -> None:
    lines = _text(20_000, 8, odd=0.0).split("\n")
    lines.insert(10_000, oddity)
    text = "\n".join(lines)
    whole = _all(run(text, "caracteristiques-2019.csv"))
    monkeypatch.setattr(scanning, "_LARGE", 0)
    monkeypatch.setattr(segments, "SMALLEST", 100_000)
    monkeypatch.setattr(blocks, "BLOCK", 20_000)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    tried: list[object] = []
    monkeypatch.setattr(scanning, "segments_of", lambda *given: tried.append(given) or segments.segments_of(*given))
    assert _all(run(text, "caracteristiques-2019.csv")) == whole
    assert tried  # to read it in blocks


@pytest.mark.parametrize("at", [1, 500, 999])
def test_keys_that_stand_twice_are_found_in_large_files_too(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    line = "{};5;6;2019;12:30;1;59;59350;1;1;1;1;RUE;1;2"
    lines = [HEADER, *(line.format(201900000000 + number) for number in range(1000))]
    lines.insert(at, lines[500].replace("RUE", "AVENUE"))
    text = "\n".join(lines)
    whole = _all(run(text, "caracteristiques-2019.csv"))
    assert len(whole[1]) == 1
    monkeypatch.setattr(scanning, "_LARGE", 0)
    monkeypatch.setattr(segments, "SMALLEST", 5000)
    assert _all(run(text, "caracteristiques-2019.csv")) == whole


def test_foreign_bytes_are_found_in_large_files_too(
    run: Callable[..., Conformed], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = _text(2000, 9, odd=0.0).replace("\x7f", "").encode().split(b"\n")
    for number in range(5):
        lines[10 + number] = f"20199999999{number};5;6;2019;12:30;1;59;59350;1;1;1;1;RUÉ;1;2".encode()
    lines[1000] = b"201999999999;5;6;2019;12:30;1;59;59350;1;1;1;1;RU\xe9;1;2"
    whole = _all(run(b"\n".join(lines), "caracteristiques-2019.csv"))
    assert [row["reason"] for row in whole[1] if row["source_line"] == 1001] == ["bad_encoding"]
    monkeypatch.setattr(scanning, "_LARGE", 0)
    assert _all(run(b"\n".join(lines), "caracteristiques-2019.csv")) == whole


def test_every_range_begins_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "SMALLEST", 1000)
    file = tmp_path / "x.csv"
    data = _text(500, 3).encode()
    file.write_bytes(data)
    found = segments.segments_of(file, 9)
    assert len(found) == 9
    assert b"".join(data[each.start : each.end] for each in found) == data
    for each in found[1:]:
        assert data[each.start - 1 : each.start] == b"\n"
        assert each.line == data[: each.start].count(b"\n") + 1


def test_the_other_faults_of_a_row_are_named(run: Callable[..., Conformed]) -> None:
    line = "201900000001;5;6;2019;12:30;7;59;59350;1;1;1;1;RUE;91;2,3,4"
    (row,) = run(f"{HEADER}\n{line}\n", "caracteristiques-2019.csv").rejected.to_pylist()
    assert (row["column_name"], row["reason"]) == ("lum", "unknown_code")
    assert row["detail"].endswith("also at fault: lat, long")
