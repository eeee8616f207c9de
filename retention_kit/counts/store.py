"""The counts store: what was counted once is read, not counted again.

One folder for each combination of data, profile, `as_of`, grains and counting files, named by their hash,
written whole or not at all. In it lies what was made of these counts, by the code that made it and what it was told.

Orders that are added are counted together with all others, not by themselves: they come with a later `as_of`, which
moves the open gaps, ages and activity of everybody; and where `as_of` stays, the history of those they touch has to be
read and keyed all the same, which is a third of counting everything.
"""

import hashlib
import inspect
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
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
    parts = [made.__module__, made.__qualname__, inspect.getsource(made), repr(sorted(facts.items())), code]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _code(rooms: tuple[str, ...] = ("retention_kit.ingest", "retention_kit.counts")) -> str:
    """Return a hash of the code of rooms, of those that read and count where none is named."""
    texts = [file for room in rooms for file in files(room).iterdir() if file.name.endswith((".py", ".sql"))]
    hashed = hashlib.sha256()
    for file in sorted(texts, key=lambda file: file.name):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


class KeptTables(Mapping[str, pd.DataFrame]):
    """Tables by name, read when they are first asked for; those of one market without the rows of all others."""

    def __init__(self, kept: bytes, places: Mapping[str, list[list[Any]]], market: str | None = None) -> None:
        """Take the bytes of a file of tables, where in it the rows of each market lie, and whose rows to read."""
        self._kept = pa.py_buffer(kept)
        self._places = places
        self._market = market
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table."""
        if name not in self._read:
            self._read[name] = self._all(name) if self._market is None else self._mine(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names of the tables."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many tables there are."""
        return len(self._places)

    def of(self, market: str) -> "KeptTables":
        """Return the tables with the rows of a market."""
        return KeptTables(self._kept, self._places, market)

    def _all(self, name: str) -> pd.DataFrame:
        return _frame(pa.concat_tables(self._rows(place) for place in self._places[name]))

    def _mine(self, name: str) -> pd.DataFrame:
        places = self._places[name]
        mine = [place for place in places if place[0] == self._market]
        if mine:
            return _frame(self._rows(mine[0]))
        # rows of markets that do not lie together, or rows of others only
        table = self._all(name) if places[0][0] is None else _frame(self._rows(places[0]).slice(0, 0))
        return table[table["market"] == self._market].reset_index(drop=True)

    def _rows(self, place: list[Any]) -> pa.Table:
        _, start, length = place
        return pa.ipc.open_stream(self._kept.slice(start, length)).read_all()


def rows_of(tables: Mapping[str, pd.DataFrame], market: str) -> Mapping[str, pd.DataFrame]:
    """Return the rows of a market in each of some tables."""
    if isinstance(tables, KeptTables):
        return tables.of(market)
    return {name: table[table["market"] == market].reset_index(drop=True) for name, table in tables.items()}


def read(folder: Path, names: Sequence[str] = ()) -> tuple[Mapping[str, pd.DataFrame], Findings] | None:
    """Return the kept tables and findings; None where they were not kept, lack one of these names, or are damaged."""
    if not folder.is_dir():
        return None
    try:
        kept, told = (folder / _TABLES).read_bytes(), json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        if zlib.crc32(kept) == told["crc32"] and set(names) <= set(told["places"]):
            return KeptTables(kept, told["places"]), Findings.from_dicts(told["findings"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
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
        kept, places = io.BytesIO(), {}
        for name, table in tables.items():
            places[name] = [_written(kept, market, rows) for market, rows in _by_market(table)]
        told = {"crc32": zlib.crc32(kept.getvalue()), "places": places, "findings": findings.to_dicts()}
        (being_written / _TABLES).write_bytes(kept.getvalue())
        (being_written / _INDEX).write_text(json.dumps(told), encoding="utf-8")
        os.rename(being_written, folder)
    except OSError:
        if not folder.is_dir():  # another writer was first: its counts are the same
            raise
    finally:
        shutil.rmtree(being_written, ignore_errors=True)
    kept = sorted((path for path in folder.parent.iterdir() if not path.name.startswith(".")), key=_written_at)
    for old in kept[:-MOST_KEPT]:
        shutil.rmtree(old, ignore_errors=True)


_TABLES, _INDEX = "tables.arrow", "tables.json"
"""One file of all tables, market after market, and where in it each begins: a report reads its own market's rows."""


def _written(kept: io.BytesIO, market: str | None, rows: pd.DataFrame) -> list[Any]:
    """Write rows at the end of a file, and return whose they are, where they begin, and how many bytes they are."""
    start = kept.tell()
    arrow = pa.Table.from_pandas(rows, preserve_index=False)
    with pa.ipc.new_stream(kept, arrow.schema) as stream:
        stream.write_table(arrow)
    return [market, start, kept.tell() - start]


def _by_market(table: pd.DataFrame) -> list[tuple[str | None, pd.DataFrame]]:
    """Return the rows of a table by market, in its order; all together where those of a market do not lie together."""
    if table.empty or "market" not in table:
        return [(None, table)]
    begins = np.flatnonzero((table["market"] != table["market"].shift()).to_numpy())
    codes = table["market"].iloc[begins].tolist()
    if len(set(codes)) < len(codes):
        return [(None, table)]
    ends = [*begins[1:], len(table)]
    return [(code, table.iloc[start:end]) for code, start, end in zip(codes, begins, ends, strict=True)]


def _frame(rows: pa.Table) -> pd.DataFrame:
    return rows.to_pandas(split_blocks=True, use_threads=False)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another run has just taken it away
        return 0.0
