"""Records in JSON (lines, an array, GeoJSON) as CSV.

Columns are all keys in the order in which they first appear, so each file is read twice. Numbers keep the digits that are
in the file: neither `250123.45` nor an identifier of 20 digits passes through a float.
"""

from __future__ import annotations

import codecs
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.conform.kinds.write import csv_file, text_of
from pipelines.errors import ConformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Record = dict[str, Any]

_MOST_COLUMNS = 5_000
_MOST_DIGITS = 4_000
_ENDLESS = b"9" * _MOST_DIGITS
_NINES = bytes.maketrans(b"0123456789", _ENDLESS[:10])
_PIECE = 4 << 20


def write_json_lines(path: Path, name: str, target: Path) -> None:
    """One JSON object a line; blank lines are blank rows.

    Raises:
        ConformError: with the line that is no object.
    """
    _write(lambda: _objects_of_lines(path, name), name, target)


def write_json(path: Path, name: str, target: Path) -> None:
    """A JSON array of objects, alone or as the one array of objects in an object.

    Raises:
        ConformError: there is no such array, or the JSON is damaged.
    """
    prefix = _array_in(path, name)
    _write(lambda: _items(path, name, prefix), name, target)


def write_geojson(path: Path, name: str, target: Path) -> None:
    """Features: their properties, ``longitude`` and ``latitude`` of points, and ``geometry`` as GeoJSON text.

    A property of one of these names keeps it; ours then ends in ``__2``.

    Raises:
        ConformError: there is no feature, or the JSON is damaged.
    """
    taken: set[str] = set()

    def features() -> Iterator[Record]:
        return (_flat(feature, taken) for feature in _items(path, name, "features.item"))

    _refuse_endless_numbers(path, name)
    for feature in _items(path, name, "features.item"):
        taken.update(_properties(feature))
    _write(features, name, target)


def _write(records: Callable[[], Iterator[Record | None]], name: str, target: Path) -> None:
    columns: dict[str, None] = {}
    for record in records():
        columns |= dict.fromkeys(record or {})
        if len(columns) > _MOST_COLUMNS:
            raise ConformError(
                f"its records have more than {_MOST_COLUMNS} different keys: they are no table",
                where=name,
                fix="look at it",
            )
    if not columns:
        raise ConformError("there is no record in the JSON", where=name, fix="the last good version stays published")
    with csv_file(target) as write:
        write(list(columns))
        for record in records():
            write([text_of(record.get(column)) for column in columns] if record is not None else [])


def _objects_of_lines(path: Path, name: str) -> Iterator[Record | None]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not text.strip():
                yield None
                continue
            try:
                record = json.loads(text, parse_float=Decimal)
            except (ValueError, RecursionError) as error:
                raise ConformError(
                    f"this line is no JSON: {error}",
                    where=f"{name}, line {number}",
                    fix="fetch it again; tell the publisher",
                ) from error
            if not isinstance(record, dict):
                raise ConformError(
                    "this line is no JSON object", where=f"{name}, line {number}", fix="tell the publisher"
                )
            yield record


def _array_in(path: Path, name: str) -> str:
    """Where the records are, as ijson says it: ``item``, or ``KEY.item``."""
    import ijson

    _refuse_endless_numbers(path, name)
    found: list[str] = []
    with path.open("rb") as file:
        try:
            for prefix, event, _ in ijson.parse(_without_mark(file), use_float=False):
                if event == "start_map" and (prefix == "item" or (prefix.endswith(".item") and prefix.count(".") == 1)):
                    if prefix not in found:
                        found.append(prefix)
                    if prefix == "item":
                        break
        except ijson.JSONError as error:
            raise _damaged(name, error) from error
    if len(found) != 1:
        what = f"several arrays of objects ({', '.join(found)})" if found else "no array of objects"
        raise ConformError(
            f"the JSON holds {what}; a table is one array of objects", where=name, fix="give another resource"
        )
    return found[0]


def _items(path: Path, name: str, prefix: str) -> Iterator[Record]:
    import ijson

    with path.open("rb") as file:
        try:
            for number, item in enumerate(ijson.items(_without_mark(file), prefix), start=1):
                if not isinstance(item, dict):
                    raise ConformError(
                        "this is no JSON object", where=f"{name}, record {number}", fix="tell the publisher"
                    )
                yield item
        except ijson.JSONError as error:
            raise _damaged(name, error) from error


def _refuse_endless_numbers(path: Path, name: str) -> None:
    """Python makes no whole number of more digits than these, and the parser crashes over that instead of saying so."""
    with path.open("rb") as file:
        kept = b""
        while piece := file.read(_PIECE):
            if _ENDLESS in (kept + piece).translate(_NINES):
                raise ConformError(
                    "holds a number of more than 4 000 digits", where=name, fix="tell the publisher; look at the file"
                )
            kept = piece[-_MOST_DIGITS:]


def _without_mark(file: Any) -> Any:
    """``file`` after its byte order mark, if any."""
    if file.read(3) != codecs.BOM_UTF8:
        file.seek(0)
    return file


def _damaged(name: str, error: Exception) -> ConformError:
    return ConformError(
        f"the JSON is damaged or was cut: {error}",
        where=name,
        fix="fetch it again; the last good version stays published",
    )


def _properties(feature: Record) -> Record:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def _flat(feature: Record, taken: set[str]) -> Record:
    geometry = feature.get("geometry")
    record = dict(_properties(feature))
    if "id" in feature and "id" not in taken:
        record = {"id": feature["id"], **record}
    place = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
    if isinstance(place, list) and len(place) >= 2:  # noqa: PLR2004 - longitude, latitude, perhaps a height
        record[_free("longitude", taken)], record[_free("latitude", taken)] = place[0], place[1]
    record[_free("geometry", taken)] = geometry
    return record


def _free(name: str, taken: set[str]) -> str:
    return f"{name}__2" if name in taken else name
