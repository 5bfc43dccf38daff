"""What is in the bytes: every kind becomes the same table, and each broken one is refused with its reason."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlwt

from pipelines.conform.kinds import Part, archives, kind_of, unpack
from pipelines.errors import ConformError

HEADER = ["code", "nombre", "jour", "vrai", "texte"]
ROWS = [["01001", "12", "2024-05-01", "true", 'dit "oui"; non'], ["2A004", "12.5", "2024-12-31", "false", "é\nà"]]
#: The same for kinds that know types.
TYPED = [
    ["01001", 12, dt.date(2024, 5, 1), True, 'dit "oui"; non'],
    ["2A004", 12.5, dt.date(2024, 12, 31), False, "é\nà"],
]
TEXT = "code;nombre\n01001;12\n"


def write_xlsx(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [HEADER, *TYPED]:
        book.active.append(row)
    book.save(path)


def write_xls(path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Feuille")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    for at, row in enumerate([HEADER, *TYPED]):
        for column, value in enumerate(row):
            sheet.write(at, column, value, *([day] if isinstance(value, dt.date) else []))
    book.save(str(path))


def write_ods(path: Path, rows: list[list[object]] | None = None) -> None:
    def cell(value: object) -> str:
        if isinstance(value, bool):
            return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(value).lower()}"/>'
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        if isinstance(value, dt.date):
            return f'<table:table-cell office:value-type="date" office:date-value="{value}"/>'
        lines = "".join(f"<text:p>{line}</text:p>" for line in str(value).split("\n"))
        return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>'

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows or [HEADER, *TYPED])
    spaces = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"'
        for short, long in {"office": "office", "table": "table", "text": "text"}.items()
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="F">{body}</table:table></office:spreadsheet></office:body></office:document-content>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )


def write_json_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(record, default=str) + "\n" for record in _records()), encoding="utf-8")


def write_json(path: Path) -> None:
    path.write_text(json.dumps(_records(), default=str, indent=1), encoding="utf-8")


def write_wrapped_json(path: Path) -> None:
    path.write_text(json.dumps({"total_count": 2, "results": _records()}, default=str), encoding="utf-8")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.table({name: pa.array([row[at] for row in TYPED]) for at, name in enumerate(HEADER)}), path)


def write_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(_csv().encode()))


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("donnees/table.csv", _csv())
        archive.writestr("__MACOSX/._table.csv", "x")
        archive.writestr("notice.pdf", b"%PDF-1.4 ")


def write_zipped_xlsx(path: Path) -> None:
    write_xlsx(path.with_suffix(".inner"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".inner"), "table.xlsx")


def write_utf_16(path: Path) -> None:
    path.write_text(_csv(), encoding="utf-16")


def _records() -> list[dict[str, object]]:
    return [dict(zip(HEADER, row, strict=True)) for row in TYPED]


def _csv() -> str:
    return "\n".join(";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [HEADER, *ROWS]) + "\n"


def cells(part: Part) -> list[list[str]]:
    with part.path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


WRITERS = {
    "xlsx": write_xlsx,
    "xls": write_xls,
    "ods": write_ods,
    "json lines": write_json_lines,
    "json": write_json,
    "wrapped json": write_wrapped_json,
    "parquet": write_parquet,
    "gzip": write_gzip,
    "zip": write_zip,
    "zipped xlsx": write_zipped_xlsx,
    "utf-16 text": write_utf_16,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_gives_the_same_table(tmp_path: Path, kind: str) -> None:
    WRITERS[kind](tmp_path / "misleading.pdf")
    (part,) = unpack(tmp_path / "misleading.pdf", "misleading.pdf", tmp_path / "scratch")
    expected = [HEADER, *map(list, ROWS)]
    if kind == "parquet":  # its numbers are floats, and say so
        expected[1][1] = "12.0"
    assert [row for row in cells(part) if row] == expected
    assert part.kind == {"wrapped json": "json", "zipped xlsx": "xlsx"}.get(kind, kind)


def test_text_is_used_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "éCO2mix.xls"  # a tabbed text under an Excel name
    file.write_bytes("Périmètre\tNature\nFrance\tDonnées\n".encode("latin-1"))
    assert unpack(file, "éCO2mix.xls", tmp_path / "scratch") == [Part(file, "éCO2mix.xls", "text")]
    assert not (tmp_path / "scratch").exists()


def test_json_numbers_keep_their_digits(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"prix": 250123.450, "id": 12345678901234567890, "nested": {"a": [1, 2.50]}, "none": null}\n')
    (part,) = unpack(file, "a.jsonl", tmp_path / "scratch")
    assert cells(part) == [
        ["prix", "id", "nested", "none"],
        ["250123.450", "12345678901234567890", '{"a": [1, 2.5]}', ""],
    ]
    file.write_text('[{"prix": 250123.450, "x": 1e-7}]')
    (part,) = unpack(file, "a.json", tmp_path / "scratch")
    assert cells(part) == [["prix", "x"], ["250123.450", "0.0000001"]]


def test_sheet_numbers_are_whole_where_they_are_whole(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b", "c", "d"])
    book.active.append([1.0, 0.1, 1e-7, dt.time(12, 30)])
    book.active.append([8690842902635, -2.5, 1e20, dt.datetime(2024, 5, 1, 13, 5)])  # noqa: DTZ001 - a sheet knows no zone
    book.save(tmp_path / "a.xlsx")
    (part,) = unpack(tmp_path / "a.xlsx", "a.xlsx", tmp_path / "scratch")
    assert cells(part)[1:] == [
        ["1", "0.1", "0.0000001", "12:30:00"],
        ["8690842902635", "-2.5", "100000000000000000000", "2024-05-01T13:05:00"],
    ]


def test_sheets_keep_their_rows_and_are_all_there(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Lisez-moi"
    book.active["B3"] = "titre"
    book.create_sheet("vide")
    data = book.create_sheet("Données")
    data["A2"], data["B2"], data["A4"], data["B4"] = "a", "b", 1, 2
    book.save(tmp_path / "a.xlsx")
    parts = unpack(tmp_path / "a.xlsx", "a.xlsx", tmp_path / "scratch")
    assert [part.sheet for part in parts] == ["Lisez-moi", "Données"]
    assert cells(parts[1]) == [[], ["a", "b"], [], ["1", "2"]]


def test_geojson_points_gain_coordinates(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [2.35, 48.85]}
    line = {"type": "LineString", "coordinates": [[0, 1], [2, 3]]}
    features = [
        {"type": "Feature", "properties": {"nom": "A", "geometry": "ronde"}, "geometry": point},
        {"type": "Feature", "properties": {"nom": "B", "n": 3}, "geometry": line},
        {"type": "Feature", "properties": None, "geometry": None},
    ]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (part,) = unpack(file, "a.json", tmp_path / "scratch")
    assert part.kind == "geojson"
    header, *rows = cells(part)
    assert header == ["nom", "geometry", "longitude", "latitude", "geometry__2", "n"]
    assert rows[0] == ["A", "ronde", "2.35", "48.85", json.dumps(point), ""]
    assert rows[1] == ["B", "", "", "", json.dumps(line), "3"]
    assert [*map(bool, rows[2])] == [False] * 6


def test_a_zip_of_several_tables_gives_them_all(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("un.csv", TEXT)
        archive.writestr("dossier/deux.txt", TEXT)
        archive.writestr("../../etc/evil.csv", TEXT)
    parts = unpack(tmp_path / "a.zip", "a.zip", tmp_path / "scratch")
    assert [part.member for part in parts] == ["un.csv", "dossier/deux.txt", "../../etc/evil.csv"]
    assert all(part.path.parent == tmp_path / "scratch" and part.path.read_text() == TEXT for part in parts)


def _zip(path: Path, name: str, content: bytes) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path.read_bytes()


def _locked_zip(path: Path) -> bytes:
    data = bytearray(_zip(path, "a.csv", TEXT.encode()))
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + flags] |= 1
    return bytes(data)


def _damaged_by(method: int, path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.csv", TEXT * 1000)
    data = bytearray(path.read_bytes())
    data[50:60] = b"\xff" * 10
    return bytes(data)


def _damaged_zip(path: Path) -> bytes:
    data = bytearray(_zip(path, "a.csv", TEXT.encode() * 1000))
    data[60] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: gzip.compress(TEXT.encode() * 1000)[:-20], "ends in the middle"),
        (lambda _: gzip.compress(TEXT.encode())[:-8] + bytes(8), "gzip file is damaged"),
        (lambda _: gzip.compress(gzip.compress(TEXT.encode())), "archive inside an archive"),
        (lambda path: _zip(path, "b.gz", gzip.compress(TEXT.encode())), "member b.gz: an archive inside"),
        (lambda path: _zip(path, "a.csv", TEXT.encode())[:-30], "zip file is damaged or was cut"),
        (_damaged_zip, "member a.csv: the member is damaged"),
        (lambda path: _damaged_by(zipfile.ZIP_BZIP2, path), "member a.csv: the member is damaged"),
        (lambda path: _damaged_by(zipfile.ZIP_LZMA, path), "member a.csv: the member is damaged"),
        (_locked_zip, "member a.csv: the member is locked with a password"),
        (lambda path: _zip(path, "a.pdf", b"%PDF-1.4"), "no table is in the zip file; it holds a.pdf"),
        (lambda _: b"PK\x05\x06" + bytes(18), "the zip file is empty"),
        (lambda _: b"%PDF-1.4 ...", "a PDF document, which Rocade does not open"),
        (lambda _: bz2.compress(b"x"), "a bzip2 archive, which Rocade does not open"),
        (lambda _: b"PAR1" + bytes(40), "Parquet file is damaged"),
        (lambda _: b'[{"a": 1}, {"a": ', "JSON is damaged or was cut"),
        (lambda _: b'{"a": 1}\n{"a": \n', "line 2: this line is no JSON"),
        (lambda _: b'{"a": 1}\n3\n', "line 2: this line is no JSON object"),
        (lambda _: b'{\n"a": {"b": 1}\n}', "no array of objects"),
        (lambda _: b'{"a": [{"b": 1}],\n "c": [{"d": 1}]}', "several arrays of objects"),
        (lambda _: b'{"type": "FeatureCollection", "features": []}', "no record in the JSON"),
        (lambda _: "a;b\n".encode("utf-16") + b"\x00", "UTF-16 text is damaged"),
        (lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "the workbook cannot be read"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path: Path, make: object, says: str) -> None:
    content = make(tmp_path / "made")  # type: ignore[operator]
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ConformError, match=says) as caught:
        unpack(tmp_path / "a.csv", "a.csv", tmp_path / "scratch")
    assert caught.value.fix
    assert caught.value.where


def test_an_empty_workbook_is_refused(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    with pytest.raises(ConformError, match="no sheet has a cell"):
        unpack(tmp_path / "a.xlsx", "a.xlsx", tmp_path / "scratch")


@pytest.mark.parametrize("bomb", ["gzip", "zip"])
def test_a_bomb_is_stopped_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: str) -> None:
    monkeypatch.setattr(archives, "_SMALL", 1 << 20)
    zeros = bytes(30 << 20)
    (tmp_path / "a").write_bytes(gzip.compress(zeros) if bomb == "gzip" else _zip(tmp_path / "b", "a.csv", zeros))
    with pytest.raises(ConformError, match="a bomb"):
        unpack(tmp_path / "a", "a", tmp_path / "scratch")
    written = sum(file.stat().st_size for file in (tmp_path / "scratch").iterdir())
    assert written < 10 << 20


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"a;b\n1;2\n", "text"),
        (b"[2.35, 48.85];b\n", "text"),
        (b'[\n  {"a": 1}]', "json"),
        (b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n', "json lines"),
        (b'{"a": 1}', "json lines"),
        (b'{"total": 1, "results": [{"a": 1}', "json"),
        (b'{"type": "FeatureCollection", "features": [', "geojson"),
        (b'{\n "name": "x", "type": "FeatureCollection",\n "features": [', "geojson"),
        (b"{accolade};b\n", "text"),
        (b"", "text"),
    ],
)
def test_kind_by_the_first_bytes(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(head)
    assert kind_of(tmp_path / "a") == kind


def test_decimals_of_parquet_keep_their_digits(tmp_path: Path) -> None:
    table = pa.table({"prix": pa.array([Decimal("20000001.10"), None], pa.decimal128(18, 2)), "t": [["a", "b"], None]})
    pq.write_table(table, tmp_path / "a.parquet")
    (part,) = unpack(tmp_path / "a.parquet", "a.parquet", tmp_path / "scratch")
    assert cells(part) == [["prix", "t"], ["20000001.10", '["a", "b"]'], ["", ""]]
