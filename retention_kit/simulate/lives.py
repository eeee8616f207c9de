"""Simulated customers: who they are, when they buy, when they leave, and what would have changed it.

A customer buys for the first time, then at his own rate until he leaves; nobody sees him leave. Days are
local and numbered from the first one, 2023-07-01; 30.4375 days are a month. What the company does for him
(a contact in his language, a late parcel, …) changes his chance to be a one-time buyer, his rate or his
hazard of leaving, so every planted effect is known exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

START, END = np.datetime64("2023-07-01"), np.datetime64("2026-01-01")
"""First day of the simulated history, and the first day after it."""

DAYS = int((END - START).astype(int))
MONTH = 30.4375
OBSERVED = 90
"""Length in days of the window in which a second order day is looked for."""

FIRST, RETRIED, REPEAT, RETURNED, PERSUADED = range(5)
"""Why an order was placed; a retried one replaces a cancelled first order on the same day."""

KEPT, PARTLY_REFUNDED, REFUNDED, CANCELLED = range(4)
"""What became of an order."""

CANCELLED_SHARE, REFUNDED_SHARE, PARTLY_REFUNDED_SHARE = 0.020, 0.015, 0.045
FIRST_REFUNDED_SHARE = 0.01
SPLIT_SHARE = 0.03
RETURNING_SHARE, SHORTEST_PAUSE, MEAN_PAUSE = 0.11, 100, 160
MOVING_SHARE = 0.016
HOURS = (8, 5, 3, 2, 2, 3, 7, 14, 25, 36, 42, 44, 48, 46, 42, 42, 44, 50, 58, 66, 72, 68, 48, 22)
"""Orders by hour of the local day, relative to each other."""

OUTAGE_MARKET, OUTAGE_MONTH, OUTAGE_FACTOR = "RO", "2025-03", 0.4
NEWCOMERS_MARKET, NEWCOMERS_FROM, NEWCOMERS_SHIFT = "BR", "2025-01", 0.28

EXPERIMENT = "stay-2025"
EXPERIMENT_MARKETS = ("NL", "US", "JP", "DE")
EXPERIMENT_DAYS, SILENT_DAYS, ANSWER_DAYS = ("2025-06-01", "2025-06-30"), (60, 365), 60
PERSUADED_SHARE = 0.10
ASSIGNED_SECOND = 6 * 3600


@dataclass(frozen=True)
class Channel:
    """How customers come: their share, and how they differ from the others."""

    share: float
    one_time: float
    rate: float
    own_language: float
    cost: float


CHANNELS = {
    "search": Channel(0.30, 0.00, 1.00, 0.00, 1.00),
    "paid_social": Channel(0.24, 0.06, 0.88, -0.10, 1.35),
    "organic": Channel(0.22, -0.05, 1.12, 0.10, 0.15),
    "marketplace": Channel(0.12, 0.05, 0.88, -0.10, 1.10),
    "email_partner": Channel(0.06, 0.00, 1.00, 0.00, 0.70),
    "referral": Channel(0.06, -0.06, 1.25, 0.10, 0.50),
}


@dataclass(frozen=True)
class Effect:
    """What a treatment changes: adds to the one-time probability, multiplies rate and hazard."""

    one_time: float = 0.0
    rate: float = 1.0
    hazard: float = 1.0


EFFECTS = {
    "own_language": Effect(one_time=-0.14, rate=1.08),
    "local_payment": Effect(one_time=-0.12, rate=1.05),
    "late": Effect(one_time=0.14, hazard=1.5),
    "slow": Effect(one_time=0.17, hazard=1.5),
    "member": Effect(one_time=-0.06, rate=1.20, hazard=0.8),
}
"""By the customers' column that says who got it: 1 yes, 0 no, −1 the question did not arise."""


@dataclass(frozen=True)
class Trade:
    """How trade goes in one market.

    `rate`: orders a month of a customer who stays, `leaving`: his hazard a month, `one_time`: share who never
    order again, all before effects; `basket`: median amount in the currency; `growth`: newcomers a day at the
    end for one at the start; `own_language`, `local_payment`, `late`, `slow`: shares of those concerned.
    """

    customers: int
    rate: float
    leaving: float
    one_time: float
    basket: float
    growth: float
    own_language: float
    local_payment: float
    late: float
    slow: float
    promise_days: int
    languages: tuple[str, ...]
    local_methods: tuple[str, ...]


