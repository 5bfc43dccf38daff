"""A drafted contract as YAML, with its remarks as comments."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.propose.draft import Draft, DraftedTable

_INDENT = 6


def yaml_text(made: Draft, opening: Iterable[str]) -> str:
    """The whole file; ``opening`` are the lines of its first comment."""
    root = CommentedMap({key: _plain(value) for key, value in made.head.items()})
    root["null_tokens"] = _flow([""])
    lists = {name: codes for table in made.tables for name, codes in table.code_lists.items()}
    if lists:
        root["code_lists"] = CommentedMap({name: _flow_map(codes) for name, codes in lists.items()})
        root.yaml_set_comment_before_after_key(
            "code_lists", before="what a code means: write `English | français` after it"
        )
    if "addresses" in root:
        root["addresses"] = _flow(root["addresses"])
    root["tables"] = CommentedSeq([_table(each) for each in made.tables])
    root.yaml_set_start_comment("\n".join(map(_line, [*opening, *made.remarks])))
    writer = YAML()
    writer.width, writer.allow_unicode = 130, True
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    writer.dump(root, text)
    return text.getvalue()


def _table(made: DraftedTable) -> CommentedMap:
    table = CommentedMap({key: _plain(value) for key, value in made.entry.items()})
    table["layouts"] = CommentedSeq([_layout(each) for each in made.entry["layouts"]])
    if "primary_key" in table:
        table["primary_key"] = _flow(table["primary_key"])
    fields = CommentedSeq()
    for index, each in enumerate(made.fields):
        fields.append(_flow_map(each.entry))
        if each.remarks:
            fields.yaml_set_comment_before_after_key(index, before="\n".join(map(_line, each.remarks)), indent=_INDENT)
    table["fields"] = fields
    if made.remarks:
        table.yaml_set_comment_before_after_key("layouts", before="\n".join(map(_line, made.remarks)), indent=4)
    return table


def _layout(layout: dict[str, Any]) -> CommentedMap:
    made = CommentedMap({key: _plain(value) for key, value in layout.items()})
    for key in ("header", "optional"):
        if key in made:
            made[key] = _flow(made[key])
    return made


def _flow(values: Iterable[Any]) -> CommentedSeq:
    made = CommentedSeq(map(_plain, values))
    made.fa.set_flow_style()
    return made


def _flow_map(entry: dict[str, Any]) -> CommentedMap:
    made = CommentedMap()
    for key, value in entry.items():
        made[_plain(key)] = (
            _flow_map(value) if isinstance(value, dict) else _flow(value) if isinstance(value, list) else _plain(value)
        )
    made.fa.set_flow_style()
    return made


def _plain(value: Any) -> Any:
    """A text with line ends or control characters in double quotes, where each is written as an escape.

    Left to itself the writer folds some of them (U+0085), which a reader takes for blanks.
    """
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode()  # half a character (a lone surrogate) cannot be written
    return text if text.isprintable() else DoubleQuotedScalarString(text)


def _line(remark: str) -> str:
    """One line of a comment: no line end and no control character, which would end it or make the file unreadable."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(remark.split()))
