"""From messages that have been read to rows, column by column.

Belongs here: consent by row, clocks, and the two Arrow tables of a batch. Does not: whole messages (intake.py), what
a value may be (checks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipelines.collect.checks import (
    CLOCK_FUTURE,
    CLOCK_PAST,
    FINE,
    REASONS,
    UNKNOWN_SIGNAL,
    Rules,
    Values,
    split_values,
)
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.privacy.consent import LEVELS, SILENT, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.collect.formats import Batch

_DAY_US = 86_400_000_000
_FIRST_MS, _LAST_MS = -62_135_596_800_000.0, 253_402_300_799_000.0  # years 1 to 9999: what a timestamp can show
_LONGEST_TEXT = 80  # characters kept of a text that is no valid value


@dataclass(slots=True)
class Telemetry:
    """One message that has been read, with what is needed to keep it.

    Attributes:
        batch: its columns.
        received_ms: when it was received, epoch milliseconds.
        timeline: the car's consent as it stood when the message was received.
        vehicle: the car's pseudonym.
        driver: the driver's, if one was named.
    """

    batch: Batch
    received_ms: float
    timeline: Timeline
    vehicle: str
    driver: str | None


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of all messages, one after the other; a row is one instant of one car."""

    message: NDArray[np.int64]
    number: NDArray[np.int32]
    instant_ms: NDArray[np.float64]
    received_ms: NDArray[np.float64]
    level: NDArray[np.int8]
    clock: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class _Readings:
    """The readings of all rows, one after the other."""

    row: NDArray[np.int64]
    paths: pa.DictionaryArray
    values: Values
    reason: NDArray[np.int8]


def rows_of(
    messages: Sequence[Telemetry], rules: Rules, oldest_ms: float, ahead_ms: float
) -> tuple[pa.Table, pa.Table, int]:
    """Rows of ``core.readings``, rows of ``quarantine.messages``, and how many messages were silent in all their rows.

    Args:
        messages: in the order of receipt, no two alike.
        rules: what a value may be.
        oldest_ms: device clocks before this are faulty, epoch milliseconds.
        ahead_ms: milliseconds that a device clock may run ahead of the time of receipt.
    """
    messages = [each for each in messages if each.batch.offsets_ms]  # one without rows is no fault, and gives none
    if not messages:
        return READINGS_SCHEMA.empty_table(), QUARANTINE_SCHEMA.empty_table(), 0
    rows = _rows(messages, oldest_ms, ahead_ms)
    keep = rows.level != SILENT
    starts = np.flatnonzero(rows.number == 0)
    silent = int(np.count_nonzero(~np.logical_or.reduceat(keep, starts)))
    readings = _readings(messages, rows, rules)
    kept = keep[readings.row]
    fine = np.flatnonzero(kept & (readings.reason == FINE))
    faulty = np.flatnonzero(kept & (readings.reason != FINE))
    return _good(messages, rows, readings, fine, rules), _bad(messages, rows, readings, faulty, rules), silent


def _rows(messages: Sequence[Telemetry], oldest_ms: float, ahead_ms: float) -> _Rows:
    heights = np.array([len(each.batch.offsets_ms) for each in messages])
    starts = np.cumsum(heights) - heights
    message = np.repeat(np.arange(len(messages)), heights)
    offset_ms = np.array(list(chain.from_iterable(each.batch.offsets_ms for each in messages)), np.float64)
    instant_ms = np.array([each.batch.t0_ms for each in messages])[message] + offset_ms
    received_ms = np.array([each.received_ms for each in messages])[message]
    past = instant_ms < oldest_ms
    future = instant_ms > received_ms + ahead_ms
    return _Rows(
        message=message,
        number=(np.arange(len(message)) - starts[message]).astype(np.int32),
        instant_ms=instant_ms,
        received_ms=received_ms,
        # Where the device's clock cannot be believed, the time of receipt decides what it may be kept under.
        level=_levels(messages, np.where(past | future, received_ms, instant_ms), starts, heights),
        clock=np.where(past, CLOCK_PAST, np.where(future, CLOCK_FUTURE, FINE)).astype(np.int8),
    )


def _levels(
    messages: Sequence[Telemetry], ruling_ms: NDArray[np.float64], starts: NDArray[np.int64], heights: NDArray[np.int64]
) -> NDArray[np.int8]:
    """The level of consent in force at each row."""
    first_ms = np.minimum.reduceat(ruling_ms, starts).tolist()
    last_ms = np.maximum.reduceat(ruling_ms, starts).tolist()
    constant = [
        each.timeline.between(first, last) for each, first, last in zip(messages, first_ms, last_ms, strict=True)
    ]
    levels = np.repeat(np.array([SILENT if level is None else level for level in constant], np.int8), heights)
    for at in (at for at, level in enumerate(constant) if level is None):
        span = slice(starts[at], starts[at] + heights[at])
        levels[span] = messages[at].timeline.at(ruling_ms[span])
    return levels


