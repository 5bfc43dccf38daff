"""Which column of a new header is which of the old one."""

from __future__ import annotations

import pytest

from pipelines.mend.columns import likeness, pair_columns


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("Num_Acc", "num acc", True),
        ("Libellé", "LIBELLE", True),
        ("lum", "luminosite", True),
        ("vma", "vitesse_maximale_autorisee", True),
        ("Code UIC complet", "Code UIC", True),
        ("dateOuverture", "date_d_ouverture", True),
        ("Code postal", "Latitude", False),
        ("adresse", "commune", False),
    ],
)
def test_names_of_one_column_look_alike(old: str, new: str, alike: bool) -> None:  # noqa: FBT001 - a table of cases
    assert (likeness(old, new) >= 0.75) == alike, likeness(old, new)


def test_cells_decide_between_names_that_are_equally_alike() -> None:
    found = pair_columns(["date"], ["id", "date"], ["id", "date_a", "date_b"], lambda _, now: now == "date_b")
    assert found == {"date": "date_b"}


def test_a_column_in_the_same_place_needs_cells_that_tell() -> None:
    old, new = ["id", "debut", "fin"], ["id", "ouverture", "fin"]
    assert pair_columns(["debut"], old, new, lambda *_: True) == {"debut": "ouverture"}
    assert pair_columns(["debut"], old, new, lambda *_: None) == {}
    assert pair_columns(["debut"], old, new, lambda *_: False) == {}


def test_a_column_is_found_once_only() -> None:
    found = pair_columns(["nom", "nom_commune"], ["nom", "nom_commune"], ["nom_de_commune"], lambda *_: None)
    assert found == {"nom_commune": "nom_de_commune"}
