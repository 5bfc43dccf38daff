"""Great Expectations over clean rows, from the contract's own rules.

Conform has already rejected what breaks a hard rule, so the suite is the second witness: it reads the file that is about
to be published, with other code, and must agree. Rows are validated a row group at a time, so memory is bounded.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.contracts.rules import AtLeast, AtMost, OneOf, Pattern, Required, rules_of_table
from pipelines.quality.evidence import evidence_of
from pipelines.quality.verdict import Finding, Measured

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
    from pipelines.contracts.rules import Rule
    from pipelines.quality.verdict import Outcome

logging.getLogger("great_expectations").setLevel(logging.WARNING)


def expectations_of(contract: Contract, table: Table) -> list[Expectation]:
    """The suite of ``table``: one expectation a rule, with severity ``warning`` on those that only warn."""
    hard = [expectation_of(rule) for rule in rules_of_table(contract, table)]
    soft = [
        gxe.ExpectColumnValuesToBeBetween(
            column=field.value_column,
            min_value=field.expect.minimum,
            max_value=field.expect.maximum,
            mostly=field.expect.mostly,
            severity="warning",
        )
        for field in table.fields
        if field.expect is not None
    ]
    return hard + soft


def expectation_of(rule: Rule) -> Expectation:
    """The expectation that fails for just the values that ``rule`` sends to quarantine."""
    column = rule.field.value_column
    match rule.demand:
        case Required():
            return gxe.ExpectColumnValuesToNotBeNull(column=column)
        case Pattern(regex):
            # \Z and not $, before which Python lets a last line end pass
            return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=rf"^(?:{regex})\Z")
        case AtLeast(bound):
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=bound)
        case AtMost(bound):
            return gxe.ExpectColumnValuesToBeBetween(column=column, max_value=bound)
        case OneOf(values):
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(values))


def validate(file: Path, expectations: Sequence[Expectation], name: str) -> list[Finding]:
    """Each expectation judged on the Parquet ``file``, on every row or on what suffices; ``name`` is for the report."""
    listed = {each.column for each in expectations if isinstance(each, gxe.ExpectColumnValuesToBeInSet)}
    evidence = evidence_of(file, {each.column for each in expectations}, listed)
    if evidence.whole:
        return validate_batches(map(_frame, evidence.samples()), expectations, name)
    sample = [_frame(rows) for rows in evidence.samples()]
    strict = [each for each in expectations if _without_exception(each)]
    others = [each for each in expectations if not _without_exception(each)]
    by_facts = iter(validate_batches([*sample, _frame(evidence.facts())], strict, name))
    by_sample = iter(validate_batches(sample, others, name))
    every = f"; with the extremes, nulls and codes of all {evidence.rows} rows"
    some = f"; a sample of {evidence.rows} rows"
    return [
        _noted(next(by_facts), every) if _without_exception(each) else _noted(next(by_sample), some)
        for each in expectations
    ]


def _without_exception(expectation: Expectation) -> bool:
    """Whether extremes, nulls and distinct values suffice to judge it."""
    return not isinstance(expectation, gxe.ExpectColumnValuesToMatchRegex) and expectation.mostly == 1


def _noted(finding: Finding, note: str) -> Finding:
    return replace(finding, observed=f"{finding.observed}{note}")


def _frame(rows: pa.Table) -> pd.DataFrame:
    """``rows`` with money as floats, in which the limits of a contract and all that is beside them are distinct.

    As ``Decimal`` a price of 0.30 would be greater than the float 0.3 that the suite compares it with.
    """
    for index, column in enumerate(rows.schema):
        if pa.types.is_decimal(column.type):
            rows = rows.set_column(index, column.name, rows[column.name].cast(pa.float64()))
    return rows.to_pandas()


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
        examples = tuple(str(each) for each in self._examples[:3])
        arguments = {key: value for key, value in expectation.configuration.kwargs.items() if value is not None}
        measured = Measured(arguments, self._rows, self._bad, examples)
        if not self._bad:
            return Finding(kind, column, "passed", f"{self._rows} rows", measured)
        observed = f"{self._bad} of {self._rows} rows do not meet it ({', '.join(examples)})"
        share = 1 - self._bad / self._rows
        if share >= (expectation.mostly if isinstance(expectation.mostly, float | int) else 1):
            return Finding(kind, column, "passed", observed, measured)
        outcome: Outcome = "warned" if expectation.severity == "warning" else "failed"
        return Finding(kind, column, outcome, observed, measured)
