"""Markets together: a market with few buyers borrows what it lacks from the others, and no more than that.

Empirical Bayes: the logarithms of the markets' parameters are taken as normal around a common mean (Efron & Morris
1975, JASA 70, 311-319). Mean and spread come from the markets that can be fitted alone, by EM; then each market is
fitted again with them as its prior.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from retention_kit.errors import MetricError
from retention_kit.models.fitting import Prior
from retention_kit.models.patterns import Patterns
from retention_kit.models.purchases import (
    DEFAULT_LAW,
    LEAST_REPEAT_BUYERS,
    WEEKS_PER_YEAR,
    PurchaseModel,
    fit_purchases,
)

LEAST_MARKETS = 3
"""Markets with a model of their own that it takes to say how much markets differ."""
_LEAST_SPREAD = 0.02
_N_STEPS = 200


@dataclass(frozen=True)
class MarketModel:
    """The purchase model of a market, and how much of it is the market's own.

    `effective_n`: so many customers of the market alone would tell as much of the repeat orders of a first year.
    `borrowed`: the share of that which comes from other markets. `note`: what to say of it, if anything.
    """

    model: PurchaseModel
    effective_n: float
    borrowed: float
    note: str = ""


def pooled_purchases(
    markets: Mapping[str, Patterns], *, names: Mapping[str, str], law: str = DEFAULT_LAW
) -> dict[str, MarketModel]:
    """Return the model of each market, those with few buyers drawn towards all.

    Parameters
    ----------
    markets : patterns by market.
    names : of the markets, as they are told.
    law : 'mbg_nbd', 'bg_nbd' or 'pareto_nbd'.

    Returns
    -------
    By market; markets without a model, because nobody came back and no others can help, are left out.

    Raises
    ------
    UsageError : no such law.
    """
    alone: dict[str, PurchaseModel] = {}
    for market, patterns in markets.items():
        try:
            alone[market] = fit_purchases(patterns, name=names[market], law=law)
        except MetricError:
            continue  # few buyers, or not determined by them: the others' turn
    if len(alone) < LEAST_MARKETS:
        return {market: MarketModel(model, model.n_customers, 0.0) for market, model in alone.items()}
    prior = _prior(list(alone.values()))
    found = {}
    for market, patterns in markets.items():
        try:
            model = fit_purchases(patterns, name=names[market], law=law, prior=prior)
        except MetricError:
            continue
        found[market] = _told(market, model, alone.get(market), list(alone.values()), patterns, names=names)
    return found


def refuse_without_model(
    market: str, models: Mapping[str, MarketModel], patterns: Patterns, *, name: str
) -> MarketModel:
    """Return the model of a market.

    Raises
    ------
    MetricError : it has none, with its number of repeat buyers.
    """
    if market in models:
        return models[market]
    buyers = int(patterns.n_repeat_buyers)
    raise MetricError(
        f"{name}: {buyers:,} repeat buyers, and no purchase model that they or other markets determine.",
        found=f"{len(models)} markets with a model; {LEAST_MARKETS} are needed to help another",
        to_try="wait, or take a longer history",
    )


def _told(
    market: str,
    model: PurchaseModel,
    own: PurchaseModel | None,
    others: list[PurchaseModel],
    patterns: Patterns,
    *,
    names: Mapping[str, str],
) -> MarketModel:
    def first_year(at: np.ndarray) -> np.ndarray:
        return np.log(model.law.expected(np.exp(at), np.array([WEEKS_PER_YEAR])))

    # of one customer: what the markets with a model of their own had to spare of each
    of_one = np.median([float(other.fit.delta_error(first_year)[0]) ** 2 * other.n_customers for other in others])
    if own is not None:
        of_one = float(own.fit.delta_error(first_year)[0]) ** 2 * own.n_customers
    variance = max(float(model.fit.delta_error(first_year)[0]) ** 2, 1e-12)
    effective = max(of_one / variance, patterns.n_customers)
    borrowed = 1 - patterns.n_customers / effective
    note = ""
    if own is None:
        buyers = int(patterns.n_repeat_buyers)
        why = "too few for" if buyers < LEAST_REPEAT_BUYERS else "who do not determine"
        note = (
            f"{names[market]}: {buyers:,} repeat buyers, {why} a model of its own; showing the model of all markets, "
            f"drawn to these buyers (effective n {effective:,.0f})."
        )
    return MarketModel(model, float(effective), float(borrowed), note)


def _prior(models: list[PurchaseModel]) -> Prior:
    """Return mean and precision of the log parameters over markets, by EM; each parameter spreads by itself."""
    found = np.stack([model.fit.log_parameters for model in models])
    errors = np.stack([model.fit.covariance for model in models])
    mean, spread = found.mean(axis=0), np.maximum(found.var(axis=0), _LEAST_SPREAD**2)
    for _ in range(_N_STEPS):
        known = [np.linalg.inv(error) for error in errors]
        posterior = [np.linalg.inv(precision + np.diag(1 / spread)) for precision in known]
        centres = np.stack(
            [
                after @ (precision @ value + mean / spread)
                for after, precision, value in zip(posterior, known, found, strict=True)
            ]
        )
        mean = centres.mean(axis=0)
        widths = np.stack([np.diag(after) for after in posterior])
        spread = np.maximum(((centres - mean) ** 2 + widths).mean(axis=0), _LEAST_SPREAD**2)
    return Prior(mean, np.diag(1 / spread))
