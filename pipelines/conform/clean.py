"""The statement that writes clean rows and sets the others aside, made so that the usual cell costs little.

``query`` says what a cell means. That meaning is costly (a dozen expressions a cell), and nearly all cells are in one
notation: so each field first tries its shortcut (contracts.shortcuts) or, where few texts are usual, looks its text up in a
dictionary whose meanings were asked of ``query``'s own expressions beforehand. SQL's CASE computes the rest for the other
cells alone. A row whose fields are all plainly good passes at once; of the others, ``query``'s checks decide.

Belongs here: what is fast. Does not: anything that says what a text means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.conform.query import Scan, cell_name, checks_of, parts_sql, trimmed, value_name, value_sql
from pipelines.conform.usual import Usual, filled_or_empty, lookup
from pipelines.contracts.shortcuts import CLOSED, UNFAILING, code_spellings
from pipelines.lake.duck import literal, text_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import duckdb

    from pipelines.conform.match import Match
    from pipelines.conform.query import Cell
    from pipelines.conform.sniff import Sniffed
    from pipelines.contracts import Contract, Field

#: The function that takes rows out: (record, cells) → false. Reached by bad rows only.
ASIDE = "set_aside"

_SQL_TYPES = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "decimal": "DECIMAL(18, 2)",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}
_MANY = 20  # texts, from which on it pays not to make a list of them in vain
_NO_TEXT = "ENUM('')"  # in the file a text as any other, and cheaper to write where all are NULL


@dataclass(frozen=True)
class _Column:
    """How one field is computed.

    Attributes:
        hoisted: columns of the first layer that ``value`` refers to, by name.
        value: SQL of the value, or of its place in a closed list (0 where it has none).
        good: SQL that is true of rows in which the field is plainly good; NULL or false says nothing.
        outputs: SQL of the table's columns.
        judged: SQL of the value for ``query``'s checks.
    """

    hoisted: Mapping[str, str]
    value: str
    good: str
    outputs: Sequence[str]
    judged: str


class Statement:
    """The SELECT over one contract's table, layout and file.

    Args:
        con: to ask for the meaning of usual texts.
        contract: whose fields.
        match: table and layout.
        sniffed: the file.
        usual: the usual notations, which are tried first; for a small file that costs more to plan than it spares.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, contract: Contract, match: Match, sniffed: Sniffed, usual: Usual | None
    ) -> None:
        self._con, self._contract, self._match, self._sniffed, self._usual = con, contract, match, sniffed, usual
        self._scan = Scan(match, sniffed)
        self._columns = {field.name: self._column(field) for field in match.table.fields}

    def select(self, relation: str, sha256: str) -> str:
        """The clean rows of ``relation``, which has ``record`` (from 1) and the cells ``c0, c1, …``.

        ``source_line`` is as if each record took one line.
        """
        columns, scan = self._columns.values(), self._scan
        cells = "" if self._usual else "".join(f", {self._trimmed(name)} AS {cell_name(name)}" for name in scan.sources)
        hoisted = "".join(f",\n    {sql} AS {name}" for each in columns for name, sql in each.hoisted.items())
        values = "".join(
            f",\n    {self._columns[field.name].value} AS {value_name(field)}" for field in self._match.table.fields
        )
        outputs = ",\n    ".join(output for each in columns for output in each.outputs)
        return f"""
WITH lines AS (SELECT * FROM {relation}){scan.long_sql},
first_layer AS (SELECT *{self._usual.first_layer() if self._usual else ""}
    FROM {scan.rows}{scan.blank_rows_out(self._trimmed)}),
hoisted AS (SELECT *{cells}{hoisted}{self._usual.second_layer() if self._usual else ""}
    FROM first_layer),
typed AS (SELECT *{values}
    FROM hoisted)
SELECT {outputs},
    '{sha256}'::ENUM('{sha256}') AS source_sha256, record + {1 + self._sniffed.offset} AS source_line
FROM typed WHERE {self._keep()}"""

    def _keep(self) -> str:
        """True of clean rows; sets the others aside."""
        checks = checks_of(
            self._contract, self._match, self._sniffed, self._cell, lambda field: self._columns[field.name].judged
        )
        bad = " OR ".join(f"coalesce({check.bad}, false)" for check in checks)
        cells = ", ".join(f"c{index}" for index in range(len(self._sniffed.header)))
        decided = f"WHEN {bad} THEN {ASIDE}(record, [{cells}])" if bad else ""
        good = " AND ".join(f"({each.good})" for each in self._columns.values() if each.good) or "true"
        plainly = f"WHEN {good} THEN true" if not self._sniffed.damaged else ""
        return f"CASE {plainly} {decided} ELSE true END" if plainly or decided else "true"

    def _trimmed(self, source: str) -> str:
        return f"({trimmed(self._scan.raw(source), self._contract.null_tokens)})"

    def _cell(self, source: str) -> str:
        """The trimmed text of ``source`` where few rows need it, or a column of it where all do."""
        return self._trimmed(source) if self._usual else cell_name(source)

    def _meaning(self, field: Field, of: Callable[[Cell], str]) -> str:
        """What ``of`` gives for the field's cells, for rows that are not in the usual notation.

        A cast may name a cell dozens of times; bound to a name the text is trimmed once, and the statement stays short.
        """
        if not self._usual:
            return of(self._cell)
        sources = list(dict.fromkeys(field.sources_in(self._match.layout)))
        bound = ", ".join(f"'p{index}': {self._trimmed(source)}" for index, source in enumerate(sources))
        body = of(lambda name: f"cells_['p{sources.index(name)}']")
        return f"list_transform([{{{bound}}}], lambda cells_: {body})[1]"

    def _column(self, field: Field) -> _Column:
        sources = field.sources_in(self._match.layout)
        if not sources:
            nothing = [f'NULL::{_NO_TEXT} AS "{column.name}"' for column in field.columns()]
            if field.codes is None:
                nothing = [f'NULL::{_SQL_TYPES.get(field.type, _NO_TEXT)} AS "{field.name}"']
            return _Column({}, "NULL", "", nothing, value_name(field))
        cast = field.cast_name_in(self._match.layout)
        rules = field.constraints
        limited = rules.pattern is not None or rules.minimum is not None or rules.maximum is not None
        if field.codes is not None and not limited:
            return self._closed(field, sources, tuple(self._contract.code_lists[field.codes]))
        return self._open(field, sources, cast)

    def _closed(self, field: Field, sources: tuple[str, ...], values: tuple[str, ...]) -> _Column:
        """A field that has one of a list of values: its place in the list is found, and the rest follows from it."""
        meaning = self._place_sql(field, values)
        place, hoisted = value_name(field), {}
        if len(sources) == 1 and self._usual:
            raw = self._scan.raw(sources[0])
            texts = self._usual_texts(field, values)
            known = {text: int(str(at)) for text, at in self._ask(meaning, sources[0], texts).items() if at is not None}
            if field.constraints.required:
                known = {text: at for text, at in known.items() if at}
            found = f'"usual {field.name}"'
            hoisted = {found: lookup(raw, known)}
            value = f"CASE WHEN {raw} IS NULL THEN 0 WHEN {found} IS NOT NULL THEN {found} ELSE {self._meaning(field, meaning)} END"
        else:
            value = self._meaning(field, meaning)
        labels = self._contract.code_lists[field.codes or ""].values()
        lists: list[tuple[str, Sequence[str]]] = [
            (field.value_column, values),
            (field.name, [each.en for each in labels]),
            (f"{field.name}_fr", [each.fr for each in labels]),
        ]
        # DuckDB makes a list anew for every 2,048 rows; a long one only where not all are blank.
        when = f"CASE WHEN {place} > 0 THEN {{}} END" if len(values) > _MANY else "{}"
        outputs = [when.format(f"{_list(texts)}[{place}]") + f' AS "{name}"' for name, texts in lists]
        good = f"{place} {'> 0' if field.constraints.required else 'IS NOT NULL'}"
        return _Column(hoisted, value, good, outputs, f"({_list(values)}[{place}])")

    def _place_sql(self, field: Field, values: tuple[str, ...]) -> Callable[[Cell], str]:
        """From the SQL of cells, SQL of the value's place in ``values``: 0 without text, NULL where it is none of them."""

        def place(cell: Cell) -> str:
            sources = field.sources_in(self._match.layout)
            empty = " OR ".join(f"{part} IS NULL" for part in parts_sql(field, sources, cell))
            value = value_sql(self._contract, field, self._match, cell)
            within = f"enum_code(TRY_CAST({value} AS ENUM({text_list(values)}))) + 1"
            return f"coalesce({within}, CASE WHEN ({empty}) AND {value} IS NULL THEN 0 END)"

        return place

    def _usual_texts(self, field: Field, values: tuple[str, ...]) -> list[str]:
        codes = self._contract.code_lists[field.codes or ""]
        unknown = [text for text in (*self._contract.null_tokens, *field.null_tokens) if text]
        also = [text for label in codes.values() for text in label.also]
        return list(dict.fromkeys([*(text for code in values for text in code_spellings(code)), *also, *unknown]))

    def _ask(
        self, meaning: Callable[[Cell], str], source: str, texts: list[str], name: str = "value", sound: str = "true"
    ) -> dict[str, object]:
        """What ``meaning`` gives for each of ``texts`` as ``source``'s cell; None where that, as ``name``, is not ``sound``."""
        if not texts:
            return {}

        def cell(name: str) -> str:
            return f"({trimmed('t', self._contract.null_tokens)})" if name == source else "NULL"

        values = f"SELECT t, {meaning(cell)} AS {name} FROM (SELECT unnest([{text_list(texts)}]) AS t)"
        return dict(self._con.execute(f"SELECT t, CASE WHEN {sound} THEN {name} END FROM ({values})").fetchall())

    def _open(self, field: Field, sources: tuple[str, ...], cast: str) -> _Column:
        raws = [self._scan.raw(source) for source in sources]
        name = value_name(field)
        broken = [
            f"coalesce({check.bad}, false)"
            for check in checks_of(self._contract, self._match, self._sniffed, lambda _: "NULL")
            if name in check.bad and check.reason not in {"does_not_cast", "missing"}
        ]
        sound = " AND ".join(f"NOT {each}" for each in broken)
        hoisted, value, plain = self._computed(field, raws, sound)
        output = name if cast in CLOSED and self._usual else f"CAST({name} AS {_SQL_TYPES.get(field.type, 'VARCHAR')})"
        outputs = [f'{output} AS "{field.value_column}"']
        if field.codes is not None:
            codes = self._contract.code_lists[field.codes]
            place = f"enum_code(TRY_CAST({name} AS ENUM({text_list(codes)}))) + 1"
            outputs += [
                f'{_list([each.en for each in codes.values()])}[{place}] AS "{field.name}"',
                f'{_list([each.fr for each in codes.values()])}[{place}] AS "{field.name}_fr"',
            ]
        good = f"{name} IS NOT NULL" if field.constraints.required else filled_or_empty(field, raws)
        if not field.constraints.required and cast in UNFAILING:
            good = sound
        elif sound:
            good = f"{good} AND {sound}"
        if plain:
            good = f"{plain} OR ({good})"
        return _Column(hoisted, value, good, outputs, name)

    def _computed(self, field: Field, raws: list[str], sound: str) -> tuple[dict[str, str], str, str | None]:
        """Columns to be computed first; SQL of the value; SQL that is true of plainly good cells, if that is known."""

        def of(cell: Cell) -> str:
            return value_sql(self._contract, field, self._match, cell)

        meaning = self._meaning(field, of)
        if not self._usual:
            return {}, meaning, None
        if len(raws) == 1 and (days := self._usual.days(field)):
            source, name = field.sources_in(self._match.layout)[0], value_name(field)
            known = self._ask(of, source, days, name, sound or "true")
            values = ["NULL" if value is None else literal(str(value)) for value in known.values()]
            return self._usual.looked_up(field, raws[0], days, values, _SQL_TYPES[field.type], meaning)
        return self._usual.open(field, raws, meaning)


def _list(texts: Sequence[str]) -> str:
    """A list from which a text is taken by its place; as an enumeration it is written as a dictionary."""
    distinct = text_list(dict.fromkeys(texts))
    return f"([{text_list(texts)}]::ENUM({distinct})[])"
