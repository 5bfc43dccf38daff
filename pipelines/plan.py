"""Which resources an ingest takes, and in which order: those that the catalogue lists, or files and addresses at hand.

Belongs here: choosing and ordering, parents before children so that keys can be judged. Does not: bringing any byte.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipelines.catalog import Resource, open_catalog
from pipelines.errors import CatalogError, SettingsError
from pipelines.fetch import address_key, resource_key

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipelines.contracts import Contract
    from pipelines.settings import Settings

Source = Resource | str


@dataclass(frozen=True)
class Planned:
    """A resource of the catalogue that a table of the contract names; ``rank`` is the table's place among them."""

    resource: Resource
    rank: int
    vintage: int | None


def plan(contract: Contract, settings: Settings, vintages: Collection[int] | None = None) -> list[Planned]:
    """The resources of the contract's datasets that its tables name, parents before children, then by year.

    Args:
        contract: the dataset.
        settings: where the catalogue is.
        vintages: only these years; resources without a year in their title are then left out.

    Raises:
        CatalogError: data.gouv.fr did not answer as promised, or lists nothing that the contract knows.
    """
    with open_catalog(settings) as catalog:
        datasets = [each for each in (contract.datagouv, *contract.datagouv_also) if each]
        resources = [resource for dataset in datasets for resource in catalog.resources(dataset)]
    found = [
        Planned(resource, rank, int(year) if (year := named.groupdict().get("vintage")) else None)
        for rank, table in enumerate(contract.tables)
        for resource in resources
        if resource.type == "main" and (named := table.names_resource(resource.title)) is not None
    ]
    if not found:
        titles = ", ".join(resource.title for resource in resources[:5]) or "nothing"
        raise CatalogError(
            f"none of the {len(resources)} resources is named as schemas/{contract.name}.yaml expects; there is {titles}",
            where=contract.homepage,
            fix="if the publisher renamed them, change `resources` of the contract's tables",
        )
    wanted = [each for each in found if vintages is None or each.vintage in vintages]
    return sorted(wanted, key=lambda each: (each.rank, each.vintage or 0, each.resource.title))


def parents_first(contract: Contract, sources: Sequence[Source]) -> list[Source]:
    """``sources`` in the order of the contract's tables, where their names tell the table.

    Raises:
        SettingsError: two of them have the same name, so that one would replace the other's rows.
    """
    keys = Counter(resource_and_name(source)[0] for source in sources)
    for key, times in keys.items():
        if times > 1:
            raise SettingsError(
                f"{times} of the given resources are called {key}; each would replace the rows of the other",
                where="--resource",
                fix="rename one of them",
            )

    def rank(source: Source) -> int:
        name = telling_name(contract, resource_and_name(source)[1], None if isinstance(source, Resource) else source)
        ranks = [index for index, table in enumerate(contract.tables) if table.names_resource(name)]
        return ranks[0] if ranks else 0

    return sorted(sources, key=rank)


def resource_and_name(source: Source) -> tuple[str, str]:
    """The resource's key and its title, as far as they are known before anything is fetched."""
    if isinstance(source, Resource):
        return resource_key(source.id), source.title
    if "://" not in source:
        name = source.rstrip("/").rpartition("/")[2] or source
        return resource_key(name), name
    name = _path(source).rpartition("/")[2] or urlsplit(source).netloc
    return address_key(source), name


def telling_name(contract: Contract, name: str, address: str | None) -> str:
    """``name``, or the path of ``address`` where only that tells which table or which year it is (`2024/full.csv.gz`)."""
    path = _path(address) if address and "://" in address else ""
    told, by_path = _told(contract, name), _told(contract, path)
    return path if by_path > told else name


def _told(contract: Contract, name: str) -> tuple[bool, bool]:
    """Whether ``name`` tells a table of the contract, and a year."""
    matches = [match for table in contract.tables if (match := table.names_resource(name)) is not None]
    return bool(matches), any(match.groupdict().get("vintage") for match in matches)


def _path(address: str) -> str:
    return unquote(urlsplit(address).path).strip("/")
