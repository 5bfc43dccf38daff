from __future__ import annotations

import itertools
import re
from datetime import date

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.conform.survey import DAMAGE, STRAY
from pipelines.contracts.casts import CASTS
from pipelines.contracts.shortcuts import CLOSED, SHORT_NUMBER, SHORTCUTS, UNFAILING, days_of, digits, matches_zero_only

#: Casts whose shortcut reads several cells, and how many.
JOINT = {"commune_of_numbers": 2, "parcel_of_parts": 5}

_SIGNS = st.text(alphabet="0123456789.,+-eE_ \u00a0\u202fxXnaifNAIF/:AB", max_size=14)
_NEAR = st.one_of(
    st.integers(-(10**13), 10**13).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.dates().map(str),
    st.from_regex(r"[+-]?\d{0,4}[.,]?\d{0,4}", fullmatch=True),
    st.from_regex(r"(0|2A|2B)?\d{3,12}", fullmatch=True),
    st.from_regex(r"[+-]?0[0-9xXbBoO., ][0-9a-fA-F.,]{0,4} ?", fullmatch=True),
    st.from_regex(r"[ +-]?[0-9., ]{0,3}[.,][0-9+ -]{2}", fullmatch=True),
    st.from_regex(r"[12]\d{3}[-/]\d{1,2}[-/]\d{1,2} ?", fullmatch=True),
    st.sampled_from(
        ["nan", "inf", "1e5", "2.02E+11", "0x1F", "1_000", "1.5", " 7", "7 ", "-0", "+7", "007", "٣٤", ".", "-", ""]
    ),
)
_TEXTS = st.lists(st.one_of(_SIGNS, _NEAR), min_size=50, max_size=50)


_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239)"
_ALONE = [(name, place) for name in sorted(SHORTCUTS) for place in range(len(SHORTCUTS[name])) if name not in JOINT]


@pytest.mark.parametrize(("name", "place"), _ALONE)
@settings(max_examples=20, deadline=None)
@given(texts=_TEXTS)
def test_where_a_shortcut_may_read_it_gives_what_the_cast_gives(name: str, place: int, texts: list[str]) -> None:
    shortcut, cast = SHORTCUTS[name][place], CASTS[name](["t"])
    filled = "true" if shortcut.whole else "fast IS NOT NULL"
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT t, fast, slow FROM "
            f"(SELECT t, {shortcut.value_sql(['t'])} AS fast, {cast} AS slow FROM (SELECT unnest($texts) AS t)) "
            f"WHERE {filled} AND {shortcut.test_sql(['t'], 'fast')}",
            {"texts": texts},
        ).fetchall()
    assert [(text, fast) for text, fast, _ in found] == [(text, slow) for text, _, slow in found]
    assert all(fast is not None for _, fast, _ in found)
    assert all(shortcut.may_read(text) for text, _, _ in found)  # else a null token could slip through


@pytest.mark.parametrize(("name", "place"), [each for each in _ALONE if SHORTCUTS[each[0]][each[1]].smooth])
@settings(max_examples=40, deadline=None)
@given(texts=_TEXTS)
def test_without_a_stray_letter_the_cheaper_test_gives_what_the_cast_gives(
    name: str, place: int, texts: list[str]
) -> None:
    shortcut, cast = SHORTCUTS[name][place], CASTS[name](["s"])
    smooth = [text for text in texts if not STRAY.search(text.encode()) and not re.search(DAMAGE, text)]
    filled = "true" if shortcut.whole else "fast IS NOT NULL"
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT t, s, fast, slow FROM (SELECT t, s, {shortcut.value_sql(['t'])} AS fast, {cast} AS slow "
            f"FROM (SELECT t, trim(t, {_BLANKS}) AS s FROM (SELECT unnest($texts::VARCHAR[]) AS t))) "
            f"WHERE {filled} AND {shortcut.smooth_sql(['t'], 'fast')}",
            {"texts": smooth},
        ).fetchall()
    assert [(text, fast) for text, _, fast, _ in found] == [(text, slow) for text, _, _, slow in found]
    assert all(fast is not None for _, _, fast, _ in found)
    assert all(shortcut.may_read(text.strip() if fast != text else text) for text, _, fast, _ in found)


_CELLS = st.one_of(
    st.none(),
    st.from_regex(r"[0-9]{1,7}", fullmatch=True),
    st.from_regex(r"[0-9A-Za-z]{1,3}", fullmatch=True),
    st.text(alphabet="0123456789 .+-AaBbé٣\u00a0", max_size=4),
)
_PARCELS = st.tuples(
    st.one_of(st.sampled_from(["01", "2A", "2a", "20", "96", "971", "1", "75"]), _CELLS),
    st.one_of(st.sampled_from(["1", "12", "123", "0"]), _CELLS),
    st.one_of(st.none(), st.sampled_from(["000", "1", "12"]), _CELLS),
    st.one_of(st.sampled_from(["A", "AB", "0A", "1"]), _CELLS),
    st.one_of(st.sampled_from(["1", "12", "123", "1234"]), _CELLS),
)


