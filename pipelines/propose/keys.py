"""Which column, or pair of columns, tells the rows of a file apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.propose.columns import Column
    from pipelines.propose.texts import Texts

_MOST = 12  # columns of which pairs are tried
_NO_NAME = ("number", "decimal", "boolean")


@dataclass(frozen=True)
class Key:
    """Columns whose values together stand once in the file; ``sure`` where they are also what names a thing."""

    columns: tuple[str, ...]
    sure: bool


def smallest_key(texts: Texts, columns: Sequence[Column]) -> Key | None:
    """The smallest key, one that names a thing before one that is unique by chance; None where there is none."""
    if texts.rows < 2:  # noqa: PLR2004 - one row is told apart by anything
        return None
    full = [c for c in columns if c.nulls == 0 and not c.misfits and c.judgement.type not in _NO_NAME and _is_short(c)]
    full.sort(key=lambda column: (not column.judgement.identifier, column.index))
    for column in full:
        if column.distinct >= texts.rows * 0.9 and _tells_apart(texts, (column,)):
            return Key((column.name,), column.judgement.identifier)
    best = sorted(full, key=lambda column: (not column.judgement.identifier, -column.distinct))[:_MOST]
    for pair in combinations(sorted(best, key=lambda c: (not c.judgement.identifier, c.index)), 2):
        if pair[0].distinct * pair[1].distinct >= texts.rows and _tells_apart(texts, pair):
            return Key(tuple(each.name for each in pair), any(each.judgement.identifier for each in pair))
    return None


def _is_short(column: Column) -> bool:
    return all(len(example) <= 64 for example in column.examples)  # noqa: PLR2004 - a name, no prose


def _tells_apart(texts: Texts, columns: Sequence[Column]) -> bool:
    cells = ", ".join(f"c{column.index}" for column in columns)
    (different,) = texts.con.execute(f"SELECT count(*) FROM (SELECT DISTINCT {cells} FROM texts)").fetchall()[0]
    return bool(different == texts.rows)
