"""How the local data.gouv.fr searches: words and filters on records, and facets in the shape of the original."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

Json = dict[str, Any]


def matches(dataset: Json, asked: dict[str, str]) -> bool:
    """Whether a dataset's whole record answers the query: all words, and each filter that is given."""
    owner = dataset.get("organization") or {}
    haystack = plain(" ".join([dataset["title"], dataset["description"], owner.get("name", ""), *dataset["tags"]]))
    wanted = {
        "organization": [owner.get("id"), owner.get("slug")],
        "tag": dataset["tags"],
        "format": [resource["format"] for resource in dataset["resources"]],
        "license": [dataset["license"]],
    }
    return (
        all(word in haystack for word in plain(asked.get("q", "")).split())
        and all(asked[key] in values for key, values in wanted.items() if key in asked)
        and not dataset.get("deleted")
    )


def facets_of(datasets: list[Json]) -> Json:
    """For each facet its values with the number of datasets, the most frequent first."""
    owners = [dataset["organization"] for dataset in datasets if dataset.get("organization")]
    counted = {
        "organization_id_with_name": Counter(f"{owner.get('id')}|{owner.get('name')}" for owner in owners),
        "format": Counter(f for dataset in datasets for f in {each["format"] for each in dataset["resources"]} if f),
        "license": Counter(dataset["license"] for dataset in datasets),
        "tag": Counter(tag for dataset in datasets for tag in dataset["tags"]),
    }
    return {
        name: [{"name": value, "count": count} for value, count in values.most_common()]
        for name, values in counted.items()
    }


def plain(text: str) -> str:
    """Lower case, without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
