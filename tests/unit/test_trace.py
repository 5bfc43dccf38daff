"""From a published row, or one in quarantine, back to the line in the bytes."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipelines.add import add
from pipelines.compare import compare, versions
from pipelines.errors import LakeError, SettingsError
from pipelines.ingest import ingest
from pipelines.lake import Lake
from pipelines.package import export
from pipelines.progress import Silent
from pipelines.settings import Settings
from pipelines.trace import Trace, _Lines, trace

HEADER = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"


def line(number: int, *, month: str = "9", address: str = "RUE") -> str:
    return f'2019{number:08};20;{month};2019;12:25;1;13;13063;2;2;1;3;{address};"43,59";"5,00"'


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home")


@pytest.fixture
def bring(tmp_path: Path, settings: Settings) -> Callable[..., Path]:
    def bring(
        lines: list[str], name: str = "caract-2019.csv", pack: Callable[[Path, bytes], Any] = Path.write_bytes
    ) -> Path:
        file = tmp_path / name
        pack(file, "\r\n".join([HEADER, *lines, ""]).encode("cp1252"))
        (outcome,) = ingest("accidents", settings, Silent(), [str(file)])
        assert outcome.status == "published", outcome.message
        return file

    return bring


def one(settings: Settings, *terms: str) -> Trace:
    (found,) = trace(settings, "core.accidents", terms)
    return found


def test_a_row_leads_to_its_line_and_commit(settings: Settings, bring: Callable[..., Path]) -> None:
    file = bring(
        [line(1), '201900000002;20;9;2019;12:25;1;13;13063;2;2;1;3;"RUE\r\nDE L\'ÉGLISE";"43,59";"5,00"', line(3)]
    )
    third = one(settings, "201900000003")
    assert third.line_number == 5  # the second row takes two lines
    assert third.line == line(3) == file.read_bytes().decode("cp1252").split("\r\n")[4]
    assert (third.resource, third.encoding, third.separator, third.version) == ("caract-2019.csv", "cp1252", ";", 1)
    assert third.row["accident_id"] == "201900000003"
    assert Path(third.bytes_at or "").read_bytes() == file.read_bytes()
    newest = Lake(settings.lake).history("core.accidents", 1)[0]
    assert (third.contract, third.verdict) == (newest.details["contract"], newest.details["verdict"])
    assert (one(settings, "accident_id=201900000002").line or "").endswith('"RUE\nDE L\'ÉGLISE";"43,59";"5,00"')


def test_a_row_in_quarantine_leads_to_its_line(settings: Settings, bring: Callable[..., Path]) -> None:
    bring([*(line(n) for n in range(200)), line(200, month="13")])
    found = one(settings, "201900000200")
    assert (found.fault or {})["reason"] == "does_not_cast"
    assert (found.line_number, found.line, found.version) == (202, line(200, month="13"), None)
    assert found.row["mois"] == "13"


def test_a_row_published_and_another_of_its_key_in_quarantine(settings: Settings, bring: Callable[..., Path]) -> None:
    bring([*(line(n) for n in range(200)), line(7, address="AVENUE")])
    first, second = trace(settings, "core.accidents", ["201900000007"])
    assert (first.fault, first.line_number) == (None, 9)
    assert ((second.fault or {})["reason"], second.line) == ("duplicate_key", line(7, address="AVENUE"))


def _zip(file: Path, data: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inside/caract-2019.csv", data)
        archive.writestr("README.pdf", b"%PDF-1.7")


def _gzip(file: Path, data: bytes) -> None:
    file.write_bytes(gzip.compress(data))


@pytest.mark.parametrize(
    ("name", "pack", "member"),
    [("caract-2019.zip", _zip, "inside/caract-2019.csv"), ("caract-2019.csv.gz", _gzip, None)],
    ids=["zip", "gzip"],
)
def test_a_line_inside_an_archive(
    settings: Settings, bring: Callable[..., Path], name: str, pack: Callable[[Path, bytes], Any], member: str | None
) -> None:
    bring([line(1), line(2)], name, pack)
    found = one(settings, "201900000002")
    assert (found.line_number, found.line, found.member) == (3, line(2), member)
    assert [path for path in settings.staging.rglob("*") if path.is_file()] == []


def test_a_row_that_older_bytes_brought(settings: Settings, bring: Callable[..., Path], tmp_path: Path) -> None:
    bring([line(1)])
    bring([line(2)], "more.csv")
    assert one(settings, "201900000001").version == 1
    assert one(settings, "201900000002").version == 2


DEALS = """
name: deals
title: Deals
addresses: [somewhere]
homepage: h
publisher: p
licence: lov2
frequency: unknown
schedule: ""
tables:
  - name: deals
    title: t
    resources: deals
    primary_key: [buyer, day, price, at]
    layouts: [{name: only, header: [buyer, day, price, at]}]
    fields:
      - {name: buyer, type: string, from: buyer, constraints: {required: true}}
      - {name: day, type: date, from: day, constraints: {required: true}}
      - {name: price, type: decimal, from: price, constraints: {required: true}}
      - {name: at, type: datetime, from: at, constraints: {required: true}}
