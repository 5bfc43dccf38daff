"""The lake: Delta tables on Parquet, and the quarantine beside them.

Belongs here: naming and opening tables, committing files that the gate has passed, provenance, history.
Does not: what the rows mean (contracts), whether they are good (quality), what is derived from them (tables).
"""

from pipelines.lake.duck import connect
from pipelines.lake.log import Commit, Provenance
from pipelines.lake.snapshot import DataFile, Snapshot
from pipelines.lake.store import Lake

__all__ = ["Commit", "DataFile", "Lake", "Provenance", "Snapshot", "connect"]
