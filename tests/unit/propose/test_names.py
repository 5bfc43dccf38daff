"""Names for SQL, and titles for next year's file."""

from __future__ import annotations

import re

import duckdb
import pytest

from pipelines.propose.draft import dataset_name
from pipelines.propose.names import column_names, title_pattern


def test_names_are_plain_and_different() -> None:
    published = [
        "Code Postal",
        "code_postal",
        "% Non Voyageurs",
        "2018",
        "",
        "Nom de l'œuvre",
        "APP_LibelleActivite",
        "order",
        "é",
    ]
    names = column_names(published)
    assert names == [
        "code_postal",
        "code_postal_2",
        "part_non_voyageurs",
        "c_2018",
        "column_5",
        "nom_de_l_oeuvre",
        "app_libelle_activite",
        "order_",
        "e",
    ]


def test_no_reserved_word_of_duckdb_is_a_name() -> None:
    found = duckdb.sql("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'").fetchall()
    words = [row[0] for row in found]
    names = column_names(words)
    assert len(words) > 50
    assert not set(names) & set(words)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)


@pytest.mark.parametrize(
    ("title", "others", "no"),
    [
        (
            "Fréquentation-2023.csv",
            {"Fréquentation-2024.csv": "2024", "fréquentation 2019.xlsx": "2019"},
            ["Fréquentation.csv", "Tarifs-2023.csv"],
        ),
        ("full.csv.gz", {"full.csv.gz": None, "full.csv": None}, ["half.csv.gz"]),
        ("consolidation v2.3.1 (20240501)", {"consolidation v2.4.0 (20250601)": None}, ["consolidation"]),
        ("De 2005 à 2022", {"De 2005 à 2023": "2023"}, ["De 2005"]),
    ],
)
def test_a_title_matches_its_later_editions(title: str, others: dict[str, str | None], no: list[str]) -> None:
    pattern = re.compile(title_pattern(title), re.IGNORECASE)
    assert pattern.search(title)
    for other, vintage in others.items():
        found = pattern.search(other)
        assert found
        assert found.groupdict().get("vintage") == vintage
    assert not [each for each in no if pattern.search(each)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("frequentation-en-gares", "frequentation_gares"),
        ("2024", "dataset"),
        ("3e arrondissement", "d_3e_arrondissement"),
        (
            "base-de-donnees-accidents-corporels-de-la-circulation-annees-de-2005-a-2022",
            "base_donnees_accidents_corporels",
        ),
    ],
)
def test_a_dataset_has_a_short_name(text: str, name: str) -> None:
    assert dataset_name(text) == name
