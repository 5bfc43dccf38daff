from __future__ import annotations

from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from baac_text import PLACE, PLACES

from pipelines.conform import Conformed
from pipelines.errors import ConformError

Run = Callable[..., Conformed]


def _rows(result: Conformed) -> list[dict[str, object]]:
    return pq.read_table(result.file).to_pylist()


def _rejected(result: Conformed) -> list[tuple[object, ...]]:
    names = ("source_line", "column_name", "value", "reason")
    return [tuple(row[name] for name in names) for row in result.rejected.to_pylist()]


def test_a_clean_row_is_typed_and_decoded(run: Run) -> None:
    (row,) = _rows(run(f"{PLACES}\n{PLACE}\n"))
    assert row["accident_id"] == "201900000001"
    assert row["vintage"] == 2019
    assert (row["road_category_code"], row["road_category"]) == ("4", "municipal road")
    assert row["marker"] is None
    assert row["carriageway_width"] is None
    assert row["speed_limit_kmh"] == 50
    assert row["source_line"] == 2


def test_encodings_and_separators_make_no_difference(run: Run) -> None:
    text = f"{PLACES}\n{PLACE.replace('PAIX', 'RÉSISTANCE')}\n"
    variants = {
        "utf-8": text.encode(),
        "utf-8-sig": b"\xef\xbb\xbf" + text.encode(),
        "cp1252": text.encode("cp1252"),
        "utf-8 crlf": text.replace("\n", "\r\n").encode(),
        "utf-8 comma": text.replace(";", ",").encode(),
        "utf-8 tab": text.replace(";", "\t").encode(),
    }
    results = {kind: run(data) for kind, data in variants.items()}
    assert {kind: result.sniffed.encoding for kind, result in results.items()} == {
        kind: kind.split()[0] for kind in variants
    }
    for data in variants.values():
        assert _rows(run(data))[0]["road"] == "RUE DE LA RÉSISTANCE"


def test_a_cell_that_does_not_cast_names_line_column_value(run: Run) -> None:
    bad = PLACE.replace("00001;", "00002;").replace(";50", ";fifty")
    result = run(f"{PLACES}\n{PLACE}\n{bad}\n")
    assert _rejected(result) == [(3, "vma", "fifty", "does_not_cast")]
    assert result.rows == 2
    assert result.clean == 1


def test_unknown_codes_ranges_patterns_and_missing_keys_reject(run: Run) -> None:
    rows = [
        PLACE,
        PLACE.replace(";4;", ";42;"),
        PLACE.replace("201900000001", "2.02E+11"),
        PLACE.replace("201900000001", ""),
        PLACE.replace(";2;2;", ";2;-3;"),
    ]
    result = run("\n".join([PLACES, *rows]) + "\n")
    assert [each[3] for each in _rejected(result)] == ["unknown_code", "wrong_pattern", "missing", "out_of_range"]


def test_short_and_long_rows_keep_the_lines_of_the_others(run: Run) -> None:
    other = PLACE.replace("00001;", "00002;")
    bad = PLACE.replace(";4;", ";42;")
    result = run("\n".join([PLACES, PLACE, "201900000003;4;too short", other, PLACE + ";;;extra", bad, other]) + "\n")
    assert _rejected(result)[0][::3] == (3, "row_too_short")
    assert _rejected(result)[1][::3] == (5, "row_too_long")
    assert _rejected(result)[2] == (6, "catr", "42", "unknown_code")
    assert [row["source_line"] for row in _rows(result)] == [2, 4, 7]
    width = len(PLACES.split(";"))
    assert result.rejected["detail"].to_pylist()[:2] == [
        f"has 3 cells where the header has {width} columns",
        f"has more cells than the header's {width} columns",
    ]


def test_a_repeated_key_rejects_the_later_row(run: Run) -> None:
    header = "Num_Acc;senc;catv;occutc;obs;obsm;choc;manv;num_veh"
    row = "201800000001;0;07;000;00;2;3;01;B01"
    result = run(f"{header}\n{row}\n{row.replace('B01', 'A01')}\n{row}\n", "vehicules-2018.csv")
    assert _rejected(result) == [(4, "accident_id, vehicle_number", "201800000001 / B01", "duplicate_key")]
    assert result.clean == 2


