"""Wire formats: from the bytes of one message to plain columns, or to the reason why not.

Belongs here: topics, the Rocade JSON batch, the consent message. Does not: whether the values make sense (checks.py),
whether they may be kept (intake.py).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import orjson

from pipelines.mqtt import JSON_BATCH, TOPICS
from pipelines.privacy.consent import ALWAYS, LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["telemetry", "consent", "state", "advice"]
Reason = Literal[
    "not_json",
    "bad_batch",
    "unknown_signal",
    "out_of_range",
    "wrong_type",
    "clock_past",
    "clock_future",
    "bad_consent",
]

_TOPIC = re.compile(rf"{TOPICS}/([A-Za-z0-9_-]{{1,64}})/(telemetry|consent|state|advice)")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NUMBERS = frozenset((int, float))
_BIGGEST_SEQ = 2**63 - 1
_SHOWN = 80  # characters of a foreign text that a message quotes


class Unreadable(Exception):  # noqa: N818 - the state of the message is its name
    """A message that has to wait in quarantine as a whole.

    Args:
        reason: the code under which it waits.
        detail: what is wrong and what to do, without the place.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


@dataclass(slots=True)
class Message:
    """One message as it came from the broker.

    Attributes:
        mid: packet id, for the acknowledgement.
        epoch: number of the connection it came on; an acknowledgement is good on that one alone.
        qos: as delivered, 0 or 1.
        again: whether the broker marks it as a redelivery.
        topic: the whole topic.
        payload: its bytes.
        content_type: MQTT 5 content type, if any.
        received_ms: when it was received, epoch milliseconds.
        done: whether it is durable or refused, so that it may be acknowledged.
    """

    mid: int
    epoch: int
    qos: int
    again: bool
    topic: str
    payload: bytes
    content_type: str | None
    received_ms: float
    done: bool = False


@dataclass(slots=True)
class Batch:
    """A telemetry message as columns: rows, and readings of all rows one after the other.

    Attributes:
        boot: the run of the car's computer that counts ``seq``, a UUID.
        seq: number of the message within the boot.
        t0_ms: epoch milliseconds to which the offsets are added.
        driver: raw id of the driver, if said.
        offsets_ms: one a row.
        widths: readings in each row.
        paths: signal of each reading.
        values: value of each reading: number, bool, string or what else JSON can hold.
    """

    boot: str
    seq: int
    t0_ms: float
    driver: str | None
    offsets_ms: list[float]
    widths: list[int]
    paths: list[str]
    values: list[object]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a car says of its consent: ``level`` (index into ``LEVELS``) rules from ``since_ms`` on."""

    level: int
    since_ms: float


def subject(topic: str) -> tuple[str, Kind] | None:
    """The car's raw id and what it talks about, or None for a topic that no car of ours can have."""
    match = _TOPIC.fullmatch(topic)
    if match is None:
        return None
    return match[1], cast("Kind", match[2])


def read_batch(payload: bytes, content_type: str | None) -> Batch:
    """A telemetry message as columns.

    Raises:
        Unreadable: it is not a batch; nothing of it can be trusted.
    """
    if content_type not in (None, "", JSON_BATCH):
        raise Unreadable(
            "bad_batch",
            f"content type {content_type[:_SHOWN]!r} has no decoder here; send {JSON_BATCH}, or none at all",
        )
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Unreadable(
            "not_json", f"the payload is not JSON ({error}): {_quoted(payload)}; send a Rocade JSON batch"
        ) from error
    if type(said) is not dict:
        raise Unreadable(
            "bad_batch", f"the payload is a JSON {_json_type(said)}, not an object; send a Rocade JSON batch"
        )
    if said.get("vss") != "6.0":
        raise Unreadable("bad_batch", f'vss is {_shown(said, "vss")}; only signals of VSS "6.0" are known')
    boot, seq, driver = said.get("boot"), said.get("seq"), said.get("driver")
    t0: Any = said.get("t0")
    if type(boot) is not str or not _UUID.fullmatch(boot):
        raise Unreadable(
            "bad_batch", f"boot is {_shown(said, 'boot')}; it must be a UUID, new at each start of the sender"
        )
    if type(seq) is not int or not 0 <= seq <= _BIGGEST_SEQ:
        raise Unreadable("bad_batch", f"seq is {_shown(said, 'seq')}; it must count the messages of a boot from 0")
    if type(t0) not in _NUMBERS or not math.isfinite(t0):
        raise Unreadable("bad_batch", f"t0 is {_shown(said, 't0')}; it must be epoch milliseconds")
    if driver is not None and type(driver) is not str:
        raise Unreadable("bad_batch", f"driver is a JSON {_json_type(driver)}; it must be a string, or left out")
    batch = Batch(boot.lower(), seq, float(t0), driver, [], [], [], [])
    _fill(batch, said)
    return batch


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
    text = payload.decode("utf-8", "replace").strip()
    if not payload:  # how MQTT deletes a retained message: the car says nothing any more, and silence is the default
        return Statement(LEVELS.index("silent"), ALWAYS)
    if text in LEVELS:
        return Statement(LEVELS.index(text), ALWAYS)
    try:
        said = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Unreadable("bad_consent", f"{_quoted(payload)} is not a consent ({error}); {fix}") from error
    level = said.get("consent") if type(said) is dict else said
    if type(level) is not str or level not in LEVELS:
        raise Unreadable("bad_consent", f"{_quoted(payload)} does not name a level of consent; {fix}")
    since = said.get("ts") if type(said) is dict else None
    if since is None:
        return Statement(LEVELS.index(level), ALWAYS)
    if type(since) not in _NUMBERS:
        raise Unreadable("bad_consent", f"ts is {_shown(said, 'ts')}, not epoch milliseconds; {fix}")
    return Statement(LEVELS.index(level), float(since) if oldest_ms <= since <= newest_ms else received_ms)


def _fill(batch: Batch, said: Mapping[str, Any]) -> None:
    """The rows of ``said`` into the columns of ``batch``."""
    rows = said.get("rows")
    if type(rows) is not list:
        raise Unreadable("bad_batch", f"rows is {_shown(said, 'rows')}; it must be a list of [dt_ms, {{path: value}}]")
    offsets, widths, paths, values = batch.offsets_ms, batch.widths, batch.paths, batch.values
    try:
        for offset, signals in rows:
            values.extend(signals.values())  # first: a string has no values, but would extend the paths
            paths.extend(signals)
            widths.append(len(signals))
            offsets.append(offset)
    except (TypeError, ValueError, AttributeError) as error:
        raise Unreadable(
            "bad_batch",
            f"row {len(offsets)} is {_clipped(repr(rows[len(offsets)]))}; it must be [dt_ms, {{path: value}}]",
        ) from error
    if not _NUMBERS.issuperset(map(type, offsets)):
        row = next(i for i, offset in enumerate(offsets) if type(offset) not in _NUMBERS)
        raise Unreadable("bad_batch", f"dt_ms of row {row} is {_clipped(repr(offsets[row]))}; it must be a number")


def _shown(said: Mapping[str, Any], key: str) -> str:
    return _clipped(repr(said[key])) if key in said else "missing"


def _quoted(payload: bytes) -> str:
    return _clipped(repr(payload.decode("utf-8", "replace")))


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _json_type(value: object) -> str:
    names = {list: "array", dict: "object", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
