from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pipelines import web
from pipelines.web import PassingError, pause_s, persist, retry_after_s


def test_pauses_double_up_to_a_minute() -> None:
    error = PassingError("x")
    assert [pause_s(error, n, 1) for n in (1, 2, 3, 6, 7, 50)] == [1, 2, 4, 32, 60, 60]


def test_pause_is_what_the_server_asked_for_up_to_five_minutes() -> None:
    assert pause_s(PassingError("x", retry_after_s=0), 9, 1) == 0
    assert pause_s(PassingError("x", retry_after_s=90), 1, 1) == 90
    assert pause_s(PassingError("x", retry_after_s=1e6), 1, 1) == 300


@pytest.mark.parametrize(("value", "seconds"), [("12", 12), (" 0 ", 0), ("soon", None), ("-3", None), ("", None)])
def test_retry_after_as_a_number(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value}) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3500 < (retry_after_s({"Retry-After": later}) or 0) <= 3600
    assert retry_after_s({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0


def test_persist_counts_only_tries_in_a_row_without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    outcomes = iter([False, False, True, False, True, False, False, False])

    def attempt() -> None:
        raise PassingError("x", progressed=next(outcomes))

    with pytest.raises(PassingError):
        persist(attempt, retries=2, backoff_s=1)
    assert pauses == [1, 2, 1, 2, 1, 2]
    assert list(outcomes) == [False]


def test_persist_lets_other_errors_through() -> None:
    tries = []

    def attempt() -> None:
        tries.append(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        persist(attempt, retries=9, backoff_s=0)
    assert len(tries) == 1


def test_zero_retries_is_one_try() -> None:
    tries = []

    def attempt() -> None:
        tries.append(1)
        raise PassingError("x", progressed=True)

    with pytest.raises(PassingError):
        persist(attempt, retries=0, backoff_s=0)
    assert len(tries) == 1


def test_session_says_who_we_are() -> None:
    with web.new_session() as session:
        assert str(session.headers["User-Agent"]).startswith("rocade/")
