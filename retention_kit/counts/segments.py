"""A segment is a column more before the counting: nothing after it needs to know.

The market of each row becomes market and segment, `DK:gold`, or the rows of other customers are left out; so that every
counting file counts segments as it counts markets, and counts of disjoint segments add up to the whole. Activity other
than orders is the same kind of step: the rows of orders are replaced by visits, or by the days a subscription runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from retention_kit.config import Market
from retention_kit.counts.engines import Engine
from retention_kit.errors import DataError, UsageError, listed, unknown_name
from retention_kit.ingest.expressions import columns_of, literal, refuse_other_than_a_value
from retention_kit.ingest.tables import TABLES
from retention_kit.periods import as_of_instant

SEPARATOR = ":"
"""What stands between market and segment; no market's code holds it."""
NONE = "none"
"""The segment of customers of whom the data do not say."""
ORDERS = "orders"
"""The activity of a shop, where no other is asked for."""
SUBSCRIPTION = "subscription"
"""The activity of who has a subscription that runs."""

_EVENTS = {
    "engagement": "occurred_us",
    "tickets": "opened_us",
    "surveys": "answered_us",
    "assignments": "assigned_us",
    "subscriptions": "started_us",
}
"""Tables of events, and when one happened: of each customer the last one before the segment is frozen is asked."""
_SEGMENTED = ("orders", "customers", "subscriptions")
"""Tables with a market, in which a customer's segment is written."""
_ELEVEN_HOURS = 39_600_000_000  # in microseconds: the same day by every clock from UTC−11 to UTC+12
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Segment:
    """Who is counted, or by what the counts are split.

    Attributes
    ----------
    sql : a column of a table of the data, or an expression over columns in DuckDB's SQL.
    is_split : whether every value is a segment of its own; else those of whom it is true are counted.
    frozen : when it is asked: at the first kept order, or at the start of a day, `2025-01-01`. A column of customers
        has no date: it is as the data have it.
    name : by which a profile knows it.
    """

    sql: str
    is_split: bool
    frozen: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return it as it is told beside a number."""
        return f"{self.told}, as of {self.frozen or 'the first order'} (a column of customers: as the data have it now)"

    @classmethod
    def asked(cls, what: str, *, is_split: bool, named: Mapping[str, str], frozen: str = "") -> Self:
        """Return the segment of a name that a profile gives, or of an expression."""
        return cls(named.get(what, what), is_split, frozen, what if what in named else "")

    @property
    def told(self) -> str:
        """Return by what it is called: its name, else the expression."""
        return self.name or self.sql


class SegmentMarkets(Mapping[str, Market]):
    """Markets by code; of a segment of Denmark, its facts under a name of their own: `Denmark, gold`."""

    def __init__(
        self, markets: Mapping[str, Market], codes: Sequence[str] = (), *, segment: Segment | None = None
    ) -> None:
        self._markets = markets
        self._all = "" if segment is None or segment.is_split else segment.told
        order = {code: nth for nth, code in enumerate(markets)}
        self._codes = sorted(codes, key=lambda code: (order[market_of(code)], code)) or list(markets)

    def __getitem__(self, code: str) -> Market:
        """Return the facts of a market, or of a segment of one."""
        market, value = self._markets[market_of(code)], value_of(code) or self._all
        if not value:
            return market
        return market.model_copy(update={"code": code, "name": f"{market.name}, {value}"})

    def __contains__(self, code: object) -> bool:
        """Tell whether the market is declared."""
        return market_of(str(code)) in self._markets

    def __iter__(self) -> Iterator[str]:
        """Return the codes, by market."""
        return iter(self._codes)

    def __len__(self) -> int:
        """Return how many codes there are."""
        return len(self._codes)


def asked_segment(*, where: str = "", by: str = "", named: Mapping[str, str] = MappingProxyType({})) -> Segment | None:
    """Return the segment that a report or a command is of: those of whom `where` is true, or each value of `by`.

    Parameters
    ----------
    where, by : a column, an expression, or a name.
    named : expressions by the name that a profile gives them.

    Raises
    ------
    UsageError : both are given.
    """
    if where and by:
        raise UsageError(
            "A report is of some customers (where) or of all segments (by).",
            found=f"where '{where}', by '{by}'",
            to_try="by an expression for both, such as \"CASE WHEN channel = 'web' THEN 'web' ELSE tier END\"",
        )
    return Segment.asked(where or by, is_split=bool(by), named=named) if where or by else None


def market_of(code: str) -> str:
    """Return the market of a code of counts: of `DK:gold` it is `DK`."""
    return code.partition(SEPARATOR)[0]


def value_of(code: str) -> str:
    """Return the segment of a code of counts: of `DK:gold` it is `gold`; empty of a market alone."""
    return code.partition(SEPARATOR)[2]


def tables_of(segment: Segment | None, activity: str, known: Mapping[str, Sequence[str]]) -> set[str]:
    """Return which tables of the data a segment and an activity are asked of.

    Parameters
    ----------
    known : the columns of every table that there is.
    """
    tables = set()
    if activity != ORDERS:
        tables |= {"subscriptions"} if activity == SUBSCRIPTION else {"engagement", "customers"}
    if segment is not None:
        columns = {table: [column.engine_name for column in TABLES[table]] for table in known}
        asked = {name for name in columns_of(segment.sql) for table in columns if name in columns[table]}
        unknown = not set(columns_of(segment.sql)) <= asked  # a column of the company's own: of customers, if of any
        tables |= set(_tables_asked(segment.sql, columns)) if not unknown else set(known) & {"customers", *_EVENTS}
    return tables


def apply(
    engine: Engine,
    *,
    segment: Segment | None,
    activity: str,
    columns: Mapping[str, Sequence[str]],
    as_of: str,
    markets: Mapping[str, Market],
    free_orders: str,
) -> list[str]:
    """Rewrite the typed tables of an engine, and return which: `restore` brings them back.

    Parameters
    ----------
    columns : the engine's columns of each table that the data have.

    Raises
    ------
    UsageError : a column that no table has (names the near miss), an activity that the data do not know.
    DataError : an expression that fails on some row.
    """
    rewritten = []
    if segment is not None:
        _create_segments(engine, segment, columns=columns, as_of=as_of, markets=markets, free_orders=free_orders)
    if activity != ORDERS:
        _refuse_unknown_activity(engine, activity, columns)
        _set_apart(engine, "orders", rewritten)
        engine.create("orders", _events_as_orders(engine, activity, as_of=as_of, markets=markets))
    if segment is not None:
        for table in _SEGMENTED:
            if table in columns:
                if table not in rewritten:
                    _set_apart(engine, table, rewritten)
                    engine.create(table, _segmented(engine, f"whole_{table}", segment))
                else:
                    engine.rename(table, f"active_{table}")
                    engine.create(table, _segmented(engine, f"active_{table}", segment))
                    engine.drop(f"active_{table}")
        engine.drop("segment_of")
    return rewritten


def restore(engine: Engine, tables: Sequence[str]) -> None:
    """Bring rewritten tables back as they were."""
    for table in tables:
        engine.rename(f"whole_{table}", table)


def _set_apart(engine: Engine, table: str, rewritten: list[str]) -> None:
    engine.rename(table, f"whole_{table}")
    rewritten.append(table)


def _create_segments(
    engine: Engine,
    segment: Segment,
    *,
    columns: Mapping[str, Sequence[str]],
    as_of: str,
    markets: Mapping[str, Market],
    free_orders: str,
) -> None:
    """Create `segment_of`: of every customer with a kept order before `as_of` the value, as text, by market."""
    refuse_other_than_a_value(segment.sql)
    asked = _tables_asked(segment.sql, columns)
    rows = [
        {
            "market": code,
            "as_of_us": as_of_instant(as_of, zone=market.zone)[0],
            "frozen_us": as_of_instant(segment.frozen or as_of, zone=market.zone)[0],
        }
        for code, market in markets.items()
    ]
    engine.load_rows("segment_instants", rows)
    value = f"({segment.sql})" if segment.is_split else f"CASE WHEN ({segment.sql}) THEN 'true' END"
    query = f"""
        SELECT orders.market, orders.customer_id, CAST({value} AS VARCHAR) AS segment
        FROM ({_order_asked(segment, free_orders)}) AS orders
        {"".join(_joined(table) for table in asked)}
    """
    try:
        engine.create("segment_of", query)
    except engine.misfits:
        raise DataError(
            "A segment's expression fails on some row.",
            found=segment.sql,
            to_try="TRY_CAST instead of CAST, or a CASE that leaves such rows out",
        ) from None
    except engine.refusals as why:
        raise UsageError(
            "A segment's expression cannot be worked out.",
            found=f"{segment.sql}: {str(why).strip().splitlines()[0][:160]}",
            to_try="columns by their table, such as customers.language, in DuckDB's SQL",
        ) from None
    engine.drop("segment_instants")


def _order_asked(segment: Segment, free_orders: str) -> str:
    """Return SQL of each customer's first kept order, or of the last one before the segment is frozen."""
    least = ">= 0" if free_orders == "kept" else "> 0"
    until, order = ("i.as_of_us", "o.ordered_us, o.order_id")
    if segment.frozen:
        until, order = "LEAST(i.as_of_us, i.frozen_us)", "o.ordered_us DESC, o.order_id DESC"
    return f"""
        SELECT * FROM (
            SELECT o.*, i.as_of_us, {"i.frozen_us" if segment.frozen else "o.ordered_us"} AS asked_us,
                ROW_NUMBER() OVER (PARTITION BY o.market, o.customer_id ORDER BY {order}) AS nth__
            FROM orders AS o JOIN segment_instants AS i ON i.market = o.market
            WHERE o.ordered_us < {until} AND NOT COALESCE(o.cancelled, FALSE) AND o.amount_minor {least}
                AND NOT (o.amount_minor > 0 AND o.refunded_minor >= o.amount_minor
                    AND (o.refunded_us IS NULL OR o.refunded_us < i.as_of_us))
        ) AS numbered WHERE nth__ = 1
    """


