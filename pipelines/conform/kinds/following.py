"""Surveying a text while it is unpacked: unpacking keeps one core busy, the survey another.

Belongs here: the thread that follows a file that grows. Does not: what a survey is (conform.survey), what is unpacked.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import TYPE_CHECKING, Self

from pipelines.conform.survey import Survey, survey_while_written

if TYPE_CHECKING:
    from pathlib import Path


class Following:
    """Follows the text at ``path`` for as long as the ``with`` block writes it; then ``survey`` gives the survey of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written, self._done = 0, False
        self._news = Condition()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        """Begin to follow."""
        self._survey = self._pool.submit(survey_while_written, self._path, self._wait)
        return self

    def __exit__(self, *_: object) -> None:
        """The text is whole, or will never be."""
        with self._news:
            self._done = True
            self._news.notify()
        self._pool.shutdown()

    def grown(self, written: int) -> None:
        """So many bytes are written."""
        with self._news:
            self._written = written
            self._news.notify()

    def survey(self) -> Survey:
        """What was found in the text, once it is whole."""
        return self._survey.result()

    def _wait(self, wanted: int) -> int:
        with self._news:
            self._news.wait_for(lambda: self._done or self._written >= wanted)
            return self._written
