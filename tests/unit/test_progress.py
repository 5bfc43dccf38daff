"""Progress as lines and as bars: what is said, and that short steps within long ones are not."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines.progress import Bars, Lines, Silent


def test_lines_say_how_a_step_ended_and_leave_out_short_ones_within() -> None:
    out = io.StringIO()
    lines = Lines(out)
    with lines.step("ingest", total=2, unit="files") as outer:
        with lines.step("fetch", total=2_500_000, unit="B") as inner:
            inner.advance(2_500_000)
        outer.advance(2)
        lines.note("by the way")
    said = out.getvalue().splitlines()
    assert said[0] == "by the way"
    assert said[1].startswith("  ingest: 2 files in ")
    assert len(said) == 2


def test_long_steps_say_how_far_they_are() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.worth_a_line_s = 0.0
    original, Lines.every_s = Lines.every_s, 0.0
    try:
        with lines.step("all", total=2, unit="files"), lines.step("fetch", total=2000, unit="B") as inner:
            inner.advance(1000)
            inner.advance(0)
    finally:
        Lines.every_s = original
    said = out.getvalue().splitlines()
    assert said[0] == "  fetch: 1 kB of 2 kB"
    assert said[1].startswith("  fetch: 1 kB of 2 kB in ")
    assert said[2].startswith("  all: 0 of 2 files in ")


def test_bars_keep_only_the_outermost_step() -> None:
    bars = Bars()
    out = io.StringIO()
    bars._console = bars._rich.live.console = Console(file=out, force_terminal=True, width=100)  # noqa: SLF001 - its output
    with bars.step("ingest", total=2, unit="files") as outer:
        with bars.step("fetch") as inner:
            inner.advance(1)
        outer.advance(2)
        bars.note("[not markup]")
    assert "[not markup]" in out.getvalue()
    last = out.getvalue().rsplit("ingest", 1)[1]
    assert "2 files" in last
    assert "fetch" not in last


def test_silence() -> None:
    with Silent().step("anything", total=1) as step:
        step.advance(1, total=2)
    Silent().note("nothing")
