from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from pipelines.demo.mirror_records import mirror_datasets
from pipelines.demo.sample_towns import TOWNS
from pipelines.demo.samples import BrokenRow, broken_rows, file_name, write_accident_samples

YEARS = range(2005, 2025)
TABLES = ("caracteristiques", "lieux", "vehicules", "usagers")
REAL = Path(__file__).parents[3] / "../shared/data/datagouv/accidents"
OLD_CARACT = "Num_Acc,an,mois,jour,hrmn,lum,agg,int,atm,col,com,adr,gps,lat,long,dep"
OLD_USAGERS = "Num_Acc,place,catu,grav,sexe,trajet,secu,locp,actp,etatp,an_nais,num_veh"

Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_accident_samples(tmp_path_factory.mktemp("samples"))


def encoding(year: int) -> str:
    return "latin-1" if year <= 2018 else "utf-8"


def separator(table: str, year: int) -> str:
    return "\t" if (table, year) == ("caracteristiques", 2009) else "," if year <= 2018 else ";"


def lines(folder: Path, table: str, year: int) -> list[list[str]]:
    text = (folder / file_name(table, year)).read_text(encoding=encoding(year))
    return list(csv.reader(text.splitlines(), delimiter=separator(table, year)))


def sound(folder: Path, table: str, year: int) -> Table:
    """The rows that were not broken on purpose."""
    header, *rows = lines(folder, table, year)
    broken = {row.line for row in broken_rows(folder) if row.file == file_name(table, year)}
    return [dict(zip(header, row, strict=True)) for line, row in enumerate(rows, start=2) if line not in broken]


def digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def test_file_names(folder: Path) -> None:
    names = {path.name for path in folder.glob("*.csv")}
    assert len(names) == 80
    assert names >= {
        "caracteristiques_2005.csv",
        "caracteristiques_2016.csv",
        "caracteristiques-2017.csv",
        "caracteristiques-2020.csv",
        "carcteristiques-2021.csv",
        "carcteristiques-2022.csv",
        "caract-2023.csv",
        "Caract_2024.csv",
        "lieux_2016.csv",
        "usagers-2017.csv",
        "vehicules-2024.csv",
    }


@pytest.mark.parametrize(
    ("table", "year", "header"),
    [
        ("caracteristiques", 2005, OLD_CARACT),
        ("caracteristiques", 2009, OLD_CARACT),
        ("caracteristiques", 2018, OLD_CARACT),
        ("caracteristiques", 2019, "Num_Acc,jour,mois,an,hrmn,lum,dep,com,agg,int,atm,col,adr,lat,long"),
        ("caracteristiques", 2022, "Accident_Id,jour,mois,an,hrmn,lum,dep,com,agg,int,atm,col,adr,lat,long"),
        ("lieux", 2018, "Num_Acc,catr,voie,v1,v2,circ,nbv,pr,pr1,vosp,prof,plan,lartpc,larrout,surf,infra,situ,env1"),
        ("lieux", 2019, "Num_Acc,catr,voie,v1,v2,circ,nbv,vosp,prof,pr,pr1,plan,lartpc,larrout,surf,infra,situ,vma"),
        ("vehicules", 2018, "Num_Acc,senc,catv,occutc,obs,obsm,choc,manv,num_veh"),
        ("vehicules", 2019, "Num_Acc,id_vehicule,num_veh,senc,catv,obs,obsm,choc,manv,motor,occutc"),
        ("usagers", 2018, OLD_USAGERS),
        (
            "usagers",
            2020,
            "Num_Acc,id_vehicule,num_veh,place,catu,grav,sexe,an_nais,trajet,secu1,secu2,secu3,locp,actp,etatp",
        ),
        (
            "usagers",
            2021,
            "Num_Acc,id_usager,id_vehicule,num_veh,place,catu,grav,sexe,an_nais,trajet,secu1,secu2,secu3,locp,actp,etatp",
        ),
    ],
)
def test_headers(folder: Path, table: str, year: int, header: str) -> None:
    assert lines(folder, table, year)[0] == header.split(",")


@pytest.mark.parametrize("table", ["lieux", "vehicules"])
def test_headers_are_those_of_the_real_2018(folder: Path, table: str) -> None:
    real = REAL / f"{table}-2018.csv"
    if not real.is_file():
        pytest.skip("the real files are not beside this checkout")
    with real.open(encoding="latin-1") as file:
        assert next(csv.reader(file)) == lines(folder, table, 2018)[0]