@pytest.mark.parametrize(("name", "cells"), JOINT.items())
@settings(max_examples=100, deadline=None)
@given(rows=st.lists(_PARCELS, min_size=50, max_size=50))
def test_a_shortcut_of_several_cells_gives_what_the_cast_gives(
    name: str, cells: int, rows: list[tuple[str | None, ...]]
) -> None:
    raws = [f"t[{place + 1}]" for place in range(cells)]
    trimmed = [f"nullif(trim({raw}, {_BLANKS}), '')" for raw in raws]
    ((shortcut,), cast) = SHORTCUTS[name], CASTS[name](trimmed)
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT t, fast, slow FROM (SELECT t, {shortcut.value_sql(raws)} AS fast, {cast} AS slow "
            "FROM (SELECT unnest($rows::VARCHAR[][]) AS t)) "
            f"WHERE fast IS NOT NULL AND {shortcut.test_sql(raws, 'fast')}",
            {"rows": [list(row) for row in rows]},
        ).fetchall()
    assert [(row, fast) for row, fast, _ in found] == [(row, slow) for row, _, slow in found]
    assert all(shortcut.may_read(cell) for row, *_ in found for cell in row[:cells] if cell is not None)


@pytest.mark.parametrize("name", sorted(UNFAILING))
def test_a_cast_that_never_fails_has_a_value_for_every_text(name: str) -> None:
    texts = ["a", "0", "-", ".", "É", "\u200b", "a b", "\\", "'", "NULL"]
    with duckdb.connect() as con:
        query = f"SELECT count(*) FROM (SELECT unnest($texts) AS t) WHERE {CASTS[name](['t'])} IS NULL"
        assert con.execute(query, {"texts": texts}).fetchall() == [(0,)]
        query = f"SELECT count(*) FROM (SELECT unnest($texts) AS t) WHERE {CASTS[name](['t', 't'])} IS NULL"
        assert con.execute(query, {"texts": texts}).fetchall() == [(0,)]


@pytest.mark.parametrize("notation", ["%Y-%m-%d", "%d/%m/%Y"])
def test_every_day_of_a_year_is_among_its_days(notation: str) -> None:
    days = days_of(2024, notation)
    assert len(days) == len(set(days)) == 366
    assert {f"{date(2024, 2, 29):{notation}}", f"{date(2024, 12, 31):{notation}}"} <= set(days)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_digits_are_told_apart_from_all_that_duckdb_takes_for_a_number(count: int) -> None:
    shortcut = digits(count)
    texts = ["".join(each) for each in itertools.product("0159.-+ _eExXaAbBfF\t", repeat=count)]
    with duckdb.connect() as con:
        for test, left in [(shortcut.test_sql(["t"], "t"), texts), (shortcut.smooth_sql(["t"], "t"), texts)]:
            query = f"SELECT t FROM (SELECT unnest($texts) AS t) WHERE {test}"
            found = {text for (text,) in con.execute(query, {"texts": left}).fetchall()}
            found -= {text for text in found if STRAY.search(text.encode()) and test != shortcut.test_sql(["t"], "t")}
            assert found == {text for text in texts if re.fullmatch(rf"[1-9]\d{{{count - 1}}}", text)}


@pytest.mark.parametrize("name", sorted(SHORTCUTS))
def test_every_shortcut_reads_something(name: str) -> None:
    texts = ["12", "12,5", "12,50", "1004", "01004", "75056", "2019-05-01", "201900000001"]
    cells = ["t"] if name not in JOINT else ["'2A'", "'4'", "NULL::VARCHAR", "'A'", "'12'"][: JOINT[name]]
    with duckdb.connect() as con:
        for shortcut in SHORTCUTS[name]:
            tests = [shortcut.test_sql(cells, "fast"), shortcut.smooth_sql(cells, "fast") or "true"]
            for test in tests:
                ((count,),) = con.execute(
                    f"SELECT count(*) FROM (SELECT t, {shortcut.value_sql(cells)} AS fast "
                    f"FROM (SELECT unnest($texts) AS t)) WHERE fast IS NOT NULL AND {test}",
                    {"texts": texts},
                ).fetchall()
                assert count > 0


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_a_closed_list_is_all_that_the_cast_can_give_and_each_gives_itself(name: str) -> None:
    texts = [f"{number:0{width}}" for width in range(1, 5) for number in range(10**width)] + ["2A", "2B", "2a"]
    texts += [f"{hour:02}:{minute:02}" for hour in range(30) for minute in range(70)]
    with duckdb.connect() as con:
        query = f"SELECT t, {CASTS[name](['t'])} AS slow FROM (SELECT unnest($texts) AS t)"
        meanings = dict(con.execute(query, {"texts": texts}).fetchall())
    assert {value for value in meanings.values() if value is not None} == set(CLOSED[name])
    assert all(meanings[text] == text for text in CLOSED[name])


def test_a_short_number_is_what_the_casts_take_it_for_in_every_pair_of_characters() -> None:
    signs = [*map(chr, range(1, 127)), "é", "\u00a0", "٣"]
    texts = [*signs, *(first + second for first in signs for second in signs)]
    # the survey keeps files with these control characters from the shortcuts' rows
    texts = [text for text in texts if not re.search(DAMAGE, text)]
    slow = CASTS["integer"](["trim(t, chr(9) || chr(10) || chr(13) || chr(32))"])
    with duckdb.connect() as con:
        found = con.execute(
            f"SELECT t, fast, slow FROM (SELECT t, {SHORT_NUMBER.format('t')} AS fast, {slow} AS slow "
            "FROM (SELECT unnest($texts) AS t)) WHERE fast IS NOT NULL",
            {"texts": texts},
        ).fetchall()
    assert [fast for _, fast, _ in found] == [slow for _, _, slow in found]
    assert {text for text, *_ in found} >= {"1", "01", "31", "0", "99"}


@pytest.mark.parametrize(
    ("pattern", "only"),
    [("-|0+([.,]0*)?", True), (r"0\.0", True), ("0.0", False), ("-1|0", False), (r"\d+", False), ("x", False)],
)
def test_patterns_of_zeros_are_told_by_their_characters(*, pattern: str, only: bool) -> None:
    assert matches_zero_only(pattern) is only
