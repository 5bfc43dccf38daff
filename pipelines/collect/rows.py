"""From messages that have been read to rows, column by column.

Belongs here: consent by row, clocks, and the two Arrow tables of a batch. Does not: whole messages (intake.py), what
a value may be (checks.py), how values become columns (columns.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.collect.checks import CLOCK_FUTURE, CLOCK_PAST, FINE, REASONS, TYPES, UNKNOWN_SIGNAL, Rules
from pipelines.collect.tables import QUARANTINE_SCHEMA, READINGS_SCHEMA
from pipelines.privacy.consent import LEVELS, SILENT, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.collect.columns import Columns, Laid

_DAY_US = 86_400_000_000
_FIRST_MS, _LAST_MS = -62_135_596_800_000.0, 253_402_300_799_000.0  # years 1 to 9999: what a timestamp can show
_LONGEST_TEXT = 80  # characters kept of a text that is no valid value, and of a name that is no name


class Telemetry(NamedTuple):
    """One message whose rows are to be kept, as far as its consent goes.

    Attributes:
        received_ms: when it was received, epoch milliseconds.
        timeline: the car's consent as it stood when the message was received.
        vehicle: the car's pseudonym.
        driver: the driver's, if one was named.
        boot: the run of the car's computer that counts ``seq``.
        seq: number of the message within the boot.
        t0_ms: epoch milliseconds to which the rows' offsets are added.
        tenant: whose car it is, if anybody's.
    """

    received_ms: float
    timeline: Timeline
    vehicle: str
    driver: str | None
    boot: str
    seq: int
    t0_ms: float
    tenant: str | None


class Made(NamedTuple):
    """What rows came of a batch of messages.

    Attributes:
        readings: rows of ``core.readings``.
        rejected: rows of ``quarantine.messages``.
        silent: messages that were silent in all their rows.
        unknown: readings of signals that the catalogue does not have.
    """

    readings: pa.Table
    rejected: pa.Table
    silent: int
    unknown: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of all messages, one after the other; a row is one instant of one car."""

    message: NDArray[np.int64]
    number: NDArray[np.int32]
    instant_ms: NDArray[np.float64]
    received_ms: NDArray[np.float64]
    level: NDArray[np.int8]
    clock: NDArray[np.int8]


def rows_of(messages: Sequence[Telemetry], columns: Columns, rules: Rules, oldest_ms: float, ahead_ms: float) -> Made:
    """The rows of ``core.readings`` and of ``quarantine.messages`` that ``messages`` amount to.

    Args:
        messages: in the order of receipt, no two alike.
        columns: what they say, as many as there are messages.
        rules: what a value may be.
        oldest_ms: device clocks before this are faulty, epoch milliseconds.
        ahead_ms: milliseconds that a device clock may run ahead of the time of receipt.
    """
    if not columns.offsets_ms:
        return Made(READINGS_SCHEMA.empty_table(), QUARANTINE_SCHEMA.empty_table(), 0, 0)
    rows = _rows(messages, columns, oldest_ms, ahead_ms)
    keep = rows.level != SILENT
    starts = np.flatnonzero(rows.number == 0)
    silent = int(np.count_nonzero(~np.logical_or.reduceat(keep, starts)))
    laid = columns.laid()
    clock = rows.clock[laid.row]
    reason = np.where(laid.fit[laid.code], rules.judge(laid.code, laid.values), UNKNOWN_SIGNAL)
    reason = np.where(clock != FINE, clock, reason)
    kept = keep[laid.row]
    fine = np.flatnonzero(kept & (reason == FINE))
    faulty = np.flatnonzero(kept & (reason != FINE))
    unknown = int(np.count_nonzero(laid.code[fine] >= rules.known))
    return Made(
        _good(messages, rows, laid, fine, rules),
        _bad(messages, rows, laid, faulty, reason[faulty], rules),
        silent,
        unknown,
    )


def _rows(messages: Sequence[Telemetry], columns: Columns, oldest_ms: float, ahead_ms: float) -> _Rows:
    heights = np.array(columns.heights)
    starts = np.cumsum(heights) - heights
    message = np.repeat(np.arange(len(messages)), heights)
    offset_ms = np.array(columns.offsets_ms, np.float64)
    instant_ms = np.array([each.t0_ms for each in messages], np.float64)[message] + offset_ms
    received_ms = np.array([each.received_ms for each in messages], np.float64)[message]
    past = ~(instant_ms >= oldest_ms)  # what is no number is no clock either
    future = instant_ms > received_ms + ahead_ms
    # Where the device's clock cannot be believed, the time of receipt decides what it may be kept under.
    ruling_ms = np.where(past | future, received_ms, instant_ms)
    return _Rows(
        message=message,
        number=(np.arange(len(message)) - starts[message]).astype(np.int32),
        instant_ms=instant_ms,
        received_ms=received_ms,
        level=_levels(messages, ruling_ms, message, starts, heights),
        clock=np.where(past, CLOCK_PAST, np.where(future, CLOCK_FUTURE, FINE)).astype(np.int8),
    )


def _levels(
    messages: Sequence[Telemetry],
    ruling_ms: NDArray[np.float64],
    message: NDArray[np.int64],
    starts: NDArray[np.int64],
    heights: NDArray[np.int64],
) -> NDArray[np.int8]:
    """The level of consent in force at each row; nearly always the latest that the car has stated."""
    since_ms = np.array([each.timeline.starts[-1] for each in messages])
    levels = np.array([each.timeline.levels[-1] for each in messages], np.int8)[message]
    for at in np.unique(message[ruling_ms < since_ms[message]]).tolist():
        span = slice(starts[at], starts[at] + heights[at])
        levels[span] = messages[at].timeline.at(ruling_ms[span])
    return levels


