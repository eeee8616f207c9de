"""Maximum likelihood: parameters above zero are sought in log space, from several starts, by exact slopes.

A fit is judged, not assumed: where the likelihood has no inner maximum, or one too flat to tell parameters from each
other, there is no fit, and the error says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite

import numpy as np
from scipy.special import ndtri

from retention_kit.errors import MetricError

CONF_LEVEL = 0.95
_N_CLIMBS = 2
_MOST_STEPS = 200
_LONGEST_STEP = 2.0
_ROUGHLY, _SETTLED = 0.1, 1e-6
_MEETING = 0.3
_FLATTEST = 5.0
_FARTHEST = 25.0

Valued = tuple[float, np.ndarray, Callable[[], np.ndarray]]
"""A log likelihood, its slope by log parameters, (k,), and, when asked, the outer product of its scores, (k, k)."""
Likelihood = Callable[[np.ndarray], Valued]
"""From log parameters, (k,), to the log likelihood there."""


@dataclass(frozen=True)
class Fit:
    """Where a likelihood is greatest: `estimates` by name, the `covariance` of their logarithms, `log_likelihood`."""

    estimates: Mapping[str, float]
    covariance: np.ndarray
    log_likelihood: float

    @property
    def log_parameters(self) -> np.ndarray:
        """Return the logarithms of the estimates, (k,), in the order of `estimates`."""
        return np.log(list(self.estimates.values()))

    def intervals(self, *, conf_level: float = CONF_LEVEL) -> dict[str, tuple[float, float]]:
        """Return the interval of each parameter: symmetric in its logarithm, so never below zero."""
        reach = ndtri((1 + conf_level) / 2) * np.sqrt(np.diag(self.covariance))
        ends = np.exp(self.log_parameters + np.outer([-1, 1], reach)).T
        return {name: (float(low), float(high)) for name, (low, high) in zip(self.estimates, ends, strict=True)}

    def standard_errors(self) -> dict[str, float]:
        """Return the standard error of each parameter itself, by the delta method."""
        errors = np.exp(self.log_parameters) * np.sqrt(np.diag(self.covariance))
        return dict(zip(self.estimates, errors.tolist(), strict=True))

    def delta_error(self, quantity: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the standard error of quantities that depend on the parameters, by the delta method.

        Parameters
        ----------
        quantity : from log parameters, (k,), to quantities of any shape.
        """
        at, step = self.log_parameters, 1e-4
        shifts = step * np.eye(len(at))
        slopes = np.stack([(np.asarray(quantity(at + s)) - np.asarray(quantity(at - s))) / (2 * step) for s in shifts])
        return np.sqrt(np.maximum(np.einsum("i...,ij,j...->...", slopes, self.covariance, slopes), 0))

    def log_interval(
        self, quantity: Callable[[np.ndarray], np.ndarray], *, conf_level: float = CONF_LEVEL
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a quantity above 0 with its interval, symmetric in its logarithm, by the delta method."""
        value = quantity(self.log_parameters)
        error = self.delta_error(lambda at: np.log(np.maximum(quantity(at), 1e-300)))
        reach = ndtri((1 + conf_level) / 2) * np.where(value > 0, error, 0.0)
        return value, value * np.exp(-reach), value * np.exp(reach)


@dataclass(frozen=True)
class Prior:
    """What is known of log parameters beforehand: normal, with `mean`, (k,), and `precision`, (k, k)."""

    mean: np.ndarray
    precision: np.ndarray

    def added_to(self, likelihood: Likelihood) -> Likelihood:
        """Return the likelihood times this prior."""

        def posterior(at: np.ndarray) -> Valued:
            value, slope, outer = likelihood(at)
            pull = self.precision @ (at - self.mean)
            return value - 0.5 * float((at - self.mean) @ pull), slope - pull, lambda: outer() + self.precision

        return posterior


def maximum_likelihood(
    likelihood: Likelihood,
    *,
    names: Sequence[str],
    starts: Sequence[Sequence[float]],
    what: str,
    to_try: str,
    prior: Prior | None = None,
) -> Fit:
    """Return the fit with the greatest likelihood that is reached from the best of the starts.

    Parameters
    ----------
    likelihood : of log parameters.
    names : of the parameters.
    starts : parameters to begin at; the climb is made from the best two, and the higher end is taken. The second one
        ends where it comes near the first from below: it is the same summit.
    what : what is fitted, as an error calls it.
    to_try : what an error proposes.
    prior : what is known beforehand; then its mean and the first of the starts are begun at.

    Raises
    ------
    MetricError : no climb ended at a maximum, or it is too flat to tell the parameters from each other.
    """
    if prior is not None:
        likelihood, starts = prior.added_to(likelihood), [np.exp(prior.mean), *starts[:1]]
    begun = sorted((_Climb(likelihood, at) for at in np.log(np.asarray(starts, dtype=float))), key=lambda c: -c.value)
    for nth, climb in enumerate(begun[:_N_CLIMBS]):
        climb.settles(_ROUGHLY, beside=begun[:nth])
    best = max(begun, key=lambda climb: climb.value)
    settled = best.settles(_SETTLED)
    told = ", ".join(f"{name} {number:.3g}" for name, number in zip(names, np.exp(best.at), strict=True))
    if not settled:
        raise MetricError(f"{what} did not converge.", found=f"it stopped at {told}", to_try=to_try)
    covariance = _inverse_curvature(likelihood, best)
    if covariance is None or np.sqrt(np.diag(covariance).max()) > _FLATTEST:
        raise MetricError(
            f"{what} is not determined by these customers: many parameters fit them as well.",
            found=f"for one {told}",
            to_try=to_try,
        )
    at = best.at + covariance @ best.slope  # a last step by Newton's rule
    return Fit(dict(zip(names, np.exp(at).tolist(), strict=True)), covariance, likelihood(at)[0])


class _Climb:
    """A climb on a likelihood: where it is (`at`, `value`, `slope`); by BFGS, begun with the scores' outer product."""

    def __init__(self, likelihood: Likelihood, at: np.ndarray) -> None:
        self._likelihood, self.at = likelihood, at
        self.value, self.slope, self._outer = likelihood(at)
        self.value = self.value if isfinite(self.value) else -np.inf
        self._eye = np.eye(len(at))

    @cached_property
    def _inverse(self) -> np.ndarray:
        squares = self._outer()
        return np.linalg.inv(squares + 1e-6 * (1 + np.trace(squares)) * self._eye)

    def settles(self, tolerance: float, *, beside: Sequence["_Climb"] = ()) -> bool:
        """Climb until no more than the tolerance can be gained, and tell whether that is reached.

        Or until another climb is met, that is higher.
        """
        if self.value == -np.inf:
            return False
        tolerance *= 1 + 1e-6 * abs(self.value)
        for _ in range(_MOST_STEPS):
            step = self._inverse @ self.slope
            gain = float(self.slope @ step)
            if gain < tolerance:
                return True
            if any(self.value < other.value and np.abs(self.at - other.at).max() < _MEETING for other in beside):
                return False
            step *= min(1.0, _LONGEST_STEP / np.abs(step).max())
            if np.abs(self.at).max() > _FARTHEST or not self._stepped(step):
                return False
        return False

    def _stepped(self, step: np.ndarray) -> bool:
        """Step, or half of it, or a quarter, until it leads up; tell whether one did."""
        for _ in range(40):
            value, slope, _ = self._likelihood(self.at + step)
            if isfinite(value) and value >= self.value + 1e-4 * float(self.slope @ step):
                bend = self.slope - slope
                self.at, self.value, self.slope = self.at + step, value, slope
                curved = float(step @ bend)
                if curved > 0:
                    turned = self._eye - step[:, None] * (bend / curved)
                    self._inverse = turned @ self._inverse @ turned.T + step[:, None] * (step / curved)
                return True
            step = step / 2
        return False


def _inverse_curvature(likelihood: Likelihood, summit: _Climb) -> np.ndarray | None:
    """Return the inverse of the curvature of the likelihood, (k, k); None where it is not that of a summit."""
    step = 1e-5
    curvature = np.stack([summit.slope - likelihood(summit.at + s)[1] for s in step * np.eye(len(summit.at))]) / step
    curvature = (curvature + curvature.T) / 2
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature)[0] <= 0:
        return None
    return np.linalg.inv(curvature)


def summed(value: np.ndarray, scores: np.ndarray, n: np.ndarray) -> Valued:
    """Return the likelihood of patterns: weighted sums of log likelihoods, (n,), and of scores, (k, n).

    By einsum: numpy's `@` wakes the threads of BLAS, which wait for each other where cores are busy.
    """
    found = float(np.einsum("n,n->", value, n)), np.einsum("in,n->i", scores, n)
    return *found, lambda: np.einsum("in,jn->ij", scores * n, scores)
