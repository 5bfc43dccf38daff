r"""Casts that know something of France: where it lies, how its parcels are named, how its establishments are numbered.

Belongs here: SQL expressions as in ``casts``, which lists them under the names that contracts use. Does not: casts of any
country's files.

Each takes the trimmed texts of its source columns, NULL where blank, and is NULL where they cannot be read.
"""

from __future__ import annotations

from typing import NamedTuple

from pipelines.contracts.moment_casts import leading_year


class Box(NamedTuple):
    """A part of France, in degrees WGS 84."""

    west: float
    south: float
    east: float
    north: float


#: Generous by some kilometres of sea. No box meets another one's mirror image (longitude taken for latitude), so that a
#: point can be in France in one reading only.
FRANCE = {
    "metropolitan France": Box(-5.6, 41.2, 9.8, 51.3),
    "Guadeloupe": Box(-61.9, 15.7, -60.9, 16.6),
    "Martinique": Box(-61.3, 14.3, -60.7, 15.0),
    "French Guiana": Box(-54.8, 2.0, -51.4, 6.0),
    "Réunion": Box(55.1, -21.5, 55.9, -20.8),
    "Mayotte": Box(44.9, -13.2, 45.4, -12.5),
    "Saint-Pierre-et-Miquelon": Box(-56.6, 46.7, -56.0, 47.2),
    "Saint-Martin and Saint-Barthélemy": Box(-63.3, 17.8, -62.7, 18.2),
    "New Caledonia": Box(163.0, -23.0, 168.5, -19.0),
    "French Polynesia": Box(-155.0, -28.0, -134.0, -7.0),
    "Wallis and Futuna": Box(-178.4, -14.5, -176.0, -13.1),
}


_DEPARTMENT = r"(0[1-9]|1\d|2[1-9AB]|[3-8]\d|9[0-5]|97[1-8]|98[4-9])"


def department(parts: list[str]) -> str:
    """INSEE code, also without its leading zero. Corsica is 2A and 2B; 20 is no department since 1976."""
    text = f"CASE WHEN length({parts[0]}) = 1 THEN '0' || {parts[0]} ELSE upper({parts[0]}) END"
    return rf"CASE WHEN regexp_full_match({text}, '{_DEPARTMENT}') THEN {text} END"


def department_tenfold(parts: list[str]) -> str:
    """Up to 2018 the department stands tenfold (590), Corsica as 201 and 202, overseas as it is (971)."""
    text = parts[0]
    number = f"CASE WHEN regexp_full_match({text}, '\\d{{2,3}}') THEN {text}::BIGINT END"
    plain = (
        f"CASE WHEN {number} = 201 THEN '2A' WHEN {number} = 202 THEN '2B' "
        f"WHEN {number} BETWEEN 971 AND 989 THEN {number}::VARCHAR "
        f"WHEN {number} BETWEEN 10 AND 950 AND {number} % 10 = 0 THEN lpad(({number} // 10)::VARCHAR, 2, '0') END"
    )
    return rf"CASE WHEN regexp_full_match({plain}, '{_DEPARTMENT}') THEN {plain} END"


def commune(parts: list[str]) -> str:
    """`1004` is 01004 without its zero; fewer digits are no commune's."""
    text = f"upper({parts[0]})"
    return rf"CASE WHEN regexp_full_match({text}, '(\d{{4,5}}|2[AB]\d{{3}})') THEN lpad({text}, 5, '0') END"


def commune_in_department(parts: list[str]) -> str:
    """INSEE code from the tenfold department and the number within it."""
    return _with_number(department_tenfold([parts[0]]), parts[1])


def postcode(parts: list[str]) -> str:
    """Five digits; SNCF and spreadsheets drop the leading zero."""
    return rf"CASE WHEN regexp_full_match({parts[0]}, '\d{{4,5}}') THEN lpad({parts[0]}, 5, '0') END"


def hospitalised_definition(parts: list[str]) -> str:
    """Under which rules a year's accidents, by their number, count somebody as hospitalised.

    The police record it in another way from 2018 on, and from 2019 on the statistical authority no longer vouches for it.
    """
    year = leading_year(parts)
    return f"CASE WHEN {year} < 2018 THEN 'until 2017' WHEN {year} = 2018 THEN '2018' WHEN {year} > 2018 THEN 'from 2019' END"


def longitude_in_france(parts: list[str]) -> str:
    """The longitude of a point given as longitude and latitude, or the other way round where only that lies in France."""
    return _of_point(parts, f"CASE WHEN {_SWAPPED} THEN point.y ELSE point.x END")


def latitude_in_france(parts: list[str]) -> str:
    """The latitude of the same point."""
    return _of_point(parts, f"CASE WHEN {_SWAPPED} THEN point.x ELSE point.y END")


def is_swapped_in_france(parts: list[str]) -> str:
    """Whether the point lies in France when its two numbers change places, and not as they stand."""
    return _of_point(parts, _SWAPPED)


