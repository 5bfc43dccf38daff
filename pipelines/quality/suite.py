"""Great Expectations over clean rows, from the contract's own rules.

Conform has already rejected what breaks a hard rule, so the suite is the second witness: it reads the file that is about
to be published, with other code, and must agree. Rows are validated a row group at a time, so memory is bounded.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from pipelines.quality.verdict import Finding

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # before the import, or it dials out
import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.core.result_format import ResultFormat
from great_expectations.data_context.types.base import ProgressBarsConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd
    from great_expectations.expectations.expectation import Expectation

    from pipelines.contracts import Contract, Table

logging.getLogger("great_expectations").setLevel(logging.WARNING)


def expectations_of(contract: Contract, table: Table) -> list[Expectation]:
    """The suite of ``table``: one expectation a rule, ``meta.soft`` on those that only warn."""
    found: list[Expectation] = []
    for field in table.fields:
        column, rules = field.value_column, field.constraints
        if rules.required:
            found.append(gxe.ExpectColumnValuesToNotBeNull(column=column))
        if rules.pattern is not None:
            found.append(gxe.ExpectColumnValuesToMatchRegex(column=column, regex=f"^(?:{rules.pattern})$"))
        if rules.minimum is not None or rules.maximum is not None:
            found.append(
                gxe.ExpectColumnValuesToBeBetween(column=column, min_value=rules.minimum, max_value=rules.maximum)
            )
        if field.codes is not None:
            codes = list(contract.code_lists[field.codes])
            found.append(gxe.ExpectColumnValuesToBeInSet(column=column, value_set=codes))
        if field.expect is not None:
            soft = field.expect
            found.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column=column,
                    min_value=soft.minimum,
                    max_value=soft.maximum,
                    mostly=soft.mostly,
                    severity="warning",
                )
            )
    vintages = contract.vintages
    if vintages is not None and any(field.name == vintages.field for field in table.fields):
        found.append(
            gxe.ExpectColumnValuesToBeBetween(column=vintages.field, min_value=vintages.first, max_value=vintages.last)
        )
    return found


def validate(file: Path, expectations: Sequence[Expectation], name: str) -> list[Finding]:
    """Each expectation judged on every row of the Parquet ``file``; ``name`` is for the report."""
    columns = sorted({each.column for each in expectations})
    with pq.ParquetFile(file) as parquet:
        groups = range(parquet.num_row_groups)
        frames = (parquet.read_row_group(group, columns=columns).to_pandas() for group in groups)
        return validate_batches(frames, expectations, name)


def validate_batches(frames: Iterable[pd.DataFrame], expectations: Sequence[Expectation], name: str) -> list[Finding]:
    """Each expectation judged on all ``frames`` together, with only one of them in memory."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=list(expectations)))
    asset = context.data_sources.add_pandas("published").add_dataframe_asset(name)
    batches = asset.add_batch_definition_whole_dataframe("batch")
    validation = gx.ValidationDefinition(name=name, data=batches, suite=suite)
    tallies = [_Tally() for _ in expectations]
    for frame in frames:
        result = validation.run(batch_parameters={"dataframe": frame}, result_format=ResultFormat.BASIC)
        by_identity = {_identity(each.expectation_config): each for each in result.results}
        for tally, expectation in zip(tallies, expectations, strict=True):
            tally.add(by_identity[_identity(expectation.configuration)])
    return [tally.finding(expectation) for tally, expectation in zip(tallies, expectations, strict=True)]


def _identity(configuration: Any) -> str:
    kwargs = {key: value for key, value in configuration.kwargs.items() if key != "batch_id" and value is not None}
    return f"{configuration.type} {sorted(kwargs.items(), key=str)}"


class _Tally:
    """One expectation's result over all row groups."""

    def __init__(self) -> None:
        self._rows = self._bad = 0
        self._examples: list[Any] = []
        self._broken: str | None = None

    def add(self, result: Any) -> None:
        trouble = (result.exception_info or {}).get("raised_exception")
        if trouble or "element_count" not in result.result:
            self._broken = str(result.exception_info)
            return
        self._rows += result.result["element_count"]
        self._bad += result.result["unexpected_count"]
        self._examples += result.result.get("partial_unexpected_list", [])[:3]

    def finding(self, expectation: Expectation) -> Finding:
        kind, column = expectation.configuration.type, expectation.column
        if self._broken is not None:
            return Finding(kind, column, "failed", f"could not be judged: {self._broken}")
        if not self._bad:
            return Finding(kind, column, "passed", f"{self._rows} rows")
        examples = ", ".join(str(each) for each in self._examples[:3])
        observed = f"{self._bad} of {self._rows} rows do not meet it ({examples})"
        share = 1 - self._bad / self._rows
        if share >= (expectation.mostly if isinstance(expectation.mostly, float | int) else 1):
            return Finding(kind, column, "passed", observed)
        return Finding(kind, column, "warned" if expectation.severity == "warning" else "failed", observed)
