"""French identifiers: their check digits against published examples and an independent computation."""

from __future__ import annotations

import random

import pytest

from pipelines.propose import french


def luhn_total(digits: str) -> int:
    """The textbook's way: double every second digit from the right, add the digits of what comes out."""
    total = 0
    for index, digit in enumerate(digits[::-1]):
        number = int(digit) * (2 if index % 2 else 1)
        total += sum(int(each) for each in str(number))
    return total


@pytest.mark.parametrize("siren", ["130025265", "356000000", "732829320", "552100554"])
def test_known_sirens(siren: str) -> None:
    assert french.is_siren(siren)
    assert not french.is_siren(siren[:-1] + str((int(siren[-1]) + 1) % 10))


def test_siren_and_siret_agree_with_the_textbook() -> None:
    chance = random.Random(1)
    for length, test in ((9, french.is_siren), (14, french.is_siret)):
        numbers = ["".join(chance.choices("0123456789", k=length)) for _ in range(2_000)]
        numbers = [number for number in numbers if not number.startswith("356000000")]
        assert [test(number) for number in numbers] == [luhn_total(number) % 10 == 0 for number in numbers]


def test_the_post_has_more_places_than_luhn_sums() -> None:
    # 35600000049837 is a real post office: its Luhn sum is no multiple of ten, its plain sum is one of five.
    assert luhn_total("35600000049837") % 10
    assert french.is_siret("35600000049837")
    assert not french.is_siret("35600000049838")


@pytest.mark.parametrize("uai", ["0750652L", "0130001F", "9720001U"])
def test_uai_by_its_letter(uai: str) -> None:
    letter = "ABCDEFGHJKLMNPRSTUVWXYZ"[int(uai[:7]) % 23]
    assert french.is_uai(uai[:7] + letter)
    other = "B" if letter == "A" else "A"
    assert not french.is_uai(uai[:7] + other)


@pytest.mark.parametrize("uai", ["0750655E", "0750654D"])  # two well-known schools in Paris
def test_known_schools(uai: str) -> None:
    assert french.is_uai(uai)


@pytest.mark.parametrize(
    ("test", "good", "bad"),
    [
        (
            french.is_commune,
            ["01004", "2A004", "2b033", "75056", "97411", "98818"],
            ["1004", "2C004", "96001", "20004", "00001"],
        ),
        (french.is_postcode, ["01000", "20090", "97400", "98000", "98800"], ["1000", "99999", "00000", "0100A"]),
        (french.is_department, ["01", "19", "2A", "2B", "95", "971", "976", "988"], ["1", "20", "96", "970", "979"]),
        (french.is_rna, ["W751234567", "W2A1234567"], ["751234567", "W75123456", "WX51234567"]),
    ],
)
def test_shapes(test: object, good: list[str], bad: list[str]) -> None:
    assert [test(each) for each in good] == [True] * len(good)  # type: ignore[operator]
    assert [test(each) for each in bad] == [False] * len(bad)  # type: ignore[operator]
