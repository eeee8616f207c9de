"""An engine with a company's tables in it, which counts what it is asked for, with no more than that takes.

What several counts tables share is made once, when the first of them is asked for. The same session counts as of
another day, by another grain, window or segment without reading the data again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self
from weakref import finalize

import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.counts import prelude
from retention_kit.counts.engines import DuckDB, Engine, engine_of
from retention_kit.counts.files import FILES, header, reads, reads_of, sql, summed
from retention_kit.counts.segments import ORDERS, Segment, SegmentMarkets, apply, restore, tables_of
from retention_kit.errors import DataError, KitError, UsageError, unknown_name
from retention_kit.ingest import Findings, Source
from retention_kit.ingest.loading import loaded
from retention_kit.ingest.tables import TABLES
from retention_kit.periods import GRAINS

_SHARED = (
    "order_days",
    "customer_totals",
    "customer_periods",
    "step_cells",
    "cohort_cells",
    "coverage_cells",
    "contract_cells",
    "last_periods",
    "customer_facts",
    "customer_homes",
    "assigned_customers",
)
"""Counting files whose tables stay in the engine, in the order in which they may read each other."""
_FURTHER = ("customer_buckets", "assigned_buckets", "baskets")
"""What else is made where a file reads it."""
_NOT_OF_CUSTOMERS = (
    "converted_counts",
    "mover_counts",
    "experiment_counts",
    "experiment_bucket_counts",
    "uplift_counts",
    "answer_counts",
    "answering_counts",
    "service_counts",
    "acquisition_counts",
    "left_out_counts",
)
"""Tables that are no sums over customers by their own entries alone: of all customers at once, and not of the group."""
_MOST_SEGMENTS = 2000
_EDGES = [0, *(step * 10**n for n in range(18) for step in (1, 2, 5))]
_BASKETS = [{"least_minor": edge, "beyond_minor": beyond} for edge, beyond in pairwise(_EDGES)]
"""The brackets of baskets in which customers are alike: from so many minor units up to so many, exclusive."""
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
_CALENDAR = frozenset({"period_days", "periods"})
"""Tables by which a counting file depends on the lengths of periods."""
_MOVERS = (
    "SELECT l.* FROM ledger AS l JOIN (SELECT customer FROM (SELECT DISTINCT customer, market FROM ledger) AS d "
    "GROUP BY customer HAVING COUNT(*) > 1) AS m ON m.customer = l.customer"
)
"""The ledger of the customers of more than one market."""


@dataclass(frozen=True)
class Asked:
    """What counts are of: as of which instant, by which periods, with which markets' windows, held out or not."""

    as_of: str
    grains: tuple[str, ...]
    markets: Mapping[str, Market]
    holdout_weeks: int | None = None
    segment: Segment | None = None
    activity: str = ORDERS

    @property
    def state(self) -> tuple[Any, ...]:
        """Return what the tables in the engine depend on, but those of periods."""
        windows = tuple((code, market.activity_window_days) for code, market in self.markets.items())
        return self.as_of, windows, self.holdout_weeks, self.segment, self.activity


