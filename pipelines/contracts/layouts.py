"""The columns of a publisher's files over some vintages: which must be there, which may, which become rows.

Belongs here: what a header says. Does not: what a cell means (model, casts), which layout a file has (conform.match).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: The source that is no column: the year in the resource's title.
VINTAGE = "{vintage}"
#: The source that tells rows without a name of their own apart: `record 17` for the file's seventeenth record.
RECORD = "{record}"


def python_regex(pattern: str) -> re.Pattern[str]:
    """``pattern``, for titles and headers, which Python alone reads.

    Raises:
        ValueError: it is no regular expression. (``re`` has an exception of its own, which would pass for a fault of Rocade's.)
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern {pattern!r}: {error}") from error


class Strict(BaseModel):
    """Base of everything that a contract file holds: no unknown keys, no change after reading."""

    # YAML reads a code such as 07 or 1 as a number; here they are texts.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Unpivot(Strict):
    """Wide columns that become rows: one a value of the group that all patterns name, such as a year.

    A record gives a row for each value that has a cell; a row in which every such cell is blank is none.

    Attributes:
        columns: by the name that fields use in braces, the pattern that matches the publisher's whole column names; all
            patterns have the same one named group.
    """

    columns: dict[str, str]

    @field_validator("columns")
    @classmethod
    def _plain_names_of_patterns(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                raise ValueError(f"unpivot: {name!r} is no name; lower-case letters, digits and _ make one")
            python_regex(pattern)
        return value

    @model_validator(mode="after")
    def _one_group(self) -> Unpivot:
        groups = {tuple(re.compile(pattern).groupindex) for pattern in self.columns.values()}
        if len(groups) != 1 or len(next(iter(groups))) != 1:
            raise ValueError("unpivot: every pattern needs one named group, the same in all")
        return self

    @property
    def group(self) -> str:
        """The name of what the patterns capture."""
        return next(iter(re.compile(next(iter(self.columns.values()))).groupindex))

    @property
    def sources(self) -> frozenset[str]:
        """The names in braces that fields may read."""
        names = [*self.columns, self.group, f"{self.group}:newest"]
        return frozenset(f"{{{name}}}" for name in names)

    def found_in(self, header: Iterable[str]) -> dict[str, dict[str, str]]:
        """By captured value, in order: for each name its column in ``header``."""
        found: dict[str, dict[str, str]] = {}
        for column in header:
            for name, pattern in self.columns.items():
                if match := re.fullmatch(pattern, column):
                    found.setdefault(match[self.group], {})[name] = column
        return dict(sorted(found.items()))


class Layout(Strict):
    """The columns of the publisher's files over some vintages, in their order.

    Attributes:
        header: columns that such a file must have.
        optional: columns that are read where it has them.
        unpivot: columns that become rows.
    """

    name: str
    header: tuple[str, ...]
    optional: tuple[str, ...] = ()
    unpivot: Unpivot | None = None

    @model_validator(mode="after")
    def _braces_are_ours(self) -> Layout:
        pseudo = {VINTAGE, RECORD} | (self.unpivot.sources if self.unpivot else frozenset())
        if taken := pseudo & {*self.header, *self.optional}:
            raise ValueError(
                f"layout {self.name!r}: no column can be read as {min(taken)}, which stands for something else"
            )
        return self

    @property
    def sources(self) -> frozenset[str]:
        """What fields may read: columns, and names in braces."""
        unpivoted = self.unpivot.sources if self.unpivot else frozenset()
        return frozenset([*self.header, *self.optional, VINTAGE, RECORD]) | unpivoted

    def fits(self, header: Collection[str]) -> bool:
        """Whether a file with ``header`` may be of this layout."""
        return set(self.header) <= set(header) and (self.unpivot is None or bool(self.unpivot.found_in(header)))

    def present_in(self, header: Collection[str]) -> Layout:
        """The layout of one file: its optional columns are those that the file has."""
        held = tuple(column for column in self.optional if column in header)
        return self.model_copy(update={"header": (*self.header, *held), "optional": ()})
