"""Whether data is as new as its publisher promises: the declared frequency against the newest date in the table.

A publisher who is late is no reason to refuse what he does publish: old data warns.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.quality.verdict import Finding

if TYPE_CHECKING:
    from datetime import date

    from pipelines.contracts import Contract

EXPECTATION = "data_is_fresh"
_DAY = timedelta(days=1)
#: The longest wait between two editions, by the id that data.gouv.fr gives as a dataset's ``frequency``, and gave before.
PERIODS = {
    "continuous": _DAY,
    "realtime": _DAY,
    "oneMinute": _DAY,
    "fiveMinutes": _DAY,
    "tenMinutes": _DAY,
    "fifteenMinutes": _DAY,
    "thirtyMinutes": _DAY,
    "hourly": _DAY,
    "bihourly": _DAY,
    "trihourly": _DAY,
    "twelveHours": _DAY,
    "severalTimesADay": _DAY,
    "fourTimesADay": _DAY,
    "threeTimesADay": _DAY,
    "semidaily": _DAY,
    "daily": _DAY,
    "fiveTimesAWeek": 3 * _DAY,  # a weekend lies between
    "fourTimesAWeek": 3 * _DAY,
    "threeTimesAWeek": 4 * _DAY,
    "semiweekly": 5 * _DAY,
    "weekly": 7 * _DAY,
    "biweekly": 14 * _DAY,
    "fortnighly": 14 * _DAY,  # as it was spelt
    "threeTimesAMonth": 11 * _DAY,
    "semimonthly": 16 * _DAY,
    "monthly": 31 * _DAY,
    "bimonthly": 62 * _DAY,
    "quarterly": 92 * _DAY,
    "threeTimesAYear": 123 * _DAY,
    "semiannual": 184 * _DAY,
    "biannual": 184 * _DAY,
    "annual": 366 * _DAY,
    "biennial": 731 * _DAY,
    "triennial": 1096 * _DAY,
    "quadrennial": 1461 * _DAY,
    "quinquennial": 1827 * _DAY,
    "decennial": 3653 * _DAY,
    "bidecennial": 7305 * _DAY,
    "tridecennial": 10958 * _DAY,
}
#: Frequencies that promise nothing.
PROMISES_NOTHING = frozenset(["unknown", "irregular", "punctual", "never", "notPlanned", "other"])


def freshness(contract: Contract, column: str, newest: date | None, today: date | None = None) -> Finding:
    """Whether ``newest`` is at most two periods old: the period itself, and as long for whoever prepares the edition.

    Args:
        contract: with the declared frequency.
        column: that dates the rows.
        newest: its greatest value; None where there is none.
        today: the day to judge on; today (UTC) when absent.
    """
    period = PERIODS.get(contract.frequency)
    if period is None:
        what = "promises no date" if contract.frequency in PROMISES_NOTHING else "is not known"
        return Finding(EXPECTATION, column, "passed", f"not judged: frequency {contract.frequency!r} {what}")
    if newest is None:
        return Finding(EXPECTATION, column, "warned", "not judged: no row has a date")
    age = (today or datetime.now(UTC).date()) - newest
    observed = f"the newest row is of {newest}, {age.days} days ago; published {contract.frequency}"
    if age < -_DAY:
        return Finding(EXPECTATION, column, "warned", f"the newest row is of {newest}, which is in the future")
    return Finding(EXPECTATION, column, "warned" if age > 2 * period else "passed", observed)