# fmt: off
TRADES = {
    # customers, rate, leaving, one_time, basket, growth, own_language, local_payment, late, slow, promise_days
    "NL": Trade(5200, 0.61, 0.072, 0.40, 52, 1.8, 0.72, 0.68, 0.10, 0.25, 2, ("nl", "en", "tr"), ("iDEAL",)),
    "DK": Trade(2600, 0.56, 0.071, 0.42, 420, 1.6, 0.50, 0.50, 0.11, 0.28, 3, ("da", "en", "de"), ("MobilePay",)),
    "RO": Trade(2200, 0.48, 0.092, 0.42, 190, 2.4, 0.42, 0.45, 0.15, 0.35, 4, ("ro", "hu", "en"), ("ramburs",)),
    "CN": Trade(4200, 0.72, 0.115, 0.44, 260, 2.2, 0.55, 0.75, 0.09, 0.22, 3, ("zh", "en"), ("Alipay", "WeChat Pay")),
    "US": Trade(8500, 0.53, 0.095, 0.42, 61, 1.7, 0.75, 0.30, 0.12, 0.30, 4, ("en", "es", "zh"), ("Venmo",)),
    "JP": Trade(4400, 0.52, 0.064, 0.41, 6900, 1.5, 0.60, 0.45, 0.06, 0.20, 2, ("ja", "en", "zh"), ("Konbini",)),
    "BR": Trade(3900, 0.48, 0.105, 0.38, 210, 1.9, 0.45, 0.60, 0.17, 0.38, 6, ("pt", "es"), ("Pix", "Boleto")),
    "DE": Trade(9000, 0.56, 0.078, 0.41, 58, 1.5, 0.78, 0.55, 0.12, 0.26, 3, ("de", "tr", "en"), ("invoice", "SEPA")),
}
# fmt: on

RATE_SHAPE, LEAVING_SHAPE = 1.5, 1.2
ONBOARDED_SHARE, EARLY_TICKET_SHARE, EARLY_TICKET_SHARE_LATE = 0.65, 0.20, 0.38

_WEEKDAY = np.array([1.02, 0.96, 0.94, 0.97, 1.02, 1.04, 1.05])
_MONTHLY = np.array([0.92, 0.88, 0.95, 0.97, 1.0, 0.96, 0.93, 0.88, 0.98, 1.04, 1.18, 1.31])
_CHRISTMAS = ((1201, 1219, 1.15), (1224, 1226, 0.55))
_EVERY_YEAR: Mapping[str, tuple[tuple[int, int, float], ...]] = {
    "NL": ((1125, 1204, 1.35), (427, 427, 0.7), *_CHRISTMAS),
    "DK": ((605, 605, 0.8), *_CHRISTMAS),
    "RO": ((1201, 1201, 0.7), *_CHRISTMAS),
    "CN": ((1101, 1110, 1.25), (1111, 1111, 3.2), (616, 618, 1.9), (1201, 1231, 0.78)),
    "US": ((704, 704, 0.7), (710, 713, 1.4), *_CHRISTMAS),
    "JP": ((429, 505, 1.35), (813, 816, 0.8), (1231, 1231, 0.6), (101, 104, 1.5)),
    "BR": ((501, 511, 1.25), (605, 612, 1.2), *_CHRISTMAS),
    "DE": ((1003, 1003, 0.8), *_CHRISTMAS),
}
_ONCE: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "CN": (("2024-02-09", "2024-02-16", 0.45), ("2025-01-28", "2025-02-04", 0.45)),
    "BR": (("2024-02-10", "2024-02-14", 0.6), ("2025-03-01", "2025-03-05", 0.6)),
}
_BLACK_FRIDAY = {"CN": 1.0, "JP": 1.2, "BR": 2.4, "US": 2.3}


