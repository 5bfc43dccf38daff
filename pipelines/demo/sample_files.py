"""A generated dataset on disk: its files, its record for the mirror, and the list of rows that are broken on purpose.

What is in the files is the business of the module of each family; the accidents, which came first, write their own.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipelines.demo.samples import BROKEN_ROWS_KEY, BrokenRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class SampleFile:
    """One file: its name, its bytes and its broken rows."""

    name: str
    body: bytes
    broken: tuple[BrokenRow, ...] = ()


@dataclass(frozen=True)
class SampleDataset:
    """What the catalogue says of a dataset; ``id`` is what the contract asks for."""

    id: str
    slug: str
    title: str
    licence: str
    frequency: str


def write_dataset(folder: Path, dataset: SampleDataset, files: Sequence[SampleFile]) -> Path:
    """Write ``files`` and ``dataset.json`` into ``folder``, ready for `rocade mirror`; ``broken_rows`` reads the list.

    A file that already has its bytes is left alone, so that its date stays.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "id": dataset.id,
        "title": f"GENERATED SAMPLES, not real figures: {dataset.title}",
        "slug": dataset.slug,
        "description": "Invented rows with the headers, encodings and faults of the real files.",
        "license": dataset.licence,
        "frequency": dataset.frequency,
        "organization": {"name": "rocade demo", "class": "Organization"},
        "tags": ["generated", "sample"],
        "extras": {BROKEN_ROWS_KEY: [asdict(row) for file in files for row in file.broken]},
    }
    bodies = {file.name: file.body for file in files}
    bodies["dataset.json"] = json.dumps(record, ensure_ascii=False, indent=1).encode()
    for name, body in bodies.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != body:
            path.write_bytes(body)
    return folder


def table_bytes(rows: Iterable[Sequence[object]], separator: str, *, encoding: str = "utf-8", end: str = "\n") -> bytes:
    """``rows``, the header first, with quotes where a cell needs them; ``None`` is a blank cell."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return text.getvalue().encode(encoding)
