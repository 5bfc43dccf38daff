"""In which order the statements of sql/ run, and whether their inputs may meet in the way they do.

Belongs here: what follows from all headers and SELECTs together. Does not: what has changed (periods), running (run).
"""

from __future__ import annotations

from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from pipelines.contracts import contract_names, load_contract
from pipelines.errors import ContractError, TablesError
from pipelines.privacy.guard import check_inputs
from pipelines.tables.statements import LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.lake import Lake
    from pipelines.tables.statements import Privacy, Statement

_COLLECTED = ("core.readings", "core.gaps")
"""What the collector makes, in the lake or still to be."""


def plan(
    statements: Sequence[Statement], sources: Mapping[str, Privacy], names: Sequence[str] | None = None
) -> list[Statement]:
    """The statements in an order in which each comes after its inputs.

    Args:
        statements: all of sql/.
        sources: tables that no statement makes, filled or still to be, each with its privacy class.
        names: only these and what they are made from; all when absent.

    Raises:
        ContractError: an input that nothing makes, a layer that reads from its right, or a cycle.
        GuardError: personal inputs meet a statement that would publish them.
        TablesError: ``names`` has a table that sql/ does not.
    """
    made = {statement.name: statement for statement in statements}
    known: dict[str, Privacy] = {**sources, **{name: statement.privacy for name, statement in made.items()}}
    for statement in statements:
        _check_layers(statement, known)
        check_inputs(statement, known)
    ordered = _in_order(made)
    if names is None:
        return ordered
    wanted = _with_inputs(names, made)
    return [statement for statement in ordered if statement.name in wanted]


def known_sources(lake: Lake, statements: Sequence[Statement]) -> dict[str, Privacy]:
    """Tables that no statement makes, each with its privacy class.

    Only what a contract makes from data.gouv.fr is public; whatever else is found in the lake counts as personal, and so does
    a file from elsewhere.
    """
    made = {statement.name for statement in statements}
    sources: dict[str, Privacy] = {name: "personal" for name in (*lake.names(), *_COLLECTED) if name not in made}
    for contract in map(load_contract, contract_names()):
        privacy: Privacy = "public" if contract.datagouv else "personal"
        sources.update({table.qualified_name: privacy for table in contract.tables})
    return sources


def _check_layers(statement: Statement, known: Mapping[str, Privacy]) -> None:
    for name in statement.inputs:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ContractError(
                f"reads {name}, which nothing makes",
                where=str(statement.path),
                fix=f"is it {near[0]}?" if near else "add a statement or a contract for it",
            )
        layer = name.partition(".")[0]
        if layer in LAYERS and LAYERS.index(layer) > LAYERS.index(statement.layer):
            raise ContractError(
                f"{statement.name} reads {name}, which is on its right",
                where=str(statement.path),
                fix="rows flow from core to small to big",
            )


def _in_order(made: Mapping[str, Statement]) -> list[Statement]:
    graph = {name: [each for each in statement.inputs if each in made] for name, statement in sorted(made.items())}
    try:
        return [made[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        loop = error.args[1]
        raise ContractError(
            "is made from itself: " + " ← ".join(loop), where=str(made[loop[0]].path), fix="break the loop"
        ) from error


def _with_inputs(names: Sequence[str], made: Mapping[str, Statement]) -> set[str]:
    wanted: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in made:
            raise TablesError(f"sql/ has no table {name}", fix=f"it has {', '.join(sorted(made))}")
        if name not in wanted:
            wanted.add(name)
            todo += [each for each in made[name].inputs if each in made]
    return wanted
