"""What a column is judged to be: values first, the name second, and never month first in silence."""

from __future__ import annotations

from collections import Counter

import pytest

from pipelines.propose.judge import Judgement, Values, judge


def judged(name: str, *texts: str) -> Judgement:
    counts = Counter(texts)
    return judge(Values(name, counts, len(counts), whole=True))


@pytest.mark.parametrize(
    ("name", "texts", "type_", "cast", "kind"),
    [
        ("n", ["1", "-2", "+3"], "integer", None, "whole number"),
        ("n", ["1 234", "12\u00a0345", "1\u202f234\u202f567"], "integer", None, "whole number"),
        ("n", ["1,5", "2.25", "3"], "number", None, "number"),
        ("n", ["1 234,50", "7"], "number", None, "number"),
        ("prix", ["12,50", "3"], "decimal", None, "amount of money"),
        ("prix", ["12,505", "3,5"], "number", None, "number"),
        ("ouvert", ["oui", "non", "Oui"], "boolean", None, "yes or no"),
        ("ouvert", ["true", "false", "1"], "boolean", None, "yes or no"),
        ("ouvert", ["0", "1"], "integer", None, "whole number"),
        ("d", ["2024-05-01", "2024-12-31"], "date", None, "date"),
        ("d", ["25/02/2024", "05/02/2024"], "date", "date_day_first", "date, day first"),
        ("d", ["1/5/2024", "13/5/2024"], "date", "date_day_first_loose", "date, day first"),
        ("d", ["02/25/2024", "02/05/2024"], "date", "date_month_first", "date, month first"),
        ("d", ["25/02/2024", "02/25/2024"], "string", None, "text"),
        ("d", ["2024-02-30"], "string", None, "text"),
        ("date_maj", ["20240501", "20231231"], "date", "date_compact", "date without separators"),
        ("population", ["20240501", "20231231"], "integer", None, "whole number"),
        ("t", ["2024-05-01T12:00:00+02:00"], "datetime", None, "date and time with offset"),
        ("t", ["2024-05-01T12:00:00Z"], "datetime", None, "date and time with offset"),
        ("t", ["2024-05-01 12:00:00"], "string", "wall_clock", "date and time without zone"),
        ("h", ["00:15", "23:45"], "time", None, "time of day"),
        ("h", ["24:15", "23:45"], "string", None, "text"),
        ("x", ["01", "2"], "string", None, "digits with leading zeros"),
        ("x", ["0", "2"], "integer", None, "whole number"),
        ("x", ["0,5", "2"], "number", None, "number"),
        ("Num_Acc", ["201800000001", "201800000002"], "string", None, "identifier of digits"),
        ("Num_Acc", ["2.02E+11"], "string", None, "damaged numbers"),
        ("Code UIC", ["87313759", "87757559"], "string", None, "identifier of digits"),
        ("id_vehicule", ["138\u00a0305\u00a0095", "154\u00a0701\u00a0442"], "string", "digits", "identifier of digits"),
        ("siret", ["31116059201886", "32617281400013"], "string", None, "SIRET"),
        ("n", ["130025265", "732829320"], "string", None, "SIREN"),
        ("code_insee", ["1004", "2A004", "75056"], "string", "commune", "INSEE commune"),
        ("Code postal", ["1250", "75001"], "string", "postcode", "postcode"),
        ("dep", ["1", "2A", "974"], "string", "department", "department"),
        ("lat", ["48,85", "43.1"], "number", None, "latitude"),
        ("long", ["181,5", "43.1"], "number", None, "number"),
        ("geo", ["48.85, 2.35", "43.1,5.2"], "string", None, "latitude, longitude"),
        ("geo", ["[2.35, 48.85]"], "string", None, "longitude, latitude"),
        ("geo", ["[55.5, -21.1]"], "string", None, "pair of coordinates"),
        ("telephone_operateur", ["0111111111", "+33111111111"], "string", None, "digits with leading zeros"),
        ("Numero_inspection", ["19-048897-1", "3"], "string", None, "identifier"),
        ("x", [], "string", None, "empty"),
    ],
)
def test_judgement(name: str, texts: list[str], type_: str, cast: str | None, kind: str) -> None:
    found = judged(name, *texts)
    assert (found.type, found.cast, found.kind) == (type_, cast, kind)


