"""Instants in text, as ISO 8601 has them."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.collect.formats.message import Unreadable, clipped


def epoch_ms(text: object) -> float:
    """Milliseconds since 1970 of an instant like ``2025-02-04T15:48:43.739Z``; UTC where it names no zone.

    Raises:
        Unreadable: it is none.
    """
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise Unreadable("bad_batch", f"ts is {clipped(repr(text))}; it must be like 2025-02-04T15:48:43.739Z")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds / 1000
