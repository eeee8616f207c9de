"""Reports of a notebook of a test's own, told in keywords how they are made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retention_kit import run


def run_reports(
    notebook: Path, runs: Sequence[run.Run], *, out: Path, data_fingerprint: str = "", shard: str = "", **how: Any
) -> list[run.Result]:
    """Return what came of each run; `how` as of `run.Execution`."""
    facts = {"data_fingerprint": data_fingerprint, "shard": shard}
    return run.run_reports(notebook, runs, out=out, execution=run.Execution(**how), **facts)
