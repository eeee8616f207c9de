"""One notebook, many markets: a page and a twin for each, a record of the run, an index of them all."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from retention_kit import __version__
from retention_kit.config import project_root
from retention_kit.errors import KitError, UsageError, listed
from retention_kit.run import record
from retention_kit.run.index import write_index
from retention_kit.run.jobs import Job, Run, asked_data, each_once, fingerprint_of, job_of, pages_of, with_pages
from retention_kit.run.lock import held
from retention_kit.run.parameters import Notebook, read_notebook, without_paths
from retention_kit.run.processes import FAILED, Ended, Limits, Pool
from retention_kit.run.progress import Progress, Quiet
from retention_kit.run.warm import imported
from retention_kit.writing import write_whole

LIMIT_SECONDS = 1800.0
"""How long one market may take."""

MEMORY_SHARE = 0.6
"""Share of the machine's memory that all markets at a time may take."""


class InterruptedRunError(KitError):
    """The call was ended by Ctrl-C; the reports that were ready are in their places."""

    exit_code = 130


@dataclass(frozen=True)
class Result:
    """What came of one run: its files where it went well, else the reason, one line without data or code.

    `advice` holds what was found and what to try, for the terminal; `language` is a further one's, else empty.
    """

    market: str
    name: str
    status: record.Status
    reason: str
    seconds: float
    report: Path | None
    twin: Path | None
    advice: str = ""
    language: str = ""

    @property
    def stem(self) -> str:
        """The name of its files without ending."""
        return f"{self.market}.{self.language}" if self.language else self.market


@dataclass(frozen=True)
class Execution:
    """How runs are made.

    Attributes
    ----------
    workers : runs at a time; the number of cores where not given.
    limits : what a run may take; half an hour, and its share of the machine's memory, where not given.
    progress : what says how the runs go on; nothing but failures where not given.
    pool : what starts the runs, from `pool_for`; one of its own where not given.
    made : a line about these runs for the index, such as who made them and when.
    """

    workers: int | None = None
    limits: Limits | None = None
    progress: Progress | None = None
    pool: Pool | None = None
    made: str = ""

    @property
    def n_at_a_time(self) -> int:
        """Return how many runs go on at a time."""
        return max(1, self.workers or os.cpu_count() or 1)

    @property
    def limits_of_each(self) -> Limits:
        """Return what a run may take."""
        return self.limits or Limits(LIMIT_SECONDS, n_bytes=share_of_memory(self.n_at_a_time))


