"""A file of a contract's dataset as clean rows in Parquet and rejected rows with line, column, value and reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.conform.kinds import Part
from pipelines.conform.match import match_layout
from pipelines.conform.query import checks_of
from pipelines.conform.scan import Job, scan
from pipelines.conform.sniff import Sniffed, sniff
from pipelines.conform.written import FOUND, SUPERSEDED, take_rows
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.conform.match import Match
    from pipelines.contracts import Contract
    from pipelines.progress import Progress
    from pipelines.settings import Settings

#: One rejected row; `quarantine.rows` in the lake, partitioned by resource.
QUARANTINE = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("table_name", pa.string()),
        pa.field("source_name", pa.string()),
        pa.field("source_sha256", pa.string()),
        *FOUND,
        pa.field("rejected_at", pa.timestamp("us", "UTC")),
        pa.field("source_resource", pa.string()),
    ]
)


@dataclass(frozen=True)
class Conformed:
    """A file after the scan: ``rows == clean + rejected.num_rows``.

    Attributes:
        match: table, layout and vintage.
        sniffed: encoding, separator and header.
        file: Parquet with the clean rows, without the partition column.
        clean: rows in ``file``.
        rejected: rows in the schema ``QUARANTINE``.
        origin: what all rejected rows of the file say alike: dataset, table, source.
    """

    match: Match
    sniffed: Sniffed
    file: Path
    clean: int
    rejected: pa.Table
    origin: Mapping[str, object]

    @property
    def rows(self) -> int:
        """Rows in the source, header apart."""
        return self.clean + int(self.rejected.num_rows)

    @property
    def faulty(self) -> int:
        """Rejected rows, without those that a better row of the same key supersedes by the contract's rule."""
        return int(self.rejected.num_rows) - self.superseded

    @property
    def superseded(self) -> int:
        """Rows that ``prefer`` set aside; they wait in quarantine and are nobody's fault."""
        return int(pc.sum(pc.equal(self.rejected["reason"], SUPERSEDED)).as_py() or 0)

    @property
    def rejected_share(self) -> float:
        """Faulty rows over all rows."""
        return self.faulty / self.rows if self.rows else 0.0

    def without(self, found: pa.Table) -> Conformed:
        """The same file with rows taken out of it and rejected.

        Args:
            found: ``source_line``, ``column_name``, ``value``, ``reason``, ``detail``, ``row`` of rows that are in ``file``, and
                their ``position`` there.
        """
        if not found.num_rows:
            return self
        take_rows(self.file, found["position"])
        rejected = pa.concat_tables([self.rejected, _quarantined(found.select(FOUND.names).cast(FOUND), self.origin)])
        return replace(self, clean=self.clean - found.num_rows, rejected=rejected.sort_by("source_line"))


def conform(
    source: Path | Part,
    contract: Contract,
    settings: Settings,
    progress: Progress,
    *,
    name: str,
    resource: str,
    sha256: str,
    target: Path,
    metadata: dict[str, str] | None = None,
) -> Conformed:
    """Cast the file at ``source`` by ``contract`` and write its clean rows to ``target``.

    Args:
        source: the bytes as fetched, or a text that was unpacked from them.
        contract: whose tables to look among.
        settings: limits and scratch folder.
        progress: rows are counted on it.
        name: the file's name or title, for its year and for messages.
        resource: the resource's key, for provenance.
        sha256: of the bytes, for provenance.
        target: Parquet file to write; its folder exists.
        metadata: kept in the Parquet file.

    Raises:
        ConformError: the file is not a table of this contract, its rows cannot be told apart, or it holds no row at all.
    """
    scratch = settings.staging / f"{sha256[:16]}.utf8"
    part = source if isinstance(source, Part) else Part(source, name, "text")
    try:
        sniffed = sniff(part.path, name, scratch, separator=part.separator, offset=part.offset, found=part.survey)
        match = match_layout(contract, sniffed.header, name, sniffed.doubled)
        checks = checks_of(contract, match, sniffed)
        with progress.step(f"conform {name}", unit="rows") as step:
            found = scan(Job(contract, match, sniffed, checks, settings, step, name, sha256, target, metadata or {}))
    finally:
        scratch.unlink(missing_ok=True)
    if not found.clean + found.rejected.num_rows:
        raise ConformError("the file has a header and no row", where=name, fix="the last good version stays published")
    origin = {
        "dataset": contract.name,
        "table_name": match.table.name,
        "source_name": name,
        "source_sha256": sha256,
        "rejected_at": datetime.now(UTC),
        "source_resource": resource,
    }
    return Conformed(match, sniffed, target, found.clean, _quarantined(found.rejected, origin), origin)


def _quarantined(found: pa.Table, origin: Mapping[str, object]) -> pa.Table:
    """``found`` in the schema ``QUARANTINE``."""
    columns = [
        pa.repeat(pa.scalar(origin[column.name], column.type), found.num_rows)
        if column.name in origin
        else found[column.name]
        for column in QUARANTINE
    ]
    return pa.table(columns, schema=QUARANTINE)
