"""Files of results: opened before anything is sent, so that a name that cannot be written is told while it costs nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Self

import orjson

from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """While ``target`` is opened or written.

    Raises:
        SettingsError: the system does not let us.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"cannot be written: {error.strerror}", where=str(target), fix="name another file"
        ) from error


class TruthFile:
    """What really happened, a JSON object a line; open while the ``with`` block lasts, nothing at all without a target.

    Raises:
        SettingsError: it cannot be written.
    """

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._handle: BinaryIO | None = None

    def write(self, lines: Iterable[object]) -> None:
        """Dataclasses or mappings, added; not looked at without a target."""
        if self._target is None or self._handle is None:
            return
        with writing(self._target):
            self._handle.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)

    def __enter__(self) -> Self:
        if self._target is not None:
            with writing(self._target):
                self._handle = self._target.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._target is not None and self._handle is not None:
            with writing(self._target):
                self._handle.close()
