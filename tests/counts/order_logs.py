"""Small logs of orders: written by hand or drawn by Hypothesis, and how an engine gets them."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from retention_kit.config import markets_of
from retention_kit.counts import DuckDB, Engine, counts_in
from retention_kit.ingest import Profile, Source

ZONES = (
    "Europe/Amsterdam",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "America/New_York",
    "Asia/Kolkata",
    "America/Havana",
)
"""Midnight is skipped in some springs of Sao Paulo and comes twice in Havana; Apia had no 30 December 2011."""

CUSTOMERS = ("once", "always", "gap", "midnight", "late", "mover")

TURNS = (
    date(2024, 2, 29),  # leap day
    date(2000, 2, 29),  # leap day of a century
    date(2023, 12, 31),  # year end
    date(2021, 1, 3),  # last day of ISO week 2020-W53
    date(2024, 3, 31),  # Amsterdam, spring
    date(2024, 10, 27),  # Amsterdam, autumn
    date(2024, 3, 10),  # New York and Havana, spring: midnight is skipped in Havana
    date(2024, 11, 3),  # New York and Havana, autumn: midnight comes twice in Havana
    date(2018, 11, 4),  # Sao Paulo, spring: midnight is skipped
    date(2018, 2, 17),  # Sao Paulo, autumn: the hour before midnight comes twice
    date(2011, 12, 30),  # the day that Apia skipped
    date(1970, 1, 1),  # where days change their sign
)
"""Days around which the calendar does something."""

CLOCKS = (0, 1, 1_800_000_000, 9_000_000_000, 43_200_000_000, 86_340_000_000, 86_399_999_999)
"""Microseconds since midnight: at it, next to it, in the hours that DST skips and repeats, at noon."""

N_LOGS = int(os.environ.get("RETENTION_KIT_LOGS", "0"))
"""How many random logs a test counts: other ones every time where it is set, the same few where it is not."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Place:
    """A market: its code, zone and activity window in days."""

    code: str
    zone: str
    window: int = 90


@dataclass(frozen=True)
class Order:
    """An order; times in microseconds since 1970 UTC, money in cents."""

    customer: str
    market: str
    at: int
    amount: int = 100
    refunded: int = 0
    refunded_at: int | None = None
    cancelled: bool = False


@dataclass(frozen=True)
class Contract:
    """A customer's subscription in a market, from when to when; None while it runs."""

    market: str
    started: int
    ended: int | None = None
    customer: str = "subscriber"


@dataclass(frozen=True)
class Log:
    """Orders, where they were made, and what is asked of them."""

    places: tuple[Place, ...]
    orders: tuple[Order, ...]
    as_of: str
    grains: tuple[str, ...] = ("month",)
    contracts: tuple[Contract, ...] = ()
    refund_policy: str = "order"
    free_orders: str = "left_out"
    complete_history: bool = False

    @property
    def present(self) -> tuple[Place, ...]:
        """Return the markets that the orders name."""
        return tuple(place for place in self.places if any(order.market == place.code for order in self.orders))

    def of(self, customers) -> "Log":
        """Return the log with the orders of some customers only."""
        return replace(self, orders=tuple(order for order in self.orders if order.customer in customers))


def instant(text: str, zone: str = "UTC", *, fold: int = 0) -> int:
    """Return microseconds since 1970 UTC of a local time such as '2024-03-31T00:30'."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return (local - EPOCH) // timedelta(microseconds=1)


def written(us: int) -> str:
    """Return an instant as one writes an `as_of`."""
    return (EPOCH + timedelta(microseconds=us)).isoformat()


def typed_orders(log: Log) -> pa.Table:
    """Return the orders as ingest would leave them in an engine."""
    columns = {
        "order_id": ([f"o{nth}" for nth, _ in enumerate(log.orders)], pa.string()),
        "customer_id": ([order.customer for order in log.orders], pa.string()),
        "market": ([order.market for order in log.orders], pa.string()),
        "ordered_us": ([order.at for order in log.orders], pa.int64()),
        "amount_minor": ([order.amount for order in log.orders], pa.int64()),
        "currency": (["EUR" for _ in log.orders], pa.string()),
        "refunded_minor": ([order.refunded for order in log.orders], pa.int64()),
        "refunded_us": ([order.refunded_at for order in log.orders], pa.int64()),
        "cancelled": ([order.cancelled for order in log.orders], pa.bool_()),
    }
    return pa.table({name: pa.array(values, type=type_) for name, (values, type_) in columns.items()})


def typed_subscriptions(log: Log) -> pa.Table:
    """Return the contracts as ingest would leave them in an engine."""
    columns = {
        "subscription_id": ([f"s{nth}" for nth, _ in enumerate(log.contracts)], pa.string()),
        "customer_id": ([contract.customer for contract in log.contracts], pa.string()),
        "market": ([contract.market for contract in log.contracts], pa.string()),
        "started_us": ([contract.started for contract in log.contracts], pa.int64()),
        "ended_us": ([contract.ended for contract in log.contracts], pa.int64()),
    }
    return pa.table({name: pa.array(values, type=type_) for name, (values, type_) in columns.items()})


def source_of(log: Log) -> Source:
    """Return the source that declares a log's markets and policies; it names no file."""
    declared = {
        place.code: {
            "name": f"Market {place.code}",
            "languages": ["en"],
            "currency": "EUR",
            "time_zone": place.zone,
            "activity_window_days": place.window,
        }
        for place in log.places
    }
    return Source(
        name="log",
        where="log.toml",
        profile=Profile(
            refund_policy=log.refund_policy, free_orders=log.free_orders, complete_history=log.complete_history
        ),
        markets=markets_of(declared, where="log.toml"),
        files={},
        unknown_markets="fail",
        max_refused=0,
    )