def run_reports(
    notebook: Path,
    runs: Sequence[Run],
    *,
    out: Path,
    execution: Execution | None = None,
    data_fingerprint: str = "",
    shard: str = "",
) -> list[Result]:
    """Run the notebook once per market and language; write `<market>.html` and `.json`, `run.json`, `index.html`.

    Everything is checked before the first run and before the first file. Each run has its own process and
    its own kernel, in the project's folder. A market that fails keeps its last good report and stops no
    other one.

    Parameters
    ----------
    notebook : its file, with one cell tagged `parameters`; `market` is set to each run's market, and `twin`,
        where declared, to the file that becomes `<market>.json`.
    runs : the markets, each once in each language.
    out : the folder of the reports, made if it is not there.
    execution : how they are made.
    data_fingerprint : of the data, from `counts.fingerprint`, by which `unfinished` knows a report that is there.
    shard : 'k/n' where this is the k-th of n machines' parts: the record is kept apart, and there is no index until
        `write_index_of_all` makes one of all parts.

    Returns
    -------
    One result per run, in the order of `runs`.

    Raises
    ------
    UsageError : a notebook, market, parameter, language or folder that cannot be used, or a folder with
        reports of other data; no file was touched.
    InterruptedRunError : Ctrl-C; every run has ended, and the folder's record and index tell of what is there.
    """
    source, how = read_notebook(notebook), execution or Execution()
    progress, workers = how.progress or Quiet(), how.n_at_a_time
    jobs = with_pages([job_of(source, run, data_fingerprint=data_fingerprint) for run in each_once(runs)])
    _refuse_other_data(out, asked_data(source, jobs))
    _make_folder(out)
    results: dict[str, Result] = {}
    with held(out, name=f".lock{_part(shard)}"):
        progress.begin(len(jobs), workers=workers)
        try:
            with ExitStack() as stack:
                pool = how.pool or stack.enter_context(pool_for(source, say=progress.say))
                ending = pool.ended_runs(
                    jobs,
                    notebook_json=nbformat.writes(source.node),
                    workers=workers,
                    limits=how.limits_of_each,
                    started=progress.started,
                )
                stack.enter_context(closing(ending))  # on any error the other runs end at once
                for ended in ending:
                    result = _placed(ended, out=out)
                    results[result.stem] = result
                    _record(out, results, jobs=jobs, made=how.made, shard=shard)
                    progress.ended(result)
        except KeyboardInterrupt as why:
            raise _interrupted(results, jobs=jobs) from why
        finally:  # also when interrupted: the index tells what lies in the folder
            if results and not shard:
                _written(out, lambda: write_index(out))
            ended_runs = [results[job["stem"]] for job in jobs if job["stem"] in results]
            progress.end(ended_runs, _first_headlines(out, results))
    return [results[run.stem] for run in runs]


def join(out: Path, results: Sequence[Result]) -> None:
    """Tell of the reports of several notebooks, made one after the other, as of one run, in record and index."""
    with held(out):
        known = record.read(out)
        entries = {one.market: known["markets"][one.market] for one in results if one.market in known["markets"]}
        _written(out, lambda: record.write(out, entries, made=known["made"]))
        _written(out, lambda: write_index(out))


def write_index_of_all(out: Path) -> int:
    """Write the index of what machines have made apart, each its shard; return of how many markets it tells.

    Raises
    ------
    UsageError : there is no record of a run in the folder.
    """
    with held(out) if out.is_dir() else nullcontext():
        n = record.merge(out) if out.is_dir() else 0
        if not n:
            raise UsageError(
                f"There are no reports in '{out.name}'.", to_try="the folder that `retention-kit report --out` wrote to"
            )
        _written(out, lambda: write_index(out))
    return n


def pool_for(notebook: Notebook, *, say: Callable[[str], object]) -> Pool:
    """Return a pool that has begun to import what a notebook imports; a context."""
    cells = [cell.source for cell in notebook.node.cells if cell.cell_type == "code"]
    return Pool(imported(cells), root=project_root(), say=say)


def share_of_memory(workers: int) -> int:
    """Return the bytes that each of so many runs at a time may ask for."""
    return int(psutil.virtual_memory().total * MEMORY_SHARE / workers)


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 if every market's report was written, else 1; a UsageError, which writes nothing, is 2."""
    return 0 if all(result.status == "fresh" for result in results) else 1


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


