"""A contract that a file breaks: the proposed diff, applied as a user applies it, makes the file ingest."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest import Outcome, ingest
from pipelines.lake import Lake, connect
from pipelines.progress import Silent
from pipelines.settings import Settings, data_folder

SHOPS = """\
# Shops, as the town lists them.
name: shops
title: Shops
datagouv: d
homepage: h
publisher: p
licence: fr-lo
frequency: annual
schedule: ""
vintages: {first: 2020, last: 2024}

code_lists:
  # What is sold.
  trade: {1: bread | pain, 2: {en: flowers, fr: fleurs, also: [Fleuriste]}}  # two for now
tables:
  - name: shops
    title: One row a shop
    resources: 'shops(?:-(?P<vintage>\\d{4}))?'
    primary_key: [shop_id]
    layouts:
      - name: only
        header: [ID, Libellé, Date ouverture, Surface (m²), Activité, an]
    fields:
      - {name: shop_id, type: string, from: ID, constraints: {required: true, pattern: '[A-Z]\\d{4}'}}  # the key
      - {name: label, type: string, from: Libellé}
      - name: opened_on
        type: date
        from: Date ouverture  # ISO
      - {name: area_m2, type: integer, unit: m², from: Surface (m²), constraints: {minimum: 0}}
      - {name: trade, type: code, codes: trade, from: Activité}
      - {name: vintage, type: integer, from: an, constraints: {required: true}}
"""
HEADER = ["ID", "Libellé", "Date ouverture", "Surface (m²)", "Activité", "an"]


def _row(number: int) -> list[str]:
    return [
        f"A{number:04}",
        f"Chez {number}",
        f"2001-{number % 12 + 1:02}-{number % 28 + 1:02}",
        str(number),
        str(number % 2 + 1),
        "2024",
    ]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
    own = Settings(home=tmp_path / "home")
    own.own_schemas.mkdir(parents=True)
    (own.own_schemas / "shops.yaml").write_text(SHOPS, encoding="utf-8")
    return own


Bring = Callable[..., Outcome]


@pytest.fixture
def bring(tmp_path: Path, settings: Settings) -> Bring:
    """Ingest the town's 300 shops, written with another header or other cells."""

    def bring(
        name: str = "shops.csv", header: list[str] = HEADER, change: Callable[[list[str]], list[str]] = lambda row: row
    ) -> Outcome:
        lines = [header, *(change(_row(number)) for number in range(1, 301))]
        (tmp_path / name).write_text("\n".join(";".join(line) for line in lines) + "\n", encoding="utf-8")
        (outcome,) = ingest("shops", settings, Silent(), [str(tmp_path / name)])
        return outcome

    return bring


def _apply(outcome: Outcome) -> None:
    assert outcome.proposal is not None, outcome.message
    assert outcome.proposal.complete, outcome.proposal
    command = ["patch", "--dry-run", str(outcome.proposal.contract), str(outcome.proposal_file)]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run([command[0], *command[2:]], check=True, capture_output=True)


def _values(settings: Settings, columns: str, table: str = "core.shops") -> list[tuple[Any, ...]]:
    with connect(settings) as con:
        return con.execute(f"SELECT {columns} FROM {Lake(settings.lake).relation_sql(table)} ORDER BY ALL").fetchall()


