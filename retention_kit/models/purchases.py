"""A purchase model of a market: fitted on weighted patterns, it says who is still a customer and what will be ordered.

Time is in weeks. MBG/NBD is the default: it can doubt a customer who ordered once, which BG/NBD cannot.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError, unknown_name
from retention_kit.models.fitting import CONF_LEVEL, Fit, Prior, maximum_likelihood
from retention_kit.models.laws import LAWS, Law
from retention_kit.models.patterns import Patterns, told

DEFAULT_LAW = "mbg_nbd"
LEAST_REPEAT_BUYERS = 50
"""Customers with a second order day below whom a market has no model of its own."""
WEEKS_PER_YEAR = 365.25 / 7
_STEP_WEEKS = 4
_WEAK_SPREAD = 1.5
_MOST_DRAWN = 20_000


@dataclass(frozen=True)
class PurchaseModel:
    """A fitted law of purchase and leaving: `fit` has its parameters, their covariance, the log likelihood."""

    law: Law
    fit: Fit
    n_customers: int
    n_repeat_buyers: int

    @property
    def parameters(self) -> np.ndarray:
        """Return the parameters in the papers' order, (4,)."""
        return np.exp(self.fit.log_parameters)

    def table(self, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
        """Return one row per parameter: `parameter`, `estimate`, `standard_error`, `lower`, `upper`."""
        intervals, errors = self.fit.intervals(conf_level=conf_level), self.fit.standard_errors()
        rows = [(name, value, errors[name], *intervals[name]) for name, value in self.fit.estimates.items()]
        return pd.DataFrame(rows, columns=["parameter", "estimate", "standard_error", "lower", "upper"])

    def alive(self, patterns: Patterns) -> np.ndarray:
        """Return the chance that a customer with each pattern has not left, (n_patterns,)."""
        return self.law.alive(self.parameters, patterns)

    def expected_orders(self, patterns: Patterns, *, weeks: float) -> np.ndarray:
        """Return the expected order days in so many weeks from now of a customer with each pattern, (n_patterns,)."""
        return self.law.expected_later(self.parameters, patterns, np.array([_positive(weeks)]))[0]

    def repeat_orders(self, weeks, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
        """Return the expected repeat order days of a new customer within each number of weeks, with its interval.

        Returns
        -------
        (n_weeks, 4): `weeks`, `repeat_orders`, `lower`, `upper`, by the delta method, above 0.
        """
        weeks = np.atleast_1d(np.asarray(weeks, dtype=float))
        columns = self.fit.log_interval(lambda at: self.law.expected(np.exp(at), weeks), conf_level=conf_level)
        return pd.DataFrame(dict(zip(["weeks", "repeat_orders", "lower", "upper"], [weeks, *columns], strict=True)))

    def activity(self, periods: Sequence[tuple[float, float]], *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
        """Return the share of new customers who order between two ages, in weeks: the forecast of a retention curve.

        Returns
        -------
        (n_periods, 5): `start`, `end`, `activity`, `lower`, `upper`, by the delta method on log odds.
        """
        start, end = np.asarray(periods, dtype=float).reshape(-1, 2).T

        def log_odds(at: np.ndarray) -> np.ndarray:
            share = np.clip(self.law.orders_between(np.exp(at), start, end), 1e-12, 1 - 1e-12)
            return np.log(share) - np.log1p(-share)

        level, reach = (
            log_odds(self.fit.log_parameters),
            ndtri((1 + conf_level) / 2) * self.fit.delta_error(log_odds),
        )
        share, lower, upper = (1 / (1 + np.exp(-x)) for x in (level, level - reach, level + reach))
        return pd.DataFrame({"start": start, "end": end, "activity": share, "lower": lower, "upper": upper})

    def total_orders(
        self, patterns: Patterns, *, weeks: float, conf_level: float = CONF_LEVEL, seed: int = 2005
    ) -> tuple[float, float, float]:
        """Return the expected order days of all customers in so many weeks, and the interval of what will be made.

        The interval is of the orders themselves, not of their mean: what is not known of the parameters (delta method)
        and what chance does to each customer (drawn, seeded) together.
        """
        everybody = np.zeros(len(patterns.x), dtype=int)
        return self.bucket_orders(patterns, everybody, weeks=weeks, conf_level=conf_level, seed=seed)[1]

    def bucket_orders(
        self, patterns: Patterns, bucket: np.ndarray, *, weeks: float, conf_level: float = CONF_LEVEL, seed: int = 2005
    ) -> tuple[pd.DataFrame, tuple[float, float, float]]:
        """Return what `total_orders` does for groups of patterns, and for all of them together.

        Parameters
        ----------
        bucket : group of each pattern, (n_patterns,), integers.

        Returns
        -------
        One row per group: `bucket`, `n_customers`, `expected`, `lower`, `upper`, in order days; and what `total_orders`
        returns.
        """
        weeks = _positive(weeks)
        groups, which = np.unique(bucket, return_inverse=True)

        def totals(at: np.ndarray) -> np.ndarray:
            expected = self.law.expected_later(np.exp(at), patterns, np.array([weeks]))[0]
            each = np.bincount(which, weights=expected * patterns.n, minlength=len(groups))
            return np.append(each, each.sum())

        expected, error = totals(self.fit.log_parameters), self.fit.delta_error(totals)
        by_chance = self._variance_of_orders(patterns, which, len(groups), weeks=weeks, seed=seed)
        reach = ndtri((1 + conf_level) / 2) * np.sqrt(error**2 + np.append(by_chance, by_chance.sum()))
        ends = {"expected": expected, "lower": np.maximum(expected - reach, 0), "upper": expected + reach}
        n_customers = np.bincount(which, weights=patterns.n, minlength=len(groups))
        table = pd.DataFrame({"bucket": groups, "n_customers": n_customers, **{k: v[:-1] for k, v in ends.items()}})
        return table, tuple(float(values[-1]) for values in ends.values())

    def discounted_orders(
        self,
        patterns: Patterns | None = None,
        *,
        weeks: float,
        yearly_rate: float,
        clock: Callable[[float], float] = float,
    ) -> np.ndarray:
        """Return expected order days within a horizon, each worth less the later it comes.

        Parameters
        ----------
        patterns : of customers from now on, (n_patterns,); None for the repeat orders of a new customer, (1,).
        weeks : the horizon.
        yearly_rate : discount of a year; 0.1 is 10 %. Orders of four weeks are discounted from their middle.
        clock : from weeks to the weeks that the model counts, where seasons stretch them.
        """
        at = self.fit.log_parameters
        return self._discounted(at, patterns, weeks=_positive(weeks), yearly_rate=yearly_rate, clock=clock)

    def mean_discounted_orders(
        self,
        patterns: Patterns | None = None,
        *,
        weeks: float,
        yearly_rate: float,
        conf_level: float = CONF_LEVEL,
    ) -> tuple[float, float, float, float]:
        """Return the mean of `discounted_orders` over customers, its interval, the standard error of its logarithm."""
        share = np.ones(1) if patterns is None else patterns.n / patterns.n_customers

        def mean(at: np.ndarray) -> np.ndarray:
            found = self._discounted(at, patterns, weeks=_positive(weeks), yearly_rate=yearly_rate)
            return np.array([(found * share).sum()])

        value, lower, upper = (float(column[0]) for column in self.fit.log_interval(mean, conf_level=conf_level))
        error = np.log(upper / value) / ndtri((1 + conf_level) / 2) if value > 0 else 0.0
        return value, lower, upper, float(error)

    def _discounted(
        self,
        at: np.ndarray,
        patterns: Patterns | None,
        *,
        weeks: float,
        yearly_rate: float,
        clock: Callable[[float], float] = float,
    ) -> np.ndarray:
        if not yearly_rate >= 0:
            raise MetricError("A discount rate is at least 0.", found=f"{yearly_rate}", to_try="0.1 for 10 % a year")
        ends = np.append(np.arange(_STEP_WEEKS, weeks, _STEP_WEEKS), weeks)
        starts = np.append(0.0, ends[:-1])
        counted = np.array([clock(end) for end in ends])
        if patterns is None:
            orders = self.law.expected(np.exp(at), counted)[:, None]
        else:
            orders = self.law.expected_later(np.exp(at), patterns, counted)
        worth = (1 + yearly_rate) ** (-(starts + ends) / 2 / WEEKS_PER_YEAR)
        return np.einsum("w,wi->i", worth, np.diff(orders, axis=0, prepend=0.0))

    def drawn_orders(self, patterns: Patterns, *, weeks: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the order days of customers drawn as the law says, and the pattern that each of them has.

        As many are drawn as there are, at least 2,000 and at most 20,000, by how many have each pattern.
        """
        random = np.random.default_rng(seed)
        n_drawn = int(min(max(patterns.n_customers, 2000), _MOST_DRAWN))
        drawn = random.choice(len(patterns.x), size=n_drawn, p=patterns.n / patterns.n_customers)
        some = Patterns(patterns.x[drawn], patterns.t_x[drawn], patterns.T[drawn], np.ones(n_drawn))
        return drawn, self.law.drawn(self.parameters, some, weeks, random)

    def _variance_of_orders(
        self, patterns: Patterns, which: np.ndarray, n_groups: int, *, weeks: float, seed: int
    ) -> np.ndarray:
        """Return the variance of the orders of each group by chance alone, from customers drawn as the law says."""
        drawn, orders = self.drawn_orders(patterns, weeks=weeks, seed=seed)
        expected = self.law.expected_later(self.parameters, patterns, np.array([weeks]))[0][drawn]
        squares = np.bincount(which[drawn], weights=(orders - expected) ** 2, minlength=n_groups)
        return squares * patterns.n_customers / len(drawn)


def fit_purchases(
    patterns: Patterns, *, name: str, law: str = DEFAULT_LAW, prior: Prior | None = None
) -> PurchaseModel:
    """Return the purchase model with the greatest likelihood for a market's patterns.

    Parameters
    ----------
    patterns : of its customers, from `models.patterns`.
    name : of the market, as an error tells it.
    law : 'mbg_nbd', 'bg_nbd' or 'pareto_nbd'.
    prior : what other markets say of the parameters; with it a market needs no least number of buyers.

    Raises
    ------
    UsageError : no such law; names the near miss.
    MetricError : fewer than 50 repeat buyers and no prior; or no parameters fit better than all others.
    """
    if law not in LAWS:
        raise unknown_name("purchase model", law, LAWS)
    chosen = LAWS[law]
    buyers = int(patterns.n_repeat_buyers)
    if prior is None and buyers < LEAST_REPEAT_BUYERS:
        raise MetricError(
            f"{name}: {told(buyers)} repeat buyers, too few for a purchase model of its own.",
            found=f"{told(patterns.n_customers)} customers; {LEAST_REPEAT_BUYERS} repeat buyers are needed",
            to_try="fit the markets together (models.pooled_purchases), or wait",
        )
    fit = maximum_likelihood(
        chosen.likelihood(patterns),
        names=chosen.parameters,
        starts=chosen.starts(patterns),
        prior=prior,
        what=f"{name}: {chosen.name}",
        to_try="another law, more customers, or the markets together (models.pooled_purchases)",
    )
    return PurchaseModel(chosen, fit, int(patterns.n_customers), buyers)


def weak_prior(patterns: Patterns, *, law: str) -> Prior:
    """Return what is taken for granted of a market whose customers do not tell how they leave.

    Where hardly anybody seems to leave, the likelihood has no inner maximum. Then each parameter is held near a usual
    one: log-normal, within a factor of 19 either way with 95 %. Many customers outweigh it.
    """
    mean = np.log(LAWS[law].starts(patterns)[0])
    return Prior(mean, np.eye(len(mean)) / _WEAK_SPREAD**2)


def _positive(weeks: float) -> float:
    if not (np.isfinite(weeks) and weeks > 0):
        raise MetricError("A horizon is a number of weeks above 0.", found=f"{weeks}")
    return float(weeks)
