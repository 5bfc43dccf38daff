"""Building the derived tables: what changed since the last build, the statement over that, one commit a table.

Belongs here: the order of a build, its record in the commit, what it reports. Does not: what a header means
(statements), which periods a change touches (periods), what may be published (privacy.guard), the two files that
serve the tables (databases).

A build writes its files beside the table's others and commits them last, together with what they replace and with the
versions of the inputs they were made from. Stopped anywhere before that, nothing has happened and it can run again.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from pipelines.errors import TablesError
from pipelines.lake import Lake, Provenance, connect
from pipelines.privacy import guard
from pipelines.progress import Silent
from pipelines.settings import data_folder
from pipelines.tables import functions
from pipelines.tables.compute import Computation
from pipelines.tables.databases import DatabaseBuild, refresh_databases
from pipelines.tables.periods import Source, all_periods, changed_periods, source_of
from pipelines.tables.plan import known_sources, plan
from pipelines.tables.statements import Statement, read_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb

    from pipelines.progress import Progress
    from pipelines.settings import Settings
    from pipelines.tables.statements import Privacy

OPERATION = "build"


@dataclass(frozen=True)
class TableBuild:
    """What a build did to one table.

    Args:
        name: ``layer.table``.
        status: ``waiting`` when an input is not in the lake yet.
        version: the table's version after the build; None when it has none.
        periods: periods that were computed.
        rows: rows written.
        suppressed: cells that the guard took out of those periods.
        pending: periods that are not over yet and will be published when they are.
        seconds: time spent.
        waits_for: the inputs that are missing.
    """

    name: str
    status: Literal["built", "unchanged", "waiting"]
    version: int | None
    periods: int = 0
    rows: int = 0
    suppressed: int = 0
    pending: tuple[str, ...] = ()
    seconds: float = 0.0
    waits_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    tables: tuple[TableBuild, ...]
    databases: tuple[DatabaseBuild, ...]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether any table has a new version."""
        return any(table.status == "built" for table in self.tables)


@dataclass(frozen=True)
class _Record:
    """What the last commit of a build says of itself."""

    fingerprint: str
    inputs: Mapping[str, int]
    pending: frozenset[str]


@dataclass
class _Output:
    """Files written for a table and not yet committed."""

    files: list[Path] = field(default_factory=list)
    rows: int = 0
    suppressed: int = 0


def build(
    settings: Settings,
    *,
    names: Sequence[str] | None = None,
    full: bool = False,
    progress: Progress | None = None,
    folder: Path | None = None,
    now: datetime | None = None,
) -> BuildReport:
    """Bring the tables of sql/, and the two databases, up to date with the lake.

    Args:
        settings: where the lake is, and DuckDB's limits.
        names: only these tables and what they are made from; all when absent.
        full: compute every period again, whatever changed.
        progress: where to report.
        folder: the statements; the installed sql/ when absent.
        now: the instant, in UTC, that decides which periods are over; the clock's when absent.

    Raises:
        ContractError: a statement's header or inputs are wrong.
        GuardError: a statement would disclose somebody.
        TablesError: a statement failed, or another build is running.
    """
    started = time.monotonic()
    shown = progress or Silent()
    lake = Lake(settings.lake)
    statements = read_statements(folder or data_folder("sql"))
    sources = known_sources(lake, statements)
    ordered = plan(statements, sources, names)
    privacy_of = {**sources, **{each.name: each.privacy for each in statements}}
    with _only_build(settings), connect(settings) as con:
        functions.register(con)
        run = _Run(con, lake, now or datetime.now(UTC), shown, privacy_of)
        tables = tuple(run.table(statement, full=full) for statement in ordered)
        databases = refresh_databases(settings, statements, shown)
    return BuildReport(tables, databases, time.monotonic() - started)


