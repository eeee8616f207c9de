"""Counting side by side with a bare scan, hand-written DuckDB, pandas and Polars, each in a process of its own.

`make bench` counts 1 and 10 million simulated orders in 40 markets; `--large` adds 100 million, counted once as ever
and once under a limit of 4 GB. What is measured goes to `RESULTS.md`; every number that a contender counts is compared
with the kit's.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from retention_kit import ingest
from retention_kit.config import Markets
from retention_kit.counts import GUIDE_TABLES
from retention_kit.ingest.zones import utc_offsets
from retention_kit.periods import as_of_instant, date_of, day_of, period_of
from retention_kit.simulate.benchmark import write_orders

HERE = Path(__file__).parent
AS_OF = "2026-01-01"
N_MARKETS = 40
LARGE = 100_000_000
LARGE_LIMIT = "4GB"
CONTENDERS = {
    "by_scan": "bare scan of the columns",
    "by_kit": "the kit, eight tables and the group",
    "by_kit_limited": "the kit, limited to 4 GB",
    "by_hand": "DuckDB by hand, a query for each of eight tables",
    "by_polars": "Polars, six tables",
    "by_pandas": "pandas, six tables",
}
KEYS = ("market", "grain", "rule", "cohort", "age", "last_age", "period", "nth", "gap_days", "duration_days")
KEYS += ("frequency", "recency")


def main() -> None:
    """Measure what the command line asks for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", default=[1_000_000, 10_000_000], help="how many orders")
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} orders too: scan and the kit")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the median is told")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    asked = parser.parse_args()
    sizes = [*asked.orders, *([LARGE] if asked.large else [])]
    with tempfile.TemporaryDirectory(prefix="retention-kit-bench-") as folder:
        pythons = dict.fromkeys(asked.contenders, sys.executable)
        if "by_polars" in pythons:
            pythons["by_polars"] = _polars(Path(folder) / "polars")
        measured = {
            size: _measured(size, pythons, Path(folder) / str(size), repeats=asked.repeats if size < LARGE else 1)
            for size in sizes
        }
        versions = _versions(pythons.get("by_polars"))
    asked.results.write_text("\n".join(_told(measured, versions, repeats=asked.repeats)) + "\n", encoding="utf-8")
    print(asked.results.read_text(encoding="utf-8"))


def _polars(folder: Path) -> str:
    """Install Polars in an environment that goes with the benchmark; return its Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "polars"], check=True)
    return python


def _measured(size: int, pythons: Mapping[str, str], folder: Path, *, repeats: int) -> dict[str, dict[str, Any]]:
    """Return what each contender took, in medians: parts with wall and CPU seconds, and the most memory in MiB."""
    folder.mkdir()
    print(f"{size:,} orders: writing", flush=True)
    write_orders(folder / "company", n_orders=size, n_markets=N_MARKETS)
    facts = folder / "facts.json"
    facts.write_text(json.dumps(_facts(folder)))
    taken = {}
    for name, python in pythons.items():
        if name in (("by_hand", "by_pandas", "by_polars") if size >= LARGE else ("by_kit_limited",)):
            continue
        (folder / name).mkdir()
        runs = [_run(name, python, facts, folder / name) for _ in range(repeats)]
        taken[name] = _medians(runs)
        if name != "by_scan" and "by_kit" in taken:
            taken[name]["n_compared"] = _compared(
                folder / name, folder / "by_kit", ingest.source(str(folder / "company")).markets
            )
        print(f"{size:,} orders: {name} {taken[name]['cpu']:.1f} CPU s, {taken[name]['wall']:.1f} s", flush=True)
    return taken


def _facts(folder: Path) -> dict[str, Any]:
    """Return what a contender is told: where the files are, and what is known of each market."""
    company = folder / "company"
    markets = ingest.source(str(company)).markets
    return {
        "folder": str(company),
        "files": str(company / "orders" / "*.parquet"),
        "store": str(folder / "store"),
        "as_of": AS_OF,
        "memory_limit": None,
        "markets": list(_known_of(markets)),
    }


def _known_of(markets: Markets) -> Iterator[dict[str, Any]]:
    for code in markets:
        market = markets[code]
        as_of_us, as_of_day = as_of_instant(AS_OF, zone=market.zone)
        last = date_of(as_of_day)
        yield {
            "code": code,
            "zone": market.time_zone,
            "as_of_us": as_of_us,
            "as_of_day": as_of_day,
            "year_ago_day": day_of(last.replace(year=last.year - 1)),
            "window_days": market.activity_window_days,
            "last_month": period_of(date_of(as_of_day - 1), grain="month"),
            "offsets": utc_offsets(market.zone, as_of_us - 12 * 366 * 86_400_000_000, as_of_us + 86_400_000_000),
        }


def _run(name: str, python: str, facts: Path, folder: Path) -> dict[str, Any]:
    limited = name.endswith("_limited")
    if limited:
        told = json.loads(facts.read_text()) | {"memory_limit": LARGE_LIMIT}
        facts = facts.with_name("limited.json")
        facts.write_text(json.dumps(told))
    command = [python, str(HERE / "contender.py"), name.removesuffix("_limited"), str(facts), str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _medians(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    parts = {
        part: {unit: statistics.median(run["parts"][part][unit] for run in runs) for unit in ("wall", "cpu")}
        for part in runs[0]["parts"]
        if part not in ("written", "start", "keep")
    }
    counting = [taken for part, taken in parts.items() if part != "again"]
    return {
        "parts": parts,
        "wall": sum(taken["wall"] for taken in counting),
        "cpu": sum(taken["cpu"] for taken in counting),
        "mib": statistics.median(run["mib"] for run in runs),
    }


def _compared(folder: Path, by_kit: Path, markets: Markets) -> int:
    """Return how many numbers of a contender equal the kit's; raise where one does not."""
    n = 0
    for table in GUIDE_TABLES:
        if not (folder / f"{table}.parquet").exists():
            continue
        theirs = pd.read_parquet(folder / f"{table}.parquet")
        ours = pd.read_parquet(by_kit / f"{table}.parquet")
        if folder.name.startswith(by_kit.name):
            pd.testing.assert_frame_equal(theirs, ours, obj=f"{folder.name}: {table}")
            n += ours.select_dtypes("number").size
            continue
        keys = [column for column in theirs if column in KEYS and not (column == "age" and table == "rfm_counts")]
        keys += ["age"] if table == "rfm_counts" else []
        sparse = [_sparse(frame, keys, list(theirs)) for frame in (theirs, _in_hundredths(ours, markets))]
        pd.testing.assert_frame_equal(*sparse, obj=f"{folder.name}: {table}")
        n += sparse[0].drop(columns=keys).size
    return n


