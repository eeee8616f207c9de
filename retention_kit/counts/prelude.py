"""What the counting files take for granted: markets, periods, offsets, rates, currencies, as small tables."""

from bisect import bisect
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa
from babel.numbers import get_currency_precision, list_currencies

from retention_kit.config import GROUP, Market
from retention_kit.counts.engines import Engine
from retention_kit.errors import DataError, UsageError
from retention_kit.ingest import Source
from retention_kit.ingest.tables import TABLES, Column, Kind
from retention_kit.ingest.zones import utc_offsets
from retention_kit.periods import as_of_instant, date_of, day_of, first_date, period_of

US_PER_DAY = 86_400_000_000
FOR_EVER = 2**62
FOR_EVER_DAYS = 1_000_000
CUTS = (
    "everybody",
    "payment_method",
    "channel",
    "coupon",
    "first_delivery",
    "season",
    "acquisition_channel",
    "language",
    "referred",
    "first_contact",
    "support",
    "loyalty",
)
SEASONS = ("January to March", "April to June", "July to September", "October to December")
LANDMARK_DAYS = {"support": 30, "loyalty": 30}
"""The days after the first order by which a cut is known; who came back before them is in neither group."""
HORIZONS = (30, 60, 90, 180)
WINDOWS = (30, 45, 60, 75, 90, 120, 150, 180, 270, 365)
"""Activity windows in days by which the base of the last closed period is counted."""
PATTERN_DAYS = 7
RENEWAL_DAYS = {"week": 7, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
"""Mean days from one renewal of a subscription to the next, by the word that its period is told in."""
AGE_EDGES = (0, 1, 8, 15, 30, 31, 60, 61, 90, 91, 120, 150, 180, 181, 365, 366)
"""First days of the stretches of a customer's age in which returns are counted; a profile's brackets add to them."""

_MOST_DIGITS = 18
_ENGINE_TYPES = {
    Kind.INSTANT: "BIGINT",
    Kind.DATE: "INTEGER",
    Kind.MONEY: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.FLAG: "BOOLEAN",
}


def prepare(engine: Engine, source: Source, *, as_of: str) -> range:
    """Create the small tables that the counting files read, but those of periods; return the days that they hold.

    Raises
    ------
    UsageError : `as_of` lies before the first order.
    DataError : there is no order.
    """
    present = engine.values(
        "SELECT market, currency, MIN(ordered_us) AS first_us FROM orders GROUP BY market, currency"
    )
    firsts: dict[str, int] = {}
    for market, _, first_us in present:
        firsts[market] = min(int(first_us), firsts.get(market, int(first_us)))
    if not firsts:
        raise DataError("There is no order to count.", to_try="`retention-kit check` on the same data says why")
    _refuse_as_of_before_the_data(source, firsts, as_of=as_of)
    rows = [_market_row(source.markets[code], as_of=as_of) for code in source.markets if code in firsts]
    observed_to = max(row["observed_to_day"] for row in rows)
    span = (min(firsts.values()) - 2 * US_PER_DAY, max(row["as_of_us"] for row in rows) + 2 * US_PER_DAY)
    days = range(span[0] // US_PER_DAY - 1, observed_to + _longest_window(source) + 2)
    engine.load_rows("markets_asked", rows)
    offsets = _offsets([source.markets[code] for code in firsts], span=span)
    engine.load_rows("utc_offsets", offsets)
    engine.load_rows("market_offsets", _side_by_side(offsets))
    engine.load_rows("day_seasons", [{"day": day, "season": SEASONS[(date_of(day).month - 1) // 3]} for day in days])
    engine.load("age_days", _age_days(age_edges(source), days))
    _constants(engine, source)
    _conversions(engine, days, [(market, currency) for market, currency, _ in present])
    _group_conversions(engine, source, {market for market, _, _ in present})
    of_markets = (
        *("markets_asked", "utc_offsets", "market_offsets"),
        *("conversions", "group_conversions", "constant_conversions"),
    )
    engine.enumerate("market", sorted(firsts), tables=of_markets)
    return days


def prepare_periods(engine: Engine, grains: Sequence[str], *, days: range) -> None:
    """Create the periods of some grains: all that the counting files know of a calendar."""
    engine.load("period_days", _period_days(grains, days))
    engine.load_rows("periods", _periods(grains, first=date_of(days[0]), last=date_of(days[-1])))
    engine.enumerate("grain", sorted(grains), tables=("period_days", "periods"))


def keyed_orders(engine: Engine) -> str:
    """Return SQL of the orders with `customer`, the key by which the engine tells customers apart, and `local_us`.

    A market's offsets stand side by side in `market_offsets`, newest first: comparing the time of an order with each
    of them in turn takes a fraction of what looking its stretch up takes.
    """
    most = engine.values("SELECT MAX(n_offsets) AS n FROM market_offsets")[0][0]
    cases = " ".join(f"WHEN o.ordered_us >= z.from_{nth} THEN z.offset_{nth}" for nth in range(int(most) - 1))
    offset = f"CASE {cases} ELSE z.offset_{most - 1} END" if cases else "z.offset_0"
    return f"""
        SELECT z.market, {engine.key_customers()} AS customer, o.ordered_us, o.ordered_us + {offset} AS local_us,
            o.currency, o.amount_minor, o.refunded_minor, o.refunded_us, o.cancelled
        FROM orders AS o JOIN market_offsets AS z ON z.market = o.market
    """


def observe_history(engine: Engine, source: Source) -> None:
    """Create `markets`: what was asked, with the first day of the whole history and of each market's."""
    engine.create(
        "markets",
        f"""
        SELECT a.*, {int(not source.complete_history)} AS history_is_truncated,
            h.history_day, f.first_order_day
        FROM markets_asked AS a
        CROSS JOIN (SELECT MIN(day) AS history_day FROM ledger) AS h
        LEFT JOIN (SELECT market, MIN(day) AS first_order_day FROM ledger GROUP BY market) AS f ON f.market = a.market
        """,
    )


def group_of(engine: Engine) -> None:
    """Turn `markets` into one row, the group: a customer is active in it where he is active in a market.

    A period is over at `as_of_day`, when it is over in every market; a customer's age is taken to `latest_day`, so
    that no order of his lies after it.
    """
    engine.create("markets_of_old", "SELECT * FROM markets")
    engine.create(
        "markets",
        f"""
        SELECT '{GROUP}' AS market, MAX(as_of_us) AS as_of_us, MAX(as_of_local_us) AS as_of_local_us,
            MIN(as_of_day) AS as_of_day, MAX(as_of_day) AS latest_day,
            MAX(observed_to_day) AS observed_to_day, MIN(year_ago_day) AS year_ago_day,
            MAX(activity_window_days) AS activity_window_days, MIN(currency) AS currency,
            MAX(minor_per_unit) AS minor_per_unit, MAX(history_is_truncated) AS history_is_truncated,
            MIN(history_day) AS history_day, MIN(first_order_day) AS first_order_day
        FROM markets_of_old
        """,
    )


def _market_row(market: Market, *, as_of: str) -> dict[str, Any]:
    as_of_us, as_of_day = as_of_instant(as_of, zone=market.zone)
    midnight_us, _ = as_of_instant(date_of(as_of_day).isoformat(), zone=market.zone)
    return {
        "market": market.code,
        "as_of_us": as_of_us,
        "as_of_local_us": as_of_us + _offset_us(as_of_us, market),
        "as_of_day": as_of_day,
        "latest_day": as_of_day,
        "observed_to_day": as_of_day if as_of_us == midnight_us else as_of_day + 1,
        "year_ago_day": day_of(_year_before(date_of(as_of_day))),
        "activity_window_days": market.activity_window_days,
        "currency": market.currency,
        "minor_per_unit": market.minor_per_unit,
    }


def _offset_us(us: int, market: Market) -> int:
    """Return by how much a market's clock is ahead of UTC at an instant."""
    [(_, _, offset_us), *_] = utc_offsets(market.zone, us, us + 1)
    return offset_us


def _year_before(when: date) -> date:
    return date(when.year - 1, when.month, 28 if (when.month, when.day) == (2, 29) else when.day)


def _longest_window(source: Source) -> int:
    return max(market.activity_window_days for market in source.markets.values())


def complete_tables(engine: Engine) -> None:
    """Create the tables and columns that the data lack, empty, so that one set of counting files serves all."""
    for table, columns in TABLES.items():
        engine.complete(table, {column.engine_name: _engine_type(column) for column in columns})


def _engine_type(column: Column) -> str:
    return _ENGINE_TYPES.get(column.kind, "VARCHAR")


def _refuse_as_of_before_the_data(source: Source, firsts: dict[str, int], *, as_of: str) -> None:
    if any(as_of_instant(as_of, zone=source.markets[code].zone)[0] > first for code, first in firsts.items()):
        return
    raise UsageError(
        f"as_of {as_of} lies before the first order.",
        found=f"orders from {date_of(min(firsts.values()) // US_PER_DAY)} on",
        to_try="a later as_of: it is the first instant that is not observed",
    )


def _offsets(markets: Sequence[Market], *, span: tuple[int, int]) -> list[dict[str, Any]]:
    """Return each market's offsets; the first holds since ever, the last for ever: all data lie in the span."""
    rows = []
    for market in markets:
        offsets = utc_offsets(market.zone, *span)
        starts = [-FOR_EVER, *(from_us for from_us, _, _ in offsets[1:])]
        ends = [*starts[1:], FOR_EVER]
        rows += [
            {"market": market.code, "from_us": start, "to_us": end, "offset_us": offset_us}
            for start, end, (_, _, offset_us) in zip(starts, ends, offsets, strict=True)
        ]
    return rows


def _side_by_side(offsets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per market: its stretches newest first, `from_0` and `offset_0`, …, as many for each market."""
    stretches: dict[str, list[Mapping[str, Any]]] = {}
    for row in offsets:
        stretches.setdefault(row["market"], []).insert(0, row)
    most = max(len(rows) for rows in stretches.values())
    side_by_side = []
    for market, rows in stretches.items():
        row: dict[str, Any] = {"market": market, "n_offsets": most}
        for nth, stretch in enumerate([*rows, *[rows[-1]] * (most - len(rows))]):
            row |= {f"from_{nth}": stretch["from_us"], f"offset_{nth}": stretch["offset_us"]}
        side_by_side.append(row)
    return side_by_side


def _period_days(grains: Sequence[str], days: range) -> pa.Table:
    """Return the period of every day by every grain: all that the counting files know of a calendar."""
    dates = [date_of(day) for day in days]
    columns = {
        "grain": [grain for grain in grains for _ in days],
        "day": [day for _ in grains for day in days],
        "period": [period_of(when, grain=grain) for grain in grains for when in dates],
    }
    return pa.table(columns, pa.schema([("grain", pa.string()), ("day", pa.int32()), ("period", pa.int32())]))


def age_edges(source: Source) -> tuple[int, ...]:
    """Return the first days of the stretches of age that are counted: the kit's, and of the profile's brackets."""
    own = {edge for first, last in source.profile.brackets for edge in (first, last + 1)}
    return tuple(sorted({*AGE_EDGES, *own}))


def _age_days(edges: Sequence[int], days: range) -> pa.Table:
    """Return the stretch of every age in days: its first day and its last; the last stretch has no end."""
    ages = range(len(days) + 2)
    stretches = [(first, after - 1) for first, after in pairwise((*edges, FOR_EVER_DAYS))]
    of_age = [stretches[bisect(edges, age) - 1] for age in ages]
    columns = {
        "age_day": list(ages),
        "from_day": [first for first, _ in of_age],
        "to_day": [last for _, last in of_age],
    }
    return pa.table(columns, pa.schema([(name, pa.int32()) for name in columns]))


def _periods(grains: Sequence[str], *, first: date, last: date) -> list[dict[str, Any]]:
    return [
        {
            "grain": grain,
            "period": period,
            "first_day": day_of(first_date(period, grain=grain)),
            "next_day": day_of(first_date(period + 1, grain=grain)),
        }
        for grain in grains
        for period in range(period_of(first, grain=grain) - 1, period_of(last, grain=grain) + 2)
    ]


def _conversions(engine: Engine, days: range, present: Sequence[tuple[str, str]]) -> None:
    """Create `conversions`: what one minor unit of another currency is in the market's own minor units, by day.

    The rates are those of the day, or the last ones of the seven days before it.
    """
    engine.load_rows("rate_days", [{"day": day} for day in days])
    engine.load_rows("currencies_present", [{"market": market, "currency": currency} for market, currency in present])
    engine.create(
        "daily_rates",
        """
        WITH known AS (
            SELECT a.day, r.currency, r.rate,
                ROW_NUMBER() OVER (PARTITION BY a.day, r.currency ORDER BY r.date_day DESC) AS nth
            FROM rate_days AS a JOIN exchange_rates AS r ON r.date_day <= a.day AND r.date_day >= a.day - 7
        )
        SELECT day, currency, rate FROM known WHERE nth = 1
        """,
    )
    engine.create(
        "conversions",
        """
        SELECT m.market, p.currency, x.day, y.rate / x.rate * m.minor_per_unit / c.minor_per_unit AS factor
        FROM currencies_present AS p
        JOIN markets_asked AS m ON m.market = p.market AND m.currency <> p.currency
        JOIN currencies AS c ON c.currency = p.currency
        JOIN daily_rates AS x ON x.currency = p.currency
        JOIN daily_rates AS y ON y.currency = m.currency AND y.day = x.day
        """,
    )


def _group_conversions(engine: Engine, source: Source, markets: set[str]) -> None:
    """Create what a minor unit of each market is in the group's minor units, by day and at constant rates."""
    currency = group_currency(source, markets)
    engine.load_rows("group_money", [{"currency": currency or "none"}])
    engine.create(
        "group_conversions",
        """
        SELECT m.market, d.day, CAST(m.minor_per_unit AS DOUBLE) / m.minor_per_unit AS factor
        FROM markets_asked AS m
        JOIN group_money AS g ON g.currency = m.currency
        CROSS JOIN rate_days AS d
        UNION ALL
        SELECT m.market, x.day, y.rate / x.rate * c.minor_per_unit / m.minor_per_unit AS factor
        FROM markets_asked AS m
        JOIN group_money AS g ON g.currency <> m.currency
        JOIN currencies AS c ON c.currency = g.currency
        JOIN daily_rates AS x ON x.currency = m.currency
        JOIN daily_rates AS y ON y.currency = g.currency AND y.day = x.day
        """,
    )
    engine.create(
        "constant_conversions",
        """
        SELECT g.market, g.factor FROM group_conversions AS g
        JOIN markets_asked AS m ON m.market = g.market AND g.day = m.as_of_day - 1
        """,
    )


def group_currency(source: Source, markets: set[str]) -> str | None:
    """Return the group's currency: the profile's, else that of all its markets; None where they have several."""
    own = {source.markets[code].currency for code in markets}
    return source.profile.group_currency or (own.pop() if len(own) == 1 else None)


def _constants(engine: Engine, source: Source) -> None:
    own = {market.currency: market.minor_per_unit for market in source.markets.values()}
    currencies = {code: 10 ** get_currency_precision(code) for code in list_currencies()} | own
    engine.load_rows("currencies", [{"currency": code, "minor_per_unit": n} for code, n in currencies.items()])
    policy = {"refund_policy": source.refund_policy, "free_orders": source.free_orders, "unit_days": PATTERN_DAYS}
    engine.load_rows("policy", [policy])
    engine.load_rows("cuts", [{"cut": cut, "landmark_days": LANDMARK_DAYS.get(cut, 0)} for cut in CUTS])
    engine.load_rows("horizons", [{"horizon_days": days} for days in HORIZONS])
    engine.load_rows("windows", [{"window_days": days} for days in WINDOWS])


def refuse_hold_out(weeks: int) -> None:
    """Refuse a hold-out of no whole number of weeks.

    Raises
    ------
    UsageError : it is none, or less than one.
    """
    if not (isinstance(weeks, int) and weeks >= 1):
        raise UsageError("A hold-out is a whole number of weeks, at least 1.", found=f"{weeks}", to_try="26")


def hold_out(engine: Engine, weeks: int) -> None:
    """Create `holdout`: how many days before as_of are held out, for a forecast made then to be held against.

    And `looks` at subscriptions, now and before one and two hold-outs; `renewal_lengths`, of their periods.
    """
    refuse_hold_out(weeks)
    engine.load_rows("holdout", [{"holdout_days": weeks * 7}])
    engine.load_rows("looks", [{"holdouts_ago": ago} for ago in range(3)])
    lengths = [{"period": period, "length_us": int(days * US_PER_DAY)} for period, days in RENEWAL_DAYS.items()]
    engine.load_rows("renewal_lengths", lengths)


def load_bins(engine: Engine) -> None:
    """Create `bins`: of an amount of so many digits, the first two are kept."""
    rows = [{"least": 0, "beyond": 100, "width": 1}]
    rows += [{"least": 10**n, "beyond": 10 ** (n + 1), "width": 10 ** (n - 1)} for n in range(2, _MOST_DIGITS)]
    engine.load_rows("bins", rows)
