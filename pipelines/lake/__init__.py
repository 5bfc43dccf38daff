"""The lake: Delta tables on Parquet, and the quarantine beside them.

Belongs here: naming and opening tables, committing files that the gate has passed, provenance, history.
Does not: what the rows mean (contracts), whether they are good (quality), what is derived from them (tables).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lazy import lazily

if TYPE_CHECKING:
    from pipelines.lake.duck import connect
    from pipelines.lake.files import NewFile, uncommitted
    from pipelines.lake.log import Commit, Provenance
    from pipelines.lake.snapshot import DataFile, Snapshot
    from pipelines.lake.store import Lake

__getattr__ = lazily(
    __name__,
    {
        "Commit": "log",
        "DataFile": "snapshot",
        "Lake": "store",
        "NewFile": "files",
        "Provenance": "log",
        "Snapshot": "snapshot",
        "connect": "duck",
        "uncommitted": "files",
    },
)

__all__ = ["Commit", "DataFile", "Lake", "NewFile", "Provenance", "Snapshot", "connect", "uncommitted"]
