"""Contract files by name, with errors that say where in the YAML the fault is."""

from __future__ import annotations

from functools import cache

import yaml
from pydantic import ValidationError

from pipelines.contracts.model import Contract
from pipelines.errors import ContractError
from pipelines.settings import data_folder


def contract_names() -> list[str]:
    """The datasets that Rocade has a contract for, sorted."""
    return sorted(path.stem for path in data_folder("schemas").glob("*.yaml"))


@cache
def load_contract(name: str) -> Contract:
    """The contract of dataset ``name``.

    Raises:
        ContractError: there is none, or it does not hold together.
    """
    path = data_folder("schemas") / f"{name}.yaml"
    if not path.is_file():
        raise ContractError(f"there is no contract {name!r}", fix=f"known: {', '.join(contract_names())}")
    try:
        return Contract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ContractError(str(error), where=f"schemas/{name}.yaml") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = " → ".join(str(part) for part in first["loc"])
        raise ContractError(first["msg"], where=f"schemas/{name}.yaml {place}".strip()) from error
