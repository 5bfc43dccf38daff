"""Contract files by name, with errors that say where in the YAML the fault is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from pipelines.contracts.files import contract_files
from pipelines.contracts.model import Contract
from pipelines.errors import ContractError
from pipelines.settings import data_folder

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.contracts.model import Table


def contract_names(own: Path | None = None) -> list[str]:
    """The datasets that there is a contract for, sorted.

    Args:
        own: the user's folder of contracts; the one of the settings in force when absent.
    """
    return list(contract_files(own))


def load_contract(name: str, own: Path | None = None) -> Contract:
    """The contract of dataset ``name``; one in the user's folder goes before one of Rocade's.

    Args:
        name: the file's name without its ending.
        own: the user's folder of contracts; the one of the settings in force when absent.

    Raises:
        ContractError: there is none, or it does not hold together.
    """
    files = contract_files(own)
    if name not in files:
        raise ContractError(f"there is no contract {name!r}", fix=f"known: {', '.join(files)}")
    return _read(files[name], files[name].stat().st_mtime_ns)


def find_table(name: str, own: Path | None = None) -> tuple[Contract, Table] | None:
    """The contract that makes the lake's table ``name`` (such as ``core.accidents``), and the table in it; None if none does.

    Args:
        name: of the table.
        own: the user's folder of contracts; the one of the settings in force when absent.
    """
    for contract in (load_contract(each, own) for each in contract_names(own)):
        for table in contract.tables:
            if table.qualified_name == name:
                return contract, table
    return None


def read_contract(text: str, where: str) -> Contract:
    """The contract that ``text`` is.

    Args:
        text: YAML.
        where: for messages.

    Raises:
        ContractError: it is no YAML, or does not hold together.
    """
    try:
        return Contract.model_validate(yaml.load(text, yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise ContractError(str(error), where=where) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = " → ".join(str(part) for part in first["loc"])
        raise ContractError(first["msg"], where=f"{where} {place}".strip()) from error


@cache
def _read(path: Path, mtime_ns: int) -> Contract:  # noqa: ARG001 - a file that was edited is another
    where = f"schemas/{path.name}" if path.is_relative_to(data_folder("schemas")) else str(path)
    try:
        return read_contract(path.read_text(encoding="utf-8"), where)
    except UnicodeDecodeError as error:
        raise ContractError("this is no UTF-8 text", where=where, fix="save the file as UTF-8") from error