def season(code: str) -> np.ndarray:
    """Return how busy each day of the history is in a market, (`DAYS`,), 1 on average."""
    dates = START + np.arange(DAYS)
    weekday = (dates.astype(int) + 3) % 7  # 1970-01-01 was a Thursday
    month = dates.astype("datetime64[M]").astype(int) % 12
    day_of_month = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    mmdd = (month + 1) * 100 + day_of_month
    busy = _WEEKDAY[weekday] * _MONTHLY[month]
    friday = np.flatnonzero((month == 10) & (weekday == 4) & (day_of_month >= 23) & (day_of_month <= 29))
    for shift in range(4):
        busy[friday + shift] *= _BLACK_FRIDAY.get(code, 1.9)
    for first, last, factor in _EVERY_YEAR.get(code, _CHRISTMAS):
        busy[(mmdd >= first) & (mmdd <= last)] *= factor
    for begin, end, factor in _ONCE.get(code, ()):
        busy[(dates >= np.datetime64(begin)) & (dates <= np.datetime64(end))] *= factor
    return busy / busy.mean()


def day_number(date: str) -> int:
    """Return the number of a local day, 0 on the first of the history."""
    return int((np.datetime64(date, "D") - START).astype(int))


def outage_days() -> slice:
    """Return the days of the outage month."""
    month = np.datetime64(OUTAGE_MONTH, "M")
    return slice(day_number(str(month)), day_number(str(month + 1)))


