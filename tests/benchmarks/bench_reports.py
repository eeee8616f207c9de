"""Reports of many markets, side by side: a shell loop, one process, this kit, and the cells with no kernel at all.

`make bench-reports` writes a company of forty markets like the sample's, makes the market report of 10 and of 40 of
them in each way, and puts what it took into `RESULTS_REPORTS.md`.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
import nbformat
import psutil

from retention_kit import counts, ingest
from retention_kit.config import project_root
from retention_kit.run import Execution, Limits, Run, pool_for, read_notebook, run_reports

HERE = Path(__file__).parent
NOTEBOOK = project_root() / "notebooks" / "market_report.ipynb"
AS_OF = "2026-01-01"
CODES = [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDE"]
"""Forty codes of markets."""


@dataclass(frozen=True)
class Taken:
    """What a way took: wall and CPU seconds of all its processes, the most memory at a time in MiB."""

    wall: float
    cpu: float
    mib: float


def main() -> None:
    """Measure what the command line asks for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--shell", type=int, default=10, help="of how many markets the shell loop is measured")
    parser.add_argument("--leaks", type=int, default=200, help="reports in a row of which leaks are looked for")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS_REPORTS.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as name:
        folder = Path(name)
        company = folder / "company"
        _write_company(company)
        counts.counted(ingest.source(str(company)), as_of=AS_OF, grains=["month", "quarter"])
        measured = {n: dict(_ways(company, CODES[:n], folder, shell=min(n, asked.shell))) for n in asked.markets}
        warm = _warm_start(company)
        leaks = _leaks(company, folder / "leaks", asked.leaks) if asked.leaks else {}
    asked.results.write_text("\n".join(_told(measured, warm, leaks)) + "\n", encoding="utf-8")
    print(asked.results.read_text(encoding="utf-8"))


def _write_company(company: Path) -> None:
    """Write the sample five times over, each of its eight markets under five codes: forty markets like the sample's."""
    sample = ingest.source("sample")
    company.mkdir()
    own = list(sample.markets)
    renamed = {code: own[nth % len(own)] for nth, code in enumerate(CODES)}
    lines = []
    for code, like in renamed.items():
        market = sample.markets[like]
        facts = {
            "name": f"{market.name} {code}",
            "currency": market.currency,
            "languages": list(market.languages),
            "time_zone": market.time_zone,
            "activity_window_days": market.activity_window_days,
        }
        lines += [f"[{code}]", *(f"{key} = {json.dumps(value)}" for key, value in facts.items()), ""]
    (company / "markets.toml").write_text("\n".join(lines), encoding="utf-8")
    with duckdb.connect() as engine:
        pairs = ", ".join(f"('{code}', '{like}')" for code, like in renamed.items())
        engine.execute(f"CREATE TABLE renamed AS SELECT * FROM (VALUES {pairs}) AS r(code, own)")
        for table, file in sample.files.items():
            where = company / f"{table}.parquet"
            columns = [c for c, *_ in engine.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()]
            if "market" not in columns:
                if table == "exchange_rates":
                    shutil.copy(file, where)
                continue
            ids = [c for c in columns if c.endswith("_id") or c == "referred_by"]
            told = ", ".join(f"r.code || '-' || t.{column} AS {column}" for column in ids)
            engine.execute(
                f"COPY (SELECT t.* REPLACE ({told}, r.code AS market) FROM '{file}' AS t "
                f"JOIN renamed AS r ON r.own = t.market) TO '{where}'"
            )


def _parameters(company: Path, code: str) -> dict[str, Any]:
    return {"market": code, "data": str(company), "as_of": AS_OF}


def _ways(company: Path, codes: Sequence[str], folder: Path, *, shell: int) -> Iterator[tuple[str, Taken]]:
    """Yield what each way took, of all markets."""
    scale = len(codes) / shell
    taken = _measured(lambda: _by_shell(company, codes[:shell], folder / "shell"))
    yield "shell", Taken(taken.wall * scale, taken.cpu * scale, taken.mib)
    yield "process", _measured(lambda: _in_a_process("one_process", company, codes, folder / "process"))
    for workers in (1, 2):
        yield f"kit{workers}", _measured(lambda n=workers: _by_kit(company, codes, folder / f"kit{n}", workers=n))
    yield "floor", _measured(lambda: _in_a_process("floor", company, codes, folder / "floor"))


def _by_shell(company: Path, codes: Sequence[str], out: Path) -> None:
    """Run `papermill` and `jupyter nbconvert` for each market, one after the other."""
    out.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "RETENTION_KIT_FIGURE_FORMAT": "svg"}
    for code in codes:
        given = [part for name, value in _parameters(company, code).items() for part in ("-p", name, value)]
        ran = out / f"{code}.ipynb"
        for command in (
            [sys.executable, "-m", "papermill", "--no-progress-bar", NOTEBOOK, ran, *given],
            [sys.executable, "-m", "nbconvert", "--to", "html", "--no-input", ran],
        ):
            subprocess.run([str(part) for part in command], check=True, capture_output=True, env=environment)


def _in_a_process(way: str, company: Path, codes: Sequence[str], out: Path) -> None:
    """Run one of the ways below in a process of its own."""
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).with_name("by_notebook.py")), way, str(company), str(out), *codes]
    subprocess.run(command, check=True, env={**os.environ, "RETENTION_KIT_FIGURE_FORMAT": "svg"})


def _by_kit(company: Path, codes: Sequence[str], out: Path, *, workers: int) -> None:
    asked = [part for code in codes for part in ("--market", code)]
    command = [Path(sys.executable).parent / "retention-kit", "report", "--data", company, "--as-of", AS_OF]
    command += ["--out", out, "--workers", workers, "--quiet", *asked]
    subprocess.run([str(part) for part in command], check=True)