class Session:
    """An engine with the typed tables of a source, opened and loaded when something is first counted.

    Parameters
    ----------
    source : from `ingest.source`.
    engine : one that holds the typed tables already, where there is one.
    """

    def __init__(self, source: Source, *, engine: Engine | None = None) -> None:
        self.source = source
        self._forget()
        self._engine = engine
        if engine is not None:
            self._loaded = {name: [] for name in TABLES}

    def _forget(self) -> None:
        self._engine: Engine | None = None
        self._closed: finalize | None = None
        self._loaded: dict[str, list[str]] = {}
        self._found: list[Findings] = []
        self._state: tuple[Any, ...] = ()
        self._grains: tuple[str, ...] = ()
        self._days = range(0)
        self._scope, self._made = "", set[str]()
        self._rewritten: list[str] = []

    @property
    def engine(self) -> Engine:
        """Return the engine: the one that holds the source's tables, else an embedded one."""
        if self._engine is None:
            self._engine = DuckDB() if self.source.engine is None else engine_of(self.source.engine)
            self._closed = finalize(self, self._engine.close)  # a session that nobody has any more keeps no connection
        return self._engine

    @property
    def findings(self) -> Findings:
        """Return everything found while reading: every table is read for it.

        Raises
        ------
        DataError : as of `ingest.load`.
        """
        self.load(self.source.tables)
        rows = {(one.table, one.reason, one.column): one for found in self._found for one in found.rows}
        order = {
            name: nth for nth, name in enumerate(dict.fromkeys(("exchange_rates", "orders", "customers", *TABLES)))
        }
        told = tuple(sorted(rows.values(), key=lambda one: order[one.table]))
        return Findings(told, self.source.max_refused, dict(self.source.profile.expected), self.source.where)

    def load(self, tables: Iterable[str]) -> None:
        """Load these of the source's tables that are not there yet; orders first, with the rates they take.

        Raises
        ------
        DataError : as of `ingest.load`.
        """
        wanted = {"orders", "exchange_rates", *tables} & set(self.source.tables)
        missing = [name for name in self.source.tables if name in wanted and name not in self._loaded]
        if not missing:
            return
        self._leave()
        if self._rewritten:
            self._restore()
            self._state = ()
        try:
            findings, wrong = loaded(self.engine, self.source, only=missing, before=self._loaded)
            for error in wrong:
                raise error
        except KitError:
            self.close()  # data that cannot be counted hold no file and no connection
            raise
        self._loaded |= {name: list(columns) for name, columns in findings.columns.items()}
        self._found.append(findings)
        prelude.complete_tables(self.engine)
        if "subscriptions" in missing:  # the days they run are worked out once
            self._state = ()

    def markets(self, asked: Asked) -> set[str]:
        """Return the codes of the markets with at least one kept order."""
        self._enter(asked, ())
        self._in("whole")
        return {code for (code,) in self.engine.values("SELECT DISTINCT market FROM ledger WHERE n_orders > 0")}

    def counts(self, names: Sequence[str], asked: Asked) -> dict[str, pd.DataFrame]:
        """Return counts tables of all markets, without the rows of the group."""
        self._enter(asked, names)
        apart = [name for name in names if name in _NOT_OF_CUSTOMERS]
        self._in("whole")
        found = {name: self._collected(name) for name in apart}
        of_customers = [name for name in names if name not in apart]
        n_parts = self.engine.n_parts("ledger") if of_customers else 1
        if n_parts == 1:
            return found | {name: self._collected(name) for name in of_customers}
        parts: dict[str, list[pd.DataFrame]] = {name: [] for name in of_customers}
        for nth in range(n_parts):
            self._in(f"part {nth} of {n_parts}")
            for name in of_customers:
                parts[name].append(self._collected(name))
        return found | {name: summed(tables, header(name)) for name, tables in parts.items()}

    def counts_of_group(self, tables: Mapping[str, pd.DataFrame], asked: Asked) -> dict[str, pd.DataFrame]:
        """Return the rows of the group: the markets' counts added up, its movers counted once, not in each market.

        Counts of disjoint customers add up; who ordered in one market only is in one market's counts only.

        Parameters
        ----------
        tables : the counts tables of all markets.
        """
        self._enter(asked, list(tables))
        self._in("movers in each market")
        ((n_twice,),) = self.engine.values(
            "SELECT (SELECT COUNT(*) FROM ledger) + (SELECT COUNT(*) FROM running_days) AS n_twice"
        )
        twice = {name: self._collected(name) if n_twice else rows.head(0) for name, rows in tables.items()}
        self._in("movers once")
        once = {name: self._collected(name) for name in tables}
        added = {name: _added(name, rows, less=twice[name], plus=once[name]) for name, rows in tables.items()}
        if "cohort_counts" in added:
            added["cohort_counts"] = _cells_of_the_group(self.engine, added["cohort_counts"])
        return added

    def opened(self, asked: Asked, *, tables: Iterable[str] = TABLES) -> Engine:
        """Return the engine with the loaded tables, `ledger` and what the counting files share: for one's own query."""
        self.load(tables)
        self._enter(asked, ())
        self._in("whole")
        for name in (*_SHARED[:9], "customer_buckets"):
            self._make(name)
        return self.engine

    def released(self, asked: Asked) -> Engine:
        """Return the engine as `opened` does, for its user to close: the session no longer does."""
        engine = self.opened(asked)
        if self._closed is not None:
            self._closed.detach()
        return engine

    def close(self) -> None:
        """Let the engine go; the next question opens another one."""
        if self._closed is not None:
            self._closed()
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter(self, asked: Asked, names: Sequence[str]) -> None:
        """Make the engine ready for what is asked, from the tables that the counting of some names reads."""
        there = dict.fromkeys(self.source.tables, ())
        self.load(_raw_tables(names) | tables_of(asked.segment, asked.activity, there))
        for grain in asked.grains:
            if grain not in GRAINS:
                raise unknown_name("grain", grain, GRAINS)
        if self._state != asked.state:
            self._make_ready(asked)
        if self._grains != asked.grains:
            self._leave()
            prelude.prepare_periods(self.engine, asked.grains, days=self._days)
            self._grains = asked.grains
            self._made -= {name for name in self._made if name in FILES and _CALENDAR & reads_of(name)}

    def _make_ready(self, asked: Asked) -> None:
        """Create the ledger of what is asked, and the small tables beside it."""
        self._leave()
        self._restore()
        engine = self.engine
        prelude.complete_tables(engine)
        if asked.holdout_weeks is not None:
            prelude.hold_out(engine, asked.holdout_weeks)
            prelude.load_bins(engine)
        source = _with_markets(self.source, self._markets_of(asked))
        self._days = prelude.prepare(engine, source, as_of=asked.as_of)
        orders = prelude.keyed_orders(engine)
        ledger = _after("keyed_orders", orders, sql("ledger"))
        if source.refund_policy == "processed":
            refunds = _after("keyed_orders", orders, sql("refunds"))
            ledger = f"SELECT * FROM ({ledger}) AS kept UNION ALL SELECT * FROM ({refunds}) AS refunded"
        engine.create("ledger", ledger)
        _refuse_missing_rates(engine)
        prelude.observe_history(engine, source)
        engine.create("contract_days", sql("contract_days"))
        self._state, self._grains = asked.state, ()
        self._scope, self._made = "", set()

    def _markets_of(self, asked: Asked) -> Mapping[str, Market]:
        """Return the markets to be counted; rewrite the tables for a segment or another activity first."""
        if asked.segment is None and asked.activity == ORDERS:
            return asked.markets
        self._rewritten = apply(
            self.engine,
            segment=asked.segment,
            activity=asked.activity,
            columns=self._loaded,
            as_of=asked.as_of,
            markets=asked.markets,
            free_orders=self.source.free_orders,
        )
        codes = [code for (code,) in self.engine.values("SELECT DISTINCT market FROM orders")]
        if not codes:
            raise DataError(
                "Nobody is in the segment.",
                found=str(asked.segment or asked.activity),
                to_try="another value, or a later as_of",
            )
        if len(codes) > _MOST_SEGMENTS:
            raise UsageError(
                "There are too many segments to be told apart.",
                found=f"{asked.segment.told}: {len(codes):,} in all markets",
                to_try=f"an expression with few values, at most {_MOST_SEGMENTS:,} with the markets they are in",
            )
        return SegmentMarkets(asked.markets, codes)

    def _restore(self) -> None:
        """Bring back the tables as they were loaded, after a segment or another activity."""
        restore(self.engine, self._rewritten)
        self._rewritten = []

    def _in(self, scope: str) -> None:
        """Let the ledger be that of a scope: all customers, a part of them, or the movers, in each market or once."""
        if scope == self._scope:
            return
        self._leave()
        engine = self.engine
        contracts, running = (_CONTRACTS, _RUNNING)
        if scope != "whole":
            engine.rename("ledger", "whole_ledger")
            engine.create("ledger", self._ledger_of(scope))
            contracts, running = self._contracts_of(scope)
        if scope == "movers once":
            prelude.group_of(engine)
        engine.create("contracts", contracts)
        engine.create("running_days", running)
        self._scope, self._made = scope, set()

    def _leave(self) -> None:
        """Let the ledger and the markets be the whole ones again."""
        if self._scope in ("", "whole"):
            return
        self.engine.rename("whole_ledger", "ledger")
        if self._scope == "movers once":
            self.engine.rename("markets_of_old", "markets")
        self._scope, self._made = "", set()

    def _ledger_of(self, scope: str) -> str:
        if scope.startswith("part"):
            _part, nth, _of, n_parts = scope.split()
            return f"SELECT * FROM whole_ledger WHERE customer % {n_parts} = {nth}"
        movers = _MOVERS.replace("FROM ledger", "FROM whole_ledger")
        if scope == "movers in each market":
            return movers
        # an order in a market with a short window does not end what one in a market with a long window has begun
        covered_day = (
            "MAX(CASE WHEN n_orders = 1 THEN covered_day END) OVER (PARTITION BY customer ORDER BY day) AS covered_day"
        )
        columns = f"customer, us, local_us, day, {covered_day}, n_orders, gross_minor, refunded_minor"
        return f"SELECT '{GROUP}' AS market, {columns} FROM ({movers}) AS movers"

    def _contracts_of(self, scope: str) -> tuple[str, str]:
        """Return the subscriptions of a scope, and the days they run: of no part, and counted with the first."""
        if scope.startswith("part 0 "):
            return _CONTRACTS, _RUNNING
        if scope.startswith("part"):
            return _NO_CONTRACTS, _NOBODY_RUNNING
        market = f"'{GROUP}'" if scope == "movers once" else "d.market"
        return _NO_CONTRACTS, _RUNNING_IN_SEVERAL.format(market=market)

    def _collected(self, name: str) -> pd.DataFrame:
        """Return a counts table of the scope, after what it reads has been made.

        Raises
        ------
        HeaderError : the table has other columns than the file's header says.
        """
        query = sql(name)
        for needed in (*_SHARED, *_FURTHER):
            if needed in reads(query):
                self._make(needed)
        table = self.engine.collect(query)
        header(name).refuse_others(table)
        return table

    def _make(self, name: str) -> None:
        """Create what counting files share, and what that reads, once in a scope."""
        if name in self._made:
            return
        query = sql(name) if name in FILES else ""
        for needed in _SHARED:
            if needed != name and needed in reads(query):
                self._make(needed)
        bucket = f"{_BUCKETS[self.engine.dialect]} % 200 AS bucket"
        if name == "baskets":
            self.engine.load_rows("baskets", _BASKETS)
        elif name == "customer_buckets":
            self.engine.create(name, f"SELECT customer, {bucket} FROM customer_keys")
        elif name == "assigned_buckets":
            of = "SELECT DISTINCT customer_id FROM assignments"
            self.engine.create(name, f"SELECT customer_id, {bucket} FROM ({of}) AS a")
        else:
            self.engine.create(name, query)
        self._made.add(name)


