"""What a column is, from its values first and its name second.

A judgement is made on distinct values with their counts. It says how a contract should read the column, in words what that
is, and what was unsure. Whether every cell of the file can be read so is then counted with the contract's own casts.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.propose import french, shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Share of filled cells that must fit a type; the rest would be rejected one by one.
MOSTLY = 0.99
#: Kinds of which two numbers can be made.
LATITUDE_FIRST, LONGITUDE_FIRST = "latitude, longitude", "longitude, latitude"
_FEW = 20  # rows below which any misfit counts
_MOST_CODES = 12


@dataclass(frozen=True)
class Judgement:
    """How a column is best read.

    Attributes:
        type: a type of the contract.
        cast: a cast of the contract where it is not the type's own.
        kind: what it is, in words.
        null_tokens: texts that mean that there is nothing.
        pattern: that all values match; only for identifiers.
        codes: the values, where they are a short list of short codes.
        identifier: whether values name a thing, so that the column may be a key.
        notes: what was unsure.
    """

    type: str
    cast: str | None = None
    kind: str = "text"
    null_tokens: tuple[str, ...] = ()
    pattern: str | None = None
    codes: tuple[str, ...] = ()
    identifier: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Values:
    """Distinct trimmed values of a column with their counts, blanks apart.

    ``whole`` says whether these are all; ``rows`` are filled cells in the file, or in what was looked at of it.
    """

    name: str
    counts: Mapping[str, int]
    distinct: int
    whole: bool

    @property
    def filled(self) -> int:
        """Cells with these values."""
        return sum(self.counts.values())

    def share(self, test: Callable[[str], bool]) -> float:
        """Of the filled cells those whose value passes."""
        total = self.filled
        return sum(count for value, count in self.counts.items() if test(value)) / total if total else 0.0

    def all(self, test: Callable[[str], bool]) -> bool:
        """Whether every value passes."""
        return bool(self.counts) and all(map(test, self.counts))

    def any(self, test: Callable[[str], bool]) -> bool:
        """Whether some value passes."""
        return any(map(test, self.counts))

    def fit(self, test: Callable[[str], bool]) -> bool:
        """Whether as many pass as ``MOSTLY`` asks; all of them where there are few."""
        return self.all(test) or (self.filled >= _FEW and self.share(test) >= MOSTLY)


def judge(values: Values) -> Judgement:
    """The judgement on one column."""
    if not values.counts:
        return Judgement("string", kind="empty", notes=("no cell is filled: the type is a guess",))
    tokens = tuple(sorted(value for value in values.counts if value in shapes.NULL_TOKENS))
    if len(tokens) == len(values.counts) and not values.any(str.isalpha):
        note = f"holds nothing but {', '.join(map(repr, tokens))}: the type is a guess"
        return Judgement("string", kind="empty", null_tokens=tokens, notes=(note,))
    if found := _typed(values):
        return found
    if tokens:
        rest = replace(values, counts={v: n for v, n in values.counts.items() if v not in tokens})
        found = _typed(rest) if rest.counts else None
        if found and (found.type != "string" or found.identifier):
            shown = ", ".join(f"{token!r} ({values.counts[token]})" for token in tokens)
            return replace(found, null_tokens=tokens, notes=(*found.notes, f"taken to mean nothing: {shown}"))
    return _text(values)


def words_of(name: str) -> frozenset[str]:
    """The words in a column's name, in lower case without accents: `Code_Postal` and `codePostal` alike."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    return frozenset(re.findall(r"[a-z]+", plain.lower()))


def _typed(values: Values) -> Judgement | None:
    words = words_of(values.name)
    return _identifier(values, words) or _moment(values, words) or _number(values, words)


def _identifier(values: Values, words: frozenset[str]) -> Judgement | None:
    """Digits that name something; read as numbers they would lose zeros, or their meaning."""
    for kind, test, pattern, hints in _CHECKED:
        # A check digit fits one random number in ten (a letter one in 23): most of a column is proof, whatever its name.
        if values.share(test) >= (0.9 if words & hints else 0.99) and (len(values.counts) > 1 or words & hints):
            return _checked(values, kind, test, pattern, words)
    for kind, test, cast, hints in _PLACES:
        if words & hints and not words & _NOT_PLACES and values.fit(test):
            found = Judgement("string", cast, kind, identifier=True)
            short = sum(
                n for v, n in values.counts.items() if v.isdigit() and len(v) in (1, 4) and cast != "department"
            )
            if short:
                found = replace(found, notes=(f"{short} cells lack their leading zero; it is put back",))
            return found
    if values.any(shapes.has_leading_zero) and values.fit(lambda v: re.fullmatch(r"[+]?[\dA-Z]+", v) is not None):
        # Bare zeros may be padding of a number; nothing is lost by leaving them.
        return Judgement("string", kind="digits with leading zeros", identifier=True)
    if digits := _digits(values, words):
        return digits
    if values.all(shapes.is_exponent):
        note = "a spreadsheet has cut these numbers (2.02E+11): what they were cannot be known"
        return Judgement("string", kind="damaged numbers", notes=(note,))
    return None


