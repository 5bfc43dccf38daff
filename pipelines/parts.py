"""The tables in one snapshot: a zip archive or a workbook may hold several, and each is ingested on its own.

A snapshot with one table is that table, under the resource's own key. Of several, each has the key ``KEY--MEMBER``; the
sheets of a workbook that fit no table of the contract (a title page, a legend) are passed over, and so are texts beside
the tables of a zip archive.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from pipelines.conform.header import NONE, Header, find_header
from pipelines.conform.kinds import Part, unpack
from pipelines.conform.kinds.unpack import discard
from pipelines.errors import ConformError
from pipelines.fetch import Snapshot, resource_key
from pipelines.fetch.snapshots import last_snapshot, remembered_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.contracts import Contract
    from pipelines.settings import Settings


@contextmanager
def tables_in(snapshot: Snapshot, contract: Contract, settings: Settings) -> Iterator[list[tuple[Snapshot, Part]]]:
    """Each table in ``snapshot`` as a snapshot of its own with its text, parents first; the texts last as long as the context.

    Raises:
        ConformError: the bytes hold no table, or no sheet fits the contract.
    """
    scratch = settings.staging / f"{contract.name}-{snapshot.sha256[:16]}.parts"
    discard(scratch)  # of a run that was killed
    try:
        parts = unpack(snapshot.path, snapshot.name, scratch)
        if len(parts) > 1:
            parts = _of_contract(parts, contract)
        if len(parts) == 1:
            yield [(snapshot, parts[0])]
        else:
            found = [(_part_of(snapshot, part, contract), part) for part in parts]
            yield sorted(found, key=lambda pair: _rank(pair[0].name, contract))
    finally:
        discard(scratch)


def known_parts(snapshot: Snapshot, settings: Settings) -> list[Snapshot]:
    """The parts of ``snapshot`` that were ingested from these very bytes before; none where it is one table."""
    known = (last_snapshot(key, settings) for key in remembered_keys(f"{snapshot.resource}--", settings))
    return [each for each in known if each is not None and each.sha256 == snapshot.sha256]


def _of_contract(parts: list[Part], contract: Contract) -> list[Part]:
    """The parts that are tables of the contract, as far as their headers tell; of a zip archive all that look like tables."""
    headers = {part.name: _header(part) for part in parts}
    layouts = [layout for table in contract.tables for layout in table.layouts]
    fitting = [p for p in parts if (h := headers[p.name]) and any(layout.fits(h.names) for layout in layouts)]
    if all(part.member is None for part in parts):
        if not fitting:
            shown = ", ".join(repr(part.sheet) for part in parts)
            raise ConformError(
                f"no sheet has the columns of a table of {contract.name!r}",
                where=parts[0].name,
                fix=f"its sheets are {shown}; `rocade inspect` shows what is in each",
            )
        return fitting
    tables = [p for p in parts if p in fitting or ((h := headers[p.name]) is not None and h.separator != NONE)]
    return tables or parts


def _header(part: Part) -> Header | None:
    try:
        return find_header(part.path, part.name, part.separator)
    except ConformError:
        return None  # whoever conforms it will say why


def _part_of(snapshot: Snapshot, part: Part, contract: Contract) -> Snapshot:
    label = part.label or part.name
    own = (part.sheet or part.member or "").rpartition("/")[2]
    # A member may say by its own name which table and year it is; else the whole says it for all.
    named = any(table.names_resource(own) for table in contract.tables)
    name = own if named else f"{snapshot.name}, {label}"
    return replace(snapshot, resource=resource_key(f"{snapshot.resource}--{_told_apart(label)}"), name=name)


def _told_apart(label: str) -> str:
    """``label``, with a digest where a key cannot hold all its characters: `é.csv` and `è.csv` are two tables."""
    if resource_key(label) == label.replace(" ", "_"):
        return label
    return f"{label}-{sha256(label.encode()).hexdigest()[:8]}"


def _rank(name: str, contract: Contract) -> int:
    ranks = [index for index, table in enumerate(contract.tables) if table.names_resource(name)]
    return ranks[0] if ranks else 0
