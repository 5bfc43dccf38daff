"""Identifiers that France gives: their shapes, and the check digits or letters that tell them from other numbers."""

from __future__ import annotations

import re

_LA_POSTE = "356000000"
_NOBODY = "000000000"  # passes every check
DEPARTMENT = r"0[1-9]|1\d|2[1-9AB]|[3-8]\d|9[0-5]|97[1-8]|98[4-9]"
RNA = r"W\d[0-9A-Z]\d{7}"
_COMMUNE = re.compile(r"(0[1-9]|1\d|2[1-9AB]|[3-8]\d|9[0-5])\d{3}|97[1-8]\d\d|98[4-9]\d\d", re.IGNORECASE)
_UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"  # without I, O and Q


def is_siren(text: str) -> bool:
    """Nine digits whose Luhn sum is a multiple of ten."""
    return re.fullmatch(r"\d{9}", text) is not None and text != _NOBODY and _luhn(text) % 10 == 0


def is_siret(text: str) -> bool:
    """Fourteen digits: a SIREN and a place. La Poste has more places than Luhn sums; there the plain sum is a multiple of 5."""
    if not re.fullmatch(r"\d{14}", text) or text.startswith(_NOBODY):
        return False
    return _luhn(text) % 10 == 0 or (text.startswith(_LA_POSTE) and sum(map(int, text)) % 5 == 0)


def is_uai(text: str) -> bool:
    """A school: seven digits and the letter that they give modulo 23."""
    return re.fullmatch(r"\d{7}[A-Z]", text) is not None and text[7] == _UAI_LETTERS[int(text[:7]) % 23]


def is_rna(text: str) -> bool:
    """An association: W, the department's two characters (overseas 9 and a letter), seven digits."""
    return re.fullmatch(RNA, text) is not None


def is_commune(text: str) -> bool:
    """An INSEE commune code: a department's (2A and 2B for Corsica) and three digits, two overseas."""
    return _COMMUNE.fullmatch(text) is not None


def is_postcode(text: str) -> bool:
    """Five digits whose first two are a department's, 20 for Corsica; Monaco is 980."""
    return re.fullmatch(r"(0[1-9]|[1-8]\d|9[0-578])\d{3}", text) is not None


def is_department(text: str) -> bool:
    """A department's code, with its leading zero."""
    return re.fullmatch(DEPARTMENT, text, re.IGNORECASE) is not None


def _luhn(digits: str) -> int:
    """The Luhn sum, right to left, every second digit doubled."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled)
