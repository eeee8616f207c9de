"""From a source to its counts tables: one pass over the data, for all markets and the group together."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import sqlglot
from babel.numbers import get_currency_precision

from retention_kit.config import GROUP, GROUP_NAME, Market, project_root
from retention_kit.counts import prelude, store
from retention_kit.counts.database import load_in
from retention_kit.counts.engines import DuckDB, Engine, engine_of
from retention_kit.errors import DataError, UsageError, unknown_name
from retention_kit.ingest import Findings, Source, load
from retention_kit.periods import GRAINS

GUIDE_TABLES = (
    "cohort_counts",
    "last_seen_counts",
    "activity_counts",
    "order_counts",
    "gap_counts",
    "lifetime_counts",
    "rfm_counts",
    "revenue_counts",
)
"""The eight tables that most metrics take; counted for each market and for the group."""

COUNTS_TABLES = (
    *GUIDE_TABLES,
    "return_counts",
    "window_counts",
    "retained_revenue_counts",
    "converted_counts",
    "mover_counts",
    "bucket_counts",
    "period_bucket_counts",
    "cut_counts",
    "experiment_counts",
    "experiment_bucket_counts",
    "uplift_counts",
    "answer_counts",
    "answering_counts",
    "strategy_counts",
    "service_counts",
    "acquisition_counts",
    "left_out_counts",
)
"""The tables that leave the engine; each is described at the top of its SQL file."""

FURTHER_TABLES = ("age_bucket_counts",)
"""Those that no report reads: counted where they are named."""

PURCHASE_TABLES = ("holdout_counts", "spend_counts", "repeat_spend_counts", "renewal_counts")
"""Those that models of purchase and renewal need besides: counted where a hold-out is asked for."""

FILES = tuple(
    sorted(file.name.removesuffix(".sql") for file in files(__package__).iterdir() if file.name.endswith(".sql"))
)
"""The counting files by name: the tables that leave the engine, and those they share in it."""

_SHARED = (
    "order_days",
    "customer_totals",
    "customer_periods",
    "step_cells",
    "cohort_cells",
    "coverage_cells",
    "contract_cells",
    "last_periods",
)
_OF_THE_GROUP = (
    *GUIDE_TABLES,
    "return_counts",
    "window_counts",
    "retained_revenue_counts",
    "bucket_counts",
    "period_bucket_counts",
)
_IN_BUCKETS = {"bucket_counts", "period_bucket_counts", "age_bucket_counts", "retained_revenue_counts"}
_OF_CUSTOMERS = (*_OF_THE_GROUP, "age_bucket_counts", "cut_counts", "strategy_counts", *PURCHASE_TABLES)
"""Tables that are sums over customers, each of whom is counted by his own entries alone."""
_OF_RAW_TABLES = ("cut_counts", "strategy_counts")
"""Of these, the tables that ask the orders for what the ledger leaves out."""
_EDGES = [0, *(step * 10**n for n in range(18) for step in (1, 2, 5))]
BASKETS = [{"least_minor": edge, "beyond_minor": beyond} for edge, beyond in pairwise(_EDGES)]
"""The brackets of baskets in which customers are alike: from so many minor units up to so many, exclusive."""
_OF_EXPERIMENTS = {"experiment_counts", "experiment_bucket_counts", "uplift_counts"}
_OF_HOMES = _OF_EXPERIMENTS | {"answer_counts", "answering_counts", "service_counts"}
_KEYS = {
    "strategy",
    "basket",
    "acquisition_channel",
    "language",
    "market",
    "grain",
    "cohort",
    "age",
    "last_age",
    "rule",
    "period",
    "nth",
    "gap_days",
    "kind",
    "duration_days",
    "frequency",
    "recency",
    "unit_days",
    "n_days",
    "spend_bin",
    "bucket",
    "from_day",
    "to_day",
    "before_day",
    "observed_day",
    "window_days",
    "cut",
    "landmark_days",
    "value",
    "horizon_days",
    "holdouts_ago",
    "renewals",
    "ahead",
}
_FLAGS = {"complete": "min", "left_truncated": "max", "first_day": "min", "next_day": "max"}
_MONEY_SUFFIX = "_minor"


@dataclass(frozen=True)
class MarketCounts:
    """The counts tables of one market, or of the group: integers only."""

    market: Market
    as_of: str
    tables: Mapping[str, pd.DataFrame]
    findings: Findings
    source: Source

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name in (*COUNTS_TABLES, *FURTHER_TABLES, *PURCHASE_TABLES) and name in self.tables:
            return self.tables[name]
        raise AttributeError(name)


@dataclass(frozen=True)
class Counted:
    """The counts tables of all markets, as of one instant; `folder` of the store they are kept in, if they are."""

    source: Source
    as_of: str
    tables: Mapping[str, pd.DataFrame]
    findings: Findings
    folder: Path | None = None

    def kept(self, made: Callable[..., Mapping[str, pd.DataFrame]], **facts: Any) -> Mapping[str, pd.DataFrame]:
        """Return tables that are made of the counts of all markets, and kept beside them: they are made only once.

        What compares markets, or fits them together, is the same in the report of each.

        Parameters
        ----------
        made : a function of a module; it takes `tables`, and `facts` by name.
        facts : what it is told besides; told otherwise, or changed itself, it makes its tables anew.
        """
        if self.folder is None:
            return made(self.tables, **facts)
        folder = self.folder / "made" / store.key_of(made, facts)
        found = store.read(folder)
        if found is None:
            tables = dict(made(self.tables, **facts))
            store.write(folder, tables, Findings())
            return tables
        return found[0]

    @property
    def markets(self) -> tuple[str, ...]:
        """Return the codes of the markets with at least one kept order, as `markets.toml` orders them."""
        orders = self.tables["order_counts"]
        counted = set(orders.loc[orders["n_orders"] > 0, "market"])
        return tuple(code for code in self.source.markets if code in counted)

    def of(self, market: str) -> MarketCounts:
        """Return the counts of one market; `ALL` for the group.

        Raises
        ------
        UsageError : the market is not declared (names the near miss).
        DataError : it is declared and has no kept order before `as_of`.
        """
        known = self._group() if market == GROUP else self.source.markets[market]
        if market != GROUP and market not in self.markets:
            raise DataError(
                f"{known.name} ({market}) has no kept order before {self.as_of}.",
                found=f"orders in {', '.join(self.markets)}",
                to_try="another market, or a later as_of",
            )
        tables = store.rows_of(self.tables, market)
        if market == GROUP and not self._one_money:
            tables = {
                name: table.drop(columns=[column for column in table if column.endswith(_MONEY_SUFFIX)])
                for name, table in tables.items()
            }
        return MarketCounts(known, self.as_of, tables, self.findings, self.source)

    def of_group(self, market: str = GROUP) -> dict[str, Market]:
        """Return the markets with orders, by code: what the group is made of.

        Raises
        ------
        UsageError : another market than the group is asked for.
        """
        if market != GROUP:
            raise UsageError(
                f"The report of all markets cannot be of '{market}'.",
                to_try="notebooks/market_report.ipynb, which is of one",
            )
        return {code: self.source.markets[code] for code in self.markets}

    @property
    def group_money(self) -> tuple[str, int] | None:
        """Return the group's currency and its minor units in a unit; None where the profile names none of several."""
        currency = prelude.group_currency(self.source, set(self.markets))
        if currency is None:
            return None
        own = {market.currency: market.minor_per_unit for market in self.source.markets.values()}
        return currency, own.get(currency, 10 ** get_currency_precision(currency))

    @property
    def _one_money(self) -> bool:
        markets = [self.source.markets[code] for code in self.markets]
        return len({(market.currency, market.minor_per_unit) for market in markets}) == 1

    def _group(self) -> Market:
        markets = [self.source.markets[code] for code in self.markets]
        return markets[0].model_copy(
            update={
                "code": GROUP,
                "name": GROUP_NAME,
                "activity_window_days": max(market.activity_window_days for market in markets),
                "lifespan": None,
                "gross_margin": None,
                "acquisition_cost": None,
            }
        )


