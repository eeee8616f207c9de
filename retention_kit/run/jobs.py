"""What is to be run: each market once, its parameters checked, and whether its report is there already."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

import retention_kit
from retention_kit import __version__
from retention_kit.errors import UsageError, listed, shown
from retention_kit.present.languages import locale_of
from retention_kit.run import record
from retention_kit.run.parameters import Notebook, checked, read_notebook, without_paths

_LONGEST_SEGMENT = 40
_CODE = {".py", ".sql", ".j2", ".css", ".js", ".toml", ".po"}
_RESERVED = {
    "index",
    "run",
    "con",
    "nul",
    "aux",
    "prn",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


@dataclass(frozen=True)
class Run:
    """One report to make: of which market, in which language, and with which values for the notebook's parameters.

    `further` is a report of a market in another language than its main one; `segment` is the code by which the counts
    know it where it is one, `DK:gold`, whose files are named `DK-GOLD`.
    """

    market: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    language: str = "en"
    further: bool = False
    segment: str = ""

    @property
    def code(self) -> str:
        """Return the code by which the counts know what it is of."""
        return self.segment or self.market

    @property
    def stem(self) -> str:
        """The name of its files without ending: `BE`, and `BE.fr-BE` in a further language."""
        return f"{self.market}.{self.language}" if self.further else self.market


class MadeOf(TypedDict, total=False):
    """What a report is made of, as its page and the record tell it: no path, no address, no password."""

    data: str
    as_of: str
    notebook: str
    sha256: str
    kit_version: str
    parameters: dict[str, Any]
    data_fingerprint: str


class Job(TypedDict):
    """What a worker is told, as JSON: one run, checked."""

    market: str
    stem: str
    """The name of its files without ending."""
    name: str
    language: str
    parameters: dict[str, Any]
    twin: bool
    """Whether the notebook writes the report's data."""
    made_of: MadeOf
    fingerprint: str
    """It changes when the report would."""
    pages: NotRequired[dict[str, str]]
    """The market's pages by language, where there are several."""
    folder: NotRequired[str]
    """Where the worker leaves what it makes."""


def in_languages(run: Run, languages: Sequence[str]) -> list[Run]:
    """Return the runs of a market: in its first language, and in each further one."""
    return [replace(run, language=language, further=nth > 0) for nth, language in enumerate(languages)]


def file_names(codes: Sequence[str]) -> dict[str, str]:
    """Return by which name the files of each code of the counts go: of `DK:email partner` by `DK-EMAIL-PARTNER`."""
    plain = {code: _plain(code) for code in codes}
    taken = list(plain.values())
    return {code: name if taken.count(name) == 1 and name else _told_apart(code) for code, name in plain.items()}


def _plain(code: str) -> str:
    """Return a code without accents and blanks; empty where nothing is left of its segment."""
    letters = unicodedata.normalize("NFKD", code).encode("ascii", "ignore").decode().upper()
    market, _, segment = letters.partition(":")
    words = "-".join(re.findall("[A-Z0-9]+", segment))[:_LONGEST_SEGMENT].strip("-")
    if ":" not in code:
        return code
    return f"{market}-{words}" if words else ""


def _told_apart(code: str) -> str:
    market = code.partition(":")[0]
    return f"{_plain(code) or market}-{hashlib.sha256(code.encode()).hexdigest()[:6].upper()}"


def each_once(runs: Sequence[Run]) -> Sequence[Run]:
    """Return the runs if their markets can name files and each is named once in each language."""
    for run in runs:
        if not re.fullmatch(r"[A-Z][A-Z0-9-]{1,63}", run.market) or run.market.casefold() in _RESERVED:
            raise UsageError(
                f"'{run.market}' cannot be the name of a market's files.",
                to_try="a code of 2 to 64 of A-Z, 0-9 and -, such as 'NL', that is no reserved name",
            )
        locale_of(run.language)
    stems = [run.stem for run in runs]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise UsageError("A market is asked for twice.", found=listed(twice), to_try="name each market once")
    if not runs:
        raise UsageError("No market is asked for.", to_try="name at least one, such as --market NL")
    return runs


