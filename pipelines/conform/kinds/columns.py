"""A Parquet file as CSV, a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.conform.kinds.write import csv_file, text_of
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from pathlib import Path

_BATCH = 10_000


def write_parquet(path: Path, name: str, target: Path) -> None:
    """Every row of the Parquet file at ``path``.

    Raises:
        ConformError: damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file, csv_file(target) as write:
            write(file.schema_arrow.names)
            for batch in file.iter_batches(_BATCH):
                columns = [column.to_pylist() for column in batch.columns]
                for row in zip(*columns, strict=True):
                    write([text_of(value) for value in row])
    except pa.ArrowException as error:
        raise ConformError(
            f"the Parquet file is damaged: {str(error).splitlines()[0]}", where=name, fix="fetch it again"
        ) from error
