"""The counts store: what was counted once is read, not counted again.

One folder for each combination of data, profile, `as_of`, grains and counting files, named by their hash,
written whole or not at all.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import pandas as pd

from retention_kit import __version__
from retention_kit.ingest import Findings, Source


def key(source: Source, *, as_of: str, grains: Sequence[str]) -> str:
    """Return the name of the folder that holds these counts, or would."""
    parts = [__version__, source.fingerprint(), as_of, *sorted(set(grains)), _code()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _code() -> str:
    """Return a hash of the code that reads and counts: other code may count otherwise."""
    rooms = (files("retention_kit.ingest"), files("retention_kit.counts"))
    texts = [file for room in rooms for file in room.iterdir() if file.name.endswith((".py", ".sql"))]
    hashed = hashlib.sha256()
    for file in sorted(texts, key=lambda file: file.name):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def read(folder: Path, names: Sequence[str]) -> tuple[dict[str, pd.DataFrame], Findings] | None:
    """Return the kept counts tables and findings, or None where they were not kept."""
    if not folder.is_dir():
        return None
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}
    return tables, Findings.from_dicts(json.loads((folder / "findings.json").read_text(encoding="utf-8")))


def write(folder: Path, tables: Mapping[str, pd.DataFrame], findings: Findings) -> None:
    """Keep counts tables and findings; of two writers at once, the first one's stay."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    being_written = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
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