def test_an_unproven_order_of_day_and_month_is_said() -> None:
    found = judged("d", "05/02/2024", "12/03/2024")
    assert (found.type, found.cast) == ("date", "date_day_first")
    assert "nothing proves it" in found.notes[0]
    assert judged("d", "25/02/2024", "05/02/2024").notes == ()


def test_month_first_is_said() -> None:
    assert "month first" in judged("d", "02/25/2024").notes[0]


def test_null_tokens_are_those_seen_and_said() -> None:
    found = judged("Import", *["-"] * 3, "12", "ND", "7")
    assert (found.type, found.null_tokens) == ("integer", ("-", "ND"))
    assert "'-' (3), 'ND' (1)" in found.notes[-1]


def test_null_tokens_mean_nothing_in_a_column_of_texts() -> None:
    assert judged("pays", "NA", "FR", "ZA").null_tokens == ()  # Namibia
    assert judged("Export", "-", "-").null_tokens == ("-",)


def test_few_misfits_do_not_make_a_text_of_a_column() -> None:
    texts = ["12"] * 995 + ["x1"] * 5
    assert judged("n", *texts).type == "integer"
    assert judged("n", *texts, *["x1"] * 10).type == "string"
    assert judged("n", "12", "x1").type == "string"


def test_wrong_identifiers_are_kept_and_said() -> None:
    found = judged("SIRET", *["31116059201886"] * 30, "A94314008001")
    assert (found.type, found.kind, found.pattern) == ("string", "SIRET", None)
    assert "1 cells are no SIRET, such as 'A94314008001'" in found.notes[0]


def test_one_number_in_ten_passes_luhn_and_proves_nothing() -> None:
    numbers = [str(100_000_000 + 7 * n) for n in range(500)]
    assert judged("quantite", *numbers).kind == "identifier of digits"


def test_short_codes_are_a_list_and_labels_are_none() -> None:
    codes = judged("segment", *["A", "B", "c"] * 30)
    assert (codes.type, codes.codes) == ("code", ("A", "B", "c"))
    labels = judged("avis", *["Satisfaisant", "A corriger de manière urgente"] * 30)
    assert (labels.type, labels.codes) == ("string", ())
    assert "one of 'A corriger" in labels.notes[0]


def test_three_digits_after_every_comma_are_doubted() -> None:
    assert "three digits after the separator" in judged("n", "1,234", "12,500").notes[0]
    assert "three digits after the separator" in judged("n", "1.000", "12.500").notes[0]


@pytest.mark.parametrize("separator", [".", ","])
def test_what_may_be_thousands_beside_whole_numbers_stays_as_it_is(separator: str) -> None:
    found = judged("n", "999", f"1{separator}234", f"-12{separator}500")
    assert (found.type, found.cast) == ("string", None)
    assert "thousands or decimals" in found.notes[0]
    for proof in (f"0{separator}125", f"1{separator}5", "1000"):
        assert judged("n", "999", f"1{separator}234", proof).type == "number"


@pytest.mark.parametrize(
    "texts",
    [["-9223372036854775809"], ["12345678901234567890", "1"], ["9007199254740993", "0,5"], ["9007199254740993.5", "1"]],
)
def test_numbers_that_64_bits_would_change_stay_as_they_are(texts: list[str]) -> None:
    found = judged("n", *texts)
    assert (found.type, found.cast) == ("string", None)
    assert "64 bits" in found.notes[0]
    assert judged("n", "9223372036854775807", "1").type == "integer"
    assert judged("n", "9007199254740992", "0,5").type == "number"


def test_rounded_decimals_are_said() -> None:
    assert "rounded" in judged("n", "0.1234567890123456789", "1").notes[0]
    assert judged("n", "48.856614000000004", "1").notes == ()


def test_cells_that_a_spreadsheet_has_cut_are_said() -> None:
    assert "2 cells such as '2,02E+11'" in judged("code", "2,02E+11", "2,02E+11", "202400000001").notes[0]
