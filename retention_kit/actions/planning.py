"""How many customers a test needs, what effect it could see, and how many weeks of newcomers that is."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError
from retention_kit.periods import first_date

ALPHA = 0.05
POWER = 0.8


def size_for_effect(share: float, other: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Return how many customers each arm needs to tell one share from another, two-sided (Fleiss 1981, eq. 3.14).

    Raises
    ------
    MetricError : a share that is not between 0 and 1, or twice the same; alpha or power not between 0 and 1.

    >>> size_for_effect(0.15, 0.17), size_for_effect(0.15, 0.16)
    (5274, 20559)
    """
    _refuse_no_share(share, other, alpha, power)
    if share == other:
        raise MetricError(
            "No number of customers tells a share from itself.",
            found=f"{share:g} twice",
            to_try="an effect to look for",
        )
    return ceil(_exact_size(share, other, alpha=alpha, power=power))


def effect_for_size(share: float, n: int, *, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the smallest rise of a share that so many customers in each arm would tell; None where none would do.

    Raises
    ------
    MetricError : a share that is not between 0 and 1, or fewer than two customers.

    >>> round(effect_for_size(0.15, 5274), 4)
    0.02
    """
    from scipy.optimize import brentq

    _refuse_no_share(share, alpha, power)
    if n < 2:
        raise MetricError("An arm has at least two customers.", found=f"{n}", to_try="a larger arm")
    highest = 1 - 1e-9

    def too_many(other: float) -> float:
        return _exact_size(share, other, alpha=alpha, power=power) - n

    if too_many(highest) > 0:
        return None
    return float(brentq(too_many, share + 1e-9, highest) - share)


def plan(
    share: float,
    *,
    newcomers_per_week: float,
    horizon_days: int,
    effects=(0.01, 0.02, 0.03, 0.05),
    alpha: float = ALPHA,
    power: float = POWER,
) -> pd.DataFrame:
    """Return what a test of this share would take for each rise, with every newcomer of the market in it.

    Parameters
    ----------
    share : of customers without the treatment.
    newcomers_per_week : customers who can be assigned in a week.
    horizon_days : days each of them has to be watched.
    effects : rises of the share, above 0; those that would take it past 1 are left out.

    Returns
    -------
    One row per effect: `effect`, `share`, `n_per_arm`, `weeks` to fill both arms, `weeks_to_answer`, the horizon added;
    no weeks without newcomers, and no row where the share is not known.
    """
    _refuse_no_share(alpha, power)
    rows = []
    for effect in effects:
        if not 0 < share < share + effect < 1:
            continue
        n = size_for_effect(share, share + effect, alpha=alpha, power=power)
        weeks = 2 * n / newcomers_per_week if newcomers_per_week > 0 else np.nan
        rows.append((effect, share + effect, n, weeks, weeks + horizon_days / 7))
    return pd.DataFrame(rows, columns=["effect", "share", "n_per_arm", "weeks", "weeks_to_answer"])


def _exact_size(share: float, other: float, *, alpha: float, power: float) -> float:
    middle = (share + other) / 2
    by_chance = ndtri(1 - alpha / 2) * np.sqrt(2 * middle * (1 - middle))
    by_effect = ndtri(power) * np.sqrt(share * (1 - share) + other * (1 - other))
    return float(((by_chance + by_effect) / (other - share)) ** 2)


def _refuse_no_share(*shares: float) -> None:
    for share in shares:
        if not 0 < share < 1:
            raise MetricError("A share lies between 0 and 1.", found=f"{share:g}", to_try="0.15 for 15 %")


@dataclass(frozen=True)
class Baseline:
    """What a plan starts from: the share of newcomers who come back by themselves, and how many come in a week."""

    share: float
    n_observed: int
    newcomers_per_week: float


def baseline(cut_counts: pd.DataFrame, activity_counts: pd.DataFrame, *, horizon_days: int) -> Baseline:
    """Return what a test of a market's newcomers starts from.

    Parameters
    ----------
    cut_counts : of one market, from `counts.cut_counts`; or of several, which are added up.
    activity_counts : of the same, from `counts.activity_counts`, with the grain 'quarter'.
    horizon_days : one of the counted horizons.

    Returns
    -------
    `share` is NaN where nobody was observed that long or no quarter is over.
    """
    rows = cut_counts.query("cut == 'everybody' and horizon_days == @horizon_days")
    observed, returned = rows["n_observed"].sum(), rows["n_returned"].sum()
    quarters = activity_counts.query("grain == 'quarter' and rule == 'period' and complete == 1").sort_values("period")
    if observed == 0 or quarters.empty:
        return Baseline(np.nan, int(observed), 0.0)
    last = int(quarters["period"].iloc[-1])
    days = (first_date(last + 1, grain="quarter") - first_date(last, grain="quarter")).days
    newcomers = quarters.loc[quarters["period"] == last, "n_new"].sum()
    return Baseline(float(returned / observed), int(observed), float(newcomers / days * 7))