def counted(source: Source, *, as_of: str, grains: Sequence[str], holdout_weeks: int | None = None) -> Counted:
    """Return the counts of all markets, read from the project's store, where they are counted only once.

    Parameters and errors as of `count`. The store is the folder `reports/.counts` of the project.
    """
    asked = as_of if holdout_weeks is None else f"{as_of}, {holdout_weeks} weeks held out"
    folder = project_root() / "reports" / ".counts" / store.key(source, as_of=asked, grains=grains)
    kept = store.read(folder, _asked(COUNTS_TABLES, holdout_weeks))
    if kept is not None:
        return Counted(source, as_of, *kept, folder)
    fresh = count(source, as_of=as_of, grains=grains, holdout_weeks=holdout_weeks)
    store.write(folder, fresh.tables, fresh.findings)
    return replace(fresh, folder=folder if folder.is_dir() else None)


def count(
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    tables: Sequence[str] = COUNTS_TABLES,
    holdout_weeks: int | None = None,
) -> Counted:
    """Return the counts of all markets, counted now.

    Parameters
    ----------
    source : from `ingest.source`.
    as_of : first instant not observed; a date is local midnight in each market.
    grains : lengths of the periods to count, of day, week, month, quarter, year.
    tables : which of `COUNTS_TABLES` and `FURTHER_TABLES` to count; all of the former where not given.
    holdout_weeks : weeks before `as_of` that are held out, for a forecast made then to be held against; with it
        `PURCHASE_TABLES` are counted too.

    Raises
    ------
    UsageError : an unknown grain, an `as_of` that is no date or lies before the data, a hold-out of less than a week.
    DataError : too many refused rows, a missing exchange rate, no order.
    """
    with _opened(source) as engine:
        findings = _loaded(engine, source)
        asked = {"as_of": as_of, "grains": grains, "tables": tables, "holdout_weeks": holdout_weeks}
        found = counts_in(engine, source, **asked)
    return Counted(source, as_of, found, findings)


