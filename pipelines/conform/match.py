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
        layout: the columns it has, of the optional ones those that are there.
        vintage: the year that its name states, None when it states none.
        extra: columns that the contract does not know and that are not read.
        unpivoted: by captured value, in order, the columns that become rows; empty where the layout unpivots none.
    """

    table: Table
    layout: Layout
    vintage: int | None
    extra: tuple[str, ...]
    unpivoted: dict[str, dict[str, str]]


def match_layout(
    contract: Contract, header: tuple[str, ...], name: str, doubled: frozenset[str] = frozenset()
) -> Match:
    """The one layout whose columns are all in ``header``, the fullest where several are.

    Args:
        contract: whose layouts.
        header: of the file.
        name: of the file.
        doubled: names that stand more than once in the file; in ``header`` the later ones end in ``__2``.

    Raises:
        ConformError: a column went missing, a column that is read stands twice, no table has such columns, or the name
            says another table or a year that is not covered.
    """
    pairs = [(table, layout) for table in contract.tables for layout in table.layouts]
    fitting = [(table, layout.present_in(header)) for table, layout in pairs if layout.fits(header)]
    if not fitting:
        raise _no_layout(contract, header, name)
    table, layout = max(fitting, key=lambda pair: len(pair[1].header))
    if unclear := sorted(doubled & set(layout.header)):
        raise ConformError(
            f"column {unclear[0]!r} stands twice in the header",
            where=f"{name}, line 1",
            fix="ask the publisher which one counts",
        )
    named = [each.name for each in contract.tables if each.names_resource(name)]
    if named and table.name not in named:
        raise ConformError(
            f"the columns are those of {table.name}; the name says {named[0]}",
            where=name,
            fix="two files were swapped: fetch them again, or tell the publisher",
        )
    unpivoted = layout.unpivot.found_in(header) if layout.unpivot else {}
    used = {*layout.header, *(column for columns in unpivoted.values() for column in columns.values())}
    return Match(table, layout, _vintage(contract, table, name), tuple(sorted(set(header) - used)), unpivoted)


def stated_year(table: Table, name: str) -> int | None:
    """The year that a resource's title states."""
    found = table.names_resource(name)
    stated = found.groupdict().get("vintage") if found else None
    return None if stated is None else int(stated)


def nearest_layout(contract: Contract, header: tuple[str, ...], name: str) -> tuple[Table, Layout]:
    """The layout that shares most with ``header``, among those of the table that ``name`` says, if it says one.

    Of layouts that fit equally well the newest is meant.
    """
    pairs = [(table, layout) for table in contract.tables for layout in table.layouts]
    named = [pair for pair in pairs if pair[0].names_resource(name)] or pairs
    return max(reversed(named), key=lambda pair: len(set(pair[1].header) & set(header)) / len(pair[1].header))


def _vintage(contract: Contract, table: Table, name: str) -> int | None:
    year = stated_year(table, name)
    if year is not None and contract.vintages is not None and year not in contract.vintages:
        known = f"{contract.vintages.first} to {contract.vintages.last}"
        raise ConformError(
            f"vintage {year} is unknown to the contract, which covers {known}",
            where=name,
            fix=f"compare the file with layout {table.layouts[-1].name!r}; if it fits, set `last: {year}` in "
            f"schemas/{contract.name}.yaml",
        )
    return year


def _no_layout(contract: Contract, header: tuple[str, ...], name: str) -> ConformError:
    """The error that tells a lost or renamed column from a file of another dataset."""
    table, layout = nearest_layout(contract, header, name)
    lost = [column for column in layout.header if column not in header]
    if layout.unpivot and not layout.unpivot.found_in(header):
        lost += layout.unpivot.columns.values()
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
