"""Who is at risk: predictions joined back to customers in the engine; what comes out is counts, or pseudonyms.

A customer leaves the engine only as the HMAC of his id, and only where the environment holds a key for it.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from retention_kit.config import project_root
from retention_kit.counts.counting import engine as opened
from retention_kit.counts.counting import sql
from retention_kit.counts.engines import Engine
from retention_kit.errors import DataError, UsageError
from retention_kit.ingest import Source

KEY_VARIABLE = "RETENTION_KIT_ALERTS_KEY"
"""The environment variable with the key of the pseudonyms; without it nobody leaves the engine."""
_LEAST_KEY = 16
_MILLION = 1_000_000
_KEYS = ["market", "frequency", "recency", "age"]
_REASONS = ["silent", "smaller", "quieter", "unhappy", "trouble"]


def watch_counts(
    engine: Engine, predictions: pd.DataFrame, *, terms: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Return how many active customers are at risk, and why; creates `watched_customers` in the engine.

    Parameters
    ----------
    engine : from `counts.engine`.
    predictions : one row per market, `frequency`, `recency`, `age` of rfm_counts: `lapse`, `orders_if_here`.
    terms : by market: `margin`, a share of revenue; `effect`, the share of lapses an offer averts; `cost_minor` of one.

    Returns
    -------
    From `counts.watch_counts`.

    Raises
    ------
    DataError : a prediction that is no chance, or no number of orders.
    """
    lapse, orders = predictions["lapse"], predictions["orders_if_here"]
    wrong = ~(lapse.between(0, 1) & orders.between(0, 1e6))
    if wrong.any():
        raise DataError(
            "A prediction is not a chance or a number of orders.",
            found=f"{int(wrong.sum()):,} of {len(predictions):,} patterns",
            to_try="predict with a model that was fitted",
        )
    whole = predictions[["lapse", "orders_if_here"]].mul(_MILLION).round().astype("int64")
    engine.load("predictions", pa.Table.from_pandas(predictions[_KEYS].join(whole), preserve_index=False))
    rows = [
        {
            "market": market,
            "margin": round(term["margin"] * _MILLION),
            "effect": round(term["effect"] * _MILLION),
            "cost_minor": int(term["cost_minor"]),
        }
        for market, term in terms.items()
    ]
    engine.load_rows("watch_terms", rows)
    engine.create("watched_customers", sql("watched_customers"))
    return engine.collect(sql("watch_counts"))


def watch_list(engine: Engine, *, market: str, most: int = 10_000) -> pd.DataFrame | None:
    """Return the customers of a market who are worth an offer, most expected saved value first; None without a key.

    Parameters
    ----------
    engine : after `watch_counts`.
    most : at the most so many; nobody whose expected saved value is not above 0.

    Returns
    -------
    One row per customer: `alert_id`, the HMAC-SHA-256 of market and id; `lapse`, in millionths; `value_minor`;
    `saved_minor`; and the reasons, 1 or 0.

    Raises
    ------
    UsageError : a key shorter than 16 bytes.
    """
    key = os.environ.get(KEY_VARIABLE, "").encode()
    if not key:
        return None
    if len(key) < _LEAST_KEY:
        raise UsageError(
            f"{KEY_VARIABLE} is too short to hide who a customer is.",
            found=f"{len(key)} bytes",
            to_try=f"at least {_LEAST_KEY}, drawn at random",
        )
    columns = ", ".join(["lapse", "value_minor", "saved_minor", *_REASONS])
    rows = engine.values(
        f"SELECT customer_id, {columns} FROM watched_customers WHERE market = '{market}' AND saved_minor > 0 "
        f"ORDER BY saved_minor DESC, customer_id LIMIT {int(most)}"
    )
    named = [
        (hmac.new(key, f"{market}\0{row[0]}".encode(), hashlib.sha256).hexdigest()[:32], *map(int, row[1:]))
        for row in rows
    ]
    return pd.DataFrame(named, columns=["alert_id", "lapse", "value_minor", "saved_minor", *_REASONS])


def watched(
    source: Source, predictions: pd.DataFrame, *, as_of: str, terms: Mapping[str, Mapping[str, float]], market: str
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return `watch_counts` of a market and its `watch_list`, counted in an engine that is let go.

    Parameters
    ----------
    source : from `ingest.source`.
    predictions, terms : as of `watch_counts`.
    """
    with opened(source, as_of=as_of, grains=["quarter"]) as engine:
        rows = watch_counts(engine, predictions, terms=terms)
        listed = watch_list(engine, market=market)
    return rows[rows["market"] == market].reset_index(drop=True), listed


def alerts_folder() -> Path:
    """Return the folder of the lists: `reports/alerts` of the project."""
    return project_root() / "reports" / "alerts"
