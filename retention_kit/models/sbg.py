"""Models of contract renewal: each customer ends with a chance of his own at every renewal.

- sBG, shifted beta geometric (Fader & Hardie 2007, J. Interactive Marketing 21(1), 76-90): the chance stays the same
  for one customer, and differs between customers by a beta distribution (alpha, beta). That alone makes the
  retention rate of a cohort rise with its age: the ones likely to leave have left.
- BdW, beta discrete Weibull (Fader, Hardie, Liu, Davin & Steenburgh 2018, J. Interactive Marketing 43, 1-16): the
  chance also falls (c < 1) or rises (c > 1) with a customer's own age. With c = 1 it is the sBG.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln, ndtri

from retention_kit.errors import MetricError
from retention_kit.models.fitting import CONF_LEVEL, Fit, Likelihood, Prior, Valued, maximum_likelihood, summed

_MOST_RENEWALS = 5000


@dataclass(frozen=True)
class _Renewal:
    """What both models know: `fit`, and from it how many stay."""

    fit: Fit
    name: ClassVar[str]

    @property
    def log_likelihood(self) -> float:
        """Return the log likelihood at the estimates."""
        return self.fit.log_likelihood

    def survival(self, renewals) -> np.ndarray:
        """Return the share of customers who are still there after so many renewals, 1 after none."""
        return np.exp(self._log_survival(self.fit.log_parameters, np.asarray(renewals, dtype=float)))

    def survival_forecast(self, renewals, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
        """Return the share still there after so many renewals, with an interval by the delta method.

        Returns
        -------
        One row per renewal: `duration`, `survival`, `lower`, `upper`, symmetric in log(−log S), so within 0 and 1.
        """
        renewals = np.asarray(renewals, dtype=float)

        def log_hazard(at: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore"):
                return np.log(-self._log_survival(at, renewals[renewals > 0]))

        level, error = log_hazard(self.fit.log_parameters), self.fit.delta_error(log_hazard)
        reach = ndtri((1 + conf_level) / 2) * error
        ends = np.ones((2, len(renewals)))
        ends[:, renewals > 0] = np.exp(-np.exp(level + np.outer([1, -1], reach)))
        return pd.DataFrame(
            {"duration": renewals, "survival": self.survival(renewals), "lower": ends[0], "upper": ends[1]}
        )

    def still_renewing(self, renewals, ahead, n, *, conf_level: float = CONF_LEVEL) -> tuple[float, float, float]:
        """Return how many customers are expected to renew so many times more, and the interval of how many will.

        The interval is of the number itself: what is not known of the parameters (delta method) and what chance does to
        each customer (binomial) together.

        Parameters
        ----------
        renewals : how often each group has renewed, (n_groups,).
        ahead : renewals that are still to be made, (n_groups,).
        n : customers of each group, (n_groups,).
        """
        renewals, ahead, n = (np.asarray(numbers, dtype=float) for numbers in (renewals, ahead, n))

        def shares(at: np.ndarray) -> np.ndarray:
            return np.exp(self._log_survival(at, renewals + ahead) - self._log_survival(at, renewals))

        share = shares(self.fit.log_parameters)
        error = float(self.fit.delta_error(lambda at: (n * shares(at)).sum()))
        reach = ndtri((1 + conf_level) / 2) * np.hypot(error, np.sqrt((n * share * (1 - share)).sum()))
        expected, everybody = float((n * share).sum()), float(n.sum())
        return expected, float(max(expected - reach, 0.0)), float(min(expected + reach, everybody))

    def payments(
        self, n: int, *, renewals_per_year: float, yearly_rate: float, conf_level: float = CONF_LEVEL
    ) -> tuple[float, float, float]:
        """Return how many of the first `n` payments a new customer is expected to make, discounted; the first at once.

        Returns
        -------
        The number with its interval by the delta method, symmetric in its logarithm.
        """
        nth = np.arange(n, dtype=float)
        worth = (1 + yearly_rate) ** (-nth / renewals_per_year)

        def made(at: np.ndarray) -> np.ndarray:
            return (np.exp(self._log_survival(at, nth)) * worth).sum()

        return tuple(float(end) for end in self.fit.log_interval(made, conf_level=conf_level))

    def residual_lifetime(self, *, renewals: int, yearly_rate: float) -> float:
        """Return the expected renewals still to come, the next one at once, of who has renewed so often (DERL).

        Parameters
        ----------
        renewals : how often the customer has renewed; the next renewal is due now.
        yearly_rate : discount from one renewal to the next; 0.1 is 10 %.

        Raises
        ------
        MetricError : a discount rate that is not above 0: the sum has no end.
        """
        if not yearly_rate > 0:
            raise MetricError(
                "A residual lifetime without an end needs a discount rate above 0.", found=f"{yearly_rate}"
            )
        ahead = np.arange(1, _MOST_RENEWALS)
        shares = self.survival(renewals + ahead) / self.survival(renewals)
        return float((shares * np.exp(-np.log1p(yearly_rate) * (ahead - 1))).sum())

    @staticmethod
    def _log_survival(at: np.ndarray, renewals: np.ndarray) -> np.ndarray:
        return _log_survival(at, renewals)[0]


@dataclass(frozen=True)
class ShiftedBetaGeometric(_Renewal):
    """A fitted sBG: `alpha`, `beta`, and the log likelihood at them."""

    name: ClassVar[str] = "sBG"

    @property
    def alpha(self) -> float:
        """Return alpha: the larger beside beta, the more leave."""
        return self.fit.estimates["alpha"]

    @property
    def beta(self) -> float:
        """Return beta."""
        return self.fit.estimates["beta"]


@dataclass(frozen=True)
class BetaDiscreteWeibull(_Renewal):
    """A fitted BdW: `gamma`, `delta` are the sBG's alpha, beta at c = 1; `c` is how the chance goes with age."""

    name: ClassVar[str] = "BdW"

    @property
    def c(self) -> float:
        """Return the exponent of age: below 1 a customer's own chance of leaving falls, above 1 it rises."""
        return self.fit.estimates["c"]


