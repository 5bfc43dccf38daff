from __future__ import annotations

from pathlib import Path

import great_expectations.expectations as gxe
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from great_expectations.expectations.expectation import Expectation

from pipelines.quality import evidence
from pipelines.quality.suite import validate

_ROWS = 3000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "WHOLE", 1000)
    monkeypatch.setattr(evidence, "_BLOCKS", 10)
    monkeypatch.setattr(evidence, "_BLOCK_ROWS", 10)


def _file(folder: Path, **changed: object) -> Path:
    """A file in which, in one row that no sample holds, one cell is another."""
    columns: dict[str, list[object]] = {
        "number": [float(each) for each in range(_ROWS)],
        "text": ["x"] * _ROWS,
        "code": [str(each % 5) for each in range(_ROWS)],
    }
    for name, value in changed.items():
        columns[name][1777] = value
    types = pa.schema([("number", pa.float64()), ("text", pa.string()), ("code", pa.string())])
    pq.write_table(pa.table(columns, schema=types), folder / "x.parquet", row_group_size=150)
    return folder / "x.parquet"


def _rules() -> list[Expectation]:
    return [
        gxe.ExpectColumnValuesToBeBetween(column="number", min_value=0, max_value=_ROWS),
        gxe.ExpectColumnValuesToNotBeNull(column="number"),
        gxe.ExpectColumnValuesToNotBeNull(column="text"),
        gxe.ExpectColumnValuesToBeInSet(column="code", value_set=list("01234")),
    ]


def test_a_large_sound_file_passes_and_says_what_was_looked_at(tmp_path: Path) -> None:
    found = validate(_file(tmp_path), _rules(), "x")
    assert [each.outcome for each in found] == ["passed"] * 4
    assert "all 3000 rows" in found[0].observed


@pytest.mark.parametrize(
    ("changed", "failed"),
    [({"number": -1.0}, 0), ({"number": 1e9}, 0), ({"number": None}, 1), ({"text": None}, 2), ({"code": "9"}, 3)],
)
def test_one_bad_row_among_thousands_fails_a_rule_without_exception(
    tmp_path: Path, changed: dict[str, object], failed: int
) -> None:
    outcomes = [each.outcome for each in validate(_file(tmp_path, **changed), _rules(), "x")]
    assert outcomes[failed] == "failed"
    assert outcomes.count("failed") == 1


def test_patterns_and_rules_with_exceptions_are_judged_by_the_sample(tmp_path: Path) -> None:
    rules = [
        gxe.ExpectColumnValuesToMatchRegex(column="text", regex="^x$"),
        gxe.ExpectColumnValuesToBeBetween(column="number", max_value=_ROWS // 2, mostly=0.9, severity="warning"),
    ]
    pattern, soft = validate(_file(tmp_path), rules, "x")
    assert pattern.outcome == "passed"
    assert soft.outcome == "warned"  # about half of the rows, and of the sample, are above
    assert "a sample of 3000 rows" in soft.observed


def test_the_sample_takes_neighbours_out_of_every_part_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "_BLOCKS", 60)
    monkeypatch.setattr(evidence, "_BLOCK_ROWS", 7)
    shown = evidence.evidence_of(_file(tmp_path), ["number"], [])
    (rows,) = shown.samples()
    taken = [int(each) for each in rows["number"].to_pylist()]
    per_part = [[row % 50 for row in taken if row // 50 == part] for part in range(60)]
    assert all(part == list(range(part[0], part[0] + 7)) for part in per_part)
    assert len({part[0] for part in per_part}) > 20  # not the same place in each
    (again,) = shown.samples()
    assert again.equals(rows)


def test_faults_that_stand_together_cannot_hide_between_the_rows_of_the_sample(tmp_path: Path) -> None:
    rows = pa.table({"text": ["x"] * 1000 + ["y"] * 600 + ["x"] * 1400})
    pq.write_table(rows, tmp_path / "x.parquet", row_group_size=150)
    (found,) = validate(tmp_path / "x.parquet", [gxe.ExpectColumnValuesToMatchRegex(column="text", regex="^x$")], "x")
    assert found.outcome == "failed"