def _of_point(parts: list[str], wanted: str) -> str:
    """``wanted`` of the point in two columns, or in one that holds both as in ``[2.35, 48.85]``.

    Lambdas give names to what is computed once: written out, the two numbers would be read anew for each side of each box.
    """
    if len(parts) > 1:
        text = " || ',' || ".join(f"replace({part}, ',', '.')" for part in parts)
    else:
        # brackets around it, blanks around each number
        text = rf"regexp_replace({parts[0]}, '^[\[(]?\s*([^\s,]+)\s*,\s*([^\s,\])]+)\s*[\])]?$', '\1,\2')"
    number = r"[+-]?\d+(\.\d+)?"
    pair = f"CASE WHEN regexp_full_match(pair, '{number},{number}') THEN pair END"
    x, y = (f"TRY_CAST(split_part({pair}, ',', {place}) AS DOUBLE)" for place in (1, 2))
    points = f"list_transform([{text}], lambda pair: {{'x': {x}, 'y': {y}}})"
    return f"list_transform({points}, lambda point: {wanted})[1]"


def _inside(longitude: str, latitude: str) -> str:
    boxes = (
        f"{longitude} BETWEEN {box.west} AND {box.east} AND {latitude} BETWEEN {box.south} AND {box.north}"
        for box in FRANCE.values()
    )
    return f"({' OR '.join(boxes)})"


_SWAPPED = f"({_inside('point.y', 'point.x')} AND NOT {_inside('point.x', 'point.y')})"


def commune_of_numbers(parts: list[str]) -> str:
    """The INSEE code from the department and the number in it, both perhaps unpadded: ``1`` and ``4`` are 01004."""
    return _with_number(_department_text(parts[0]), parts[1])


def parcel_of_parts(parts: list[str]) -> str:
    """The cadastre's 14 characters: commune, prefix of a former commune (or 000), section, number.

    Source columns: department, commune, prefix, section, number; the prefix alone may be blank.
    """
    commune = commune_of_numbers(parts[:2])
    prefix, section, number = f"lpad(coalesce({parts[2]}, ''), 3, '0')", f"lpad({parts[3]}, 2, '0')", parts[4]
    shape = r"([013-9]\d|2[AB1-9])\d{6}[0-9A-Z]{2}\d{4}"
    whole = f"{commune} || {prefix} || upper({section}) || lpad({number}, 4, '0')"
    fits = f"length(coalesce({parts[2]}, '')) <= 3 AND length({parts[3]}) <= 2 AND length({number}) <= 4"
    return f"CASE WHEN {fits} AND regexp_full_match({whole}, '{shape}') THEN {whole} END"


def is_siret(parts: list[str]) -> str:
    """Whether a text is a SIRET: 14 digits that pass Luhn's check, or La Poste's own (their sum is a multiple of five)."""
    text = parts[0]
    digits = [f"TRY_CAST(substr({text}, {place}, 1) AS INTEGER)" for place in range(1, 15)]
    # Luhn: from the left every other digit counts twice, a product over 9 by the sum of its digits.
    luhn = " + ".join(
        f"2 * {digit} - CASE WHEN {digit} > 4 THEN 9 ELSE 0 END" if place % 2 == 0 else digit
        for place, digit in enumerate(digits)
    )
    la_poste = f"{text} LIKE '356000000%' AND ({' + '.join(digits)}) % 5 = 0"
    # Zeros pass every check, and are what stands where there is none.
    shaped = rf"regexp_full_match({text}, '\d{{14}}') AND {text} NOT LIKE '000000000%'"
    return f"CASE WHEN {shaped} THEN ({luhn}) % 10 = 0 OR ({la_poste}) ELSE false END"


#: Datasets whose rows the publisher of the national file of charge points takes before those of others, best last.
_PRIORITY_DATASETS = ("6818bce2d9af175f6e01a1b2", "64060c2ac773dcf3fabbe5d2", "63dccb1307e9b2f213a5130c")


def charge_point_priority(parts: list[str]) -> str:
    """1 to 3 for the datasets that come before others; any other id is 0."""
    ranks = " ".join(f"WHEN '{dataset}' THEN {rank}" for rank, dataset in enumerate(_PRIORITY_DATASETS, start=1))
    return f"CASE WHEN {parts[0]} IS NOT NULL THEN CASE {parts[0]} {ranks} ELSE 0 END END"


def _department_text(text: str) -> str:
    bare = f"upper({text})"
    padded = f"CASE WHEN length({bare}) = 1 THEN '0' || {bare} ELSE {bare} END"
    return rf"CASE WHEN regexp_full_match({bare}, '\d{{1,3}}|2[AB]') THEN {padded} END"


def _with_number(department: str, text: str) -> str:
    """The commune with a number in a department. Overseas the third digit of the department may stand in the number too.

    Where another digit stands there, nobody knows which of the two is right.
    """
    number, third = f"lpad({text}, 3, '0')", f"right({department}, 1)"
    overseas = f"CASE WHEN left({number}, 1) IN ('0', {third}) THEN {department} || right({number}, 2) END"
    return (
        rf"CASE WHEN regexp_full_match({text}, '\d{{1,3}}') THEN "
        f"CASE WHEN length({department}) = 3 THEN {overseas} ELSE {department} || {number} END END"
    )
