"""What the counting files take for granted: markets, periods, offsets, rates, currencies, as small tables."""

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
from babel.numbers import get_currency_precision, list_currencies

from retention_kit.config import GROUP, Market
from retention_kit.errors import DataError, UsageError
from retention_kit.ingest import Source
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.ingest.zones import utc_offsets
from retention_kit.periods import as_of_instant, date_of, day_of, first_date, period_of

US_PER_DAY = 86_400_000_000
CUTS = (
    "everybody",
    "payment_method",
    "channel",
    "coupon",
    "first_delivery",
    "acquisition_channel",
    "language",
    "referred",
    "first_contact",
    "support",
    "loyalty",
)
HORIZONS = (30, 60, 90, 180)
OUTCOME_HORIZON = 60
REPLICATES = 200

_ENGINE_TYPES = {
    Kind.INSTANT: "BIGINT",
    Kind.DATE: "INTEGER",
    Kind.MONEY: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.FLAG: "BOOLEAN",
}


def prepare(connection: duckdb.DuckDBPyConnection, source: Source, *, as_of: str, grains: Sequence[str]) -> None:
    """Create every small table that the counting files read, from the loaded tables and the source.

    Raises
    ------
    UsageError : `as_of` lies before the first order.
    DataError : there is no order.
    """
    _complete_tables(connection)
    first_us, last_us = connection.execute("SELECT MIN(ordered_us), MAX(ordered_us) FROM orders").fetchall()[0]
    if first_us is None:
        raise DataError("There is no order to count.", to_try="`retention-kit check` on the same data says why")
    _refuse_as_of_before_the_data(connection, source, as_of=as_of)
    last_us = connection.execute(
        "SELECT GREATEST(MAX(ordered_us), MAX(COALESCE(refunded_us, ordered_us))) FROM orders"
    ).fetchall()[0][0]
    span = (first_us - 2 * US_PER_DAY, last_us + 2 * US_PER_DAY)
    _offsets(connection, source.markets.values(), span=span)
    observed_to = max(as_of_instant(as_of, zone=market.zone)[1] for market in source.markets.values()) + 1
    days = range(span[0] // US_PER_DAY - 1, max(span[1] // US_PER_DAY + 2, observed_to + 1))
    _calendar(connection, days)
    _periods(connection, grains, first=date_of(days[0]), last=date_of(observed_to))
    _rates(connection, days)
    _constants(connection, source, grains)


def market_rows(connection: duckdb.DuckDBPyConnection, source: Source, *, as_of: str) -> None:
    """Create `markets`: one row per market that has orders, and what its windows need."""
    truncated = int(not source.complete_history)
    present = {row[0] for row in connection.execute("SELECT DISTINCT market FROM orders").fetchall()}
    rows = [_market_row(market, as_of=as_of) for code, market in source.markets.items() if code in present]
    _register(connection, "markets_asked", rows)
    connection.execute(
        "CREATE OR REPLACE TABLE markets AS SELECT *, "
        f"{truncated} AS history_is_truncated, NULL::INTEGER AS history_day, NULL::INTEGER AS first_order_day "
        "FROM markets_asked"
    )


def observe_history(connection: duckdb.DuckDBPyConnection) -> None:
    """Write into `markets` the first day of the whole history and of each market's kept orders."""
    connection.execute("UPDATE markets SET history_day = (SELECT MIN(day) FROM ledger)")
    connection.execute(
        "UPDATE markets SET first_order_day = f.day FROM "
        "(SELECT market, MIN(day) AS day FROM ledger WHERE n_orders = 1 GROUP BY market) AS f "
        "WHERE f.market = markets.market"
    )


def become_the_group(connection: duckdb.DuckDBPyConnection) -> None:
    """Turn the ledger and the markets of all markets into those of one, the group.

    Days stay local to the market of each order. The activity window is the longest of the markets'.
    """
    connection.execute(f"CREATE OR REPLACE TABLE ledger AS SELECT * REPLACE ('{GROUP}' AS market) FROM ledger")
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE markets AS
        SELECT '{GROUP}' AS market, MAX(as_of_us) AS as_of_us, MIN(as_of_day) AS as_of_day,
            MAX(observed_to_day) AS observed_to_day, MIN(year_ago_day) AS year_ago_day,
            MAX(activity_window_days) AS activity_window_days,
            CASE WHEN COUNT(DISTINCT currency) = 1 THEN MIN(currency) END AS currency,
            MAX(minor_per_unit) AS minor_per_unit,
            MAX(history_is_truncated) AS history_is_truncated,
            MIN(history_day) AS history_day, MIN(first_order_day) AS first_order_day
        FROM markets
        """
    )


def _market_row(market: Market, *, as_of: str) -> dict[str, object]:
    as_of_us, as_of_day = as_of_instant(as_of, zone=market.zone)
    midnight_us, _ = as_of_instant(date_of(as_of_day).isoformat(), zone=market.zone)
    return {
        "market": market.code,
        "as_of_us": as_of_us,
        "as_of_day": as_of_day,
        "observed_to_day": as_of_day if as_of_us == midnight_us else as_of_day + 1,
        "year_ago_day": day_of(_year_before(date_of(as_of_day))),
        "activity_window_days": market.activity_window_days,
        "currency": market.currency,
        "minor_per_unit": market.minor_per_unit,
    }


def _year_before(when: date) -> date:
    return date(when.year - 1, when.month, 28 if (when.month, when.day) == (2, 29) else when.day)


def _complete_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables and columns that the data lack, empty, so that one set of SQL files serves all."""
    for table, columns in TABLES.items():
        typed = [f"{column.engine_name} {_engine_type(column)}" for column in columns]
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(typed)})")
        for column in typed:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}")


