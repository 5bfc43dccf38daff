"""A text of any size in the shape of the raw property sales (DVF), as published: `|`, 43 columns, most of them blank; zipped."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import duckdb

from pipelines.demo.sample_property import RAW_HEADER as HEADER

if TYPE_CHECKING:
    from pathlib import Path

#: What a plain reader would be told of the columns that are no text.
TYPES = {
    "No disposition": "BIGINT",
    "Date mutation": "DATE",
    "Valeur fonciere": "DECIMAL(18,2)",
    **{name: "DOUBLE" for name in HEADER if name.startswith("Surface Carrez")},
    **dict.fromkeys(
        ("Nombre de lots", "Surface reelle bati", "Nombre pieces principales", "Surface terrain"), "BIGINT"
    ),
}
#: Of so many rows one has a day that no calendar has, and another a price with three decimals.
_BAD = 100_003
_BYTES_A_ROW = 138.0


def write_dvf(text: Path, zipped: Path, size: int) -> None:
    """About ``size`` bytes at ``text``, and the same as the only member of ``zipped``; equal arguments give equal bytes."""
    rows = int(size / _BYTES_A_ROW)
    cells = {
        "No disposition": "'00000' || (h % 3 + 1)",
        "Date mutation": f"CASE WHEN i % {_BAD} = {_BAD // 2} THEN '31/02/2023' ELSE strftime(DATE '2023-01-01' + "
        f"(i * 365 // {rows})::INTEGER, '%d/%m/%Y') END",
        "Nature mutation": "['Vente', 'Vente', 'Vente', 'Echange'][h // 10 % 4 + 1]",
        "Valeur fonciere": f"CASE WHEN i % {_BAD} = {_BAD - 1} THEN '1500,125' ELSE (h // 100 % 900000 + 1000) || ',' || "
        "lpad((h // 7 % 100)::VARCHAR, 2, '0') END",
        "No voie": "CASE WHEN g % 3 = 0 THEN '' ELSE (g // 3 % 200)::VARCHAR END",
        "Type de voie": "['RUE', 'AV', 'CHE', ''][g // 600 % 4 + 1]",
        "Code voie": "lpad((g // 5 % 10000)::VARCHAR, 4, '0')",
        "Voie": "['DE LA REPUBLIQUE', 'JEAN JAURES', 'DU MARCHE', 'LES VIGNES', 'DE PARIS'][g // 50 % 5 + 1]",
        "Code postal": "(dep * 1000 + g // 1000 % 99 * 10)::VARCHAR",
        "Commune": "['SAINT-MARTIN', 'LES ARCS', 'VILLENEUVE', 'BEAULIEU'][g // 20000 % 4 + 1] || '-' || dep",
        "Code departement": "lpad(dep::VARCHAR, 2, '0')",
        "Code commune": "(g // 1000 % 400 + 1)::VARCHAR",
        "Section": "chr((65 + k % 26)::INTEGER) || chr((65 + k // 26 % 26)::INTEGER)",
        "No plan": "(k // 1000 % 900 + 1)::VARCHAR",
        "1er lot": "CASE WHEN k % 3 = 0 THEN (k // 3 % 90 + 1)::VARCHAR ELSE '' END",
        "Surface Carrez du 1er lot": "CASE WHEN k % 6 = 0 THEN (k // 6 % 150 + 9) || ',' || (k // 900 % 90 + 10) ELSE '' END",
        "Nombre de lots": "CASE WHEN k % 3 = 0 THEN '1' ELSE '0' END",
        "Code type local": "CASE WHEN k // 9 % 3 = 0 THEN '' ELSE (k // 27 % 4 + 1)::VARCHAR END",
        "Type local": "CASE WHEN k // 9 % 3 = 0 THEN '' ELSE ['Maison', 'Appartement', 'Dépendance', "
        "'Local industriel. commercial ou assimilé'][k // 27 % 4 + 1] END",
        "Surface reelle bati": "CASE WHEN k // 9 % 3 = 0 THEN '' ELSE (k // 108 % 200)::VARCHAR END",
        "Nombre pieces principales": "CASE WHEN k // 9 % 3 = 0 THEN '' ELSE (k // 50 % 8)::VARCHAR END",
        "Nature culture": "['', 'S', 'T', 'J', 'P', 'AB'][h // 1000 % 6 + 1]",
        "Surface terrain": "CASE WHEN h // 1000 % 6 = 0 THEN '' ELSE (h // 6000 % 9000 + 1)::VARCHAR END",
    }
    row = ", ".join(f"""{cells.get(name, "''")} AS "{name}" """ for name in HEADER)
    with duckdb.connect() as con:
        con.execute(
            f"""
            COPY (
                WITH drawn AS (SELECT i, (hash(i) >> 1)::BIGINT AS h,
                    (hash(i + 1000000007) >> 1)::BIGINT AS g, (hash(i * 7 + 13) >> 1)::BIGINT AS k FROM range({rows}) t(i))
                SELECT {row}
                FROM (SELECT *, CASE WHEN g % 95 = 19 THEN 21 ELSE g % 95 + 1 END AS dep FROM drawn)
            ) TO '{text}' (FORMAT csv, DELIMITER '|', HEADER true, QUOTE '')"""
        )
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        archive.write(text, text.name)