@dataclass(frozen=True)
class Company:
    """Where the simulated company sells, its days there and its clocks.

    Parameters
    ----------
    codes, currencies, zones : of its markets, in the same order.
    trades : how trade goes in each of them.
    seasons : (n_markets, DAYS), how busy each day is.
    """

    codes: tuple[str, ...]
    currencies: tuple[str, ...]
    zones: tuple[ZoneInfo, ...]
    trades: tuple[Trade, ...]
    seasons: np.ndarray = field(repr=False)

    @cached_property
    def elapsed(self) -> np.ndarray:
        """Return the busy time before each day, (n_markets, DAYS + 1)."""
        return np.pad(np.cumsum(self.seasons, axis=1), ((0, 0), (1, 0)))

    @cached_property
    def _all_elapsed(self) -> np.ndarray:
        return (self.elapsed + self._market_step * np.arange(len(self.codes))[:, None]).ravel()

    @property
    def _market_step(self) -> float:
        return float(self.elapsed.max()) + 1.0

    def day_at(self, market: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
        """Return the day on which so much busy time has gone by in each one's market."""
        place = np.searchsorted(self._all_elapsed, elapsed + self._market_step * market, side="right") - 1
        return np.clip(place - market * (DAYS + 1), 0, DAYS - 1).astype(np.int32)

    @cached_property
    def _offsets(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        return tuple(_zone_offsets(zone) for zone in self.zones)

    def utc(self, market: np.ndarray, day: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the instant, in seconds since 1970 UTC, of a local day and second of the day.

        A time that the clock skips becomes one an hour off.
        """
        local = (int(START.astype(int)) + np.asarray(day, dtype=np.int64)) * 86400 + second
        instant = np.empty_like(local)
        for number, (since, offset) in enumerate(self._offsets):
            here = market == number
            guess = local[here] - offset[np.searchsorted(since, local[here], side="right") - 1]
            instant[here] = local[here] - offset[np.searchsorted(since, guess, side="right") - 1]
        return instant


def _zone_offsets(zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray]:
    """Return from which instants on (seconds since 1970) which offset to UTC (seconds) holds in a zone."""
    first, last = int(START.astype(int)) - 400, int(END.astype(int)) + 400

    def offset(instant: int) -> int:
        return int(datetime.fromtimestamp(instant, UTC).astimezone(zone).utcoffset().total_seconds())

    daily = np.array([offset(day * 86400) for day in range(first, last)])
    changed = np.flatnonzero(np.diff(daily))
    since = [first * 86400]
    for day in changed:
        quarters = (first + int(day)) * 86400 + 900 * np.arange(1, 97)
        since.append(int(next(at for at in quarters if offset(int(at)) != daily[day])))
    return np.array(since), np.concatenate([daily[:1], daily[changed + 1]])


def new_customers(rng: np.random.Generator, company: Company, *, numbers: np.ndarray | None = None) -> pd.DataFrame:
    """Return customers in the order of their first day: who they are and what happened to each.

    Parameters
    ----------
    numbers : customers in each market; those of its trade where not given.

    Returns
    -------
    (n_customers, 16): `market` (number in the company), `first_day`; `channel`, `language` (numbers in their
    lists); `rate`, `hazard` a month and `one_time` before effects; `keen` (who buys often is keener, and buys
    more at a time); the treatments of `EFFECTS`; `onboarded`, `early_ticket`, `refunded_first` flags.
    """
    numbers = np.array([trade.customers for trade in company.trades]) if numbers is None else numbers
    market = np.repeat(np.arange(len(company.codes), dtype=np.int16), numbers)
    first_day = _first_days(rng, company, market)
    by_day = np.lexsort((first_day, market))
    first_day, n = first_day[by_day], len(market)
    channel = _drawn(rng, [c.share for c in CHANNELS.values()], n)
    language = _drawn(rng, [0.86, 0.14], n) * (
        1 + (rng.random(n) * (_of(company, "languages", len)[market] - 1)).astype(np.int8)
    )
    rate = _of(company, "rate")[market] * rng.gamma(RATE_SHAPE, 1 / RATE_SHAPE, n)
    keen = 0.7 * np.log(rate / _of(company, "rate")[market]) + 0.6 * rng.standard_normal(n)
    customers = pd.DataFrame(
        {
            "market": market,
            "first_day": first_day,
            "channel": channel,
            "language": language.astype(np.int8),
            "rate": rate * _by_channel("rate")[channel],
            "hazard": _of(company, "leaving")[market] * rng.gamma(LEAVING_SHAPE, 1 / LEAVING_SHAPE, n),
            "one_time": _one_time(company, market, first_day) + _by_channel("one_time")[channel],
            "keen": keen,
            "refunded_first": rng.random(n) < FIRST_REFUNDED_SHARE,
        }
    )
    return customers.assign(**_treatments(rng, company, customers))


def _first_days(rng: np.random.Generator, company: Company, market: np.ndarray) -> np.ndarray:
    growth = _of(company, "growth")[:, None] ** (np.arange(DAYS) / DAYS)
    arriving = np.cumsum(company.seasons * growth, axis=1)
    share = arriving / arriving[:, -1:]
    steps = (share + np.arange(len(company.codes))[:, None]).ravel()
    place = np.searchsorted(steps, market + rng.random(len(market)), side="right")
    return np.clip(place - market.astype(np.int64) * DAYS, 0, DAYS - 1).astype(np.int32)


def _one_time(company: Company, market: np.ndarray, first_day: np.ndarray) -> np.ndarray:
    """Return each one's probability never to order again; higher for the newcomers that one market loses."""
    one_time = _of(company, "one_time")[market]
    if NEWCOMERS_MARKET not in company.codes:
        return one_time
    lost = (market == company.codes.index(NEWCOMERS_MARKET)) & (first_day >= day_number(NEWCOMERS_FROM))
    return one_time + NEWCOMERS_SHIFT * lost


def _treatments(rng: np.random.Generator, company: Company, customers: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what happened to each customer; only membership depends on what he would have done anyway."""
    n, market, channel = len(customers), customers["market"].to_numpy(), customers["channel"].to_numpy()
    onboarded = rng.random(n) < ONBOARDED_SHARE
    own = _of(company, "own_language")[market] + _by_channel("own_language")[channel]
    own = rng.random(n) < own * np.where(customers["language"] == 0, 1.0, 0.6)
    late = rng.random(n) < _of(company, "late")[market]
    early = rng.random(n) < np.where(late, EARLY_TICKET_SHARE_LATE, EARLY_TICKET_SHARE)
    slow = rng.random(n) < _of(company, "slow")[market]
    eagerness = (customers["rate"].to_numpy() / _of(company, "rate")[market]) ** 1.5
    member = rng.random(n) < 0.03 + 0.52 * eagerness / (1 + eagerness)
    return {
        "onboarded": onboarded,
        "early_ticket": early,
        "own_language": np.where(onboarded, own, -1).astype(np.int8),
        "local_payment": (rng.random(n) < _of(company, "local_payment")[market]).astype(np.int8),
        "late": late.astype(np.int8),
        "slow": np.where(early, slow, -1).astype(np.int8),
        "member": member.astype(np.int8),
    }


def _of(company: Company, name: str, take=float) -> np.ndarray:
    return np.array([take(getattr(trade, name)) for trade in company.trades])


def _by_channel(name: str) -> np.ndarray:
    return np.array([getattr(channel, name) for channel in CHANNELS.values()])


def _drawn(rng: np.random.Generator, shares: list[float], n: int) -> np.ndarray:
    return np.minimum(np.searchsorted(np.cumsum(shares), rng.random(n)), len(shares) - 1).astype(np.int8)


def behaviour(customers: pd.DataFrame) -> pd.DataFrame:
    """Return each one's `rate` and `hazard` a month and `one_time` probability, with all effects on him."""
    now = customers[["rate", "hazard", "one_time"]].copy()
    for name, effect in EFFECTS.items():
        treated = customers[name].to_numpy() == 1
        now["one_time"] += effect.one_time * treated
        now["rate"] *= np.where(treated, effect.rate, 1.0)
        now["hazard"] *= np.where(treated, effect.hazard, 1.0)
    return now.assign(one_time=now["one_time"].clip(0.02, 0.97))


def kept_share() -> float:
    """Return the share of a later day's occasions that leave a kept order; a split one has two chances."""
    undone = CANCELLED_SHARE + REFUNDED_SHARE
    return 1 - CANCELLED_SHARE - REFUNDED_SHARE * (1 - SPLIT_SHARE + SPLIT_SHARE * undone)


def second_day_chance(customers: pd.DataFrame, company: Company) -> np.ndarray:
    """Return each one's exact probability of a kept order 1 to `OBSERVED` days after the first.

    NaN for customers whose `OBSERVED` days are not over when the history ends.
    """
    now, market = behaviour(customers), customers["market"].to_numpy()
    first_day = customers["first_day"].to_numpy()
    seen = first_day + OBSERVED < DAYS
    daily = (now["rate"] / MONTH).to_numpy() * kept_share()
    leaving = (now["hazard"] / MONTH).to_numpy()
    chance, expected = np.zeros(len(customers)), np.zeros(len(customers))
    for day in range(1, OBSERVED + 1):
        today = daily * company.seasons[market, np.minimum(first_day + day, DAYS - 1)]
        chance += np.exp(-leaving * day - expected) * -np.expm1(-today)
        expected += today
    return np.where(seen, chance * (1 - now["one_time"].to_numpy()), np.nan)


def lives(rng: np.random.Generator, customers: pd.DataFrame) -> pd.DataFrame:
    """Return each customer's `last_day`, and for those who come back `back_day` and `back_last_day`.

    The last day is the last one on which he might have ordered; a day ≥ `DAYS` lies after the history.
    Nobody comes back before `SHORTEST_PAUSE` days.
    """
    now, n = behaviour(customers), len(customers)
    length = rng.exponential(1.0, n) * MONTH / now["hazard"].to_numpy()
    length = np.where(rng.random(n) < now["one_time"].to_numpy(), 0, np.minimum(length, 10 * DAYS))
    last_day = customers["first_day"].to_numpy() + np.floor(length).astype(np.int64)
    back_day = last_day + SHORTEST_PAUSE + 1 + rng.exponential(MEAN_PAUSE, n).astype(np.int64)
    again = np.minimum(rng.exponential(1.0, n) * MONTH / now["hazard"].to_numpy(), 10 * DAYS)
    back_day = np.where(rng.random(n) < RETURNING_SHARE, back_day, 20 * DAYS)
    back_last_day = back_day + np.floor(again).astype(np.int64)
    return pd.DataFrame({"last_day": last_day, "back_day": back_day, "back_last_day": back_last_day})


def occasions(rng: np.random.Generator, company: Company, customers: pd.DataFrame, life: pd.DataFrame) -> pd.DataFrame:
    """Return the days on which customers buy: `customer` (row number), `day`, `why`."""
    everyone = np.arange(len(customers))
    first_day = customers["first_day"].to_numpy()
    rate = behaviour(customers)["rate"].to_numpy() / MONTH
    back = everyone[life["back_day"].to_numpy() < DAYS]
    back_day = life["back_day"].to_numpy()[back]
    market = customers["market"].to_numpy()
    return pd.concat(
        [
            _on(everyone, first_day, FIRST),
            _bought(rng, company, everyone, market, first_day + 1, life["last_day"].to_numpy(), rate),
            _on(back, back_day, RETURNED),
            _bought(
                rng,
                company,
                back,
                market[back],
                back_day + 1,
                life["back_last_day"].to_numpy()[back],
                rate[back],
            ),
        ],
        ignore_index=True,
    )


def _on(customer: np.ndarray, day: np.ndarray, why: int) -> pd.DataFrame:
    return pd.DataFrame({"customer": customer, "day": day.astype(np.int32), "why": np.int8(why)})


def _bought(rng, company, customer, market, first, last, rate) -> pd.DataFrame:
    """Return the days of a Poisson process that follows the season from a first to a last day, both in it."""
    first = np.minimum(first, DAYS)
    stop = np.maximum(np.minimum(last, DAYS - 1) + 1, first)
    begin, end = company.elapsed[market, first], company.elapsed[market, stop]
    times = rng.poisson(rate * (end - begin))
    begin, length = np.repeat(begin, times), np.repeat(end - begin, times)
    day = company.day_at(np.repeat(market, times), begin + rng.random(len(begin)) * length)
    return _on(np.repeat(customer, times), day, REPEAT)


def placed(rng: np.random.Generator, occasion: pd.DataFrame, refunded_first: np.ndarray) -> pd.DataFrame:
    """Return orders for occasions: `customer`, `day`, `second` of the local day, `why`, `fate`.

    A share of occasions is split into two orders on the day. A cancelled first order is always tried again on
    its day; an order that the incentive brought is never undone.
    """
    n = len(occasion)
    hour = _drawn(rng, list(np.array(HOURS) / sum(HOURS)), n)
    order = occasion.assign(
        second=hour.astype(np.int32) * 3600 + rng.integers(0, 3600, n, dtype=np.int32),
        fate=_fates(rng, occasion["why"].to_numpy(), refunded_first[occasion["customer"].to_numpy()]),
    )
    retried = order[(order["why"] == FIRST) & (order["fate"] == CANCELLED)]
    split = order[(rng.random(n) < SPLIT_SHARE) & (order["fate"] != CANCELLED)]
    split_fate = _fates(rng, np.full(len(split), REPEAT), np.zeros(len(split), dtype=bool))
    return pd.concat(
        [
            order,
            _later_that_day(rng, retried).assign(why=np.int8(RETRIED), fate=np.int8(KEPT)),
            _later_that_day(rng, split).assign(why=np.int8(REPEAT), fate=split_fate),
        ],
        ignore_index=True,
    )


def _later_that_day(rng: np.random.Generator, order: pd.DataFrame) -> pd.DataFrame:
    left = 86399 - order["second"].to_numpy()
    later = order["second"].to_numpy() + np.ceil(left * rng.random(len(order)) ** 2).astype(np.int32)
    return order.assign(second=later)


def _fates(rng: np.random.Generator, why: np.ndarray, refunded_first: np.ndarray) -> np.ndarray:
    edges = np.cumsum([CANCELLED_SHARE, REFUNDED_SHARE, PARTLY_REFUNDED_SHARE])
    outcome = np.array([CANCELLED, REFUNDED, PARTLY_REFUNDED, KEPT], dtype=np.int8)
    fate = outcome[np.searchsorted(edges, rng.random(len(why)), side="right")]
    first = why == FIRST
    fate[first & (fate == REFUNDED)] = KEPT
    fate[first & refunded_first] = REFUNDED
    fate[why == PERSUADED] = KEPT
    return fate


def moves(rng: np.random.Generator, company: Company, customers: pd.DataFrame, orders: pd.DataFrame) -> np.ndarray:
    """Return the market of each order: a few customers move, after 120 days or more, and order elsewhere."""
    n, first_day = len(customers), customers["first_day"].to_numpy()
    last = np.zeros(n, dtype=np.int64)
    np.maximum.at(last, orders["customer"].to_numpy(), orders["day"].to_numpy())
    room = last - first_day - 120
    moving = (room > 0) & (rng.random(n) < MOVING_SHARE)
    day = np.where(moving, first_day + 121 + np.floor(rng.random(n) * room), 2 * DAYS)
    home = customers["market"].to_numpy()
    there = (home + 1 + rng.integers(0, len(company.codes) - 1, n)) % len(company.codes)
    customer = orders["customer"].to_numpy()
    return np.where(orders["day"].to_numpy() >= day[customer], there[customer], home[customer]).astype(np.int16)


@dataclass(frozen=True)
class Experiment:
    """The test of an incentive to stay.

    Parameters
    ----------
    assigned : (n_assigned, 4): `customer`, `day`, `treated`, `ordered_anyway` (what he does without it).
    brought : occasions that only the incentive brought.
    """

    assigned: pd.DataFrame
    brought: pd.DataFrame

    @property
    def effect(self) -> float:
        """Return the average effect on P(kept order within 60 days of assignment), over all assigned."""
        return float(PERSUADED_SHARE * (1 - self.assigned["ordered_anyway"].mean()))


def stay_experiment(
    rng: np.random.Generator,
    company: Company,
    customers: pd.DataFrame,
    life: pd.DataFrame,
    orders: pd.DataFrame,
) -> Experiment:
    """Return who was assigned, and the orders that the incentive brought.

    Assigned: home in one of four markets, first order more than 90 days ago, no order for 60 to 365 days.
    A treated customer who would not have ordered within 60 days does so with probability
    `PERSUADED_SHARE`; where he had left, he stays as long as he would have as a newcomer.
    """
    n = len(customers)
    first, last = (day_number(date) for date in EXPERIMENT_DAYS)
    day = rng.integers(first, last + 1, n)
    where = [company.codes.index(code) for code in EXPERIMENT_MARKETS]
    silent = day - _last_day_until(day, orders)
    chosen = (
        np.isin(customers["market"], where)
        & (customers["first_day"].to_numpy() < day - OBSERVED)
        & (silent >= SILENT_DAYS[0])
        & (silent <= SILENT_DAYS[1])
    )
    assigned = pd.DataFrame(
        {
            "customer": np.flatnonzero(chosen),
            "day": day[chosen],
            "treated": rng.random(n)[chosen] < 0.5,
            "ordered_anyway": _ordered_within(day, orders, n)[chosen],
        }
    )
    return Experiment(assigned, _brought(rng, company, customers, life, assigned))


def _last_day_until(day: np.ndarray, orders: pd.DataFrame) -> np.ndarray:
    customer, ordered = orders["customer"].to_numpy(), orders["day"].to_numpy()
    last = np.full(len(day), -10 * DAYS)
    np.maximum.at(last, customer, np.where(ordered <= day[customer], ordered, -10 * DAYS))
    return last


def _ordered_within(day: np.ndarray, orders: pd.DataFrame, n: int) -> np.ndarray:
    """Return whether each customer has a kept order within 60 days of being assigned."""
    customer = orders["customer"].to_numpy()
    after = (orders["day"].to_numpy() - day[customer]) * 86400 + orders["second"].to_numpy() - ASSIGNED_SECOND
    counts = (after >= 0) & (after < ANSWER_DAYS * 86400) & (orders["fate"].to_numpy() <= PARTLY_REFUNDED)
    return np.bincount(customer[counts], minlength=n) > 0


def _brought(rng, company, customers, life, assigned) -> pd.DataFrame:
    persuaded = assigned["treated"] & ~assigned["ordered_anyway"]
    persuaded &= rng.random(len(assigned)) < PERSUADED_SHARE
    who = assigned.loc[persuaded, "customer"].to_numpy()
    day = assigned.loc[persuaded, "day"].to_numpy() + rng.integers(1, ANSWER_DAYS - 4, len(who))
    now = behaviour(customers).iloc[who]
    stays = rng.exponential(1.0, len(who)) * MONTH / now["hazard"].to_numpy()
    gone = life["last_day"].to_numpy()[who] < day
    last = np.where(gone, day + np.minimum(stays, DAYS).astype(np.int64), day)
    market = customers["market"].to_numpy()[who]
    again = _bought(rng, company, who, market, day + 1, last, now["rate"].to_numpy() / MONTH)
    return pd.concat([_on(who, day, PERSUADED), again], ignore_index=True)
