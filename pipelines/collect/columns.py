"""Rows of many messages laid out as columns, without a Python step a value.

Belongs here: which reading goes into which column. Does not: what a value may be (checks.py), whose it is (rows.py).

Cars repeat themselves: the rows of a car hold the same signals in the same order, message after message. So what has to
be known of a row's signals is worked out once per list of names, a ``_Layout``, and after that a row costs one look-up
and a few list extensions, however many values it holds. Values wait in lanes by what the catalogue expects of them,
since a lane of one kind becomes an array in one step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.collect.formats.message import Unreadable, clipped
from pipelines.collect.values import BOOLEAN, FLOAT, TEXT, Values, join_values, split_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.collect.formats.message import Grid, Row
    from pipelines.contracts.signals import Signal

_EXPECTED = (FLOAT, BOOLEAN, TEXT, None)  # what the values of each lane are, nearly always
_LANE_OF = {"float": 0, "integer": 0, "boolean": 1, "enum": 2, "text": 2}
_STRANGERS = 3  # the lane of signals that the catalogue does not have
_FIT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,127}")
_MOST_NAMES = 1_000_000  # names in all layouts together; 40 MB or so
_MOST_STRANGERS = 50_000  # names that the catalogue does not have
_MOST_STRANGERS_A_MESSAGE = 5_000
_MOST_GRID_READINGS = 400_000  # readings of columnar messages, some 100 bytes each while they are laid out
_OFFSETS = frozenset((int, float))


@dataclass(frozen=True, slots=True)
class Laid:
    """Readings of many rows.

    Attributes:
        row: number of each reading's row, counted through all messages.
        code: number of each reading's signal: its place in the catalogue, or a number above all of those.
        values: the values.
        paths: names by number.
        fit: by number whether the name may stand in a table; one that nobody knows could be anything.
    """

    row: NDArray[np.int64]
    code: NDArray[np.int32]
    values: Values
    paths: Sequence[str]
    fit: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the values of a row go, for one list of names.

    Attributes:
        only: the lane that takes all values as they come, or -1.
        picks: for each lane the function that picks its values out of the row's; None where it gets none.
        codes: for each lane the signals of its values.
    """

    only: int
    picks: tuple[Callable[[list[object]], Sequence[object]] | None, ...]
    codes: tuple[NDArray[np.int32], ...]


_NO_CODES = np.empty(0, np.int32)
_EMPTY = _Layout(0, (None,) * len(_EXPECTED), (_NO_CODES,) * len(_EXPECTED))


