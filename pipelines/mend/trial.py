"""Trying a contract on the first rows of a file: what would be rejected, without touching the lake."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from pipelines.conform import Conformed, conform
from pipelines.conform.sniff import sniff
from pipelines.contracts import Layout
from pipelines.contracts.fields import Constraints
from pipelines.errors import ConformError
from pipelines.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from pipelines.conform.kinds import Part
    from pipelines.contracts import Contract, Field, Table
    from pipelines.settings import Settings

#: Rows that are tried: the first of the file, and as many of those that were rejected.
_ROWS = 3000
#: Share of cells that may be odd in a column that is otherwise another one's.
_ODD = 0.05


@dataclass(frozen=True)
class Trial:
    """Some rows of a file, to be conformed as often as one likes.

    Attributes:
        part: them, as a text of their own.
        header: the file's.
        name: of the file.
        settings: where conform may write.
    """

    part: Part
    header: tuple[str, ...]
    name: str
    settings: Settings

    def run(self, contract: Contract) -> Conformed | None:
        """The rows by ``contract``; None where it does not know them, or a cast cannot be applied at all."""
        try:
            return conform(
                self.part,
                contract,
                self.settings,
                Silent(),
                name=self.name,
                resource="trial",
                sha256=self.part.path.parent.name,
                target=self.part.path.with_suffix(".parquet"),
            )
        except (ConformError, duckdb.Error):
            return None

    def holds(
        self, contract: Contract, table: Table, layout: Layout, known: Mapping[str, str], was: str
    ) -> bool | None:
        """Whether the cells of column ``known[was]`` can be those of ``was``; None where they cannot tell.

        Args:
            contract: with the code lists.
            table: whose fields read ``was``.
            layout: the one that has it.
            known: by column of the layout, its name in the file.
            was: a column of the layout.
        """
        fields = [
            _under_other_names(field, layout, known)
            for field in table.fields
            if was in (sources := field.sources_in(layout)) and set(sources) <= set(known)
        ]
        if not fields:
            return None
        header = tuple(sorted({source for field in fields for source in field.source}))
        alone = table.model_copy(
            update=_BARE | {"fields": tuple(fields), "layouts": (Layout(name="trial", header=header),)}
        )
        result = self.run(contract.model_copy(update={"vintages": None, "tables": (alone,)}))
        if result is None:
            return False
        if result.rejected_share > _ODD:
            return False
        rows = pq.read_table(result.file, columns=[field.value_column for field in fields])
        filled = any(column.null_count < len(column) for column in rows.columns)
        return True if filled and any(map(_is_telling, fields)) else None


_BARE: dict[str, object] = {
    "primary_key": (),
    "foreign_keys": (),
    "prefer": (),
    "exclusive": (),
    "dated_by": None,
    "keep": "resource",
}


@contextmanager
def on_trial(part: Part, name: str, settings: Settings, rejected: pa.Table | None = None) -> Iterator[Trial]:
    """The first rows of ``part`` for a trial, and some of those that were ``rejected``; gone with the context.

    Raises:
        ConformError: it is no table at all.
    """
    settings.staging.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.staging) as folder:
        sniffed = sniff(part.path, name, Path(folder) / "whole.utf8", separator=part.separator, offset=part.offset)
        file = Path(folder) / "rows.csv"
        with (
            sniffed.path.open(encoding="utf-8-sig", newline="", errors="replace") as text,
            file.open("w", encoding="utf-8", newline="") as rows,
        ):
            records = csv.reader(text, delimiter=sniffed.separator)
            writer = csv.writer(rows, delimiter=sniffed.separator, lineterminator="\n")
            first = [tuple(record) for record in islice(records, _ROWS + 1)]
            writer.writerows(first)
            writer.writerows(_others(rejected, sniffed.header, set(first)))
        yield Trial(replace(part, path=file, separator=sniffed.separator), sniffed.header, name, settings)


def _others(
    rejected: pa.Table | None, header: tuple[str, ...], taken: set[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """The records of rows in quarantine, without those that are taken already."""
    for row in rejected["row"].slice(0, _ROWS).to_pylist() if rejected is not None else []:
        cells = json.loads(row) if row and row.startswith("{") else {}
        if all(column in cells for column in header):
            record = tuple(cells[column] or "" for column in header)
            if record not in taken:
                yield record


def _under_other_names(field: Field, layout: Layout, known: Mapping[str, str]) -> Field:
    override = field.by_layout.get(layout.name)
    return field.model_copy(
        update={
            "source": tuple(known[source] for source in field.sources_in(layout)),
            "cast": (override and override.cast) or field.cast,
            "by_layout": {},
            "constraints": Constraints.model_validate(field.constraints.model_dump() | {"required": False}),
        }
    )


def _is_telling(field: Field) -> bool:
    return field.type != "string" or field.constraints.pattern is not None or field.cast not in {None, "string"}
