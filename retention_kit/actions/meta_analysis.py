"""Markets together: differences pooled by random effects, and how much the markets differ among themselves."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtr, ndtri

from retention_kit.errors import MetricError
from retention_kit.metrics.intervals import CONF_LEVEL


@dataclass(frozen=True)
class Pooled:
    """A difference pooled over markets (DerSimonian & Laird 1986, Controlled Clinical Trials 7, 177-188).

    `spread` is tau, the standard deviation of the markets' true differences; `inconsistency` is I², the share of what
    the differences vary by that chance does not explain (Higgins & Thompson 2002); `q_p` is the p of Cochran's Q: small
    where the markets differ by more than chance.
    """

    n_markets: int
    difference: float
    lower: float
    upper: float
    p: float
    spread: float
    inconsistency: float
    q_p: float


def pooled_difference(by_market: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> Pooled:
    """Return the markets' differences of shares together, each with its own true difference.

    Parameters
    ----------
    by_market : one row per market: `n_treatment`, `n_control`, `share_treatment`, `share_control`.

    Raises
    ------
    MetricError : fewer than two markets, or a market without customers in an arm.
    """
    if len(by_market) < 2:
        raise MetricError("Pooling takes at least two markets.", found=f"{len(by_market)}")
    n1, n0 = (by_market[name].to_numpy(dtype=float) for name in ("n_treatment", "n_control"))
    if (n1 <= 0).any() or (n0 <= 0).any():
        raise MetricError("A market has nobody in an arm.", to_try="leave it out")
    p1, p0 = (by_market[name].to_numpy(dtype=float) for name in ("share_treatment", "share_control"))
    # half a customer more in each cell: a share of 0 or 1 is not known without error (Agresti & Caffo 2000)
    soft1, soft0 = (p1 * n1 + 0.5) / (n1 + 1), (p0 * n0 + 0.5) / (n0 + 1)
    variance = soft1 * (1 - soft1) / n1 + soft0 * (1 - soft0) / n0
    return pooled(p1 - p0, variance, conf_level=conf_level)


def pooled(difference: np.ndarray, variance: np.ndarray, *, conf_level: float = CONF_LEVEL) -> Pooled:
    """Return differences with known variances together, (n_markets,) each.

    >>> both = pooled(np.array([0.1, 0.3]), np.array([0.01, 0.01]))
    >>> round(both.difference, 3), round(both.spread, 3), round(both.inconsistency, 3)
    (0.2, 0.1, 0.5)
    """
    weight = 1 / variance
    fixed = (weight * difference).sum() / weight.sum()
    q = (weight * (difference - fixed) ** 2).sum()
    free = len(difference) - 1
    tau_squared = max(0.0, (q - free) / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + tau_squared)
    found = (weight * difference).sum() / weight.sum()
    error = 1 / np.sqrt(weight.sum())
    half = ndtri((1 + conf_level) / 2) * error
    return Pooled(
        n_markets=len(difference),
        difference=float(found),
        lower=float(found - half),
        upper=float(found + half),
        p=float(2 * ndtr(-abs(found) / error)),
        spread=float(np.sqrt(tau_squared)),
        inconsistency=float(max(0.0, (q - free) / q)) if q > 0 else 0.0,
        q_p=float(chdtrc(free, q)),
    )