def test_a_year_that_contradicts_the_name_is_rejected(run: Run) -> None:
    result = run(f"{PLACES}\n{PLACE}\n", "lieux-2020.csv")
    assert _rejected(result) == [(2, "Num_Acc", "201900000001", "wrong_vintage")]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "lieux-2019.csv", "empty"),
        (b"\xef\xbb\xbf\n", "lieux-2019.csv", "empty"),
        (b"<!DOCTYPE html><html><body>Request Rejected</body>", "lieux-2019.csv", "web page.*line 1|line 1.*web page"),
        (b'{"message": "not found"}', "lieux-2019.csv", "web page or an error"),
        (b"PK\x03\x04rest", "lieux-2019.csv", "zip archive"),
        (PLACES.encode(), "lieux-2019.csv", "no row"),
        (b"a;b\x00;c\n1;2;3\n", "lieux-2019.csv", "NUL"),
        (
            f"{PLACES}\n{PLACE}\n".replace("vma", "vitesse"),
            "lieux-2019.csv",
            "'vma' is missing.*new in the file: vitesse",
        ),
        (f"{PLACES}\n{PLACE}\n", "lieux-2031.csv", "vintage 2031 is unknown"),
        ("a;b;c\n1;2;3\n", "autre.csv", "no table of 'accidents'"),
        (f"{PLACES};vma\n{PLACE};50\n", "lieux-2019.csv", "'vma' stands twice"),
        (f"{PLACES}\n{PLACE}".encode() + b"\x81\xff", "lieux-2019.csv", "0x81.*Windows-1252"),
        (f"{PLACES}\n{PLACE}\n".encode() + b"\xe9\n\n\x90", "lieux-2019.csv", "line 5: byte 0x90"),
        (b";;;\n;;\n", "lieux-2019.csv", "line 1: line 1 is blank"),
        (b'{"rows":' + b"[1,2,3]," * 40_000, "lieux-2019.csv", "line 1: this is no table"),
        (b'"' + b"x;" * 150_000, "lieux-2019.csv", "line 1: this is no table"),
        (f"{PLACES}\n{PLACE}\n", "usagers-2019.csv", "accident_places.*the name says accident_users"),
        (
            f"{PLACES}\n{PLACE}\n{PLACE.replace('RUE', chr(34) + 'RUE')}\n{PLACE}\n",
            "lieux-2019.csv",
            "near line 3: a quote",
        ),
    ],
)
def test_what_is_no_table_of_ours_is_refused_with_its_reason(
    run: Run, content: bytes | str, name: str, says: str
) -> None:
    with pytest.raises(ConformError, match=says) as caught:
        run(content, name)
    assert name in str(caught.value)
    assert caught.value.fix


def test_utf8_broken_far_into_the_file_is_noticed(run: Run) -> None:
    body = "\n".join(PLACE.replace("00001;", f"{number:05};") for number in range(60_000))
    data = f"{PLACES}\n{body}\n".encode() + PLACE.replace("PAIX", "RÉSISTANCE").encode("cp1252")
    result = run(data)
    assert result.sniffed.encoding == "cp1252"
    assert _rows(result)[-1]["road"] == "RUE DE LA RÉSISTANCE"


def test_lower_case_words_keep_their_first_and_last_letters(run: Run) -> None:
    (row,) = _rows(run(f"{PLACES}\n{PLACE.replace('RUE DE LA PAIX', chr(160) + ' route du port ')}\n"))
    assert row["road"] == "route du port"


_NEXT = [PLACE.replace("00001;", f"{number:05};") for number in range(10)]
_TWO_LINES = _NEXT[2].replace("RUE DE LA PAIX", '"RUE\nDE LA PAIX"')
_BAD = _NEXT[3].replace(";4;", ";42;")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize(
    ("lines", "good", "bad"),
    [
        ([_NEXT[0], "", "", _NEXT[1], _BAD, _NEXT[4]], [2, 5, 7], [6]),
        ([_NEXT[0], _TWO_LINES, _BAD, _NEXT[4]], [2, 3, 6], [5]),
        (["", _NEXT[0], "201900000003;4;too short", "", _TWO_LINES, _NEXT[4] + ";x", _NEXT[5]], [3, 6, 9], [4, 8]),
        ([_TWO_LINES + ";x", _NEXT[0], "", "201900000003;4"], [4], [2, 6]),
        ([_NEXT[0], "   ", _NEXT[1]], [2, 4], [3]),
        ([_TWO_LINES.replace(";50", ";fifty"), _NEXT[0], "", "", _BAD, _TWO_LINES], [4, 8], [2, 7]),
    ],
    ids=["blank lines", "two-line cell", "all at once", "two-line cell in a long row", "a line of spaces", "faults"],
)
def test_lines_are_those_an_editor_shows(run: Run, lines: list[str], good: list[int], bad: list[int], end: str) -> None:
    text = "\n".join([PLACES, *lines]) + "\n"
    result = run(text.replace("\n", end))
    assert [row["source_line"] for row in _rows(result)] == good
    assert [each[0] for each in _rejected(result)] == bad
    assert result.rows == len(good) + len(bad)


