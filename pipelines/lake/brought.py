"""Which snapshots of which resources a table was made from: what its own log says, newest first.

Belongs here: reading that. The commits that say it are made by ``publish`` (``ingest``: one snapshot) and ``recast``
(``recast``: all snapshots up to then, cast anew). Whoever asks reads a few small files: no table is opened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: The operations of the commits that bring snapshots.
INGEST, RECAST = "ingest", "recast"


@dataclass(frozen=True)
class Brought:
    """A snapshot whose rows were brought into a table.

    Attributes:
        resource: its key.
        name: its title, by which the contract knew its year.
        member: of an archive or workbook, else None.
        sha256: of the bytes.
        fetched_at: when they were fetched.
        contract: fingerprint of the contract that cast them.
        rows: clean ones.
        version: of the table, where they were brought (cast by this contract) first.
        details: all that the commit says.
    """

    resource: str
    name: str
    member: str | None
    sha256: str
    fetched_at: datetime
    contract: str
    rows: int
    version: int
    details: Mapping[str, Any]


def brought(folder: Path) -> Iterator[Brought]:
    """The snapshots that the Delta table in ``folder`` was made from, newest first; none where there is no table."""
    for version in sorted(_versions(folder), reverse=True):
        ours = _provenance(folder / "_delta_log" / f"{version:020d}.json")
        details = ours.get("details") or {}
        if ours.get("operation") == INGEST:
            yield _brought(details, version)
        elif ours.get("operation") == RECAST:
            for each in reversed(details["snapshots"]):
                yield _brought({"contract": details["contract"], **each}, version)
            return


def last_brought(folder: Path, resource: str) -> Brought | None:
    """The newest snapshot of ``resource`` in the table in ``folder``."""
    return next((each for each in brought(folder) if each.resource == resource), None)


def _brought(details: Mapping[str, Any], version: int) -> Brought:
    return Brought(
        resource=details["resource"],
        name=details["name"],
        member=details.get("member"),
        sha256=details["sha256"],
        fetched_at=datetime.fromisoformat(details["fetched_at"]),
        contract=details["contract"],
        rows=details["rows"],
        version=version,
        details=details,
    )


def _versions(folder: Path) -> list[int]:
    log = folder / "_delta_log"
    if not log.is_dir():
        return []
    return [int(entry.stem) for entry in log.iterdir() if entry.suffix == ".json" and entry.stem.isdigit()]


def _provenance(entry: Path) -> dict[str, Any]:
    """What we wrote into a commit; empty for one that is not ours."""
    with entry.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"commitInfo"'):
                found: dict[str, Any] = json.loads(json.loads(line)["commitInfo"].get("rocade") or "{}")
                return found
    return {}