def fit_sbg(lifetime_counts: pd.DataFrame, *, prior: Prior | None = None) -> ShiftedBetaGeometric:
    """Return the sBG with the greatest likelihood for how long customers stayed.

    Parameters
    ----------
    lifetime_counts : one row per `duration`, in renewals from 1: `n_ended`, customers who ended at that renewal;
        `n_running`, customers observed so long and not longer, who have not ended.
    prior : what others say of the parameters; with it nobody needs to have ended.

    Raises
    ------
    MetricError : a duration below 1, a negative count, nobody ended or nobody stayed; or the fit did not converge.
    """
    names = ("alpha", "beta")
    return ShiftedBetaGeometric(_fitted(lifetime_counts, names, what="The sBG of these renewals", prior=prior))


def fit_bdw(lifetime_counts: pd.DataFrame) -> BetaDiscreteWeibull:
    """Return the BdW with the greatest likelihood for how long customers stayed.

    Parameters and errors as of `fit_sbg`; it takes at least three durations.
    """
    return BetaDiscreteWeibull(_fitted(lifetime_counts, ("gamma", "delta", "c"), what="The BdW of these renewals"))


def _fitted(lifetime_counts: pd.DataFrame, names: tuple[str, ...], *, what: str, prior: Prior | None = None) -> Fit:
    duration, n_ended, n_running = (
        lifetime_counts[column].to_numpy(dtype=float) for column in ("duration", "n_ended", "n_running")
    )
    numbers = np.stack([duration, n_ended, n_running])
    if not np.isfinite(numbers).all():
        raise MetricError("A life table has a number that is not finite.", to_try="count it with `counts`")
    if (duration < 1).any() or (n_ended < 0).any() or (n_running < 0).any():
        raise MetricError(
            "A life table has durations from 1 and counts from 0.",
            found=f"least duration {duration.min():g}, least count {min(n_ended.min(), n_running.min()):g}",
            to_try="count renewals, the first being 1",
        )
    if n_ended.sum() == 0 and prior is None:
        raise MetricError("Nobody has ended: there is no rate to learn from.", to_try="wait, or pool markets")
    starts = [[1.0, 1.0, 1.0], [0.5, 4.0, 1.0], [5.0, 20.0, 1.0], [0.3, 2.0, 1.5]]
    return maximum_likelihood(
        _likelihood(duration, n_ended, n_running),
        names=names,
        starts=[start[: len(names)] for start in starts],
        prior=prior,
        what=what,
        to_try="more durations, or pool markets",
    )


def _likelihood(duration: np.ndarray, n_ended: np.ndarray, n_running: np.ndarray) -> Likelihood:
    n = np.concatenate([n_ended, n_running])

    def evaluated(at: np.ndarray) -> Valued:
        before, slope_before = _log_survival(at, duration - 1)
        after, slope_after = _log_survival(at, duration)
        ratio = np.exp(after - before)  # who stays through this renewal, of those who came to it
        lost = np.maximum(-np.expm1(after - before), 1e-300)
        ended = before + np.log(lost)
        slope_ended = (slope_before - ratio * slope_after) / lost
        values, scores = np.concatenate([ended, after]), np.concatenate([slope_ended, slope_after], axis=1)
        return summed(values, scores, n)

    return evaluated


def _log_survival(at: np.ndarray, renewals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log S, (n,), and its slope by the log parameters, (k, n): of the sBG for two, of the BdW for three."""
    gamma, delta, c = np.exp(at) if len(at) == 3 else (*np.exp(at), 1.0)
    aged = renewals**c
    value = gammaln(delta + aged) - gammaln(gamma + delta + aged) + gammaln(gamma + delta) - gammaln(delta)
    of_total = digamma(gamma + delta) - digamma(gamma + delta + aged)
    of_age = digamma(delta + aged) - digamma(gamma + delta + aged)
    by_c = c * of_age * aged * np.log(np.maximum(renewals, 1))
    return value, np.stack([gamma * of_total, delta * (of_total + digamma(delta + aged) - digamma(delta)), by_c])[
        : len(at)
    ]