def _joined(table: str) -> str:
    """Return the join of a table that an expression asks: of events the last one before the segment is frozen."""
    if table == "customers":
        return (
            " LEFT JOIN customers AS customers "
            "ON customers.market = orders.market AND customers.customer_id = orders.customer_id"
        )
    when = _EVENTS[table]
    return f"""
        LEFT JOIN (
            SELECT * FROM (
                SELECT e.*, f.market AS asked_market__, ROW_NUMBER() OVER (
                    PARTITION BY f.market, e.customer_id ORDER BY e.{when} DESC) AS nth__
                FROM {table} AS e
                JOIN (
                    SELECT o.market, o.customer_id, MIN(o.ordered_us) AS first_us, MIN(i.frozen_us) AS frozen_us
                    FROM orders AS o JOIN segment_instants AS i ON i.market = o.market
                    GROUP BY o.market, o.customer_id
                ) AS f ON f.customer_id = e.customer_id
                WHERE e.{when} <= LEAST(f.first_us, f.frozen_us)
            ) AS numbered WHERE nth__ = 1
        ) AS {table} ON {table}.asked_market__ = orders.market AND {table}.customer_id = orders.customer_id
    """


def _tables_asked(sql: str, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tables besides orders that an expression asks: those it names, and those that alone have its columns.

    Raises
    ------
    UsageError : a column that no table has.
    """
    homes = {table: set(columns[table]) for table in ("orders", "customers", *_EVENTS) if table in columns}
    every = sorted({column for of_table in homes.values() for column in of_table})
    asked = {table for table in homes if f"{table}." in sql}
    for column in columns_of(sql):
        having = [table for table, of_table in homes.items() if column in of_table]
        if not having:
            raise unknown_name("column to segment by", column, every)
        if not asked & set(having):
            asked.add(having[0])
    return [table for table in homes if table in asked and table != "orders"]


def _segmented(engine: Engine, table: str, segment: Segment) -> str:
    """Return SQL of a table with its customers' segments: written into the market, or of those alone who are in it."""
    columns = list(engine.kinds(f"SELECT * FROM {table}"))
    kept = ", ".join(f"t.{column} AS {column}" for column in columns if column != "market")
    join = "segment_of AS s ON s.market = t.market AND s.customer_id = t.customer_id"
    if not segment.is_split:
        return f"SELECT t.market AS market, {kept} FROM {table} AS t JOIN {join} WHERE s.segment = 'true'"
    market = f"t.market || '{SEPARATOR}' || COALESCE(s.segment, '{NONE}')"
    return f"SELECT {market} AS market, {kept} FROM {table} AS t LEFT JOIN {join}"


def _refuse_unknown_activity(engine: Engine, activity: str, columns: Mapping[str, Sequence[str]]) -> None:
    table = "subscriptions" if activity == SUBSCRIPTION else "engagement"
    if table not in columns:
        raise UsageError(
            f"The activity '{activity}' is not in the data: there is no table '{table}'.",
            found=listed(sorted(columns)),
            to_try=f"'{ORDERS}'",
        )
    if activity != SUBSCRIPTION:
        kinds = [kind for (kind,) in engine.values("SELECT DISTINCT kind FROM engagement ORDER BY kind")]
        if activity not in kinds:
            raise unknown_name("activity", activity, [ORDERS, SUBSCRIPTION, *kinds])


def _events_as_orders(engine: Engine, activity: str, *, as_of: str, markets: Mapping[str, Market]) -> str:
    """Return SQL of events in the shape of orders, each of the least amount: money is not told of them."""
    engine.load_rows("market_currencies", [{"market": m.code, "currency": m.currency} for m in markets.values()])
    if activity == SUBSCRIPTION:
        events = _days_running(engine, as_of=as_of, markets=markets)
    else:
        homes = "SELECT customer_id, market FROM customers UNION ALL SELECT customer_id, market FROM whole_orders"
        events = f"""
            SELECT h.market, e.customer_id, e.occurred_us AS ordered_us
            FROM engagement AS e
            JOIN (SELECT customer_id, MIN(market) AS market FROM ({homes}) AS homes GROUP BY customer_id) AS h
                ON h.customer_id = e.customer_id
            WHERE e.kind = {literal(activity)}
        """
    return f"""
        SELECT CAST(ROW_NUMBER() OVER (ORDER BY e.customer_id, e.ordered_us) AS VARCHAR) AS order_id,
            e.customer_id, e.market, e.ordered_us, c.currency, CAST(1 AS BIGINT) AS amount_minor,
            CAST(0 AS BIGINT) AS refunded_minor, CAST(NULL AS BIGINT) AS refunded_us, FALSE AS cancelled,
            CAST(NULL AS BIGINT) AS discount_minor, CAST(NULL AS VARCHAR) AS coupon, CAST(NULL AS VARCHAR) AS channel,
            CAST(NULL AS VARCHAR) AS payment_method, CAST(NULL AS BIGINT) AS promised_us,
            CAST(NULL AS BIGINT) AS delivered_us, CAST(NULL AS VARCHAR) AS campaign
        FROM ({events}) AS e JOIN market_currencies AS c ON c.market = e.market
    """


def _days_running(engine: Engine, *, as_of: str, markets: Mapping[str, Market]) -> str:
    """Return SQL of one event for each day on which a customer's subscription runs."""
    until = max(as_of_instant(as_of, zone=market.zone)[0] for market in markets.values())
    ((first_us,),) = engine.values("SELECT MIN(started_us) AS first_us FROM subscriptions")
    days: list[dict[str, Any]] = [
        {"day": day} for day in range(int(first_us or until) // _DAY_US, until // _DAY_US + 1)
    ]
    engine.load_rows("running_calendar", days)
    at = f"d.day * {_DAY_US} + {_ELEVEN_HOURS}"
    return f"""
        SELECT s.market, s.customer_id, {at} AS ordered_us
        FROM subscriptions AS s JOIN running_calendar AS d
            ON {at} >= s.started_us AND (s.ended_us IS NULL OR {at} < s.ended_us)
    """
