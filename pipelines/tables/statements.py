"""The files of sql/, read into objects: what each promises in its header and what its SELECT reads and returns.

Belongs here: the header's grammar, and what can be told from the text alone. Does not: the order in which statements
run and whether their inputs may meet (plan), running them (run).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from pipelines.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Privacy = Literal["public", "personal", "aggregate"]
Period = Literal["day", "month", "vintage", "none"]

LAYERS = ("core", "small", "big")
_PRIVACY = ("public", "personal", "aggregate")
_PERIODS = ("day", "month", "vintage", "none")
_REQUIRED = ("grain", "privacy", "period", "keys", "columns")
_OPTIONAL = ("context", "apart", "totals")
_KEY_LINE = re.compile(r"-- ([a-z]+):\s*(.*)")
_INDENTED = re.compile(r"-- {2,}(\S.*)")
_COLUMN = re.compile(r"([a-z][a-z0-9_]*): (.+)")
_CONTEXT = re.compile(r"(\d+) days? (before|after)")
_TOTALS = re.compile(r"([a-z0-9_, ]+?) over ([a-z0-9_, ]+)")
_UNREPEATABLE = (
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
    exp.CurrentDatetime,
    exp.Localtime,
    exp.Localtimestamp,
    exp.Rand,
    exp.Uuid,
    exp.TableSample,
)
_UNREPEATABLE_NAMES = frozenset(
    {"now", "get_current_timestamp", "transaction_timestamp", "uuidv4", "uuidv7", "nextval"}
)


@dataclass(frozen=True)
class Totals:
    """Sums that the public can know besides the table itself.

    Args:
        measures: additive columns; the first is the one that ``dominance`` is a share of.
        over: columns of a group whose total of each measure is published elsewhere.
    """

    measures: tuple[str, ...]
    over: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One file of sql/: a table, the SELECT that makes it, and what its header promises.

    Args:
        name: ``layer.table``, from the file's place and name.
        path: the file.
        sql: the SELECT without the header.
        fingerprint: changes when anything in the file does.
        grain: what one row is.
        privacy: ``public``, ``personal``, or ``aggregate`` (from personal inputs, through the guard).
        period: what the table is cut by; also the name of its partition column.
        before: days before a day that its rows depend on.
        after: days after a day that its rows depend on.
        keys: columns that name a row.
        columns: output columns in order, each with its description and unit.
        inputs: the tables it reads, sorted.
        apart: a column whose values never meet in a row: large periods are computed some values at a time.
        totals: for the guard's complementary suppression.
    """

    name: str
    path: Path
    sql: str
    fingerprint: str
    grain: str
    privacy: Privacy
    period: Period
    before: int
    after: int
    keys: tuple[str, ...]
    columns: Mapping[str, str]
    inputs: tuple[str, ...]
    apart: str | None = None
    totals: Totals | None = None

    @property
    def layer(self) -> str:
        """``core``, ``small`` or ``big``."""
        return self.name.partition(".")[0]


@dataclass
class _Header:
    """Raw values with the line each was found on."""

    values: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    end: int = 0


def read_statements(folder: Path) -> list[Statement]:
    """Every ``LAYER/NAME.sql`` under ``folder``, by name.

    Raises:
        ContractError: a header or a SELECT is not what the format asks for, or a file lies outside the layers.
    """
    files = sorted(folder.rglob("*.sql"))
    for file in files:
        place = file.relative_to(folder).parts
        if len(place) != 2 or place[0] not in LAYERS:  # noqa: PLR2004 - LAYER/NAME.sql
            raise ContractError(
                "is in no layer",
                where=str(file),
                fix=f"move it to {folder.name}/LAYER/, LAYER one of {', '.join(LAYERS)}",
            )
    return [read_statement(file) for file in files]


def read_statement(file: Path) -> Statement:
    """The statement in ``file``, whose parent folder is its layer.

    Raises:
        ContractError: names the file, the line and what to write instead.
    """
    text = file.read_text(encoding="utf-8")
    header = _read_header(file, text.splitlines())
    body = "\n".join(text.splitlines()[header.end :]).strip().rstrip(";")
    query = _parse(file, body)
    period = cast("Period", _choice(file, header, "period", _PERIODS))
    before, after = _context(file, header, period)
    statement = Statement(
        name=f"{file.parent.name}.{file.stem}",
        path=file,
        sql=body,
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        grain=header.values["grain"],
        privacy=cast("Privacy", _choice(file, header, "privacy", _PRIVACY)),
        period=period,
        before=before,
        after=after,
        keys=_names(header.values["keys"]),
        columns=header.columns,
        inputs=_inputs(file, query),
        apart=header.values.get("apart"),
        totals=_totals(file, header),
    )
    _check_columns(statement, header, query)
    return statement


