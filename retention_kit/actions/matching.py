"""Comparable customers: those who got something beside others alike, stratum by stratum or weighed by propensity.

Alike are customers of the same market, cohort, acquisition channel, language and first basket. What the strata hold
fixed is told, and how far the two sides still differ in it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError
from retention_kit.metrics import difference_of_shares
from retention_kit.metrics.intervals import CONF_LEVEL

STRATA = ("market", "cohort", "acquisition_channel", "language", "basket")
"""What comparable customers have in common, besides the landmark at which both were still to come back."""
_PRIOR_VARIANCE = 10.0**2  # of each log odds ratio: weak, and enough where a group has somebody on one side only
_RARE = 0.005
_N_STEPS = 50
_N_BINS = 10


@dataclass(frozen=True)
class Difference:
    """The shares of two comparable groups who came back, and their difference with its interval.

    `n_used`: how many of those who got it the difference is about.
    """

    share_value: float
    share_other: float
    difference: float
    lower: float
    upper: float
    n_used: int


@dataclass(frozen=True)
class Sides:
    """Two groups of customers, stratum by stratum: `strata` names them, one row each; the arrays are (n_strata,).

    n, x : customers with the value, and those of them who came back; `n_other`, `x_other` without it.
    """

    strata: pd.DataFrame
    n: np.ndarray
    x: np.ndarray
    n_other: np.ndarray
    x_other: np.ndarray

    @cached_property
    def both(self) -> np.ndarray:
        """Return which strata have somebody on both sides, (n_strata,)."""
        return (self.n > 0) & (self.n_other > 0)

    @property
    def matched_share(self) -> float:
        """Return the share of those who got it who have somebody to be compared with in their own stratum."""
        return float(self.n[self.both].sum() / self.n.sum())

    @cached_property
    def propensity(self) -> np.ndarray:
        """Return the chance of getting it in each stratum, (n_strata,), by a logistic regression on what names it."""
        total = self.n + self.n_other
        columns = _indicators(self.strata, total)
        weight = np.append(0, np.full(columns.shape[1] - 1, 1 / _PRIOR_VARIANCE))
        at = np.zeros(columns.shape[1])
        for _ in range(_N_STEPS):
            share = _logistic(columns, at)
            slope = np.einsum("ki,k->i", columns, self.n - total * share) - weight * at
            curve = np.einsum("ki,kj->ij", columns * (total * share * (1 - share))[:, None], columns)
            step = np.linalg.solve(curve + np.diag(weight + 1e-9), slope)
            at = at + step
            if np.abs(step).max() < 1e-9:
                break
        return _logistic(columns, at)

    @property
    def overlap(self) -> float:
        """Return how much of both groups lies at the same propensities, in tenths: all of it is 1, nothing 0."""
        tenth = np.minimum((self.propensity * _N_BINS).astype(int), _N_BINS - 1)
        got, without = (np.bincount(tenth, n, minlength=_N_BINS) / n.sum() for n in (self.n, self.n_other))
        return float(np.minimum(got, without).sum())


def sides(strategy_counts: pd.DataFrame, *, value: str, other: str) -> Sides:
    """Return the customers of two values, stratum by stratum.

    Parameters
    ----------
    strategy_counts : of one strategy, from `counts.strategy_counts`, of any number of markets.

    Raises
    ------
    MetricError : nobody has one of the values.
    """
    rows = strategy_counts[strategy_counts["value"].isin([value, other])]
    wide = rows.pivot_table(
        index=list(STRATA), columns="value", values=["n_observed", "n_returned"], aggfunc="sum", fill_value=0
    )
    wide = wide.reindex(
        columns=pd.MultiIndex.from_product([["n_observed", "n_returned"], [value, other]]), fill_value=0
    )
    for side in (value, other):
        if wide["n_observed", side].sum() == 0:
            raise MetricError(f"Nobody has '{side}'.", to_try="another strategy, or a later as_of")
    columns = [("n_observed", value), ("n_returned", value), ("n_observed", other), ("n_returned", other)]
    return Sides(wide.index.to_frame(index=False), *(wide[column].to_numpy(dtype=float) for column in columns))


def raw_difference(two: Sides, *, conf_level: float = CONF_LEVEL) -> Difference:
    """Return the difference of all with the value and all without it, whoever they are; Newcombe's interval."""
    n, x, n_other, x_other = (int(of.sum()) for of in (two.n, two.x, two.n_other, two.x_other))
    ends = difference_of_shares(x, n, x_other, n_other, conf_level=conf_level)
    return Difference(x / n, x_other / n_other, *(float(end) for end in ends), n)


