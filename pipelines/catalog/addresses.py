"""Which dataset or resource an address or id means: people paste what the browser shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_RESOURCE = re.compile(
    rf"(?:/api/1|/fr|/en|/es)?/datasets/r/({_UUID})|/api/2/datasets/resources/({_UUID})"
    rf"|/api/1/datasets/[^/]+/resources/({_UUID})"
)
_DATASET = re.compile(r"(?:/api/[12])?(?:/fr|/en|/es)?/datasets/([^/]+)(?:/.*)?")


@dataclass(frozen=True)
class Place:
    """A dataset by id or slug, or a resource by id, or, with neither, some other address."""

    dataset: str | None = None
    resource: str | None = None


def place_of(given: str, base_url: str) -> Place:
    """What ``given`` means.

    Args:
        given: an id, a slug, the address of a page, an API call or a permalink.
        base_url: of the catalogue; addresses elsewhere mean neither a dataset nor a resource, but for data.gouv.fr's own.
    """
    if "://" not in given:
        if re.fullmatch(_UUID, given):
            return Place(resource=given)
        return Place(dataset=given) if re.fullmatch(r"[\w-]+", given) else Place()
    address = urlsplit(given)
    host = (address.hostname or "").removeprefix("www.")
    if address.netloc != urlsplit(base_url).netloc and not re.fullmatch(r"(demo\.)?data\.gouv\.fr", host):
        return Place()
    path = unquote(address.path).rstrip("/")
    if found := _RESOURCE.fullmatch(path):
        return Place(resource=found[1] or found[2] or found[3])
    # The page of a dataset shows one of its resources in the query or the fragment.
    named = re.search(rf"resources?(?:_id)?[=/-]({_UUID})", f"{address.query}#{address.fragment}")
    if named:
        return Place(resource=named[1])
    found = _DATASET.fullmatch(path)
    return Place(dataset=found[1]) if found and found[1] not in ("search", "r") else Place()
