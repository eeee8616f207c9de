"""The simulated sample company, its planted truths, and companies of any size for benchmarks.

`write_sample` writes the eight tables and `truth.toml`: what the company was built with. `write_orders`
writes as many orders as asked for, a part of the customers at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import sqrt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from babel import Locale

from retention_kit.config import Markets, project_root, read_markets
from retention_kit.errors import UsageError
from retention_kit.ingest import sample_lives as lives
from retention_kit.ingest import sample_tables as tables
from retention_kit.ingest.sample_lives import (
    EFFECTS,
    NEWCOMERS_FROM,
    NEWCOMERS_MARKET,
    OUTAGE_FACTOR,
    OUTAGE_MARKET,
    OUTAGE_MONTH,
    TRADES,
    Company,
)
from retention_kit.ingest.sample_tables import History

SEED = 20260101
"""The seed of the committed sample."""

BENCHMARK_MARKETS = {
    "NL": ("nl-NL", "EUR", "Europe/Amsterdam", 52),
    "DK": ("da-DK", "DKK", "Europe/Copenhagen", 420),
    "RO": ("ro-RO", "RON", "Europe/Bucharest", 190),
    "CN": ("zh-Hans-CN", "CNY", "Asia/Shanghai", 260),
    "US": ("en-US", "USD", "America/New_York", 61),
    "JP": ("ja-JP", "JPY", "Asia/Tokyo", 6900),
    "BR": ("pt-BR", "BRL", "America/Sao_Paulo", 210),
    "DE": ("de-DE", "EUR", "Europe/Berlin", 58),
    "FR": ("fr-FR", "EUR", "Europe/Paris", 55),
    "GB": ("en-GB", "GBP", "Europe/London", 46),
    "ES": ("es-ES", "EUR", "Europe/Madrid", 49),
    "IT": ("it-IT", "EUR", "Europe/Rome", 51),
    "PL": ("pl-PL", "PLN", "Europe/Warsaw", 210),
    "SE": ("sv-SE", "SEK", "Europe/Stockholm", 560),
    "CA": ("en-CA", "CAD", "America/Toronto", 78),
    "MX": ("es-MX", "MXN", "America/Mexico_City", 980),
    "AU": ("en-AU", "AUD", "Australia/Sydney", 84),
    "IN": ("en-IN", "INR", "Asia/Kolkata", 2400),
    "KR": ("ko-KR", "KRW", "Asia/Seoul", 64000),
    "ZA": ("en-ZA", "ZAR", "Africa/Johannesburg", 900),
}
"""Language, currency, time zone and median basket of real markets; further ones repeat them, as `NL-2`."""

_DELTA = {"order_id": "DELTA_BYTE_ARRAY", "subscription_id": "DELTA_BYTE_ARRAY"}
_SORTED_INSTANTS = {"ordered_at", "occurred_at", "opened_at", "answered_at", "assigned_at"}


# ---- the sample


def write_sample(folder: Path, *, seed: int = SEED, markets: Markets | None = None) -> dict[str, Path]:
    """Write the sample company into a folder: the eight tables as Parquet, and `truth.toml`.

    The same seed writes the same bytes with the same versions of numpy and pyarrow.

    Parameters
    ----------
    folder : made where it is not there.
    markets : their currencies and time zones; those of `data/markets.toml` where not given.

    Returns
    -------
    path by name of the table, and `truth`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    past = tables.history(rng, sample_company(markets))
    written = {}
    for name, table in sample_tables(rng, past).items():
        written[name] = folder / f"{name}.parquet"
        _write_table(table, written[name])
    written["truth"] = folder / "truth.toml"
    written["truth"].write_text(as_toml(truth(past), seed=seed), encoding="utf-8", newline="\n")
    return written


