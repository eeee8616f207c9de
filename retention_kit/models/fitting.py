"""Maximum likelihood: parameters above zero are sought in log space, from several starts, by exact slopes.

A fit is judged, not assumed: where the likelihood has no inner maximum, or one too flat to tell parameters from each
other, there is no fit, and the error says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from retention_kit.errors import MetricError

CONF_LEVEL = 0.95
_N_CLIMBS = 2
_MOST_STEPS = 200
_LONGEST_STEP = 2.0
_SETTLED = 1e-9
_FLATTEST = 5.0
_FARTHEST = 25.0

Likelihood = Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]]
"""From log parameters, (k,), to the log likelihood, its slope, (k,), and the scores' outer product, (k, k)."""


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
        reach = norm.ppf((1 + conf_level) / 2) * np.sqrt(np.diag(self.covariance))
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


@dataclass(frozen=True)
class Prior:
    """What is known of log parameters beforehand: normal, with `mean`, (k,), and `precision`, (k, k)."""

    mean: np.ndarray
    precision: np.ndarray

    def added_to(self, likelihood: Likelihood) -> Likelihood:
        """Return the likelihood times this prior."""

        def posterior(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            value, slope, outer = likelihood(at)
            pull = self.precision @ (at - self.mean)
            return value - 0.5 * float((at - self.mean) @ pull), slope - pull, outer + self.precision

        return posterior


def maximum_likelihood(
    likelihood: Likelihood, *, names: Sequence[str], starts: Sequence[Sequence[float]], what: str, to_try: str
) -> Fit:
    """Return the fit with the greatest likelihood that is reached from the best of the starts.

    Parameters
    ----------
    likelihood : of log parameters.
    names : of the parameters.
    starts : parameters to begin at; the climb is made from the best two, and the higher end is taken.
    what : what is fitted, as an error calls it.
    to_try : what an error proposes.

    Raises
    ------
    MetricError : no climb ended at a maximum, or it is too flat to tell the parameters from each other.
    """
    begun = sorted(((likelihood(at), at) for at in np.log(np.asarray(starts, dtype=float))), key=lambda s: -s[0][0])
    ends = [_climbed(likelihood, at, known) for known, at in begun[:_N_CLIMBS]]
    at, value, settled = max(ends, key=lambda end: (end[2], end[1]))
    told = ", ".join(f"{name} {np.exp(number):.3g}" for name, number in zip(names, at, strict=True))
    if not settled:
        raise MetricError(f"{what} did not converge.", found=f"it stopped at {told}", to_try=to_try)
    at, covariance = _polished(likelihood, at)
    if covariance is None or np.sqrt(np.diag(covariance).max()) > _FLATTEST:
        raise MetricError(
            f"{what} is not determined by these customers: many parameters fit them as well.",
            found=f"for one {told}",
            to_try=to_try,
        )
    return Fit(dict(zip(names, np.exp(at).tolist(), strict=True)), covariance, float(max(value, likelihood(at)[0])))


def _climbed(likelihood: Likelihood, at: np.ndarray, known: tuple) -> tuple[np.ndarray, float, bool]:
    """Return where the climb ends, how high, and whether on a summit (BFGS, begun with the scores' outer product)."""
    value, slope, outer = known
    if not np.isfinite(value):
        return at, -np.inf, False
    identity = np.eye(len(at))
    inverse = np.linalg.inv(outer + 1e-6 * (1 + np.trace(outer)) * identity)
    for _ in range(_MOST_STEPS):
        if float(slope @ inverse @ slope) < _SETTLED * (1 + 1e-6 * abs(value)):
            return at, value, True
        step = inverse @ slope
        step *= min(1.0, _LONGEST_STEP / np.abs(step).max())
        gain = float(slope @ step)
        for _ in range(40):
            reached = likelihood(at + step)
            if np.isfinite(reached[0]) and reached[0] >= value + 1e-4 * gain:
                break
            step, gain = step / 2, gain / 2
        else:
            return at, value, gain < 1e-7 * (1 + 1e-6 * abs(value))
        at, bend = at + step, slope - reached[1]
        value, slope = reached[:2]
        if np.abs(at).max() > _FARTHEST:
            return at, value, False
        curved = float(step @ bend)
        if curved > 0:
            turned = identity - np.outer(step, bend) / curved
            inverse = turned @ inverse @ turned.T + np.outer(step, step) / curved
    return at, value, False


def _polished(likelihood: Likelihood, at: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the summit after a last Newton step, and the inverse of the curvature; None where it is no summit."""
    step = 1e-4
    shifts = step * np.eye(len(at))
    curvature = np.stack([likelihood(at - s)[1] - likelihood(at + s)[1] for s in shifts]) / (2 * step)
    curvature = (curvature + curvature.T) / 2
    if not np.isfinite(curvature).all() or np.linalg.eigvalsh(curvature)[0] <= 0:
        return at, None
    covariance = np.linalg.inv(curvature)
    last = covariance @ likelihood(at)[1]
    return (at + last if np.abs(last).max() < 0.01 else at), covariance
