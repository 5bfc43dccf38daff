"""The gate on telemetry: a second look at the readings of days that are over.

The collector has judged every reading when it came; here the day as a whole is judged by other code: nothing null that
identifies, no reading twice, no consent missing, no signal taken for known that is not, clocks plausible.

A day that fails is judged again, and fails again, at each call until it is mended: by compaction, an erasure, or the
correction of what was wrong here. Meanwhile nothing is announced, so its arrival alone rebuilds no table; its
readings stay where they are, for whoever looks into it. A build by hand, or one that open data wakes, does not ask.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pipelines.contracts.signals import SignalType, load_signals
from pipelines.lake import Lake, connect
from pipelines.lake.duck import one_row
from pipelines.quality.docs import write_index, write_page
from pipelines.quality.verdict import Finding, Verdict

if TYPE_CHECKING:
    import duckdb
    from great_expectations.expectations.expectation import Expectation

    from pipelines.settings import Settings

READINGS = "core.readings"
_IDENTITY = "vehicle, boot, seq, row, signal"
_LEVELS = ["service", "service+statistics"]


def judge_readings(settings: Settings, *, before: date | None = None) -> list[Verdict]:
    """A verdict a day on ``core.readings``, for days that have not passed yet or whose files changed since.

    Args:
        settings: where the lake and the reports are.
        before: days before this one; today (UTC) when absent.
    """
    lake = Lake(settings.lake)
    if not lake.exists(READINGS):
        return []
    last = before or datetime.now(UTC).date()
    days: dict[str, list[str]] = {}
    for file in lake.snapshot(READINGS).files:
        days.setdefault(str(file.partition["day"]), []).append(Path(file.path).name)
    verdicts = []
    for day, names in sorted(days.items()):
        report = settings.reports / "readings" / f"{day}.json"
        passed = report.with_suffix(".files")  # what the day consisted of when it passed
        files = "\n".join(sorted(names))
        if date.fromisoformat(day) >= last or (passed.is_file() and passed.read_text(encoding="utf-8") == files):
            continue
        passed.unlink(missing_ok=True)
        verdict = _judge(lake, settings, day)
        verdict.write(report)
        write_page(verdict, report, settings.reports)
        if verdict.passed:
            passed.write_text(files, encoding="utf-8")
        verdicts.append(verdict)
    if verdicts:
        write_index(settings.reports)
    return verdicts


def _judge(lake: Lake, settings: Settings, day: str) -> Verdict:
    from pipelines.quality.suite import validate_batches  # costs seconds

    relation = lake.relation_sql(READINGS, partitions={"day": [day]})
    columns = "vehicle, boot, seq, row, ts, signal, type, known, consent, received_at"
    with connect(settings) as con:
        (rows,) = one_row(con, f"SELECT count(*) FROM {relation}")
        batches = con.sql(f"SELECT {columns} FROM {relation}").to_arrow_reader(1_000_000)
        findings = validate_batches((batch.to_pandas() for batch in batches), _expectations(), f"readings of {day}")
        findings += [_uniqueness(con, relation), _signals(con, relation), _clocks(con, relation, settings)]
    return Verdict(f"{READINGS} of {day}", rows, tuple(findings))


def _expectations() -> list[Expectation]:
    import great_expectations.expectations as gxe

    named = ("vehicle", "boot", "seq", "row", "ts", "signal", "type", "known", "consent", "received_at")
    return [
        *(gxe.ExpectColumnValuesToNotBeNull(column=column) for column in named),
        gxe.ExpectColumnValuesToBeInSet(column="type", value_set=list(get_args(SignalType))),
        gxe.ExpectColumnValuesToBeInSet(column="consent", value_set=_LEVELS),
        gxe.ExpectColumnValuesToBeBetween(column="seq", min_value=0),
        gxe.ExpectColumnValuesToMatchRegex(column="vehicle", regex="^[0-9a-f]{32}$"),
    ]


def _uniqueness(con: duckdb.DuckDBPyConnection, relation: str) -> Finding:
    (twice,) = one_row(con, f"SELECT count(*) FROM (SELECT 1 FROM {relation} GROUP BY {_IDENTITY} HAVING count(*) > 1)")
    return Finding("reading_is_unique", _IDENTITY, "failed" if twice else "passed", f"{twice} readings stand twice")


def _signals(con: duckdb.DuckDBPyConnection, relation: str) -> Finding:
    query = f"SELECT count(*) FROM {relation} WHERE known AND NOT list_contains($catalogue, signal)"
    (strange,) = one_row(con, query, {"catalogue": list(load_signals())})
    what = f"{strange} readings are marked as known of signals that the catalogue does not have"
    return Finding("known_signal_is_known", "signal", "failed" if strange else "passed", what)


def _clocks(con: duckdb.DuckDBPyConnection, relation: str, settings: Settings) -> Finding:
    (early,) = one_row(
        con,
        f"SELECT count(*) FROM {relation} WHERE ts < $oldest OR epoch(ts) > epoch(received_at) + $ahead",
        {"oldest": settings.oldest_reading, "ahead": settings.clock_ahead_s},
    )
    return Finding("clock_is_plausible", "ts", "failed" if early else "passed", f"{early} readings outside")
