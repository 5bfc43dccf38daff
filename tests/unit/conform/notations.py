# ruff: noqa: RUF001 - signs that look like others are what is tested
"""Cells in the notations that French publishers use, each with what it means, worked out in plain Python.

Nothing here knows of our casts: numbers are read by ``Decimal``, days by ``date``, instants by ``datetime``.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

BLANKS = " \t\r\n\u00a0\u202f"
NULLS = ("", "NC", "-")


class _Nothing:
    def __repr__(self) -> str:
        return "no meaning"


#: What a text means that is no value of its column: its row must be in quarantine.
NO_MEANING = _Nothing()


@dataclass(frozen=True)
class Cell:
    """A text as published; a ``plain`` one must come through, others may wait in quarantine but never change."""

    text: str
    meaning: object
    plain: bool = True


def number(text: str) -> Decimal | _Nothing:
    """A number in French or plain notation: groups of three may be set apart, the decimal sign is a comma or a point."""
    groups = re.fullmatch(r"([+-]?)([0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+)?(?:[.,]([0-9]*))?", text)
    if not groups or not (groups[2] or groups[3]):
        return NO_MEANING
    whole = re.sub(r"[ \u00a0\u202f]", "", groups[2] or "0")
    return Decimal(f"{groups[1]}{whole}.{groups[3] or '0'}")


def _whole(text: str) -> object:
    value = number(text)
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    return NO_MEANING


def _real(text: str) -> object:
    value = number(text)
    return float(value) if isinstance(value, Decimal) and math.isfinite(float(value)) else NO_MEANING


def _money(text: str) -> object:
    value = number(text)
    if isinstance(value, Decimal) and abs(value) < 10**16 and value == round(value, 2):
        return round(value, 2)
    return NO_MEANING


def _grouped(digits: str, space: str) -> str:
    first = len(digits) % 3 or 3
    return space.join([digits[:first], *(digits[at : at + 3] for at in range(first, len(digits), 3))])


def _number_text(chance: random.Random, decimals: int) -> str:
    digits = str(chance.randrange(10 ** chance.choice([1, 2, 3, 4, 6, 9, 15, 19])))
    if chance.random() < 0.4:
        digits = _grouped(digits, chance.choice([" ", "\u00a0", "\u202f"]))
    elif chance.random() < 0.2:
        digits = "0" * chance.randrange(1, 4) + digits
    sign = chance.choice(["", "", "", "-", "+"])
    if not decimals and chance.random() < 0.8:
        return sign + digits
    fraction = "".join(chance.choice("0123456789") for _ in range(chance.choice([0, 1, 2, decimals])))
    return sign + digits + chance.choice([",", "."]) + (fraction if decimals else "0" * len(fraction))


_MANGLED = [
    *[
        "2.02E+11",
        "1e3",
        "1E-05",
        "#REF!",
        "#N/A",
        "nan",
        "inf",
        "0x10",
        "1.234,5",
        "1,234.5",
        "1 2 3",
        "12 34",
        "06 12 34 56 78",
    ],
    *[
        "1  000",
        "1 000 00",
        "5 %",
        "3 €",
        "--1",
        "1-",
        "(1)",
        "−5",
        "١٢",
        "1_000",
        "1'000",
        ".",
        ",",
        "+",
        "½",
        "12 345,6 7",
    ],
    *[
        "- 5",
        "1\t000",
        "9223372036854775808",
        "99999999999999999999999",
        "1" * 400,
        "0.005",
        "true",
        "1;2",
        'a"b',
        "1\n000",
    ],
]


def _numbers(meaning: Callable[[str], object], decimals: int) -> Callable[[random.Random], Cell]:
    def draw(chance: random.Random) -> Cell:
        odd = chance.random() < 0.1
        text = chance.choice(_MANGLED) if odd else _number_text(chance, decimals)
        return Cell(text, meaning(text), not odd)

    return draw


def _day(chance: random.Random) -> date:
    return date(1900, 1, 1) + timedelta(days=chance.randrange(60_000))


_NO_DAYS = [
    *[
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "0000-00-00",
        "0000-01-01",
        "2024-1-5",
        "20240105",
        "45296",
        "5 janvier 2024",
    ],
    *[
        "2024-01-05T00:00",
        "30/02/2024",
        "29/02/2023",
        "05/13/2024",
        "1/5/2024",
        "05/01/24",
        "00/00/0000",
        "05/01/0000",
        "2024/01/05",
    ],
    *[
        "-0001-01-01",
        "12024-01-05",
        "epoch",
        "infinity",
        "today",
        "٢٠٢٤-٠١-٠٥",
        "2024-01-05 BC",
        "99/99/9999",
        "05 01 2024",
    ],
]


def _iso_day(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(chance.choice([*_NO_DAYS, _day(chance).strftime("%d/%m/%Y")]), NO_MEANING, plain=False)
    day = _day(chance)
    return Cell(day.isoformat(), day)


def _french_day(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(chance.choice([*_NO_DAYS, _day(chance).isoformat()]), NO_MEANING, plain=False)
    day = _day(chance)
    return Cell(day.strftime(chance.choice(["%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y"])), day)


_NO_INSTANTS = [
    *[
        "2024-03-31T02:30:00",
        "2024-02-30T10:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T23:60:00Z",
        "2024-01-01T23:59:60Z",
    ],
    *[
        "2024-01-01T10:00:00+25:00",
        "2024-01-01T10:00:00 Europe/Paris",
        "2024-01-01",
        "0000-01-01T00:00:00Z",
        "01/01/2024 10:00",
    ],
    *[
        "2024-01-01T10:00:00.1234567Z",
        "2024-01-01T10:00:00+02:60",
        "2024-01-01T10:00:00-00:99",
        "infinity",
        "epoch",
        "2024-01-01T10Z",
    ],
]


def _instant(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(chance.choice(_NO_INSTANTS), NO_MEANING, plain=False)
    zone = timezone(timedelta(minutes=chance.choice([0, 60, 120, -240, 660, 330, -570])))
    day = _day(chance)
    micros = chance.choice([0, 0, 0, 500_000, 123_456])
    moment = datetime(
        day.year, day.month, day.day, chance.randrange(24), chance.randrange(60), chance.randrange(60), micros, zone
    )
    text = moment.isoformat(chance.choice(["T", " "]))
    if zone.utcoffset(None) == timedelta(0) and chance.random() < 0.5:
        text = text.removesuffix("+00:00") + "Z"
    elif chance.random() < 0.3:
        text = text[:-3] + text[-2:]
    return Cell(text, moment.astimezone(UTC))


#: The code list of the contract, and all that is read as one of its codes.
CODES = {
    "1": "one | un",
    "2": {"en": "two", "fr": "deux", "also": ["Deuxième", "02 bis"]},
    "A": "a | a",
    "10": "ten | dix",
    "0": "nil | nul",
}
_CODED = {
    "1": "1",
    "01": "1",
    "001": "1",
    "1.0": "1",
    "1.00": "1",
    "2": "2",
    "2.0": "2",
    "A": "A",
    "10": "10",
    "10.0": "10",
    "010": "10",
    "0": "0",
    "00": "0",
    "0.0": "0",
    "Deuxième": "2",
    "02 bis": "2",
}
_NO_CODES = [
    "3",
    "a",
    "0A",
    "A.0",
    "1.5",
    "1,0",
    "+1",
    "1 0",
    "1e0",
    "deuxième",
    "B",
    "-1",
    "1.0.0",
    "0.1",
    ".0",
    "1A",
    "00A",
    "1.",
]


def _code(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(chance.choice(_NO_CODES), NO_MEANING, plain=False)
    text = chance.choice(list(_CODED))
    return Cell(text, _CODED[text])


_FLAGS = {"true": True, "vrai": True, "oui": True, "1": True, "false": False, "faux": False, "non": False, "0": False}


def _flag(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(chance.choice(["o", "x", "2", "yes", "01", "1.0", "ouii", "t", "null"]), NO_MEANING, plain=False)
    text = chance.choice(list(_FLAGS))
    return Cell(chance.choice([text, text.upper(), text.capitalize()]), _FLAGS[text])


def _postcode(chance: random.Random) -> Cell:
    if chance.random() < 0.1:
        return Cell(
            chance.choice(["123", "123456", "7500A", "75 001", "75001.0", "-7500", "٧٥٠٠١"]), NO_MEANING, plain=False
        )
    code = f"{chance.randrange(1000, 98_000):05}"
    return Cell(code.removeprefix("0") if chance.random() < 0.5 else code, code)


_WORDS = [
    *[
        "",
        "a",
        "RUE DE L'ÉGLISE",
        "Très satisfaisant",
        "œuf",
        "€",
        "’",
        "–",
        "½",
        "007",
        "00",
        "1 234,50",
        "2.02E+11",
        "01/02/2024",
    ],
    *[
        "true",
        "null",
        "NULL",
        "None",
        "NaN",
        "N/A",
        "-1",
        "--",
        "NC ",
        "nc",
        " - ",
        '"',
        '""',
        'dit "le Grand"',
        "a;b",
        "a,b",
        "a\tb",
    ],
    *[
        "a|b",
        "a;;;b",
        "'quoted'",
        "\\",
        "\\n",
        "a\\;b",
        "=1+1",
        "@x",
        "#",
        "#comment",
        "two\nlines",
        "three\n\nlines",
        "\u00a0x\u202f",
    ],
    *[
        "  padded  ",
        "{}",
        "[1, 2]",
        "$",
        "%",
        "\u00e9t\u00e9",
        "Ÿ",
        "ÿ",
        "0,5",
        "end\\",
        "c0",
        "x" * 300,
        "a\u00a0b",
        "0.1 ",
        "+33 1",
    ],
]


def _word(chance: random.Random) -> Cell:
    text = chance.choice(_WORDS)
    if chance.random() < 0.3:
        text = "".join(chance.choice("aZé0 ;,|\t\"'\\-ç€\n.") for _ in range(chance.randrange(12)))
    return Cell(text, text.strip(BLANKS))


#: By the field's name: its type and cast in the contract, and how its cells are drawn.
COLUMNS: dict[str, tuple[str, str, Callable[[random.Random], Cell]]] = {
    "word": ("string", "string", _word),
    "whole": ("integer", "integer", _numbers(_whole, 0)),
    "real": ("number", "number", _numbers(_real, 12)),
    "money": ("decimal", "decimal", _numbers(_money, 2)),
    "day": ("date", "date", _iso_day),
    "french_day": ("date", "date_day_first", _french_day),
    "moment": ("datetime", "datetime", _instant),
    "code": ("code", "code", _code),
    "flag": ("boolean", "boolean", _flag),
    "postcode": ("string", "postcode", _postcode),
}


def limited(cell: Cell, name: str, encoding: str) -> Cell:
    """``cell`` as a file in ``encoding`` can hold it: what it has no sign for is a question mark."""
    text = cell.text.encode(encoding, "replace").decode(encoding)
    if text == cell.text:
        return cell
    return Cell(text, text.strip(BLANKS), cell.plain) if name == "word" else Cell(text, NO_MEANING, plain=False)


def draw_cell(name: str, chance: random.Random) -> Cell:
    """A cell of column ``name``; every tenth is blank or a null token, every tenth has blanks around it."""
    cell = COLUMNS[name][2](chance)
    if chance.random() < 0.1:
        cell = Cell(chance.choice(NULLS), None)
    if chance.random() < 0.1:
        cell = Cell(chance.choice(BLANKS) + cell.text + chance.choice(BLANKS), cell.meaning, cell.plain)
    if cell.text.strip(BLANKS) in NULLS:
        return Cell(cell.text, None, cell.plain)
    return cell
