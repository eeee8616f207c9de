"""The eight tables that simulated customers leave behind, as Arrow tables with the contract's columns.

The export is of 2026-01-15: orders end with 2025, parcels and refunds of the last ones came after.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retention_kit.simulate import lives
from retention_kit.simulate.lives import (
    CANCELLED,
    CHANNELS,
    DAYS,
    END,
    EXPERIMENT,
    FIRST,
    PARTLY_REFUNDED,
    PERSUADED,
    REFUNDED,
    START,
    Company,
    Experiment,
)

EXPORTED = int((END - np.datetime64("1970-01-01")).astype(int)) * 86400 + 14 * 86400
"""The instant of the export, seconds since 1970."""

RATE_DAYS = (np.datetime64("2023-06-25"), np.datetime64("2026-01-10"))
RATE_LEVELS = {"EUR": 1.0, "DKK": 7.46, "RON": 4.97, "CNY": 7.75, "USD": 1.09, "JPY": 160.0, "BRL": 5.75}
RATE_NOISE = {"EUR": 0.0, "DKK": 0.0001, "RON": 0.0006}

WHOLE_PRICES = {"JPY": 10, "KRW": 100, "DKK": 1, "CNY": 1, "INR": 1}
"""Currencies without small change in prices, and the step of prices in them."""

GLOBAL_METHODS = ("card", "PayPal", "Apple Pay")
OTHER_CURRENCY = {"DK": ("EUR", 0.04), "RO": ("EUR", 0.06), "CN": ("USD", 0.01), "BR": ("USD", 0.015)}
COUPONS = ("WELCOME10", "COMEBACK15", "BF25", "SPRING5", "STAY20")
COUPON_SHARES = (0.10, 0.15, 0.25, 0.05, 0.20)
CAMPAIGNS = ("newsletter", "recommendation", "retargeting")
SALES_CHANNELS = ("web", "app", "store")
TIERS = ("silver", "gold", "platinum")
TICKET_KINDS = ("onboarding", "question", "complaint", "return")
ENGAGEMENT_KINDS = ("visit", "app_open", "email_open", "email_click", "content_view")
ENGAGEMENT_SHARES = (0.40, 0.18, 0.22, 0.08, 0.12)
TRACKED_FROM = "2025-01-01"
EVENTS_A_MONTH = 0.72
QUESTIONS = ("nps", "csat", "intent", "values")
ASKED_SHARES = (0.16, 0.10, 0.12, 0.04)
INCENTIVE_COST = {"NL": 6, "US": 7, "JP": 900, "DE": 6}
BOX_MARKETS = {"NL": 27.5, "DE": 29.5}
BOX_SHARE = 0.05


@dataclass(frozen=True)
class History:
    """All that happened: the company, its customers, their lives, orders and the experiment."""

    company: Company
    customers: pd.DataFrame
    life: pd.DataFrame
    orders: pd.DataFrame
    experiment: Experiment


def history(rng: np.random.Generator, company: Company) -> History:
    """Return the simulated history of the company; its orders are by `ordered`, seconds since 1970."""
    customers = lives.new_customers(rng, company)
    life = lives.lives(rng, customers)
    refunded_first = customers["refunded_first"].to_numpy()
    orders = lives.placed(rng, lives.occasions(rng, company, customers, life), refunded_first)
    experiment = lives.stay_experiment(rng, company, customers, life, orders)
    brought = lives.placed(rng, experiment.brought, refunded_first)
    orders = pd.concat([orders, brought], ignore_index=True)
    orders["market"] = lives.moves(rng, company, customers, orders)
    orders["ordered"] = company.utc(orders["market"].to_numpy(), orders["day"].to_numpy(), orders["second"].to_numpy())
    orders = orders.sort_values(["ordered", "customer", "why"], kind="stable", ignore_index=True)
    return History(company, customers, life, orders, experiment)


def money(minor: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return hundredths as decimals with two digits; a yen is 100 hundredths."""
    words = np.zeros((len(minor), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = minor, -(np.asarray(minor) < 0).astype(np.int64)
    present = None if missing is None else pa.array(~np.asarray(missing)).buffers()[1]
    return pa.Array.from_buffers(pa.decimal128(12, 2), len(minor), [present, pa.py_buffer(words.tobytes())])


def instants(second: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return seconds since 1970 as instants in UTC."""
    milli = np.asarray(second, dtype=np.int64) * 1000
    return pa.array(milli, mask=missing).cast(pa.timestamp("ms", tz="UTC"))


def texts(names: tuple[str, ...] | pa.Array, number: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return the text that each number stands for; two numbers may stand for one."""
    number = np.asarray(number, dtype=np.int32)
    if isinstance(names, tuple):  # a dictionary that holds a text twice is written differently from time to time
        once = tuple(dict.fromkeys(names))
        number = np.array([once.index(name) for name in names], dtype=np.int32)[number]
        names = pa.array(once)
    return pa.DictionaryArray.from_arrays(pa.array(number, mask=missing), names.cast(pa.string()))


def opaque_ids(letter: str, number: np.ndarray, *, digits: int, prime: int) -> pa.Array:
    """Return ids that hide the order of the numbers, different for different ones below `prime`."""
    scrambled = (np.asarray(number, dtype=np.uint64) * np.uint64(2_654_435_761)) % np.uint64(prime)
    return _lettered(letter, pa.array(scrambled), digits)


def running_ids(letter: str, first: int, n: int, *, digits: int) -> pa.Array:
    """Return ids of consecutive numbers."""
    return _lettered(letter, pa.array(np.arange(first, first + n)), digits)


def _lettered(letter: str, number: pa.Array, digits: int) -> pa.Array:
    padded = pc.utf8_lpad(number.cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(pa.scalar(letter), padded, "")


def customer_ids(n: int) -> pa.Array:
    """Return the sample's customer ids by row number."""
    return opaque_ids("C", np.arange(1, n + 1), digits=6, prime=999_983)


# ---- orders


def prices(
    rng: np.random.Generator, company: Company, market: np.ndarray, keen: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """Return order amounts in hundredths, as prices end in each market: .95, whole crowns, tens of yen."""
    median = np.array([trade.basket for trade in company.trades])
    amount = median[market] * factor * np.exp(0.40 * keen + 0.35 * rng.standard_normal(len(market)))
    ending = np.array([95, 95, 50, 90, 45, 0])[rng.integers(0, 6, len(market))]
    step = np.array([WHOLE_PRICES.get(currency, 0) for currency in company.currencies])
    rounded = np.maximum(np.round(amount / np.maximum(step, 1)[market]), 1) * np.maximum(step, 1)[market]
    return np.where(step[market] > 0, rounded * 100, np.maximum(np.floor(amount), 3) * 100 + ending).astype(np.int64)


def orders_table(rng: np.random.Generator, past: History, rates: pd.DataFrame) -> pa.Table:
    """Return the table `orders`, by instant."""
    company, orders = past.company, past.orders
    n, market, customer = len(orders), orders["market"].to_numpy(), orders["customer"].to_numpy()
    who = past.customers.iloc[customer]
    first = _on_first_day(past)
    coupon = _coupons(rng, past, first)
    gross = prices(rng, company, market, who["keen"].to_numpy(), _price_level(orders["day"].to_numpy()))
    percent = np.append(np.array(COUPON_SHARES), 0.0)[coupon]
    currency, gross = _in_other_currency(rng, past, gross, rates)
    whole = np.where(np.array(list(RATE_LEVELS))[currency] == "JPY", 100, 1)
    discount = np.round(gross * percent / whole).astype(np.int64) * whole
    amount = gross - discount
    refund = _refunds(rng, past, amount, whole)
    parcel = _parcels(rng, past, first)
    fate = orders["fate"].to_numpy()
    campaign = _pick(rng, (0.12, 0.10, 0.06), n)
    return pa.table(
        {
            "order_id": running_ids("O", 1_000_001, n, digits=7),
            "customer_id": texts(customer_ids(len(past.customers)), customer),
            "market": texts(company.codes, market),
            "ordered_at": instants(orders["ordered"]),
            "amount": money(amount),
            "currency": texts(tuple(RATE_LEVELS), currency),
            "refunded_amount": money(refund["amount"], refund["missing"]),
            "refunded_at": instants(refund["at"], refund["missing"]),
            "cancelled": pa.array(fate == CANCELLED),
            "discount_amount": money(discount),
            "coupon": texts(COUPONS, coupon % len(COUPONS), coupon == len(COUPONS)),
            "channel": texts(SALES_CHANNELS, _pick(rng, (0.60, 0.34), n) % 3),
            "payment_method": _payment_methods(rng, past, first),
            "promised_at": instants(parcel["promised"]),
            "delivered_at": instants(parcel["delivered"], (fate == CANCELLED) | (parcel["delivered"] > EXPORTED)),
            "campaign": texts(CAMPAIGNS, campaign % 3, campaign == 3),
        }
    )


def _pick(rng: np.random.Generator, shares: tuple[float, ...], n: int) -> np.ndarray:
    """Return a number for each row: which of the shares it fell to, their count for none."""
    return np.searchsorted(np.cumsum(shares), rng.random(n), side="right")


def _on_first_day(past: History) -> np.ndarray:
    day = past.orders["day"].to_numpy()
    return day == past.customers["first_day"].to_numpy()[past.orders["customer"].to_numpy()]


def _price_level(day: np.ndarray) -> np.ndarray:
    return 1.035 ** (day / 365)


def _coupons(rng: np.random.Generator, past: History, first: np.ndarray) -> np.ndarray:
    """Return which coupon each order used, `len(COUPONS)` for none."""
    orders, n, none = past.orders, len(past.orders), len(COUPONS)
    month = (START + orders["day"].to_numpy()).astype("datetime64[M]").astype(int) % 12
    luck = rng.random(n)
    coupon = np.where(luck < 0.05, 1, none)
    coupon = np.where((month == 10) & (luck < 0.25), 2, coupon)
    coupon = np.where((month == 3) & (luck < 0.15), 3, coupon)
    coupon = np.where(first & (luck < 0.35), 0, coupon)
    return np.where(orders["why"] == PERSUADED, 4, coupon)


def _in_other_currency(rng, past: History, gross, rates) -> tuple[np.ndarray, np.ndarray]:
    """Return each order's currency (number in `RATE_LEVELS`) and amount in it; some pay in a foreign one."""
    company, codes = past.company, list(RATE_LEVELS)
    market, day = past.orders["market"].to_numpy(), past.orders["day"].to_numpy()
    currency = np.array([codes.index(name) for name in company.currencies])[market]
    luck, rate = rng.random(len(market)), rates.to_numpy()
    row = day + int((START - RATE_DAYS[0]).astype(int))
    for code, (foreign, share) in OTHER_CURRENCY.items():
        chosen = (market == company.codes.index(code)) & (luck < share)
        other = codes.index(foreign)
        ratio = rate[row[chosen], other] / rate[row[chosen], currency[chosen]]
        gross = gross.copy()
        gross[chosen] = np.maximum(np.round(gross[chosen] * ratio), 100)
        currency[chosen] = other
    return currency, gross


def _refunds(rng, past: History, amount: np.ndarray, whole: np.ndarray) -> dict[str, np.ndarray]:
    """Return how much of each order was refunded and when; a few only months later, none after the export."""
    fate, ordered, n = past.orders["fate"].to_numpy(), past.orders["ordered"].to_numpy(), len(amount)
    part = np.maximum(np.round(amount * rng.uniform(0.15, 0.6, n) / whole), 1).astype(np.int64) * whole
    days = np.where(rng.random(n) < 0.04, rng.uniform(45, 150, n), 3 + rng.gamma(2.0, 4.0, n))
    left = (EXPORTED - ordered) / 86400
    days = np.where(days > left, 1 + (left - 1) * rng.random(n), days)
    return {
        "amount": np.where(fate == REFUNDED, amount, part),
        "at": ordered + (np.round(days * 1440) * 60).astype(np.int64),
        "missing": ~np.isin(fate, [REFUNDED, PARTLY_REFUNDED]),
    }


def _parcels(rng, past: History, first: np.ndarray) -> dict[str, np.ndarray]:
    """Return when each parcel was promised and delivered; the first day's is late where `late` says so."""
    orders, company = past.orders, past.company
    n, market, day = len(orders), orders["market"].to_numpy(), orders["day"].to_numpy()
    share = np.array([trade.late for trade in company.trades])[market]
    late = np.where(first, past.customers["late"].to_numpy()[orders["customer"].to_numpy()] == 1, rng.random(n) < share)
    promised_day = day + np.array([trade.promise_days for trade in company.trades])[market]
    shift = np.where(late, 1 + rng.geometric(0.4, n).clip(max=9), -rng.integers(0, 2, n))
    time = 8 * 3600 + 600 * rng.integers(0, 70, n)
    return {
        "promised": company.utc(market, promised_day, np.full(n, 20 * 3600)),
        "delivered": company.utc(market, promised_day + shift, time),
    }


def _payment_methods(rng, past: History, first: np.ndarray) -> pa.Array:
    """Return how each order was paid: the first day's way most times, and always on the first day."""
    company, orders, n = past.company, past.orders, len(past.orders)
    names = tuple(dict.fromkeys([*GLOBAL_METHODS, *(m for t in company.trades for m in t.local_methods)]))
    customer, market = orders["customer"].to_numpy(), orders["market"].to_numpy()
    usual = past.customers["local_payment"].to_numpy()[customer] == 1
    share = np.array([trade.local_payment for trade in company.trades])[market]
    is_local = np.where(first | (rng.random(n) < 0.85), usual, rng.random(n) < share)
    locals_ = [[names.index(method) for method in trade.local_methods] for trade in company.trades]
    widest = max(map(len, locals_))
    table = np.array([(row * widest)[:widest] for row in locals_])
    favourite = rng.random(len(past.customers))[customer]
    local = table[market, (favourite * widest).astype(int)]
    return texts(names, np.where(is_local, local, _pick(rng, (0.62, 0.28), n) % 3))


# ---- customers


def customers_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `customers`: all who bought, and a few who only registered."""
    company, customers, orders = past.company, past.customers, past.orders
    n = len(customers)
    market = customers["market"].to_numpy()
    bought = np.zeros(n, dtype=np.int64)
    first = orders[orders["why"] == FIRST]
    bought[first["customer"].to_numpy()] = first["ordered"].to_numpy()
    wait = np.where(rng.random(n) < 0.7, rng.integers(2, 60, n) * 60, rng.integers(1, 30 * 1440, n) * 60)
    opening = company.utc(market, np.zeros(n, dtype=int), np.zeros(n, dtype=int))
    acquired = np.minimum(np.maximum(bought // 60 * 60 - wait, opening), bought)
    referrer, referred = _referrers(rng, customers)
    channel = np.where(referred, customers["channel"], customers["channel"] % 5)
    joined, member = _joining(rng, past)
    tier = np.digitize(customers["keen"] + 0.5 * rng.standard_normal(n), [0.1, 0.9])
    ids = customer_ids(n + n // 64)
    buyers = pa.table(
        {
            "customer_id": ids.slice(0, n),
            "market": texts(company.codes, market),
            "language": texts(*_languages(company, market, customers["language"].to_numpy())),
            "acquired_at": instants(acquired),
            "acquisition_channel": texts(tuple(CHANNELS), channel),
            "acquisition_cost": _acquisition_costs(rng, company, market, channel),
            "referred_by": texts(ids, referrer, ~referred),
            "loyalty_tier": texts(TIERS, tier, ~member),
            "loyalty_joined_at": instants(joined, ~member),
            "consent": pa.array(rng.random(n) < 0.74),
        }
    )
    return pa.concat_tables([_plain(buyers), _plain(_registered(rng, company, ids.slice(n)))])


def _plain(table: pa.Table) -> pa.Table:
    """Return the table with text as plain text, so that tables of different people fit together."""
    for place, name in enumerate(table.column_names):
        if pa.types.is_dictionary(table.schema.field(place).type):
            table = table.set_column(place, name, table.column(place).cast(pa.string()))
    return table


def _registered(rng: np.random.Generator, company: Company, ids: pa.Array) -> pa.Table:
    """Return people who registered and never ordered."""
    n = len(ids)
    market = rng.integers(0, len(company.codes), n)
    acquired = company.utc(market, rng.integers(0, DAYS, n), rng.integers(7, 23, n) * 3600)
    channel, no_one = rng.integers(0, 5, n), np.ones(n, dtype=bool)
    return pa.table(
        {
            "customer_id": ids,
            "market": texts(company.codes, market),
            "language": texts(*_languages(company, market, np.zeros(n, dtype=int))),
            "acquired_at": instants(acquired),
            "acquisition_channel": texts(tuple(CHANNELS), channel),
            "acquisition_cost": _acquisition_costs(rng, company, market, channel),
            "referred_by": texts(ids, np.zeros(n), no_one),
            "loyalty_tier": texts(TIERS, np.zeros(n), no_one),
            "loyalty_joined_at": instants(np.zeros(n), no_one),
            "consent": pa.array(rng.random(n) < 0.4),
        }
    )


def _referrers(rng: np.random.Generator, customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return who referred each customer, an earlier one of his market, and whether anybody did."""
    by_market = customers.groupby("market")["first_day"]
    start = customers.groupby("market").cumcount().rsub(np.arange(len(customers))).to_numpy()
    earlier = (by_market.rank(method="min") - 1).astype(int).to_numpy()
    referred = (customers["channel"] == list(CHANNELS).index("referral")).to_numpy() & (earlier > 0)
    return start + (rng.random(len(customers)) * earlier).astype(int), referred


def _joining(rng: np.random.Generator, past: History) -> tuple[np.ndarray, np.ndarray]:
    """Return when each customer joined the loyalty programme and whether he did.

    Members of the planted effect join within 30 days of the first order; others may join at a later order,
    which changes nothing in what they do.
    """
    customers, orders = past.customers, past.orders
    n, market = len(customers), customers["market"].to_numpy()
    first = orders[orders["why"] == FIRST].sort_values("customer")["ordered"].to_numpy()
    early = customers["member"].to_numpy() == 1
    wait = np.where(rng.random(n) < 0.75, rng.integers(1, 40, n) * 60, rng.integers(60, 28 * 1440, n) * 60)
    joined = np.where(early, first + wait, 0)
    day = orders["day"].to_numpy() - customers["first_day"].to_numpy()[orders["customer"].to_numpy()]
    at = orders[(day > 31) & (rng.random(len(orders)) < 0.06)].drop_duplicates("customer")
    at = at[~early[at["customer"].to_numpy()]]
    joined[at["customer"].to_numpy()] = at["ordered"].to_numpy()
    limit = past.company.utc(market, np.full(n, DAYS), np.zeros(n, dtype=int))
    return joined, (joined > 0) & (joined < limit)


def _languages(company: Company, market: np.ndarray, number: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return all languages, and which of them the numbers of each market's own list stand for."""
    names = tuple(dict.fromkeys(language for trade in company.trades for language in trade.languages))
    widest = max(len(trade.languages) for trade in company.trades)
    lists = [[names.index(language) for language in trade.languages] for trade in company.trades]
    table = np.array([row + [row[0]] * (widest - len(row)) for row in lists])
    return names, table[market, number]


def _acquisition_costs(rng, company: Company, market, channel) -> pa.Array:
    """Return what each customer cost, in his market's currency; BR never records it, others mostly do."""
    level = {"NL": 13.5, "DK": 110, "RO": 38, "CN": 62, "US": 24, "JP": 2600, "DE": 16}
    usual = np.array([level.get(code, 0.0) for code in company.codes])[market]
    factor = np.array([c.cost for c in CHANNELS.values()])[channel]
    cost = usual * factor * np.exp(0.25 * rng.standard_normal(len(market)))
    step = np.where(np.array(company.currencies)[market] == "JPY", 10, 0.5)
    missing = (usual == 0) | (rng.random(len(market)) < 0.06)
    return money(np.round(np.round(cost / step) * step * 100).astype(np.int64), missing)


# ---- contacts


def tickets_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `tickets`, by instant: welcomes, questions, complaints, returns."""
    tickets = pd.concat(
        [_welcomes(rng, past), _early(rng, past), _later(rng, past), _returns(rng, past)], ignore_index=True
    )
    tickets = tickets[tickets["opened"] < EXPORTED].sort_values(["opened", "customer"], ignore_index=True)
    n = len(tickets)
    response, slow = tickets["response"].to_numpy(), tickets["slow"].to_numpy()
    answered = tickets["opened"].to_numpy() + (response * 60).astype(np.int64) * 60
    silent = (tickets["kind"] == 0).to_numpy() | (answered > EXPORTED)
    resolved = answered + (np.exp(rng.normal(2.3, 1.1, n)) * 60).astype(np.int64) * 60
    unresolved = silent | (resolved > EXPORTED) | (rng.random(n) < 0.05)
    csat = np.round(4.3 - 1.2 * slow + rng.normal(0, 0.9, n)).clip(1, 5)
    return pa.table(
        {
            "customer_id": texts(customer_ids(len(past.customers)), tickets["customer"]),
            "opened_at": instants(tickets["opened"]),
            "first_response_at": instants(answered, silent),
            "resolved_at": instants(resolved, unresolved),
            "language": texts(*_spoken(past, tickets)),
            "kind": texts(TICKET_KINDS, tickets["kind"]),
            "csat": pa.array(csat.astype(np.int8), mask=unresolved | (rng.random(n) > 0.42)),
        }
    )


def _spoken(past: History, tickets: pd.DataFrame) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the language of each contact: the customer's own, or else the market's main or second one."""
    customer = tickets["customer"].to_numpy()
    market = past.customers["market"].to_numpy()[customer]
    own = past.customers["language"].to_numpy()[customer]
    return _languages(past.company, market, np.where(tickets["own"], own, np.where(own == 0, 1, 0)))


def _contacts(customer, opened, kind, *, own, slow, response) -> pd.DataFrame:
    """Return contacts: who, the instant of opening on the minute, its kind, hours to the first response."""
    return pd.DataFrame(
        {
            "customer": customer,
            "opened": np.asarray(opened, dtype=np.int64) // 60 * 60,
            "kind": np.asarray(kind, dtype=np.int8),
            "own": own,
            "slow": slow,
            "response": response,
        }
    )


def _hours(rng: np.random.Generator, slow: np.ndarray) -> np.ndarray:
    """Return hours to the first response: a few in the usual case, above a day where slow."""
    fast = np.minimum(np.exp(rng.normal(1.2, 0.9, len(slow))), 23.5)
    return np.where(slow, 24.5 + np.exp(rng.normal(3.0, 0.7, len(slow))), fast)


def _first_ordered(past: History) -> np.ndarray:
    first = past.orders[past.orders["why"] == FIRST]
    return first.sort_values("customer")["ordered"].to_numpy()


def _welcomes(rng: np.random.Generator, past: History) -> pd.DataFrame:
    """Return the company's first contact with each customer who got one, hours after his first order."""
    customers = past.customers
    who = np.flatnonzero(customers["onboarded"])
    opened = _first_ordered(past)[who] + rng.integers(10, 18 * 60, len(who)) * 60
    own = customers["own_language"].to_numpy()[who] == 1
    nobody = np.zeros(len(who), dtype=bool)
    return _contacts(who, opened, nobody, own=own, slow=nobody, response=np.zeros(len(who)))


def _early(rng: np.random.Generator, past: History) -> pd.DataFrame:
    """Return the one question or complaint of each one's first 30 days; its slowness is a planted effect."""
    customers = past.customers
    who = np.flatnonzero(customers["early_ticket"])
    opened = _first_ordered(past)[who] + rng.integers(1 * 1440, 27 * 1440, len(who)) * 60
    late = customers["late"].to_numpy()[who] == 1
    kind = np.where(rng.random(len(who)) < np.where(late, 0.8, 0.3), 2, 1)
    slow = customers["slow"].to_numpy()[who] == 1
    return _contacts(who, opened, kind, own=_speaks(rng, past, who), slow=slow, response=_hours(rng, slow))


def _speaks(rng: np.random.Generator, past: History, who: np.ndarray) -> np.ndarray:
    share = np.array([trade.own_language for trade in past.company.trades])
    return rng.random(len(who)) < 0.15 + 0.85 * share[past.customers["market"].to_numpy()[who]]


def _later(rng: np.random.Generator, past: History) -> pd.DataFrame:
    """Return questions and complaints after the first 31 days: at orders, and before leaving."""
    customers, life, orders = past.customers, past.life, past.orders
    first_day = customers["first_day"].to_numpy()
    asking = orders[rng.random(len(orders)) < 0.055]
    leaving = np.flatnonzero((life["last_day"].to_numpy() < DAYS) & (rng.random(len(life)) < 0.16))
    last = life["last_day"].to_numpy()[leaving]
    who = np.concatenate([asking["customer"].to_numpy(), leaving])
    day = np.concatenate(
        [
            asking["day"].to_numpy() + rng.integers(0, 12, len(asking)),
            last - rng.integers(0, 25, len(leaving)),
        ]
    )
    complains = np.concatenate([rng.random(len(asking)) < 0.25, rng.random(len(leaving)) < 0.8])
    kept = (day > first_day[who] + 31) & (day < DAYS)
    who, day, complains = who[kept], day[kept], complains[kept]
    market = customers["market"].to_numpy()[who]
    opened = past.company.utc(market, day, rng.integers(8 * 60, 22 * 60, len(who)) * 60)
    slow = rng.random(len(who)) < np.array([trade.slow for trade in past.company.trades])[market]
    return _contacts(who, opened, 1 + complains, own=_speaks(rng, past, who), slow=slow, response=_hours(rng, slow))


def _returns(rng: np.random.Generator, past: History) -> pd.DataFrame:
    """Return the contacts that announce a return, a day or more after the order."""
    orders = past.orders
    back = orders[orders["fate"].isin([REFUNDED, PARTLY_REFUNDED]) & (rng.random(len(orders)) < 0.7)]
    who = back["customer"].to_numpy()
    opened = back["ordered"].to_numpy() + rng.integers(20 * 60, 3 * 1440, len(back)) * 60
    slow = rng.random(len(who)) < 0.15
    own = _speaks(rng, past, who)
    return _contacts(who, opened, np.full(len(who), 3), own=own, slow=slow, response=_hours(rng, slow))


# ---- what customers do and say


def engagement_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `engagement`, by instant, tracked from 2025 on; it falls before a customer leaves."""
    customers, n = past.customers, len(past.customers)
    rate = lives.behaviour(customers)["rate"].to_numpy()
    usual = np.array([trade.rate for trade in past.company.trades])[customers["market"].to_numpy()]
    first = np.maximum(customers["first_day"].to_numpy(), lives.day_number(TRACKED_FROM))
    life = past.life
    parts = [
        _events(rng, np.arange(n), first, life["last_day"].to_numpy(), rate / usual),
        _events(
            rng,
            np.arange(n),
            np.maximum(life["back_day"].to_numpy(), first),
            life["back_last_day"].to_numpy(),
            rate / usual,
        ),
    ]
    customer, day = (np.concatenate(column) for column in zip(*parts, strict=True))
    market = customers["market"].to_numpy()[customer]
    at = past.company.utc(market, day, rng.integers(6 * 60, 24 * 60, len(day)) * 60)
    order = np.lexsort((customer, at))
    kind = _pick(rng, ENGAGEMENT_SHARES[:-1], len(at))
    return pa.table(
        {
            "customer_id": texts(customer_ids(n), customer[order]),
            "occurred_at": instants(at[order]),
            "kind": texts(ENGAGEMENT_KINDS, kind[order]),
        }
    )


def _events(rng, customer, first, last, eagerness) -> tuple[np.ndarray, np.ndarray]:
    """Return customers and days of events; fewer in the last 45 days of a life, few in the 120 after it."""
    begin, end = np.minimum(first, DAYS), np.clip(last + 120, 0, DAYS)
    length = np.maximum(end - begin, 0)
    times = rng.poisson(EVENTS_A_MONTH / lives.MONTH * (0.45 + eagerness) * length)
    who = np.repeat(np.arange(len(customer)), times)
    day = begin[who] + np.floor(rng.random(len(who)) * length[who]).astype(np.int64)
    left = last[who] - day
    kept = rng.random(len(who)) < np.select([left < 0, left < 45], [0.06, 0.35], 1.0)
    return customer[who[kept]], day[kept]


def surveys_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `surveys`, by instant; who stays answers more often, so do the happy and the angry."""
    orders, customers = past.orders, past.customers
    asked = orders[rng.random(len(orders)) < sum(ASKED_SHARES)]
    question = _pick(rng, tuple(np.array(ASKED_SHARES[:-1]) / sum(ASKED_SHARES)), len(asked))
    who = asked["customer"].to_numpy()
    happy = _satisfaction(rng, past)[who] + 0.4 * rng.standard_normal(len(who))
    stays = past.life["last_day"].to_numpy()[who] > asked["day"].to_numpy() + 30
    answers = rng.random(len(who)) < 0.14 + 0.10 * np.minimum(np.abs(happy), 2) + 0.14 * stays
    score = _scores(rng, past, who, question, happy, stays)
    at = asked["ordered"].to_numpy() + (86400 * (4 + rng.gamma(2.0, 2.5, len(who)))).astype(np.int64)
    at = at // 60 * 60
    follow = (score <= 6) & (question == 0) & (rng.random(len(who)) < 0.45)
    followed = at + rng.integers(4 * 60, 8 * 1440, len(who)) * 60
    kept = np.flatnonzero(answers & (at < EXPORTED))
    kept = kept[np.lexsort((who[kept], at[kept]))]
    names, language = _languages(
        past.company, customers["market"].to_numpy()[who], customers["language"].to_numpy()[who]
    )
    return pa.table(
        {
            "customer_id": texts(customer_ids(len(customers)), who[kept]),
            "answered_at": instants(at[kept]),
            "question": texts(QUESTIONS, question[kept]),
            "score": pa.array(score[kept].astype(np.int8)),
            "language": texts(names, language[kept]),
            "followed_up_at": instants(followed[kept], ~(follow & (followed < EXPORTED))[kept]),
        }
    )


def _satisfaction(rng: np.random.Generator, past: History) -> np.ndarray:
    """Return how content each customer is, about standard normal: the content stay longer."""
    customers = past.customers
    hazard = customers["hazard"].to_numpy() / np.array([t.leaving for t in past.company.trades])[customers["market"]]
    bad = (customers["late"].to_numpy() == 1) * 0.7 + (customers["slow"].to_numpy() == 1) * 0.9
    return -0.55 * (np.log(hazard) + 0.5) - bad + 0.6 * rng.standard_normal(len(customers))


def _scores(rng, past: History, who, question, happy, stays) -> np.ndarray:
    """Return answers: nps and intent 0 to 10, csat and values 1 to 5; a stated intention is too hopeful."""
    rate = lives.behaviour(past.customers)["rate"].to_numpy()[who]
    soon = -np.expm1(-3 * rate) * (0.35 + 0.65 * stays)
    noise = rng.standard_normal(len(who))
    score = np.select(
        [question == 0, question == 1, question == 2],
        [7.6 + 1.7 * happy + 1.2 * noise, 4.0 + 0.7 * happy + 0.6 * noise, 4.2 + 4.6 * soon + happy + noise],
        3.6 + 0.3 * happy + 0.8 * noise,
    )
    low = np.where((question == 1) | (question == 3), 1, 0)
    return np.round(score).clip(low, np.where(low == 1, 5, 10))


# ---- the test, the box, the rates


def assignments_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `assignments` of the one experiment, by instant; each incentive given has a cost."""
    assigned = past.experiment.assigned
    market = past.customers["market"].to_numpy()[assigned["customer"].to_numpy()]
    at = past.company.utc(market, assigned["day"].to_numpy(), np.full(len(assigned), lives.ASSIGNED_SECOND))
    order = np.lexsort((assigned["customer"].to_numpy(), at))
    cost = np.array([100 * INCENTIVE_COST.get(code, 0) for code in past.company.codes])[market]
    treated = assigned["treated"].to_numpy()[order]
    return pa.table(
        {
            "experiment": texts((EXPERIMENT,), np.zeros(len(order))),
            "customer_id": texts(customer_ids(len(past.customers)), assigned["customer"].to_numpy()[order]),
            "arm": texts(("control", "incentive"), treated),
            "assigned_at": instants(at[order]),
            "cost": money(np.where(treated, cost[order], 0)),
        }
    )


def subscriptions_table(rng: np.random.Generator, past: History) -> pa.Table:
    """Return the table `subscriptions`: a monthly box, renewed with each subscriber's own probability."""
    company, customers = past.company, past.customers
    sold = [company.codes.index(code) for code in BOX_MARKETS]
    open_to = np.isin(customers["market"], sold) & (customers["first_day"].to_numpy() < DAYS - 45)
    who = np.flatnonzero(open_to & (rng.random(len(customers)) < BOX_SHARE))
    market = customers["market"].to_numpy()[who]
    started_day = customers["first_day"].to_numpy()[who] + rng.integers(1, 45, len(who))
    months = rng.geometric(rng.beta(1.1, 9.0, len(who)).clip(0.01, 0.99)).clip(max=60)
    ended_day = _months_later(started_day, months)
    time = rng.integers(8 * 60, 22 * 60, len(who)) * 60
    started = company.utc(market, started_day, time)
    ended = company.utc(market, np.minimum(ended_day, DAYS), time)
    order = np.lexsort((who, started))
    price = np.array([BOX_MARKETS.get(code, 0.0) for code in company.codes])[market[order]]
    return pa.table(
        {
            "subscription_id": running_ids("S", 10_001, len(who), digits=5),
            "customer_id": texts(customer_ids(len(customers)), who[order]),
            "market": texts(company.codes, market[order]),
            "started_at": instants(started[order]),
            "ended_at": instants(ended[order], (ended_day >= DAYS)[order]),
            "price": money(np.round(price * 100).astype(np.int64)),
            "currency": texts(company.currencies, market[order]),
            "period": texts(("month",), np.zeros(len(order))),
        }
    )


def _months_later(day: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Return the same day of a later month, the month's 28th at the latest."""
    date = START + day
    month = date.astype("datetime64[M]")
    day_of_month = np.minimum((date - month).astype(int), 27)
    return ((month + months).astype("datetime64[D]") + day_of_month - START).astype(int)


def exchange_rates(rng: np.random.Generator) -> pd.DataFrame:
    """Return units of each currency for one EUR, (n_days, 7), every day; weekends keep Friday's."""
    dates = np.arange(*RATE_DAYS, dtype="datetime64[D]")
    dates = np.append(dates, RATE_DAYS[1])
    working = (dates.astype(int) + 3) % 7 < 5
    columns = {}
    for name, level in RATE_LEVELS.items():
        steps = rng.standard_normal(len(dates)) * RATE_NOISE.get(name, 0.0045) * working
        log = np.cumsum(steps - steps.mean())
        columns[name] = np.round(level * np.exp(log), 4)
    return pd.DataFrame(columns, index=dates)


def exchange_rates_table(rates: pd.DataFrame) -> pa.Table:
    """Return the table `exchange_rates`, by currency and date."""
    n, names = len(rates), tuple(rates.columns)
    days = np.tile(rates.index.to_numpy().astype("datetime64[D]").astype(np.int32), len(names))
    return pa.table(
        {
            "date": pa.array(days).cast(pa.date32()),
            "currency": texts(names, np.repeat(np.arange(len(names)), n)),
            "rate": pa.array(rates.to_numpy().T.ravel()),
        }
    )
