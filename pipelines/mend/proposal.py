"""The change of a contract under which a file's rows would be taken: altered step by step, each tried on the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.conform.match import match_layout, nearest_layout, stated_year
from pipelines.conform.written import SUPERSEDED
from pipelines.contracts.files import contract_files
from pipelines.errors import ConformError
from pipelines.mend.cells import main_fault, mend_cells
from pipelines.mend.edits import ContractText
from pipelines.mend.layouts import new_layout
from pipelines.mend.trial import on_trial

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipelines.conform.kinds import Part
    from pipelines.contracts import Contract
    from pipelines.mend.trial import Trial
    from pipelines.settings import Settings

_ROUNDS = 20


@dataclass(frozen=True)
class Proposal:
    """A change of a contract, for somebody to read and to apply.

    Attributes:
        contract: the file that it changes.
        diff: the change, as ``patch`` takes it.
        changes: what it does and on what ground, a sentence each.
        complete: with it the rows that were tried are taken; else it is a beginning.
    """

    contract: Path
    diff: str
    changes: tuple[str, ...]
    complete: bool


def propose_change(
    contract: Contract, part: Part, name: str, settings: Settings, rejected: pa.Table | None = None
) -> Proposal | None:
    """What to change in ``contract`` so that it takes ``part``; None where nothing can be said.

    Args:
        contract: as it is, from a file.
        part: a text that it does not take, or of which the gate refused the rows.
        name: the resource's title or file name.
        settings: where a few rows may be written for a while.
        rejected: rows in quarantine's schema.
    """
    file = contract_files(settings.own_schemas).get(contract.name)
    if file is None:
        return None
    old = file.read_text(encoding="utf-8")
    text, changes = ContractText(old), list[str]()
    try:
        with on_trial(part, name, settings, rejected) as trial:
            for _ in range(_ROUNDS):
                step = _next_change(text, trial)
                if step is None:
                    break
                text, told = step
                changes.append(told)
            complete = _takes(text.contract(), trial)
    except ConformError:
        return None
    diff = text.diff_from(old, f"schemas/{file.name}")
    return Proposal(file, diff, tuple(changes), complete) if diff else None


def _takes(contract: Contract, trial: Trial) -> bool:
    result = trial.run(contract)
    return result is not None and result.clean > 0 and result.rejected_share <= result.match.table.tolerance


def _next_change(text: ContractText, trial: Trial) -> tuple[ContractText, str] | None:
    """``text`` with one more thing changed, and what; None where all is well, or nothing more can be done."""
    contract = text.contract()
    try:
        match = match_layout(contract, trial.header, trial.name)
    except ConformError:
        return _for_its_year(text, contract, trial) or new_layout(text, contract, trial)
    result = trial.run(contract)
    if result is None or (result.clean and result.rejected_share <= match.table.tolerance):
        return None
    found = result.rejected.filter(pc.not_equal(result.rejected["reason"], SUPERSEDED))
    faults = Counter(
        (row["column_name"], row["reason"], main_fault(row["detail"]))
        for row in found.select(["column_name", "reason", "detail"]).to_pylist()
    )
    for (column, reason, detail), _ in faults.most_common():
        if reason == "unknown_vintage":
            step = _for_years_in_cells(text, contract, trial)
        else:
            step = mend_cells(text, match, trial, (column, reason, detail))
        if step is not None:
            return step
    return None


def _for_its_year(text: ContractText, contract: Contract, trial: Trial) -> tuple[ContractText, str] | None:
    table, layout = nearest_layout(contract, trial.header, trial.name)
    year = stated_year(table, trial.name)
    if contract.vintages is None or year is None or year in contract.vintages or not layout.fits(trial.header):
        return None
    return _with_year(text, contract, year, f"the file's name says {year}")


def _for_years_in_cells(text: ContractText, contract: Contract, trial: Trial) -> tuple[ContractText, str] | None:
    """The year in the rows, where they are all of one and it is not in the future."""
    if contract.vintages is None:
        return None
    any_year = contract.vintages.model_copy(update={"first": 1, "last": 9999})
    result = trial.run(contract.model_copy(update={"vintages": any_year}))
    if result is None or not result.clean:
        return None
    column = contract.vintages.field
    years = Counter(pq.read_table(result.file, columns=[column])[column].to_pylist())
    year, count = years.most_common(1)[0]
    if year in contract.vintages or count < result.clean * (1 - result.match.table.tolerance):
        return None
    return _with_year(text, contract, year, f"its rows are of {year}")


def _with_year(text: ContractText, contract: Contract, year: int, ground: str) -> tuple[ContractText, str] | None:
    vintages = contract.vintages
    if vintages is None or year > datetime.now(UTC).year:
        return None
    changed = text.copy()
    changed.set_vintages("last" if year > vintages.last else "first", year)
    return changed, f"the contract covers {year} too: {ground}"
