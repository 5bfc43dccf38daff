"""Which column of a new header is which of the old one: by name, by place, and by what stands in it."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Names that are as like as this are taken for the same column if its cells agree.
_ALIKE = 0.6
#: Names as like as this are the same column's even if its cells are written in another way now.
_SAME = 0.85


def likeness(old: str, new: str) -> float:
    """How much two names look like one column's, 0 to 1: letters without accents, abbreviations, initials."""
    first, second = _words(old), _words(new)
    if not first or not second:
        return 0.0
    joined, other = "".join(first), "".join(second)
    if joined == other:
        return 1.0
    short, long = sorted((joined, other), key=len)
    words = second if long == other else first
    initials = "".join(word[0] for word in words)
    if len(short) > 1 and (long.startswith(short) or short == initials or short in words):
        return 0.9
    return max(
        SequenceMatcher(None, joined, other).ratio(), SequenceMatcher(None, sorted(first), sorted(second)).ratio()
    )


def pair_columns(
    lost: Sequence[str],
    old: Sequence[str],
    new: Sequence[str],
    holds: Callable[[str, str], bool | None],
) -> dict[str, str]:
    """For each column of ``lost`` that ``new`` seems to have under another name, that name.

    Args:
        lost: columns of ``old`` that are not in ``new``.
        old: the known header.
        new: the header of the file.
        holds: whether the cells of a new column can be those of an old one; None where cells cannot tell.
    """
    free = [column for column in new if column not in old]
    places = _places(old, new)
    pairs = [(likeness(was, now), places.get(was) == now, was, now) for was in lost for now in free]
    pairs.sort(key=lambda pair: -(pair[0] + 0.5 * pair[1]))
    found: dict[str, str] = {}
    written_otherwise = []
    for alike, placed, was, now in pairs:
        if was in found or now in found.values():
            continue
        verdict = holds(was, now)
        if verdict is False:
            written_otherwise += [(was, now)] if alike >= _SAME else []
        elif alike >= _ALIKE or (placed and (verdict or alike >= _ALIKE / 2)):
            found[was] = now
    for was, now in written_otherwise:
        if was not in found and now not in found.values():
            found[was] = now
    return found


def _places(old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    """Columns that stand between the same neighbours as one of the old header."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return {
        was: now
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind == "replace" and b - a == d - c
        for was, now in zip(old[a:b], new[c:d], strict=True)
    }


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", plain).lower())