def _engine_type(column: Column) -> str:
    return _ENGINE_TYPES.get(column.kind, "VARCHAR")


def _refuse_as_of_before_the_data(connection: duckdb.DuckDBPyConnection, source: Source, *, as_of: str) -> None:
    for market, first_us in connection.execute("SELECT market, MIN(ordered_us) FROM orders GROUP BY market").fetchall():
        if as_of_instant(as_of, zone=source.markets[market].zone)[0] > first_us:
            return
    first = connection.execute("SELECT MIN(ordered_us) FROM orders").fetchall()[0][0]
    raise UsageError(
        f"as_of {as_of} lies before the first order.",
        found=f"orders from {date_of(first // US_PER_DAY)} on",
        to_try="a later as_of: it is the first instant that is not observed",
    )


def _offsets(connection: duckdb.DuckDBPyConnection, markets, *, span: tuple[int, int]) -> None:
    rows = [
        {"market": market.code, "from_us": from_us, "to_us": to_us, "offset_us": offset_us}
        for market in markets
        for from_us, to_us, offset_us in utc_offsets(market.zone, *span)
    ]
    _register(connection, "utc_offsets", rows)


def _calendar(connection: duckdb.DuckDBPyConnection, days: range) -> None:
    rows = [
        {
            "day": day,
            **{grain: period_of(date_of(day), grain=grain) for grain in ("week", "month", "quarter", "year")},
        }
        for day in days
    ]
    _register(connection, "calendar", rows)


def _periods(connection: duckdb.DuckDBPyConnection, grains: Sequence[str], *, first: date, last: date) -> None:
    rows = [
        {
            "grain": grain,
            "period": period,
            "first_day": day_of(first_date(period, grain=grain)),
            "next_day": day_of(first_date(period + 1, grain=grain)),
        }
        for grain in grains
        for period in range(period_of(first, grain=grain) - 1, period_of(last, grain=grain) + 2)
    ]
    _register(connection, "periods", rows)


def _rates(connection: duckdb.DuckDBPyConnection, days: range) -> None:
    """Create `daily_rates`: for each day the rate of that day, or the last one of the seven days before it."""
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE daily_rates AS
        WITH asked AS (SELECT UNNEST(RANGE({days[0]}, {days[-1] + 1}))::INTEGER AS day),
        known AS (
            SELECT a.day, r.currency, r.rate,
                ROW_NUMBER() OVER (PARTITION BY a.day, r.currency ORDER BY r.date_day DESC) AS nth
            FROM asked AS a JOIN exchange_rates AS r ON r.date_day <= a.day AND r.date_day > a.day - 7
        )
        SELECT day, currency, rate FROM known WHERE nth = 1
        """
    )


def _constants(connection: duckdb.DuckDBPyConnection, source: Source, grains: Sequence[str]) -> None:
    own = {market.currency: market.minor_per_unit for market in source.markets.values()}
    currencies = {code: 10 ** get_currency_precision(code) for code in list_currencies()} | own
    rows = [{"currency": code, "minor_per_unit": per_unit} for code, per_unit in currencies.items()]
    _register(connection, "currencies", rows)
    policy = {"refund_policy": source.refund_policy, "free_orders": source.free_orders}
    _register(connection, "policy", [policy])
    _register(connection, "grains", [{"grain": grain} for grain in (*grains, "history", "last_year")])
    _register(connection, "cuts", [{"cut": cut} for cut in CUTS])
    _register(connection, "horizons", [{"horizon_days": days} for days in HORIZONS])
    _register(connection, "outcome_horizon", [{"horizon_days": OUTCOME_HORIZON}])
    random = np.random.default_rng(1963)  # fixed: the same interval in every run
    numbers = random.integers(1, 2147483647, size=(REPLICATES, 2)).tolist()
    rows = [{"replicate": i, "multiplier": m, "addend": a} for i, (m, a) in enumerate(numbers)]
    _register(connection, "replicates", rows)


def _register(connection: duckdb.DuckDBPyConnection, name: str, rows: list[dict[str, object]]) -> None:
    given = pa.Table.from_pylist(rows)
    connection.register("given_rows", given)
    connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM given_rows")
    connection.unregister("given_rows")
