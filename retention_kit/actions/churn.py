"""Who is leaving: the chance of no order within a horizon, and how far it could be believed when it was tried.

The chance is that of Pareto/NBD or MBG/NBD, which can doubt a customer who ordered once; BG/NBD cannot, and alerts
nobody here. Pareto/NBD is the watch's own: tried on CDNOW and on the sample, it told better who would leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.errors import MetricError, UsageError
from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, wilson
from retention_kit.models import Forecasts, Patterns, PurchaseModel, patterns
from retention_kit.models.backtest import back_tested_models
from retention_kit.models.laws import Law

LAW = "pareto_nbd"
"""The law of the watch."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_TENTHS = np.linspace(0, 1, 11)
_DAYS_PER_WEEK = 7


def lapse_probability(model: PurchaseModel, known: Patterns, *, weeks: float) -> np.ndarray:
    """Return the chance that a customer of each pattern orders on no day of the next weeks, (n_patterns,).

    Raises
    ------
    UsageError : a model of a law that cannot doubt a customer who ordered once.
    """
    return lapse_and_orders(model.law, model.parameters, known, weeks=weeks)[0]


def lapse_and_orders(
    law: Law, parameters: np.ndarray, known: Patterns, *, weeks: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return, by a law with any parameters, the chance of no order in the next weeks, and the expected orders if here.

    He has left, or he is here and does not order; of those who are here, the rate of ordering is Gamma(r + x, α + T).
    By MBG/NBD leaving comes only after an order (Batislam, Denizel & Filiztekin 2007, IJRM 24, 201-209). By Pareto/NBD
    it may come before one, at a rate that is Gamma(s, β + T): he orders first at u with the density
    (r + x) (α + T)^(r + x) / (α + T + u)^(r + x + 1) × ((β + T) / (β + T + u))^s, which is summed by Gauss and Legendre
    (Schmittlein, Morrison & Colombo 1987, Management Science 33, 1-24).

    Both (n_patterns,); the second is of a customer who does not leave.

    Raises
    ------
    UsageError : another law.
    """
    r, alpha, *leaving = parameters
    shape, scale = r + known.x, alpha + known.T
    if law.id == "mbg_nbd":
        orders = -np.expm1(-shape * np.log1p(weeks / scale))
    elif law.id == "pareto_nbd":
        s, beta = leaving
        orders = np.zeros_like(scale)
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            u = (node + 1) / 2 * weeks
            still = shape * np.log1p(u / scale) + s * np.log1p(u / (beta + known.T))
            orders += weight / 2 * weeks * shape / (scale + u) * np.exp(-still)
    else:
        raise UsageError(
            f"Nobody is alerted because {law.name} says so.",
            found=f"a model of {law.name}",
            to_try="law='pareto_nbd' or 'mbg_nbd', which can doubt a customer who ordered once",
        )
    return 1 - law.alive(parameters, known) * orders, shape / scale * weeks


def lapse_predictions(rfm_counts: pd.DataFrame, forecasts: Forecasts, *, horizon_days: int) -> pd.DataFrame:
    """Return the risk of every pattern of the markets that have a model.

    Parameters
    ----------
    rfm_counts : of any number of markets, from `counts.rfm_counts`.
    forecasts : from `models.purchase_forecasts`, by Pareto/NBD or MBG/NBD.
    horizon_days : of the chance of no order.

    Returns
    -------
    One row per pattern: `market`, `frequency`, `recency`, `age`, `n_customers`; `lapse`; `orders_if_here`, expected
    order days within the horizon of a customer who does not leave.
    """
    found = []
    for market, forecast in forecasts.by_market.items():
        rows = rfm_counts[(rfm_counts["market"] == market) & (rfm_counts["n_customers"] > 0)]
        if forecast.market_model is None or rows.empty:
            continue
        model, known = (
            forecast.market_model.model,
            forecast.seasons.adjusted(patterns(rows), as_of_day=forecast.as_of_day),
        )
        weeks = forecast.seasons.weeks(forecast.as_of_day, horizon_days / _DAYS_PER_WEEK)
        lapse, orders = lapse_and_orders(model.law, model.parameters, known, weeks=weeks)
        keys = ["market", "frequency", "recency", "age", "n_customers"]
        found.append(rows[keys].assign(lapse=lapse, orders_if_here=orders))
    if not found:
        raise MetricError("No market has a model of purchases.", to_try="a later as_of, or a market with more orders")
    return pd.concat(found, ignore_index=True)


@dataclass(frozen=True)
class RiskValidation:
    """What became of a risk that was told before the hold-out, beside the longest silence.

    `auc`: the chance that one who lapsed had the higher risk than one who did not; `brier`: mean squared error of the
    risk; `slope`, `intercept`: of the log odds of lapsing on those of the risk (Cox 1958), 1 and 0 where it can be
    taken at its word. `silence_auc`: of the weeks since the last order; `silence_brier`: of the share that lapsed after
    as many weeks, of the same customers: as good as silence alone can be, told the answer beforehand. `precision`,
    `silence_precision`: of the tenth with the highest risk, or the longest silence, the share that lapsed.
    `calibration`: one row per tenth of risk, `from_risk`, `n`, `predicted`, `n_lapsed`, `lapsed`, `lower`, `upper`.
    """

    n_customers: int
    lapsed: float
    auc: float
    brier: float
    slope: float
    intercept: float
    precision: float
    silence_auc: float
    silence_brier: float
    silence_precision: float
    calibration: pd.DataFrame


def risk_then(holdout_counts: pd.DataFrame, forecasts: Forecasts, *, holdout_weeks: int) -> pd.DataFrame:
    """Return the patterns of before the hold-out with what would have been told then: `lapse`, `orders_if_here`.

    The law is that of the forecasts. Markets without a model then are left out.

    Parameters
    ----------
    holdout_counts : of all markets, from `counts.holdout_counts`.
    forecasts : from `models.purchase_forecasts`; their seasons of before the hold-out are used.
    """
    known = holdout_counts[holdout_counts["n_customers"] > 0]
    rows = {m: known[known["market"] == m] for m in forecasts.by_market}
    rows = {m: own.reset_index(drop=True) for m, own in rows.items() if len(own)}
    split = {m: forecasts.of(m).as_of_day - _DAYS_PER_WEEK * holdout_weeks for m in rows}
    before = {m: forecasts.of(m).seasons_before for m in rows}
    names = {m: forecasts.of(m).market.name for m in rows}
    law = next((forecasts.of(m).law for m in rows), LAW)
    models = back_tested_models(rows, names=names, split_days=split, seasons=before, law=law)
    found = [known.iloc[:0].assign(lapse=0.0, orders_if_here=0.0)]
    for market, fitted in models.items():
        own = before[market].adjusted(patterns(rows[market]), as_of_day=split[market])
        weeks = before[market].weeks(split[market], holdout_weeks)
        lapse, orders = lapse_and_orders(fitted.model.law, fitted.model.parameters, own, weeks=weeks)
        found.append(rows[market].assign(lapse=lapse, orders_if_here=orders))
    return pd.concat(found, ignore_index=True)


def risk_validation(
    told: pd.DataFrame, *, window_days: int | None = None, conf_level: float = CONF_LEVEL
) -> RiskValidation:
    """Return how far a risk could be believed, of customers with patterns from `risk_then`.

    Parameters
    ----------
    told : `recency`, `age`, `unit_days`, `n_customers`, `n_active`, `lapse`; of any number of markets.
    window_days : only customers with an order in so many days before the hold-out, those a watch is kept over.

    Raises
    ------
    MetricError : nobody lapsed, or nobody stayed.
    """
    silence = (told["age"] - told["recency"]).to_numpy()
    if window_days is not None:
        kept = silence * told["unit_days"].to_numpy() < window_days
        told, silence = told[kept], silence[kept]
    n = told["n_customers"].to_numpy(dtype=float)
    x = n - told["n_active"].to_numpy(dtype=float)
    if x.sum() == 0 or x.sum() == n.sum():
        raise MetricError(
            "A risk cannot be judged where all did the same.",
            found=f"{int(x.sum()):,} of {int(n.sum()):,} lapsed",
            to_try="a longer hold-out, or another horizon",
        )
    risk = np.clip(told["lapse"].to_numpy(dtype=float), 1e-6, 1 - 1e-6)
    by_silence = pd.DataFrame({"silence": silence, "n": n, "x": x}).groupby("silence").transform("sum")
    of_silence = (by_silence["x"] / by_silence["n"]).to_numpy()
    intercept, slope = _logistic(np.log(risk) - np.log1p(-risk), n, x)
    return RiskValidation(
        n_customers=int(n.sum()),
        lapsed=float(x.sum() / n.sum()),
        auc=_auc(risk, n, x),
        brier=_brier(risk, n, x),
        slope=slope,
        intercept=intercept,
        precision=_precision(risk, n, x),
        silence_auc=_auc(silence, n, x),
        silence_brier=_brier(of_silence, n, x),
        silence_precision=_precision(silence, n, x),
        calibration=_calibration(risk, n, x, conf_level=conf_level),
    )


@dataclass(frozen=True)
class PastList:
    """What became of those whom the list of some weeks ago would have named: the share that lapsed, with its interval.

    `silence`: of as many who had been silent longest; `everybody`: of all who were watched.
    """

    n_listed: int
    lapsed: float
    lower: float
    upper: float
    silence: float
    n_watched: int
    everybody: float


def past_list(past_list_counts: pd.DataFrame, *, min_cell: int, conf_level: float = CONF_LEVEL) -> PastList | None:
    """Return how precise the list of some weeks ago was; None where it would have named too few to be told.

    Parameters
    ----------
    past_list_counts : of one market, from `counts.past_list_counts`.
    """
    by = past_list_counts.groupby("rule")[["n_customers", "n_lapsed"]].sum()
    by = by.reindex(["list", "silence", "all"], fill_value=0)
    (n, x), (n_silent, x_silent), (n_all, x_all) = (tuple(int(v) for v in row) for row in by.to_numpy())
    if n < max(min_cell, 1) or 0 < n_all - n < min_cell:
        return None
    lower, upper = wilson(x, n, conf_level=conf_level)
    return PastList(n, x / n, float(lower), float(upper), x_silent / n_silent, n_all, x_all / n_all)


def at_risk(watch_counts: pd.DataFrame, *, reasons: Mapping[str, str], minor_per_unit: int) -> pd.DataFrame:
    """Return how many customers of a market each reason holds for, with their mean risk and what is at stake.

    Parameters
    ----------
    watch_counts : of one market, from `counts.watch_counts`.
    reasons : words by column.

    Returns
    -------
    One row for all, and one per reason, most customers first: `reason`, `n_customers`, `risk`, `value`.
    """
    rows = [(N_("all who are watched"), watch_counts)]
    rows += [(words, watch_counts[watch_counts[column] == 1]) for column, words in reasons.items()]
    found = []
    for words, own in rows:
        n = own["n_customers"].sum()
        risk = own["lapse"].sum() / n / 1e6 if n else np.nan
        found.append((words, n, risk, own["value_minor"].sum() / minor_per_unit))
    table = pd.DataFrame(found, columns=["reason", "n_customers", "risk", "value"])
    return pd.concat([table.iloc[:1], table.iloc[1:].sort_values("n_customers", ascending=False)], ignore_index=True)


def _auc(score: np.ndarray, n: np.ndarray, x: np.ndarray) -> float:
    """Return the chance that one of x has the higher score than one of n − x; a tie is half."""
    _, which = np.unique(score, return_inverse=True)
    lapsed, stayed = np.bincount(which, x), np.bincount(which, n - x)
    below = np.cumsum(stayed) - stayed / 2
    return float((below * lapsed).sum() / (lapsed.sum() * stayed.sum()))


def _brier(risk: np.ndarray, n: np.ndarray, x: np.ndarray) -> float:
    return float((x * (1 - risk) ** 2 + (n - x) * risk**2).sum() / n.sum())


def _precision(score: np.ndarray, n: np.ndarray, x: np.ndarray) -> float:
    """Return the share that lapsed of the tenth with the highest score; ties are taken in their own share."""
    sums = pd.DataFrame({"score": score, "n": n, "x": x}).groupby("score").sum().iloc[::-1]
    before = sums["n"].cumsum() - sums["n"]
    taken = np.clip((n.sum() / 10 - before) / sums["n"], 0, 1)
    return float((taken * sums["x"]).sum() / (taken * sums["n"]).sum())


def _logistic(odds: np.ndarray, n: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Return intercept and slope of the log odds of x in n on `odds`, by maximum likelihood (Newton's steps)."""
    at, columns = np.array([0.0, 1.0]), np.stack([np.ones_like(odds), odds])
    for _ in range(50):
        share = 1 / (1 + np.exp(-np.einsum("k,ki->i", at, columns)))
        slope = np.einsum("ki,i->k", columns, x - n * share)
        curve = np.einsum("ki,li,i->kl", columns, columns, n * share * (1 - share))
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        at = at + step
        if np.abs(step).max() < 1e-10:
            break
    return float(at[0]), float(at[1])


def _calibration(risk: np.ndarray, n: np.ndarray, x: np.ndarray, *, conf_level: float) -> pd.DataFrame:
    tenth = np.minimum((risk * 10).astype(int), 9)
    rows = pd.DataFrame({"tenth": tenth, "n": n, "told": n * risk, "n_lapsed": x}).groupby("tenth").sum().reset_index()
    lower, upper = wilson(rows["n_lapsed"], rows["n"], conf_level=conf_level)
    return pd.DataFrame(
        {
            "from_risk": _TENTHS[rows["tenth"]],
            "n": rows["n"].astype(int),
            "predicted": rows["told"] / rows["n"],
            "n_lapsed": rows["n_lapsed"].astype(int),
            "lapsed": rows["n_lapsed"] / rows["n"],
            "lower": lower,
            "upper": upper,
        }
    )
