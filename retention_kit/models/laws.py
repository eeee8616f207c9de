"""Laws of purchase and leaving: BG/NBD, MBG/NBD, Pareto/NBD. While a customer stays he orders at his own steady rate.

Rates differ between customers by a gamma distribution (r, alpha). The laws differ in how customers leave:

- BG/NBD (Fader, Hardie & Lee 2005, Marketing Science 24(2), 275-284): after each repeat order, with his own chance,
  which differs by a beta distribution (a, b). Who never ordered again cannot have left.
- MBG/NBD (Batislam, Denizel & Filiztekin 2007, Int. J. of Research in Marketing 24(3), 201-209): after each order, the
  first one too.
- Pareto/NBD (Schmittlein, Morrison & Colombo 1987, Management Science 33(1), 1-24): at any time, at his own steady
  rate, which differs by a gamma distribution (s, beta).

x, t_x and T are the papers' symbols; time is in weeks.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import digamma, expit, exprel, gammaln, log_expit

from retention_kit.models.fitting import Likelihood
from retention_kit.models.patterns import Kinds, Patterns

_N_BETA_NODES = 48
_N_NODES = 20
_NEGLIGIBLE = 36.0  # e^-36 of a term is lost in rounding


class Law(Protocol):
    """What is asked of a law; `parameters` are the papers', (k,), all above 0."""

    id: str
    name: str
    parameters: tuple[str, ...]

    def likelihood(self, patterns: Patterns) -> Likelihood:
        """Return the log likelihood of patterns as a function of log parameters."""

    def starts(self, patterns: Patterns) -> list[list[float]]:
        """Return parameters to begin a fit at."""

    def alive(self, parameters: np.ndarray, patterns: Patterns) -> np.ndarray:
        """Return the chance that a customer with each pattern has not left at T, (n_patterns,)."""

    def expected(self, parameters: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """Return the expected repeat orders of a new customer within so many weeks, (n_weeks,)."""

    def expected_later(self, parameters: np.ndarray, patterns: Patterns, weeks: np.ndarray) -> np.ndarray:
        """Return expected orders of a customer with each pattern in so many weeks after T, (n_weeks, n_patterns)."""

    def orders_between(self, parameters: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the chance that a new customer orders again between two ages, in weeks, (n,)."""

    def drawn(
        self, parameters: np.ndarray, patterns: Patterns, weeks: float, random: np.random.Generator
    ) -> np.ndarray:
        """Return orders in so many weeks after T, drawn for one customer of each pattern, (n_patterns,)."""

    def simulated(self, parameters: np.ndarray, ages: np.ndarray, random: np.random.Generator) -> Patterns:
        """Return patterns of new customers observed for so many weeks each, one customer a pattern."""


class _BetaGeometric:
    """BG/NBD and MBG/NBD: a chance p of leaving after an order; `_chances`: how many come before the first repeat."""

    parameters = ("r", "alpha", "a", "b")
    _chances: int

    def likelihood(self, patterns: Patterns) -> Likelihood:
        """Return the log likelihood of patterns, its slope and its scores' outer product, by log parameters."""
        xs, t_xs, ages = patterns.kinds
        x, n = patterns.x, patterns.n
        x_kinds = xs.values
        passed = x_kinds + self._chances  # chances to leave that the customer has had, and not taken before the last
        had = passed > 0
        before = np.where(had, passed - 1, 0.0)

        def evaluated(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            r, alpha, a, b = np.exp(at)
            rate = gammaln(r + x_kinds) - gammaln(r) + r * np.log(alpha)
            stay = gammaln(a + b) + gammaln(b + passed) - gammaln(b) - gammaln(a + b + passed)
            odds = np.where(had, np.log(a) - np.log(b + before), -np.inf)
            log_age, log_last = np.log(alpha + ages.values), np.log(alpha + t_xs.values)
            end, last, rx = ages.spread(log_age), t_xs.spread(log_last), r + x
            left = xs.spread(odds) + rx * (end - last)  # log odds of having left at t_x against being there at T
            gone = expit(left)
            value = xs.spread(rate + stay) - rx * end - log_expit(-left)
            inverse_end, inverse_last = ages.spread(1 / (alpha + ages.values)), t_xs.spread(1 / (alpha + t_xs.values))
            scores = np.empty((4, len(x)))
            scores[0] = r * (xs.spread(digamma(r + x_kinds) - digamma(r) + np.log(alpha)) - end + gone * (end - last))
            scores[1] = r - alpha * rx * (inverse_end + gone * (inverse_last - inverse_end))
            both = digamma(a + b) - digamma(a + b + passed)
            scores[2] = a * xs.spread(both) + gone
            scores[3] = b * (
                xs.spread(both + digamma(b + passed) - digamma(b))
                - gone * xs.spread(np.where(had, 1 / (b + before), 0))
            )
            return _summed(value, scores, n)

        return evaluated

    def starts(self, patterns: Patterns) -> list[list[float]]:
        """Return parameters to begin a fit at, in the scale of the patterns' own orders per week."""
        weeks = _weeks_per_order(patterns)
        return [
            [0.3, 0.4 * weeks, 0.8, 2.4],
            [1.0, weeks, 0.3, 3.0],
            [0.6, 0.7 * weeks, 1.0, 1.5],
            [3, 2 * weeks, 1, 9],
        ]

    def alive(self, parameters: np.ndarray, patterns: Patterns) -> np.ndarray:
        """Return the chance of not having left at T, (n_patterns,)."""
        r, alpha, a, b = parameters
        passed = patterns.x + self._chances
        with np.errstate(divide="ignore"):
            odds = np.where(passed > 0, np.log(a / (b + np.maximum(passed - 1, 0))), -np.inf)
        return expit(-(odds + (r + patterns.x) * np.log((alpha + patterns.T) / (alpha + patterns.t_x))))

    def expected(self, parameters: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """Return expected repeat orders of a new customer within so many weeks, (n_weeks,)."""
        r, alpha, a, b = parameters
        weeks = np.asarray(weeks, float)[:, None]
        mean = _beta_mean(a, b + self._chances, lambda p: _orders_while_here(r, alpha, p, weeks))
        return mean * (b / (a + b)) ** self._chances

    def expected_later(self, parameters: np.ndarray, patterns: Patterns, weeks: np.ndarray) -> np.ndarray:
        """Return expected orders in so many weeks after T, (n_weeks, n_patterns)."""
        r, alpha, a, b = parameters
        weeks = np.asarray(weeks, float)
        expected = np.empty((len(weeks), len(patterns.x)))
        for x in np.unique(patterns.x):
            here = patterns.x == x
            ages = Kinds(patterns.T[here])

            def orders(p: np.ndarray, *, x: float = x, at_end: np.ndarray = alpha + ages.values) -> np.ndarray:
                return _orders_while_here(r + x, at_end[:, None], p, weeks[:, None, None])

            expected[:, here] = ages.spread(_beta_mean(a, b + x + self._chances, orders))
        return expected * self.alive(parameters, patterns)

    def orders_between(self, parameters: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the chance that a new customer orders between two ages, (n,)."""
        r, alpha, a, b = parameters
        start, end = np.asarray(start, float)[:, None], np.asarray(end, float)[:, None]

        def active(p: np.ndarray) -> np.ndarray:
            at_start = alpha + p * start
            return -((alpha / at_start) ** r) * np.expm1(-r * np.log1p((end - start) / at_start))

        return _beta_mean(a, b + self._chances, active) * (b / (a + b)) ** self._chances

    def drawn(
        self, parameters: np.ndarray, patterns: Patterns, weeks: float, random: np.random.Generator
    ) -> np.ndarray:
        """Return orders in so many weeks after T, drawn for each pattern, (n_patterns,)."""
        r, alpha, a, b = parameters
        rate = random.gamma(r + patterns.x, 1 / (alpha + patterns.T))
        p = random.beta(a, b + patterns.x + self._chances)
        wanted = random.poisson(rate * weeks)
        until_leaving = random.geometric(np.maximum(p, 1e-12))
        here = random.random(len(patterns.x)) < self.alive(parameters, patterns)
        return np.where(here, np.minimum(wanted, until_leaving), 0)

    def simulated(self, parameters: np.ndarray, ages: np.ndarray, random: np.random.Generator) -> Patterns:
        """Return patterns of new customers, one customer a pattern."""
        r, alpha, a, b = parameters
        rate = random.gamma(r, 1 / alpha, len(ages))
        p = random.beta(a, b, len(ages))
        most = random.geometric(np.maximum(p, 1e-12)) - self._chances
        return _orders_at_random(rate, ages, random, most=most)


class BgNbd(_BetaGeometric):
    """BG/NBD; the chance of leaving comes with each repeat order."""

    id, name, _chances = "bg_nbd", "BG/NBD", 0


class MbgNbd(_BetaGeometric):
    """MBG/NBD; the chance of leaving comes with each order, the first one too."""

    id, name, _chances = "mbg_nbd", "MBG/NBD", 1


class ParetoNbd:
    """Pareto/NBD; customers leave at a rate of their own, at any time."""

    id, name, parameters = "pareto_nbd", "Pareto/NBD", ("r", "alpha", "s", "beta")

    def likelihood(self, patterns: Patterns) -> Likelihood:
        """Return the log likelihood of patterns, its slope and its scores' outer product, by log parameters."""
        xs, _, ages = patterns.kinds
        x, t_x, n = patterns.x, patterns.t_x, patterns.n
        nodes, weights = _legendre()

        def evaluated(at: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            r, alpha, s, beta = np.exp(at)
            rx = r + x
            log_alpha, log_beta = ages.spread(np.log(alpha + ages.values)), ages.spread(np.log(beta + ages.values))
            stays = -rx * log_alpha - s * log_beta
            tau, log_width = self._times(alpha, beta, rx, patterns, nodes)
            of_rate, of_leaving = np.log(alpha + tau), np.log(beta + tau)
            top = -rx * np.log(alpha + t_x) - (s + 1) * np.log(beta + t_x)
            density = np.exp(-rx * of_rate - (s + 1) * of_leaving - top + log_width) * weights[:, None]
            left = s * density.sum(axis=0)
            log_odds = top + np.log(np.maximum(left, 1e-300)) - stays
            gone = expit(log_odds)
            share = density * (gone / np.maximum(density.sum(axis=0), 1e-300))
            constant = xs.spread(gammaln(r + xs.values)) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
            value = constant + stays - log_expit(-log_odds)
            here = 1 - gone
            scores = np.empty((4, len(x)))
            scores[0] = r * (
                xs.spread(digamma(r + xs.values))
                - digamma(r)
                + at[1]
                - here * log_alpha
                - (share * of_rate).sum(axis=0)
            )
            scores[1] = r - alpha * rx * (here / (alpha + patterns.T) + (share / (alpha + tau)).sum(axis=0))
            scores[2] = s * (at[3] - here * log_beta + gone / s - (share * of_leaving).sum(axis=0))
            scores[3] = s - beta * (here * s / (beta + patterns.T) + (s + 1) * (share / (beta + tau)).sum(axis=0))
            return _summed(value, scores, n)

        return evaluated

    @staticmethod
    def _times(
        alpha: float, beta: float, rx: np.ndarray, patterns: Patterns, nodes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return times of leaving between t_x and T, (n_nodes, n_patterns), and the log of the width each stands for.

        Even in log(tau + least of alpha and beta), where the density of leaving is smooth, up to where it is nothing.
        """
        least = min(alpha, beta)
        end = np.minimum(patterns.T, (alpha + patterns.t_x) * np.exp(np.minimum(_NEGLIGIBLE / rx, 50)) - alpha)
        low = np.log(least + patterns.t_x)
        width = np.maximum(np.log(least + np.maximum(end, patterns.t_x)) - low, 0)
        level = low + nodes[:, None] * width
        with np.errstate(divide="ignore"):
            return np.exp(level) - least, level + np.log(width)

    def starts(self, patterns: Patterns) -> list[list[float]]:
        """Return parameters to begin a fit at, in the scale of the patterns' own orders per week."""
        weeks, age = _weeks_per_order(patterns), float((patterns.T * patterns.n).sum() / patterns.n_customers)
        return [
            [0.5, 0.9 * weeks, 0.6, 0.3 * age],
            [1, weeks, 0.5, age],
            [1, weeks, 2, age],
            [0.3, 0.4 * weeks, 1, age / 4],
        ]

    def alive(self, parameters: np.ndarray, patterns: Patterns) -> np.ndarray:
        """Return the chance of not having left at T, (n_patterns,)."""
        r, alpha, s, beta = parameters
        rx = r + patterns.x
        nodes, weights = _legendre()
        tau, log_width = self._times(alpha, beta, rx, patterns, nodes)
        stays = -rx * np.log(alpha + patterns.T) - s * np.log(beta + patterns.T)
        left = np.exp(-rx * np.log(alpha + tau) - (s + 1) * np.log(beta + tau) - stays + log_width)
        return 1 / (1 + s * np.einsum("q,qi->i", weights, left))

    def expected(self, parameters: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """Return expected repeat orders of a new customer within so many weeks, (n_weeks,)."""
        r, alpha, s, beta = parameters
        return r / alpha * beta * _shrinking(s, np.log1p(np.asarray(weeks, float) / beta))

    def expected_later(self, parameters: np.ndarray, patterns: Patterns, weeks: np.ndarray) -> np.ndarray:
        """Return expected orders in so many weeks after T, (n_weeks, n_patterns)."""
        r, alpha, s, beta = parameters
        here = beta + patterns.T
        stays = here * _shrinking(s, np.log1p(np.asarray(weeks, float)[:, None] / here))
        return self.alive(parameters, patterns) * (r + patterns.x) / (alpha + patterns.T) * stays

    def orders_between(self, parameters: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the chance that a new customer orders again between two ages, in weeks, (n,).

        Who leaves between them orders with the chance of the time he stays.
        """
        r, alpha, s, beta = parameters
        start, end = np.asarray(start, float), np.asarray(end, float)
        nodes, weights = _legendre()
        to_end = -np.expm1(-r * np.log1p((end - start) / alpha)) * (beta / (beta + end)) ** s
        stay = (end - start) * nodes[:, None]
        leaves = s / beta * (beta / (beta + start + stay)) ** (s + 1) * -np.expm1(-r * np.log1p(stay / alpha))
        return to_end + (end - start) * np.einsum("q,qi->i", weights, leaves)

    def drawn(
        self, parameters: np.ndarray, patterns: Patterns, weeks: float, random: np.random.Generator
    ) -> np.ndarray:
        """Return orders in so many weeks after T, drawn for each pattern, (n_patterns,)."""
        r, alpha, s, beta = parameters
        rate = random.gamma(r + patterns.x, 1 / (alpha + patterns.T))
        leaving = random.gamma(s, 1 / (beta + patterns.T))
        stay = np.minimum(random.exponential(1 / np.maximum(leaving, 1e-12)), weeks)
        here = random.random(len(patterns.x)) < self.alive(parameters, patterns)
        return np.where(here, random.poisson(rate * stay), 0)

    def simulated(self, parameters: np.ndarray, ages: np.ndarray, random: np.random.Generator) -> Patterns:
        """Return patterns of new customers, one customer a pattern."""
        r, alpha, s, beta = parameters
        rate = random.gamma(r, 1 / alpha, len(ages))
        stay = random.exponential(1 / np.maximum(random.gamma(s, 1 / beta, len(ages)), 1e-12))
        made = _orders_at_random(rate, np.minimum(ages, stay), random, most=np.full(len(ages), np.iinfo(np.int64).max))
        return Patterns(made.x, made.t_x, ages, made.n)


LAWS: dict[str, Law] = {law.id: law for law in (BgNbd(), MbgNbd(), ParetoNbd())}
"""The laws by id."""


def _summed(value: np.ndarray, scores: np.ndarray, n: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the weighted sums of log likelihoods, (n,), of scores, (k, n), and of the scores' outer products.

    By einsum: numpy's `@` wakes the threads of BLAS, which wait for each other where cores are busy.
    """
    weighted = scores * n
    return float((value * n).sum()), weighted.sum(axis=1), np.einsum("in,jn->ij", weighted, scores)


def _weeks_per_order(patterns: Patterns) -> float:
    return float((patterns.T * patterns.n).sum() / max((patterns.x * patterns.n).sum(), 1e-9))


def _orders_while_here(r: float, alpha: np.ndarray, p: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Return E[(1 − exp(−λ p t)) / p] over λ ~ gamma(r, alpha).

    The orders in t weeks of who leaves after each with chance p.
    """
    return -np.expm1(-r * np.log1p(p * weeks / alpha)) / p


def _beta_mean(a: float, b: float, quantity: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the mean of a quantity over p ~ beta(a, b), by Gauss's rule for this very distribution.

    The papers have hyp2f1 here, which loses digits near a = 1 and for large x; this does not.
    """
    n = np.arange(1, _N_BETA_NODES, dtype=float)
    total = a + b
    # recurrence of the Jacobi polynomials on [0, 1] (Golub & Welsch 1969)
    shift = total - 2 + 2 * np.arange(_N_BETA_NODES, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = 0.5 + ((a - 1) ** 2 - (b - 1) ** 2) / (2 * shift * (shift + 2))
        squared = n * (n + a - 1) * (n + b - 1) * (n + total - 2) / ((shift[1:] ** 2) * (shift[1:] ** 2 - 1))
    centre[0] = a / total
    squared[0] = a * b / (total**2 * (total + 1))
    nodes, vectors = eigh_tridiagonal(centre, np.sqrt(squared))
    return np.einsum("...q,q->...", quantity(np.clip(nodes, 1e-15, 1.0)), vectors[0] ** 2)


def _shrinking(s: float, log_ratio: np.ndarray) -> np.ndarray:
    """Return (1 − exp(−(s − 1) L)) / (s − 1), which is L where s is 1."""
    return log_ratio * exprel(-(s - 1) * log_ratio)


def _legendre() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(_N_NODES)
    return (nodes + 1) / 2, weights / 2


def _orders_at_random(rate: np.ndarray, stay: np.ndarray, random: np.random.Generator, *, most: np.ndarray) -> Patterns:
    """Return patterns of customers who order at their rate for a time, at most so often, one customer a pattern.

    Of w orders at even chance over the time, the k-th is a beta(k, w − k + 1) share of it.
    """
    wanted = random.poisson(rate * stay)
    x = np.minimum(wanted, most)
    last = np.where(x > 0, stay * random.beta(np.maximum(x, 1), wanted - x + 1.0), 0.0)
    return Patterns(x.astype(float), last, np.asarray(stay, dtype=float), np.ones(len(x)))
