"""Two shares compared: who came back in one group and in another, and how sure the difference is."""

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtri

from retention_kit.errors import MetricError, unknown_name
from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns, wilson
from retention_kit.metrics.registry import metric


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: second order day within the horizon",
    label=N_("Second order within the horizon"),
)
def returned_share(cut_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of customers with a second order day within a horizon of the first, of those observed that long.

    Parameters
    ----------
    cut_counts : (n_cells, 6), from `counts.cut_counts`.

    Returns
    -------
    One row per market, cut, value and horizon_days: `n_observed`, `n_returned`, `returned_share`, `lower`,
    `upper`, Wilson.
    """
    return share_columns(
        cut_counts.reset_index(drop=True),
        "returned_share",
        count="n_returned",
        n="n_observed",
        conf_level=conf_level,
    )


def difference_of_shares(
    count: int, n: int, count_other: int, n_other: int, *, conf_level: float = CONF_LEVEL
) -> tuple[float, float, float]:
    """Return count / n less count_other / n_other, and Newcombe's interval (1998, method 10), from Wilson's.

    Raises
    ------
    MetricError : n or n_other is 0, or a count is no part of its n.

    >>> [round(float(end), 6) for end in difference_of_shares(8279, 45489, 8502, 44700)]
    [-0.008201, -0.013282, -0.003121]
    """
    if n == 0 or n_other == 0:
        raise MetricError("A share of nobody has no difference.", found=f"n = {n}, n_other = {n_other}")
    share, other = count / n, count_other / n_other
    (lower, upper), (lower_other, upper_other) = (
        wilson(count, n, conf_level=conf_level),
        wilson(count_other, n_other, conf_level=conf_level),
    )
    difference = share - other
    below = np.hypot(share - lower, upper_other - other)
    above = np.hypot(upper - share, other - lower_other)
    return difference, float(difference - below), float(difference + above)


def equality_of_shares(count, n) -> tuple[float, float]:
    """Return Pearson's χ² for one share in all groups (groups − 1 degrees of freedom), and its p-value.

    Groups of nobody are left out.

    Raises
    ------
    MetricError : a count is no part of its n, or fewer than two groups have somebody.

    >>> statistic, p = equality_of_shares([1157, 1312, 1032], [7846, 8476, 7248])
    >>> round(statistic, 2), round(p, 3)
    (4.86, 0.088)
    """
    count, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    if np.any((count < 0) | (count > n)):
        raise MetricError("A share needs 0 <= count <= n.", to_try="look for the wrong denominator")
    count, n = count[n > 0], n[n > 0]
    if len(n) < 2:
        raise MetricError("One share is equal to no other.", found=f"{len(n)} groups with somebody")
    pooled = count.sum() / n.sum()
    if pooled in (0, 1):
        return 0.0, 1.0
    statistic = float(((count - n * pooled) ** 2 / (n * pooled * (1 - pooled))).sum())
    return statistic, float(chdtrc(len(n) - 1, statistic))


def stratified_difference(
    cut_counts: pd.DataFrame, *, value: str, other: str, conf_level: float = CONF_LEVEL
) -> tuple[float, float, float]:
    """Return the difference in returned share between two values of one cut, markets compared only with themselves.

    Each market weighs as in Mantel and Haenszel (1959), n₁n₀ / (n₁ + n₀); the interval is Wald's on the weighted sum.

    Parameters
    ----------
    cut_counts : rows of one cut and one horizon, of any number of markets.
    value, other : the two values compared.

    Raises
    ------
    MetricError : a value that the cut does not have (names the near miss), rows of several cuts or horizons, no
        market with customers of both values.
    """
    known = sorted(cut_counts["value"].unique())
    for asked in (value, other):
        if asked not in known:
            raise unknown_name("value of the cut", asked, known, error=MetricError)
    if cut_counts.duplicated(["market", "value"]).any():
        raise MetricError(
            "Values are compared within one cut and one horizon.",
            found=f"{len(cut_counts):,} rows, some of the same market and value",
            to_try="query(\"cut == 'channel' and horizon_days == 90\") before",
        )
    compared = cut_counts[cut_counts["value"].isin([value, other])]
    wide = compared.pivot(index="market", columns="value", values=["n_observed", "n_returned"]).dropna()
    wide = wide[(wide["n_observed"] > 0).all(axis=1)]
    if wide.empty:
        raise MetricError(f"No market has customers of both '{value}' and '{other}'.")
    n1, n0 = wide["n_observed", value], wide["n_observed", other]
    p1, p0 = wide["n_returned", value] / n1, wide["n_returned", other] / n0
    weight = n1 * n0 / (n1 + n0)
    difference = ((p1 - p0) * weight).sum() / weight.sum()
    variance = ((p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * weight**2).sum() / weight.sum() ** 2
    half = ndtri((1 + conf_level) / 2) * np.sqrt(variance)
    return float(difference), float(difference - half), float(difference + half)
