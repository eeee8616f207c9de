"""Who orchestrates: one call counts once, and makes the reports of all its markets in all their languages.

What is asked is checked before anything is read; what a notebook shows is none of its business.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from retention_kit import counts, ingest
from retention_kit.config import GROUP, GROUP_NAME, Market, data_root, project_root
from retention_kit.counts.reportable import left_out, reported
from retention_kit.errors import UsageError, listed
from retention_kit.ingest import Source
from retention_kit.present.languages import language_of
from retention_kit.run.exports import asked_formats, export
from retention_kit.run.jobs import Run, file_names, in_languages, unfinished
from retention_kit.run.jobs import shard as part_of
from retention_kit.run.parameters import Notebook, Parameter, checked, parsed, read_notebook
from retention_kit.run.progress import Quiet
from retention_kit.run.reports import Execution, Result, join, pool_for, run_reports

_OPTIONS = {
    "market": "--market",
    "data": "--data",
    "files": "--file",
    "as_of": "--as-of",
    "unknown_markets": "--unknown-markets",
    "language": "--language",
    "where": "--where",
    "by": "--by",
}
"""Parameters of a notebook that have a field of their own in a call, and its option."""


@dataclass(frozen=True)
class Scope:
    """What is reported: which data, as of when, for which markets, by which notebook, in which language.

    Attributes
    ----------
    data : name of a profile in `data/sources`, path of a profile, or folder of tables: each run opens it by itself.
    files : path or glob by table, for a profile that names none.
    as_of : first day not observed, a date or its text; the profile's where not given.
    markets : their codes, `ALL` for the group; every market with orders, and the group, where not given.
    notebook : what is run for each market; `notebooks/market_report.ipynb`, and `group_report.ipynb` for the group,
        where not given.
    parameters : values of the notebook's parameters by name; a text is read as the declared type.
    where : an expression in SQL over columns of the data: only customers of whom it is true are reported.
    by : a column or an expression: each of its values in a market is reported as a market, in one page of its own.
    language : of all reports, BCP 47; each market's own languages where not given.
    unknown_markets : `fail` when the data name a market that is not declared, or `ignore` its rows.
    max_refused : share of rows that may be refused; the profile's where not given.
    """

    data: str = "sample"
    files: Mapping[str, str] = field(default_factory=dict)
    as_of: Any = None
    markets: Sequence[str] = ()
    notebook: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""
    by: str = ""
    language: str | None = None
    unknown_markets: Literal["fail", "ignore"] = "fail"
    max_refused: float | None = None


@dataclass(frozen=True)
class Destination:
    """Where reports lie, as what, and which of them are made now.

    Attributes
    ----------
    out : their folder; `reports/` of the project for the sample, `reports/<data>` for other data, where not given.
    formats : a list such as `html,json,xlsx`; page and JSON are always written.
    shard : 'k/n' makes the k-th of n parts; `write_index_of_all` joins what n machines have made.
    resume : leave out markets whose reports are there, made of the same data, notebook, parameters and code.
    """

    out: Path | None = None
    formats: str = "html,json"
    shard: str = ""
    resume: bool = False


@dataclass(frozen=True)
class _Call:
    """What was asked, checked before anything of the data is read."""

    scope: Scope
    destination: Destination
    source: Source
    as_of: str
    notebook: Notebook
    path: Path
    path_of_group: Path | None
    values: Mapping[str, Any]
    segment: counts.Segment | None
    out: Path
    formats: Sequence[str]

    @property
    def declared(self) -> Mapping[str, Parameter]:
        """Return the parameters that the notebook declares."""
        return self.notebook.parameters

    @property
    def grains(self) -> list[str]:
        """Return the grains that the notebook asks for."""
        return [self._value(name) for name in ("grain", "base_grain") if name in self.declared] or ["month", "quarter"]

    @property
    def holdout_weeks(self) -> int | None:
        """Return the weeks that the notebook holds out; None where it tells of no hold-out."""
        return self._value("holdout_weeks") if "holdout_weeks" in self.declared else None

    def _value(self, name: str) -> Any:
        return self.values.get(name, self.declared[name].default)

    def parameters(self, file: str) -> dict[str, Any]:
        """Return what the run of a market, whose files go by a name, is told, of what its notebook declares."""
        data, files = self.scope.data, self.source.files
        known = {
            "earlier": str((self.out / f"{file}.json").absolute()),
            "data": str(Path(data).absolute()) if Path(data).exists() else data,
            "files": {table: str(path) for table, path in files.items()} if self.scope.files else {},
            "as_of": self.as_of,
            "unknown_markets": self.scope.unknown_markets,
            "where": self.scope.where,
            "by": self.scope.by,
        }
        return {name: value for name, value in known.items() if name in self.declared} | dict(self.values)


def report(
    *, scope: Scope | None = None, destination: Destination | None = None, execution: Execution | None = None
) -> list[Result]:
    """Run a notebook once per market and language; write a page and its data for each, a record, an index.

    The data are counted once, for all runs; a market that fails keeps its last good report and stops no other one.

        rk.report(
            scope=rk.run.Scope("mycompany", as_of="2026-01-01", markets=["DK"]),
            destination=rk.run.Destination(Path("/srv/reports"), formats="html,json,xlsx"),
            execution=rk.run.Execution(workers=2),
        )

    Parameters
    ----------
    scope : what is reported; the sample, every market of it, where not given.
    destination : where the reports lie and as what; the project's `reports/` where not given.
    execution : how they are made: so many at a time, within which limits, telling whom; quietly where not given.

    Returns
    -------
    What came of each run, in order of notebooks and markets; with `resume` of those alone that were made now.

    Raises
    ------
    UsageError : data, a market, notebook, parameter, language, format or folder that cannot be used.
    DataError : data that cannot be counted.
    InterruptedRunError : Ctrl-C; record and index tell of what is there.
    """
    call, execution = _checked(scope or Scope(), destination or Destination()), execution or Execution()
    shard, progress = call.destination.shard, execution.progress or Quiet()
    with ExitStack() as stack:  # the pool imports while the data are counted
        pool = execution.pool or stack.enter_context(pool_for(call.notebook, say=progress.say))
        counted = _counted(call)
        for finding in counted.findings.rows:
            progress.remark(f"{finding.severity}: {finding.text}")
        runs = _runs(call, counted)
        for language in _without_catalog(runs):
            progress.remark(f"note: there is no catalog of '{language}'; its reports are in English")
        runs = part_of(runs, shard) if shard else runs
        results = _made(call, runs, execution=replace(execution, progress=progress, pool=pool))
        export(call.out, _written(runs, results), formats=call.formats)
        if results and not shard:
            join(call.out, results)
    progress.wrote(call.out if shard else call.out / "index.html")
    return results


def _reports_of(source: Source, segment: counts.Segment | None) -> Path:
    """Return the project's folder for the reports of a source, those of segments in one of their own."""
    reports = project_root() / "reports"
    own = reports if source.name == "sample" else reports / source.name
    if segment is None:
        return own
    words = "-".join(re.findall(r"[a-z0-9_]+", segment.told.lower()))[:40].strip("-")
    if words != segment.told:  # of an expression the words alone would not tell < from >
        words += f"-{hashlib.sha256(segment.sql.encode()).hexdigest()[:6]}"
    return own / f"{'by' if segment.is_split else 'where'}-{words}"


