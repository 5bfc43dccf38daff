"""What only the dataset as a whole can show: how new it is, what ran empty; and the pages that tell it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.contracts import load_contract
from pipelines.ingest import Outcome, ingest
from pipelines.progress import Silent
from pipelines.quality.completeness import columns_have_their_types, columns_stay_filled
from pipelines.quality.docs import write_index, write_page
from pipelines.quality.freshness import PERIODS, freshness
from pipelines.quality.verdict import Finding, Measured, Verdict, read_verdict
from pipelines.settings import Settings

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("frequency", "newest", "outcome", "says"),
    [
        ("daily", date(2026, 11, 21), "passed", "1 days ago"),
        ("daily", date(2026, 11, 19), "warned", "3 days ago"),
        ("annual", date(2024, 12, 31), "passed", "691 days"),
        ("annual", date(2023, 12, 31), "warned", "1057 days"),
        ("biannual", date(2026, 6, 1), "passed", "174 days"),
        ("quarterly", date(2026, 4, 1), "warned", "235 days"),
        ("unknown", date(1990, 1, 1), "passed", "not judged"),
        ("irregular", date(1990, 1, 1), "passed", "not judged: frequency 'irregular' promises no date"),
        ("everyFullMoon", date(1990, 1, 1), "passed", "is not known"),
        ("daily", None, "warned", "no row has a date"),
        ("daily", date(2027, 1, 1), "warned", "in the future"),
    ],
)
def test_old_data_warns_by_the_declared_frequency(frequency: str, newest: date | None, outcome: str, says: str) -> None:
    contract = load_contract("restaurants").model_copy(update={"frequency": frequency})
    found = freshness(contract, "inspected_on", newest, TODAY)
    assert (found.outcome, says in found.observed) == (outcome, True), found


def test_every_shipped_contract_has_a_frequency_that_is_known() -> None:
    for name in ("accidents", "charge_points", "electricity", "property", "rail_validations", "restaurants"):
        assert load_contract(name).frequency in PERIODS


def _file(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)
    return path


def test_a_column_that_ran_empty_fails_and_one_that_thins_out_warns(tmp_path: Path) -> None:
    before = _file(tmp_path / "old.parquet", a=["x"] * 10, b=["x"] * 10, c=["x"] * 10, d=[None] * 10)
    now = _file(tmp_path / "new.parquet", a=["x"] * 10, b=[None] * 10, c=["x"] * 4 + [None] * 6, d=[None] * 10)
    found = columns_stay_filled(now, [str(before)], ["a", "b", "c", "d"], accepted=False)
    assert [(each.column, each.outcome) for each in found] == [("b", "failed"), ("c", "warned")]
    assert "--accept-shrink" in found[0].observed
    accepted = columns_stay_filled(now, [str(before)], ["a", "b", "c", "d"], accepted=True)
    assert [(each.column, each.outcome) for each in accepted] == [("b", "warned"), ("c", "warned")]
    assert columns_stay_filled(now, [], ["a"], accepted=False) == []


def test_a_type_that_is_not_the_contracts_fails(tmp_path: Path) -> None:
    file = _file(tmp_path / "new.parquet", a=["1"])
    assert columns_have_their_types(file, pa.schema([("a", pa.string()), ("b", pa.int64())])).outcome == "passed"
    found = columns_have_their_types(file, pa.schema([("a", pa.int64())]))
    assert (found.outcome, found.observed) == ("failed", "a is string, not int64")


Bring = Callable[..., Outcome]


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Ingest a file of places, whose speed limits are there or not."""
    header = "Num_Acc;catr;voie;v1;v2;circ;nbv;vosp;prof;pr;pr1;plan;lartpc;larrout;surf;infra;situ;vma"

    def bring(limit: str, *, accept: bool = False) -> Outcome:
        rows = [f"2019{number:08};4;RUE;0;;2;2;0;1;(1);(1);1;;-1;1;0;1;{limit}" for number in range(20)]
        (tmp_path / "lieux-2019.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        settings = Settings(home=tmp_path / "home")
        (outcome,) = ingest("accidents", settings, Silent(), [str(tmp_path / "lieux-2019.csv")], accept_shrink=accept)
        return outcome

    return bring


def test_an_emptied_column_is_not_published_unless_somebody_says_so(bring: Bring) -> None:
    assert bring("50").status == "published"
    refused = bring("")
    assert (refused.status, "speed_limit_kmh: 0% of the cells" in (refused.message or "")) == ("refused", True)
    assert refused.proposal is None
    assert bring("", accept=True).status == "published"


def test_a_verdict_reads_back_as_it_was_written(tmp_path: Path) -> None:
    measured = Measured({"column": "x", "min_value": 0}, 10, 2, ("-1", "-2"))
    verdict = Verdict(
        "core.things", 10, (Finding("a", "x", "failed", "bad", measured), Finding("b", None, "passed", ""))
    )
    verdict.write(tmp_path / "things" / "one.json")
    assert read_verdict(tmp_path / "things" / "one.json") == verdict
    assert [each.name for each in (tmp_path / "things").iterdir()] == ["one.json"]


def test_pages_tell_every_finding_and_fetch_nothing(bring: Bring, tmp_path: Path) -> None:
    assert bring("50").report is not None
    page = bring("500").report  # which the contract expects of few
    assert page is not None
    text = page.read_text(encoding="utf-8")
    verdict = read_verdict(next(page.parents[2].glob(f"accident_places/{page.stem}.json")))
    assert verdict.warnings
    for finding in verdict.findings:
        if finding.measured is None:
            assert finding.expectation.replace("_", " ") in text
        else:
            assert f"{finding.column}\n" in re.sub(r" *\n *", "\n", text)
    index = (page.parents[1] / "index.html").read_text(encoding="utf-8")
    assert f'href="accident_places/{page.name}"' in index
    for html in (text, index):
        assert not re.search(r"https?://|src=|<script|@import|url\(", html)


def test_values_of_the_publisher_cannot_write_into_a_page(tmp_path: Path) -> None:
    measured = Measured({"column": "x", "value_set": ["a"]}, 10, 1, ("<script>alert(1)</script>",))
    evil = Finding("expect_column_values_to_be_in_set", "x", "failed", "<img src=x onerror=alert(1)>", measured)
    verdict = Verdict("core.things", 10, (evil, Finding("rejected", None, "failed", "<b onclick=alert(1)>")))
    report = tmp_path / "things" / "one.json"
    verdict.write(report)
    text = write_page(verdict, report, tmp_path).read_text(encoding="utf-8") + write_index(tmp_path).read_text("utf-8")
    assert not re.search(r"<script|<img|<b ", text)
    assert json.loads(report.read_text("utf-8"))["findings"][0]["measured"]["examples"] == ["<script>alert(1)</script>"]
