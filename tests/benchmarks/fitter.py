"""Run one contender's fit in a process of its own: `fitter.py MODULE TABLE.npz REPEATS` prints what it took, as JSON.

Needs nothing but numpy and the contender's own package, so that it also runs where the kit is not installed.
"""

import importlib
import json
import resource
import statistics
import sys
import time
import warnings

import numpy as np


def cpu() -> float:
    """Return the CPU seconds of all threads of this process and of those it has ended."""
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in of)


def main(module: str, table: str, repeats: int) -> None:
    """Import, fit once to be warm, then fit again and again; print medians."""
    warnings.simplefilter("ignore")
    began = cpu()
    contender = importlib.import_module(module)
    imported = cpu() - began
    fit, n_rows = contender.fits(dict(np.load(table)))
    began = cpu()
    found = fit()
    first = cpu() - began
    times = []
    for _ in range(repeats):
        began, wall = cpu(), time.perf_counter()
        fit()
        times.append((cpu() - began, time.perf_counter() - wall))
    spent, wall = (statistics.median(column) for column in zip(*times, strict=True))
    print(json.dumps({"import": imported, "first": first, "cpu": spent, "wall": wall, "rows": n_rows, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