def _checked(scope: Scope, destination: Destination) -> _Call:
    """Return a call, all of it checked that can be without the data."""
    notebooks = data_root() / "notebooks"
    formats = asked_formats(destination.formats)
    source = _source(scope)
    as_of = ingest.observation_end(source, scope.as_of)
    path, path_of_group = scope.notebook or notebooks / "market_report.ipynb", notebooks / "group_report.ipynb"
    notebook = read_notebook(path)
    values = _values(notebook.parameters, scope.parameters)
    segment = counts.asked_segment(where=scope.where, by=scope.by, named=source.segments)
    if segment is not None and not {"where", "by"} <= notebook.parameters.keys():
        raise UsageError(
            f"The notebook '{notebook.name}' does not tell of segments.",
            found=f"parameters {listed(notebook.parameters)}",
            to_try="parameters where and by in it, handed to counts.counted as notebooks/market_report.ipynb does",
        )
    source.markets.refuse_unknown(scope.markets)
    if scope.by and GROUP in scope.markets:
        raise UsageError(
            "The overview compares markets, and tells of no segments.",
            found=f"by '{scope.by}'",
            to_try="where instead of by, or leave --market out: the index lists every segment's page",
        )
    return _Call(
        scope=scope,
        destination=destination,
        source=source,
        as_of=as_of,
        notebook=notebook,
        path=path,
        path_of_group=path_of_group if scope.notebook is None and path_of_group.is_file() else None,
        values=values,
        segment=segment,
        out=destination.out or _reports_of(source, segment),
        formats=formats,
    )


