"""A version as somebody names it: by its number, or by the day or the moment at which it was the newest.

Belongs here: turning words into version numbers. Does not: reading a version (store, snapshot).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from pipelines.errors import LakeError, SettingsError

if TYPE_CHECKING:
    from pipelines.lake.store import Lake


def moment_of(text: str) -> datetime:
    """``2026-05-01`` (its end, in UTC) or ``2026-05-01T12:00`` (UTC unless it says otherwise).

    Raises:
        SettingsError: it is neither.
    """
    try:
        if len(text) == len("2026-05-01"):
            return datetime.combine(date.fromisoformat(text), time.max, UTC)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is no moment", fix="give a day (2026-05-01) or a moment (2026-05-01T12:00)"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def version_at(lake: Lake, name: str, moment: datetime) -> int | None:
    """The version of ``name`` that was the newest at ``moment``; None before the first."""
    return max((each.version for each in lake.history(name) if each.committed_at <= moment), default=None)


def version_named(lake: Lake, name: str, text: str) -> int:
    """The version of ``name`` that ``text`` means: a number, a day or a moment.

    Raises:
        LakeError: there is no such version, or none was there yet.
        SettingsError: it is none of these.
    """
    if text.isdecimal():
        return lake.open(name, int(text)).version()
    version = version_at(lake, name, moment_of(text))
    if version is None:
        raise LakeError(f"{name} had no version yet at {text}", fix=f"`rocade history {name}` lists them")
    return version
