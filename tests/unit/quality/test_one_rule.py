"""A rule stands once in the contract and has two witnesses: what one lets pass, the other must."""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from pipelines.conform import Conformed, conform
from pipelines.conform.query import broken_sql
from pipelines.contracts import Contract
from pipelines.contracts.patterns import common_regex
from pipelines.contracts.rules import rules_of_table
from pipelines.progress import Silent
from pipelines.quality.suite import expectation_of, expectations_of, validate
from pipelines.settings import Settings

# Great Expectations takes a tenth of a second a call: too slow to shrink what was found.
_CALM = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

_LETTERS = st.sampled_from(list("aAb1٣é.-_ \t\n|[]^$²ßK\u00a0"))
_ATOMS = st.sampled_from(
    [
        "a",
        "A",
        "é",
        r"\.",
        r"\-",
        r"\d",
        r"\w",
        ".",
        "[ab1]",
        "[^a]",
        r"[\d.]",
        r"[^\w-]",
        "[à-ÿ]",
        "[]a]",
        "[$^]",
        r"\|",
    ]
)


def _is_taken(pattern: str) -> bool:
    try:
        return bool(common_regex(pattern))
    except ValueError:  # a repetition in a repetition
        return False


_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda it: f"({it[0]}){it[1]}"
        ),
    ),
    max_leaves=6,
).filter(_is_taken)
_BOUNDS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(1 - 2**53, 2**53 - 1) | st.integers(-5, 5) | st.sampled_from([2**53 - 1, 1 - 2**53, 0.5]),
    "number": st.floats(-1e6, 1e6) | st.integers(-5, 5) | st.sampled_from([0.1, 0.3, 1e-300, 1e300]),
    "decimal": st.integers(-5, 5) | st.sampled_from([0.1, 0.3, 250123.45, 10**13 - 1, 9999999999999.99, -0.01]),
}
_WORDS = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "decimal": st.decimals(-(10**15), 10**15, places=2),
}


def _contract(fields: list[dict[str, Any]], codes: list[str]) -> Contract:
    table = {
        "name": "things",
        "title": "t",
        "resources": "things",
        "layouts": [{"name": "one", "header": [f"c{index}" for index in range(len(fields))]}],
        "fields": fields,
        "tolerance": 1,
    }
    words = dict.fromkeys(
        ["name", "title", "datagouv", "homepage", "publisher", "licence", "frequency", "schedule"], "x"
    )
    return Contract.model_validate(words | {"tables": [table], "code_lists": {"list": dict.fromkeys(codes, "label")}})


@st.composite
def _ruled(draw: st.DrawFn) -> tuple[dict[str, Any], list[str], list[Any]]:
    """A field with one or two rules, a code list, and values of its type that are near them or anywhere."""
    kind = draw(st.sampled_from(["integer", "number", "decimal", "string", "code"]))
    field: dict[str, Any] = {
        "name": "value",
        "type": kind,
        "from": "c0",
        "constraints": {"required": draw(st.booleans())},
    }
    codes = draw(
        st.lists(
            st.text(_LETTERS, min_size=1, max_size=3).map(str.strip).filter(bool), min_size=1, max_size=4, unique=True
        )
    )
    if kind in _BOUNDS:
        bounds = sorted(draw(st.lists(_BOUNDS[kind], min_size=2, max_size=2)))
        field["constraints"] |= {"minimum": bounds[0], "maximum": bounds[1]}
        near = st.sampled_from(bounds).flatmap(
            lambda bound: st.sampled_from([bound, bound - 0.01, bound - 1, bound + 1])
        )
        cast = {"integer": int, "number": float, "decimal": lambda n: Decimal(str(n)).quantize(Decimal("0.01"))}[kind]
        values: st.SearchStrategy[Any] = _WORDS[kind] | near.map(cast)
    elif kind == "string":
        pattern = draw(_PATTERNS)
        field["constraints"]["pattern"] = pattern
        values = st.text(_LETTERS, max_size=4) | st.from_regex(
            common_regex(pattern), fullmatch=True, alphabet=_ALPHABET
        )
    else:
        field["codes"] = "list"
        values = st.sampled_from(codes) | st.text(_LETTERS, max_size=3)
    return field, codes, draw(st.lists(st.none() | values, min_size=3, max_size=40))


_ALPHABET = st.sampled_from(list("aAb1é.-_ |^$²"))


_TWELVE = {"name": "value", "type": "string", "from": "c0", "constraints": {"pattern": r"\d{2}"}}


