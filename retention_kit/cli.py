"""`retention-kit …`: reports, numbers, checks and the sample from the command line.

Exit code 0: all good; 1: some market failed, or the data cannot be counted; 2: the call cannot be carried out.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from retention_kit import __version__
from retention_kit.errors import KitError, UsageError, near_miss, shown

_Command = Callable[..., Any]
_Kind = TypeVar("_Kind")

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Kit(click.Group):
    """The group of commands: a mistyped one names its near miss, an error of ours is told as ours."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command; name the near miss of an unknown one."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = near_miss(name, self.list_commands(ctx))
            hint = f" Did you mean '{near}'?" if near else f" There are: {', '.join(self.list_commands(ctx))}."
            raise click.UsageError(f"There is no command '{name}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; end with the error's own text and exit code."""
        try:
            return super().invoke(ctx)
        except KitError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            name = Path(str(error.filename)).name if error.filename else "a file"
            click.echo(f"'{name}' cannot be read or written: {error.strerror or type(error).__name__}.", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("Stopped. What was ready is kept.", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Kit, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="retention-kit")
def main() -> None:
    """Customer retention, market by market.

    \b
    Examples:
      retention-kit report                               a report for every market of the sample
      retention-kit report --market DK --market NL       for these two only
      retention-kit metrics --market DK                  the headlines, without a report
      retention-kit check --file export.csv              what is in a file never seen, and a profile for it
    """


def _limit_memory(_ctx: click.Context, _param: click.Parameter, amount: str | None) -> None:
    """Limit the memory of the engines of this call and of the kernels it starts."""
    if amount is not None:
        from retention_kit.counts.engines import MEMORY_VARIABLE, memory_bytes

        memory_bytes(amount)
        os.environ[MEMORY_VARIABLE] = amount


def _options(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Return what adds several options to a command, in their order."""

    def added(function: _Command) -> _Command:
        for option in reversed(options):
            function = option(function)
        return function

    return added


_data_options = _options(
    click.option(
        "--data",
        default="sample",
        show_default=True,
        metavar="PROFILE_OR_FOLDER",
        help="Name of a profile in data/sources, path of a profile, or folder of tables.",
    ),
    click.option(
        "--file",
        "files",
        multiple=True,
        metavar="[TABLE=]PATH",
        help="File or glob of a table; the orders where no table is named. May be repeated.",
    ),
    click.option(
        "--unknown-markets",
        type=click.Choice(["fail", "ignore"]),
        default="fail",
        show_default=True,
        help="What to do with rows of a market that is not declared.",
    ),
    click.option(
        "--max-refused",
        type=click.FloatRange(0, 1),
        help="Share of rows that may be refused; the profile's, or 0.01.",
    ),
    click.option(
        "--memory",
        metavar="AMOUNT",
        expose_value=False,
        callback=_limit_memory,
        help="Memory for the embedded engine, such as 4GB; past it, it spills to disk. 60 % of the machine's, or "
        "what RETENTION_KIT_MEMORY says, where not given.",
    ),
)
_segment_options = _options(
    click.option(
        "--where",
        default="",
        metavar="SQL",
        help="Only customers of whom this is true at the first order, such as \"acquisition_channel = 'referral'\".",
    ),
    click.option(
        "--by", default="", metavar="SQL", help="Each value of a column or an expression, such as loyalty_tier, apart."
    ),
)
_as_of = click.option(
    "--as-of", metavar="DATE", help="First day not observed, such as 2026-01-01; the profile's where it names one."
)
_markets = click.option(
    "--market", "markets", multiple=True, metavar="CODE", help="A market; may be repeated. All where not given."
)


def _files(given: Sequence[str]) -> dict[str, str]:
    """Return the path or glob of each table that is given, the orders where no table is named."""
    named = [text.split("=", 1) if "=" in text else ["orders", text] for text in given]
    return {table: path and str(Path(path).absolute()) for table, path in named}


def _source(*, data: str, files: Sequence[str], **how: Any) -> Any:
    from retention_kit import ingest

    return ingest.source(data, files=_files(files), **how)


@main.command()
@_data_options
@_as_of
@_markets
@_segment_options
@click.option("--grain", default="month", show_default=True, help="Periods of cohorts and trends.")
@click.option("--base-grain", default="quarter", show_default=True, help="Periods of retention and churn.")
@click.option("--json", "as_json", is_flag=True, help="Print the machine-readable twin of the report.")
def metrics(
    *,
    as_of: str | None,
    markets: tuple[str, ...],
    where: str,
    by: str,
    grain: str,
    base_grain: str,
    as_json: bool,
    **data: Any,
) -> None:
    """Print the headlines of each market, with interval and n; no notebook is run.

    `--market ALL` is the group: a customer of two markets counts once.

    \b
    Examples:
      retention-kit metrics --market DK
      retention-kit metrics --market DK --by loyalty_tier
      retention-kit metrics --data online_retail --file online_retail.parquet --market GB --json
    """
    from retention_kit import counts, ingest
    from retention_kit.counts.reportable import left_out, reported
    from retention_kit.metrics import market_comparison, market_sheet
    from retention_kit.present import headlines, twin

    source = _source(**data)
    source.markets.refuse_unknown(markets)
    counts.remember(source)
    segment = counts.asked_segment(where=where, by=by, named=source.segments)
    until = ingest.observation_end(source, as_of)
    counted = counts.counted(source, as_of=until, grains=[grain, base_grain], segment=segment)
    for line in () if markets else left_out(counted):
        click.echo(line, err=True)
    facts = {"grain": grain, "base_grain": base_grain, "min_cell": source.min_cell}
    twins = []
    for code in reported(counted, markets):
        here = counted.of(code)
        known = counted.kept(market_comparison, markets=counted.beside(code), **facts)
        sheet = market_sheet(
            here.tables,
            market=here.market,
            refund_policy=source.refund_policy,
            as_of=counted.as_of,
            segment=counted.segment,
            **known,
            **facts,
        )
        if as_json:
            origin = {"data": source.name, "data_fingerprint": counts.fingerprint(source)}
            twins.append(twin.twin(sheet, **origin, findings=counted.findings.to_dicts()))
        else:
            click.echo(headlines.as_text(sheet))
    if as_json:
        click.echo(twin.to_json(twins[0] if len(twins) == 1 else twins), nl=False)


@main.command()
@_data_options
@_as_of
@_markets
@_segment_options
@click.option(
    "--notebook",
    type=click.Path(path_type=Path),
    help="Notebook to run per market; market_report.ipynb, and group_report.ipynb for all, where not given.",
)
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A parameter of the notebook.")
@click.option(
    "--language",
    help="Language of all reports, such as nl or pt-BR; each market's first language where not given. "
    "English where there is no catalog of it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the reports; reports/ for the sample, reports/<data> for other data, where not given.",
)
@click.option(
    "--format",
    "formats",
    default="html,json",
    show_default=True,
    metavar="LIST",
    help="Also csv and parquet, a file for each table in <market>.tables/; xlsx; pdf, which Chromium prints.",
)
@click.option("--workers", type=click.IntRange(1), help="Markets at a time; the number of cores where not given.")
@click.option(
    "--resume/--force",
    default=False,
    show_default=True,
    help="Leave out markets whose reports are there, made of the same data, notebook, parameters and code.",
)
@click.option("--shard", default="", metavar="K/N", help="Make the K-th of N parts; `retention-kit index` joins them.")
@click.option("--time-limit", type=click.FloatRange(1), metavar="SECONDS", help="For one market; half an hour.")
@click.option("--run-memory", metavar="AMOUNT", help="For one market, such as 4GB; its share of 60 % of the machine's.")
@click.option("--quiet", is_flag=True, help="Print nothing but what failed.")
@click.option("--json-log", is_flag=True, help="Print one JSON object a line.")
def report(**options: Any) -> None:
    """Run the notebook once per market, and write one page per market, one of all markets, and an index.

    Beside each page lies its machine-readable twin, <market>.json. A market that fails keeps its last good
    page, shows in the index with the reason, and stops no other one.

    \b
    Examples:
      retention-kit report
      retention-kit report --data mycompany --as-of 2026-01-01 --market DK --out /srv/reports
      retention-kit report -p grain week
      retention-kit report --by loyalty_tier             a page for each segment of each market
      retention-kit report --where "acquisition_channel = 'referral'"
      retention-kit report --format html,json,xlsx,pdf
      retention-kit report --notebook notebooks/mine.ipynb -p horizon_days 60
      retention-kit report --resume                      only what an earlier call did not come to
      retention-kit report --shard 2/5 --out /srv/all    then, once: retention-kit index /srv/all
    """
    from retention_kit import run

    asked = options | {
        "files": _files(options["files"]),
        "parameters": dict(options["parameters"]),
        "limits": _limits(options["time_limit"], options["run_memory"], workers=options["workers"]),
        "progress": run.progress_for(quiet=options["quiet"], json_log=options["json_log"]),
    }
    results = run.report(
        scope=_of(run.Scope, asked), destination=_of(run.Destination, asked), execution=_of(run.Execution, asked)
    )
    sys.exit(run.exit_code(results))


def _of(kind: type[_Kind], options: Mapping[str, Any]) -> _Kind:
    """Return what a call takes together, of the options by the names of its fields."""
    return kind(**{field.name: options[field.name] for field in fields(kind) if field.name in options})


def _limits(seconds: float | None, memory: str | None, *, workers: int | None) -> Any:
    from retention_kit import run
    from retention_kit.counts.engines import memory_bytes

    n_bytes = memory_bytes(memory) if memory else run.share_of_memory(workers or os.cpu_count() or 1)
    return run.Limits(seconds or run.LIMIT_SECONDS, n_bytes=n_bytes)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def index(*, folder: Path | None) -> None:
    """Write the index of a folder of reports anew, of all that several machines have put there by --shard.

    \b
    Examples:
      retention-kit index
      retention-kit index /srv/reports
    """
    from retention_kit import run
    from retention_kit.config import project_root

    folder = folder or project_root() / "reports"
    n = run.write_index_of_all(folder)
    click.echo(f"{folder / 'index.html'}: {n} market{'s' if n != 1 else ''}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 for any that is free.")
def serve(*, folder: Path | None, port: int) -> None:
    """Show a folder of reports in the browser of this machine, and of no other.

    \b
    Examples:
      retention-kit serve
      retention-kit serve reports/mycompany --port 0
    """
    from retention_kit.config import project_root
    from retention_kit.run.serve import serve as serve_reports

    serve_reports(folder or project_root() / "reports", port=port, say=click.echo)


@main.command("new-notebook")
@click.argument("question")
def new_notebook(*, question: str) -> None:
    """Start a notebook for a question of your own: in house style, run on the sample, ready for `report --notebook`.

    \b
    Examples:
      retention-kit new-notebook "Do members order more?"
      retention-kit report --notebook notebooks/do_members_order_more.ipynb --market DK
    """
    from retention_kit.config import project_root
    from retention_kit.run.questions import new_question

    path = new_question(question, folder=project_root() / "notebooks")
    click.echo(f"{path}\n`jupyter lab` opens it; `make notebooks` stores what it shows after a change.")


@main.command()
@click.argument("kind", type=click.Choice(["cron", "github", "airflow"]))
def schedule(*, kind: str) -> None:
    """Print an example of how reports are made by themselves, to be copied and changed.

    \b
    Examples:
      retention-kit schedule cron
      retention-kit schedule github > .github/workflows/retention.yml
      retention-kit schedule airflow > dags/retention.py
    """
    from retention_kit.run.schedules import example

    click.echo(example(kind), nl=False)


@main.command()
@_data_options
@_as_of
@click.option(
    "--grain", "grains", multiple=True, help="Length of a period; may be repeated. Month and quarter where not given."
)
def count(*, as_of: str | None, grains: tuple[str, ...], **data: Any) -> None:
    """Count the data once, for all markets, and keep the counts: reports and metrics then read them.

    On data that were counted before, nothing is counted.

    \b
    Examples:
      retention-kit count
      retention-kit count --data mycompany --as-of 2026-01-01 --grain week --grain quarter
    """
    from retention_kit import counts, ingest

    source = _source(**data)
    counted = counts.counted(source, as_of=ingest.observation_end(source, as_of), grains=grains or ["month", "quarter"])
    counted.prepare()
    for name in counts.COUNTS_TABLES:
        click.echo(f"{name:18} {len(counted.tables[name]):>9,} rows")


@main.command()
@_data_options
def check(*, data: str, files: tuple[str, ...], unknown_markets: str, max_refused: float | None) -> None:
    """Print everything that is found in the data, at once and with counts; propose a profile for a new file.

    With --file and no --data, the file is one never seen: a profile is proposed, to be read and corrected,
    and kept as data/sources/<name>.toml.

    \b
    Examples:
      retention-kit check                                        the sample
      retention-kit check --data online_retail --file online_retail.parquet
      retention-kit check --file export.csv > data/sources/mine.toml
    """
    from retention_kit import ingest

    if files and click.get_current_context().get_parameter_source("data") is ParameterSource.DEFAULT:
        for path in files:
            click.echo(ingest.propose(Path(path)), nl=False)
        return
    source = _source(data=data, files=files, unknown_markets=unknown_markets, max_refused=max_refused)
    found = ingest.check(source) if source.engine is None else _checked_there(source)
    click.echo(found.text())
    sys.exit(0 if found.ok else 1)


def _checked_there(source: Any) -> Any:
    """Return what a check finds in the tables of an engine."""
    from retention_kit import counts, ingest

    with counts.engine_of(source.engine) as engine:
        return ingest.check(source, engine=engine)


@main.command()
@click.option("--data", default="sample", show_default=True, metavar="PROFILE_OR_FOLDER", help="Whose markets.")
def markets(*, data: str) -> None:
    """List the declared markets: code, name, languages, currency, time zone, activity window.

    \b
    Examples:
      retention-kit markets
      retention-kit markets --data online_retail
    """
    from retention_kit.ingest import declared_markets

    rows = [
        (m.code, shown(m.name), " ".join(m.languages), m.currency, m.time_zone, f"{m.activity_window_days} days")
        for m in declared_markets(data).values()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@main.command()
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write to; data/sample where not given.")
@click.option("--seed", type=int, default=None, help="Seed of the simulation.")
@click.option("--orders", type=click.IntRange(1), help="Write only orders, so many of them, for a benchmark.")
@click.option("--n-markets", type=click.IntRange(1), default=40, show_default=True, help="Markets of the benchmark.")
def sample(*, to: Path | None, seed: int | None, orders: int | None, n_markets: int) -> None:
    """Write the simulated company: the sample, or, with --orders, a large one for benchmarks.

    \b
    Examples:
      retention-kit sample
      retention-kit sample --orders 10000000 --to /tmp/large
    """
    from retention_kit.config import project_root
    from retention_kit.simulate.benchmark import write_orders
    from retention_kit.simulate.sample import write_sample

    seeded = {} if seed is None else {"seed": seed}
    if orders is None:
        folder = to or project_root() / "data" / "sample"
        write_sample(folder, **seeded)
    else:
        if to is None:
            raise UsageError("A benchmark's orders need a folder.", to_try="--to FOLDER")
        folder = to
        write_orders(folder, n_orders=orders, n_markets=n_markets, **seeded)
    click.echo(str(folder))


@main.command()
@click.argument("name", required=False)
@click.option("--dialect", default="duckdb", show_default=True, help="postgres, spark, bigquery, snowflake, trino, …")
def sql(*, name: str | None, dialect: str) -> None:
    """Print a counting file as SQL of an engine; list the files where no NAME is given.

    \b
    Examples:
      retention-kit sql
      retention-kit sql cohort_counts --dialect postgres
    """
    from retention_kit import counts

    click.echo(counts.sql(name, dialect=dialect).rstrip() if name else "\n".join(counts.FILES))
