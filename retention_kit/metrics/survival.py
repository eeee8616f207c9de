"""Survival: how long customers stay, with those who are still here counted as still here (Kaplan & Meier 1958).

A life that has not ended at `as_of` is no short life: it leaves the number at risk without an event. Of a shop without
contracts a life is from the first order to the end of the activity window after the last one, so that nobody ends
within the window; `kind` says which it is.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtri

from retention_kit.errors import MetricError
from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL
from retention_kit.metrics.registry import metric

_KEYS = ["market", "kind"]
_LIFE = {"duration": "duration_days", "n_ended": "n_ended", "n_running": "n_running"}


def kaplan_meier(
    counts: pd.DataFrame, *, duration: str, n_ended: str, n_running: str, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return the survival curve of one group, with log-log Greenwood intervals (Kalbfleisch & Prentice 1980, 1.3).

    Who is censored at a duration is still at risk of the events at it.

    Parameters
    ----------
    counts : one row per duration, at least one.
    duration, n_ended, n_running : its columns: how long, how many ended then, how many were still running then.

    Returns
    -------
    One row per duration: `duration`, `n_at_risk`, `n_ended`, `n_running`, `hazard` (ended / at risk), `survival`,
    `lower`, `upper`. At a survival of 1 the interval is that point; at 0 it reaches to the upper end before.

    Raises
    ------
    MetricError : a duration or a count is negative, or nobody is there.
    """
    sums = counts.groupby(duration)[[n_ended, n_running]].sum().sort_index()
    sums = sums[(sums != 0).any(axis=1)]
    if sums.empty or (sums < 0).any(axis=None) or sums.index[0] < 0:
        raise MetricError(
            "A survival curve is of counts from 0 and durations from 0, of at least one customer.",
            found=f"{len(sums)} durations with somebody",
        )
    ended, leaving = sums[n_ended].to_numpy(float), sums.sum(axis=1).to_numpy(float)
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - ended / at_risk)
    lower, upper = _log_log(survival, _greenwood(ended, at_risk), conf_level=conf_level)
    return pd.DataFrame(
        {
            "duration": sums.index.to_numpy(),
            "n_at_risk": at_risk.astype("int64"),
            "n_ended": ended.astype("int64"),
            "n_running": sums[n_running].to_numpy("int64"),
            "hazard": ended / at_risk,
            "survival": survival,
            "lower": lower,
            "upper": upper,
        }
    )


def _greenwood(ended: np.ndarray, at_risk: np.ndarray) -> np.ndarray:
    """Return Greenwood's sum Σ d / (n (n − d)) up to each duration (Greenwood 1926); infinite where all have ended."""
    with np.errstate(divide="ignore"):
        return np.cumsum(np.where(ended > 0, ended / (at_risk * (at_risk - ended)), 0.0))


def _log_log(survival: np.ndarray, greenwood: np.ndarray, *, conf_level: float) -> tuple[np.ndarray, np.ndarray]:
    z = ndtri((1 + conf_level) / 2)
    inside = (survival > 0) & (survival < 1)
    log = np.log(np.where(inside, survival, 0.5))
    width = z * np.sqrt(np.where(inside, greenwood, 0.0)) / -log
    lower = np.where(inside, np.exp(log * np.exp(width)), survival)
    upper = np.where(inside, np.exp(log * np.exp(-width)), survival)
    gone = survival == 0
    if gone.any():
        upper[gone] = upper[~gone][-1] if (~gone).any() else 1.0
    return lower, upper


def survival_at(curve: pd.DataFrame, durations: Sequence[float], *, column: str = "survival") -> np.ndarray:
    """Return the value of a step curve at durations: 1 before the first event (0 of a hazard is not meant)."""
    at = np.searchsorted(curve["duration"].to_numpy(), np.asarray(durations), side="right") - 1
    return np.where(at < 0, 1.0, curve[column].to_numpy()[np.maximum(at, 0)])


