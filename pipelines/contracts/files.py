"""Where contract files are: the user's folder first, then those that come with Rocade."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from pipelines.errors import ContractError
from pipelines.settings import data_folder, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def contract_files(own: Path | None = None) -> dict[str, Path]:
    """Contract files by the dataset's name, in order of names.

    Args:
        own: the user's folder; the one of the settings in force when absent. It need not exist.
    """
    folders = (data_folder("schemas"), own or load_settings().own_schemas)
    found = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def plain_contract(path: Path) -> dict[str, Any]:
    """What the file says, not yet held to be a contract: to find one among many without reading all of each.

    Raises:
        ContractError: it is no YAML, or no mapping with tables that have names.
    """
    try:
        contract = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(
            f"this is no YAML: {error}", where=str(path), fix="mend the file, or move it away"
        ) from error
    tables = contract.get("tables") if isinstance(contract, dict) else None
    if not isinstance(tables, list) or not all(isinstance(table, dict) and table.get("name") for table in tables):
        raise ContractError(
            "this is no contract: it has no list of named tables", where=str(path), fix="mend the file, or move it away"
        )
    return dict(contract)