"""
DEAL = {"buyer": "Rue de l'Église = 2", "day": "2026-05-01", "price": "12.50", "at": "2026-05-01T08:00:00+02:00"}
OTHER = {"buyer": "autre", "day": "2026-05-02", "price": "13", "at": "2026-05-01T06:00:01Z"}


def _deals_csv(file: Path) -> str:
    file.write_text(
        "\n".join([",".join(DEAL), ",".join(OTHER.values()), ",".join(DEAL.values()), ""]), encoding="utf-8"
    )
    return ",".join(DEAL.values())


def _deals_json(file: Path) -> str:
    file.write_text(json.dumps([OTHER, DEAL]), encoding="utf-8")
    return json.dumps(DEAL, ensure_ascii=False)


def _deals_xlsx(file: Path) -> str:
    book = openpyxl.Workbook()
    book.active.title = "Lisez-moi"
    book.active.append(["nothing here"])
    sheet = book.create_sheet("Les ventes")
    for row in (DEAL, OTHER.values(), DEAL.values()):
        sheet.append(list(row))
    book.save(file)
    return json.dumps(DEAL, ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "write", "number", "member"),
    [
        ("deals.csv", _deals_csv, 3, None),
        ("deals.json", _deals_json, 2, None),
        ("deals.xlsx", _deals_xlsx, 3, "Les ventes"),
    ],
)
def test_keys_of_every_type_in_files_of_every_kind(
    settings: Settings, tmp_path: Path, name: str, write: Callable[[Path], str], number: int, member: str | None
) -> None:
    settings.own_schemas.mkdir(parents=True)
    (settings.own_schemas / "deals.yaml").write_text(DEALS, encoding="utf-8")
    line = write(tmp_path / name)
    (outcome,) = ingest("deals", settings, Silent(), [str(tmp_path / name)])
    assert (outcome.status, outcome.published) == ("published", 2), outcome.message
    for terms in (
        list(DEAL.values()),
        [DEAL["buyer"], "2026-05-01", "12.5", "2026-05-01T06:00:00Z"],
        ["price=12.5", "day=2026-05-01"],
        ["at=2026-05-01 06:00:00+00"],
    ):
        (found,) = trace(settings, "core.deals", terms)
        assert (found.line_number, found.member, found.row["buyer"]) == (number, member, DEAL["buyer"])
        assert found.line == line
    with pytest.raises(LakeError, match="has price = twelve"):
        trace(settings, "core.deals", ["price=twelve"])


def test_two_traces_at_once_leave_each_other_alone(settings: Settings, bring: Callable[..., Path]) -> None:
    bring([line(1), line(2)], "caract-2019.csv.gz", _gzip)
    with _Lines(settings) as other:
        first = one(settings, "201900000001")
        assert other.read(first.sha256, "caract-2019.csv.gz", None, 3) == (line(2), None)
        assert one(settings, "201900000002").line == line(2)
        assert other.read(first.sha256, "caract-2019.csv.gz", None, 2) == (line(1), None)


def test_bytes_that_were_removed_are_said(settings: Settings, bring: Callable[..., Path]) -> None:
    bring([line(1)])
    path = Path(one(settings, "201900000001").bytes_at or "")
    path.unlink()
    found = one(settings, "201900000001")
    assert (found.line, found.bytes_at) == (None, None)
    assert found.note == f"the bytes are gone: they were {path}"


def test_what_cannot_be_traced(settings: Settings, bring: Callable[..., Path]) -> None:
    bring([line(1)])
    with pytest.raises(LakeError, match=r"no row of core\.accidents has accident_id = 2, published or in quarantine"):
        trace(settings, "core.accidents", ["2"])
    with pytest.raises(SettingsError, match="its key is accident_id"):
        trace(settings, "core.accidents", ["1", "2"])
    with pytest.raises(SettingsError, match=r"core\.accidents has no column Num_Acc"):
        trace(settings, "core.accidents", ["Num_Acc=201900000001"])
    with pytest.raises(SettingsError, match=r"core\.readings is no open-data table"):
        trace(settings, "core.readings", ["2"])


def test_the_command_prints_the_way_back(settings: Settings, bring: Callable[..., Path]) -> None:
    from typer.testing import CliRunner

    from pipelines import cli

    bring([line(1)])
    shown = CliRunner().invoke(cli.app, ["trace", "core.accidents", "201900000001"]).output
    assert f"line 2: {line(1)}" in shown
    assert "sha256" in shown
    (found,) = json.loads(CliRunner().invoke(cli.app, ["trace", "core.accidents", "201900000001", "--json"]).output)
    assert (found["line"], found["row"]["accident_id"]) == (line(1), "201900000001")


def test_contracts_of_the_settings_given_count_and_not_those_in_force(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROCADE_HOME", str(tmp_path / "elsewhere"))
    file = tmp_path / "things.csv"
    file.write_text("code;name;worth\nA1;x;1\nB2;y;2\nC3;z;3\n", encoding="utf-8")
    add(str(file), settings, Silent())
    file.write_text("code;name;worth\nA1;x;1\nB2;y;5\nC3;z;3\n", encoding="utf-8")
    (outcome,) = ingest("things", settings, Silent(), [str(file)])
    assert outcome.changes == {"changed": 1, "same": 2}
    (found,) = trace(settings, "core.things", ["B2"])
    assert found.line == "B2;y;5"
    with versions(settings, "core.things", None, None) as (con, both):
        assert (both.key, compare(con, both).changed) == (("code",), 1)
    assert export(settings, "core.things", tmp_path / "out", "parquet").is_file()
