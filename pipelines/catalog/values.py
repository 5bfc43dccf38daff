"""Datasets and resources as values; which of their figures to believe is said in the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.catalog.records import Record


@dataclass(frozen=True)
class Checksum:
    """A checksum as catalogued: ``type`` is sha1, sha2, sha256, md5 or crc, ``value`` hexadecimal."""

    type: str
    value: str


@dataclass(frozen=True)
class Dataset:
    """A dataset of the catalogue, without its resources.

    ``licence`` and ``frequency`` are data.gouv.fr's own ids (``fr-lo``, ``annual``); ``page`` is for people.
    """

    id: str
    title: str
    slug: str
    licence: str | None
    frequency: str | None
    page: str | None
    last_update: datetime | None
    organization: str | None
    resource_count: int


@dataclass(frozen=True)
class Resource:
    """One file or address of a dataset; see the module on which figures to believe.

    ``url`` is where the bytes are now, ``latest`` the permalink that always leads there; ``filesize`` is in bytes;
    ``type`` is main, documentation, update, api, code or other; ``schema`` names the schema it claims to follow,
    ``schema_url`` and ``schema_version`` say which where the publisher did.
    """

    id: str
    title: str
    url: str
    latest: str | None
    format: str | None
    type: str
    filetype: str
    filesize: int | None
    mime: str | None
    checksum: Checksum | None
    last_modified: datetime | None
    schema: str | None
    dataset_id: str | None
    schema_url: str | None = None
    schema_version: str | None = None

    @property
    def file_name(self) -> str:
        """The last part of ``url``, without its query: what the publisher called the file."""
        return unquote(urlsplit(self.url).path).rstrip("/").rpartition("/")[2]

    @property
    def is_hosted(self) -> bool:
        """Whether data.gouv.fr keeps the bytes, so that ``filesize`` and ``checksum`` are promises."""
        return self.filetype == "file"


def dataset_of(record: Record, resource_count: int) -> Dataset:
    """A dataset from the API's record of it."""
    owner = record.record_or_none("organization")
    return Dataset(
        id=record.text("id"),
        title=record.text("title"),
        slug=record.text("slug"),
        licence=record.text_or_none("license"),
        frequency=record.text_or_none("frequency"),
        page=record.text_or_none("page"),
        last_update=record.moment("last_update"),
        organization=owner.text_or_none("name") if owner else None,
        resource_count=resource_count,
    )


def resource_of(record: Record, dataset_id: str | None) -> Resource:
    """A resource from the API's record of it."""
    checksum = record.record_or_none("checksum")
    schema = record.record_or_none("schema")
    return Resource(
        id=record.text("id"),
        title=record.text("title"),
        url=record.text("url").strip(),
        latest=record.text_or_none("latest"),
        format=record.text_or_none("format"),
        type=record.text("type"),
        filetype=record.text("filetype"),
        filesize=record.number_or_none("filesize"),
        mime=record.text_or_none("mime"),
        checksum=Checksum(checksum.text("type"), checksum.text("value").lower()) if checksum else None,
        last_modified=record.moment("last_modified"),
        schema=schema.text_or_none("name") if schema else None,
        dataset_id=dataset_id,
        schema_url=schema.text_or_none("url") if schema else None,
        schema_version=schema.text_or_none("version") if schema else None,
    )