@metric(
    unit="share of customers",
    range=(0, 1),
    source="Kaplan & Meier 1958; log-log Greenwood intervals",
    label=N_("Still customers"),
)
def survival(lifetime_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of customers who stay longer than each duration, those still here counted as such; it never rises.

    Parameters
    ----------
    lifetime_counts : (n_durations, 5), from `counts.lifetime_counts`.

    Returns
    -------
    One row per market, kind and duration_days: `n_at_risk`, `n_ended`, `n_running`, `survival`, `lower`, `upper`.
    """
    curves = [
        kaplan_meier(rows, **_LIFE, conf_level=conf_level)
        .rename(columns={"duration": "duration_days"})
        .assign(**dict(zip(_KEYS, key, strict=True)))
        for key, rows in lifetime_counts.groupby(_KEYS)
    ]
    columns = [*_KEYS, "duration_days", "n_at_risk", "n_ended", "n_running", "survival", "lower", "upper"]
    return pd.concat(curves, ignore_index=True)[columns] if curves else pd.DataFrame(columns=columns)


@metric(
    unit="share of those still here per day",
    range=(0, 1),
    source="by definition: ended on the day / at risk of it",
    label=N_("Leaving, per day"),
)
def hazard(lifetime_counts: pd.DataFrame, *, each_days: int = 30) -> pd.DataFrame:
    """Share of those still here who leave, per day, over each stretch of days: when leaving is most likely.

    Parameters
    ----------
    lifetime_counts : (n_durations, 5), from `counts.lifetime_counts`.
    each_days : length of a stretch.

    Returns
    -------
    One row per market, kind and `first_day` of a stretch: `n_ended`, `n_days` at risk, summed over customers,
    `hazard`, NaN where nobody was at risk.
    """
    rows = []
    for key, lives in lifetime_counts.groupby(_KEYS):
        days = lives["duration_days"].to_numpy()
        n = (lives["n_ended"] + lives["n_running"]).to_numpy()
        for first in range(0, int(days.max()) + 1, each_days):
            within = (days >= first) & (days < first + each_days)
            at_risk = int((np.clip(days - first, 0, each_days) * n).sum())
            ended = int(lives["n_ended"].to_numpy()[within].sum())
            rows.append((*key, first, ended, at_risk, min(ended / at_risk, 1.0) if at_risk else np.nan))
    return pd.DataFrame(rows, columns=[*_KEYS, "first_day", "n_ended", "n_days", "hazard"])


@metric(
    unit="days",
    range=(0, None),
    source="Brookmeyer & Crowley 1982: first duration with survival at most 1/2",
    label=N_("Median lifetime"),
)
def median_lifetime(lifetime_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Shortest duration after which at most half of the customers are still here; NaN while more than half are.

    Parameters
    ----------
    lifetime_counts : (n_durations, 5), from `counts.lifetime_counts`.

    Returns
    -------
    One row per market and kind: `n`, `median_lifetime`, and `from_days`, `to_days`, where the interval of the curve
    passes one half: NaN where it does not yet.
    """
    rows = []
    for key, lives in lifetime_counts.groupby(_KEYS):
        curve = kaplan_meier(lives, **_LIFE, conf_level=conf_level)
        ends = [survival_quantile(curve, 0.5, column=column) for column in ("survival", "lower", "upper")]
        rows.append((*key, int(curve["n_at_risk"].iloc[0]), *ends))
    return pd.DataFrame(rows, columns=[*_KEYS, "n", "median_lifetime", "from_days", "to_days"])


def survival_quantile(curve: pd.DataFrame, share: float, *, column: str = "survival") -> float:
    """Return the shortest duration at which a survival curve is at most `share`; NaN where it stays above it."""
    passed = curve.loc[curve[column] <= share + 1e-12, "duration"]
    return float(passed.iloc[0]) if len(passed) else float("nan")


@metric(
    unit="days",
    range=(0, None),
    source="area under the survival curve; Greenwood's variance (Klein & Moeschberger 4.5)",
    label=N_("Mean lifetime, restricted"),
)
def restricted_mean_lifetime(
    lifetime_counts: pd.DataFrame, *, within_days: int = 365, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Mean number of days that a customer stays within the first so many days: no guess about what comes later.

    Parameters
    ----------
    lifetime_counts : (n_durations, 5), from `counts.lifetime_counts`.
    within_days : where the mean is cut off; no life counts for more.

    Returns
    -------
    One row per market and kind: `n`, `within_days`, `restricted_mean_lifetime`, `from_days`, `to_days`, normal; NaN
    where nobody was observed that long.
    """
    rows = []
    for key, lives in lifetime_counts.groupby(_KEYS):
        curve = kaplan_meier(lives, **_LIFE)
        mean, error = restricted_mean(curve, within_days)
        half = ndtri((1 + conf_level) / 2) * error
        rows.append((*key, int(curve["n_at_risk"].iloc[0]), within_days, mean, mean - half, mean + half))
    columns = ["n", "within_days", "restricted_mean_lifetime", "from_days", "to_days"]
    return pd.DataFrame(rows, columns=[*_KEYS, *columns])


def restricted_mean(curve: pd.DataFrame, tau: float) -> tuple[float, float]:
    """Return the area under a survival curve up to tau, and its standard error; NaN where it does not reach so far."""
    last = curve.iloc[-1]
    if last["duration"] < tau and last["survival"] > 0:
        return float("nan"), float("nan")
    times = np.concatenate([[0.0], curve["duration"].to_numpy(float).clip(max=tau), [tau]])
    areas = np.diff(times) * np.concatenate([[1.0], curve["survival"].to_numpy()])
    rest = areas[::-1].cumsum()[::-1][1:]  # the area from each event to tau
    ended, at_risk = curve["n_ended"].to_numpy(float), curve["n_at_risk"].to_numpy(float)
    inside = (ended > 0) & (at_risk > ended) & (curve["duration"].to_numpy() <= tau)
    variance = (rest[inside] ** 2 * ended[inside] / (at_risk[inside] * (at_risk[inside] - ended[inside]))).sum()
    return float(areas.sum()), float(np.sqrt(variance))


def log_rank(
    counts: pd.DataFrame, *, group: str, duration: str, n_ended: str, n_running: str
) -> tuple[float, int, float]:
    """Return the log-rank χ² for equal survival of groups, its degrees of freedom and p (Mantel 1966).

    Parameters
    ----------
    counts : rows of each group and duration.
    group, duration, n_ended, n_running : its columns.

    Raises
    ------
    MetricError : fewer than two groups.
    """
    groups = sorted(counts[group].unique())
    if len(groups) < 2:
        raise MetricError("Survival is compared between groups.", found=f"{len(groups)} group")
    ended = counts.pivot_table(index=duration, columns=group, values=n_ended, aggfunc="sum", fill_value=0)[groups]
    running = counts.pivot_table(index=duration, columns=group, values=n_running, aggfunc="sum", fill_value=0)[groups]
    at_risk = (ended + running)[::-1].cumsum()[::-1].to_numpy(float)
    d, n = ended.to_numpy(float), at_risk
    total_d, total_n = d.sum(axis=1), n.sum(axis=1)
    share = n / total_n[:, None]
    difference = (d - total_d[:, None] * share).sum(axis=0)[:-1]
    spread = np.where(total_n > 1, total_d * (total_n - total_d) / np.maximum(total_n - 1, 1), 0.0)
    covariance = np.einsum("t,ti,ij->ij", spread, share, np.eye(len(groups))) - np.einsum(
        "t,ti,tj->ij", spread, share, share
    )
    statistic = float(difference @ np.linalg.pinv(covariance[:-1, :-1]) @ difference)
    return statistic, len(groups) - 1, float(chdtrc(len(groups) - 1, max(statistic, 0.0)))
