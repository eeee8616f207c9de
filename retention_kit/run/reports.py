"""One notebook, many markets: a page and a twin for each, a record of the run, an index of them all."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nbformat

from retention_kit import __version__
from retention_kit.config import project_root
from retention_kit.errors import KitError, UsageError, listed
from retention_kit.run import record
from retention_kit.run.index import write_index
from retention_kit.run.page import locale_of
from retention_kit.run.parameters import Notebook, checked, read_notebook, without_paths
from retention_kit.run.processes import Ended, ended_runs
from retention_kit.writing import write_whole

Status = Literal["fresh", "stale", "failed"]
"""Written now · failed now, the last good report kept · failed now, and never written."""

LIMIT_SECONDS = 1800.0
"""How long one market may take."""

_RESERVED = {
    "index",
    "run",
    "con",
    "nul",
    "aux",
    "prn",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


class InterruptedRunError(KitError):
    """The call was ended by Ctrl-C; the reports that were ready are in their places."""

    exit_code = 130


@dataclass(frozen=True)
class Run:
    """One report to make: of which market, and with which values for the notebook's parameters."""

    market: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    language: str = "en"


@dataclass(frozen=True)
class Result:
    """What came of one run: its files where it went well, else the reason, one line without data or code.

    `advice` holds what was found and what to try, for the terminal.
    """

    market: str
    name: str
    status: Status
    reason: str
    seconds: float
    report: Path | None
    twin: Path | None
    advice: str = ""


def run_reports(
    notebook: Path,
    runs: Sequence[Run],
    *,
    out: Path,
    workers: int | None = None,
    echo: Callable[[str], object] = lambda line: None,
    made: str = "",
    limit_seconds: float = LIMIT_SECONDS,
) -> list[Result]:
    """Run the notebook once per market; write `<market>.html`, `<market>.json`, `run.json`, `index.html`.

    Everything is checked before the first run and before the first file. Each run has its own process and
    its own kernel, in the project's folder. A market that fails keeps its last good report and stops no
    other one.

    Parameters
    ----------
    notebook : its file, with one cell tagged `parameters`; `market` is set to each run's market, and `twin`,
        where declared, to the file that becomes `<market>.json`.
    runs : the markets, each once.
    out : the folder of the reports, made if it is not there.
    workers : runs at a time; the number of cores where not given.
    echo : called with a line as each run ends.
    made : a line about this run for the index, such as who made it and when.
    limit_seconds : the longest a run may take.

    Returns
    -------
    One result per run, in the order of `runs`.

    Raises
    ------
    UsageError : a notebook, market, parameter, language or folder that cannot be used, or a folder with
        reports of other data; no file was touched.
    InterruptedRunError : Ctrl-C; every run has ended, and the folder's record and index tell of what is there.
    """
    source = read_notebook(notebook)
    jobs = [_job(source, run) for run in _each_once(runs)]
    root = project_root()
    _refuse_other_data(out, _asked_data(source, jobs))
    _make_folder(out)
    results: dict[str, Result] = {}
    try:
        ending = ended_runs(
            jobs,
            notebook_json=nbformat.writes(source.node),
            root=root,
            workers=max(1, workers or os.cpu_count() or 1),
            limit_seconds=limit_seconds,
        )
        with closing(ending):  # on any error the other runs end at once
            for ended in ending:
                result = _placed(ended, out=out)
                results[result.market] = result
                echo(_line(result))
    except KeyboardInterrupt as why:
        raise _interrupted(results, jobs=jobs) from why
    finally:  # also when interrupted: the index tells what lies in the folder
        if results:
            _write_overview(out, _entries(results, jobs=jobs), made=made)
    return [results[run.market] for run in runs]


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 if every market's report was written, else 1; a UsageError, which writes nothing, is 2."""
    return 0 if all(result.status == "fresh" for result in results) else 1