def _in_hundredths(table: pd.DataFrame, markets: Markets) -> pd.DataFrame:
    """Return the rows of markets and of orders, money in hundredths of every currency."""
    own = table[table["market"].isin(list(markets))]
    own = own[own["kind"] == "orders"] if "kind" in own else own
    factor = own["market"].map({code: 100 // markets[code].minor_per_unit for code in markets})
    return own.assign(**{column: own[column] * factor for column in own if column.endswith("_minor")})


def _sparse(table: pd.DataFrame, keys: list[str], columns: list[str]) -> pd.DataFrame:
    """Return the rows in which somebody is, in the order of their keys."""
    numbers = [column for column in columns if column not in keys]
    there = table[(table[numbers] != 0).any(axis=1)]
    whole = there[[*keys, *numbers]].astype(
        {column: "int64" for column in [*keys, *numbers] if column not in ("market", "grain", "rule")}
    )
    return whole.astype({"market": "str"}).sort_values(keys, ignore_index=True)


def _versions(polars: str | None) -> dict[str, str]:
    versions = {name: version(name) for name in ("retention-kit", "duckdb", "pandas", "pyarrow")}
    if polars:
        asked = [polars, "-c", "import polars; print(polars.__version__)"]
        versions["polars"] = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    return versions | {"python": platform.python_version()}


def _told(measured: Mapping[int, Mapping[str, Any]], versions: Mapping[str, str], *, repeats: int) -> Iterator[str]:
    """Yield the lines of the results."""
    memory = psutil.virtual_memory().total / 2**30
    yield "# Counting, side by side"
    yield ""
    yield f"By `make bench`: {N_MARKETS} markets, months, as of {AS_OF}; medians of {repeats}, at {LARGE:,} one run."
    yield "CPU is user and system time of all threads; memory is the highest of the process."
    yield ""
    system = f"{platform.system()} {platform.release()}"
    yield f"Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}."
    yield "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."
    for size, taken in measured.items():
        yield from ["", f"## {size:,} orders", ""]
        yield "| | wall s | CPU s | memory MiB | CPU, kit = 1 | numbers equal |"
        yield "|---|---:|---:|---:|---:|---:|"
        kit = taken.get("by_kit", {}).get("cpu")
        for name, one in taken.items():
            ratio = f"{one['cpu'] / kit:.2f}" if kit else ""
            equal = f"{one['n_compared']:,}" if "n_compared" in one else ""
            taken_by_it = f"{one['wall']:.2f} | {one['cpu']:.2f} | {one['mib']:,.0f}"
            yield f"| {CONTENDERS[name]} | {taken_by_it} | {ratio} | {equal} |"
        yield ""
        for name in ("by_kit", "by_hand"):
            if name in taken:
                parts = ", ".join(f"{part} {one['cpu']:.2f}" for part, one in taken[name]["parts"].items())
                yield f"CPU s of {CONTENDERS[name]}: {parts}."
    kit = {size: taken["by_kit"]["cpu"] / size * 1e6 for size, taken in measured.items() if "by_kit" in taken}
    if len(kit) > 1:
        yield from [
            "",
            "The kit's CPU s for each million: " + ", ".join(f"{s:,}: {c:.2f}" for s, c in kit.items()) + ".",
        ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
