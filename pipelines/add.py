"""From an address to a table: ``describe`` what the catalogue says, ``add`` a contract for it and ingest it.

Belongs here: what stands between the catalogue, the proposal and the ingest. A contract that is there already is never
overwritten unasked: somebody may have corrected it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.catalog import Dataset, Resource, open_catalog, place_of
from pipelines.contracts.files import contract_files, plain_contract
from pipelines.contracts.load import read_contract
from pipelines.disk import write_whole
from pipelines.errors import CatalogError, ContractError, RocadeError, SettingsError
from pipelines.fetch import fetch
from pipelines.ingest import Outcome, ingest
from pipelines.propose.choice import left_out, tables_to_take, worth_a_look
from pipelines.propose.draft import Origin, dataset_name, draft
from pipelines.propose.inspection import Inspection, inspect_file
from pipelines.propose.table_schema import TableSchema, read_table_schema
from pipelines.propose.yaml_text import yaml_text

if TYPE_CHECKING:
    from pipelines.progress import Progress
    from pipelines.settings import Settings

#: Formats in the order in which one is preferred when a dataset gives the same table in several.
_FORMATS = ("csv", "csv.gz", "tsv", "txt", "parquet", "zip", "xlsx", "ods", "xls", "json", "jsonl", "ndjson", "geojson")


@dataclass(frozen=True)
class Description:
    """A dataset of the catalogue with its resources; ``contract`` is the name of the one that covers it, if any."""

    dataset: Dataset
    resources: tuple[Resource, ...]
    asked_for: str | None
    contract: str | None


@dataclass(frozen=True)
class Added:
    """What became of an ``add``.

    Attributes:
        name: of the contract and of its table.
        file: the contract.
        status: ``written``, ``kept`` where there was one, ``proposed`` in a dry run.
        text: the contract's text.
        outcomes: of the ingest; none in a dry run.
        notes: what to know.
    """

    name: str
    file: Path
    status: Literal["written", "kept", "proposed"]
    text: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """Where the file is, and what is known of it."""

    given: Resource | str
    origin: Origin
    notes: tuple[str, ...] = ()


def describe(given: str, settings: Settings) -> Description:
    """The dataset that an id, slug, page, API address or permalink means; of a resource, the dataset it belongs to.

    Raises:
        ResourceGone: there is none, or it was deleted.
        CatalogError: the address means no dataset, or the catalogue cannot be reached.
    """
    place = place_of(given, settings.datagouv_url)
    with open_catalog(settings) as catalog:
        asked_for, dataset_id = place.resource, place.dataset
        if asked_for:
            dataset_id = catalog.resource(asked_for).dataset_id
        if not dataset_id:
            raise CatalogError(
                "this means no dataset of the catalogue",
                where=given,
                fix="give an id, or the address of a dataset's page; of a file, `rocade inspect` shows what is in it",
            )
        dataset = catalog.dataset(dataset_id)
        resources = tuple(catalog.resources(dataset.id))
    return Description(dataset, resources, asked_for, _contract_of(dataset.id, settings))


def add(
    given: str,
    settings: Settings,
    progress: Progress,
    *,
    name: str | None = None,
    resource: str | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> Added:
    """Write a contract for what ``given`` means, and ingest it.

    Args:
        given: a dataset or resource of the catalogue, in any form that ``describe`` takes, another address, or a file.
        settings: where everything is; the contract goes to ``settings.own_schemas``.
        progress: counts bytes and rows.
        name: of contract and table; made from the title when absent.
        resource: the id of one of the dataset's resources.
        dry_run: write and ingest nothing.
        force: replace a contract of this name.

    Raises:
        SettingsError: no table can have that name, or it is taken by another dataset, or Rocade has a contract for this one.
        ConformError: no table is in the file.
        RocadeError: the file or the catalogue cannot be had.
    """
    if name is not None and not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SettingsError(
            f"{name!r} cannot be the name of a table",
            where="--name",
            fix=f"a letter, then small letters, digits and _, such as {dataset_name(name)}",
        )
    source = _source(given, resource, settings, name)
    file = settings.own_schemas / f"{source.origin.name}.yaml"
    if file.is_file() and not force and not dry_run:
        _refuse_another_dataset(file, source)
        note = f"{file} was there and is kept as it is; --force writes it anew"
        outcomes = ingest(source.origin.name, settings, progress, [source.given])
        text = file.read_text(encoding="utf-8")
        return Added(source.origin.name, file, "kept", text, tuple(outcomes), (*source.notes, note))
    _refuse_taken(source.origin, file, settings)
    settings.staging.mkdir(parents=True, exist_ok=True)
    snapshot = fetch(source.given, settings, progress)
    with progress.step(f"look at {snapshot.name}"):
        found = [each for each in inspect_file(snapshot.path, snapshot.name, settings) if isinstance(each, Inspection)]
    tables = tables_to_take(found, snapshot.name)
    schema, notes = _schema(source, settings)
    made = draft(source.origin, tables, schema)
    text = yaml_text(made, _opening(source, snapshot.sha256))
    _check(text, file)
    notes = (*source.notes, *notes, *left_out(found, tables), *worth_a_look(made, tables, file))
    if dry_run:
        return Added(source.origin.name, file, "proposed", text, (), notes)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text)
    outcomes = ingest(source.origin.name, settings, progress, [source.given])
    return Added(source.origin.name, file, "written", text, tuple(outcomes), notes)


def _source(given: str, resource: str | None, settings: Settings, name: str | None) -> _Source:
    place = place_of(given, settings.datagouv_url)
    if "://" not in given and Path(given).is_file():
        path = Path(given).absolute()
        return _Source(str(path), _elsewhere(name, path.name, str(path)))
    if place.dataset is None and place.resource is None:
        if "://" not in given:
            raise SettingsError("this is no file, no address and no id", where=given, fix="check its spelling")
        title = given.rstrip("/").rpartition("/")[2].partition("?")[0] or given
        return _Source(given, _elsewhere(name, title, given))
    about = describe(place.resource or place.dataset or given, settings)
    wanted = resource or about.asked_for
    chosen, notes = _chosen(about, wanted)
    if about.contract and name is None and not (settings.own_schemas / f"{about.contract}.yaml").is_file():
        raise SettingsError(
            f"Rocade has a contract for this dataset: {about.contract}",
            where=about.dataset.title,
            fix=f"`rocade ingest {about.contract}`; with --name you get one of your own",
        )
    dataset = about.dataset
    origin = Origin(
        name=name or about.contract or dataset_name(dataset.slug),
        title=dataset.title,
        resource=chosen.title,
        datagouv=dataset.id,
        homepage=dataset.page or "",
        publisher=dataset.organization or "unknown",
        licence=dataset.licence or "notspecified",
        frequency=dataset.frequency or "unknown",
    )
    return _Source(chosen, origin, notes)


def _elsewhere(name: str | None, title: str, address: str) -> Origin:
    stem = title.partition(".")[0] or title
    return Origin(name or dataset_name(stem), title, title, address=address, homepage=address, publisher="unknown")


def _chosen(about: Description, wanted: str | None) -> tuple[Resource, tuple[str, ...]]:
    if wanted:
        for each in about.resources:
            if each.id == wanted:
                return each, ()
        raise SettingsError(
            f"the dataset has no resource {wanted}",
            where=about.dataset.title,
            fix=f"`rocade describe {about.dataset.id}`",
        )
    main = [each for each in about.resources if each.type == "main" and (each.format or "").lower() in _FORMATS]
    if not main:
        raise SettingsError(
            "none of its resources is said to be a table",
            where=about.dataset.title,
            fix=f"choose one with --resource; `rocade describe {about.dataset.id}` lists them",
        )
    first = min(main, key=lambda each: _FORMATS.index((each.format or "").lower()))
    if len(main) == 1:
        return first, ()
    return first, (f"took {first.title!r}, the first of {len(main)} tables; --resource chooses another",)


def _schema(source: _Source, settings: Settings) -> tuple[TableSchema | None, tuple[str, ...]]:
    """The schema that the resource names, and notes; a schema that cannot be had is no reason to stop."""
    resource = source.given
    if isinstance(resource, str) or not (resource.schema or resource.schema_url):
        return None, ()
    called = resource.schema or resource.schema_url
    try:
        with open_catalog(settings) as catalog:
            url = resource.schema_url or catalog.schema_url(resource.schema or "", resource.schema_version)
            if url is None:
                return None, (f"the resource names the schema {called}, which the catalogue does not know",)
            return read_table_schema(catalog.document(url), url), ()
    except RocadeError as error:
        return None, (f"the schema {called} that the resource names cannot be had: {error.what}",)


def _contract_of(dataset_id: str, settings: Settings) -> str | None:
    """The contract that covers a dataset, read without validating it."""
    for name, path in contract_files(settings.own_schemas).items():
        contract = plain_contract(path)
        if dataset_id in (contract.get("datagouv"), *contract.get("datagouv_also", ())):
            return name
    return None


def _refuse_another_dataset(file: Path, source: _Source) -> None:
    """Two datasets may have titles that give one name."""
    contract = plain_contract(file)
    origin = source.origin
    same = (
        contract.get("datagouv") == origin.datagouv
        if origin.datagouv
        else origin.address in contract.get("addresses", ())
    )
    if not same:
        raise SettingsError(
            f"the name {origin.name} belongs to another dataset, {contract.get('title')}",
            where=str(file),
            fix="choose another --name, or --force to replace it",
        )


def _refuse_taken(origin: Origin, file: Path, settings: Settings) -> None:
    """Tables of all contracts live side by side."""
    for name, path in contract_files(settings.own_schemas).items():
        if path == file:
            continue
        contract = plain_contract(path)
        if origin.name == name or origin.name in {table["name"] for table in contract.get("tables", ())}:
            raise SettingsError(
                f"the name {origin.name} is taken by the contract {name}",
                where=str(path),
                fix="choose another with --name",
            )


def _opening(source: _Source, sha256: str) -> list[str]:
    today = datetime.now(UTC).date()
    return [
        f"Proposed on {today} from {source.origin.resource!r} (sha256 {sha256[:12]}…), by its values first and its names second.",
        "What was unsure is said in comments. Correct what is wrong: the next `rocade ingest` reads the file again.",
    ]


def _check(text: str, file: Path) -> None:
    try:
        read_contract(text, f"{file.name}, as proposed")
    except ContractError as error:
        raise ContractError(
            f"the proposed contract does not hold together: {error.what}",
            where=error.where,
            fix="please report the dataset",
        ) from error
