"""How sure a number is: Wilson intervals for shares, bootstrap intervals by customer for money and frequency."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError

CONF_LEVEL = 0.95

LEAST_FOR_MONEY = 100
"""Customers below whom no interval of money or frequency is given."""

_N_BUCKETS = 200
_N_DRAWS = 1000


def wilson(count, n, *, conf_level: float = CONF_LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper end of Wilson's interval for the share count / n (Wilson 1927).

    It never leaves [0, 1] and is honest for small n and for shares near 0 and 1. NaN where n is 0.

    >>> lower, upper = wilson(1157, 7846)
    >>> round(float(lower), 4), round(float(upper), 4)
    (0.1398, 0.1555)
    """
    count, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    if np.any((count < 0) | (count > n)):
        raise MetricError("A share needs 0 <= count <= n.", to_try="look for the wrong denominator")
    z = ndtri((1 + conf_level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = count / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # at the two ends the interval ends there: rounding must not say otherwise
    return np.where(count == 0, middle * 0, middle - half), np.where(count == n, middle * 0 + 1, middle + half)


def share_columns(table: pd.DataFrame, name: str, *, count: str, n: str, conf_level: float) -> pd.DataFrame:
    """Return the table with the share count / n as column `name`, and its Wilson interval; NaN where n is 0."""
    lower, upper = wilson(table[count], table[n], conf_level=conf_level)
    share = table[count] / table[n].where(table[n] > 0)
    return table.assign(**{name: share, "lower": lower, "upper": upper})


def bootstrap_interval(
    bucket_counts: pd.DataFrame, *, numerator: str, denominator: str, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return the interval of a ratio of sums over customers, by drawing buckets of customers again.

    A customer is in one bucket with all his orders, so that what one customer does stays together. The draws are
    seeded: the same counts give the same interval.

    Parameters
    ----------
    bucket_counts : (n_markets × 2 grains × up to 200 buckets, 6), from `counts.bucket_counts`.
    numerator, denominator : two of its columns.

    Returns
    -------
    One row per market and grain: `lower`, `upper`, bootstrap-t.
    """
    rows = []
    for (market, grain), buckets in bucket_counts.groupby(["market", "grain"]):
        lower, upper = studentised_interval(
            buckets, numerator=numerator, denominator=denominator, conf_level=conf_level
        )
        rows.append({"market": market, "grain": grain, "lower": lower, "upper": upper})
    return pd.DataFrame(rows, columns=["market", "grain", "lower", "upper"])


def studentised_interval(
    buckets: pd.DataFrame, *, numerator: str, denominator: str, conf_level: float = CONF_LEVEL
) -> tuple[float, float]:
    """Return the bootstrap-t interval of one ratio of sums over the customers of buckets.

    Parameters
    ----------
    buckets : (up to 200 buckets, …), with `bucket`; a bucket that is not there holds nobody.
    numerator, denominator : two of its columns.
    """
    return _studentised(
        *in_buckets(buckets, [numerator, denominator]).T, tails=[(1 - conf_level) / 2, (1 + conf_level) / 2]
    )


def in_buckets(buckets: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return columns by bucket, (200, n_columns); a bucket that is not there holds nobody."""
    sums = np.zeros((_N_BUCKETS, len(columns)))
    sums[buckets["bucket"]] = buckets[list(columns)]
    return sums


def redrawn(sums: np.ndarray) -> np.ndarray:
    """Return the totals of each draw of buckets, (n_draws, n_columns); all calls draw the same buckets."""
    return np.einsum("db,bk->dk", _draws(), sums)


def _studentised(over: np.ndarray, under: np.ndarray, *, tails: list[float]) -> tuple[float, float]:
    """Return the bootstrap-t interval of sum(over) / sum(under) (Efron & Tibshirani 1993, 12.5): fit for skew sums."""
    if under.sum() <= 0:
        return np.nan, np.nan
    squares = np.stack([over, under, over**2, over * under, under**2])
    drawn = np.einsum("db,kb->kd", _draws(), squares)
    drawn = drawn[:, drawn[1] > 0]
    ratios = drawn[0] / drawn[1]
    variance = np.maximum(drawn[2] - 2 * ratios * drawn[3] + ratios**2 * drawn[4], 0) / drawn[1] ** 2
    ratio = over.sum() / under.sum()
    error = np.sqrt(((over - ratio * under) ** 2).sum()) / under.sum()
    known = variance > 0
    if not known.any():
        return ratio, ratio
    low, high = np.quantile((ratios[known] - ratio) / np.sqrt(variance[known]), tails)
    return ratio - high * error, ratio - low * error


@cache
def _draws() -> np.ndarray:
    """Return how often each bucket is drawn in each draw, (n_draws, n_buckets)."""
    random = np.random.default_rng(1979)  # Efron's year; any fixed seed gives every run the same draws
    return random.multinomial(_N_BUCKETS, np.full(_N_BUCKETS, 1 / _N_BUCKETS), size=_N_DRAWS).astype(float)