def _source(scope: Scope) -> Source:
    if not isinstance(scope.data, str):
        raise UsageError(
            "A report's notebooks open the data by themselves, by name or path.",
            found=f"a table in memory ({type(scope.data).__name__})",
            to_try="write it as a file, orders.parquet, and name its folder",
        )
    return ingest.source(
        scope.data, files=scope.files, unknown_markets=scope.unknown_markets, max_refused=scope.max_refused
    )


def _values(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters, texts as the types that are declared; refuse those that are set elsewhere."""
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    others = {name: value for name, value in given.items() if name not in texts}
    values = parsed(declared, texts) | checked(declared, others)
    for name in values:
        if name in _OPTIONS:
            raise UsageError(
                f"The parameter '{name}' is set by an option.", to_try=f"{_OPTIONS[name]} instead of -p {name}"
            )
    return values


def _counted(call: _Call) -> counts.Counted:
    """Count once, for all runs of a call: what its notebooks declare is asked for here, before they start."""
    counts.remember(call.source)
    of = {"segment": call.segment, "holdout_weeks": call.holdout_weeks}
    counted = counts.counted(call.source, as_of=call.as_of, grains=call.grains, **of)
    counted.prepare()
    if call.holdout_weeks is not None and not call.scope.by:
        from retention_kit.models import serialized_forecasts

        facts = {"markets": counted.of_group(), "as_of": counted.as_of, "min_cell": call.source.min_cell}
        counted.kept(serialized_forecasts, holdout_weeks=call.holdout_weeks, **facts)
    counted.close()
    return counted


def _runs(call: _Call, counted: counts.Counted) -> list[Run]:
    """Return the runs of the markets asked for, else of all with orders and of the group, in each one's languages."""
    for line in () if call.scope.markets else left_out(counted):
        print(line, file=sys.stderr)
    codes = reported(counted, call.scope.markets)
    if not call.scope.markets:
        is_group_told = call.path_of_group is not None and len(counted.markets) > 1 and not call.scope.by
        codes = (*codes, *((GROUP,) if is_group_told else ()))
    runs, files = [], file_names(codes)
    of_group = f"{GROUP_NAME}, {counted.segment}" if counted.segment else GROUP_NAME
    for code in codes:
        market, file = None if code == GROUP else counted.facts[code], files[code]
        run = Run(file, of_group if market is None else market.name, call.parameters(file))
        languages = _spoken(market, call.scope.language)
        runs += in_languages(run if file == code else replace(run, segment=code), languages)
    return runs


def _spoken(market: Market | None, asked: str | None) -> list[str]:
    """Return the languages of a market's report: the one asked for, else its first, and its others with a catalog."""
    if asked or market is None:  # the group has no language of its own
        return [asked or "en"]
    return [market.languages[0], *(code for code in market.languages[1:] if language_of(code).is_known)]


def _without_catalog(runs: Sequence[Run]) -> list[str]:
    """Return the languages that reports are asked for in and that are not spoken, each once."""
    return [language for language in dict.fromkeys(run.language for run in runs) if not language_of(language).is_known]


def _made(call: _Call, runs: Sequence[Run], *, execution: Execution) -> list[Result]:
    """Make the reports, of each notebook those of its markets, without those that are there where that is asked for."""
    results, of_data = [], {"out": call.out, "data_fingerprint": counts.fingerprint(call.source)}
    for path, mine in _by_notebook(call, runs):
        left = mine
        if call.destination.resume:
            left, n = unfinished(path, mine, **of_data), len(mine)
            there = f"{n - len(left)} of {n} reports are there"
            execution.progress.say(f"{there}, made of the same; --force makes them again.")
        if left:
            results += run_reports(path, left, **of_data, execution=execution, shard=call.destination.shard)
    return results


def _by_notebook(call: _Call, runs: Sequence[Run]) -> Iterator[tuple[Path, list[Run]]]:
    """Yield each notebook with the runs that it makes: the group's own where no other one was asked for."""
    of_group = [run for run in runs if call.path_of_group is not None and run.market == GROUP]
    of_markets = [run for run in runs if run not in of_group]
    for path, mine in ((call.path, of_markets), (call.path_of_group, of_group)):
        if mine and path is not None:
            yield path, mine


def _written(runs: Sequence[Run], results: Sequence[Result]) -> list[str]:
    """Return the markets whose reports are of this call, made now or found made: not those that failed."""
    failed = {result.market for result in results if result.status != "fresh"}
    return [run.market for run in runs if run.market not in failed]
