"""Gamma-Gamma model of what a customer spends on an order day (Fader & Hardie 2013, brucehardie.com/notes/025).

The value of a customer's order days varies around a mean of his own by a gamma distribution (p, nu), and nu differs
between customers by a gamma distribution (q, gamma). Who ordered seldom is drawn towards everybody's mean. It takes
for granted that how often a customer orders says nothing of how much he spends: that is checked before the two are
multiplied.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln

from retention_kit.errors import MetricError
from retention_kit.messages import N_, Message, Number
from retention_kit.models.fitting import Fit, Likelihood, Valued, maximum_likelihood, summed
from retention_kit.models.patterns import Kinds, told

LEAST_SPENDERS = 30
"""Customers with repeat orders below whom no model of spend is fitted."""
DOUBTFUL_CORRELATION = 0.1
REFUSED_CORRELATION = 0.3


@dataclass(frozen=True)
class SpendModel:
    """A fitted Gamma-Gamma: `fit` with p, q and gamma; `correlation` of order days and mean value of one.

    `first`: mean value of a customer's first order day, with its standard error; None: as of any other. `scale`: what
    is left of a later day's value: less refunds that are no part of the counts, and than customers who never pay.
    """

    fit: Fit
    n_customers: int
    correlation: float
    first: float | None = None
    first_error: float = 0.0
    scale: float = 1.0

    @property
    def mean(self) -> float:
        """Return the mean value of a later order day over all customers, in the unit of the counts."""
        return self.scale * float(self._mean(self.fit.log_parameters))

    @property
    def mean_error(self) -> float:
        """Return the standard error of the mean, by the delta method."""
        return self.scale * float(self.fit.delta_error(self._mean))

    @property
    def first_day(self) -> tuple[float, float]:
        """Return the mean value of a customer's first order day, and its standard error."""
        return (self.mean, self.mean_error) if self.first is None else (self.first, self.first_error)

    def own_weight(self, n_days) -> np.ndarray:
        """Return how much a customer's own mean counts beside everybody's, after so many order days, from 0 to 1."""
        return self._own_weight(self.fit.log_parameters, np.asarray(n_days, dtype=float))

    def expected_value(self, n_days, mean_value) -> np.ndarray:
        """Return the expected value of a later order day of who spent `mean_value` on each of `n_days` days."""
        days, value = np.asarray(n_days, dtype=float), np.asarray(mean_value, dtype=float)
        return self.value_at(self.fit.log_parameters, days, value)

    def value_at(self, at: np.ndarray, n_days: np.ndarray, mean_value: np.ndarray) -> np.ndarray:
        """Return what `expected_value` does at other log parameters, (3,): for the error of what follows from it."""
        weight = self._own_weight(at, n_days)
        return self.scale * ((1 - weight) * self._mean(at) + weight * mean_value)

    @property
    def warning(self) -> str:
        """Return what to say of customers who order often and spend otherwise; empty where they do not."""
        if abs(self.correlation) <= DOUBTFUL_CORRELATION:
            return ""
        more = N_(
            "Customers who order more often spend more on each order day (correlation {correlation}): orders × value "
            "is too low for them."
        )
        less = N_(
            "Customers who order more often spend less on each order day (correlation {correlation}): orders × value "
            "is too high for them."
        )
        return Message(more if self.correlation > 0 else less, correlation=Number(self.correlation, 2))

    def refuse_dependence(self, *, name: str) -> None:
        """Refuse to multiply orders by value where the two depend on each other.

        Raises
        ------
        MetricError : the correlation is above 0.3.
        """
        if abs(self.correlation) > REFUSED_CORRELATION:
            raise MetricError(
                Message(
                    "{market}: how often customers order and how much they spend depend on each other.", market=name
                ),
                found=f"correlation {self.correlation:.2f}, more than {REFUSED_CORRELATION}",
                to_try="show orders and value by themselves, or multiply them knowingly: dependence='accepted'",
            )

    @staticmethod
    def _own_weight(at: np.ndarray, n_days: np.ndarray) -> np.ndarray:
        p, q, _ = np.exp(at)
        return p * n_days / (p * n_days + q - 1)

    @staticmethod
    def _mean(at: np.ndarray) -> float:
        p, q, gamma = np.exp(at)
        return p * gamma / (q - 1)