def test_line_ends_may_be_mixed(run: Run) -> None:
    result = run(f"{PLACES}\r\n{_NEXT[0]}\n{_TWO_LINES}\r\n{_NEXT[1]}\r{_BAD}\r\n{_NEXT[4]}")
    assert [row["source_line"] for row in _rows(result)] == [2, 3, 5, 7]
    assert _rejected(result) == [(6, "catr", "42", "unknown_code")]
    assert _rows(result)[1]["road"] == "RUE\nDE LA PAIX"


def test_a_cell_of_two_lines_in_the_header_counts_too(run: Run) -> None:
    header = PLACES + ';"remarks\nof the police"'
    result = run(f"{header}\n{_NEXT[0]};\n\n{_NEXT[1]};x\n")
    assert [row["source_line"] for row in _rows(result)] == [3, 5]


def test_lines_of_a_key_that_stands_twice(run: Run) -> None:
    header = "Num_Acc;senc;catv;occutc;obs;obsm;choc;manv;num_veh"
    row = "201800000001;0;07;000;00;2;3;01;B01"
    result = run(f"{header}\n\n{row}\n\n{row.replace('B01', 'A01')}\n{row}\n", "vehicules-2018.csv")
    assert _rejected(result) == [(6, "accident_id, vehicle_number", "201800000001 / B01", "duplicate_key")]
    assert "line 3" in result.rejected["detail"][0].as_py()
    assert [each["source_line"] for each in _rows(result)] == [3, 5]


@pytest.mark.parametrize(
    "character", ["\ufffd", "\x85", "\x80", "\x00", "\x07"], ids=["U+FFFD", "NEL", "C1", "NUL", "BEL"]
)
def test_damaged_text_rejects_its_row(run: Run, character: str) -> None:
    good = [PLACE.replace("00001;", f"{number:05};") for number in range(200)]
    result = run("\n".join([PLACES, *good, PLACE.replace("PAIX", f"PA{character}X")]) + "\n")
    assert _rejected(result) == [(202, "voie", f"RUE DE LA PA{character}X", "damaged_text")]
    assert result.clean == 200


def test_damage_in_a_column_that_is_not_read_does_not_matter(run: Run) -> None:
    assert run(f"{PLACES};remarks\n{PLACE};caf\ufffd\n").clean == 1


def test_one_foreign_byte_does_not_make_utf8_windows_1252(run: Run) -> None:
    rows = [PLACE.replace("PAIX", "RÉSISTANCE")] * 20
    data = "\n".join([PLACES, *rows, "@"]).encode().replace(b"@", PLACE.replace("PAIX", "É").encode("cp1252"))
    result = run(data)
    assert result.sniffed.encoding == "utf-8"
    assert {row["road"] for row in _rows(result)} == {"RUE DE LA RÉSISTANCE"}
    assert _rejected(result)[0][::3] == (22, "bad_encoding")


def test_a_byte_order_mark_before_windows_1252_is_no_part_of_a_name(run: Run) -> None:
    text = f"{PLACES}\n{PLACE.replace('PAIX', 'RÉSISTANCE')}\n"
    result = run(b"\xef\xbb\xbf" + text.encode("cp1252"))
    assert result.sniffed.encoding == "cp1252"
    assert _rows(result)[0]["road"] == "RUE DE LA RÉSISTANCE"