def _readings(messages: Sequence[Telemetry], rows: _Rows, rules: Rules) -> _Readings:
    widths = np.array(list(chain.from_iterable(each.batch.widths for each in messages)), np.int64)
    row = np.repeat(np.arange(len(widths)), widths)
    paths = pa.array(list(chain.from_iterable(each.batch.paths for each in messages)), pa.string()).dictionary_encode()
    values = split_values(list(chain.from_iterable(each.batch.values for each in messages)))
    clock = rows.clock[row]
    return _Readings(row, paths, values, np.where(clock != FINE, clock, rules.judge(paths, values)))


def _good(
    messages: Sequence[Telemetry], rows: _Rows, readings: _Readings, at: NDArray[np.int64], rules: Rules
) -> pa.Table:
    row = readings.row[at]
    message = pa.array(rows.message[row])
    instant_us = np.rint(rows.instant_ms[row] * 1000).astype(np.int64)
    numbers = readings.values.numbers[at]
    paths = readings.paths.take(pa.array(at))
    columns = [
        _days(instant_us),
        pa.array([each.vehicle for each in messages]).dictionary_encode().take(message),
        pa.array([each.driver for each in messages], pa.string()).dictionary_encode().take(message),
        pa.array([each.batch.boot for each in messages]).dictionary_encode().take(message),
        pa.array([each.batch.seq for each in messages], pa.int64()).take(message),
        pa.array(rows.number[row]),
        _instants(instant_us),
        paths,
        pa.array(rules.types(paths.dictionary), pa.string()).dictionary_encode().take(paths.indices),
        pa.array(numbers, mask=np.isnan(numbers)),
        readings.values.texts.take(pa.array(at)),
        pa.array(np.ones(len(at), np.bool_)),
        pa.DictionaryArray.from_arrays(rows.level[row].astype(np.int32), pa.array(LEVELS)),
        _instants(np.rint(rows.received_ms[row] * 1000).astype(np.int64)),
        pa.nulls(len(at), READINGS_SCHEMA.field("tenant").type),
    ]
    return pa.Table.from_arrays(columns, schema=READINGS_SCHEMA)


def _bad(
    messages: Sequence[Telemetry], rows: _Rows, readings: _Readings, at: NDArray[np.int64], rules: Rules
) -> pa.Table:
    if not len(at):
        return QUARANTINE_SCHEMA.empty_table()
    row = readings.row[at]
    message = pa.array(rows.message[row])
    instant_ms, received_ms = rows.instant_ms[row], rows.received_ms[row]
    shown = (instant_ms >= _FIRST_MS) & (instant_ms <= _LAST_MS)
    instant_us = np.rint(np.where(shown, instant_ms, 0) * 1000).astype(np.int64)
    received_us = np.rint(received_ms * 1000).astype(np.int64)
    numbers = readings.values.numbers[at]
    paths = readings.paths.dictionary.take(readings.paths.indices.take(pa.array(at)))
    reasons = readings.reason[at].tolist()
    texts = readings.values.texts.take(pa.array(at)).to_pylist()
    details = [
        _clock_detail(reason, path, instant, received)
        if reason in (CLOCK_PAST, CLOCK_FUTURE)
        else rules.explain(reason, path, kind, number, text)
        for reason, path, instant, received, kind, number, text in zip(
            reasons,
            paths.to_pylist(),
            instant_ms.tolist(),
            received_ms.tolist(),
            readings.values.kinds[at].tolist(),
            numbers.tolist(),
            texts,
            strict=True,
        )
    ]
    columns = [
        _days(received_us),
        _instants(received_us),
        pa.array([each.vehicle for each in messages]).take(message),
        pa.array([each.batch.boot for each in messages]).take(message),
        pa.array([each.batch.seq for each in messages], pa.int64()).take(message),
        pa.array(rows.number[row]),
        pa.array(instant_us, READINGS_SCHEMA.field("ts").type, mask=~shown),
        paths,
        pa.array(numbers, mask=np.isnan(numbers)),
        pa.array([_kept_text(reason, text) for reason, text in zip(reasons, texts, strict=True)], pa.string()),
        pa.array([REASONS[reason] for reason in reasons], pa.string()),
        pa.array(details, pa.string()),
        pa.nulls(len(at), pa.binary()),
    ]
    return pa.Table.from_arrays(columns, schema=QUARANTINE_SCHEMA)


def _kept_text(reason: int, text: str | None) -> str | None:
    """A text that may wait in quarantine: under a name nobody knows it could be a VIN or a plate, so it may not."""
    return None if reason == UNKNOWN_SIGNAL or text is None else text[:_LONGEST_TEXT]


def _clock_detail(reason: int, path: str, instant_ms: float, received_ms: float) -> str:
    when = (
        f"{np.datetime64(int(instant_ms), 'ms')} UTC" if _FIRST_MS <= instant_ms <= _LAST_MS else f"{instant_ms:g} ms"
    )
    if reason == CLOCK_PAST:
        return f"telemetry: {path} at {when} is older than the setting oldest_reading allows; set the device's clock"
    received = np.datetime64(int(received_ms), "ms")
    return f"telemetry: {path} at {when} is later than its receipt at {received} UTC allows; set the device's clock"


def _days(instant_us: NDArray[np.int64]) -> pa.Array:
    return pa.array((instant_us // _DAY_US).astype(np.int32)).cast(pa.date32())


def _instants(instant_us: NDArray[np.int64]) -> pa.Array:
    return pa.array(instant_us, READINGS_SCHEMA.field("ts").type)
