"""Contracts: what a table promises, written once in schemas/ and used everywhere.

Belongs here: reading schemas/ into objects, and everything that follows from a contract alone: the Arrow schema, the SQL
that casts and judges a row, which file belongs to which table. Does not: touching data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lazy import lazily

if TYPE_CHECKING:
    from pipelines.contracts.fields import Field
    from pipelines.contracts.layouts import Layout
    from pipelines.contracts.load import contract_names, find_table, load_contract
    from pipelines.contracts.model import Contract, Table

__getattr__ = lazily(
    __name__,
    {
        "Contract": "model",
        "Field": "fields",
        "Layout": "layouts",
        "Table": "model",
        "contract_names": "load",
        "find_table": "load",
        "load_contract": "load",
    },
)

__all__ = ["Contract", "Field", "Layout", "Table", "contract_names", "find_table", "load_contract"]
