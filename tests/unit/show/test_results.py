"""Query results as somebody reads them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines import show


def test_sums_are_shown_with_all_their_digits(capsys: pytest.CaptureFixture[str]) -> None:
    values = [2651450123.25, 999999999999999.0, 0.1 + 0.2, -3e9, 1e20, float("nan")]
    table = pa.table({"total": values})
    show.rows(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), "table")
    cells = [line.strip(" │┃|") for line in capsys.readouterr().out.splitlines()]
    assert [
        cell for cell in cells if cell in {"2651450123.25", "999999999999999", "0.3", "-3000000000", "1e+20", "nan"}
    ] == ["2651450123.25", "999999999999999", "0.3", "-3000000000", "1e+20", "nan"]
