r"""How a cell's text becomes a value: small named SQL expressions, chosen by the contract.

Each cast takes the trimmed texts of its source columns (NULL where the cell is blank or a null token) and gives an
expression of the field's type that is NULL where the text cannot be that. A cell that has text and no value rejects its
row, so a cast never guesses and never falls back.

The dialect is DuckDB's. Here are the casts to texts and the list of all; the others are in ``number_casts``, ``moment_casts``
and ``french_casts``.
"""

from __future__ import annotations

from collections.abc import Callable

from pipelines.contracts import french_casts, moment_casts, number_casts

Cast = Callable[[list[str]], str]


def _string(parts: list[str]) -> str:
    return parts[0]


def _boolean(parts: list[str]) -> str:
    text = f"lower({parts[0]})"
    return f"CASE WHEN {text} IN ('true', 'vrai', 'oui', '1') THEN true WHEN {text} IN ('false', 'faux', 'non', '0') THEN false END"


def _first_of_list(parts: list[str]) -> str:
    """The first of texts set apart by semicolons: `87271494;87001479`."""
    return f"nullif(trim(split_part({parts[0]}, ';', 1)), '')"


def _first_given(parts: list[str]) -> str:
    """The first of several columns that is filled."""
    return f"coalesce({', '.join(parts)})"


def _is_given(parts: list[str]) -> str:
    """Whether the column is filled."""
    return f"({parts[0]} IS NOT NULL)"


def _joined(parts: list[str]) -> str:
    """All columns that are filled, with a blank between."""
    return f"nullif(concat_ws(' ', {', '.join(parts)}), '')"


#: By the name that a contract gives; a field without ``cast`` takes the one called like its type.
CASTS: dict[str, Cast] = {
    "string": _string,
    "number": number_casts.number,
    "integer": number_casts.integer,
    "code": number_casts.code,
    "digits": number_casts.digits,
    "leading_year": moment_casts.leading_year,
    "decimal": number_casts.decimal,
    "boolean": _boolean,
    "date": moment_casts.date,
    "date_day_first": moment_casts.date_day_first,
    "date_day_first_loose": moment_casts.date_day_first_loose,
    "date_month_first": moment_casts.date_month_first,
    "date_compact": moment_casts.date_compact,
    "wall_clock": moment_casts.wall_clock,
    "datetime": moment_casts.datetime,
    "day_of_datetime": moment_casts.day_of_datetime,
    "first_of_pair": number_casts.first_of_pair,
    "second_of_pair": number_casts.second_of_pair,
    "postcode": french_casts.postcode,
    "date_by_shape": moment_casts.date_by_shape,
    "is_fewer_than": number_casts.is_fewer_than,
    "leading_hour": moment_casts.leading_hour,
    "first_of_list": _first_of_list,
    "hospitalised_definition": french_casts.hospitalised_definition,
    "charge_point_priority": french_casts.charge_point_priority,
    "first_given": _first_given,
    "is_given": _is_given,
    "joined": _joined,
    "year_of_date": moment_casts.year_of_date,
    "year_of_date_day_first": moment_casts.year_of_date_day_first,
    "year_of_datetime": moment_casts.year_of_datetime,
    "datetime_or_utc": moment_casts.datetime_or_utc,
    "longitude_in_france": french_casts.longitude_in_france,
    "latitude_in_france": french_casts.latitude_in_france,
    "is_swapped_in_france": french_casts.is_swapped_in_france,
    "commune_of_numbers": french_casts.commune_of_numbers,
    "parcel_of_parts": french_casts.parcel_of_parts,
    "is_siret": french_casts.is_siret,
    "time": moment_casts.time,
    "date_parts": moment_casts.date_parts,
    "clock": moment_casts.clock,
    "department": french_casts.department,
    "department_tenfold": french_casts.department_tenfold,
    "commune": french_casts.commune,
    "commune_in_department": french_casts.commune_in_department,
    "degrees": number_casts.degrees,
    "degrees_scaled": number_casts.degrees_scaled,
}