def fit_spend(spend_counts: pd.DataFrame) -> SpendModel:
    """Return the Gamma-Gamma with the greatest likelihood for what customers spent.

    Parameters
    ----------
    spend_counts : one row per `n_days` (order days of a customer, as in the paper those after his first) and bin of
        their mean value: `n_customers`, and `value`, summed over the customers and their days, in any unit of money.

    Raises
    ------
    MetricError : a value of 0 or below or not finite; fewer than 30 customers; all spend the same; no maximum; a
        mean without end (q ≤ 1).
    """
    n_days, n, value = (spend_counts[column].to_numpy(dtype=float) for column in ("n_days", "n_customers", "value"))
    if not np.isfinite(np.stack([n_days, n, value])).all():
        raise MetricError("A value of orders is not finite.", to_try="look for the order with no amount")
    known = n > 0
    n_days, n, value = n_days[known], n[known], value[known]
    if (value <= 0).any() or (n_days < 1).any():
        raise MetricError(
            N_("The model of spend needs values above 0, on at least one day."),
            found=f"{told(n[(value <= 0) | (n_days < 1)].sum())} customers with a value of 0 or below, or with no day",
            to_try="leave them out: free orders say nothing of spend",
        )
    if n.sum() < LEAST_SPENDERS:
        raise MetricError(
            Message("Fewer than {n} customers, too few for a model of spend.", n=LEAST_SPENDERS),
            to_try="wait, or take a longer history",
        )
    mean = value / (n * n_days)
    centre = float((mean * n).sum() / n.sum())
    spread = float((n * (mean / centre - 1) ** 2).sum() / n.sum())
    if spread < 1e-8:
        raise MetricError(
            N_("All customers spend the same: there is no difference between them to learn."),
            found=f"{told(n.sum())} customers with one mean value",
            to_try="multiply by that value",
        )
    fit = maximum_likelihood(
        _likelihood(n_days, mean / centre, n),
        names=("p", "q", "gamma"),
        starts=[[6, 4, 0.5], [2, 4, 1.5], [1, 3, 2], [20, 8, 0.35], [3, 15, 5]],
        what="The Gamma-Gamma model of spend",
        to_try="more customers with repeat orders, or pool markets",
    )
    p, q, gamma = fit.estimates.values()
    if q <= 1:
        raise MetricError(
            N_("A few customers spend so much that the model of spend has no mean."),
            found=f"q {q:.2f}, at or below 1",
            to_try="look for orders that are no orders of a customer, such as wholesale",
        )
    in_unit = Fit(
        {"p": p, "q": q, "gamma": gamma * centre}, fit.covariance, fit.log_likelihood - float(n.sum()) * np.log(centre)
    )
    return SpendModel(in_unit, int(n.sum()), _correlation(n_days, mean, n))


def _likelihood(n_days: np.ndarray, mean: np.ndarray, n: np.ndarray) -> Likelihood:
    days = Kinds(n_days)
    log_mean, total = np.log(mean), n_days * mean
    log_total = np.log(total)

    def evaluated(at: np.ndarray) -> Valued:
        p, q, gamma = np.exp(at)
        shape = p * days.values
        of_days = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
        both, mine = np.log(gamma + total), shape + q
        all_of = digamma(mine)
        value = days.spread(of_days) + p * n_days * log_total - log_mean - days.spread(mine) * both
        share = days.spread(mine) / (gamma + total)
        scores = np.stack(
            [
                p * (days.spread(days.values * (all_of - digamma(shape))) + n_days * (log_total - both)),
                q * (days.spread(all_of - digamma(q) + np.log(gamma)) - both),
                q - gamma * share,
            ]
        )
        return summed(value, scores, n)

    return evaluated


def _correlation(n_days: np.ndarray, mean: np.ndarray, n: np.ndarray) -> float:
    """Return the correlation of order days and mean value over customers; 0 where one of them is the same for all."""
    days = n_days - (n * n_days).sum() / n.sum()
    value = mean - (n * mean).sum() / n.sum()
    spread = np.sqrt((n * days**2).sum() * (n * value**2).sum())
    return float((n * days * value).sum() / spread) if spread > 0 else 0.0