def _each_once(runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs if their markets can name files and are named once each."""
    for run in runs:
        if not re.fullmatch(r"[A-Z][A-Z0-9-]{1,15}", run.market) or run.market.casefold() in _RESERVED:
            raise UsageError(
                f"'{run.market}' cannot be the name of a market's files.",
                to_try="a code of 2 to 16 of A-Z, 0-9 and -, such as 'NL', that is no reserved name",
            )
    markets = [run.market for run in runs]
    twice = sorted({market for market in markets if markets.count(market) > 1})
    if twice:
        raise UsageError("A market is asked for twice.", found=listed(twice), to_try="name each market once")
    if not runs:
        raise UsageError("No market is asked for.", to_try="name at least one, such as --market NL")
    return runs


def _job(source: Notebook, run: Run) -> dict[str, Any]:
    """Return what a worker is told, checked."""
    parameters = checked(source.parameters, {"market": run.market, **run.parameters})
    if parameters["market"] != run.market:
        raise UsageError(
            f"The report of '{run.market}' would show another market.",
            found=listed([parameters["market"]]),
            to_try="leave out the parameter 'market'; it is set for each report",
        )
    if "twin" in run.parameters:
        raise UsageError(
            "The parameter 'twin' cannot be given.", to_try="leave it out; it is written beside the report"
        )
    locale_of(run.language)
    data = without_paths({key: parameters[key] for key in ("data", "as_of") if key in parameters})
    return {
        "market": run.market,
        "name": run.name,
        "language": run.language,
        "parameters": parameters,
        "twin": "twin" in source.parameters,
        "made_of": {**data, "notebook": source.name, "sha256": source.sha256, "kit_version": __version__},
    }


def _asked_data(source: Notebook, jobs: Sequence[Mapping[str, Any]]) -> str:
    """Return the name of the data that are asked for, as a report names them; empty where none are declared."""
    declared = source.parameters.get("data")
    default = {"data": declared.default} if declared and isinstance(declared.default, str) else {}
    return record.data_of({"parameters": without_paths({**default, **jobs[0]["parameters"]})}, {})


def _refuse_other_data(out: Path, asked: str) -> None:
    """Refuse a folder whose reports are of other data: one index would show them side by side."""
    for market, entry in record.read(out)["markets"].items():
        twin = record.twin_of(out, market)
        names = {record.data_of(entry, {}), record.data_of({}, twin)} - {""}
        if asked and names and asked not in names and (out / f"{market}.html").is_file():
            raise UsageError(
                f"{out.resolve().name}/ holds reports of '{record.data_of(entry, twin)}'.",
                to_try=f"--out with a folder of its own, such as {out.resolve().name}/{asked}",
            )


def _interrupted(results: Mapping[str, Result], *, jobs: Sequence[Mapping[str, Any]]) -> InterruptedRunError:
    """Return what Ctrl-C came to: how many reports were ready, and of which markets there is none of this run."""
    ready = [result.market for result in results.values() if result.status == "fresh"]
    missing = [job["market"] for job in jobs if job["market"] not in ready]
    return InterruptedRunError(
        f"Interrupted: {len(ready)} of {len(jobs)} reports were ready and are kept.",
        found=f"not ready: {listed(missing)}" if missing else "",
        to_try="run it again for these markets; earlier reports of theirs are as they were" if missing else "",
    )


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        writable = os.access(out, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise UsageError(f"Reports cannot be written to '{out.name}'.", to_try="a folder of your own, by --out FOLDER")


def _placed(ended: Ended, *, out: Path) -> Result:
    """Put a run's files in their places; on any failure what was there stays."""
    market, name = ended.job["market"], ended.job["name"]
    report, twin = out / f"{market}.html", out / f"{market}.json"
    reason, advice = ended.reason, ended.advice
    if not reason:
        try:
            _place(ended, report=report, twin=twin)
            written = twin if ended.job["twin"] else None
            return Result(market, name, "fresh", "", ended.seconds, report, written)
        except OSError as why:
            reason = f"The report could not be written: {os.strerror(why.errno or 0)}."
            advice = "  try:   make room or ask for the right to write, then run it again"
    status: Status = "stale" if report.is_file() else "failed"
    return Result(market, name, status, reason, ended.seconds, None, None, advice)


def _place(ended: Ended, *, report: Path, twin: Path) -> None:
    files = {report: (ended.folder / "page.html").read_bytes()}
    if ended.job["twin"]:
        files[twin] = (ended.folder / "twin.json").read_bytes()
    write_whole(files)
    if not ended.job["twin"]:
        twin.unlink(missing_ok=True)  # it was the twin of the report that is now replaced


def _write_overview(out: Path, entries: Mapping[str, Mapping[str, Any]], *, made: str) -> None:
    try:
        record.write(out, entries, made=made)
        write_index(out)
    except OSError as why:
        raise KitError(
            f"The index of '{out.name}' could not be written.",
            found=os.strerror(why.errno or 0),
            to_try="make room or ask for the right to write, then run it again",
        ) from why


def _entries(results: Mapping[str, Result], *, jobs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what `run.json` says of each market that was run."""
    return {
        job["market"]: {
            "name": job["name"],
            "status": results[job["market"]].status,
            "reason": results[job["market"]].reason,
            "seconds": round(results[job["market"]].seconds, 2),
            "parameters": without_paths(job["parameters"]),
            "kit_version": __version__,
            "notebook": {"name": job["made_of"]["notebook"], "sha256": job["made_of"]["sha256"]},
        }
        for job in jobs
        if job["market"] in results
    }


def _line(result: Result) -> str:
    """Return one result as the terminal tells it."""
    who = f"{result.market} {result.name}"
    if result.status == "fresh":
        return f"{who}: written in {result.seconds:.1f} s"
    kept = "; its last good report is kept" if result.status == "stale" else ""
    told = f"{who}: failed after {result.seconds:.1f} s{kept}\n  what:  {result.reason}"
    return f"{told}\n{result.advice}" if result.advice else told
