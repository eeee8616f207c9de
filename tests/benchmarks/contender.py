"""Run one contender of the benchmark in a process of its own: `contender.py NAME FACTS FOLDER` prints what it took.

Needs nothing but the contender's own package, so that it also runs where the kit is not installed.
"""

import importlib
import json
import resource
import sys
import time
from pathlib import Path


class Clock:
    """Wall time, CPU time of all threads, and highest memory, by part."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, float]] = {}
        self._began = self._now()

    def part(self, name: str) -> None:
        """Book what was spent since the last part."""
        wall, cpu = self._now()
        self.parts[name] = {"wall": wall - self._began[0], "cpu": cpu - self._began[1]}
        self._began = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), used.ru_utime + used.ru_stime


def main(name: str, facts: Path, folder: Path) -> None:
    """Run a contender, write its tables as Parquet into the folder, print its parts as JSON."""
    module = importlib.import_module(name)
    known = json.loads(facts.read_text())
    clock = Clock()
    for table, write in module.tables(known, clock.part):
        write(folder / f"{table}.parquet")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"parts": clock.parts, "mib": memory}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