def _measured(work: Callable[[], object]) -> Taken:
    """Return what a piece of work took, its children's children included."""
    over, most = Event(), [0.0]
    watch = Thread(target=_watch, args=(over, most))
    watch.start()
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        work()
    finally:
        wall = time.perf_counter() - began
        over.set()
        watch.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Taken(wall, cpu, most[0])


def _watch(over: Event, most: list[float]) -> None:
    """Keep the most memory that all children together have at a time, what they share counted once."""
    while not over.wait(0.2):
        total = 0
        for child in psutil.Process().children(recursive=True):
            try:
                total += child.memory_full_info().pss
            except psutil.Error:
                continue
        most[0] = max(most[0], total / 2**20)


def _warm_start(company: Path) -> dict[str, float]:
    """Return the CPU seconds of one report after the warm start, and how soon a kernel is ready: medians of ten."""
    notebook = read_notebook(NOTEBOOK)
    empty = nbformat.v4.new_notebook(metadata=notebook.node.metadata)
    empty.cells = [nbformat.v4.new_code_cell('market: str = "NL"', metadata={"tags": ["parameters"]})]
    with tempfile.TemporaryDirectory() as name, pool_for(notebook, say=print) as pool:
        short = Path(name) / "short.ipynb"
        nbformat.write(empty, short)
        warm = psutil.Process(pool._warm.process.pid)
        pool._warm.path  # noqa: B018
        cpu, ready = [], []
        for code in CODES[:10]:
            runs = [Run(code, code, {"data": str(company), "as_of": AS_OF})]
            before = _of_children(warm)
            run_reports(NOTEBOOK, runs, out=Path(name) / "out", execution=Execution(1, Limits(600), pool=pool))
            time.sleep(0.1)
            cpu.append(_of_children(warm) - before)
            at_once = Execution(pool=pool)
            ready.append(run_reports(short, [Run(code, code)], out=Path(name) / "short", execution=at_once)[0].seconds)
    return {"report": statistics.median(cpu), "ready": statistics.median(ready)}


def _of_children(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.children_user + times.children_system


def _leaks(company: Path, out: Path, n: int) -> dict[str, tuple[float, float]]:
    """Return what is held after the twentieth and after the last of so many reports: memory, open files, files left."""
    notebook = read_notebook(NOTEBOOK)
    told: dict[str, tuple[float, float]] = {}
    with pool_for(notebook, say=print) as pool:
        first: dict[str, float] = {}
        for nth in range(n):
            code = CODES[nth % len(CODES)]
            runs = [Run(code, code, {"data": str(company), "as_of": AS_OF})]
            run_reports(NOTEBOOK, runs, out=out, execution=Execution(1, pool=pool))
            if nth + 1 in (20, n):
                warm = psutil.Process(pool._warm.process.pid)
                now = {
                    "memory of the warm process, MiB": warm.memory_full_info().uss / 2**20,
                    "files open in the warm process": warm.num_fds(),
                    "files open in the parent": psutil.Process().num_fds(),
                    "memory of the parent, MiB": psutil.Process().memory_full_info().uss / 2**20,
                    "temporary files": sum(1 for _ in pool.folder.rglob("*")),
                }
                first = first or now
                told = {name: (first[name], value) for name, value in now.items()}
    return told


LABELS = {
    "shell": "shell loop: `papermill` and `jupyter nbconvert` per market",
    "process": "one process: papermill and one exporter in a loop",
    "kit1": "the kit, 1 worker",
    "kit2": "the kit, 2 workers",
    "floor": "the floor: the same cells and pages in forked processes, no kernel, 2 at a time",
}


def _told(
    measured: Mapping[int, Mapping[str, Taken]], warm: Mapping[str, float], leaks: Mapping[str, tuple[float, float]]
) -> Iterator[str]:
    yield "# Reports, side by side"
    yield ""
    yield "By `make bench-reports`: the market report of markets like the sample's, counted before; each way whole, its"
    yield "start included. CPU is of all processes; memory is the most at a time, shared pages counted once."
    yield ""
    memory = psutil.virtual_memory().total / 2**30
    yield f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}."
    names = ("papermill", "nbconvert", "ipykernel", "jupyter_client", "matplotlib", "pandas")
    yield (
        "Versions: " + ", ".join(f"{name} {version(name)}" for name in names) + f", python {platform.python_version()}."
    )
    for n, taken in measured.items():
        yield from [
            "",
            f"## {n} markets",
            "",
            "| | wall s | CPU s | memory MiB | per report wall s | CPU s | wall, kit with 2 = 1 | CPU, floor = 1 |",
        ]
        yield "|---|---:|---:|---:|---:|---:|---:|---:|"
        for way, one in taken.items():
            ratios = f"{one.wall / taken['kit2'].wall:.2f} | {one.cpu / taken['floor'].cpu:.2f}"
            each = f"{one.wall / n:.2f} | {one.cpu / n:.2f}"
            yield f"| {LABELS[way]} | {one.wall:.1f} | {one.cpu:.1f} | {one.mib:,.0f} | {each} | {ratios} |"
    yield from [
        "",
        f"After the warm start a report takes {warm['report']:.2f} CPU s, kernel, cells and page; an empty notebook's",
    ]
    yield f"page is there after {warm['ready']:.2f} s, of which a kernel's start is the most."
    if leaks:
        yield from ["", "| after reports | 20 | the last |", "|---|---:|---:|"]
        yield from (f"| {name} | {first:,.0f} | {last:,.0f} |" for name, (first, last) in leaks.items())


if __name__ == "__main__":
    main()