def test_separators_quotes_and_encodings(folder: Path) -> None:
    for year in YEARS:
        for table in TABLES:
            body = (folder / file_name(table, year)).read_bytes()
            assert b"\xef\xbb\xbf" not in body
            assert (b'"' in body) == (year >= 2019)
            if year >= 2019:
                assert all(re.fullmatch(rb'"[^"]*"(;"[^"]*")*', line) for line in body.splitlines())
        accented = (folder / file_name("caracteristiques", year)).read_bytes()
        if year <= 2018:
            with pytest.raises(UnicodeDecodeError):
                accented.decode("utf-8")
            assert not re.search(rb"[\x80-\x9f]", accented)
        else:
            assert "É".encode() in accented


@pytest.mark.parametrize("year", YEARS)
def test_every_row_has_the_width_of_its_header_but_the_broken_one(folder: Path, year: int) -> None:
    for table in TABLES:
        header, *rows = lines(folder, table, year)
        narrow = [line for line, row in enumerate(rows, start=2) if len(row) != len(header)]
        short = [r.line for r in broken_rows(folder) if r.file == file_name(table, year) and r.column is None]
        assert narrow == short


@pytest.mark.parametrize("year", YEARS)
def test_keys_are_unique_and_joins_complete(folder: Path, year: int) -> None:
    accidents = [row.get("Num_Acc") or row["Accident_Id"] for row in sound(folder, "caracteristiques", year)]
    assert len(accidents) == len(set(accidents)) == 400
    assert all(re.fullmatch(rf"{year}\d{{8}}", number) for number in accidents)
    places = Counter(row["Num_Acc"] for row in sound(folder, "lieux", year))
    assert places.keys() == set(accidents)
    assert (max(places.values()) > 1) == (year >= 2023)
    vehicles = sound(folder, "vehicules", year)
    keys = [(row["Num_Acc"], row["num_veh"]) for row in vehicles]
    assert len(keys) == len(set(keys))
    assert {number for number, _ in keys} == set(accidents)
    users = sound(folder, "usagers", year)
    assert {(row["Num_Acc"], row["num_veh"]) for row in users} == set(keys)
    if year >= 2019:
        ids = {(row["Num_Acc"], row["num_veh"]): digits(row["id_vehicule"]) for row in vehicles}
        assert len(set(ids.values())) == len(ids)
        assert all(ids[row["Num_Acc"], row["num_veh"]] == digits(row["id_vehicule"]) for row in users)
    if year >= 2021:
        assert len({digits(row["id_usager"]) for row in users}) == len(users)


@pytest.mark.parametrize("year", YEARS)
def test_every_accident_hurt_somebody(folder: Path, year: int) -> None:
    hurt = {row["Num_Acc"] for row in sound(folder, "usagers", year) if row["grav"] in ("2", "3", "4")}
    assert len(hurt) == 400


def test_notation_up_to_2018(folder: Path) -> None:
    rows = [row for year in range(2005, 2019) for row in sound(folder, "caracteristiques", year)]
    assert {row["an"] for row in rows} == {str(n) for n in range(5, 19)}
    assert all(re.fullmatch(r"0|[1-9]\d{0,3}", row["hrmn"]) for row in rows)
    assert any(len(row["hrmn"]) <= 2 for row in rows)
    assert {"10", "590", "201", "202", "971", "974", "976"} <= {row["dep"] for row in rows}
    assert {len(row["com"]) for row in rows} == {3}
    assert all(re.fullmatch(r"|0|-?\d{5,8}", row["lat"]) for row in rows)
    assert any(row["long"].startswith("-") for row in rows)
    located = sum(row["lat"] not in ("", "0") for row in rows) / len(rows)
    assert 0.3 < located < 0.7
    assert {row["gps"] for row in rows} == {"", "M", "A", "G", "R", "Y"}
    vehicles = sound(folder, "vehicules", 2018)
    assert {len(row["catv"]) for row in vehicles} == {2}
    assert {row["nbv"] for row in sound(folder, "lieux", 2018)} >= {"01", "02"}


