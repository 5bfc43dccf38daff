"""Values that come as text, typed by what the catalogue expects; and the mapping of foreign names to signals.

Belongs here: what OVMS, TeslaMate and VISS have in common. Does not: their topics and payloads.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.collect.formats.units import SAME, Conversion, conversion
from pipelines.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.contracts.signals import Signal

Value = float | int | bool | str

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_YES = frozenset(("true", "yes", "1", "on"))
_NO = frozenset(("false", "no", "0", "off"))
_MARKED = re.compile(r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?) ?(?P<unit>[A-Za-z°%/²]{1,6})")


@dataclass(frozen=True, slots=True)
class Target:
    """The signal that a foreign name stands for.

    Attributes:
        path: the signal.
        unit: of the value as it comes; empty where it is the signal's own, or there is none.
        factor: what it is multiplied with besides, such as -1 where the sign is counted the other way round.
        words: what its texts mean, for states.
    """

    path: str
    unit: str = ""
    factor: float = 1.0
    words: Mapping[str, str] = field(default_factory=dict)

    def value(self, text: str, signal: Signal) -> Value:
        """What ``text`` says, in the unit of ``signal``; the text itself where it says nothing of the kind."""
        if self.words:
            return self.words.get(text.casefold(), text)
        value = typed(text, signal)
        unit = self.unit
        if isinstance(value, str) and signal.type in ("float", "integer") and (marked := _MARKED.fullmatch(text)):
            value, unit = float(marked["number"]), marked["unit"]
        if isinstance(value, (bool, str)) or (not unit and self.factor == 1):
            return value
        how = conversion(unit, signal.unit) if unit else SAME
        return text if how is None else scaled(value, how, self.factor)


def scaled(value: float, how: Conversion, factor: float = 1.0) -> float:
    """``value`` in another unit, without the noise that binary fractions add."""
    return float(f"{(value * how.factor + how.offset) * factor:.12g}")


def typed(text: str, signal: Signal | None) -> Value:
    """``text`` as the type of ``signal``, or as what it looks like where nobody knows the signal.

    A text that is not of that type stays one, and is judged as such.
    """
    text = text.strip()
    wanted = "" if signal is None else signal.type
    if wanted in ("enum", "text"):
        return text
    if wanted == "boolean" or (not wanted and text.casefold() in ("true", "false", "yes", "no")):
        folded = text.casefold()
        return True if folded in _YES else False if folded in _NO else text
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text) if "_" not in text else math.nan  # Python's own notation
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def checked(targets: Mapping[str, Target], catalogue: Mapping[str, Signal], where: str) -> Mapping[str, Target]:
    """``targets``, of which every one leads somewhere.

    Raises:
        ContractError: a signal is not in the catalogue, or a unit does not become its unit.
    """
    for name, target in targets.items():
        signal = catalogue.get(target.path)
        if signal is None:
            raise ContractError(f"{name} stands for {target.path}, which is no signal", where=where, fix="correct it")
        if target.unit and conversion(target.unit, signal.unit) is None:
            raise ContractError(
                f"{name} comes in {target.unit}, which does not become {signal.unit}", where=where, fix="correct it"
            )
    return targets
