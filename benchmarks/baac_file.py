"""A CSV of any size in the shape of BAAC's `caracteristiques` from 2019 on: `;`, quotes, decimal comma, a few bad cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "Num_Acc",
    "jour",
    "mois",
    "an",
    "hrmn",
    "lum",
    "dep",
    "com",
    "agg",
    "int",
    "atm",
    "col",
    "adr",
    "lat",
    "long",
)
#: What a plain reader would be told of the columns that are no text.
TYPES = {"jour": "BIGINT", "mois": "BIGINT", "an": "BIGINT", "lat": "DOUBLE", "long": "DOUBLE"}
_STREETS = ("RUE DE LA RÉPUBLIQUE", "AVENUE JEAN JAURÈS", "PLACE DU MARCHÉ", "CHEMIN DES VIGNES", "ROUTE DE PARIS")
#: Of so many rows one has a mangled number, and another a longitude that is none.
_BAD = 100_003
_BYTES_A_ROW = {True: 121.4, False: 91.4}


def write_baac(path: Path, size: int, *, quoted: bool) -> None:
    """About ``size`` bytes at ``path``; equal arguments give equal bytes."""
    rows = int(size / _BYTES_A_ROW[quoted])
    streets = ", ".join(f"'{street}'" for street in _STREETS)
    with duckdb.connect() as con:
        con.execute(
            f"""
            COPY (
                WITH drawn AS (SELECT i, hash(i) AS h, hash(i + 1000000007) AS g, hash(i * 7 + 13) AS k FROM range({rows}) t(i)),
                placed AS (SELECT *, CASE WHEN g % 95 = 19 THEN '2A' ELSE lpad((g % 95 + 1)::VARCHAR, 2, '0') END AS dep FROM drawn)
                SELECT CASE WHEN i % {_BAD} = {_BAD - 1} THEN '2.02E+11' ELSE (201900000000 + i)::VARCHAR END AS "Num_Acc",
                    (h % 28 + 1)::VARCHAR AS jour, (h // 100 % 12 + 1)::VARCHAR AS mois, '2019' AS an,
                    lpad((h // 10000 % 24)::VARCHAR, 2, '0') || ':' || lpad((h // 1000000 % 60)::VARCHAR, 2, '0') AS hrmn,
                    (h // 100000000 % 5 + 1)::VARCHAR AS lum, dep, dep || lpad((g // 100 % 800 + 1)::VARCHAR, 3, '0') AS com,
                    (g // 1000000 % 2 + 1)::VARCHAR AS agg, (g // 10000000 % 9 + 1)::VARCHAR AS "int",
                    CASE WHEN k % 50 = 0 THEN '-1' ELSE (k // 50 % 9 + 1)::VARCHAR END AS atm, (k // 500 % 7 + 1)::VARCHAR AS col,
                    [{streets}][(k // 5000 % {len(_STREETS)} + 1)::INTEGER] || ' ' || (k // 50000 % 200)::VARCHAR AS adr,
                    replace(printf('%.7f', 43 + (g // 1000 % 60000000) / 10000000.0), '.', ',') AS lat,
                    CASE WHEN i % {_BAD} = {_BAD // 2} THEN '2,3,4'
                        ELSE replace(printf('%.7f', -1 + (k // 100 % 70000000) / 10000000.0), '.', ',') END AS long
                FROM placed
            ) TO '{path}' (FORMAT csv, DELIMITER ';', HEADER true{", FORCE_QUOTE *" if quoted else ""})"""
        )
