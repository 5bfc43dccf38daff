"""A contract file's text with changes made in place: comments, order and notation of all the rest stay as they are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.contracts import Contract

if TYPE_CHECKING:
    from collections.abc import Mapping


class ContractText:
    """The YAML text of a contract; each method changes one thing.

    Args:
        text: a contract that is valid; changes that make it otherwise show in ``contract``.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def contract(self) -> Contract:
        """The contract as it is now.

        Raises:
            ValidationError: it does not hold together.
        """
        return Contract.model_validate(yaml.load(self.text, yaml.CSafeLoader))

    def copy(self) -> ContractText:
        """Another one with the same text."""
        return ContractText(self.text)

    def diff_from(self, old: str, file: str) -> str:
        """What has changed since ``old``, as a unified diff of ``file``; empty where nothing has."""
        lines = difflib.unified_diff(
            old.splitlines(keepends=True), self.text.splitlines(keepends=True), f"a/{file}", f"b/{file}"
        )
        return "".join(lines)

    def set_vintages(self, key: str, year: int) -> None:
        """Make ``first`` or ``last`` of the vintages ``year``."""
        self._put(self._at("vintages"), key, year)

    def add_layout(self, table: str, layout: Mapping[str, Any]) -> None:
        """A layout after the others of ``table``."""
        self._append(self._at("tables", table, "layouts"), layout)

    def override(self, table: str, field: str, layout: str, changes: Mapping[str, Any]) -> None:
        """What is different about ``field`` in ``layout``, beside what was already."""
        node = self._at("tables", table, "fields", field)
        by_layout = _value(node, "by_layout")
        if by_layout is None:
            self._put(node, "by_layout", {layout: dict(changes)})
        elif (own := _value(by_layout, layout)) is None:
            self._put(by_layout, layout, dict(changes))
        else:
            held = yaml.load(self.text[slice(*_extent(own))], yaml.CSafeLoader)
            self._put(by_layout, layout, held | dict(changes))

    def set_in_field(self, table: str, field: str, key: str, value: object) -> None:
        """``key`` of ``field``."""
        self._put(self._at("tables", table, "fields", field), key, value)

    def put_code(self, code_list: str, code: str | int, label: object) -> None:
        """A code and its label, new or in place of the one there."""
        self._put(self._at("code_lists", code_list), code, label)

    def _at(self, *path: str) -> yaml.Node:
        """The node at ``path``; an item of a sequence is named by its ``name``."""
        node: yaml.Node | None = yaml.compose(self.text, yaml.CSafeLoader)
        for key in path:
            if isinstance(node, yaml.SequenceNode):
                node = next((item for item in node.value if _name(item) == key), None)
            elif node is not None:
                node = _value(node, key)
        if node is None:
            raise KeyError(f"the contract has nothing at {path}")
        return node

    def _put(self, mapping: yaml.Node, key: str | int, value: object) -> None:
        held = _value(mapping, str(key))
        if held is not None:
            start, end = _extent(held)
            self.text = self.text[:start] + _flow(value) + self.text[end:]
            return
        entry = f"{_flow(key)}: {_flow(value)}"
        self._add(mapping, entry, entry)

    def _append(self, sequence: yaml.Node, value: Mapping[str, Any]) -> None:
        lines = [f"{_flow(key)}: {_flow(each)}" for key, each in value.items()]
        indent = " " * (sequence.start_mark.column + 2)
        self._add(sequence, _flow(value), "- " + f"\n{indent}".join(lines))

    def _add(self, node: yaml.Node, flow: str, block: str) -> None:
        """An entry at the end of a mapping or sequence, in its own notation."""
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            at = _extent(node.value[-1])[1] if node.value else node.start_mark.index + 1
            self.text = self.text[:at] + (", " if node.value else "") + flow + self.text[at:]
            return
        line_end = self.text.find("\n", _extent(node)[1])
        at = len(self.text) if line_end < 0 else line_end
        self.text = f"{self.text[:at]}\n{' ' * node.start_mark.column}{block}{self.text[at:]}"


def _name(mapping: yaml.Node) -> str | None:
    name = _value(mapping, "name")
    return str(name.value) if name is not None else None


def _value(mapping: yaml.Node, key: str) -> yaml.Node | None:
    if not isinstance(mapping, yaml.MappingNode):
        return None
    return next((value for name, value in mapping.value if name.value == key), None)


def _extent(node: Any) -> tuple[int, int]:
    """Where a node's own text begins and ends; a block's mark at its end lies behind the comments that follow it."""
    if isinstance(node, tuple):
        return _extent(node[0])[0], _extent(node[1])[1]
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return node.start_mark.index, _extent(node.value[-1])[1]
    return node.start_mark.index, node.end_mark.index


def _flow(value: object) -> str:
    """``value`` as it may stand inside brackets."""
    text: str = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, sort_keys=False, width=1 << 20)
    return text.strip()[1:-1]
