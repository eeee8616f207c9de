"""Who is at risk: predictions joined back to customers in the engine; what comes out is counts, or pseudonyms.

A customer leaves the engine only as the HMAC of his id, and only where the environment holds a key for it. Without one
the list stays in a table of the engine's own, in a file for its owner alone.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from retention_kit.config import project_root
from retention_kit.counts.counting import engine as opened
from retention_kit.counts.engines import DuckDB, Engine
from retention_kit.counts.files import sql
from retention_kit.errors import DataError, UsageError
from retention_kit.ingest import Source
from retention_kit.periods import as_of_instant

KEY_VARIABLE = "RETENTION_KIT_ALERTS_KEY"
"""The environment variable with the key of the pseudonyms; without it nobody leaves the engine."""
_LEAST_KEY = 16
_MILLION = 1_000_000
_KEYS = ["market", "frequency", "recency", "age"]
_REASONS = ["silent", "smaller", "quieter", "unhappy", "trouble"]
_FLAGS = [*_REASONS, "chosen"]
_WORSE_BY = 100_000
_PATIENCE_SECONDS = 30.0
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Watched:
    """What the watch over a market found; but for `listed` nothing is about one customer.

    `counts`: from `counts.watch_counts`. `offers`: from `counts.offer_counts`. `past`: from `counts.past_list_counts`.
    `listed`: from `watch_list`; None without a key. `kept`: one row, how many customers the engine's own table names:
    `n_listed`, `n_again`, `n_spared`, `value_minor`, `saved_minor`; None where there is a key, or the engine keeps no
    table of ours.
    """

    counts: pd.DataFrame
    offers: pd.DataFrame
    past: pd.DataFrame
    listed: pd.DataFrame | None
    kept: pd.DataFrame | None


def watch_counts(
    engine: Engine, predictions: pd.DataFrame, *, terms: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Return how many active customers are at risk, and why; creates `watched_customers` and `offered_customers`.

    Parameters
    ----------
    engine : from `counts.engine`.
    predictions : one row per market, `frequency`, `recency`, `age` of rfm_counts: `lapse`, `orders_if_here`.
    terms : by market: `margin`, a share of revenue; `effect`, the share of lapses an offer averts; `cost_minor` of one;
        `n_offers`, the most that are paid.

    Returns
    -------
    From `counts.watch_counts`.

    Raises
    ------
    DataError : a prediction that is no chance, or no number of orders.
    """
    _load_predictions(engine, "predictions", predictions)
    _load_terms(engine, terms)
    engine.create("watched_customers", sql("watched_customers"))
    engine.create("offered_customers", sql("offered_customers"))
    return engine.collect(sql("watch_counts"))


def offer_counts(engine: Engine) -> pd.DataFrame:
    """Return who gets an offer, by purchase pattern: from `counts.offer_counts`, after `watch_counts`."""
    return engine.collect(sql("offer_counts"))


def past_list_counts(
    engine: Engine, predictions_then: pd.DataFrame, *, holdout_weeks: int, capacity: int
) -> pd.DataFrame:
    """Return what became of those whom a list of some weeks ago would have named: from `counts.past_list_counts`.

    Parameters
    ----------
    engine : after `watch_counts`, whose terms are taken.
    predictions_then : one row per market, `frequency`, `recency`, `age` of holdout_counts: `lapse`, `orders_if_here`,
        as they were told then.
    """
    _load_predictions(engine, "predictions_then", predictions_then)
    engine.load_rows("holdout", [{"holdout_days": holdout_weeks * 7}])
    engine.load_rows("list_terms", [{"capacity": int(capacity)}])
    return engine.collect(sql("past_list_counts"))