def _good(messages: Sequence[Telemetry], rows: _Rows, laid: Laid, at: NDArray[np.int64], rules: Rules) -> pa.Table:
    whole = len(at) == len(laid.row)  # nearly always: then nothing has to be picked out
    row, code, values = (
        (laid.row, laid.code, laid.values) if whole else (laid.row[at], laid.code[at], laid.values.take(at))
    )
    message = rows.message[row]
    instant_us = np.rint(np.where(rows.clock == FINE, rows.instant_ms, 0) * 1000).astype(np.int64)
    received_us = np.rint(rows.received_ms * 1000).astype(np.int64)
    known = code < rules.known
    texts = values.texts
    if not known.all():
        # A text under a name that nobody knows could be a number plate: the reading stays, the text does not.
        texts = pc.if_else(pa.array(known), texts, pa.scalar(None, pa.string()))
    columns = [
        _days(instant_us)[row],
        _repeated([each.vehicle for each in messages], message),
        _repeated([each.driver for each in messages], message),
        _repeated([each.boot for each in messages], message),
        np.array([each.seq for each in messages], np.int64)[message],
        rows.number[row],
        instant_us[row],
        _named(code, laid.paths),
        pa.DictionaryArray.from_arrays(rules.types(code, values).astype(np.int32), pa.array(TYPES)),
        pa.array(values.numbers, from_pandas=True),
        texts,
        known,
        pa.DictionaryArray.from_arrays(rows.level[row].astype(np.int32), pa.array(LEVELS)),
        received_us[row],
        _repeated([each.tenant for each in messages], message),
    ]
    return _table(columns, READINGS_SCHEMA)


def _bad(
    messages: Sequence[Telemetry],
    rows: _Rows,
    laid: Laid,
    at: NDArray[np.int64],
    reason: NDArray[np.int8],
    rules: Rules,
) -> pa.Table:
    if not len(at):
        return QUARANTINE_SCHEMA.empty_table()
    row, code = laid.row[at], laid.code[at]
    message = rows.message[row]
    values = laid.values.take(at)
    instant_ms, received_ms = rows.instant_ms[row], rows.received_ms[row]
    shown = (instant_ms >= _FIRST_MS) & (instant_ms <= _LAST_MS)
    instant_us = np.rint(np.where(shown, instant_ms, 0) * 1000).astype(np.int64)
    received_us = np.rint(received_ms * 1000).astype(np.int64)
    paths = [laid.paths[each][:_LONGEST_TEXT] for each in code.tolist()]
    texts = values.texts.to_pylist()
    kept = (code < rules.known).tolist()
    details = [
        _clock_detail(why, path, instant, received)
        if why in (CLOCK_PAST, CLOCK_FUTURE)
        else rules.explain(why, signal, path, kind, number, text)
        for why, signal, path, instant, received, kind, number, text in zip(
            reason.tolist(),
            code.tolist(),
            paths,
            instant_ms.tolist(),
            received_ms.tolist(),
            values.kinds.tolist(),
            values.numbers.tolist(),
            texts,
            strict=True,
        )
    ]
    columns = [
        _days(received_us),
        received_us,
        pa.array([messages[each].vehicle for each in message.tolist()], pa.string()),
        pa.array([messages[each].boot for each in message.tolist()], pa.string()),
        np.array([each.seq for each in messages], np.int64)[message],
        rows.number[row],
        pa.array(instant_us, mask=~shown),
        pa.array(paths, pa.string()),
        pa.array(values.numbers, from_pandas=True),
        pa.array(
            [text[:_LONGEST_TEXT] if own and text else None for own, text in zip(kept, texts, strict=True)], pa.string()
        ),
        pa.array([REASONS[each] for each in reason.tolist()], pa.string()),
        pa.array(details, pa.string()),
        pa.nulls(len(at), pa.binary()),
    ]
    return _table(columns, QUARANTINE_SCHEMA)


def _table(columns: Sequence[pa.Array | NDArray[np.generic]], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(column, field.type) if isinstance(column, np.ndarray) else column.cast(field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _repeated(texts: Sequence[str | None], at: NDArray[np.int64]) -> pa.DictionaryArray:
    """``texts[at]``."""
    return pa.array(texts, pa.string()).dictionary_encode().take(pa.array(at))


def _named(code: NDArray[np.int32], paths: Sequence[str]) -> pa.DictionaryArray:
    """The names of signals by their numbers, with only those in the dictionary that occur."""
    used = np.zeros(len(paths), np.bool_)
    used[code] = True
    names = pa.array([paths[at] for at in np.flatnonzero(used).tolist()], pa.string())
    return pa.DictionaryArray.from_arrays((np.cumsum(used, dtype=np.int32) - 1)[code].astype(np.int32), names)


def _clock_detail(reason: int, path: str, instant_ms: float, received_ms: float) -> str:
    when = (
        f"{np.datetime64(int(instant_ms), 'ms')} UTC" if _FIRST_MS <= instant_ms <= _LAST_MS else f"{instant_ms:g} ms"
    )
    if reason == CLOCK_PAST:
        return f"telemetry: {path} at {when} is older than the setting oldest_reading allows; set the device's clock"
    received = np.datetime64(int(received_ms), "ms")
    return f"telemetry: {path} at {when} is later than its receipt at {received} UTC allows; set the device's clock"


def _days(instant_us: NDArray[np.int64]) -> NDArray[np.int32]:
    return (instant_us // _DAY_US).astype(np.int32)
