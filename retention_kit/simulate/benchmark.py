"""Companies of any size, for benchmarks: many markets, as many orders as asked for, some customers at a time."""

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from babel import Locale

from retention_kit.errors import UsageError
from retention_kit.simulate import lives, tables
from retention_kit.simulate.lives import TRADES, Company
from retention_kit.simulate.sample import SEED

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
