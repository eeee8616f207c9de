"""What purchase models need besides the counts tables: a hold-out, spend, and predictions joined back to customers.

What is predicted for each pattern is joined to the customers in the engine, and counted there: no customer leaves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from retention_kit.counts import prelude
from retention_kit.counts.counting import PURCHASE_TABLES, Counted, counted
from retention_kit.counts.engines import Engine
from retention_kit.counts.files import sql
from retention_kit.errors import DataError
from retention_kit.ingest import Source

MILLION = 1_000_000
"""Predictions go into the engine as integers, in millionths."""
MOST_PREDICTED = 1e12
"""Above it a prediction is none."""

_KEYS = ["market", "frequency", "recency", "age"]
_NUMBERS = ["expected_orders", "value_base_minor", "own_weight"]
_PREDICTIONS = pa.schema([("market", pa.string()), *((name, pa.int64()) for name in [*_KEYS[1:], *_NUMBERS])])


@dataclass(frozen=True)
class Purchases:
    """The tables of purchases of all markets, as of one instant, with a hold-out of so many weeks before it."""

    as_of: str
    holdout_weeks: int
    counted: Counted

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Return the tables of all markets."""
        return {name: self.counted.tables[name] for name in PURCHASE_TABLES}

    def of(self, market: str) -> Mapping[str, pd.DataFrame]:
        """Return the tables of one market."""
        tables = self.counted.of(market).tables
        return {name: tables[name] for name in PURCHASE_TABLES}


def purchase_counts(source: Source, *, as_of: str, holdout_weeks: int) -> Purchases:
    """Return the tables of purchases of all markets, read from the project's store, where they are counted only once.

    Parameters
    ----------
    source : from `ingest.source`.
    as_of : first instant not observed.
    holdout_weeks : weeks before it that are held out, for a forecast made then to be held against.

    Raises
    ------
    UsageError : a hold-out of less than a week.
    """
    found = counted(source, as_of=as_of, grains=["quarter"], holdout_weeks=holdout_weeks)
    found.prepare(PURCHASE_TABLES)
    found.close()
    return Purchases(as_of, holdout_weeks, found)


def worth_counts(engine: Engine, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return what the customers of the predicted markets are expected to bring, by channel, cohort and class of worth.

    Parameters
    ----------
    engine : from `counts.engine`, with the grain 'quarter'.
    predictions : one row per market, `frequency`, `recency`, `age` of rfm_counts: `expected_orders`; and what an order
        day is worth, `value_base_minor` + `own_weight` × the customer's own mean, in minor units.

    Returns
    -------
    From `counts.worth_counts`.

    Raises
    ------
    DataError : a prediction that is not finite or below 0.
    """
    numbers = predictions[_NUMBERS].astype(float)
    wrong = ~(numbers >= 0).all(axis=1) | (numbers > MOST_PREDICTED).any(axis=1)
    if wrong.any():
        raise DataError(
            "A prediction is not a number of orders or an amount.",
            found=f"{int(wrong.sum()):,} of {len(predictions):,} patterns below 0, or not finite",
            to_try="predict with a model that was fitted",
        )
    whole = numbers.mul(MILLION).round().astype("int64")
    table = predictions[_KEYS].astype(dict.fromkeys(_KEYS[1:], "int64")).join(whole)
    engine.load("predictions", pa.Table.from_pandas(table, schema=_PREDICTIONS, preserve_index=False))
    prelude.load_bins(engine)
    return engine.collect(sql("worth_counts"))


def segment_counts(engine: Engine, cuts: pd.DataFrame) -> pd.DataFrame:
    """Return the customers of all markets by their scores of recency, frequency and money.

    Parameters
    ----------
    engine : from `counts.engine`.
    cuts : one row per `score` from 2 to 5: `recency`, `frequency`, `money`, whole numbers, from `metrics` or `models`.

    Returns
    -------
    From `counts.segment_counts`.
    """
    row = {
        f"{letter}_{score - 1}": int(value)
        for letter, column in zip("rfm", ("recency", "frequency", "money"), strict=True)
        for score, value in zip(cuts["score"], cuts[column], strict=True)
    }
    engine.load_rows("rfm_cuts", [row])
    return engine.collect(sql("segment_counts"))
