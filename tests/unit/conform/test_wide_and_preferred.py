from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.conform import Conformed, conform
from pipelines.contracts import Contract
from pipelines.errors import ConformError
from pipelines.progress import Silent
from pipelines.settings import Settings

CONTRACT = {
    "name": "stations",
    "title": "t",
    "datagouv": "d",
    "homepage": "h",
    "publisher": "p",
    "licence": "l",
    "frequency": "annual",
    "schedule": "",
    "code_lists": {"size": {"A": "large | grande", "B": {"en": "small", "fr": "petite", "also": ["Petite gare"]}}},
    "tables": [
        {
            "name": "counts",
            "title": "t",
            "resources": r"counts(?:-(?P<vintage>\d{4}))?",
            "primary_key": ["station", "year"],
            "prefer": ["checked_on"],
            "layouts": [
                {
                    "name": "wide",
                    "header": ["id"],
                    "optional": ["seg", "day", "price"],
                    "unpivot": {"columns": {"n": r"Total (?P<year>\d{4})", "all": r"Total \+ others (?P<year>\d{4})"}},
                }
            ],
            "fields": [
                {"name": "station", "type": "string", "from": "id", "constraints": {"required": True}},
                {"name": "year", "type": "integer", "from": "{year}", "constraints": {"required": True}},
                {"name": "edition", "type": "integer", "from": "{year:newest}"},
                {"name": "vintage", "type": "integer", "from": "{vintage}"},
                {"name": "travellers", "type": "integer", "from": "{n}", "constraints": {"minimum": 0}},
                {"name": "all_people", "type": "integer", "from": "{all}"},
                {"name": "size", "type": "code", "codes": "size", "from": "seg"},
                {"name": "checked_on", "type": "date", "cast": "date_day_first", "from": "day"},
                {"name": "price", "type": "decimal", "from": "price"},
            ],
        }
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Conformed]:
    def run(text: str, name: str = "counts.csv") -> Conformed:
        source = tmp_path / name
        source.write_text(text, encoding="utf-8")
        settings = Settings(home=tmp_path / "home")
        settings.staging.mkdir(parents=True, exist_ok=True)
        return conform(
            source,
            Contract.model_validate(CONTRACT),
            settings,
            Silent(),
            name=name,
            resource=name,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            target=settings.staging / "clean.parquet",
        )

    return run


def _rows(result: Conformed) -> list[dict[str, object]]:
    return pq.read_table(result.file).to_pylist()


def _rejected(result: Conformed) -> list[tuple[object, ...]]:
    names = ("source_line", "value", "reason")
    return [tuple(row[name] for name in names) for row in result.rejected.to_pylist()]


def test_wide_columns_become_a_row_a_year(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2023;Total + others 2023;Total 2024\na;1;2;3\nb;;;4\n", "counts-2024.csv")
    named = ("station", "year", "edition", "vintage", "travellers", "all_people", "source_line")
    assert [tuple(row[name] for name in named) for row in _rows(result)] == [
        ("a", 2023, 2024, 2024, 1, 2, 2),
        ("a", 2024, 2024, 2024, 3, None, 2),
        ("b", 2024, 2024, 2024, 4, None, 3),
    ]
    assert result.rows == 3


def test_a_bad_cell_of_a_wide_file_rejects_its_year_only(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2023;Total 2024\na;x;3\nb;5;-6\n")
    assert [(row["station"], row["year"]) for row in _rows(result)] == [("a", 2024), ("b", 2023)]
    assert _rejected(result) == [(2, "x", "does_not_cast"), (3, "-6", "out_of_range")]
    assert result.rejected["column_name"].to_pylist() == ["Total 2023", "Total 2024"]


def test_a_file_without_any_wide_column_is_of_another_layout(run: Callable[..., Conformed]) -> None:
    with pytest.raises(ConformError, match="counts"):
        run("id;Sum 2023\na;1\n")


def test_of_a_key_the_preferred_row_stays(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2024;day\na;1;03/01/2024\na;2;05/01/2024\na;3;05/01/2024\nb;4;\nb;5;01/01/2024\n")
    assert [(row["station"], row["travellers"], row["checked_on"]) for row in _rows(result)] == [
        ("a", 2, date(2024, 1, 5)),
        ("b", 5, date(2024, 1, 1)),
    ]
    assert _rejected(result) == [
        (2, "a / 2024", "superseded"),
        (4, "a / 2024", "duplicate_key"),
        (5, "b / 2024", "superseded"),
    ]
    assert (result.faulty, result.superseded, result.rows) == (1, 2, 5)


def test_a_doubled_year_takes_no_other_year_of_its_line_with_it(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2023;Total 2024\na;;1\na;2;3\n")
    assert [(row["station"], row["year"], row["travellers"]) for row in _rows(result)] == [
        ("a", 2024, 1),
        ("a", 2023, 2),
    ]
    assert _rejected(result) == [(3, "a / 2024", "duplicate_key")]
    assert "file_row_number" not in result.rejected["row"][0].as_py()
    assert (result.clean, result.rows) == (2, 3)


def test_codes_have_labels_in_both_languages_and_other_spellings(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2024;seg\na;1;A\nb;1;Petite gare\nc;1;C\n")
    assert [(row["size_code"], row["size"], row["size_fr"]) for row in _rows(result)] == [
        ("A", "large", "grande"),
        ("B", "small", "petite"),
    ]
    assert _rejected(result) == [(4, "C", "unknown_code")]


def test_money_stays_exact_and_a_third_decimal_is_no_money(run: Callable[..., Conformed]) -> None:
    result = run("id;Total 2024;price\na;1;20000001,00\nb;1;250123,45\nc;1;0,105\n")
    assert [row["price"] for row in _rows(result)] == [Decimal("20000001.00"), Decimal("250123.45")]
    assert _rejected(result) == [(4, "0,105", "does_not_cast")]
