"""From a source to its counts tables: one pass over the data, for all markets and the group together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import duckdb
import pandas as pd
import sqlglot

from retention_kit.config import GROUP, Market, project_root
from retention_kit.counts import prelude, store
from retention_kit.counts.collecting import collect
from retention_kit.errors import DataError, unknown_name
from retention_kit.ingest import Findings, Source, load
from retention_kit.periods import GRAINS

COUNTS_TABLES = (
    "cohort_counts",
    "activity_counts",
    "order_counts",
    "bootstrap_counts",
    "cut_counts",
    "experiment_counts",
    "acquisition_counts",
    "left_out_counts",
)
"""The tables that leave the engine, in the order of the guide; each is described at the top of its SQL file."""

FILES = tuple(
    sorted(file.name.removesuffix(".sql") for file in files(__package__).iterdir() if file.name.endswith(".sql"))
)
"""The counting files by name: the tables that leave the engine, and those they share in it."""

_OF_THE_GROUP = ("cohort_counts", "activity_counts", "order_counts", "bootstrap_counts")
_MONEY = {
    "cohort_counts": ["revenue_minor"],
    "order_counts": ["gross_minor", "refunded_minor", "revenue_minor"],
    "bootstrap_counts": ["revenue_minor"],
}


@dataclass(frozen=True)
class MarketCounts:
    """The counts tables of one market, or of the group: a few hundred rows of integers each."""

    market: Market
    as_of: str
    tables: Mapping[str, pd.DataFrame]
    findings: Findings
    source: Source

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name in COUNTS_TABLES:
            return self.tables[name]
        raise AttributeError(name)


@dataclass(frozen=True)
class Counted:
    """The counts tables of all markets, as of one instant."""

    source: Source
    as_of: str
    tables: Mapping[str, pd.DataFrame]
    findings: Findings

    @property
    def markets(self) -> tuple[str, ...]:
        """Return the codes of the markets with at least one kept order, as `markets.toml` orders them."""
        counted = set(self.tables["order_counts"]["market"])
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
        tables = {name: table[table["market"] == market].reset_index(drop=True) for name, table in self.tables.items()}
        if market == GROUP and not _one_currency(self.source, self.markets):
            tables = {name: table.drop(columns=_MONEY.get(name, [])) for name, table in tables.items()}
        return MarketCounts(known, self.as_of, tables, self.findings, self.source)

    def _group(self) -> Market:
        markets = [self.source.markets[code] for code in self.markets]
        first = markets[0]
        return first.model_copy(
            update={
                "code": GROUP,
                "name": "All markets",
                "activity_window_days": max(market.activity_window_days for market in markets),
                "lifespan": None,
                "gross_margin": None,
                "acquisition_cost": None,
            }
        )


def counted(source: Source, *, as_of: str, grains: Sequence[str]) -> Counted:
    """Return the counts of all markets, read from the project's store, where they are counted only once.

    Parameters and errors as of `count`. The store is the folder `reports/.counts` of the project.
    """
    folder = project_root() / "reports" / ".counts" / store.key(source, as_of=as_of, grains=grains)
    kept = store.read(folder, COUNTS_TABLES)
    if kept is not None:
        return Counted(source, as_of, *kept)
    fresh = count(source, as_of=as_of, grains=grains)
    store.write(folder, fresh.tables, fresh.findings)
    return fresh


def count(source: Source, *, as_of: str, grains: Sequence[str]) -> Counted:
    """Return the counts of all markets, counted now.

    Parameters
    ----------
    source : from `ingest.source`.
    as_of : first instant not observed; a date is local midnight in each market.
    grains : lengths of the periods to count, of day, week, month, quarter, year.

    Raises
    ------
    UsageError : an unknown grain, an `as_of` that is no date or lies before the data.
    DataError : too many refused rows, a missing exchange rate, no order.
    """
    connection, findings = _loaded(source, as_of=as_of, grains=grains)
    with connection:
        tables = {name: _counts_table(connection, name) for name in COUNTS_TABLES}
        prelude.become_the_group(connection)
        _create(connection, "customer_periods")
        for name in _OF_THE_GROUP:
            tables[name] = pd.concat([tables[name], _counts_table(connection, name)], ignore_index=True)
    return Counted(source, as_of, tables, findings)


def engine(source: Source, *, as_of: str, grains: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB with the loaded tables, `ledger`, `customer_periods` and `customer_facts`: for one's own cut.

    Rows of customers stay in it: count there, and bring the counts out through `collect`.
    """
    connection, _ = _loaded(source, as_of=as_of, grains=grains)
    return connection


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


def _loaded(source: Source, *, as_of: str, grains: Sequence[str]) -> tuple[duckdb.DuckDBPyConnection, Findings]:
    grains = tuple(dict.fromkeys(grains))
    for grain in grains:
        if grain not in GRAINS:
            raise unknown_name("grain", grain, GRAINS)
    connection = duckdb.connect(config={"preserve_insertion_order": "false"})
    findings = load(source, connection)
    prelude.prepare(connection, source, as_of=as_of, grains=grains)
    prelude.market_rows(connection, source, as_of=as_of)
    _create(connection, "ledger")
    _refuse_missing_rates(connection)
    prelude.observe_history(connection)
    _create(connection, "customer_periods")
    _create(connection, "customer_facts")
    connection.execute(
        "CREATE OR REPLACE TABLE customer_seeds AS SELECT customer_id, "
        "('0x' || SUBSTR(MD5(customer_id), 1, 7))::BIGINT AS seed FROM (SELECT DISTINCT customer_id FROM ledger)"
    )
    return connection, findings


def _create(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql(name)}")


def _counts_table(connection: duckdb.DuckDBPyConnection, name: str) -> pd.DataFrame:
    """Return a counts table with every number as int64: a sum in the engine is wider than what leaves it."""
    table = collect(connection, sql(name))
    numbers = [column for column in table if not pd.api.types.is_string_dtype(table[column])]
    return table.astype(dict.fromkeys(numbers, "int64"))


def _refuse_missing_rates(connection: duckdb.DuckDBPyConnection) -> None:
    missing = connection.execute(
        "SELECT l.market, COUNT(*) FROM ledger AS l WHERE l.gross_minor IS NULL GROUP BY l.market ORDER BY l.market"
    ).fetchall()
    if missing:
        raise DataError(
            "Some orders are in a currency with no exchange rate on their day or the seven days before it.",
            found="; ".join(f"{n:,} orders in {market}" for market, n in missing),
            to_try="add their rates to exchange_rates, for the order's currency and the market's",
        )


def _one_currency(source: Source, markets: Sequence[str]) -> bool:
    return len({source.markets[code].currency for code in markets}) == 1
