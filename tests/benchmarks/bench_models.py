"""Purchase models side by side with lifetimes and pymc-marketing, and on simulated customers whose truth is known.

`make bench-models` writes `RESULTS_MODELS.md`. Each contender is fitted in a process of its own, in an environment that
goes with the benchmark, with one thread for BLAS; what is compared is CPU time, the median of some fits.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from retention_kit.config import project_root
from retention_kit.models import LAWS, Patterns, fit_purchases

HERE = Path(__file__).parent
CDNOW = project_root().parent / "shared" / "data" / "cdnow_sample.parquet"
TRUTH = {
    "bg_nbd": [0.8, 6.0, 0.9, 2.5],
    "mbg_nbd": [0.8, 6.0, 0.9, 2.5],
    "pareto_nbd": [0.8, 9.0, 0.9, 20.0],
}
WANTED = {
    "lifetimes": ["lifetimes==0.11.3", "autograd<1.7", "numpy<2", "scipy<1.12", "pandas<2.2", "setuptools<81"],
    "pymc_marketing": ["pymc-marketing"],
}
NAMES = {"kit": "the kit", "lifetimes": "lifetimes", "pymc_marketing": "pymc-marketing, MAP"}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


def main() -> None:
    """Measure, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000, help="customers of the large fit")
    parser.add_argument("--data-sets", type=int, default=200, help="simulated data sets for the recovery of parameters")
    parser.add_argument("--repeats", type=int, default=5, help="fits of each, of which the median is told")
    parser.add_argument("--contenders", nargs="*", default=list(WANTED), choices=WANTED)
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS_MODELS.md")
    asked = parser.parse_args()
    os.environ.update(ONE_THREAD)
    with tempfile.TemporaryDirectory(prefix="retention-kit-bench-") as name:
        folder = Path(name)
        pythons = {"kit": sys.executable} | {c: _environment(folder / c, WANTED[c]) for c in asked.contenders}
        lines = [
            *_heading(pythons),
            *_side_by_side(folder, pythons, customers=asked.customers, repeats=asked.repeats),
            *_many_markets(folder, customers=asked.customers),
            *_recovery(asked.data_sets),
        ]
    asked.results.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(asked.results.read_text(encoding="utf-8"))