def watch_list(engine: Engine, *, market: str, most: int = 10_000) -> pd.DataFrame | None:
    """Return the customers of a market who are worth an offer, most expected saved value first; None without a key.

    Parameters
    ----------
    engine : after `watch_counts`.
    most : at the most so many; nobody whose expected saved value is not above 0.

    Returns
    -------
    One row per customer: `alert_id`, the HMAC-SHA-256 of market and id; `lapse`, in millionths; `value_minor`;
    `saved_minor`; the reasons, and `chosen` for an offer under the budget, 1 or 0.

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
    columns = ", ".join(["lapse", "value_minor", "saved_minor", *_FLAGS])
    rows = engine.values(
        f"SELECT customer_id, {columns} FROM offered_customers WHERE market = '{market}' AND saved_minor > 0 "
        f"ORDER BY saved_minor DESC, customer_id LIMIT {int(most)}"
    )
    named = [
        (hmac.new(key, f"{market}\0{row[0]}".encode(), hashlib.sha256).hexdigest()[:32], *map(int, row[1:]))
        for row in rows
    ]
    return pd.DataFrame(named, columns=["alert_id", "lapse", "value_minor", "saved_minor", *_FLAGS])


def keep_list(
    engine: Engine, *, folder: Path, market: str, as_of_day: int, capacity: int, again_after_days: int
) -> pd.DataFrame | None:
    """Write a market's list into a table of the engine's own, and return how many it names.

    Running it again changes nothing.

    The embedded engine keeps the tables `alerts`, the list, and `alerted`, who was ever on it, in `<market>.duckdb` of
    the folder, for its owner only; all of it changes at once or not at all. Another engine is only read: None.

    Parameters
    ----------
    engine : after `watch_counts`.
    folder : made, for its owner only, where it is not there.
    as_of_day : first day not observed, since 1970-01-01.
    capacity, again_after_days : as of `actions.write_alerts`.

    Raises
    ------
    DataError : the file of earlier alerts cannot be opened, or another run holds it for half a minute.
    """
    if not isinstance(engine, DuckDB):
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{market}.duckdb"
    _attach(engine, path)
    try:
        for table, columns in _KEPT_TABLES.items():
            engine.run(f"CREATE TABLE IF NOT EXISTS kept.{table} ({columns})")
        terms = {"as_of_day": as_of_day, "capacity": int(capacity), "again_after_days": int(again_after_days)}
        engine.load_rows("list_terms", [terms | {"worse_by": _WORSE_BY}])
        engine.load_rows("list_markets", [{"market": market}])
        engine.create("alerted", "SELECT * FROM kept.alerted")
        engine.create("new_alerts", sql("kept_alerts"))
        _replace_list(engine, as_of_day=as_of_day)
    finally:
        engine.run("DETACH kept")
    return engine.collect(
        "SELECT COUNT(*) AS n_listed, COALESCE(SUM(is_again), 0) AS n_again, COALESCE(MAX(n_spared), 0) AS n_spared, "
        "COALESCE(SUM(value_minor), 0) AS value_minor, COALESCE(SUM(saved_minor), 0) AS saved_minor FROM new_alerts"
    )


def _replace_list(engine: DuckDB, *, as_of_day: int) -> None:
    """Put the new list in the place of the kept one, and remember whom it names; both or neither."""
    engine.create(
        "remembered",
        f"SELECT n.market, n.customer_id, {as_of_day} AS alerted_day, n.lapse FROM new_alerts AS n "
        "LEFT JOIN alerted AS a ON a.market = n.market AND a.customer_id = n.customer_id "
        f"WHERE a.customer_id IS NULL OR a.alerted_day < {as_of_day}",
    )
    columns = f"market, customer_id, lapse, value_minor, saved_minor, {', '.join(_FLAGS)}"
    engine.run("BEGIN")
    try:
        engine.run("DELETE FROM kept.alerts")
        engine.run(f"INSERT INTO kept.alerts SELECT {columns} FROM new_alerts ORDER BY saved_minor DESC, customer_id")
        engine.run("DELETE FROM kept.alerted WHERE customer_id IN (SELECT customer_id FROM remembered)")
        engine.run("INSERT INTO kept.alerted SELECT * FROM remembered")
        engine.run("COMMIT")
    except BaseException:
        engine.run("ROLLBACK")
        raise


_KEPT_TABLES = {
    "alerts": "market VARCHAR, customer_id VARCHAR, lapse BIGINT, value_minor BIGINT, saved_minor BIGINT, "
    + ", ".join(f"{flag} BIGINT" for flag in _FLAGS),
    "alerted": "market VARCHAR, customer_id VARCHAR, alerted_day BIGINT, lapse BIGINT",
}


def watched(
    source: Source,
    predictions: pd.DataFrame,
    predictions_then: pd.DataFrame,
    *,
    as_of: str,
    market: str,
    terms: Mapping[str, Mapping[str, float]],
    holdout_weeks: int,
    capacity: int,
    again_after_days: int,
    folder: Path | None = None,
) -> Watched:
    """Return what the watch over a market finds, counted in an engine that is let go.

    Parameters
    ----------
    source : from `ingest.source`.
    predictions, terms : as of `watch_counts`.
    predictions_then, holdout_weeks : as of `past_list_counts`.
    capacity, again_after_days, folder : as of `keep_list`; the folder is `alerts_folder()` where not given.
    """
    asked = {"capacity": capacity, "again_after_days": again_after_days}
    with opened(source, as_of=as_of, grains=["quarter"]) as engine:
        counted = watch_counts(engine, predictions, terms=terms)
        chosen = offer_counts(engine)
        past = past_list_counts(engine, predictions_then, holdout_weeks=holdout_weeks, capacity=capacity)
        listed, kept = watch_list(engine, market=market), None
        if listed is None:
            day = as_of_instant(as_of, zone=source.markets[market].zone)[1]
            kept = keep_list(engine, folder=folder or alerts_folder(), market=market, as_of_day=day, **asked)
    here = (table[table["market"] == market].reset_index(drop=True) for table in (counted, chosen, past))
    return Watched(*here, listed, kept)


def alerts_folder() -> Path:
    """Return the folder of the lists: `reports/alerts` of the project."""
    return project_root() / "reports" / "alerts"


def _load_predictions(engine: Engine, name: str, predictions: pd.DataFrame) -> None:
    lapse, orders = predictions["lapse"], predictions["orders_if_here"]
    wrong = ~(lapse.between(0, 1) & orders.between(0, 1e6))
    if wrong.any():
        raise DataError(
            "A prediction is not a chance or a number of orders.",
            found=f"{int(wrong.sum()):,} of {len(predictions):,} patterns",
            to_try="predict with a model that was fitted",
        )
    whole = predictions[["lapse", "orders_if_here"]].mul(_MILLION).round().astype("int64")
    engine.load(name, pa.Table.from_pandas(predictions[_KEYS].join(whole), preserve_index=False))


def _load_terms(engine: Engine, terms: Mapping[str, Mapping[str, float]]) -> None:
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
    engine.load_rows("offer_terms", [{"market": m, "n_offers": int(term["n_offers"])} for m, term in terms.items()])


def _attach(engine: DuckDB, path: Path) -> None:
    """Attach the file that keeps a market's list; another run's hold on it is waited for."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            engine.run(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS kept")
            path.chmod(_OWNER_ONLY)
            break
        except duckdb.IOException:
            if time.monotonic() > until:
                raise DataError(
                    f"The list of earlier alerts, '{path.name}', is held by another run, or cannot be opened.",
                    to_try="wait for that run, or delete the file: then everybody may be alerted again",
                ) from None
            time.sleep(0.2)
        except duckdb.Error:
            raise DataError(
                f"The list of earlier alerts, '{path.name}', cannot be opened.",
                to_try="restore it, or delete it: then everybody may be alerted again",
            ) from None
