"""How a vintage writes down an accident: its columns, their order, and each cell's text, faults included.

Facts about the publisher's files, nothing about accidents. Up to 2018 an unknown is 0 or blank, from 2019 mostly -1.
"""

# ruff: noqa: PLR2004 - years, codes and shares are the content here

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from pipelines.demo.sample_accidents import Row, Value

FIRST_MODERN = 2019

_FIRST_WITH_USER_NUMBER = 2021
_ONLY_WITH_ACCIDENT_ID = 2022
_FIRST_WITH_LANE_ERRORS = 2022

_OLD_HEADERS = {
    "caracteristiques": "Num_Acc,an,mois,jour,hrmn,lum,agg,int,atm,col,com,adr,gps,lat,long,dep",
    "lieux": "Num_Acc,catr,voie,v1,v2,circ,nbv,pr,pr1,vosp,prof,plan,lartpc,larrout,surf,infra,situ,env1",
    "vehicules": "Num_Acc,senc,catv,occutc,obs,obsm,choc,manv,num_veh",
    "usagers": "Num_Acc,place,catu,grav,sexe,trajet,secu,locp,actp,etatp,an_nais,num_veh",
}
_HEADERS = {
    "caracteristiques": "Num_Acc,jour,mois,an,hrmn,lum,dep,com,agg,int,atm,col,adr,lat,long",
    "lieux": "Num_Acc,catr,voie,v1,v2,circ,nbv,vosp,prof,pr,pr1,plan,lartpc,larrout,surf,infra,situ,vma",
    "vehicules": "Num_Acc,id_vehicule,num_veh,senc,catv,obs,obsm,choc,manv,motor,occutc",
    "usagers": "Num_Acc,id_vehicule,num_veh,place,catu,grav,sexe,an_nais,trajet,secu1,secu2,secu3,locp,actp,etatp",
}

_NBSP = "\u00a0"
_NBSP_TWICE = "Â\u00a0"  # its UTF-8 bytes c2 a0 read as latin-1 and encoded again: c3 82 c2 a0
_CORSICA = {"2A": "201", "2B": "202"}
_GPS_OVERSEAS = {"971": "A", "972": "A", "973": "G", "974": "R", "976": "Y"}
_OLD_DIGITS = {"nbv": 2, "env1": 2, "catv": 2, "obs": 2, "manv": 2, "occutc": 3}  # filled up with leading zeros
_OLD_ZEROS = frozenset({"circ", "prof", "plan", "surf", "locp", "actp", "etatp"})  # unknown is 0, else blank
_OLD_SAFETY: dict[Value, str] = {
    0: "12",
    1: "11",
    2: "21",
    8: "13",
}  # equipment, then 1 used, 2 not used, 3 undetermined
_BLANKS = frozenset({"v2", "lartpc", "occutc", "an_nais"})  # unknown is blank, else -1


def header(table: str, year: int) -> list[str]:
    """The columns of ``table`` in that year, in the publisher's order."""
    if year < FIRST_MODERN:
        return _OLD_HEADERS[table].split(",")
    columns = _HEADERS[table].split(",")
    if table == "usagers" and year >= _FIRST_WITH_USER_NUMBER:
        columns.insert(1, "id_usager")
    if table == "caracteristiques" and year == _ONLY_WITH_ACCIDENT_ID:
        columns[0] = "Accident_Id"
    return columns


def cells(row: Row, table: str, year: int, rng: Random) -> list[str]:
    """The texts of one row in that year's notation, under ``header(table, year)``.

    Args:
        row: values under the publisher's names, ``id_vehicule`` and ``id_usager`` included where the table has them.
        table: caracteristiques, lieux, vehicules or usagers.
        year: the vintage.
        rng: decides where the file's occasional faults fall.
    """
    texts = _old(row, table, year, rng) if year < FIRST_MODERN else _modern(row, table, year, rng)
    return [texts[column] for column in header(table, year)]


def _old(row: Row, table: str, year: int, rng: Random) -> dict[str, str]:
    texts = {column: _old_text(column, value) for column, value in row.items()}
    if table == "caracteristiques":
        department = str(row["dep"])
        located = rng.random() > (0.75 if year < 2010 else 0.35)  # when most cars of the police had none
        texts |= {
            "an": str(year - 2000),
            "hrmn": str(int(str(row["hrmn"]).replace(":", ""))),
            "dep": _CORSICA.get(department) or _tenfold(department),
            "com": str(row["com"])[-3:],
            "gps": _GPS_OVERSEAS.get(department, "M") if located else "",
            "lat": _hundred_thousandths(row["lat"]) if located else rng.choice(("", "0")),
            "long": _hundred_thousandths(row["long"]) if located else "",
        }
    if table == "lieux":
        texts |= {"lartpc": _tenths(row["lartpc"]), "larrout": _tenths(row["larrout"])}
    if table == "usagers":
        on_foot = row["catu"] == 3
        texts["place"] = "" if on_foot else texts["place"]
        texts["secu"] = "" if on_foot else _OLD_SAFETY.get(row["secu1"], "")
        texts["catu"] = "4" if on_foot and rng.random() < 0.02 else texts["catu"]  # on rollers
    return texts


def _tenfold(department: str) -> str:
    number = int(department)
    return str(number * 10 if number < 100 else number)  # overseas has three digits already


def _old_text(column: str, value: Value) -> str:
    if value is None:
        return "0" if column in _OLD_ZEROS else ""
    return str(value).zfill(_OLD_DIGITS.get(column, 0))


def _hundred_thousandths(degrees: Value) -> str:
    return str(round(float(degrees or 0) * 100_000))


def _tenths(metres: Value) -> str:
    return "" if metres is None else f"{round(float(metres) * 10):03}"


def _modern(row: Row, table: str, year: int, rng: Random) -> dict[str, str]:
    texts = {column: _modern_text(column, value) for column, value in row.items()}
    if table == "caracteristiques":
        digits = 10 if year == _ONLY_WITH_ACCIDENT_ID else 7
        texts |= {"lat": _comma(row["lat"], digits), "long": _comma(row["long"], digits)}
        texts["Accident_Id"] = texts["Num_Acc"]
    if table == "lieux" and year >= _FIRST_WITH_LANE_ERRORS and rng.random() < 0.01:
        texts["nbv"] = "#ERREUR"
    for column in {"id_vehicule", "id_usager"} & texts.keys():
        space = _NBSP_TWICE if rng.random() < 0.03 else _NBSP
        texts[column] = f"{int(texts[column]):,}".replace(",", space)
    return texts


def _modern_text(column: str, value: Value) -> str:
    if value is None:
        return "" if column in _BLANKS else "(1)" if column in ("pr", "pr1") else "-1"
    return str(value).replace(".", ",") if isinstance(value, float) else str(value)


def _comma(degrees: Value, digits: int) -> str:
    """A decimal comma, and a space before a minus sign."""
    text = f"{float(degrees or 0):.{digits}f}".replace(".", ",")
    return f" {text}" if text.startswith("-") else text