def job_of(source: Notebook, run: Run, *, data_fingerprint: str = "") -> Job:
    """Return what a worker is told, checked; its `fingerprint` changes when the report would.

    Raises
    ------
    UsageError : a parameter that is not declared, of another type, or not to be given; a language that is none.
    """
    spoken = {"language": run.language} if "language" in source.parameters else {}
    parameters = checked(source.parameters, {"market": run.code, **spoken, **run.parameters})
    if parameters["market"] != run.code:
        raise UsageError(
            f"The report of '{run.market}' would show another market.",
            found=listed([parameters["market"]]),
            to_try="leave out the parameter 'market'; it is set for each report",
        )
    if "twin" in run.parameters:
        raise UsageError(
            "The parameter 'twin' cannot be given.", to_try="leave it out; it is written beside the report"
        )
    data = without_paths({key: parameters[key] for key in ("data", "as_of") if key in parameters})
    job = {
        "market": run.market,
        "stem": run.stem,
        "name": run.name,
        "language": run.language,
        "parameters": parameters,
        "twin": "twin" in source.parameters,
        "made_of": {
            **data,
            "notebook": source.name,
            "sha256": source.sha256,
            "kit_version": __version__,
            "parameters": without_paths({**_defaults(source), **parameters}),
        },
    }
    return {**job, "fingerprint": _fingerprint(job, data_fingerprint)}


def with_pages(jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs, each with the pages of its market by language, itself among them, where there are several."""
    pages = pages_of(jobs)
    return [{**job, "pages": pages[job["market"]] if len(pages[job["market"]]) > 1 else {}} for job in jobs]


def pages_of(jobs: Sequence[Job]) -> dict[str, dict[str, str]]:
    """Return the name of each market's pages, by language."""
    found: dict[str, dict[str, str]] = {}
    for job in jobs:
        found.setdefault(job["market"], {})[job["language"]] = f"{job['stem']}.html"
    return found


def fingerprint_of(jobs: Sequence[Job]) -> str:
    """Return the fingerprint of a market's report in all its languages."""
    told = [job["fingerprint"] for job in jobs]
    return told[0] if len(told) == 1 else hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]


def _defaults(source: Notebook) -> dict[str, Any]:
    """Return what a notebook's parameters are where nobody says otherwise, as far as they are plain values."""
    plain = (str, int, float, bool, list, dict)
    return {
        name: declared.default for name, declared in source.parameters.items() if isinstance(declared.default, plain)
    }


def _fingerprint(job: Mapping[str, Any], data_fingerprint: str) -> str:
    """Return a hash of everything a report is made of: data, notebook, parameters, language, this kit's code."""
    told = json.dumps([data_fingerprint, code_fingerprint(), job], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


@cache
def code_fingerprint() -> str:
    """Return a hash of this kit's files: other code may make another report of the same data."""
    root = Path(retention_kit.__file__).parent
    hashed = hashlib.sha256()
    for file in sorted(path for path in root.rglob("*") if path.suffix in _CODE):
        hashed.update(file.read_bytes())
    return hashed.hexdigest()


def unfinished(notebook: Path, runs: Sequence[Run], *, out: Path, data_fingerprint: str = "") -> list[Run]:
    """Return the runs whose report is not there yet, made of the same data, notebook, parameters and code.

    Parameters and errors as of `run_reports`.
    """
    source = read_notebook(notebook)
    known = record.read(out)["markets"]
    jobs: dict[str, list[Job]] = {}
    for run in each_once(runs):
        jobs.setdefault(run.market, []).append(job_of(source, run, data_fingerprint=data_fingerprint))
    made = {market for market, of_market in jobs.items() if _is_made(of_market, known.get(market, {}), out)}
    return [run for run in runs if run.market not in made]


def _is_made(jobs: Sequence[Job], entry: record.Entry | Mapping[str, Any], out: Path) -> bool:
    there = [out / f"{job['stem']}{ending}" for job in jobs for ending in (".html", ".json")[: 1 + job["twin"]]]
    return (
        entry.get("status") == "fresh"
        and entry.get("fingerprint") == fingerprint_of(jobs)
        and all(path.is_file() for path in there)
    )


def shard(runs: Sequence[Run], asked: str) -> list[Run]:
    """Return the runs that one of several machines makes: every n-th market's, from the k-th on, for 'k/n'.

    Raises
    ------
    UsageError : no such part.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})/([1-9]\d{0,4})", asked)
    if not found or int(found[1]) > int(found[2]):
        raise UsageError(f"There is no shard '{shown(asked)}'.", to_try="the second of five machines takes 2/5")
    markets = list(dict.fromkeys(run.market for run in runs))[int(found[1]) - 1 :: int(found[2])]
    return [run for run in runs if run.market in markets]


def asked_data(source: Notebook, jobs: Sequence[Job]) -> str:
    """Return the name of the data that are asked for, as a report names them; empty where none are declared."""
    declared = source.parameters.get("data")
    default = {"data": declared.default} if declared and isinstance(declared.default, str) else {}
    return record.data_of({"parameters": without_paths({**default, **jobs[0]["parameters"]})}, {})
