"""The sample: the simulated company as files, with what was planted in it.

`write_sample` writes the eight tables and `truth.toml`: what the company was built with.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from retention_kit.config import Markets, data_root, read_markets
from retention_kit.simulate import lives, tables
from retention_kit.simulate.lives import OUTAGE_FACTOR, OUTAGE_MARKET, TRADES, Company
from retention_kit.simulate.tables import History
from retention_kit.simulate.truths import as_toml, truth

SEED = 20260101
"""The seed of the committed sample."""

_DELTA = {"order_id": "DELTA_BYTE_ARRAY", "subscription_id": "DELTA_BYTE_ARRAY"}
_SORTED_INSTANTS = {"ordered_at", "occurred_at", "opened_at", "answered_at", "assigned_at"}


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
    markets = markets or read_markets(data_root() / "data" / "markets.toml")
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
