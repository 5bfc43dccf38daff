"""Tables: what sql/ makes from the lake, and the two DuckDB files that serve it.

Belongs here: statements, their order, incremental builds, the databases, the connection to query them. Does not: what
arrives in core from outside (conform, collect), what may be disclosed (privacy.guard).
"""

from pipelines.tables.query import TableInfo, list_tables, open_query, run_query
from pipelines.tables.run import BuildReport, TableBuild, build

__all__ = ["BuildReport", "TableBuild", "TableInfo", "build", "list_tables", "open_query", "run_query"]
