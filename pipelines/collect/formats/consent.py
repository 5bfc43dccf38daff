"""The consent message: what a car allows, and from when on."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from pipelines.collect.formats.message import Unreadable, quoted, shown
from pipelines.collect.formats.rocade_json import NUMBERS
from pipelines.privacy.consent import ALWAYS, LEVELS

_LONGEST = 4_096  # bytes; the longest that makes sense has under a hundred


@dataclass(frozen=True, slots=True)
class Statement:
    """What a car says of its consent: ``level`` (index into ``LEVELS``) rules from ``since_ms`` on."""

    level: int
    since_ms: float


def read_consent(payload: bytes, received_ms: float, oldest_ms: float, newest_ms: float) -> Statement:
    """A consent message: ``{"consent": level, "ts": epoch_ms}``, the same without ts, the bare level, or nothing.

    Args:
        payload: the message.
        received_ms: when it was received; decides where the car's clock is beyond belief.
        oldest_ms: no believable clock is before this.
        newest_ms: nor after this.

    Raises:
        Unreadable: it does not name a level; nothing changes.
    """
    fix = f'publish one of {", ".join(LEVELS)}, bare or as {{"consent": …, "ts": epoch_ms}}; nothing has changed'
    if len(payload) > _LONGEST:
        raise Unreadable("bad_consent", f"{len(payload)} bytes are no consent; {fix}")
    text = payload.decode("utf-8", "replace").strip()
    if not payload:  # how MQTT deletes a retained message: the car says nothing any more, and silence is the default
        return Statement(LEVELS.index("silent"), ALWAYS)
    if text in LEVELS:
        return Statement(LEVELS.index(text), ALWAYS)
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Unreadable("bad_consent", f"{quoted(payload)} is not a consent ({error}); {fix}") from error
    level = said.get("consent") if type(said) is dict else said
    if type(level) is not str or level not in LEVELS:
        raise Unreadable("bad_consent", f"{quoted(payload)} does not name a level of consent; {fix}")
    since = said.get("ts") if type(said) is dict else None
    if since is None:
        return Statement(LEVELS.index(level), ALWAYS)
    if type(since) not in NUMBERS:
        raise Unreadable("bad_consent", f"ts is {shown(said, 'ts')}, not epoch milliseconds; {fix}")
    return Statement(LEVELS.index(level), float(since) if oldest_ms <= since <= newest_ms else received_ms)
