r"""Regular expressions that RE2 (DuckDB, which fills quarantine) and Python's ``re`` (the suite) read alike.

Allowed: literal characters, ``.``, classes, groups ``(…)`` and ``(?:…)``, ``|``, repetition, ``\d`` and ``\w`` (ASCII; this is
written out, as Python would take them for all of Unicode), ``\t \n \r \f \v`` and escaped punctuation. A pattern is matched
from end to end, so ``^`` may only be its first character and ``$`` its last.
"""

from __future__ import annotations

import re
import warnings

import pyarrow as pa
import pyarrow.compute as pc

_TOKEN = re.compile(
    r"""
    (?P<escape>\\.?)
    | (?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])
    | (?P<group>\((?:\?(?:P?<[^>]*>|.)?)?)
    | (?P<count>\{[^}]*\}?)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)
_COUNT = re.compile(r"\{\d+(,\d*)?\}")
_ASCII = {"d": "0-9", "w": "0-9A-Za-z_"}
_CONTROLS = "tnrfv"
#: No text: of a Python text Arrow would make an array only after importing pandas, for which every command would wait.
_TEXT = pa.nulls(1, pa.string())


def common_regex(pattern: str) -> str:
    r"""``pattern`` with ``\d`` and ``\w`` written out, so that every engine reads the same.

    Raises:
        ValueError: it is no regular expression, or something in it is not common to both engines.
    """
    told = "".join(_common(token, pattern) for token in _TOKEN.finditer(pattern))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python warns of classes that it may one day read otherwise
        try:
            re.compile(told)
            pc.match_substring_regex(_TEXT, pattern=told)  # RE2
        except (re.error, FutureWarning, pa.ArrowInvalid) as error:
            raise ValueError(f"pattern {pattern!r}: {str(error).splitlines()[0]}") from error
    _refuse_endless(told)
    return told


def database_regex(pattern: str) -> str:
    """``pattern``, which DuckDB alone reads.

    Raises:
        ValueError: it is no regular expression to RE2.
    """
    try:
        pc.match_substring_regex(_TEXT, pattern=pattern)
    except pa.ArrowInvalid as error:
        raise ValueError(f"pattern {pattern!r}: {str(error).splitlines()[0]}") from error
    return pattern


def _refuse_endless(pattern: str) -> None:
    r"""Python tries every way to share a text among repetitions in a repetition, which for a bad text may take for ever.

    Refused are repetitions of a group that holds a repetition or a choice; `(\d|[A-F])+` can be said as `[0-9A-F]+`.
    """
    held = [False]  # for each open group, whether a repetition or a choice is in it
    risky = False  # whether what was read last is such a group
    for token in _TOKEN.finditer(pattern):
        many = token[0] in {"*", "+"} or (token["count"] and _most(token[0]) > _FEW)
        if many and risky:
            raise ValueError(f"pattern {pattern!r}: a repetition in a repetition may take for ever")
        if token["group"]:
            held.append(False)
        risky = held.pop() if token[0] == ")" else False
        if risky or many or token[0] == "|":
            held[-1] = True


_FEW = 10  # repetitions that do no harm


def _most(count: str) -> float:
    """The upper limit in `{2}`, `{2,5}`, `{2,}`."""
    last = count.strip("{}").rpartition(",")[2]
    return int(last) if last else float("inf")


def _common(token: re.Match[str], pattern: str) -> str:
    text = token[0]
    if token["escape"]:
        return _ESCAPE.sub(lambda found: _spelt_out(found, pattern, "[{}]"), text)
    if token["class"]:
        return _ESCAPE.sub(lambda found: _spelt_out(found, pattern, "{}"), text)
    misplaced = (text == "^" and token.start() > 0) or (text == "$" and token.end() < len(pattern))
    odd_group = token["group"] and text not in {"(", "(?:"}
    if misplaced or odd_group or (token["count"] and not _COUNT.fullmatch(text)):
        raise _unshared(text, pattern)
    return text


def _spelt_out(escape: re.Match[str], pattern: str, among: str) -> str:
    sign = escape[1]
    if sign in _ASCII:
        return among.format(_ASCII[sign])
    if not sign or (sign.isalnum() and sign not in _CONTROLS) or not sign.isascii():
        raise _unshared(escape[0], pattern)
    return escape[0]


def _unshared(text: str, pattern: str) -> ValueError:
    return ValueError(
        f"pattern {pattern!r}: {text!r} is not read alike by every engine; see pipelines/contracts/patterns.py for what is"
    )