@dataclass(frozen=True)
class _Run:
    """One build: what its steps share."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    now: datetime
    progress: Progress
    privacy_of: Mapping[str, Privacy]

    def table(self, statement: Statement, *, full: bool) -> TableBuild:
        """Bring the table of ``statement`` up to date."""
        started = time.monotonic()
        version = self.lake.version(statement.name)
        missing = tuple(name for name in statement.inputs if not self.lake.exists(name))
        if missing:
            self.progress.note(f"{statement.name} waits for {', '.join(missing)}")
            return TableBuild(statement.name, "waiting", version, waits_for=missing)
        snapshots = {name: self.lake.snapshot(name) for name in statement.inputs}
        inputs = {name: snapshot.version for name, snapshot in snapshots.items()}
        record = None if full else self._record(statement)
        if record and record.inputs == inputs and not self._over(statement, record.pending):
            return TableBuild(statement.name, "unchanged", version, pending=tuple(sorted(record.pending)))
        sources = {name: source_of(self.con, snapshot, statement) for name, snapshot in snapshots.items()}
        due = self._due(statement, sources, record)
        present = all_periods(statement, sources.values())
        periods = present if due is None else due
        ready = self._over(statement, periods)
        pending = tuple(sorted(periods - ready))
        if due is not None and not ready:
            return TableBuild(statement.name, "unchanged", version, pending=pending)
        replaced = None if due is None else ready
        output, version = self._publish(statement, sources, ready & present, replaced, pending)
        return TableBuild(
            statement.name,
            "built",
            version,
            periods=len(ready & present),
            rows=output.rows,
            suppressed=output.suppressed,
            pending=pending,
            seconds=time.monotonic() - started,
        )

    def _record(self, statement: Statement) -> _Record | None:
        """The last build's record, if it still holds for the statement as it is now."""
        if not self.lake.exists(statement.name):
            return None
        last = next((each for each in self.lake.history(statement.name) if each.operation == OPERATION), None)
        if last is None:
            return None
        details = last.details
        record = _Record(details["statement"], details["inputs"], frozenset(details["pending"]))
        same = record.fingerprint == _fingerprint(statement) and set(record.inputs) == set(statement.inputs)
        return record if same else None

    def _due(self, statement: Statement, sources: Mapping[str, Source], record: _Record | None) -> set[str] | None:
        """Periods to compute, open ones included; None for all of them."""
        if record is None:
            return None
        due = set(record.pending)
        for name, source in sources.items():
            changed = changed_periods(self.con, self.lake, statement, source, record.inputs[name])
            if changed is None:
                return None
            due |= changed
        return due

    def _over(self, statement: Statement, periods: set[str] | frozenset[str]) -> set[str]:
        """Those of ``periods`` that may be computed now: only an aggregate waits for the end of its periods."""
        if statement.privacy != "aggregate":
            return set(periods)
        return {period for period in periods if guard.is_closed(statement.period, period, self.now)}

    def _publish(
        self,
        statement: Statement,
        sources: Mapping[str, Source],
        periods: set[str],
        replaced: set[str] | None,
        pending: Sequence[str],
    ) -> tuple[_Output, int]:
        """Compute ``periods`` and commit them in place of ``replaced``, or of everything when that is None."""
        partition_by: list[str] = [] if statement.period == "none" else [statement.period]
        self._check_partitions(statement, partition_by)
        personal = frozenset(name for name in sources if self.privacy_of[name] == "personal")
        computation = Computation(self.con, statement, sources, personal)
        schema = computation.schema()
        with (
            _uncommitted() as output,
            self.progress.step(f"build {statement.name}", len(periods), "" if not partition_by else "periods") as step,
        ):
            for period in sorted(periods):
                parts = computation.parts(period)
                for part in range(parts):
                    file = self.lake.new_file(statement.name, dict.fromkeys(partition_by, period))
                    output.files.append(file)
                    written = computation.write(period, file, part, parts)
                    if not written.rows:
                        output.files.remove(file)
                    output.rows += written.rows
                    output.suppressed += written.suppressed
                    step.advance(1 / parts)
            details = {
                "statement": _fingerprint(statement),
                "inputs": {name: source.snapshot.version for name, source in sources.items()},
                "pending": list(pending),
                "rows": output.rows,
                "suppressed": output.suppressed,
            }
            version = self.lake.publish(
                statement.name,
                output.files,
                schema,
                Provenance(OPERATION, details=details),
                partition_by=partition_by,
                replace=None if replaced is None else dict.fromkeys(partition_by, replaced),
                overwrite=replaced is None,
            )
        return output, version

    def _check_partitions(self, statement: Statement, partition_by: list[str]) -> None:
        if not self.lake.exists(statement.name):
            return
        present = list(self.lake.snapshot(statement.name).partition_columns)
        if present != partition_by:
            raise TablesError(
                f"the lake's table is cut by {', '.join(present) or 'nothing'}, the statement by {statement.period}",
                where=str(statement.path),
                fix=f"move {self.lake.path(statement.name)} away; the next build makes it anew",
            )


@contextmanager
def _uncommitted() -> Iterator[_Output]:
    """Collects files, and removes them again unless the block ends well."""
    output = _Output()
    try:
        yield output
    except BaseException:
        for file in output.files:
            file.unlink(missing_ok=True)
        raise


@contextmanager
def _only_build(settings: Settings) -> Iterator[None]:
    """Hold the lock that keeps builds apart.

    Raises:
        TablesError: another build holds it.
    """
    settings.root.mkdir(parents=True, exist_ok=True)
    path = settings.root / "tables.lock"
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout as error:
        raise TablesError(
            "another build is running", where=str(path), fix="wait for it, then run the command again"
        ) from error


def _fingerprint(statement: Statement) -> str:
    rules = guard.RULES if statement.privacy == "aggregate" else ""
    return hashlib.sha256((statement.fingerprint + rules).encode()).hexdigest()