def _read_header(file: Path, lines: list[str]) -> _Header:
    header, last = _Header(), ""
    for number, line in enumerate(lines, start=1):
        if not line.startswith("--"):
            header.end = number - 1
            break
        if pair := _KEY_LINE.fullmatch(line):
            last = pair[1]
            if last not in (*_REQUIRED, *_OPTIONAL) or last in header.values:
                known = ", ".join((*_REQUIRED, *_OPTIONAL))
                problem = "is there twice" if last in header.values else "is not a key of the header"
                raise _fault(file, number, f"{last!r} {problem}", f"the keys are {known}")
            header.values[last], header.lines[last] = pair[2].strip(), number
        elif (more := _INDENTED.fullmatch(line)) and last == "columns":
            described = _COLUMN.fullmatch(more[1])
            if not described or described[1] in header.columns:
                raise _fault(
                    file,
                    number,
                    f"{more[1]!r} does not describe a column",
                    "write `--   name: description, unit`, once each",
                )
            header.columns[described[1]] = described[2]
        elif more and last:
            header.values[last] += " " + more[1]
        else:
            raise _fault(
                file, number, f"{line!r} is not a line of the header", "write `-- key: value`; comments go below"
            )
    for key in _REQUIRED:
        if key not in header.values or not (header.values[key] or key == "columns"):
            raise _fault(
                file, 1, f"the header has no {key!r}", f"add `-- {key}: …`; docs/reference/tables.md has an example"
            )
    return header


def _parse(file: Path, body: str) -> exp.Query:
    try:
        parsed = sqlglot.parse(body, read="duckdb")
    except ParseError as error:
        raise ContractError(
            str(error), where=str(file), fix="a file of sql/ holds one SELECT in DuckDB's dialect"
        ) from error
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise ContractError(
            "does not hold exactly one SELECT", where=str(file), fix="one table a file; DDL is the runner's"
        )
    query = parsed[0]
    named = (each for each in query.find_all(exp.Anonymous) if each.name.lower() in _UNREPEATABLE_NAMES)
    for node in (*query.find_all(*_UNREPEATABLE), *named):
        raise ContractError(
            f"{node.sql(dialect='duckdb')} gives another answer each time",
            where=str(file),
            fix="a table may depend on its inputs only; the runner knows which periods are closed",
        )
    return query


def _inputs(file: Path, query: exp.Query) -> tuple[str, ...]:
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    inputs: set[str] = set()
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise ContractError(
                f"{table.sql(dialect='duckdb')} reads something that is not a table",
                where=str(file),
                fix="files enter the lake by `rocade ingest`; read the table",
            )
        if table.db:
            inputs.add(f"{table.db}.{table.name}")
        elif table.name not in ctes:
            raise ContractError(f"{table.name!r} has no layer", where=str(file), fix="write core.…, small.… or big.…")
    return tuple(sorted(inputs))


def _check_columns(statement: Statement, header: _Header, query: exp.Query) -> None:
    file, line = statement.path, header.lines["columns"]
    returned, described = [each.alias_or_name for each in query.selects], list(statement.columns)
    if "*" in returned or "" in returned:
        raise _fault(file, line, "the SELECT does not name its columns", "list them, with AS for expressions")
    if returned != described:
        odd = sorted(set(returned) ^ set(described)) or ["their order"]
        raise _fault(
            file,
            line,
            f"the SELECT and the header disagree on {', '.join(odd)}",
            "describe each column, in the SELECT's order",
        )
    needed = [*statement.keys, *([] if statement.period == "none" else [statement.period])]
    if statement.apart:
        if statement.privacy == "aggregate":
            raise _fault(file, header.lines["apart"], "an aggregate is computed whole", "leave `apart` out")
        needed.append(statement.apart)
    if statement.totals:
        needed += [*statement.totals.measures, *statement.totals.over]
    for column in needed:
        if column not in returned:
            raise _fault(
                file, line, f"there is no column {column!r}", "keys, period, apart and totals name output columns"
            )


def _choice(file: Path, header: _Header, key: str, allowed: tuple[str, ...]) -> str:
    if header.values[key] not in allowed:
        raise _fault(
            file, header.lines[key], f"{key} {header.values[key]!r} is not known", f"it is one of {', '.join(allowed)}"
        )
    return header.values[key]


def _context(file: Path, header: _Header, period: str) -> tuple[int, int]:
    if "context" not in header.values:
        return 0, 0
    days = {"before": 0, "after": 0}
    for part in header.values["context"].split(","):
        match = _CONTEXT.fullmatch(part.strip())
        if not match or period != "day":
            raise _fault(
                file,
                header.lines["context"],
                f"context {header.values['context']!r} does not fit period {period!r}",
                "a table by day says, for instance, `1 day before, 1 day after`; others have none",
            )
        days[match[2]] = int(match[1])
    return days["before"], days["after"]


def _totals(file: Path, header: _Header) -> Totals | None:
    if "totals" not in header.values:
        return None
    match = _TOTALS.fullmatch(header.values["totals"])
    if not match:
        raise _fault(
            file, header.lines["totals"], "totals cannot be read", "write `-- totals: MEASURE, … over COLUMN, …`"
        )
    return Totals(_names(match[1]), _names(match[2]))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _fault(file: Path, line: int, what: str, fix: str) -> ContractError:
    return ContractError(what, where=f"{file} line {line}", fix=fix)
