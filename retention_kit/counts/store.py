"""The counts store: what was counted once is read, not counted again.

One file for each table of each combination of data, profile, `as_of`, windows, grains and counting file, named by their
hash, written whole or not at all; beside them what was made of such counts, by the code that made it and what it was
told. Another grain, window or segment has files of its own, and leaves those of other tables as they are.

Orders that are added are counted together with all others, not by themselves: they come with a later `as_of`, which
moves the open gaps, ages and activity of everybody; and where `as_of` stays, the history of those they touch has to be
read and keyed all the same, which is a third of counting everything.
"""

import hashlib
import inspect
import io
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from retention_kit import __version__
from retention_kit.counts.database import fingerprint
from retention_kit.counts.files import FILES, header, reads_of, text
from retention_kit.counts.session import Asked, Session
from retention_kit.ingest import Findings, Source

MOST_KEPT = 2500
"""Files that are kept: tables of some fifty combinations of data, `as_of` and grains."""
_ENDING = ".arrow"


def key(source: Source, asked: Asked, name: str, part: str = "") -> str:
    """Return the name of the file that holds a table of these counts, or would.

    It changes with what the table depends on: its grains where it has a grain, a hold-out where it reads one, its SQL.
    """
    has_grain = not name or "grain" in header(name).keys
    held_out = not name or reads_of(name) & {"holdout", "looks"}
    windows = [(code, market.activity_window_days) for code, market in asked.markets.items()]
    parts = [
        __version__,
        fingerprint(source),
        asked.as_of,
        repr(sorted(asked.grains) if has_grain else []),
        repr(windows),
        str(asked.holdout_weeks if held_out else None),
        repr(asked.segment),
        asked.activity,
        name,
        part,
        *(text(file) for file in sorted((reads_of(name) | {name, "ledger", "refunds"}) & set(FILES)) if name),
        _code(),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def key_of(made: Callable[..., Any], facts: Mapping[str, Any], *, of: str) -> str:
    """Return the name of the file that holds what a function made of counts, told these facts, or would."""
    code = _code(("retention_kit.metrics", "retention_kit.models"), (".py",))
    parts = [made.__module__, made.__qualname__, inspect.getsource(made), repr(sorted(facts.items())), code, of]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _code(
    rooms: tuple[str, ...] = ("retention_kit.ingest", "retention_kit.counts"), endings: tuple[str, ...] = (".py",)
) -> str:
    """Return a hash of the code of rooms, of those that read and count where none is named."""
    texts = [file for room in rooms for file in files(room).iterdir() if file.name.endswith(endings)]
    hashed = hashlib.sha256()
    for file in sorted(texts, key=lambda file: file.name):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


class KeptTable:
    """A table as it is kept: its rows market after market, so that those of one can be read without the others."""

    def __init__(self, content: bytes, places: list[list[Any]]) -> None:
        """Take the bytes of a table, and where in them the rows of each market lie."""
        self._content, self._places = pa.py_buffer(content), places

    @classmethod
    def of_rows(cls, table: pd.DataFrame) -> "KeptTable":
        """Return a table as it would be kept."""
        content = io.BytesIO()
        places = [_written(content, market, rows) for market, rows in _by_market(table)]
        return cls(content.getvalue(), places)

    @cached_property
    def whole(self) -> pd.DataFrame:
        """Return all rows."""
        return _frame(pa.concat_tables(self._rows(place) for place in self._places))

    def of(self, market: str) -> pd.DataFrame:
        """Return the rows of one market."""
        mine = [place for place in self._places if place[0] == market]
        if mine:
            return _frame(self._rows(mine[0]))
        if self._places[0][0] is not None:  # rows of others only
            return _frame(self._rows(self._places[0]).slice(0, 0))
        return self.whole[self.whole["market"] == market].reset_index(drop=True)

    def to_bytes(self) -> bytes:
        """Return the table as a file: what it holds, in JSON, on its first line, then the rows."""
        content = self._content.to_pybytes()
        told = {"crc32": zlib.crc32(content), "places": self._places}
        return json.dumps(told).encode() + b"\n" + content

    @classmethod
    def of_bytes(cls, kept: bytes) -> "KeptTable | None":
        """Return the table of a file; None where the file is damaged."""
        try:
            line, content = kept.split(b"\n", 1)
            told = json.loads(line)
            return cls(content, told["places"]) if zlib.crc32(content) == told["crc32"] else None
        except (ValueError, TypeError, KeyError):
            return None

    def _rows(self, place: list[Any]) -> pa.Table:
        _, start, length = place
        return pa.ipc.open_stream(self._content.slice(start, length)).read_all()


def read_table(folder: Path | None, name: str) -> KeptTable | None:
    """Return a kept table; None where it was not kept, or is damaged."""
    if folder is None:
        return None
    path = folder / f"{name}{_ENDING}"
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    found = KeptTable.of_bytes(kept)
    if found is None:
        path.unlink(missing_ok=True)
    return found


def keep_table(folder: Path | None, name: str, table: pd.DataFrame) -> KeptTable:
    """Keep a table, and return it as it is kept; without a folder it is kept in memory alone."""
    kept = KeptTable.of_rows(table)
    if folder is not None:
        _put(folder / f"{name}{_ENDING}", kept.to_bytes())
    return kept


def read(folder: Path, name: str) -> dict[str, pd.DataFrame] | None:
    """Return tables that were made of counts, and kept together; None where they were not."""
    index = _json(folder / f"{name}.json")
    if not isinstance(index, list):
        return None
    found = {table: read_table(folder, f"{name}-{nth}") for nth, table in enumerate(index)}
    return None if None in found.values() else {table: kept.whole for table, kept in found.items()}


def write(folder: Path, name: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Keep tables that were made of counts together: their names last, so that they are there or not."""
    for nth, table in enumerate(tables.values()):
        keep_table(folder, f"{name}-{nth}", table)
    _put(folder / f"{name}.json", json.dumps(list(tables)).encode())


def findings_of(folder: Path | None, session: Session) -> Findings:
    """Return what was found while reading a source, kept beside its counts."""
    if folder is None:
        return session.findings
    told = "\0".join(["findings", __version__, fingerprint(session.source), _code()])
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.findings.json"
    rows = _json(path)
    if isinstance(rows, list):
        return Findings.from_dicts(rows)
    found = session.findings
    _put(path, json.dumps(found.to_dicts()).encode())
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _put(path: Path, content: bytes) -> None:
    """Write a file whole, of two writers at once the last one's; a folder that cannot be written to keeps nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, being_written = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    except PermissionError:
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(being_written, path)
    except BaseException:
        Path(being_written).unlink(missing_ok=True)
        raise
    _forget_old(path.parent)


def _forget_old(folder: Path) -> None:
    """Take away the oldest files of a store that has grown too large."""
    kept = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    if len(kept) <= MOST_KEPT:
        return
    for old in sorted(kept, key=_written_at)[: len(kept) - MOST_KEPT]:
        Path(old.path).unlink(missing_ok=True)


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


def _written_at(entry: os.DirEntry) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:  # another run has just taken it away
        return 0.0
