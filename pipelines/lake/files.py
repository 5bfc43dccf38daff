"""Files on their way into a table: where they are written, and what becomes of those that are never committed.

A file that is in no version does no harm; it takes space. Belongs here: paths and clearing up. Does not: commits (store).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import LakeError

if TYPE_CHECKING:
    from pipelines.lake.store import Lake

#: Gives a fresh path for a file of a partition.
NewFile = Callable[[Mapping[str, str]], Path]

#: What stands the same in a folder's name, in the Delta log (URL-encoded) and in a hive partition.
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")


def fresh_path(folder: Path, name: str, partition: Mapping[str, str]) -> Path:
    """A path under ``folder``, the table's, that no file has; its own folder exists after this.

    Raises:
        LakeError: a partition value would not stand the same in a path as in the log; ``name`` is for the message.
    """
    for column, value in partition.items():
        if not _PLAIN.fullmatch(value):
            raise LakeError(
                f"{value!r} cannot be a value of partition {column}",
                where=name,
                fix="letters, digits, dot, dash and underscore; see fetch.resource_key",
            )
        folder /= f"{column}={value}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"part-{uuid.uuid4().hex}.zstd.parquet"


@contextmanager
def uncommitted(lake: Lake, name: str) -> Iterator[NewFile]:
    """``lake.new_file`` for table ``name``, whose files are removed again when the block fails, unless they were committed.

    What was erased meanwhile may still be in them. A block that is interrupted right after its commit fails, too.
    """
    made: list[Path] = []
    before = lake.version(name)

    def new_file(partition: Mapping[str, str]) -> Path:
        made.append(lake.new_file(name, partition))
        return made[-1]

    try:
        yield new_file
    except BaseException:
        since = range(0 if before is None else before + 1, (lake.version(name) or 0) + 1)
        committed = {path for version in since if lake.exists(name) for path in lake.files(name, version=version)}
        for file in made:
            if str(file) not in committed:
                file.unlink(missing_ok=True)
        raise
