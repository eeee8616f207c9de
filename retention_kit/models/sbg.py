"""Shifted-beta-geometric model of contract renewal (Fader & Hardie 2007, J. Interactive Marketing 21(1)).

Each customer ends with his own constant chance θ at every renewal, and θ differs between customers by a
beta distribution with `alpha` and `beta`. That alone makes the retention rate of a cohort rise with its age:
the ones likely to leave have left.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln

from retention_kit.errors import MetricError


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """A fitted model: `alpha`, `beta`, and the log likelihood at them."""

    alpha: float
    beta: float
    log_likelihood: float

    def survival(self, renewals) -> np.ndarray:
        """Return the share of customers who are still there after so many renewals, 1 after none."""
        return np.exp(_log_survival(self.alpha, self.beta, np.asarray(renewals, dtype=float)))


def fit_sbg(lifetime_counts: pd.DataFrame) -> ShiftedBetaGeometric:
    """Return the model with the greatest likelihood for how long customers stayed.

    Parameters
    ----------
    lifetime_counts : one row per `duration`, in renewals from 1: `n_ended`, customers who ended at that renewal;
        `n_running`, customers observed so long and not longer, who have not ended.

    Raises
    ------
    MetricError : a duration below 1, a negative count, nobody ended; or the fit did not converge.
    """
    duration, n_ended, n_running = (
        lifetime_counts[column].to_numpy(dtype=float) for column in ("duration", "n_ended", "n_running")
    )
    if (duration < 1).any() or (n_ended < 0).any() or (n_running < 0).any():
        raise MetricError(
            "A life table has durations from 1 and counts from 0.",
            found=f"least duration {duration.min():g}, least count {min(n_ended.min(), n_running.min()):g}",
            to_try="count renewals, the first being 1",
        )
    if n_ended.sum() == 0:
        raise MetricError("Nobody has ended: there is no rate to learn from.", to_try="wait, or pool markets")

    def loss(log_parameters: np.ndarray) -> float:
        alpha, beta = np.exp(log_parameters)
        ended = betaln(alpha + 1, beta + duration - 1) - betaln(alpha, beta)
        running = _log_survival(alpha, beta, duration)
        return -float((n_ended * ended).sum() + (n_running * running).sum())

    fits = [minimize(loss, start, method="BFGS") for start in np.log([[1.0, 1.0], [0.5, 4.0], [5.0, 20.0]])]
    best = min(fits, key=lambda fit: fit.fun)
    if not np.isfinite(best.fun) or np.abs(best.jac).max() > 1e-2 * max(1.0, abs(best.fun) * 1e-3):
        raise MetricError("The model did not converge.", found=best.message, to_try="more durations, or pool markets")
    alpha, beta = np.exp(best.x)
    return ShiftedBetaGeometric(float(alpha), float(beta), -float(best.fun))


def _log_survival(alpha: float, beta: float, renewals: np.ndarray) -> np.ndarray:
    return betaln(alpha, beta + renewals) - betaln(alpha, beta)