def sample_company(markets: Markets | None = None) -> Company:
    """Return the sample company, its currencies and clocks as the markets declare them; with its outage."""
    markets = markets or read_markets(project_root() / "data" / "markets.toml")
    declared = [markets[code] for code in TRADES]
    seasons = np.array([lives.season(code) for code in TRADES])
    seasons[list(TRADES).index(OUTAGE_MARKET), lives.outage_days()] *= OUTAGE_FACTOR
    return Company(
        tuple(TRADES),
        tuple(market.currency for market in declared),
        tuple(market.zone for market in declared),
        tuple(TRADES.values()),
        seasons,
    )


def sample_tables(rng: np.random.Generator, past: History) -> dict[str, pa.Table]:
    """Return the eight tables of a history by name."""
    rates = tables.exchange_rates(rng)
    return {
        "orders": tables.orders_table(rng, past, rates),
        "customers": tables.customers_table(rng, past),
        "engagement": tables.engagement_table(rng, past),
        "tickets": tables.tickets_table(rng, past),
        "surveys": tables.surveys_table(rng, past),
        "assignments": tables.assignments_table(rng, past),
        "subscriptions": tables.subscriptions_table(rng, past),
        "exchange_rates": tables.exchange_rates_table(rates),
    }


def _write_table(table: pa.Table, path: Path) -> None:
    """Write a table small: sorted ids and instants as differences, all else by dictionary, zstd."""
    encoding = dict(_DELTA) | dict.fromkeys(_SORTED_INSTANTS, "DELTA_BINARY_PACKED")
    encoding = {name: how for name, how in encoding.items() if name in table.column_names}
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=15,
        use_dictionary=[name for name in table.column_names if name not in encoding],
        column_encoding=encoding,
        store_decimal_as_integer=True,
        store_schema=False,
        write_statistics=True,
        row_group_size=1 << 20,
        dictionary_pagesize_limit=1 << 22,
    )


# ---- its planted truths


def truth(past: History) -> dict[str, tuple[str, Mapping[str, object]]]:
    """Return what the company was built with: by section, its definition and its values."""
    seen = _Seen(past)
    sections = {f"markets.{code}": seen.market(code) for code in past.company.codes}
    names = {"member": "loyalty", "late": "late_delivery", "slow": "slow_support"}
    for treatment in EFFECTS:
        sections[f"effects.{names.get(treatment, treatment)}"] = seen.effect(treatment)
        sections[f"effects.{names.get(treatment, treatment)}.by_market"] = seen.effect_by_market(treatment)
    sections["effects.incentive"] = _incentive(past)
    sections["outage"] = _outage()
    sections["newcomers"] = seen.newcomers()
    sections["local_payment_methods"] = (
        "what counts as a local method in each market",
        {code: list(trade.local_methods) for code, trade in zip(past.company.codes, past.company.trades, strict=True)},
    )
    sections["habits"] = _habits()
    return sections


