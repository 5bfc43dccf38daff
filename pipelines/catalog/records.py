"""A JSON object of the API whose missing and mistyped keys can be named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NoReturn

from pipelines.errors import CatalogError

REPORT = "data.gouv.fr may have changed its API: update rocade, or report this"


class Record:
    """A JSON object and where it came from, so that a missing or mistyped key can be named.

    Raises:
        CatalogError: ``value`` is not an object.
    """

    def __init__(self, url: str, name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise CatalogError(f"{name} is {_kind(value)} where an object is due", where=url, fix=REPORT)
        self._url, self._value = url, value

    def text(self, key: str) -> str:
        """Text; must be there."""
        value = self._present(key)
        if not isinstance(value, str):
            self._refuse(key, value, "text")
        return value

    def text_or_none(self, key: str) -> str | None:
        """Text, None where there is none."""
        return self.text(key) if self._value.get(key) is not None else None

    def number(self, key: str) -> int:
        """A whole number; must be there."""
        value = self._present(key)
        if type(value) is not int:  # a bool is an int to Python, not to JSON
            self._refuse(key, value, "an integer")
        return value

    def number_or_none(self, key: str) -> int | None:
        """A whole number, None where there is none."""
        return self.number(key) if self._value.get(key) is not None else None

    def moment(self, key: str) -> datetime | None:
        """An ISO 8601 date; the API states an offset, and where an old record does not it means UTC."""
        text = self.text_or_none(key)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._refuse(key, text, "an ISO 8601 date")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def record(self, key: str) -> Record:
        """An object; must be there."""
        return Record(self._url, f"`{key}`", self._present(key))

    def record_or_none(self, key: str) -> Record | None:
        """An object, None where there is none."""
        return self.record(key) if self._value.get(key) is not None else None

    def records(self, key: str) -> list[Record]:
        """A list of objects; must be there."""
        value = self._present(key)
        if not isinstance(value, list):
            self._refuse(key, value, "a list")
        return [Record(self._url, f"`{key}[{index}]`", entry) for index, entry in enumerate(value)]

    def has(self, key: str) -> bool:
        """Whether there is something under ``key``."""
        return bool(self._value.get(key))

    def count(self, key: str) -> int:
        """How many there are: of a list its length, of a link to a list the ``total`` that it states."""
        return len(self.records(key)) if isinstance(self._value.get(key), list) else self.record(key).number("total")

    def _present(self, key: str) -> Any:
        if self._value.get(key) is None:
            raise CatalogError(f"the answer lacks `{key}`", where=self._url, fix=REPORT)
        return self._value[key]

    def _refuse(self, key: str, value: Any, due: str) -> NoReturn:
        raise CatalogError(f"`{key}` is {value!r} where {due} is due", where=self._url, fix=REPORT)


def _kind(value: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"a {type(value).__name__}")