def _environment(folder: Path, packages: Sequence[str]) -> str:
    """Install packages in an environment of their own; return its Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    subprocess.run([*install, *packages], check=True)
    return python


def _heading(pythons: dict[str, str]) -> Iterator[str]:
    packages = {"numpy": version("numpy"), "scipy": version("scipy")}
    asked = "import importlib.metadata as m; print(m.version('{}'))"
    for contender, python in pythons.items():
        if contender != "kit":
            name = contender.replace("_", "-")
            found = subprocess.run([python, "-c", asked.format(name)], check=True, capture_output=True, text=True)
            packages[name] = found.stdout.strip()
    yield "# Purchase models: what fitting takes, and whether the truth is found"
    yield ""
    machine = f"{psutil.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    told = ", ".join(f"{name} {number}" for name, number in packages.items())
    yield f"Written by `make bench-models`. {machine}, {told}."
    yield "CPU seconds without imports, one thread for BLAS: the first fit of a process, and the median of later ones."
    yield "Compared are the later ones."


def _side_by_side(folder: Path, pythons: dict[str, str], *, customers: int, repeats: int) -> Iterator[str]:
    """Yield the table of BG/NBD on CDNOW and on many customers."""
    tables = {f"{customers:,} simulated customers": (_simulated_days(customers), ["lifetimes"])}
    if CDNOW.exists():
        tables = {"CDNOW, 2,357 customers": (_cdnow_days(), list(WANTED))} | tables
    yield from ("", "## BG/NBD")
    yield "| customers | fitted by | rows | first fit, CPU s | later fits, CPU s | beside the kit | r, alpha, a, b |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for nth, (title, (days, others)) in enumerate(tables.items()):
        ways = {"kit, by days": ("kit", _patterns(days, 1)), "kit, by weeks": ("kit", _patterns(days, 7))}
        ways |= {other: (other, _rows(days)) for other in others if other in pythons}
        measured = {}
        for way, (contender, table) in ways.items():
            path = folder / f"{nth}-{way.replace(', ', '-').replace(' ', '-')}.npz"
            np.savez(path, **table)
            measured[way] = _measured(pythons[contender], f"fit_by_{contender}", path, repeats=repeats)
        for way, took in measured.items():
            found = took["found"]
            parameters = ", ".join(f"{found[name]:.4f}" for name in ("r", "alpha", "a", "b"))
            times = took["cpu"] / measured["kit, by days" if nth == 0 else "kit, by weeks"]["cpu"]
            given = f"{NAMES.get(way, way)} | {took['rows']:,.0f} | {took['first']:.4f}"
            yield f"| {title} | {given} | {took['cpu']:.4f} | {times:,.1f} × | {parameters} |"
        imports = ", ".join(f"{NAMES.get(way, way)} {took['import']:.1f} s" for way, took in measured.items())
        yield f"| | *imports: {imports}* | | | | | |"


def _measured(python: str, module: str, table: Path, *, repeats: int) -> dict:
    command = [python, str(HERE / "fitter.py"), module, str(table), str(repeats)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD)
    return json.loads(told.stdout.strip().splitlines()[-1])


def _many_markets(folder: Path, *, customers: int, n_markets: int = 40) -> Iterator[str]:
    """Yield what all models of 40 markets take together, from weekly patterns and binned spend."""
    random = np.random.default_rng(40)
    of_markets, spend = [], []
    for nth in range(n_markets):
        days = _simulated_days(customers // n_markets, seed=nth, scale=float(random.uniform(0.7, 1.4)))
        of_markets.append(pd.DataFrame(_patterns(days, 7)).assign(market=f"M{nth:02d}"))
        spend.append(_simulated_spend(days["frequency"], random).assign(market=f"M{nth:02d}"))
    rfm_counts, spend_counts = pd.concat(of_markets), pd.concat(spend)
    rfm_counts.to_parquet(folder / "rfm.parquet")
    spend_counts.to_parquet(folder / "spend.parquet")
    code = (
        "import json, sys, pandas as pd; import fit_by_kit; "
        "tables = [pd.read_parquet(p) for p in sys.argv[1:]]; "
        "fit_by_kit.all_models(*[t[t['market'] == 'M00'] for t in tables]); "
        "print(json.dumps(fit_by_kit.all_models(*tables)))"
    )
    command = [sys.executable, "-c", code, str(folder / "rfm.parquet"), str(folder / "spend.parquet")]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD, cwd=HERE)
    took = json.loads(told.stdout)
    yield from ("", f"## All models of {n_markets} markets with {customers:,} customers together")
    yield "| model | CPU s |"
    yield "|---|---:|"
    yield from (f"| {model} | {seconds:.2f} |" for model, seconds in took.items())
    yield f"| together | {sum(took.values()):.2f} |"
    yield ""
    yield f"{len(rfm_counts):,} weekly patterns and {len(spend_counts):,} bins of spend."


def _recovery(n_sets: int) -> Iterator[str]:
    """Yield how often 95 % intervals hold the truth, over simulated data sets of 5,000 customers each."""
    yield from ("", f"## Recovery: {n_sets} simulated data sets of 5,000 customers for each law")
    yield "| law | parameter | truth | median estimate | 95 % intervals that hold the truth |"
    yield "|---|---|---:|---:|---:|"
    for law, truth in TRUTH.items():
        held, estimates = [], []
        began = time.process_time()
        for seed in range(n_sets):
            random = np.random.default_rng(1000 + seed)
            made = LAWS[law].simulated(np.array(truth), random.uniform(26, 78, 5000), random)
            fit = fit_purchases(made, name="simulated", law=law).fit
            estimates.append(list(fit.estimates.values()))
            held.append([low <= t <= high for (low, high), t in zip(fit.intervals().values(), truth, strict=True)])
        spent = time.process_time() - began
        for nth, name in enumerate(LAWS[law].parameters):
            middle, share = np.median(np.array(estimates)[:, nth]), np.mean(np.array(held)[:, nth])
            yield f"| {LAWS[law].name} | {name} | {truth[nth]:g} | {middle:.3f} | {share:.1%} |"
        yield f"| {LAWS[law].name} | all four | | | {np.mean(held):.1%}, {spent:.1f} CPU s |"


def _cdnow_days() -> dict[str, np.ndarray]:
    """Return CDNOW's customers, calibrated to 1997-09-30: repeat days, recency and age in days."""
    rows = pd.read_parquet(CDNOW)
    rows["day"] = (pd.to_datetime(rows["date"]) - pd.Timestamp("1997-01-01")).dt.days
    last = 272
    known = rows[rows["day"] <= last].drop_duplicates(["customer_id", "day"]).groupby("customer_id")["day"]
    known = known.agg(["min", "max", "size"])
    columns = {"frequency": known["size"] - 1, "recency": known["max"] - known["min"], "age": last - known["min"]}
    return {name: column.to_numpy(dtype=float) for name, column in columns.items()}


def _simulated_days(n: int, *, seed: int = 0, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Return customers who order and leave as CDNOW's do, over a year and a half, by whole days."""
    random = np.random.default_rng(seed)
    ages = random.integers(14, 546, n).astype(float)
    truth = np.array([0.243, 4.414 * scale, 0.793, 2.426])
    made: Patterns = LAWS["bg_nbd"].simulated(truth, ages / 7, random)
    return {"frequency": made.x, "recency": np.floor(made.t_x * 7), "age": ages}


def _simulated_spend(frequency: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """Return what customers spent, Gamma-Gamma, in bins of two digits of the mean, as counted."""
    days = frequency[frequency > 0]
    mean = random.gamma(6.25 * days, 1) / days * 15.44 / random.gamma(3.74, 1, len(days))
    minor = np.maximum(np.round(mean * 100), 1)
    width = 10 ** np.maximum(np.floor(np.log10(minor)) - 1, 0)
    table = pd.DataFrame({"n_days": days, "bin": minor // width * width, "value": minor * days, "n_customers": 1})
    return table.groupby(["n_days", "bin"], as_index=False)[["n_customers", "value"]].sum()


def _patterns(days: dict[str, np.ndarray], unit: int) -> dict[str, np.ndarray]:
    keys = {"frequency": days["frequency"], "recency": days["recency"] // unit, "age": days["age"] // unit}
    counted = pd.DataFrame(keys).groupby(list(keys)).size().rename("n_customers").reset_index()
    return {name: counted[name].to_numpy() for name in counted} | {"unit_days": np.full(len(counted), unit)}


def _rows(days: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same customers as others take them, in weeks."""
    return {"frequency": days["frequency"], "recency": days["recency"] / 7, "T": days["age"] / 7}


if __name__ == "__main__":
    main()
