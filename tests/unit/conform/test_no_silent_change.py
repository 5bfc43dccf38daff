"""Whatever the file looks like: a cell comes out as what it means, or its row waits in quarantine."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notations import CODES, COLUMNS, NO_MEANING, NULLS, Cell, draw_cell, limited

from pipelines.conform import conform
from pipelines.conform.survey import DAMAGE
from pipelines.contracts import Contract
from pipelines.errors import ConformError
from pipelines.progress import Silent
from pipelines.settings import Settings

#: The publisher's name of each column.
_TITLES = {
    "key": "Identifiant",
    "word": "Libellé",
    "whole": "Nombre d'élèves",
    "real": "Taux (%)",
    "money": "Prix €",
    "day": "Date",
    "french_day": "Date d'effet",
    "moment": "Horodatage",
    "code": "Catégorie",
    "flag": "Actif ?",
    "postcode": "Code postal",
}
_UNTIDY = re.compile(f"[\r\n]|{DAMAGE}")
_WORDS = dict.fromkeys(["name", "title", "datagouv", "homepage", "publisher", "licence", "frequency", "schedule"], "x")
_CONTRACT = Contract.model_validate(
    _WORDS
    | {
        "null_tokens": NULLS,
        "code_lists": {"list": CODES},
        "tables": [
            {
                "name": "things",
                "title": "t",
                "resources": "things",
                "primary_key": ["key"],
                "layouts": [{"name": "one", "header": list(_TITLES.values())}],
                "fields": [
                    {"name": "key", "type": "string", "from": _TITLES["key"], "constraints": {"required": True}},
                    *(
                        {"name": name, "type": kind, "cast": cast, "from": _TITLES[name]}
                        | ({"codes": "list"} if kind == "code" else {})
                        for name, (kind, cast, _) in COLUMNS.items()
                    ),
                ],
            }
        ],
    }
)
_PREAMBLES = ["Source : ministère", "Export du 03/02/2024", "", "Données provisoires ; ne pas diffuser", '"Titre"', "1"]


@dataclass(frozen=True)
class Dress:
    """How a table is written down."""

    encoding: str
    separator: str
    quoting: str
    line_end: str
    preamble: tuple[str, ...]
    last_line_ends: bool
    ragged: bool
    seed: int
    tidy: bool = False  # no line ends and no damage in cells: a large file that is so is read the quick way


_DRESSES = st.builds(
    Dress,
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    st.sampled_from(";,\t|"),
    st.sampled_from(["minimal", "all", "some"]),
    st.sampled_from(["\n", "\r\n", "\r", "mixed"]),
    st.lists(st.sampled_from(_PREAMBLES), max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32),
)
_TIDY = st.builds(
    Dress,
    st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    st.sampled_from(";,\t|"),
    st.sampled_from(["minimal", "all", "some"]),
    st.sampled_from(["\n", "\r\n"]),
    st.just(()),
    st.booleans(),
    st.just(False),  # noqa: FBT003 - a strategy of one value
    st.integers(0, 2**32),
    st.just(True),  # noqa: FBT003
)


@dataclass(frozen=True)
class _Written:
    """A record and the line on which it begins; ``cells`` is None where it has too few or too many."""

    line: int
    key: str
    cells: dict[str, Cell] | None


def _quoted(text: str, dress: Dress, chance: random.Random) -> str:
    must = any(sign in text for sign in (dress.separator, '"', "\n", "\r")) or dress.quoting == "all"
    if must or (dress.quoting == "some" and chance.random() < 0.5):
        return '"' + text.replace('"', '""') + '"'
    return text


def _write(dress: Dress) -> tuple[bytes, list[_Written]]:
    """The file, and what stands in it."""
    chance = random.Random(dress.seed)
    text, line, rows = io.StringIO(), 1, []

    def put(record: str, *, last: bool = False) -> None:
        nonlocal line
        end = chance.choice(["\n", "\r\n", "\r"]) if dress.line_end == "mixed" else dress.line_end
        inner = end if dress.line_end != "mixed" else "\n"
        text.write(record.replace("\n", inner) + ("" if last and not dress.last_line_ends else end))
        line += record.count("\n") + 1

    for words in dress.preamble:
        put(words if words or dress.line_end != "mixed" else " ")  # CR and an empty line's LF would be one line end
    put(dress.separator.join(_quoted(title, dress, chance) for title in _TITLES.values()))
    count = chance.randrange(5, 40)
    for number in range(count):
        key = f"{chance.randrange(100):03}-{number}"
        cells = {name: _cell(name, dress, chance) for name in COLUMNS}
        texts = [key, *(cell.text.replace("\r", "\n") for cell in cells.values())]
        width = len(texts)
        if dress.ragged and chance.random() < 0.1:
            texts = chance.choice([texts[: chance.randrange(1, width)], [*texts, "one more"]])
        whole = len(texts) == width
        rows.append(_Written(line, key, cells if whole else None))
        put(dress.separator.join(_quoted(each, dress, chance) for each in texts), last=number == count - 1)
    return text.getvalue().encode(dress.encoding), rows


def _cell(name: str, dress: Dress, chance: random.Random) -> Cell:
    while True:
        cell = limited(draw_cell(name, chance), name, dress.encoding)
        if not dress.tidy or not _UNTIDY.search(cell.text):
            return cell


def _one_line_end(value: object) -> object:
    return re.sub("\r\n?", "\n", value) if isinstance(value, str) else value


def _check(dress: Dress) -> None:
    data, written = _write(dress)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "things.csv").write_bytes(data)
        home = Settings(home=folder / "home")
        home.staging.mkdir(parents=True)
        try:
            result = conform(
                folder / "things.csv",
                _CONTRACT,
                home,
                Silent(),
                name="things.csv",
                resource="things.csv",
                sha256=hashlib.sha256(data).hexdigest(),
                target=folder / "clean.parquet",
            )
        except ConformError:
            # Refused aloud: words above the table that look like one, uneven rows in a small file or at its cut end.
            assert dress.preamble or dress.ragged
            return
        clean = {row["source_line"]: row for row in pq.read_table(result.file).to_pylist()}
    rejected = {row["source_line"]: row for row in result.rejected.to_pylist()}
    assert result.rows == len(written)
    assert clean.keys() | rejected.keys() == {row.line for row in written}
    assert not clean.keys() & rejected.keys()
    for row in written:
        if row.line in rejected:
            reason = rejected[row.line]
            plain = row.cells is not None and all(
                cell.plain and cell.meaning is not NO_MEANING for cell in row.cells.values()
            )
            assert not plain, (row, reason)
            continue
        held = clean[row.line]
        assert row.cells is not None, held
        assert held["key"] == row.key
        for column, cell in row.cells.items():
            value = held[f"{column}_code" if column == "code" else column]
            assert (_one_line_end(value), type(value)) == (cell.meaning, type(cell.meaning)), (column, cell, value)


@given(_DRESSES)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_changes_silently(dress: Dress) -> None:
    _check(dress)


@given(_TIDY)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_changes_silently_where_the_ways_of_large_files_are_taken(dress: Dress) -> None:
    _check_as_large(dress)


def _check_as_large(dress: Dress) -> None:
    with pytest.MonkeyPatch.context() as forced:
        _take_ways_of_large_files(forced)
        _check(dress)


def _take_ways_of_large_files(forced: pytest.MonkeyPatch) -> None:
    """Usual notations are tried first, and a stray letter leaves every second line on trial, not every 4,096th.

    Small parts of small blocks are read.
    """
    forced.setattr("pipelines.conform.scan._LARGE", 0)
    forced.setattr("pipelines.conform.segments.SMALLEST", 1500)
    forced.setattr("pipelines.conform.blocks.BLOCK", 600)
    forced.setattr("pipelines.conform.usual.STRIDE", 2)
    forced.setattr("pipelines.conform.sniff.STRIDE", 2)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@given(_DRESSES)
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_changes_silently_in_ten_thousand_files(dress: Dress) -> None:
    _check(dress)


@pytest.mark.faults
@pytest.mark.timeout(3600)
@given(_TIDY)
@settings(max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_changes_silently_in_five_thousand_files_read_as_large(dress: Dress) -> None:
    _check_as_large(dress)


def test_the_reference_agrees_with_the_standard_library() -> None:
    for seed in range(20):
        dress = Dress("utf-8", ";", "minimal", "\n", (), last_line_ends=True, ragged=False, seed=seed)
        data, written = _write(dress)
        records = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=";"))
        assert [record[0] for record in records[1:]] == [row.key for row in written]
        for record, row in zip(records[1:], written, strict=True):
            assert row.cells is not None
            assert record[1:] == [cell.text.replace("\r", "\n") for cell in row.cells.values()]
