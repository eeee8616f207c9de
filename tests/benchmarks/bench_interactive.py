"""An analyst's first minutes beside pandas: the import, the first cohort table, and what is changed after it.

`make bench-interactive` asks the kit through its public API and a good analyst's script in turn, each in a process of
its own, and holds their integers against each other. The kit's project is a new one in each run, so that it counts what
it is asked for and reads no counts that were kept. What is measured goes to `RESULTS_INTERACTIVE.md`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import by_analyst
import by_api

HERE = Path(__file__).parent
AS_OF = "2026-01-01"
SIDES = ("by_api", "by_analyst")
IMPORTS = {"by_api": "import retention_kit", "by_analyst": "import pandas, duckdb"}
SESSIONS = (
    ("first_cohort_table", "changed_window", "changed_grain", "segment", "segments"),
    ("market_table",),
)
"""The questions of one process each: the first is timed from the start of the process."""
QUESTIONS = {
    "import": ("import", 0.2),
    "first_cohort_table": ("from process start to the first cohort table, all markets", 1.5),
    "market_table": ("from process start to Denmark's cohort table as shares", 1.5),
    "changed_window": ("in session: a window of 60 days, quarters", 1.5),
    "changed_grain": ("in session: cohorts by week", 1.5),
    "segment": ("in session: cohort table of one acquisition channel", 1.5),
    "segments": ("in session: cohort tables of each loyalty tier", 1.5),
}
"""How each question is told, and how many times the analyst's CPU it may take."""


def main() -> None:
    """Measure what the command line asks for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="runs of each side, of which the median is told")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS_INTERACTIVE.md")
    parser.add_argument("--remark", default="", help="a line for the results, such as what else the machine did")
    asked = parser.parse_args()
    runs = [_run() for _ in range(asked.repeats + 1)][1:]  # the first warms what the system keeps of files
    asked.results.write_text("\n".join(_told(runs, remark=asked.remark)) + "\n", encoding="utf-8")
    print(asked.results.read_text(encoding="utf-8"))


def _run() -> dict[str, dict[str, float]]:
    """Ask both sides in turn, once; return the CPU seconds of each question by side, and how many integers agree."""
    start = _cpu_of("pass")
    taken = {side: {"import": _cpu_of(IMPORTS[side]) - start} for side in SIDES}
    answers: dict[str, dict[str, str]] = {side: {} for side in SIDES}
    for questions in SESSIONS:
        for side, module in zip(SIDES, (by_api, by_analyst), strict=True):
            for nth, told in enumerate(_session(side, [one for one in questions if hasattr(module, one)])):
                taken[side][told["question"]] = told["cpu"] - (start if nth == 0 else 0)
                answers[side][told["question"]] = told.get("sha256", "")
    for question, sha in answers["by_api"].items():
        if sha != answers["by_analyst"][question]:
            raise SystemExit(f"{question}: the integers of the kit and of the analyst's script differ.")
    return taken


def _cpu_of(code: str) -> float:
    """Return the CPU seconds of a Python that runs a line of code, and of nothing else."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"`{code}` failed.")
    return used.ru_utime + used.ru_stime


def _session(side: str, questions: Sequence[str]) -> Iterator[dict]:
    """Yield what a side's process tells of each question, in a project in which nothing was counted yet."""
    with tempfile.TemporaryDirectory(prefix="retention-kit-bench-") as folder:
        (Path(folder) / "data").symlink_to(by_analyst.DATA, target_is_directory=True)
        ran = subprocess.run(
            [sys.executable, str(HERE / "session.py"), side, AS_OF, *questions],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RETENTION_KIT_PROJECT": folder},
        )
    yield from map(json.loads, ran.stdout.splitlines())


def _told(runs: Sequence[Mapping[str, Mapping[str, float]]], *, remark: str) -> Iterator[str]:
    """Yield the lines of the results."""
    yield "# An analyst's first minutes, side by side"
    yield ""
    yield f"By `make bench-interactive`: the sample of 200,000 orders in 8 markets, as of {AS_OF};"
    yield f"medians of {len(runs)}, warm, both sides in turn."
    yield "CPU s is user and system time of all threads of the process; what counts from the start of a process is"
    yield "net of `python -c pass`. Both sides make the same integers, which every run compares; the kit counts the"
    yield "group of all markets besides, and its table of shares has intervals and hides small groups."
    yield ""
    yield f"Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}." + (
        f" {remark}" if remark else ""
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "numpy", "pandas", "pyarrow", "scipy"))
    yield f"Versions: Python {platform.python_version()}, {versions}."
    yield ""
    yield "| | the kit, CPU s | pandas, CPU s | ratio | at most |"
    yield "|---|---:|---:|---:|---:|"
    for question, (words, most) in QUESTIONS.items():
        if question not in runs[0]["by_api"]:
            continue
        kit, analyst = (statistics.median(run[side][question] for run in runs) for side in SIDES)
        ratio = statistics.median(run["by_api"][question] / run["by_analyst"][question] for run in runs)
        yield f"| {words} | {kit:.3f} | {analyst:.3f} | {ratio:.2f} | {most} |"
    missing = [words for question, (words, _) in QUESTIONS.items() if question not in runs[0]["by_api"]]
    if missing:
        yield ""
        yield "The public API does not answer yet, and the script does:"
        for question, (words, _) in QUESTIONS.items():
            if words in missing:
                yield f"- {words}: {statistics.median(run['by_analyst'][question] for run in runs):.3f} CPU s."


if __name__ == "__main__":
    main()