def _digits(values: Values, words: frozenset[str]) -> Judgement | None:
    digits = [value for value in values.counts if re.fullmatch(r"\d+", value)]
    if not digits or not values.fit(lambda v: re.fullmatch(r"\d+", v) is not None):
        return _grouped(values, words)
    shortest, longest = min(map(len, digits)), max(map(len, digits))
    if shortest >= _LONG or (
        words & _NAMES_A_THING and (shortest == longest >= _SHORT or len(digits) < len(values.counts))
    ):
        return Judgement("string", kind="identifier of digits", identifier=True)
    return None


def _grouped(values: Values, words: frozenset[str]) -> Judgement | None:
    """`154 701 442` in a column of identifiers: a spreadsheet's blanks, which mean nothing."""
    if words & _NAMES_A_THING and values.fit(shapes.is_integer) and not values.any(lambda v: v[0] in "+-"):
        return Judgement(
            "string", "digits", "identifier of digits", identifier=True, notes=("blanks between thousands are cut",)
        )
    return None


_LONG = 9  # digits from which on a number of constant notation is a name
_SHORT = 5
_NAMES_A_THING = frozenset(
    {"id", "ident", "identifiant", "num", "numero", "code", "ref", "reference", "uic", "ean", "gtin"}
)
_NOT_PLACES = frozenset({"nom", "libelle", "lib", "nb", "nombre", "population"})
_CHECKED: tuple[tuple[str, Callable[[str], bool], str, frozenset[str]], ...] = (
    ("SIRET", french.is_siret, r"\d{14}", frozenset({"siret"})),
    ("SIREN", french.is_siren, r"\d{9}", frozenset({"siren", "epci"})),
    ("UAI", french.is_uai, r"\d{7}[A-Z]", frozenset({"uai", "rne"})),
    ("RNA", french.is_rna, french.RNA, frozenset({"rna", "waldec"})),
)


def _is_short_commune(text: str) -> bool:
    return french.is_commune(text.rjust(5, "0"))


def _is_short_postcode(text: str) -> bool:
    return len(text) >= 4 and french.is_postcode(text.rjust(5, "0"))  # noqa: PLR2004 - one zero may be lost


def _is_short_department(text: str) -> bool:
    return french.is_department(text.rjust(2, "0"))


_PLACES: tuple[tuple[str, Callable[[str], bool], str, frozenset[str]], ...] = (
    ("postcode", _is_short_postcode, "postcode", frozenset({"postal", "postale", "cp", "codepostal", "postcode"})),
    (
        "INSEE commune",
        _is_short_commune,
        "commune",
        frozenset({"insee", "commune", "com", "depcom", "codgeo", "citycode"}),
    ),
    ("department", _is_short_department, "department", frozenset({"departement", "department", "dep", "dept"})),
)


def _checked(values: Values, kind: str, test: Callable[[str], bool], pattern: str, words: frozenset[str]) -> Judgement:
    bad = [value for value in values.counts if not test(value)]
    if kind == "SIREN" and words & {"epci"} and values.all(lambda v: v.startswith("2")):
        kind = "EPCI (SIREN)"
    if not bad:
        return Judgement("string", kind=kind, pattern=pattern, identifier=True)
    count = str(sum(values.counts[value] for value in bad)) if values.whole else "some"
    note = f"{count} cells are no {kind}, such as {bad[0]!r}: kept as they are"
    return Judgement("string", kind=kind, identifier=True, notes=(note,))


def _moment(values: Values, words: frozenset[str]) -> Judgement | None:  # noqa: PLR0911 - a line a notation
    if values.fit(shapes.is_iso_date):
        return Judgement("date", kind="date")
    if values.fit(shapes.is_moment):
        return Judgement("datetime", kind="date and time with offset")
    if values.fit(shapes.is_wall_clock):
        note = (
            "states no time zone, so it stays the text of a clock; nobody can tell the two hours of late October apart"
        )
        return Judgement("string", "wall_clock", "date and time without zone", notes=(note,))
    if values.fit(shapes.is_clock):
        return Judgement("time", kind="time of day")
    day_first, month_first = values.share(shapes.is_day_first), values.share(shapes.is_month_first)
    if max(day_first, month_first) >= MOSTLY and (values.fit(shapes.is_day_first) or values.fit(shapes.is_month_first)):
        if month_first > day_first:
            note = "month first: some days are over 12 in the second place, and none in the first"
            return Judgement("date", "date_month_first", "date, month first", notes=(note,))
        sure = (
            ()
            if day_first > month_first
            else ("no day is over 12: day first, as France writes, but nothing proves it",)
        )
        cast = "date_day_first" if values.all(shapes.has_two_digits_each) else "date_day_first_loose"
        return Judgement("date", cast, "date, day first", notes=sure)
    if words & {"date", "jour", "dt"} and values.fit(shapes.is_compact_date):
        return Judgement("date", "date_compact", "date without separators")
    return None


