"""Which table, layout and vintage of a contract a file is, judged by its header and checked against its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pipelines.contracts import Contract, Layout, Table


@dataclass(frozen=True)
class Match:
    """What a file is in the contract's words.

    Attributes:
        table: where its rows go.
        layout: the columns it has.
        vintage: the year that its name states, None when it states none.
        extra: columns that the contract does not know and that are not read.
    """

    table: Table
    layout: Layout
    vintage: int | None
    extra: tuple[str, ...]


def match_layout(contract: Contract, header: tuple[str, ...], name: str) -> Match:
    """The one layout whose columns are all in ``header``, the fullest where several are.

    Raises:
        ConformError: a column went missing or twice, no table has such columns, or the name
            says another table or a year that is not covered.
    """
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise ConformError(
            f"column {doubled[0]!r} stands twice in the header",
            where=f"{name}, line 1",
            fix="ask the publisher which one counts",
        )
    pairs = [(table, layout) for table in contract.tables for layout in table.layouts]
    fitting = [(table, layout) for table, layout in pairs if set(layout.header) <= set(header)]
    if not fitting:
        raise _no_layout(contract, pairs, header, name)
    table, layout = max(fitting, key=lambda pair: len(pair[1].header))
    named = [each.name for each in contract.tables if each.names_resource(name)]
    if named and table.name not in named:
        raise ConformError(
            f"the columns are those of {table.name}; the name says {named[0]}",
            where=name,
            fix="two files were swapped: fetch them again, or tell the publisher",
        )
    return Match(table, layout, _vintage(contract, table, name), tuple(sorted(set(header) - set(layout.header))))


def _vintage(contract: Contract, table: Table, name: str) -> int | None:
    found = table.names_resource(name)
    stated = found.groupdict().get("vintage") if found else None
    if stated is None:
        return None
    year = int(stated)
    if contract.vintages is not None and year not in contract.vintages:
        known = f"{contract.vintages.first} to {contract.vintages.last}"
        raise ConformError(
            f"vintage {year} is unknown to the contract, which covers {known}",
            where=name,
            fix=f"compare the file with layout {table.layouts[-1].name!r}; if it fits, set `last: {year}` in "
            f"schemas/{contract.name}.yaml",
        )
    return year


def _no_layout(
    contract: Contract, pairs: list[tuple[Table, Layout]], header: tuple[str, ...], name: str
) -> ConformError:
    """The error that tells a lost or renamed column from a file of another dataset."""
    named = [pair for pair in pairs if pair[0].names_resource(name)] or pairs
    # of layouts that fit equally well the newest is meant
    table, layout = max(reversed(named), key=lambda pair: len(set(pair[1].header) & set(header)) / len(pair[1].header))
    lost = [column for column in layout.header if column not in header]
    new = [column for column in header if column not in layout.header]
    if len(lost) > len(layout.header) / 2:
        shown = ", ".join(header[:6]) + (", …" if len(header) > 6 else "")  # noqa: PLR2004 - enough to recognise a file
        return ConformError(
            f"no table of {contract.name!r} has these columns: {shown}",
            where=f"{name}, line 1",
            fix=f"known tables: {', '.join(each.name for each in contract.tables)}",
        )
    renamed = f"; new in the file: {', '.join(new)}" if new else ""
    return ConformError(
        f"column {', '.join(repr(column) for column in lost)} is missing (layout {layout.name!r} of {table.name}){renamed}",
        where=f"{name}, line 1",
        fix=f"the last good version stays published; if the publisher changed the file for good, add a layout to {table.name} "
        f"in schemas/{contract.name}.yaml",
    )
