"""The back-test in money: what the customers of then were expected to spend in the hold-out, beside what they spent.

Orders expected of each pattern × the value expected of an order day, both as they would have been fitted then.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError
from retention_kit.messages import N_
from retention_kit.models.fitting import CONF_LEVEL
from retention_kit.models.holdout import HoldoutResult
from retention_kit.models.patterns import Patterns, patterns
from retention_kit.models.purchases import PurchaseModel
from retention_kit.models.seasons import Seasons
from retention_kit.models.spend import SpendModel


@dataclass(frozen=True)
class MoneyTest(HoldoutResult):
    """A forecast of net revenue in a hold-out, what was made of it, and what two naive forecasts said; minor units.

    `chance`: the standard deviation of what is made if the model is true. `last_period`: as much as on the order days
    after the first in the period as long before. `steady`: order value × frequency of those who ordered in it, for
    every customer; None without any.
    """

    actual: int
    forecast: float
    lower: float
    upper: float
    chance: float
    last_period: int
    steady: float | None

    def _naive_errors(self) -> list[float]:
        naive = [self.last_period] if self.steady is None else [self.last_period, self.steady]
        return [self.off(forecast) for forecast in naive]

    def _by_chance(self) -> float:
        return self.chance / self.actual


def back_test_money(
    holdout_counts: pd.DataFrame,
    spend_counts: pd.DataFrame,
    model: PurchaseModel,
    spend: SpendModel,
    *,
    weeks: int,
    split_day: int,
    seasons: Seasons,
    conf_level: float = CONF_LEVEL,
    seed: int = 2013,
) -> MoneyTest:
    """Return how models fitted before the hold-out forecast the revenue in it.

    Parameters
    ----------
    holdout_counts : of one market, from `counts.holdout_counts`.
    spend_counts : what `spend` was fitted to: `n_days`, `n_customers`, `value`.
    model, spend : fitted to what was known before the hold-out.
    weeks, split_day, seasons : as of `back_test`.

    Raises
    ------
    MetricError : nothing was earned in the hold-out.
    """
    rows = holdout_counts[holdout_counts["n_customers"] > 0]
    actual = int(rows["later_minor"].sum())
    if actual <= 0:
        raise MetricError(N_("Nothing was earned in the weeks held out."), to_try="a longer hold-out")
    known = seasons.adjusted(patterns(rows), as_of_day=split_day)
    ahead = np.array([seasons.weeks(split_day, weeks)])
    n_days = rows["frequency"].to_numpy(dtype=float)
    own = np.maximum(rows["repeat_minor"].to_numpy(dtype=float), 0) / known.n / np.maximum(n_days, 1)

    def orders(at: np.ndarray) -> np.ndarray:
        return model.law.expected_later(np.exp(at), known, ahead)[0] * known.n

    expected, value = orders(model.fit.log_parameters), spend.expected_value(n_days, own)
    facts = {"n_days": n_days, "own": own, "expected": expected / known.n, "weeks": float(ahead[0]), "seed": seed}
    forecast = float((expected * value).sum())
    of_orders = float(model.fit.delta_error(lambda at: (orders(at) * value).sum()))
    of_value = float(spend.fit.delta_error(lambda at: (expected * spend.value_at(at, n_days, own)).sum()))
    chance = _chance(known, spend_counts, model, spend, **facts)
    reach = ndtri((1 + conf_level) / 2) * float(np.sqrt(of_orders**2 + of_value**2 + chance**2))
    n_active, of_all = int(rows["n_active_before"].sum()), float(rows["before_minor"].sum())
    return MoneyTest(
        actual=actual,
        forecast=forecast,
        lower=max(forecast - reach, 0.0),
        upper=forecast + reach,
        chance=chance,
        last_period=int(rows["before_repeat_minor"].sum()),
        steady=of_all / n_active * known.n_customers if n_active else None,
    )


def _chance(
    known: Patterns,
    spend_counts: pd.DataFrame,
    model: PurchaseModel,
    spend: SpendModel,
    *,
    n_days: np.ndarray,
    own: np.ndarray,
    expected: np.ndarray,
    weeks: float,
    seed: int,
) -> float:
    """Return the standard deviation of the revenue by chance alone, from customers drawn as the two models say.

    Customers of one pattern have means of their own: they are drawn as those are spread who ordered on as many days.
    """
    random = np.random.default_rng(seed)
    drawn, orders = model.drawn_orders(known, weeks=weeks, seed=seed)
    days = n_days[drawn]
    mean = own[drawn] * _spread(spend_counts, days, random)
    p, q, gamma = spend.fit.estimates.values()
    rate = random.gamma(p * days + q) / (gamma + days * mean)
    spent = spend.scale * np.where(orders > 0, random.gamma(p * np.maximum(orders, 1)) / rate, 0.0)
    foretold = expected[drawn] * spend.expected_value(days, mean)
    return float(np.sqrt(((spent - foretold) ** 2).mean() * known.n_customers))


def _spread(spend_counts: pd.DataFrame, days: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a mean of one customer over that of all with as many order days, drawn for each of `days`."""
    ratio = np.ones(len(days))
    each = spend_counts.assign(mean=spend_counts["value"] / spend_counts["n_customers"] / spend_counts["n_days"])
    for n, rows in each.groupby("n_days"):
        share = rows["n_customers"].to_numpy(dtype=float) / rows["n_customers"].sum()
        relative = rows["mean"].to_numpy() / float((rows["mean"] * share).sum())
        who = np.flatnonzero(days == n)
        ratio[who] = random.choice(relative, size=len(who), p=share)
    return ratio