def _number(values: Values, words: frozenset[str]) -> Judgement | None:  # noqa: PLR0911 - a line a kind
    if values.fit(shapes.is_boolean) and values.any(shapes.is_word_boolean):
        return Judgement("boolean", kind="yes or no")
    for name, hints, limit in (("latitude", _LATITUDE, 90.0), ("longitude", _LONGITUDE, 180.0)):
        if words & hints and values.fit(shapes.is_within(limit)) and not values.all(shapes.is_integer):
            return Judgement("number", kind=name)
    if values.fit(shapes.is_integer):
        if values.any(lambda v: shapes.is_integer(v) and abs(shapes.as_integer(v)) >= _BIGINT):
            return Judgement("string", kind="whole number", notes=("some exceed 64 bits: kept as they are",))
        few = values.whole and 1 < values.distinct <= _MOST_CODES and values.filled >= 100 * values.distinct
        notes = (
            (f"only {values.distinct} different values: perhaps a code, of which the labels are to be written",)
            if few
            else ()
        )
        return Judgement("integer", kind="whole number", identifier=bool(words & _NAMES_A_THING), notes=notes)
    if not values.fit(shapes.is_number):
        return None
    if doubtful := _doubtful_number(values):
        return doubtful
    if words & _MONEY and values.fit(shapes.is_money):
        return Judgement("decimal", kind="amount of money")
    if values.any(shapes.has_lost_decimals):
        note = "some have more digits than a number of 64 bits holds: rounded to 17"
        return Judgement("number", kind="number", notes=(note,))
    return Judgement("number", kind="number")


def _doubtful_number(values: Values) -> Judgement | None:
    """Numbers of which nobody can tell what they are: thousands or decimals, or longer than a number may be."""
    if values.any(shapes.is_too_long):
        return Judgement(
            "string", kind="number", notes=("some are longer than 64 bits hold exactly: kept as they are",)
        )
    if values.all(shapes.is_in_thousands):
        note = "always three digits after the separator: read as decimals; if they are thousands, make it a string"
        return Judgement("number", kind="number", notes=(note,))
    if values.all(lambda v: shapes.is_in_thousands(v) or shapes.is_below_thousand(v)):
        example = next(filter(shapes.is_in_thousands, values.counts))
        note = f"thousands or decimals, such as {example!r}? Nothing tells: kept as they are; decimals are a number"
        return Judgement("string", kind="number in doubt", notes=(note,))
    return None


_BIGINT = 2**63
_LATITUDE = frozenset({"lat", "latitude", "ylat", "ylatitude"})
_LONGITUDE = frozenset({"lon", "lng", "long", "longitude", "xlong", "xlongitude"})
_MONEY = frozenset({"prix", "montant", "cout", "tarif", "euros", "eur", "budget", "valeur", "price", "amount"})


def _order_of_pairs(values: Values) -> str:
    """Which comes first, where France tells it: its latitudes and longitudes do not overlap."""
    pairs = [pair for pair in map(shapes.pair_of, values.counts) if pair]
    for kind, (north, east) in ((LATITUDE_FIRST, (0, 1)), (LONGITUDE_FIRST, (1, 0))):
        here = sum(41 <= pair[north] <= 52 and -6 <= pair[east] <= 11 for pair in pairs)  # noqa: PLR2004 - degrees
        if here >= len(pairs) * 0.9:
            return kind
    return "pair of coordinates"


def _text(values: Values) -> Judgement:
    found = _words(values)
    cut = sum(count for value, count in values.counts.items() if shapes.is_cut(value))
    if not cut:
        return found
    example = next(filter(shapes.is_cut, values.counts))
    note = f"{cut} cells such as {example!r} were cut by a spreadsheet: what they were cannot be known"
    return replace(found, notes=(*found.notes, note))


def _words(values: Values) -> Judgement:
    short = all(len(value) <= 4 and not value.isspace() for value in values.counts)  # noqa: PLR2004 - a code, not a word
    few = values.whole and 1 < values.distinct <= _MOST_CODES and values.filled >= 20 * values.distinct
    if few and short and not values.any(shapes.is_number):
        note = f"{values.distinct} codes: their meaning is to be written; another code is rejected"
        return Judgement("code", kind="code list", codes=tuple(sorted(values.counts)), notes=(note,))
    if values.fit(shapes.is_pair):
        return Judgement("string", kind=_order_of_pairs(values))
    if few:
        shown = ", ".join(repr(value) for value in sorted(values.counts))
        return Judgement("string", kind="text of few values", notes=(f"one of {shown}",) if len(shown) < 300 else ())  # noqa: PLR2004
    unique = values.distinct >= values.filled and max(map(len, values.counts)) <= 64  # noqa: PLR2004 - a name, no prose
    named = words_of(values.name) & _NAMES_A_THING
    return Judgement("string", kind="identifier" if unique and named else "text", identifier=bool(named))