def test_notation_from_2019(folder: Path) -> None:
    rows = [row for year in range(2019, 2025) for row in sound(folder, "caracteristiques", year)]
    assert all(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", row["hrmn"]) for row in rows)
    assert {"2A", "2B", "01", "971", "972", "973", "974", "976", "988"} <= {row["dep"] for row in rows}
    assert {len(row["com"]) for row in rows} == {5}
    assert all(row["com"].startswith(row["dep"]) for row in rows)
    for row in rows:
        places = 10 if "Accident_Id" in row else 7
        assert re.fullmatch(rf"( -)?\d+,\d{{{places}}}", row["lat"])
        assert re.fullmatch(rf"( -)?\d+,\d{{{places}}}", row["long"])
    assert any(row["long"].startswith(" -") for row in rows)
    places_ = [row for year in range(2019, 2025) for row in sound(folder, "lieux", year)]
    assert {"(1)"} <= {row["pr"] for row in places_}
    assert "-1" in {row["circ"] for row in places_}
    recent = Counter(row["nbv"] for year in range(2022, 2025) for row in sound(folder, "lieux", year))
    assert 0 < recent["#ERREUR"] < 40


def test_thousands_are_set_apart_by_no_break_spaces_some_encoded_twice(folder: Path) -> None:
    for table in ("vehicules", "usagers"):
        body = (folder / file_name(table, 2019)).read_bytes()
        once, twice = len(re.findall(rb"\d\xc2\xa0\d", body)), len(re.findall(rb"\d\xc3\x82\xc2\xa0\d", body))
        assert once > 10 * twice > 0
        assert all(re.fullmatch(r"\d{1,3}((Â)?\u00a0\d{3})+", row["id_vehicule"]) for row in sound(folder, table, 2019))


@pytest.mark.parametrize("year", YEARS)
def test_codes_are_those_of_the_notice(folder: Path, year: int) -> None:
    if not (REAL / "desc_vars.json").is_file():
        pytest.skip("the code lists are not beside this checkout")
    notice = json.loads((REAL / "desc_vars.json").read_text(encoding="utf-8"))
    also = {
        "place": {"10"},  # a pedestrian, from 2019
        "infra": {"0"},
        "situ": {"0"},
        "catv": {"43", "50", "60", "80"},  # from 2019
        "grav": set(),
    }
    for table in TABLES:
        for row in sound(folder, table, year):
            for column, text in row.items():
                listed = notice.get(column, {}).get("values")
                if listed and column != "vma" and text not in ("", "-1"):
                    codes = {code.lstrip("0") or "0" for code in listed} | also.get(column, set())
                    assert (text.lstrip("0") or "0") in codes | {"0"}, (table, column, text)


def test_broken_rows_are_where_they_are_said_to_be(folder: Path) -> None:
    found = broken_rows(folder)
    assert Counter((row.file, row.column) for row in found) == {
        ("caracteristiques_2014.csv", None): 1,
        ("caracteristiques_2014.csv", "mois"): 1,
        ("carcteristiques-2022.csv", "lum"): 1,
        ("lieux-2022.csv", "vma"): 1,
        ("vehicules-2022.csv", "catv"): 1,
        ("usagers-2022.csv", "grav"): 1,
        ("usagers-2022.csv", "an_nais"): 1,
    }
    for row in found:
        table = next(t for t in TABLES if row.file[:3] == t[:3])
        year = int(row.file[-8:-4])
        content = lines(folder, table, year)
        if row.column is not None:
            assert content[row.line - 1][content[0].index(row.column)] == row.value


def test_black_spots_come_back_over_the_years(folder: Path) -> None:
    cells: dict[tuple[int, int], list[int]] = {}
    for year in range(2019, 2025):
        for row in sound(folder, "caracteristiques", year):
            latitude, longitude = (float(row[name].replace(",", ".")) for name in ("lat", "long"))
            cells.setdefault((round(latitude * 250), round(longitude * 250)), []).append(year)  # about 400 m by 300 m
    often = [years for years in cells.values() if len(years) >= 5]
    assert len(often) >= 30
    assert sum(len(set(years)) >= 3 for years in often) >= 25


def test_accidents_lie_near_their_town(folder: Path) -> None:
    towns = {town.commune: town for town in TOWNS}
    for row in sound(folder, "caracteristiques", 2021):
        town = towns[row["com"]]
        assert abs(float(row["lat"].replace(",", ".")) - town.latitude) < 0.6
        assert abs(float(row["long"].replace(",", ".").replace(" ", "")) - town.longitude) < 0.9


def test_equal_seeds_give_equal_bytes_and_leave_files_alone(tmp_path: Path) -> None:
    def contents(seed: int, name: str) -> dict[str, bytes]:
        folder = write_accident_samples(tmp_path / name, seed=seed, accidents_per_year=20, years=range(2014, 2024))
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    first = contents(1, "a")
    dates = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert contents(1, "a") == contents(1, "b") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()} == dates
    assert contents(2, "c") != first


def test_record_says_plainly_what_this_is(folder: Path) -> None:
    (dataset,) = mirror_datasets(folder)
    assert (dataset.record["id"], dataset.record["license"]) == ("53698f4ca3a729239d2036df", "fr-lo")
    assert "GENERATED SAMPLES, not real accidents" in dataset.record["title"]
    assert len(dataset.files) == 80


def test_one_year_of_few_accidents(tmp_path: Path) -> None:
    folder = write_accident_samples(tmp_path, accidents_per_year=1, years=[2022])
    assert len(sound(folder, "caracteristiques", 2022)) == 1
    assert all(isinstance(row, BrokenRow) for row in broken_rows(folder))
