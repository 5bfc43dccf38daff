"""Contracts: what a table promises, written once in schemas/ and used everywhere.

Belongs here: reading schemas/ into objects, and everything that follows from a contract alone: the Arrow schema, the SQL
that casts and judges a row, which file belongs to which table. Does not: touching data.
"""

from pipelines.contracts.layouts import Layout
from pipelines.contracts.load import contract_names, load_contract
from pipelines.contracts.model import Contract, Field, Table

__all__ = ["Contract", "Field", "Layout", "Table", "contract_names", "load_contract"]