@_CALM
@example((_TWELVE, ["A"], ["12\n", "12", "١٢", "12é"]))
@given(_ruled())
def test_quarantine_and_suite_agree_on_every_value(case: tuple[dict[str, Any], list[str], list[Any]]) -> None:
    field, codes, values = case
    contract = _contract([field], codes)
    (table,) = contract.tables
    column = table.fields[0].columns()[0].with_nullable(nullable=True)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pq.write_table(pa.table([pa.array(values, column.type)], pa.schema([column])), file)
        for rule in rules_of_table(contract, table):
            broken = broken_sql(rule.demand, f'"{column.name}"')
            (found,) = duckdb.sql(f"SELECT count(*) FROM '{file}' WHERE {broken}").fetchall()[0]
            (finding,) = validate(file, [expectation_of(rule)], "things")
            told = re.match(r"(\d+) of", finding.observed) if finding.outcome == "failed" else None
            assert (rule.demand, int(told[1]) if told else 0) == (rule.demand, found), finding
            assert (finding.outcome == "passed") == (found == 0)


@st.composite
def _file(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str], list[list[str]]]:
    """Fields of every type with a rule each, and rows of texts for them, some of which break a rule or do not cast."""
    fields = [
        {"name": "whole", "type": "integer", "constraints": {"minimum": draw(st.integers(-3, 0)), "maximum": 5}},
        {"name": "real", "type": "number", "constraints": {"minimum": 0.1, "maximum": 0.3}},
        {"name": "money", "type": "decimal", "constraints": {"minimum": 0, "maximum": 0.3}},
        {"name": "word", "type": "string", "constraints": {"pattern": draw(_PATTERNS)}},
        {"name": "kind", "type": "code", "codes": "list", "constraints": {"required": draw(st.booleans())}},
    ]
    for index, field in enumerate(fields):
        field["from"] = f"c{index}"
    number = st.sampled_from(["0", "5", "6", "-4", "0,1", "0.3", "0,31", "1 000", "x", "", "+0", "0,10000", "1e3"])
    word = st.text(_LETTERS.filter(lambda sign: sign != "\n"), max_size=4)
    row = st.tuples(number, number, number, word, st.sampled_from(["A", "01", "1", "2", "", "a "])).map(list)
    return fields, ["A", "1"], draw(st.lists(row, min_size=1, max_size=30))


def _conformed(contract: Contract, rows: list[list[str]], folder: Path) -> Conformed:
    lines = [";".join(f"c{index}" for index in range(5)), *(";".join(f'"{cell}"' for cell in row) for row in rows)]
    source = folder / "things.csv"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    home = Settings(home=folder / "home")
    home.staging.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    file = folder / "clean.parquet"
    return conform(source, contract, home, Silent(), name="things", resource="things", sha256=digest, target=file)


def _without_rules(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bare = [{key: value for key, value in field.items() if key not in {"constraints", "codes"}} for field in fields]
    return [
        field | {"name": "kind_code", "type": "string", "cast": "code"} if field["type"] == "code" else field
        for field in bare
    ]


@_CALM
@given(_file())
def test_what_conform_lets_pass_passes_and_what_it_rejects_fails(case: tuple[Any, ...]) -> None:
    fields, codes, rows = case
    contract = _contract(fields, codes)
    with TemporaryDirectory() as name:
        folder = Path(name)
        strict = _conformed(contract, rows, folder)

        def judged(file: Path) -> set[str]:
            expectations = expectations_of(contract, contract.tables[0])
            return {each.outcome for each in validate(file, expectations, "things")}

        assert not strict.clean or judged(strict.file) == {"passed"}
        broken = {row["source_line"] for row in strict.rejected.to_pylist() if row["reason"] != "does_not_cast"}
        # put past conform: the same file without the rules
        loose = _conformed(_contract(_without_rules(fields), codes), rows, folder)
        let_in = pq.read_table(loose.file)
        for line in sorted(broken)[:3]:
            alone = let_in.filter(pc.equal(let_in["source_line"], line))
            file = folder / "alone.parquet"
            pq.write_table(alone, file)
            assert not alone.num_rows or "failed" in judged(file)


_SHARED = [r"\d{12}", "[A-Z]{2}|2A", "^a$", r"(?:ab)+?", r"\$\d", "[]x]"]
_NOT_SHARED = [
    *[
        "a(?=b)",
        "(?i)a",
        r"(a)\1",
        r"a\b",
        r"\s",
        r"\D",
        "a{,3}",
        "[[:alpha:]]",
        r"a\Z",
        r"\x41",
        r"\pL",
        "a$|b",
        "a|^b",
    ],
    *["(?P<n>a)", "a*+", "(", "[a", "a{1001}", r"\é", "a\\", "(?:a", "[b-a]"],
]


@pytest.mark.parametrize("pattern", _SHARED)
def test_a_pattern_that_both_engines_read_alike_is_taken(pattern: str) -> None:
    assert common_regex(pattern)


@pytest.mark.parametrize("pattern", _NOT_SHARED)
def test_a_pattern_that_they_read_differently_is_refused_when_the_contract_is_read(pattern: str) -> None:
    field = {"name": "value", "type": "string", "from": "c0", "constraints": {"pattern": pattern}}
    with pytest.raises(ValueError, match="pattern"):
        _contract([field], ["A"])
