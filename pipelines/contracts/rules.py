"""The hard rules of a table: each is said once, in the contract, and read by two witnesses.

``conform.query`` makes of a rule the check that sends a row to quarantine; ``quality.suite`` makes of it the expectation
that stops publication. Belongs here: the rules as values. Does not: SQL and Great
Expectations.

Two rules are not here, because no single value breaks them: a cell that cannot be cast (the Parquet file has no place for
it, and the gate compares the file's types with the contract's) and a key that stands twice (the gate counts keys).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.contracts.patterns import common_regex

if TYPE_CHECKING:
    from pipelines.contracts.fields import Field
    from pipelines.contracts.model import Contract, Table


@dataclass(frozen=True)
class Required:
    """No value is missing."""


@dataclass(frozen=True)
class Pattern:
    """Values match ``regex`` from end to end; it is one that every engine reads alike."""

    regex: str


@dataclass(frozen=True)
class AtLeast:
    """No value is smaller."""

    bound: int | float


@dataclass(frozen=True)
class AtMost:
    """No value is greater."""

    bound: int | float


@dataclass(frozen=True)
class OneOf:
    """Values are among these texts."""

    values: tuple[str, ...]


Demand = Required | Pattern | AtLeast | AtMost | OneOf


@dataclass(frozen=True)
class Rule:
    """What is demanded of one column of the table, and the words for a row that does not meet it.

    Attributes:
        field: whose values.
        demand: what is true of good values; a null meets every demand but ``Required``.
        reason: for quarantine.
        detail: for quarantine.
    """

    field: Field
    demand: Demand
    reason: str
    detail: str


def rules_of_field(contract: Contract, field: Field) -> list[Rule]:
    """The rules on the values of ``field``, in the order in which they are judged."""
    limits = field.constraints
    found: list[tuple[Demand, str, str]] = []
    if limits.required:
        found.append((Required(), "missing", f"{field.name} is required"))
    if limits.pattern is not None:
        found.append((Pattern(common_regex(limits.pattern)), "wrong_pattern", f"does not match {limits.pattern}"))
    if limits.minimum is not None:
        found.append((AtLeast(limits.minimum), "out_of_range", f"below {limits.minimum:g}"))
    if limits.maximum is not None:
        found.append((AtMost(limits.maximum), "out_of_range", f"above {limits.maximum:g}"))
    if field.codes is not None:
        known = tuple(contract.code_lists[field.codes])
        found.append((OneOf(known), "unknown_code", f"not in code list {field.codes}"))
    return [Rule(field, demand, reason, detail) for demand, reason, detail in found]


def rules_of_vintage(contract: Contract, table: Table) -> list[Rule]:
    """The years that the contract covers, where ``table`` has a column for them."""
    vintages = contract.vintages
    field = vintages and next((field for field in table.fields if field.name == vintages.field), None)
    if not vintages or not field:
        return []
    detail = f"the contract covers {vintages.first} to {vintages.last}"
    return [
        Rule(field, demand, "unknown_vintage", detail) for demand in (AtLeast(vintages.first), AtMost(vintages.last))
    ]


def rules_of_table(contract: Contract, table: Table) -> list[Rule]:
    """Every rule on single values of ``table``."""
    return [rule for field in table.fields for rule in rules_of_field(contract, field)] + rules_of_vintage(
        contract, table
    )