def _interrupted(results: Mapping[str, Result], *, jobs: Sequence[Job]) -> InterruptedRunError:
    """Return what Ctrl-C came to: how many reports were ready, and of which markets there is none of this run."""
    ready = [result.stem for result in results.values() if result.status == "fresh"]
    missing = [job["stem"] for job in jobs if job["stem"] not in ready]
    return InterruptedRunError(
        f"Interrupted: {len(ready)} of {len(jobs)} reports were ready and are kept.",
        found=f"not ready: {listed(missing)}" if missing else "",
        to_try="the same with --resume makes what is missing; earlier reports are as they were" if missing else "",
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
    market, name, stem = ended.job["market"], ended.job["name"], ended.job["stem"]
    language = ended.job["language"] if stem != market else ""
    kept = _keep_failed(ended, out=out)
    report, twin = out / f"{stem}.html", out / f"{stem}.json"
    reason, advice = ended.reason, ended.advice
    if not reason:
        try:
            _place(ended, report=report, twin=twin)
            written = twin if ended.job["twin"] else None
            return Result(market, name, "fresh", "", ended.seconds, report, written, language=language)
        except OSError as why:
            reason = f"The report could not be written: {os.strerror(why.errno or 0)}."
            advice = "  try:   make room or ask for the right to write, then run it again"
    if kept:
        advice = f"{advice}\n         {kept} shows how far it came; it holds data" if advice else ""
    status: record.Status = "stale" if report.is_file() else "failed"
    return Result(market, name, status, reason, ended.seconds, None, None, advice, language)


def _keep_failed(ended: Ended, *, out: Path) -> str:
    """Keep a notebook that failed where its owner alone can read it; return its place, or empty."""
    private, failed = out / ".failed", ended.folder / FAILED
    place = private / f"{ended.job['stem']}.ipynb"
    try:
        place.unlink(missing_ok=True)
        if not failed.is_file():
            return ""
        private.mkdir(mode=0o700, exist_ok=True)
        private.chmod(0o700)
        shutil.copyfile(failed, place)
        place.chmod(0o600)
    except OSError:
        return ""
    return f"{out.name}/.failed/{place.name}"


def _place(ended: Ended, *, report: Path, twin: Path) -> None:
    files = {report: (ended.folder / "page.html").read_bytes()}
    if ended.job["twin"]:
        files[twin] = (ended.folder / "twin.json").read_bytes()
    write_whole(files)
    if not ended.job["twin"]:
        twin.unlink(missing_ok=True)  # it was the twin of the report that is now replaced


def _record(out: Path, results: Mapping[str, Result], *, jobs: Sequence[Job], made: str, shard: str) -> None:
    """Write what is known so far: whatever ends this run, the next one can go on from here."""
    _written(out, lambda: record.write(out, _entries(results, jobs=jobs), made=made, name=f"run{_part(shard)}.json"))


def _part(shard: str) -> str:
    return f".{shard.replace('/', '-of-')}" if shard else ""


def _written(out: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as why:
        raise KitError(
            f"The index of '{out.name}' could not be written.",
            found=os.strerror(why.errno or 0),
            to_try="make room or ask for the right to write, then run it again",
        ) from why


def _first_headlines(out: Path, results: Mapping[str, Result]) -> dict[str, str]:
    """Return, by report, the headline that matters most, as its twin shows it."""
    shown = {}
    for stem, result in results.items():
        told = record.twin_of(out, stem).get("headlines", []) if result.status == "fresh" else []
        rate = next((line for line in told if line.get("id") == "customer_retention_rate"), None)
        if rate:
            shown[stem] = f"{rate.get('label', '')} {rate.get('shown', '')}"
    return shown


def _entries(results: Mapping[str, Result], *, jobs: Sequence[Job]) -> dict[str, record.Entry]:
    """Return what `run.json` says of each market that was run: in all its languages, the worst that came of them."""
    pages, entries = pages_of(jobs), {}
    for market, languages in pages.items():
        of_market = [job for job in jobs if job["market"] == market]
        if not all(job["stem"] in results for job in of_market):  # the record tells of whole reports
            continue
        ended = [results[job["stem"]] for job in of_market]
        worst = next((result for result in ended if result.status != "fresh"), ended[0])
        job = of_market[0]
        entries[market] = {
            "name": job["name"],
            "status": worst.status,
            "reason": f"{worst.language}: {worst.reason}" if worst.language else worst.reason,
            "seconds": round(sum(result.seconds for result in ended), 2),
            "languages": languages,
            "parameters": without_paths(job["parameters"]),
            "kit_version": __version__,
            "fingerprint": fingerprint_of(of_market),
            "notebook": {"name": job["made_of"]["notebook"], "sha256": job["made_of"]["sha256"]},
        }
    return entries