def _asked(tables: Sequence[str], holdout_weeks: int | None) -> tuple[str, ...]:
    """Return the tables to count: those asked for, and those of a hold-out where there is one."""
    return (*tables, *(PURCHASE_TABLES if holdout_weeks is not None else ()))


def _opened(source: Source) -> Engine:
    """Return the engine that counts a source: the one that holds its tables, else an embedded one."""
    return DuckDB() if source.engine is None else engine_of(source.engine)


def _loaded(engine: Engine, source: Source) -> Findings:
    """Create the typed tables of a source in its engine, and return what was found."""
    return load(source, engine.connection) if source.engine is None else load_in(engine, source)


def counts_in(
    engine: Engine,
    source: Source,
    *,
    as_of: str,
    grains: Sequence[str],
    tables: Sequence[str] = COUNTS_TABLES,
    holdout_weeks: int | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the counts tables of all markets and the group, from the typed tables that an engine holds."""
    for table in tables:
        if table not in (known := (*COUNTS_TABLES, *FURTHER_TABLES)):
            raise unknown_name("counts table", table, known)
    if holdout_weeks is not None:
        prelude.hold_out(engine, holdout_weeks)
        prelude.load_bins(engine)
    tables = _asked(tables, holdout_weeks)
    _ledger(engine, source, as_of=as_of, grains=grains)
    if _OF_HOMES & set(tables):
        engine.create("customer_homes", sql("customer_homes"))
    if _OF_EXPERIMENTS & set(tables):
        engine.create("assigned_customers", sql("assigned_customers"))
        bucket = f"{_BUCKETS[engine.dialect]} % 200 AS bucket"
        engine.create(
            "assigned_buckets", f"SELECT customer_id, {bucket} FROM (SELECT DISTINCT customer_id FROM assignments) AS a"
        )
    found = {table: engine.collect(sql(table)) for table in tables if table not in _OF_CUSTOMERS}
    if not set(tables) & set(_OF_RAW_TABLES):
        engine.drop("orders")
    if "strategy_counts" in tables:
        engine.load_rows("baskets", BASKETS)
    engine.create("contracts", _CONTRACTS)
    engine.create("running_days", _RUNNING)
    if _IN_BUCKETS & set(tables):
        engine.create(
            "customer_buckets", f"SELECT customer, {_BUCKETS[engine.dialect]} % 200 AS bucket FROM customer_keys"
        )
    of_customers = [table for table in tables if table in _OF_CUSTOMERS]
    found |= _by_parts(engine, of_customers, n_parts=engine.n_parts("ledger"))
    of_the_group = [table for table in _OF_THE_GROUP if table in tables]
    for table, rows in _group(engine, {table: found[table] for table in of_the_group}).items():
        found[table] = pd.concat([found[table], rows], ignore_index=True)
    return {table: found[table] for table in tables}


def _by_parts(engine: Engine, tables: Sequence[str], *, n_parts: int) -> dict[str, pd.DataFrame]:
    """Return the tables that are sums over customers, a part of the customers at a time; and create `moved`.

    Counts of disjoint customers add up: what is shared is as large as a part of the ledger, however large that is.
    `moved` is the ledger of the customers of more than one market.
    """
    if n_parts == 1:
        return _of_part(engine, tables, "moved")
    engine.rename("ledger", "whole_ledger")
    parts = []
    for nth in range(n_parts):
        engine.create("ledger", f"SELECT * FROM whole_ledger WHERE customer % {n_parts} = {nth}")
        parts.append(_of_part(engine, tables, f"moved_{nth}"))
        engine.create("contracts", _NO_CONTRACTS)  # they are of no part, and were counted with the first
        engine.create("running_days", _NOBODY_RUNNING)
    engine.create("moved", " UNION ALL ".join(f"SELECT * FROM moved_{nth}" for nth in range(n_parts)))
    engine.drop("whole_ledger")
    return {table: _summed([part[table] for part in parts]) for table in tables}


def _of_part(engine: Engine, tables: Sequence[str], moved: str) -> dict[str, pd.DataFrame]:
    """Return the tables of the customers whose ledger lies in the engine; and create the ledger of its movers."""
    _share(engine)
    if set(_OF_RAW_TABLES) & set(tables):
        engine.create("customer_facts", sql("customer_facts"))
    found = {table: engine.collect(sql(table)) for table in tables}
    movers = "SELECT customer FROM customer_totals GROUP BY customer HAVING COUNT(*) > 1"
    engine.create(moved, f"SELECT l.* FROM ledger AS l JOIN ({movers}) AS m ON m.customer = l.customer")
    return found


_CONTRACTS = "SELECT market, started_us, ended_us, period FROM subscriptions"
_NO_CONTRACTS = f"{_CONTRACTS} WHERE 1 = 0"
_RUNNING = "SELECT market, customer_id, start_day, end_day FROM contract_days"
_NOBODY_RUNNING = f"{_RUNNING} WHERE 1 = 0"
_RUNNING_IN_SEVERAL = """
    SELECT {market} AS market, d.customer_id, d.start_day, d.end_day
    FROM contract_days AS d
    JOIN (SELECT customer_id FROM contract_days GROUP BY customer_id HAVING COUNT(DISTINCT market) > 1) AS s
        ON s.customer_id = d.customer_id
"""
"""Subscriptions of customers who have them in several markets: each active once in the group."""
_BUCKETS = {
    "duckdb": "('0x' || SUBSTR(MD5(customer_id), 1, 7))::BIGINT",
    "postgres": "CAST(CAST(('x' || SUBSTR(MD5(customer_id), 1, 7)) AS BIT(28)) AS BIGINT)",
    "spark": "CAST(CONV(SUBSTR(MD5(customer_id), 1, 7), 16, 10) AS BIGINT)",
}
"""How each engine throws customers into buckets: the first 28 bits of the MD5 of the id, by 200."""


def engine(source: Source, *, as_of: str, grains: Sequence[str]) -> Engine:
    """Return an engine with the loaded tables, `ledger`, `customer_totals` and `customer_facts`: for one's own cut.

    Rows of customers stay in it: count there, and bring the counts out through `collect`.
    """
    opened = _opened(source)
    _loaded(opened, source)
    _ledger(opened, source, as_of=as_of, grains=grains)
    opened.create("contracts", _CONTRACTS)
    opened.create("running_days", _RUNNING)
    _share(opened)
    opened.create("customer_facts", sql("customer_facts"))
    return opened


def sql(name: str, *, dialect: str = "duckdb") -> str:
    """Return a counting file as SQL of an engine: 'duckdb', 'postgres', 'spark', 'bigquery', 'snowflake', 'trino'.

    Raises
    ------
    UsageError : no such file, or an engine that SQLGlot does not know; both name the near miss.
    """
    if name not in FILES:
        raise unknown_name("counting file", name, FILES)
    text = (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")
    if dialect == "duckdb":
        return text
    if dialect not in sqlglot.Dialect.classes:
        raise unknown_name("SQL dialect", dialect, sorted(filter(None, sqlglot.Dialect.classes)))
    return sqlglot.transpile(text, read="duckdb", write=dialect, pretty=True)[0]


def _ledger(engine: Engine, source: Source, *, as_of: str, grains: Sequence[str]) -> None:
    grains = tuple(dict.fromkeys(grains))
    for grain in grains:
        if grain not in GRAINS:
            raise unknown_name("grain", grain, GRAINS)
    prelude.complete_tables(engine)
    prelude.prepare(engine, source, as_of=as_of, grains=grains)
    orders = prelude.keyed_orders(engine)
    ledger = _after("keyed_orders", orders, sql("ledger"))
    if source.refund_policy == "processed":
        refunds = _after("keyed_orders", orders, sql("refunds"))
        ledger = f"SELECT * FROM ({ledger}) AS kept UNION ALL SELECT * FROM ({refunds}) AS refunded"
    engine.create("ledger", ledger)
    _refuse_missing_rates(engine)
    prelude.observe_history(engine, source)
    engine.create("contract_days", sql("contract_days"))


def _after(name: str, query: str, text: str) -> str:
    """Return a counting file with one more named query before its first."""
    return re.sub("^WITH ", lambda _: f"WITH {name} AS ({query}),\n", text, count=1, flags=re.MULTILINE)


def _share(engine: Engine) -> None:
    """Create what several counts tables need, once."""
    for name in _SHARED:
        engine.create(name, sql(name))


def _group(engine: Engine, found: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the rows of the group: the markets' counts added up, its movers counted once instead of in each market.

    Counts of disjoint customers add up; who ordered in one market only is in one market's counts only.
    """
    engine.create("contracts", _NO_CONTRACTS)  # a contract is of one market: nothing to take back
    engine.create("running_days", _RUNNING_IN_SEVERAL.format(market="d.market"))
    engine.create("ledger", "SELECT * FROM moved")
    ((n_twice,),) = engine.values(
        "SELECT (SELECT COUNT(*) FROM ledger) + (SELECT COUNT(*) FROM running_days) AS n_twice"
    )
    twice = {table: rows.head(0) for table, rows in found.items()}
    if n_twice:
        _share(engine)
        twice = {table: engine.collect(sql(table)) for table in found}
    # an order in a market with a short window does not end what one in a market with a long window has begun
    covered_day = (
        "MAX(CASE WHEN n_orders = 1 THEN covered_day END) OVER (PARTITION BY customer ORDER BY day) AS covered_day"
    )
    columns = f"customer, us, local_us, day, {covered_day}, n_orders, gross_minor, refunded_minor"
    engine.create("ledger", f"SELECT '{GROUP}' AS market, {columns} FROM moved")
    engine.create("running_days", _RUNNING_IN_SEVERAL.format(market=f"'{GROUP}'"))
    prelude.group_of(engine)
    _share(engine)
    once = {table: engine.collect(sql(table)) for table in found}
    added = {table: _added(found[table], less=twice[table], plus=once[table]) for table in found}
    if "cohort_counts" in added:
        added["cohort_counts"] = _cells_of_the_group(engine, added["cohort_counts"])
    return added


def _cells_of_the_group(engine: Engine, cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Return a cell for every period since each cohort of the group, over when it is over in every market.

    A cohort that only movers made, in a later market of theirs, is none of the group's.
    """
    periods = engine.collect(
        "SELECT p.grain, p.period, CASE WHEN p.next_day <= m.as_of_day THEN 1 ELSE 0 END AS complete "
        "FROM periods AS p JOIN markets AS m ON p.first_day < m.observed_to_day"
    )
    cohorts = cohort_counts.query("age == 0 and n_active > 0")[["market", "grain", "cohort", "left_truncated"]]
    cells = cohorts.merge(periods, on="grain").query("period >= cohort").assign(age=lambda c: c["period"] - c["cohort"])
    numbers = cohort_counts.drop(columns=["complete", "left_truncated"])
    filled = cells.merge(numbers, on=["market", "grain", "cohort", "age"], how="left").fillna(0)[list(cohort_counts)]
    types = {column: "int64" for column in filled if column not in ("market", "grain")}
    return filled.astype(types).sort_values(["grain", "cohort", "age"], ignore_index=True)


def _added(table: pd.DataFrame, *, less: pd.DataFrame, plus: pd.DataFrame) -> pd.DataFrame:
    """Return the group's rows of a table: the markets' added up, less the movers in each, plus the movers once."""
    numbers = _numbers(table)
    signed = [table, less.assign(**{column: -less[column] for column in numbers}), plus]
    summed = _summed([rows.assign(market=GROUP) for rows in signed])
    if not set(table) & set(_FLAGS):  # a sparse table has no row where nobody is
        summed = summed[(summed[numbers] != 0).any(axis=1)].reset_index(drop=True)
    return summed


def _summed(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the counts of disjoint customers added up, in the order of their keys."""
    table = pd.concat(tables)
    keys = [column for column in table if column in _KEYS]
    how = {column: _FLAGS.get(column, "sum") for column in table if column not in _KEYS}
    return table.groupby(keys, as_index=False, sort=True, dropna=False).agg(how)[list(table)]


def _numbers(table: pd.DataFrame) -> list[str]:
    return [column for column in table if column not in _KEYS and column not in _FLAGS]


def _refuse_missing_rates(engine: Engine) -> None:
    missing = engine.values(
        "SELECT market, COUNT(*) AS n FROM ledger WHERE gross_minor IS NULL GROUP BY market ORDER BY market"
    )
    if missing:
        raise DataError(
            "Some orders are in a currency with no exchange rate on their day or the seven days before it.",
            found="; ".join(f"{n:,} orders in {market}" for market, n in missing),
            to_try="add their rates to exchange_rates, for the order's currency and the market's",
        )
