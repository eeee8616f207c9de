"""The counts store: what was counted once is read, not counted again.

One folder for each combination of data, profile, `as_of`, grains and counting files, named by their hash,
written whole or not at all. In it lies what was made of these counts, by the code that made it and what that was told.

Orders that are added are counted together with all others, not by themselves: they come with a later `as_of`, which
moves the open gaps, ages and activity of everybody; and where `as_of` stays, the history of those they touch has to be
read and keyed all the same, which is a third of counting everything.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from retention_kit import __version__
from retention_kit.counts.database import fingerprint
from retention_kit.ingest import Findings, Source

MOST_KEPT = 50
"""Counts that are kept: of so many data, `as_of` and grains."""


def key(source: Source, *, as_of: str, grains: Sequence[str]) -> str:
    """Return the name of the folder that holds these counts, or would."""
    parts = [__version__, fingerprint(source), as_of, *sorted(set(grains)), _code()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def key_of(made: Callable[..., Any], facts: Mapping[str, Any]) -> str:
    """Return the name of the folder that holds what a function made of counts, told these facts, or would."""
    code = _code(("retention_kit.metrics", "retention_kit.models"))
    parts = [made.__module__, made.__qualname__, repr(sorted(facts.items())), code]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _code(rooms: tuple[str, ...] = ("retention_kit.ingest", "retention_kit.counts")) -> str:
    """Return a hash of the code of rooms, here those that read and count: other code may come to other numbers."""
    texts = [file for room in rooms for file in files(room).iterdir() if file.name.endswith((".py", ".sql"))]
    hashed = hashlib.sha256()
    for file in sorted(texts, key=lambda file: file.name):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def read(folder: Path, names: Sequence[str] | None = None) -> tuple[dict[str, pd.DataFrame], Findings] | None:
    """Return the kept tables of these names, or all, and the findings; None where none were kept, or are damaged."""
    if not folder.is_dir():
        return None
    try:
        names = names or sorted(path.stem for path in folder.glob("*.parquet"))
        tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
        return tables, Findings.from_dicts(json.loads((folder / "findings.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, pa.ArrowException):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def write(folder: Path, tables: Mapping[str, pd.DataFrame], findings: Findings) -> None:
    """Keep counts tables and findings; of two writers at once, the first one's stay.

    Only the last `MOST_KEPT` counts stay. A folder that cannot be written to keeps nothing: counts can be had again.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        being_written = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    except PermissionError:
        return
    try:
        for name, table in tables.items():
            table.to_parquet(being_written / f"{name}.parquet", index=False)
        (being_written / "findings.json").write_text(json.dumps(findings.to_dicts()), encoding="utf-8")
        os.rename(being_written, folder)
    except OSError:
        if not folder.is_dir():  # another writer was first: its counts are the same
            raise
    finally:
        shutil.rmtree(being_written, ignore_errors=True)
    kept = sorted((path for path in folder.parent.iterdir() if not path.name.startswith(".")), key=_written_at)
    for old in kept[:-MOST_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another run has just taken it away
        return 0.0
