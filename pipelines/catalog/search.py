"""Searching the catalogue: what is asked, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pipelines.catalog.values import Dataset, dataset_of

if TYPE_CHECKING:
    from pipelines.catalog.records import Record

_SHOWN_FACETS = {
    "organization_id_with_name": "organization",
    "format": "format",
    "license": "licence",
    "tag": "tag",
    "producer_type": "producer",
    "last_update": "last update",
}


@dataclass(frozen=True)
class Query:
    """Words and filters; ``page`` counts from 1 and holds ``limit`` datasets at most."""

    words: str = ""
    organization: str | None = None
    tag: str | None = None
    format: str | None = None
    licence: str | None = None
    page: int = 1
    limit: int = 20

    def parameters(self) -> str:
        """The query string of the API."""
        asked = {
            "q": self.words or None,
            "organization": self.organization,
            "tag": self.tag,
            "format": self.format,
            "license": self.licence,
            "page": self.page,
            "page_size": self.limit,
        }
        return urlencode({key: value for key, value in asked.items() if value is not None})


@dataclass(frozen=True)
class Facet:
    """How many of all datasets found have each value of something, the most frequent first."""

    name: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Found:
    """A page of datasets; ``total`` counts all pages."""

    query: Query
    datasets: tuple[Dataset, ...]
    total: int
    facets: tuple[Facet, ...]
    notes: tuple[str, ...] = ()


def found_in(page: Record, query: Query, notes: tuple[str, ...] = ()) -> Found:
    """The answer of the API's search, or of its plain list."""
    datasets = tuple(dataset_of(entry, _resources(entry)) for entry in page.records("data"))
    facets = page.record_or_none("facets")
    return Found(query, datasets, page.number("total"), tuple(_facets(facets)) if facets else (), notes)


def _resources(entry: Record) -> int:
    """Version 1 lists the resources, version 2 counts them."""
    return entry.count("resources")


def _facets(facets: Record) -> list[Facet]:
    found = []
    for key, name in _SHOWN_FACETS.items():
        if not facets.has(key):
            continue
        # An organisation is named `id|Name`.
        values = tuple((each.text("name").rpartition("|")[2], each.number("count")) for each in facets.records(key))
        found.append(Facet(name, values))
    return found
