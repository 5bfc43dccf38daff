"""Names that SQL takes without quotes, made from what a publisher calls things."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 60
#: DuckDB's reserved words that columns are called, and the columns that every table has.
_TAKEN = frozenset(
    {
        "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast",
        "check", "collate", "column", "constraint", "create", "default", "deferrable", "desc", "describe",
        "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "from", "group", "having",
        "in", "initially", "intersect", "into", "lambda", "lateral", "leading", "limit", "not", "null", "offset",
        "on", "only", "or", "order", "pivot", "pivot_longer", "pivot_wider", "placing", "primary", "qualify",
        "references", "returning", "select", "show", "some", "summarize", "symmetric", "table", "then", "to",
        "trailing", "true", "union", "unique", "unpivot", "using", "variadic", "when", "where", "window", "with",
        "source_sha256", "source_line", "source_resource", "first_seen", "last_seen", "vintage",
    }
)  # fmt: skip


def snake(text: str) -> str:
    """``text`` in lower case, without accents, words joined by underscores; may be empty."""
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", text.replace("%", " part ")) if not unicodedata.combining(c)
    )
    plain = plain.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae")
    plain = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", plain)
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return "_".join(words)[:_LONGEST].strip("_")


def column_names(published: Iterable[str]) -> list[str]:
    """A different name for each column."""
    names: list[str] = []
    for number, text in enumerate(published, start=1):
        name = snake(text) or f"column_{number}"
        if not name[0].isalpha():
            name = f"c_{name}"
        if name in _TAKEN:
            name = f"{name}_"
        times, free = 1, name
        while free in names:
            times += 1
            free = f"{name}_{times}"
        names.append(free)
    return names


def title_pattern(title: str) -> str:
    """An expression for a resource's title and those of its later editions: years and other numbers may be others.

    The last year becomes the group ``vintage``. What joins words (blank, hyphen, underscore) may be any of them.
    """
    stem = re.sub(
        r"\.(csv|txt|tsv|xlsx?|ods|json|jsonl|geojson|parquet|zip|gz)\b", "", title.strip(), flags=re.IGNORECASE
    )
    years = [match.span() for match in re.finditer(r"(?<!\d)(19|20)\d\d(?!\d)", stem)]
    parts, at = [], 0
    for match in re.finditer(r"\d+|[\s_-]+", stem):
        parts.append(re.escape(stem[at : match.start()]))
        if match.span() in years:
            parts.append(r"(?P<vintage>\d{4})" if match.span() == years[-1] else r"\d{4}")
        else:
            parts.append(r"\d+" if match[0].isdigit() else r"[-_\s]+")
        at = match.end()
    parts.append(re.escape(stem[at:]))
    return f"^{''.join(parts)}(\\.\\w+)*$"