def exact_difference(two: Sides, *, conf_level: float = CONF_LEVEL) -> Difference:
    """Return the difference within strata, weighed as by Mantel and Haenszel (1959), n₁n₀ / (n₁ + n₀).

    The interval is Wald's on the weighted sum, with half a customer added to each side of a share, so that strata of a
    few are not taken as certain.

    Raises
    ------
    MetricError : no stratum has somebody on both sides.
    """
    if not two.both.any():
        raise MetricError(
            "Nobody who got it can be compared with anybody who did not.",
            found=f"{len(two.strata):,} strata, none with both",
            to_try="read the raw difference, and say that it is one",
        )
    n, x, n_other, x_other = (of[two.both] for of in (two.n, two.x, two.n_other, two.x_other))
    weight = n * n_other / (n + n_other)
    weight = weight / weight.sum()
    share, without = float((x / n * weight).sum()), float((x_other / n_other * weight).sum())
    soft, soft_other = (x + 0.5) / (n + 1), (x_other + 0.5) / (n_other + 1)
    variance = (weight**2 * (soft * (1 - soft) / n + soft_other * (1 - soft_other) / n_other)).sum()
    return _told(share, without, variance, int(n.sum()), conf_level=conf_level)


def propensity_difference(two: Sides, *, conf_level: float = CONF_LEVEL) -> Difference:
    """Return the difference of the two groups, each customer weighed by the chance of being on the other side.

    These weights make both groups the customers who might as well have been in either (Li, Morgan & Zaslavsky 2018,
    Journal of the American Statistical Association 113, 390-400); nobody counts without measure.
    """
    own, other = 1 - two.propensity, two.propensity
    n, n_other = (own * two.n).sum(), (other * two.n_other).sum()
    share, without = float((own * two.x).sum() / n), float((other * two.x_other).sum() / n_other)
    variance = (own**2 * (two.x * (1 - share) ** 2 + (two.n - two.x) * share**2)).sum() / n**2
    left_other = two.n_other - two.x_other
    variance += (other**2 * (two.x_other * (1 - without) ** 2 + left_other * without**2)).sum() / n_other**2
    return _told(share, without, variance, int(two.n.sum()), conf_level=conf_level)


def balance(two: Sides) -> pd.DataFrame:
    """Return how far the two groups differ in what makes customers alike, before and after.

    Told is the largest standardised mean difference of all values of a characteristic; below .1 is taken for alike
    (Austin 2009, Statistics in Medicine 28, 3083-3107).

    Returns
    -------
    One row per characteristic with more than one value: `characteristic`, `before`, `exact`, `propensity`; `exact` is
    NaN where no stratum has both.
    """
    n, n_other = np.where(two.both, two.n, 0), np.where(two.both, two.n_other, 0)
    weight = np.divide(n * n_other, n + n_other, out=np.zeros_like(n), where=two.both)
    weighed = {
        "before": (two.n, two.n_other),
        "exact": (weight, weight),
        "propensity": ((1 - two.propensity) * two.n, two.propensity * two.n_other),
    }
    rows = []
    for name in (column for column in two.strata if two.strata[column].nunique() > 1):
        _, which = np.unique(two.strata[name], return_inverse=True)
        before = [np.bincount(which, of) / of.sum() for of in weighed["before"]]
        spread = np.sqrt(sum(share * (1 - share) for share in before) / 2)
        row = {"characteristic": name}
        for how, (own, other) in weighed.items():
            if own.sum() == 0:
                row[how] = np.nan
                continue
            apart = np.bincount(which, own) / own.sum() - np.bincount(which, other) / other.sum()
            row[how] = float(np.abs(np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)).max())
        rows.append(row)
    return pd.DataFrame(rows, columns=["characteristic", *weighed])


def e_value(share: float, other: float) -> float:
    """Return how strongly something hidden would have to go with both, as a risk ratio, to make this difference alone.

    VanderWeele & Ding 2017, Annals of Internal Medicine 167, 268-274.

    >>> round(e_value(0.39, 0.1), 2)
    7.26
    """
    if not (0 < share < 1 and 0 < other < 1):
        return np.nan
    ratio = max(share / other, other / share)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def e_value_of_interval(found: Difference) -> float:
    """Return the E-value of the end of an interval that is nearer to no difference; 1 where it holds none already."""
    if found.lower <= 0 <= found.upper:
        return 1.0
    near = found.lower if found.difference > 0 else found.upper
    return e_value(found.share_other + near, found.share_other)


def _told(share: float, other: float, variance: float, n_used: int, *, conf_level: float) -> Difference:
    half = float(ndtri((1 + conf_level) / 2) * np.sqrt(variance))
    return Difference(share, other, share - other, share - other - half, share - other + half, n_used)


def _indicators(strata: pd.DataFrame, n: np.ndarray) -> np.ndarray:
    """Return a constant, and a column of 0 and 1 for each value but the commonest of what names the strata.

    Values of fewer than one customer in two hundred are one value together.
    """
    columns = [np.ones(len(strata))]
    for name in strata:
        _, which = np.unique(strata[name], return_inverse=True)
        share = np.bincount(which, n) / n.sum()
        rare = share < _RARE
        which = np.where(rare[which], len(share), which)
        values = np.unique(which)
        commonest = values[np.argmax(np.bincount(which, n)[values])]
        columns += [(which == value).astype(float) for value in values if value != commonest]
    return np.stack(columns, axis=1)


def _logistic(columns: np.ndarray, at: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.einsum("ki,i->k", columns, at)))
