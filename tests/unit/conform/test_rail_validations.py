"""Ticket validations: four names for one column, three notations of a day, counts that are words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.conform import Conformed, conform
from pipelines.contracts import load_contract
from pipelines.errors import ConformError
from pipelines.progress import Silent
from pipelines.settings import Settings

COUNTS = (
    "JOUR",
    "CODE_STIF_TRNS",
    "CODE_STIF_RES",
    "CODE_STIF_ARRET",
    "LIBELLE_ARRET",
    "ID_REFA_LDA",
    "CATEGORIE_TITRE",
    "NB_VALD",
)
PROFILES = (*COUNTS[1:6], "CAT_JOUR", "TRNC_HORR_60", "pourc_validations")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Conformed]:
    def run(name: str, *lines: str, encoding: str = "utf-8") -> Conformed:
        source = tmp_path / name
        source.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        settings = Settings(home=tmp_path / "home")
        settings.staging.mkdir(parents=True, exist_ok=True)
        target = settings.staging / "clean.parquet"
        contract = load_contract("rail_validations")
        return conform(source, contract, settings, Silent(), name=name, resource=name, sha256="0" * 64, target=target)

    return run


def _rows(result: Conformed, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in names) for row in pq.read_table(result.file).to_pylist()]


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        (";".join(COUNTS), ";"),
        ("\t".join(COUNTS).replace("ID_REFA_LDA", "lda"), "\t"),
        ("\t".join(COUNTS).replace("ID_REFA_LDA", "ID_ZDC"), "\t"),
        (";".join(COUNTS).lower().replace("id_refa_lda", "ida"), ";"),
    ],
)
def test_all_headers_give_the_same_rows(run: Callable[..., Conformed], header: str, separator: str) -> None:
    cells = ["01/10/2024", "100", "110", "63", "CHÂTELET", "71379.0", "NAVIGO", "1234"]
    result = run("2024_T4_NB_FER.txt", header, separator.join(cells))
    assert result.match.table.name == "rail_validations"
    names = (
        "day",
        "operator_code",
        "network_code",
        "stop_code",
        "stop",
        "stop_area_id",
        "ticket",
        "validations",
        "under_five",
    )
    assert _rows(result, *names) == [
        (date(2024, 10, 1), "100", "110", "63", "CHÂTELET", "71379", "NAVIGO", 1234, False)
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252"])
def test_texts_of_all_years_are_read(run: Callable[..., Conformed], encoding: str) -> None:
    result = run(
        "2020_S2_NB_FER.txt", "\t".join(COUNTS), "01/07/2020\t100\t110\t63\tCHÂTELET\t1\tT\t5", encoding=encoding
    )
    assert _rows(result, "stop", "validations") == [("CHÂTELET", 5)]


def test_a_day_has_one_reading_in_each_notation(run: Callable[..., Conformed]) -> None:
    days = ["01/07/2024", "01/07/24", "2024-07-01", "2024-7-1", "31/06/2024", "07-01-24"]
    result = run("2024_T3_NB_FER.txt", ";".join(COUNTS), *(f"{day};100;110;63;X;1;T;5" for day in days))
    assert _rows(result, "day") == [(date(2024, 7, 1),)] * 3
    assert result.rejected["value"].to_pylist() == days[3:]


def test_a_count_that_is_kept_back_is_null_and_flagged(run: Callable[..., Conformed]) -> None:
    counts = ["Moins de 5", "0", "5", "", "Moins", "-3"]
    result = run("2019_S1_NB_FER.txt", ";".join(COUNTS), *(f"01/07/2019;100;110;63;X;1;T;{count}" for count in counts))
    assert _rows(result, "validations", "under_five") == [(None, True), (0, False), (5, False)]
    assert result.rejected["value"].to_pylist() == counts[3:]
    assert result.rejected["reason"].to_pylist() == ["missing", "does_not_cast", "out_of_range"]


def test_unknown_stops_and_tickets_are_null(run: Callable[..., Conformed]) -> None:
    header = ";".join(COUNTS).lower().replace("id_refa_lda", "ida")
    result = run("x.csv", header, "2025-01-01;100;110;63;X;ND;?;7")
    assert _rows(result, "stop_area_id", "ticket") == [(None, None)]


def test_profiles_are_a_table_of_their_own(run: Callable[..., Conformed]) -> None:
    lines = ["100;110;63;CHÂTELET;71379;JOHV;8H-9H;12,34", "100;110;63;CHÂTELET;71379;DIJFP;23H-0H;0,5"]
    lines += ["100;110;63;CHÂTELET;71379;SAVS;ND;1,71"]
    result = run("2019_S1_PROFIL_FER.txt", ";".join(PROFILES), *lines, encoding="cp1252")
    assert result.match.table.name == "rail_validation_profiles"
    names = ("vintage", "day_type_code", "day_type_fr", "hour", "share_pct", "stop")
    assert _rows(result, *names) == [
        (2019, "JOHV", "jour ouvré hors vacances scolaires", 8, 12.34, "CHÂTELET"),
        (2019, "DIJFP", "dimanche, jour férié ou pont", 23, 0.5, "CHÂTELET"),
        (2019, "SAVS", "samedi pendant les vacances scolaires", None, 1.71, "CHÂTELET"),
    ]


def test_bus_lines_are_no_stops(run: Callable[..., Conformed]) -> None:
    header = "JOUR;CODE_STIF_TRNS;CODE_STIF_RES;CODE_STIF_LIGNE;LIBELLE_LIGNE;ID_GROUPOFLINES;CATEGORIE_TITRE;NB_VALD"
    with pytest.raises(ConformError, match="CODE_STIF_ARRET"):
        run("2023_S1_NB_FER.txt", header, "01/07/2023;100;110;63;X;1;T;5")
