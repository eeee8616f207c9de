"""What a run says while it goes on, to a reader at a terminal, to a log, and to nobody."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from retention_kit.run import Result
from retention_kit.run.progress import JsonLog, Live, Plain, Quiet, duration, progress_for, table

WRITTEN = Result("DK", "Denmark", "fresh", "", 2.04, Path("DK.html"), None)
FAILED = Result("NL", "Netherlands", "stale", "ValueError in code cell 2 of 3.", 0.5, None, None, "  try:   look at it")
HEADLINES = {"DK": "Customer retention rate 61.4%"}


def run_of(progress) -> None:
    progress.begin(2, workers=1)
    for result in (WRITTEN, FAILED):
        progress.started(result.market, result.name)
        progress.ended(result)
    progress.say("A word.")
    progress.end([WRITTEN, FAILED], HEADLINES)


FAILURE = (
    "NL Netherlands: failed after 0.5 s; its last good report is kept\n"
    "  what:  ValueError in code cell 2 of 3.\n  try:   look at it\n"
)
TABLE = (
    "market  status             seconds  headline\n"
    "DK      written                2.0  Customer retention rate 61.4%\n"
    "NL      failed, last kept      0.5\n"
)


def test_plain_lines_and_a_table_at_the_end():
    said = io.StringIO()
    run_of(Plain(said))
    assert said.getvalue() == f"DK Denmark: written in 2.0 s\n{FAILURE}A word.\n{TABLE}"


def test_quiet_says_what_failed_alone_and_to_the_error_stream(capsys):
    run_of(Quiet())
    out, err = capsys.readouterr()
    assert (out, err) == ("", FAILURE)


def test_a_json_log_is_one_object_a_line_with_a_time(capsys):
    run_of(JsonLog())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(line.pop("at") > 1.7e9 for line in lines)
    assert lines == [
        {"event": "begin", "n_runs": 2, "workers": 1},
        {"event": "started", "market": "DK", "name": "Denmark"},
        {"event": "ended", "market": "DK", "status": "fresh", "seconds": 2.04},
        {"event": "started", "market": "NL", "name": "Netherlands"},
        {
            "event": "ended",
            "market": "NL",
            "status": "stale",
            "seconds": 0.5,
            "reason": "ValueError in code cell 2 of 3.",
        },
        {"event": "note", "text": "A word."},
        {"event": "end", "fresh": 1, "stale": 1, "failed": 0},
    ]


def test_a_terminal_shows_who_runs_and_how_long_the_rest_takes():
    live, screen = Live(), io.StringIO()
    live._lines.live.console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    live.begin(3, workers=1)
    live.started("DK", "Denmark")
    live._lines.refresh()
    assert "DK Denmark" in screen.getvalue()
    live.ended(WRITTEN)
    live._lines.refresh()
    assert "1/3" in screen.getvalue()
    assert " left" in screen.getvalue()
    assert "DK Denmark: written in 2.0 s" in screen.getvalue()
    live.end([WRITTEN, FAILED], HEADLINES)
    assert "failed, last kept" in screen.getvalue()


def test_what_a_user_named_is_shown_as_it_is_on_a_terminal():
    live, screen = Live(), io.StringIO()
    live._lines.live.console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    live.begin(1, workers=1)
    live.started("DK", "[bold]Denmark[/bold]")
    live._lines.refresh()
    live.ended(Result("DK", "[bold]Denmark[/bold]", "fresh", "", 1.0, None, None))
    live.end([], {})
    assert screen.getvalue().count("[bold]Denmark[/bold]") >= 2


def test_the_way_fits_what_was_asked_for(capsys):
    assert type(progress_for(quiet=True, json_log=False)) is Quiet
    assert type(progress_for(quiet=True, json_log=True)) is JsonLog
    assert type(progress_for(quiet=False, json_log=False)) is Plain  # this is no terminal


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (200, "3 min 20 s")])
def test_a_time_is_said_in_minutes_and_seconds(seconds, said):
    assert duration(seconds) == said


def test_the_table_of_one_market_that_failed_without_a_headline():
    assert table([FAILED], {})[1].split() == ["NL", "failed,", "last", "kept", "0.5"]


def test_a_second_notebook_is_counted_from_its_own_first_market():
    live, screen = Live(), io.StringIO()
    live._lines.live.console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    for n_runs in (2, 1):
        live.begin(n_runs, workers=1)
        for result in (WRITTEN, FAILED)[:n_runs]:
            live.started(result.market, result.name)
            live.ended(result)
        live._lines.refresh()
        live.end([], {})
    shown = screen.getvalue()
    assert "1/1" in shown
    assert "3/1" not in shown
    assert "about -" not in shown