def _raw_tables(names: Iterable[str]) -> set[str]:
    """Return the tables of the data that the counting of some names reads, through all that they share."""
    seen = {other for name in names if name in FILES for other in (name, *reads_of(name))}
    read = seen & set(TABLES)
    of_contracts = {"contracts", "running_days", "contract_cells"}
    if of_contracts & seen:
        read.add("subscriptions")
    if any("assigned" in name for name in seen):
        read.add("assignments")
    return read


def _with_markets(source: Source, markets: Mapping[str, Market]) -> Source:
    return source if markets is source.markets else replace(source, markets=markets)


def _after(name: str, query: str, text: str) -> str:
    """Return a counting file with one more named query before its first."""
    return text.replace("\nWITH ", f"\nWITH {name} AS ({query}),\n", 1)


def _added(name: str, table: pd.DataFrame, *, less: pd.DataFrame, plus: pd.DataFrame) -> pd.DataFrame:
    """Return the group's rows of a table: the markets' added up, less the movers in each, plus the movers once."""
    of = header(name)
    numbers = list(of.sums)
    signed = [table, less.assign(**{column: -less[column] for column in numbers}), plus]
    rows = summed([rows.assign(market=GROUP) for rows in signed], of)
    if not of.flags:  # a sparse table has no row where nobody is
        rows = rows[(rows[numbers] != 0).any(axis=1)].reset_index(drop=True)
    return rows


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