def _replaced(place: int, text: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda row: [text(cell) if index == place else cell for index, cell in enumerate(row)]


def _french(day: str) -> str:
    return "/".join(reversed(day.split("-")))


CHANGES: dict[str, tuple[str, list[str], Callable[[list[str]], list[str]], str, str]] = {
    "a column renamed, told by its name": (
        "shops.csv",
        ["ID", "Libellé", "date_d_ouverture", "Surface (m²)", "Activité", "an"],
        lambda row: row,
        r"'Date ouverture' is now 'date_d_ouverture'",
        "opened_on",
    ),
    "two columns renamed and others moved": (
        "shops.csv",
        ["an", "Activité", "SURFACE", "Date ouverture", "Nom / libellé", "ID"],
        lambda row: row[::-1],
        r"'Surface \(m²\)' is now 'SURFACE'.*|'Libellé' is now 'Nom / libellé'",
        "label, area_m2",
    ),
    "a column renamed, told by its place and cells": (
        "shops.csv",
        ["ID", "Libellé", "Début", "Surface (m²)", "Activité", "an"],
        lambda row: row,
        "'Date ouverture' is now 'Début'",
        "opened_on",
    ),
    "the key renamed": ("shops.csv", ["Identifiant", *HEADER[1:]], lambda row: row, "'ID' is now 'Identifiant'", "shop_id"),
    "a column gone": (
        "shops.csv",
        [*HEADER[:2], *HEADER[3:]],
        lambda row: [*row[:2], *row[3:]],
        "'Date ouverture' is gone",
        "label",
    ),
    "a new vintage": ("shops-2025.csv", HEADER, _replaced(5, lambda _: "2025"), "covers 2025", "vintage"),
    "a new vintage that only the rows tell": ("shops.csv", HEADER, _replaced(5, lambda _: "2025"), "covers 2025", "vintage"),
    "dates the other way round": ("shops.csv", HEADER, _replaced(2, _french), "cast 'date_day_first'", "opened_on"),
    "whole numbers that have fractions now": ("shops.csv", HEADER, _replaced(3, lambda n: f"{n},5"), "type 'number'", "area_m2"),
    "a code that is new": ("shops.csv", HEADER, _replaced(4, lambda n: {"2": "3"}.get(n, n)), "'3' is new", "trade_code"),
    "codes written as labels": (
        "shops.csv",
        HEADER,
        _replaced(4, lambda n: {"1": "Pain", "2": "fleuristes"}[n]),
        "'fleuristes' is another spelling of '2'",
        "trade_code, trade",
    ),
    "a new year, a new name and another notation at once": (
        "shops-2025.csv",
        ["ID", "Libellé", "date_ouverture", "Surface (m²)", "Activité", "an"],
        lambda row: [*row[:2], _french(row[2]), *row[3:5], "2025"],
        "covers 2025|date_day_first|'date_ouverture'",
        "opened_on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_the_proposed_change_makes_the_file_ingest(kind: str, bring: Bring, settings: Settings) -> None:
    name, header, change, told, columns = CHANGES[kind]
    broken = bring(name, header, change)
    assert broken.exit_code == 5
    assert broken.proposal is not None, broken.message
    assert re.search(told, "; ".join(broken.proposal.changes)), broken.proposal.changes
    assert "patch" not in (broken.message or "")
    _apply(broken)
    mended = bring(name, header, change)
    assert (mended.status, mended.published, mended.quarantined) == ("published", 300, {}), mended.message
    # what the columns mean, worked out here
    plain = {
        "shop_id": lambda n: _row(n)[0],
        "label": lambda n: _row(n)[1],
        "opened_on": lambda n: date.fromisoformat(_row(n)[2]),
        "area_m2": lambda n: n + 0.5 if "fractions" in kind else n,
        "trade_code": lambda n: "3" if "new" in kind and n % 2 else str(n % 2 + 1),
        "trade": lambda n: ["bread", "flowers"][n % 2],
        "vintage": lambda _: 2025,
    }
    expected = [tuple(plain[column](n) for column in columns.split(", ")) for n in range(1, 301)]
    assert _values(settings, columns) == sorted(expected)


def test_comments_order_and_notation_of_the_contract_survive(bring: Bring, settings: Settings) -> None:
    name, header, change, *_ = CHANGES["a new year, a new name and another notation at once"]
    _apply(bring(name, header, change))
    new = (settings.own_schemas / "shops.yaml").read_text(encoding="utf-8")
    assert [line for line in SHOPS.splitlines() if "#" in line and "# ISO" not in line] == [
        line for line in new.splitlines() if "#" in line and "# ISO" not in line
    ]
    kept = [line for line in SHOPS.splitlines() if line in new.splitlines()]
    assert len(kept) == len(SHOPS.splitlines()) - 1  # the vintages


def test_other_files_are_taken_as_before(bring: Bring) -> None:
    _apply(bring(*CHANGES["a column renamed, told by its name"][:3]))
    assert bring("shops-2024.csv").status == "published"


@pytest.mark.parametrize(
    ("header", "change"),
    [
        (["a", "b", "c"], lambda row: row[:3]),  # a file of something else
        (
            ["ID", "Libellé", "Date ouverture", "Surface (m²)", "Activité"],
            lambda row: row[:5],
        ),  # the year, which must be there
        (HEADER, _replaced(0, lambda _: "?")),  # no key
        (["Libellé", "Remarque", "Date ouverture", "Surface (m²)", "Activité", "an"], lambda row: row[1:2] + row[1:]),
    ],
)
def test_what_no_contract_can_mend_is_not_proposed(
    header: list[str], change: Callable[[list[str]], list[str]], bring: Bring
) -> None:
    outcome = bring("shops.csv", header, change)
    assert outcome.exit_code == 5
    assert outcome.proposal is None or not outcome.proposal.complete


def test_a_month_is_never_put_first_silently(bring: Bring) -> None:
    def american(day: str) -> str:
        year, month, number = day.split("-")
        return f"{month}/{number}/{year}"

    outcome = bring("shops.csv", HEADER, _replaced(2, american))
    assert outcome.proposal is None or "month_first" not in outcome.proposal.diff


def test_a_refusal_for_other_reasons_proposes_nothing(bring: Bring, settings: Settings, tmp_path: Path) -> None:
    bring()
    (tmp_path / "shops.csv").write_text(";".join(HEADER) + "\n" + ";".join(_row(1)) + "\n", encoding="utf-8")
    (outcome,) = ingest("shops", settings, Silent(), [str(tmp_path / "shops.csv")])
    assert (outcome.status, outcome.proposal) == ("refused", None)


def test_a_fault_is_mended_in_the_field_that_has_it(settings: Settings, tmp_path: Path) -> None:
    """Two fields read the key; what a spreadsheet left of it is no reason to read its year otherwise."""
    rows = "".join(f"2.02E+11;20;9;2024;12:25;1;13;13063;2;2;1;3;RUE {i};43,59;5,00\n" for i in range(30))
    file = tmp_path / "caract-2024.csv"
    file.write_text(f"{CARACT.replace('Accident_Id', 'Num_Acc')}\n{rows}", encoding="utf-8")
    (outcome,) = ingest("accidents", settings, Silent(), [str(file)])
    assert outcome.exit_code == 5
    assert "a spreadsheet has cut this number" in (outcome.message or "")
    assert outcome.proposal is None


CARACT = "Accident_Id;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"
PLACES = "Num_Acc;catr;voie;v1;v2;circ;nbv;vosp;prof;pr;pr1;plan;lartpc;larrout;surf;infra;situ;vma"
PUBLISHED = {
    "caract-2022.csv": (
        CARACT,
        '20220000{:04};20;9;2022;12:25;1;13;13063;2;2;1;3;RUE;"43,59";"5,00"',
        '"2022"',
        "accidents",
    ),
    "lieux-2022.csv": (PLACES, "20220000{:04};4;RUE;0;;2;2;0;1;(1);(1);1;;-1;1;0;1;50", "from 2019", "accident_places"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_real_layout_that_the_contract_did_not_know_is_found_out(
    name: str, settings: Settings, tmp_path: Path
) -> None:
    """The publisher's own change of header, with the layout taken out of the contract: the rows come out as with it."""
    header, row, layout, table = PUBLISHED[name]
    file = tmp_path / name
    file.write_text("\n".join([header, *(row.format(n) for n in range(200))]) + "\n", encoding="utf-8")
    (known,) = ingest("accidents", settings, Silent(), [str(file)])
    assert known.status == "published", known.message
    as_known = _values(settings, "* EXCLUDE (source_resource)", f"core.{table}")
    text = (data_folder("schemas") / "accidents.yaml").read_text(encoding="utf-8")
    own = settings.own_schemas / "accidents.yaml"
    own.write_text(_without_layout(text, table, layout), encoding="utf-8")
    copy = tmp_path / f"copy-of-{name}"
    copy.write_bytes(file.read_bytes())
    other = Settings(home=tmp_path / "other", schemas=settings.own_schemas)
    (broken,) = ingest("accidents", other, Silent(), [str(file)])
    assert broken.exit_code == 5
    _apply(broken)
    (mended,) = ingest("accidents", other, Silent(), [str(file)])
    assert mended.status == "published", mended.message
    assert _values(other, "* EXCLUDE (source_resource)", f"core.{table}") == as_known


def _without_layout(text: str, table: str, layout: str) -> str:
    head, mark, rest = text.partition(f"  - name: {table}\n")
    rest = re.sub(rf"      - name: {re.escape(layout)}\n        header: .*\n", "", rest, count=1)
    name = re.escape(layout)
    rest = re.sub(rf"(, )?by_layout: {{{name}: {{[^{{}}]*}}}}", "", rest)
    return head + mark + re.sub(rf"(, )?{name}: {{(from|cast): [^{{}}]*}}", "", rest)


def test_the_real_header_of_2026_is_read_under_the_names_of_2020(settings: Settings, tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "../shared/data/datagouv/stations/frequentation-gares_2026-04.csv"
    if not source.is_file():
        pytest.skip("the real files are not here")
    text = (data_folder("schemas") / "station_traffic.yaml").read_text(encoding="utf-8")
    (settings.own_schemas / "station_traffic.yaml").write_text(_without_stations(text), encoding="utf-8")
    (broken,) = ingest("station_traffic", settings, Silent(), [str(source)])
    assert broken.exit_code == 5
    _apply(broken)
    (mended,) = ingest("station_traffic", settings, Silent(), [str(source)])
    assert mended.status == "published", mended.message
    raw = source.read_text(encoding="utf-8-sig").splitlines()
    codes = {line.split(";")[raw[0].split(";").index("Code UIC")] for line in raw[1:]}
    assert {code for (code,) in _values(settings, "DISTINCT uic_code", "core.station_traffic")} == codes


def _without_stations(text: str) -> str:
    text = re.sub(r"      - name: from 2024\n(        .*\n)+", "", text)
    return re.sub(r"(, )?from 2024: {[^{}]*}(, )?", "", text).replace(
        "by_layout: {}", "by_layout: {field names: {from: x}}"
    )
