"""What a run says while it goes on: a live line per market on a terminal, plain lines elsewhere, JSON, or nothing."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from retention_kit.errors import shown


class Progress(Protocol):
    """What `run_reports` tells of its runs."""

    def begin(self, n_runs: int, *, workers: int) -> None:
        """Say that so many runs begin, so many at a time."""

    def started(self, market: str, name: str) -> None:
        """Say that a market's run has started."""

    def ended(self, result: Any) -> None:
        """Say how a market's run ended."""

    def say(self, text: str) -> None:
        """Say something else."""

    def remark(self, text: str) -> None:
        """Say what is to be known of the data, apart from how the runs go on."""

    def wrote(self, place: Path) -> None:
        """Say where the reports lie."""

    def end(self, results: Sequence[Any], headlines: Mapping[str, str]) -> None:
        """Say what came of all."""


class Quiet:
    """Says nothing but what failed, to the error stream."""

    def begin(self, n_runs: int, *, workers: int) -> None:
        """Say nothing."""

    def started(self, market: str, name: str) -> None:
        """Say nothing."""

    def ended(self, result: Any) -> None:
        """Say why, where a run failed."""
        if result.status != "fresh":
            print(told(result), file=sys.stderr)

    def say(self, text: str) -> None:
        """Say nothing."""

    def remark(self, text: str) -> None:
        """Say nothing."""

    def wrote(self, place: Path) -> None:
        """Say nothing."""

    def end(self, results: Sequence[Any], headlines: Mapping[str, str]) -> None:
        """Say nothing."""


class Plain(Quiet):
    """Says a line as each run ends, and a table at the end."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream

    def ended(self, result: Any) -> None:
        """Say how it ended."""
        self.say(told(result))

    def say(self, text: str) -> None:
        """Say it."""
        print(text, file=self._stream or sys.stdout, flush=True)

    def remark(self, text: str) -> None:
        """Say it to the error stream."""
        _remark(text)

    def wrote(self, place: Path) -> None:
        """Say where."""
        self.say(str(place))

    def end(self, results: Sequence[Any], headlines: Mapping[str, str]) -> None:
        """Show market, status, seconds and headline of all."""
        if len(results) > 1:
            self.say("\n".join(table(results, headlines)))


class JsonLog(Quiet):
    """Says everything as one JSON object a line, for those who collect logs."""

    def begin(self, n_runs: int, *, workers: int) -> None:
        """Say how many."""
        self._line("begin", n_runs=n_runs, workers=workers)

    def started(self, market: str, name: str) -> None:
        """Say which."""
        self._line("started", market=market, name=name)

    def ended(self, result: Any) -> None:
        """Say how it ended."""
        facts = {"market": result.market, "status": result.status, "seconds": round(result.seconds, 3)}
        self._line("ended", **facts, **({"reason": result.reason} if result.reason else {}))

    def say(self, text: str) -> None:
        """Say it as a note."""
        self._line("note", text=text)

    def remark(self, text: str) -> None:
        """Say it to the error stream."""
        _remark(text)

    def end(self, results: Sequence[Any], headlines: Mapping[str, str]) -> None:
        """Say how many ended in which way."""
        statuses = [result.status for result in results]
        self._line("end", **{status: statuses.count(status) for status in ("fresh", "stale", "failed")})

    @staticmethod
    def _line(event: str, **facts: Any) -> None:
        print(json.dumps({"event": event, "at": round(time.time(), 3), **facts}, ensure_ascii=False), flush=True)


class Live(Plain):
    """Shows a live line for each running market, and how long the rest will take; what ended stays above."""

    def __init__(self) -> None:
        super().__init__()
        # they take a quarter of a second to import, and only a terminal needs them
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Lines

        self._lines = Lines(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            transient=True,
        )
        self._running: dict[str, Any] = {}
        self._all: Any = None
        self._began = 0.0
        self._n = self._n_ended = 0

    def begin(self, n_runs: int, *, workers: int) -> None:
        """Show how many there are."""
        del workers
        if self._all is not None:  # of the notebook before
            self._lines.remove_task(self._all)
        self._n, self._n_ended, self._began = n_runs, 0, time.monotonic()
        self._all = self._lines.add_task("all markets", total=n_runs, left="")
        self._lines.start()

    def started(self, market: str, name: str) -> None:
        """Show its line."""
        self._running[market] = self._lines.add_task(f"{market} {shown(name)}", total=None, left="")

    def ended(self, result: Any) -> None:
        """Take its line away; say how it ended, and how long the rest will take."""
        self._lines.remove_task(self._running.pop(result.stem))
        self._n_ended += 1
        seconds = (time.monotonic() - self._began) / self._n_ended * (self._n - self._n_ended)
        self._lines.update(
            self._all, completed=self._n_ended, left=f"about {duration(seconds)} left" if seconds else ""
        )
        super().ended(result)

    def say(self, text: str) -> None:
        """Say it above the live lines."""
        self._lines.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def end(self, results: Sequence[Any], headlines: Mapping[str, str]) -> None:
        """Take the lines away, and show the table."""
        self._lines.stop()
        super().end(results, headlines)


def progress_for(*, quiet: bool, json_log: bool) -> Progress:
    """Return what fits: as asked for, else live on a terminal and plain elsewhere."""
    if json_log:
        return JsonLog()
    if quiet:
        return Quiet()
    return Live() if sys.stdout.isatty() else Plain()


def _remark(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return a time as it is said: 40 s, 3 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def told(result: Any) -> str:
    """Return one result as the terminal tells it."""
    who = f"{result.stem} {shown(result.name)}"
    if result.status == "fresh":
        return f"{who}: written in {result.seconds:.1f} s"
    kept = "; its last good report is kept" if result.status == "stale" else ""
    text = f"{who}: failed after {result.seconds:.1f} s{kept}\n  what:  {result.reason}"
    return f"{text}\n{result.advice}" if result.advice else text


def table(results: Sequence[Any], headlines: Mapping[str, str]) -> list[str]:
    """Return market, status, seconds and headline, a line each."""
    said = {"fresh": "written", "stale": "failed, last kept"}
    rows = [("market", "status", "seconds", "headline")]
    for result in results:
        headline = headlines.get(result.stem, "")
        rows.append((result.stem, said.get(result.status, result.status), f"{result.seconds:.1f}", headline))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{market:{widths[0]}}  {status:{widths[1]}}  {seconds:>{widths[2]}}  {headline}".rstrip()
        for market, status, seconds, headline in rows
    ]
