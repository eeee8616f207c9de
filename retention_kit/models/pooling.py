"""Markets together: a market with few buyers borrows what it lacks from the others, and no more than that.

Empirical Bayes: the logarithms of the markets' parameters are taken as normal around a common mean (Efron & Morris
1975, JASA 70, 311-319). Mean and spread come from the markets that can be fitted alone, by EM; then each market is
fitted again with them as its prior.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from retention_kit.errors import MetricError
from retention_kit.messages import N_, Message, Number
from retention_kit.models.fitting import Prior
from retention_kit.models.patterns import Patterns, told
from retention_kit.models.purchases import (
    DEFAULT_LAW,
    LEAST_REPEAT_BUYERS,
    WEEKS_PER_YEAR,
    PurchaseModel,
    fit_purchases,
    weak_prior,
)

LEAST_MARKETS = 3
"""Markets with a model of their own that it takes to say how much markets differ."""
COMMON_SPREAD = 0.5
"""Spread of log parameters over markets where fewer than three tell it: within a factor of 2.7, with 95 %."""
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
        model = _fitted(patterns, name=names[market], law=law, prior=None)
        if model is not None:
            alone[market] = model
    if len(alone) >= LEAST_MARKETS:
        prior, known = _prior(list(alone.values())), list(alone.values())
    else:
        prior, known = _common_prior(markets, law=law)
    found = {}
    for market, patterns in markets.items():
        if prior is None or (len(alone) < LEAST_MARKETS and market in alone):
            if market in alone:
                found[market] = MarketModel(alone[market], alone[market].n_customers, 0.0)
            elif patterns.n_repeat_buyers >= LEAST_REPEAT_BUYERS:
                found |= _held(market, patterns, names=names, law=law)
            continue
        model = _fitted(patterns, name=names[market], law=law, prior=prior)
        if model is not None:
            found[market] = _told(market, model, alone.get(market), known, patterns, names=names)
    return found


def _fitted(patterns: Patterns, *, name: str, law: str, prior: Prior | None) -> PurchaseModel | None:
    try:
        return fit_purchases(patterns, name=name, law=law, prior=prior)
    except MetricError:  # few buyers, or not determined by them
        return None


def _held(market: str, patterns: Patterns, *, names: Mapping[str, str], law: str) -> dict[str, MarketModel]:
    """Return the model of a market that has buyers enough, who do not tell how they leave; none where it has none."""
    model = _fitted(patterns, name=names[market], law=law, prior=weak_prior(patterns, law=law))
    if model is None:
        return {}
    note = Message(
        "{market}: these customers do not tell how they leave; each parameter is held within a factor of about 19 of a "
        "usual one.",
        market=names[market],
    )
    return {market: MarketModel(model, model.n_customers, 0.0, note)}


def _common_prior(markets: Mapping[str, Patterns], *, law: str) -> tuple[Prior | None, list[PurchaseModel]]:
    """Return the model of all customers together, as a prior too, where few markets say how much they differ.

    They are then taken to differ as `COMMON_SPREAD` says. None for one market, or where all together have few buyers.
    """
    if len(markets) < 2:
        return None, []
    columns = [[getattr(patterns, part) for patterns in markets.values()] for part in ("x", "t_x", "T", "n")]
    together = Patterns(*(np.concatenate(column) for column in columns))
    if together.n_repeat_buyers < LEAST_REPEAT_BUYERS:
        return None, []
    priors = (None, weak_prior(together, law=law))
    fitted = (_fitted(together, name="all markets", law=law, prior=prior) for prior in priors)
    model = next((model for model in fitted if model is not None), None)
    if model is None:
        return None, []
    at = model.fit.log_parameters
    return Prior(at, np.eye(len(at)) / COMMON_SPREAD**2), [model]


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
        Message(
            "{market}: {buyers} repeat buyers, and no purchase model that they or other markets determine.",
            market=name,
            buyers=told(buyers),
        ),
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

    # what one customer tells: of the market itself, else of the markets that the prior comes from
    known = [own] if own is not None else others
    of_one = np.median([float(one.fit.delta_error(first_year)[0]) ** 2 * one.n_customers for one in known])
    variance = max(float(model.fit.delta_error(first_year)[0]) ** 2, 1e-12)
    effective = max(of_one / variance, patterns.n_customers)
    borrowed = 1 - patterns.n_customers / effective
    note = ""
    if own is None:
        buyers = int(patterns.n_repeat_buyers)
        few = N_(
            "{market}: {buyers} repeat buyers, too few for a model of its own; showing the model of all markets, drawn "
            "to these buyers (effective n {effective})."
        )
        unsure = N_(
            "{market}: {buyers} repeat buyers, who do not determine a model of its own; showing the model of all "
            "markets, drawn to these buyers (effective n {effective})."
        )
        note = Message(
            few if buyers < LEAST_REPEAT_BUYERS else unsure,
            market=names[market],
            buyers=told(buyers),
            effective=Number(float(effective)),
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
