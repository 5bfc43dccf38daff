"""Code lists of all shipped contracts: each code says what it means in English and in French."""

from __future__ import annotations

import pytest

from pipelines.contracts import contract_names, load_contract
from pipelines.contracts.fields import Label

LISTS = [(name, codes) for name in contract_names() for codes in load_contract(name).code_lists]
#: Words that both languages share. A label that is one of them, or has no letter but a sign (X, T, Y), may be alike in both.
SHARED = {"train", "tramway", "coupe", "mixte", "local", "national", "simple", "urgent", "A", "B", "C", "X", "T", "Y"}
#: Of each list the labels that a reader will look for, from the publishers' own descriptions.
KNOWN = {
    ("accidents", "severity"): {"1": "indemne", "2": "tué", "3": "hospitalisé", "4": "blessé léger"},
    # "Se déplaçant, sens véhicule heurtant" and "sens inverse du véhicule": which way, not whether nearer or farther
    ("accidents", "pedestrian_action"): {
        "1": "dans le sens du véhicule heurtant",
        "2": "en sens inverse du véhicule",
        "0": "sans objet",
        "3": "traverse",
        "4": "masqué",
        "5": "joue ou court",
        "6": "avec un animal",
        "7": "code sans sens publié",
        "8": "code sans sens publié",
        "9": "autre",
        "A": "monte ou descend d'un véhicule",
        "B": "inconnue",
    },
    ("accidents", "sex"): {"1": "masculin", "2": "féminin"},
    ("electricity", "nature"): {"1": "temps réel", "2": "consolidées", "3": "définitives"},
    ("station_traffic", "segment"): {"A": "nationale", "B": "régionale", "C": "locale"},
}


def _labels(contract: str, codes: str) -> dict[str, Label]:
    return load_contract(contract).code_lists[codes]


@pytest.mark.parametrize(("contract", "codes"), LISTS)
def test_every_code_has_two_labels(contract: str, codes: str) -> None:
    for code, label in _labels(contract, codes).items():
        assert label.en.strip() == label.en, code
        assert label.fr.strip() == label.fr, code
        assert label.en, code
        assert label.fr, code
        assert label.en != label.fr or label.en in SHARED, f"{code}: {label.en!r} in both languages"


@pytest.mark.parametrize(("contract", "codes"), list(KNOWN))
def test_well_known_labels(contract: str, codes: str) -> None:
    assert {code: label.fr for code, label in _labels(contract, codes).items()} == KNOWN[contract, codes]