def load_log(engine: Engine, log: Log) -> None:
    """Put a log into an engine, in place of the one before."""
    engine.drop("orders")
    engine.load("orders", typed_orders(log))
    engine.drop("subscriptions")
    engine.load("subscriptions", typed_subscriptions(log))


def counted_in(engine: Engine, log: Log, tables: Sequence[str]) -> dict:
    """Return counts tables of a log, counted by an engine."""
    load_log(engine, log)
    return counts_in(engine, source_of(log), as_of=log.as_of, grains=log.grains, tables=tables)


def counted_log(log: Log, tables: Sequence[str]) -> dict:
    """Return counts tables of a log, counted by DuckDB in memory."""
    with DuckDB() as engine:
        return counted_in(engine, log, tables)


@st.composite
def random_logs(draw, *, most_orders: int = 24) -> Log:
    """Draw a log: few customers, one to three markets, everything at the edges of days, and `as_of` anywhere."""
    turn = draw(st.sampled_from(TURNS))
    zones = draw(st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True))
    windows = st.one_of(st.sampled_from((1, 7, 28, 30, 90, 200)), st.integers(1, 200))
    places = tuple(Place(code, zone, draw(windows)) for code, zone in zip(("AA", "BB", "CC"), zones, strict=False))
    times = _times(turn, places)
    orders = draw(st.lists(_orders(places, times), min_size=1, max_size=most_orders))
    log = Log(
        places=places,
        orders=tuple(orders),
        as_of="",
        grains=tuple(
            draw(st.lists(st.sampled_from(("day", "week", "month", "quarter", "year")), min_size=1, unique=True))
        ),
        contracts=tuple(draw(st.lists(_contracts(places, times), max_size=5))),
        refund_policy=draw(st.sampled_from(("order", "processed"))),
        free_orders=draw(st.sampled_from(("left_out", "kept"))),
        complete_history=draw(st.booleans()),
    )
    return replace(log, as_of=draw(_as_ofs(log, turn, times)))


def _times(turn: date, places: Sequence[Place]) -> st.SearchStrategy[int]:
    """Return instants near a turn of the calendar, or within fourteen months of it, by some market's clock."""
    days = st.one_of(st.integers(-2, 2), st.integers(-70, 70), st.integers(-420, 420))
    clocks = st.one_of(st.sampled_from(CLOCKS), st.integers(0, DAY_US - 1))
    zones = st.sampled_from([place.zone for place in places])

    def at(days: int, clock: int, zone: str, fold: int) -> int:
        local = datetime.combine(turn, datetime.min.time()) + timedelta(days=days, microseconds=clock)
        return instant(local.isoformat(), zone, fold=fold)

    return st.builds(at, days, clocks, zones, st.integers(0, 1))


@st.composite
def _orders(draw, places: Sequence[Place], times: st.SearchStrategy[int]) -> Order:
    amount = draw(st.sampled_from((1, 100, 250, 999, 100_000, 100, 100, 0, -50)))
    order = Order(
        customer=draw(st.sampled_from(CUSTOMERS)),
        market=draw(st.sampled_from(places)).code,
        at=draw(times),
        amount=amount,
        cancelled=draw(st.sampled_from((False, False, False, False, True))),
    )
    refund = draw(st.sampled_from(("none", "none", "none", "part", "whole", "more")))
    if refund == "none":
        return order
    refunded = {"part": max(amount // 2, 0), "whole": max(amount, 0), "more": abs(amount) + 7}[refund]
    later = st.one_of(st.sampled_from((0, 1, -1)), st.integers(-DAY_US, 100 * DAY_US))
    when = st.one_of(st.none(), later.map(lambda us: order.at + us), times)
    return replace(order, refunded=refunded, refunded_at=draw(when))


@st.composite
def _contracts(draw, places: Sequence[Place], times: st.SearchStrategy[int]) -> Contract:
    started, ended = sorted((draw(times), draw(times)))
    ended = draw(st.sampled_from((ended, ended, None)))
    return Contract(draw(st.sampled_from(places)).code, started, ended, draw(st.sampled_from(CUSTOMERS[:2])))


@st.composite
def _as_ofs(draw, log: Log, turn: date, times: st.SearchStrategy[int]) -> str:
    """Draw a date, an instant, or the very instant of an order; always after some order of the log."""
    dates = st.integers(-60, 450).map(lambda days: (turn + timedelta(days=days)).isoformat())
    of_orders = st.sampled_from([order.at for order in log.orders])
    edges = st.builds(lambda at, more: written(at + more), of_orders, st.sampled_from((0, 1)))
    as_of = draw(st.one_of(dates, dates, times.map(written), edges))
    zone = {place.code: place.zone for place in log.places}
    if any(order.at < as_of_us(as_of, zone[order.market]) for order in log.orders):
        return as_of
    return written(min(order.at for order in log.orders) + 1)


def as_of_us(as_of: str, zone: str) -> int:
    """Return the first instant not observed: a date is local midnight."""
    return instant(as_of, zone) if len(as_of) == len("2026-01-01") else instant_with_offset(as_of)


def instant_with_offset(text: str) -> int:
    """Return microseconds since 1970 UTC of a time that states its offset."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def logs_every_day(n: int) -> Callable:
    """Return the settings of a test that takes so many random logs every day, or those asked for by `N_LOGS`."""
    return settings(
        max_examples=N_LOGS or n,
        derandomize=not N_LOGS,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )
