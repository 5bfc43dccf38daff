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
