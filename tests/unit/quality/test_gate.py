"""The gate, and that its two witnesses agree: what conform rejects, the suite would have refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.conform import conform
from pipelines.contracts import load_contract
from pipelines.errors import QualityError
from pipelines.progress import Silent
from pipelines.quality.gate import judge
from pipelines.quality.suite import expectations_of, validate
from pipelines.quality.verdict import Finding, Verdict
from pipelines.settings import Settings

CONTRACT = load_contract("accidents")
USERS = CONTRACT.table("accident_users")


def _row(**changes: object) -> dict[str, object]:
    clean = dict.fromkeys(USERS.arrow_schema().names)
    clean |= {"accident_id": "201900000001", "vintage": 2019, "vehicle_number": "A01", "severity_code": "2"}
    clean |= {"hospitalised_definition": "from 2019"}
    return clean | changes


def _failures(tmp_path: Path, *rows: dict[str, object]) -> set[tuple[str, str | None]]:
    file = tmp_path / "rows.parquet"
    nullable = pa.schema([field.with_nullable(nullable=True) for field in USERS.arrow_schema()])
    pq.write_table(pa.Table.from_pylist(list(rows), nullable), file)
    findings = validate(file, expectations_of(CONTRACT, USERS), "users")
    return {(each.expectation, each.column) for each in findings if each.outcome == "failed"}


def test_clean_rows_pass(tmp_path: Path) -> None:
    assert _failures(tmp_path, _row(), _row(severity_code=None, birth_year=1970)) == set()


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"accident_id": None}, ("expect_column_values_to_not_be_null", "accident_id")),
        ({"accident_id": "2.02E+11"}, ("expect_column_values_to_match_regex", "accident_id")),
        ({"severity_code": "9"}, ("expect_column_values_to_be_in_set", "severity_code")),
        ({"birth_year": 1700}, ("expect_column_values_to_be_between", "birth_year")),
        ({"vintage": 2031}, ("expect_column_values_to_be_between", "vintage")),
    ],
)
def test_what_conform_should_have_rejected_fails(
    tmp_path: Path, changes: dict[str, object], failure: tuple[str, str]
) -> None:
    assert _failures(tmp_path, _row(), _row(**changes)) == {failure}


def test_a_fault_in_any_row_group_counts(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    nullable = pa.schema([field.with_nullable(nullable=True) for field in USERS.arrow_schema()])
    with pq.ParquetWriter(file, nullable) as writer:
        writer.write_table(pa.Table.from_pylist([_row()] * 5, nullable))
        writer.write_table(pa.Table.from_pylist([_row(severity_code="9")], nullable))
        writer.write_table(pa.Table.from_pylist([_row()] * 5, nullable))
    findings = validate(file, expectations_of(CONTRACT, USERS), "users")
    (failed,) = [each for each in findings if each.outcome == "failed"]
    assert failed.observed.startswith("1 of 11 rows")


def test_soft_expectations_only_warn(tmp_path: Path) -> None:
    places = CONTRACT.table("accident_places")
    clean = dict.fromkeys(places.arrow_schema().names)
    clean |= {"accident_id": "201900000001", "vintage": 2019}
    nullable = pa.schema([field.with_nullable(nullable=True) for field in places.arrow_schema()])
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([clean | {"speed_limit_kmh": 500}] * 3, nullable), file)
    findings = validate(file, expectations_of(CONTRACT, places), "places")
    assert [(each.column, each.outcome) for each in findings if each.outcome != "passed"] == [
        ("speed_limit_kmh", "warned")
    ]


def test_a_verdict_says_every_failure() -> None:
    findings = (
        Finding("a", "x", "failed", "bad x"),
        Finding("b", None, "warned", "odd"),
        Finding("c", None, "failed", "bad"),
    )
    verdict = Verdict("core.things", 3, findings)
    assert verdict.summary() == "3 expectations, 2 failed, 1 warned"
    with pytest.raises(QualityError, match=r"things\.csv: not published: x: bad x; bad .*last good version"):
        verdict.require("things.csv")
    Verdict("core.things", 3, findings[1:2]).require("things.csv")


_HEADER = "Num_Acc;jour;mois;an;hrmn;lum;dep;com;agg;int;atm;col;adr;lat;long"


def test_a_key_that_stands_twice_in_what_was_written_fails(tmp_path: Path) -> None:
    rows = [f"2019{number:08};1;2;2019;10:30;1;17;17300;2;1;1;3;RUE;46,1;-1,2" for number in range(50)]
    (tmp_path / "caracteristiques-2019.csv").write_text("\n".join([_HEADER, *rows]) + "\n", encoding="utf-8")
    settings = Settings(home=tmp_path / "home")
    settings.staging.mkdir(parents=True)
    result = conform(
        tmp_path / "caracteristiques-2019.csv",
        CONTRACT,
        settings,
        Silent(),
        name="caracteristiques-2019.csv",
        resource="here",
        sha256="0" * 64,
        target=tmp_path / "clean.parquet",
    )
    assert judge(result, CONTRACT, settings, "here").passed
    written = pq.read_table(result.file)
    pq.write_table(pa.concat_tables([written, written.slice(30, 2)]), result.file)
    failed = [each for each in judge(result, CONTRACT, settings, "here").findings if each.outcome == "failed"]
    assert [(each.expectation, each.column) for each in failed] == [("key_is_unique", "accident_id")]
    assert failed[0].observed.startswith("2 keys stand more than once in the file, for example 20190000003")