@pytest.mark.parametrize(
    "header",
    [
        ";".join(f'"{name}"' for name in PLACES.split(";")),
        "; ".join(f'"{name}"' for name in PLACES.split(";")),
        ";".join(f" {name}\u00a0" for name in PLACES.split(";")),
        "\ufeff" + ";".join(f'"{name}"' for name in PLACES.split(";")),
        PLACES + ";;",
    ],
    ids=["quoted", "quoted after a blank", "blanks", "mark and quotes", "separators at the end"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_names_may_be_dressed(run: Run, header: str, encoding: str) -> None:
    if encoding == "cp1252" and header.startswith("\ufeff"):
        data = b"\xef\xbb\xbf" + f"{header[1:]}\n{PLACE.replace('PAIX', 'É')}\n".encode(encoding)
    else:
        data = f"{header}\n{PLACE.replace('PAIX', 'É')}\n".encode(encoding)
    result = run(data)
    assert result.sniffed.header == tuple(PLACES.split(";"))
    assert _rows(result)[0]["road"] == "RUE DE LA É"


def test_separators_at_the_end_of_a_row_are_let_pass_and_a_value_there_is_not(run: Run) -> None:
    """Nothing is lost with an empty cell; a value without a column would be."""
    result = run("\n".join([PLACES, PLACE + ";", PLACE + ";;;", PLACE + ";0", PLACE]) + "\n")
    assert [row["source_line"] for row in _rows(result)] == [2, 3, 5]
    assert _rejected(result)[0][::3] == (4, "row_too_long")


def test_the_first_missing_column_of_a_short_row_is_named(run: Run) -> None:
    result = run(f"{PLACES}\n{PLACE}\n201900000003;4;too short\n")
    assert _rejected(result) == [(3, "v1", "201900000003;4;too short", "row_too_short")]


def test_text_that_was_encoded_twice_is_mended(run: Run) -> None:
    """As in the published places of 2022: `HÔPITAL` went through latin-1 once too often."""
    twice = "HÔPITAL À L'ÉCHANGEUR 1\u00a0000".encode().decode("latin-1")
    (row,) = _rows(run(f"{PLACES}\n{PLACE.replace('PAIX', twice)}\n"))
    assert row["road"] == "RUE DE LA HÔPITAL À L'ÉCHANGEUR 1\u00a0000"


def test_text_that_went_through_windows_1252_is_mended_whole(run: Run) -> None:
    """Most double encoding is by Windows-1252: `É` comes as `Ã‰`, `œ` as `Å“`, an apostrophe as `â€™`."""
    twice = "".join(
        bytes([byte]).decode("cp1252") if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(byte)
        for byte in "L\u2019ÉCOLE DU SACRÉ-CŒUR \u2013 5 € cœur à".encode()
    )
    (row,) = _rows(run(f"{PLACES}\n{PLACE.replace('PAIX', twice)}\n"))
    assert row["road"] == "RUE DE LA L\u2019ÉCOLE DU SACRÉ-CŒUR \u2013 5 € cœur à"


def test_a_quote_that_swallows_rows_is_refused(run: Run) -> None:
    rows = [PLACE.replace("00001;", f"{number:05};") for number in range(100)]
    rows[20] = rows[20].replace("RUE DE LA PAIX", '"RUE')
    rows[60] = rows[60].replace(";RUE DE LA PAIX;", ';";', 1)
    with pytest.raises(ConformError, match=r"lieux-2019\.csv, line 22: a cell holds 41 lines"):
        run("\n".join([PLACES, *rows]) + "\n")


def test_a_file_cut_in_the_middle_of_a_row_is_refused(run: Run) -> None:
    text = "\n".join([PLACES, *[PLACE.replace("00001;", f"{number:05};") for number in range(300)]])
    with pytest.raises(ConformError, match=r"line 301: the file ends in the middle of a row"):
        run(text[:-20])
    assert run(text).clean == 300  # a last line without a line end is whole all the same


def test_coordinates_of_zero_are_unknown(run: Run) -> None:
    header = "Num_Acc,an,mois,jour,hrmn,lum,agg,int,atm,col,com,adr,gps,lat,long,dep"
    row = "200500000001,5,1,12,1900,3,2,1,1,3,11,,0,{},{},590"
    cells = [("0000000", "00000"), ("0", "-"), ("5051500", "0294400"), ("0,00000000", "0.0")]
    rows = [row.format(*pair).replace("00001,", f"{n:05},", 1) for n, pair in enumerate(cells)]
    result = run("\n".join([header, *rows]).replace("0,00000000", '"0,00000000"') + "\n", "caracteristiques_2005.csv")
    assert result.rejected.num_rows == 0
    assert [(each["latitude"], each["longitude"], each["gps_origin"]) for each in _rows(result)] == [
        (None, None, None),
        (None, None, None),
        (50.515, 2.944, None),
        (None, None, None),
    ]


def test_the_publishers_own_error_marks_are_unknown(run: Run) -> None:
    row = PLACE.replace("(1);(1)", "N/C;#ERREUR").replace(";-1;1;0;", ";#VALEURMULTI;1;0;")
    (place,) = _rows(run(f"{PLACES}\n{row}\n"))
    assert (place["marker"], place["marker_distance_m"], place["carriageway_width"]) == (None, None, None)