class _Seen:
    """The customers whose first 90 days are over, each with his exact chance of a second order day."""

    def __init__(self, past: History) -> None:
        self.past, self.customers = past, past.customers
        self.chance = lives.second_day_chance(past.customers, past.company)
        self.over = ~np.isnan(self.chance)
        self.home = past.customers["market"].to_numpy()

    def _in(self, code: str) -> np.ndarray:
        return self.home == self.past.company.codes.index(code)

    def market(self, code: str) -> tuple[str, Mapping[str, object]]:
        here = self._in(code)
        now = lives.behaviour(self.customers[here])
        return (
            f"{code}: averages over its customers, with all effects on them",
            {
                "customers": int(here.sum()),
                "purchase_rate_per_month": float(now["rate"].mean()),
                "leaving_hazard_per_month": float(now["hazard"].mean()),
                "one_time_share": float(now["one_time"].mean()),
                "second_order_day_within_90_days": float(self.chance[here & self.over].mean()),
                "n_observed_90_days": int((here & self.over).sum()),
            },
        )

    def _gains(self, treatment: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what the treatment adds to each one's chance, and for whom the question arose."""
        company = self.past.company
        given = lives.second_day_chance(self.customers.assign(**{treatment: np.int8(1)}), company)
        withheld = lives.second_day_chance(self.customers.assign(**{treatment: np.int8(0)}), company)
        return given - withheld, self.over & (self.customers[treatment] >= 0).to_numpy()

    def effect(self, treatment: str) -> tuple[str, Mapping[str, object]]:
        gain, asked = self._gains(treatment)
        got = asked & (self.customers[treatment] == 1).to_numpy()
        return (
            _DEFINITIONS[treatment],
            {
                "effect": float(gain[asked].mean()),
                "effect_on_treated": float(gain[got].mean()),
                "raw_difference": float(self.chance[got].mean() - self.chance[asked & ~got].mean()),
                "n": int(asked.sum()),
                "treated_share": float(got.sum() / asked.sum()),
            },
        )

    def effect_by_market(self, treatment: str) -> tuple[str, Mapping[str, object]]:
        gain, asked = self._gains(treatment)
        codes = self.past.company.codes
        return ("the same effect in each market", {c: float(gain[asked & self._in(c)].mean()) for c in codes})

    def newcomers(self) -> tuple[str, Mapping[str, object]]:
        here = self._in(NEWCOMERS_MARKET)
        new = (self.customers["first_day"] >= lives.day_number(NEWCOMERS_FROM)).to_numpy()
        one_time = lives.behaviour(self.customers)["one_time"].to_numpy()
        return (
            "new customers of this month and later are one-time buyers far more often; earlier ones are as before",
            {
                "market": NEWCOMERS_MARKET,
                "first_cohort": NEWCOMERS_FROM,
                "one_time_share_before": float(one_time[here & ~new].mean()),
                "one_time_share_from_then": float(one_time[here & new].mean()),
                "second_order_day_within_90_days_before": float(self.chance[here & ~new & self.over].mean()),
                "second_order_day_within_90_days_from_then": float(self.chance[here & new & self.over].mean()),
            },
        )


_DEFINITIONS = {
    "own_language": "first contact (ticket of kind 'onboarding') in the customer's own language, against another;"
    "\n# of customers with such a contact; random within market, acquisition channel"
    "\n# and whether his language is the market's main one",
    "local_payment": "first order paid by a local method (local_payment_methods below), against any other;"
    "\n# of all customers; random within market",
    "late": "first parcel delivered later than promised, against in time;\n# of all customers; random within market",
    "slow": "first question or complaint of the first 30 days answered after more than 24 hours,"
    "\n# against earlier; of customers with one; random within market",
    "member": "joining the loyalty programme within 30 days of the first order, against not;"
    "\n# of all customers; SELF-SELECTED: who buys often joins more often, so that raw_difference"
    "\n# is far above the effect",
}


def _incentive(past: History) -> tuple[str, Mapping[str, object]]:
    experiment = past.experiment
    return (
        "stay-2025: being offered the incentive, on P(kept order within 60 days of assigned_at); randomised",
        {
            "experiment": lives.EXPERIMENT,
            "effect": experiment.effect,
            "ordered_anyway": float(experiment.assigned["ordered_anyway"].mean()),
            "n": len(experiment.assigned),
            "treated_share_planned": 0.5,
            "markets": list(lives.EXPERIMENT_MARKETS),
        },
    )


def _outage() -> tuple[str, Mapping[str, object]]:
    return (
        "in this month all cohorts' orders, first ones too, are this share of what they would be",
        {"market": OUTAGE_MARKET, "month": OUTAGE_MONTH, "orders_factor": OUTAGE_FACTOR},
    )


def _habits() -> tuple[str, Mapping[str, object]]:
    return (
        "shares of orders undone or split in two on their day, and of those who left how many come back",
        {
            "cancelled_share": lives.CANCELLED_SHARE,
            "refunded_share": lives.REFUNDED_SHARE,
            "first_order_refunded_share": lives.FIRST_REFUNDED_SHARE,
            "partly_refunded_share": lives.PARTLY_REFUNDED_SHARE,
            "split_share": lives.SPLIT_SHARE,
            "coming_back_share": lives.RETURNING_SHARE,
            "shortest_pause_days": lives.SHORTEST_PAUSE,
        },
    )


_TRUTH_HEAD = """\
# What the simulated company was built with, seed {seed}. Written by `retention-kit sample`.
#
# second_order_day_within_90_days: probability of a kept order on a later local day, 1 to 90 days after
# the first one; average over the customers whose 90 days lie before 2026-01-01. Exact from each one's
# rate, hazard, one-time probability and the season, not estimated from the data.
# Rates and hazards are per 30.4375 days, at the season's average.
# effect: average over the customers concerned of that probability with the treatment minus the same
# without it, all else as it was. effect_on_treated: over those who got it. raw_difference: average of
# that probability over those who got it minus over the others, all markets together.
# One first order in a hundred is wholly refunded: that customer's first kept order is a later one, if any.
"""


def as_toml(sections: Mapping[str, tuple[str, Mapping[str, object]]], *, seed: int) -> str:
    """Return the truths as TOML, each section under a comment that defines it; numbers to six decimals."""
    lines = [
        _TRUTH_HEAD.format(seed=seed),
        'as_of = "2026-01-01"',
        'first_day = "2023-07-01"',
        f"seed = {seed}",
    ]
    for name, (definition, values) in sections.items():
        lines += ["", f"# {definition}", f"[{name}]"]
        lines += [f"{key} = {_toml_value(value)}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, float):
        return f"{value:.6f}"
    return f'"{value}"' if isinstance(value, str) else str(value)


# ---- benchmarks


def write_orders(
    folder: Path, *, n_orders: int, n_markets: int = 8, seed: int = SEED, chunk: int = 500_000
) -> list[Path]:
    """Write a company of many orders into a folder: `orders/part-….parquet` and `markets.toml`.

    Customers are simulated a chunk at a time, so memory does not grow with `n_orders`;
    no customer is in two files.

    Parameters
    ----------
    folder : must hold no `orders` yet.
    n_orders : how many orders in all, exactly.
    n_markets : how many markets; the first eight are the sample's.
    chunk : orders in a file, about.

    Returns
    -------
    the files of orders.
    """
    folder = Path(folder)
    _check_sizes(folder, n_orders=n_orders, n_markets=n_markets, chunk=chunk)
    company = benchmark_company(n_markets)
    (folder / "orders").mkdir(parents=True)
    (folder / "markets.toml").write_text(_markets_toml(company), encoding="utf-8", newline="\n")
    written = []
    for number, table in enumerate(_chunks(company, n_orders=n_orders, seed=seed, chunk=chunk)):
        written.append(folder / "orders" / f"part-{number:05d}.parquet")
        pq.write_table(
            table,
            written[-1],
            compression="zstd",
            use_dictionary=["customer_id", "market", "currency", "amount", "refunded_amount"],
            column_encoding={"order_id": "DELTA_BYTE_ARRAY", "ordered_at": "DELTA_BINARY_PACKED"},
            store_decimal_as_integer=True,
            store_schema=False,
            row_group_size=250_000,
        )
    return written


def _check_sizes(folder: Path, *, n_orders: int, n_markets: int, chunk: int) -> None:
    for name, value, most in [
        ("n_orders", n_orders, 10**9),
        ("n_markets", n_markets, 200),
        ("chunk", chunk, 5_000_000),
    ]:
        if not 1 <= value <= most:
            raise UsageError(f"{name} cannot be {value:,}.", to_try=f"1 to {most:,}")
    if (folder / "orders").exists():
        raise UsageError(
            f"The folder '{folder.name}' holds orders already.",
            to_try="another folder, or remove its 'orders'",
        )


def benchmark_company(n_markets: int) -> Company:
    """Return a company of many markets: real ones, then these again, each with its own rates."""
    codes = [_benchmark_code(number) for number in range(n_markets)]
    known = [BENCHMARK_MARKETS[code.partition("-")[0]] for code in codes]
    return Company(
        tuple(codes),
        tuple(currency for _, currency, _, _ in known),
        tuple(ZoneInfo(zone) for _, _, zone, _ in known),
        tuple(_benchmark_trade(number, basket) for number, (*_, basket) in enumerate(known)),
        np.array([lives.season(code) for code in codes]),
    )


def _benchmark_code(number: int) -> str:
    again, place = divmod(number, len(BENCHMARK_MARKETS))
    code = list(BENCHMARK_MARKETS)[place]
    return f"{code}-{again + 1}" if again else code


def _benchmark_trade(number: int, basket: float) -> lives.Trade:
    trades = list(TRADES.values())
    trade, spread = trades[number % len(trades)], 0.8 + 0.4 * ((number * 0.618034) % 1)
    return replace(trade, basket=basket, rate=trade.rate * spread, leaving=trade.leaving / sqrt(spread))


def _markets_toml(company: Company) -> str:
    names = Locale("en").territories
    lines = ["# The markets of a simulated company, for benchmarks."]
    for code, currency, zone in zip(company.codes, company.currencies, company.zones, strict=True):
        country, _, again = code.partition("-")
        lines += [
            "",
            f"[{code}]",
            f'name = "{" ".join([names[country], again]).strip()}"',
            f'languages = ["{BENCHMARK_MARKETS[country][0]}"]',
            f'currency = "{currency}"',
            f'time_zone = "{zone.key}"',
        ]
    return "\n".join(lines) + "\n"


def _chunks(company: Company, *, n_orders: int, seed: int, chunk: int) -> Iterator[pa.Table]:
    """Yield tables of orders until there are `n_orders`, the last one cut to that."""
    a_customer_orders, done, n_customers, number = 4.2, 0, 0, 0
    weight = 1 / np.arange(2, 2 + len(company.codes)) ** 0.7
    while done < n_orders:
        wanted = min(chunk, n_orders - done)
        size = np.maximum(np.ceil(wanted / a_customer_orders * weight / weight.sum()), 1).astype(int)
        rng = np.random.default_rng([seed, number])
        table = _orders_chunk(rng, company, size, n_customers=n_customers, n_orders=done)
        a_customer_orders = table.num_rows / size.sum()
        yield table.slice(0, n_orders - done)
        done, n_customers, number = done + table.num_rows, n_customers + int(size.sum()), number + 1


def _orders_chunk(
    rng: np.random.Generator, company: Company, size: np.ndarray, *, n_customers: int, n_orders: int
) -> pa.Table:
    """Return all orders of some new customers, by instant, ids going on from those before."""
    customers = lives.new_customers(rng, company, numbers=size)
    life = lives.lives(rng, customers)
    orders = lives.placed(rng, lives.occasions(rng, company, customers, life), customers["refunded_first"].to_numpy())
    market = lives.moves(rng, company, customers, orders)
    ordered = company.utc(market, orders["day"].to_numpy(), orders["second"].to_numpy())
    by_time = np.argsort(ordered, kind="stable")
    market, customer = market[by_time], orders["customer"].to_numpy()[by_time]
    fate, n = orders["fate"].to_numpy()[by_time], len(by_time)
    amount = tables.prices(rng, company, market, customers["keen"].to_numpy()[customer], np.ones(n))
    refunded = np.where(fate == lives.REFUNDED, amount, amount // 200 * 100)
    ids = tables.opaque_ids(
        "C", np.arange(n_customers + 1, n_customers + len(customers) + 1), digits=10, prime=4_294_967_291
    )
    return pa.table(
        {
            "order_id": tables.running_ids("O", n_orders + 1, n, digits=10),
            "customer_id": tables.texts(ids, customer),
            "market": tables.texts(company.codes, market),
            "ordered_at": tables.instants(ordered[by_time]),
            "amount": tables.money(amount),
            "currency": tables.texts(company.currencies, market),
            "refunded_amount": tables.money(refunded, ~np.isin(fate, [lives.REFUNDED, lives.PARTLY_REFUNDED])),
            "cancelled": pa.array(fate == lives.CANCELLED),
        }
    )
