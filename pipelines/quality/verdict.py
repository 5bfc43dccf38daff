"""What the gate found, as values and as a file under reports/."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import QualityError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Outcome = Literal["passed", "warned", "failed"]


@dataclass(frozen=True)
class Measured:
    """What an expectation on the cells of a column looked at.

    Attributes:
        arguments: of the expectation, as Great Expectations names them.
        rows: looked at.
        unexpected: of them, that do not meet it.
        examples: a few cells that do not, as text.
    """

    arguments: Mapping[str, Any]
    rows: int
    unexpected: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One expectation, judged.

    Attributes:
        expectation: its name, Great Expectations' where it has one.
        column: what it is about, None for the table as a whole.
        outcome: ``warned`` does not stop publication.
        observed: what was seen, as a sentence.
        measured: the same in figures, of an expectation on cells.
    """

    expectation: str
    column: str | None
    outcome: Outcome
    observed: str
    measured: Measured | None = None


@dataclass(frozen=True)
class Verdict:
    """All findings on one table about to be published."""

    table: str
    rows: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether the table may be published."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """What stops publication."""
        return [finding for finding in self.findings if finding.outcome == "failed"]

    @property
    def warnings(self) -> list[Finding]:
        """What the reader should know all the same."""
        return [finding for finding in self.findings if finding.outcome == "warned"]

    def summary(self) -> str:
        """`42 expectations, 1 warning` and the like."""
        counts = [(len(self.failures), "failed"), (len(self.warnings), "warned")]
        return ", ".join([f"{len(self.findings)} expectations", *(f"{n} {word}" for n, word in counts if n)])

    def write(self, path: Path) -> None:
        """Save as JSON at ``path``, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False, default=str), encoding="utf-8")
        new.replace(path)

    def require(self, where: str) -> None:
        """Do nothing when the gate is passed.

        Raises:
            QualityError: naming every failure.
        """
        if self.failures:
            told = "; ".join(f"{each.column + ': ' if each.column else ''}{each.observed}" for each in self.failures)
            raise QualityError(
                f"not published: {told}",
                where=where,
                fix="the last good version stays; `rocade quarantine` shows the rejected rows",
            )


def read_verdict(path: Path) -> Verdict:
    """What ``Verdict.write`` saved at ``path``."""
    held = json.loads(path.read_text(encoding="utf-8"))
    return Verdict(held["table"], held["rows"], tuple(_finding(each) for each in held["findings"]))


def _finding(held: dict[str, Any]) -> Finding:
    measured = held.get("measured")
    return Finding(
        held["expectation"],
        held["column"],
        held["outcome"],
        held["observed"],
        Measured(**measured | {"examples": tuple(measured["examples"])}) if measured else None,
    )