class Columns:
    """Takes rows in, message by message, and gives them back as arrays.

    Args:
        catalogue: the signals that are known.
    """

    def __init__(self, catalogue: Mapping[str, Signal]) -> None:
        self._catalogue = list(catalogue)
        self._lanes = [_LANE_OF[signal.type] for signal in catalogue.values()]
        self._forget()
        self.clear()

    def clear(self) -> None:
        """Be ready for the next batch."""
        if self._crowded:
            self._forget()
        self.offsets_ms: list[float] = []
        self.heights: list[int] = []
        self._rows: list[_Layout] = []
        self._values: tuple[list[object], ...] = tuple([] for _ in _EXPECTED)
        self._grids: list[tuple[int, Grid]] = []
        self._grid_readings = 0

    @property
    def full(self) -> bool:
        """Whether what has been taken in should be laid out before there is more, to bound the memory."""
        return self._grid_readings > _MOST_GRID_READINGS or self._crowded

    @property
    def _crowded(self) -> bool:
        return self._names > _MOST_NAMES or len(self._paths) - len(self._catalogue) > _MOST_STRANGERS

    def add(self, rows: Sequence[Row]) -> None:
        """Take in the rows of a message, all or none.

        Raises:
            Unreadable: a row is no row.
        """
        layouts, found, offsets = self._layouts, [], []
        most = len(self._paths) + _MOST_STRANGERS_A_MESSAGE
        try:
            for offset, signals in rows:
                if type(signals) is not dict or type(offset) not in _OFFSETS:
                    raise TypeError  # noqa: TRY301 - told below, with what unpacking raises
                names = tuple(signals)
                found.append(layouts.get(names) or self._layout(names, most))
                offsets.append(offset)
        except (TypeError, ValueError) as error:
            raise _bad_row(rows, len(offsets)) from error
        values = self._values
        for layout, (_, signals) in zip(found, rows, strict=True):
            if layout.only >= 0:
                values[layout.only].extend(signals.values())
            else:
                row = list(signals.values())
                for lane, pick in zip(values, layout.picks, strict=True):
                    if pick is not None:
                        lane.extend(pick(row))
        self._rows += found
        self.offsets_ms += offsets
        self.heights.append(len(offsets))

    def add_grid(self, grid: Grid) -> None:
        """Take in a message that has columns already."""
        offsets = grid.offsets_ms.tolist()
        self._grids.append((len(self.offsets_ms), grid))
        self._grid_readings += sum(len(values.numbers) for _, values, _ in grid.lanes)
        self._rows += [_EMPTY] * len(offsets)
        self.offsets_ms += offsets
        self.heights.append(len(offsets))

    def laid(self) -> Laid:
        """All readings since the last ``clear``, in no particular order."""
        parts = [*self._laid_lanes(), *self._laid_grids()]
        rows, codes, values = zip(*parts, strict=True) if parts else ([], [], [])
        return Laid(
            np.concatenate([np.empty(0, np.int64), *rows]),
            np.concatenate([_NO_CODES, *codes]),
            join_values(values) if values else split_values([]),
            self._paths,
            np.array(self._fit),
        )

    def _laid_lanes(self) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int32], Values]]:
        numbers = np.arange(len(self._rows))
        for lane, values in enumerate(self._values):
            if values:
                codes = [layout.codes[lane] for layout in self._rows]
                row = np.repeat(numbers, np.fromiter(map(len, codes), np.int64, len(codes)))
                yield row, np.concatenate(codes), split_values(values, _EXPECTED[lane])

    def _laid_grids(self) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int32], Values]]:
        for first, grid in self._grids:
            height = len(grid.offsets_ms)
            every = np.arange(first, first + height)
            for names, values, there in grid.lanes:
                codes = self._grid_codes.get(names)
                if codes is None:
                    codes = self._grid_codes[names] = np.array([self._code(name) for name in names], np.int32)
                    self._names += len(names)
                if there is None:
                    yield np.tile(every, len(names)), np.repeat(codes, height), values
                else:
                    column, row = np.nonzero(there)
                    yield row + first, codes[column], values

    def _layout(self, names: tuple[str, ...], most: int) -> _Layout:
        if len(self._paths) + sum(name not in self._codes for name in names) > most:
            told = f"it has more than {_MOST_STRANGERS_A_MESSAGE} names that the catalogue does not have; send fewer"
            raise Unreadable("bad_batch", told)
        places: tuple[list[int], ...] = tuple([] for _ in _EXPECTED)
        codes: tuple[list[int], ...] = tuple([] for _ in _EXPECTED)
        for place, name in enumerate(names):
            code = self._code(name)
            lane = self._lanes[code] if code < len(self._lanes) else _STRANGERS
            places[lane].append(place)
            codes[lane].append(code)
        used = [lane for lane, each in enumerate(places) if each]
        layout = _Layout(
            only=used[0] if len(used) == 1 else -1 if used else 0,
            picks=tuple(_picker(each) for each in places),
            codes=tuple(np.array(each, np.int32) if each else _NO_CODES for each in codes),
        )
        self._layouts[names] = layout
        self._names += len(names) + 1
        return layout

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self._paths)
            self._paths.append(name)
            self._fit.append(_FIT_NAME.fullmatch(name) is not None)
        return code

    def _forget(self) -> None:
        """Begin with the catalogue alone: names that strangers make up must not fill the memory."""
        self._paths = list(self._catalogue)
        self._codes = {path: at for at, path in enumerate(self._paths)}
        self._fit = [True] * len(self._paths)
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._grid_codes: dict[tuple[str, ...], NDArray[np.int32]] = {}
        self._names = 0


def _picker(places: list[int]) -> Callable[[list[object]], Sequence[object]] | None:
    if not places:
        return None
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    picker: Callable[[list[object]], Sequence[Any]] = itemgetter(*places)
    return picker


def _bad_row(rows: Sequence[Row], place: int) -> Unreadable:
    row = rows[place]
    if isinstance(row, list) and len(row) == len("tv") and type(row[1]) is dict:
        return Unreadable("bad_batch", f"dt_ms of row {place} is {clipped(repr(row[0]))}; it must be a number")
    return Unreadable("bad_batch", f"row {place} is {clipped(repr(row))}; it must be [dt_ms, {{path: value}}]")
