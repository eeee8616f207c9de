"""`run.json`: what is known of every report in a folder, of this run and of earlier ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from retention_kit import __version__
from retention_kit.writing import write_whole

Status = Literal["fresh", "stale", "failed"]
"""Written now · failed now, the last good report kept · failed now, and never written."""

FORMAT = 1
"""Raised when a key changes its meaning."""


class NotebookFile(TypedDict):
    """Which notebook made a report."""

    name: str
    sha256: str


class Entry(TypedDict):
    """What is known of a market's report: in all its languages, the worst that came of them."""

    name: str
    status: Status
    reason: str
    seconds: float
    languages: dict[str, str]
    """Name of its page, by language; the main one first."""
    parameters: dict[str, Any]
    kit_version: str
    fingerprint: str
    """Of all that it was made of."""
    notebook: NotebookFile
    this_run: NotRequired[bool]
    """Whether the last run made it, or an earlier one."""


class Record(TypedDict):
    """The content of `run.json`."""

    format: int
    kit_version: str
    made: str
    """A line about the run, such as who made it and when; empty where nobody says."""
    markets: dict[str, Entry]


def read(out: Path, *, name: str = "run.json") -> Record:
    """Return the folder's record; an empty one where there is none that can be read."""
    try:
        found = json.loads((out / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    whole = isinstance(found, dict) and found.get("format") == FORMAT and isinstance(found.get("markets"), dict)
    return found if whole else {"format": FORMAT, "kit_version": __version__, "made": "", "markets": {}}


def data_of(entry: Entry | Mapping[str, Any], twin: Mapping[str, Any]) -> str:
    """Return the name of the data that a report is of, from its twin, else from its parameters; else empty."""
    named = twin.get("data") or entry.get("parameters", {}).get("data") or ""
    return str(named).removesuffix(".toml")


def twin_of(out: Path, market: str) -> dict[str, Any]:
    """Return the twin of a market's report; an empty one where there is none that can be read."""
    try:
        twin = json.loads((out / f"{market}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return twin if isinstance(twin, dict) else {}


def write(out: Path, entries: Mapping[str, Entry], *, made: str, name: str = "run.json") -> None:
    """Write the record: the markets of this run, and those of earlier ones whose reports are still there."""
    earlier = {
        market: {**entry, "this_run": False}
        for market, entry in read(out, name=name)["markets"].items()
        if market not in entries and (out / f"{market}.html").is_file()
    }
    now = {market: {**entry, "this_run": True} for market, entry in entries.items()}
    markets = dict(sorted({**earlier, **now}.items()))
    content: Record = {"format": FORMAT, "kit_version": __version__, "made": made, "markets": markets}
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    write_whole({out / name: text.encode("utf-8")})


def merge(out: Path) -> int:
    """Make one record of those that machines have written, each of its shard; return how many markets there are."""
    parts = [read(out, name=path.name) for path in sorted(out.glob("run.*-of-*.json"))]
    entries = {market: entry for part in parts for market, entry in part["markets"].items()}
    if entries:
        write(out, entries, made=parts[-1]["made"])
    return len(read(out)["markets"])
