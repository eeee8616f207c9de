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
from functools import cache, lru_cache
from typing import Protocol

import numpy as np
from scipy.special import digamma, expit, exprel, gammaln

from retention_kit.models.fitting import Likelihood, Valued, summed
from retention_kit.models.patterns import Kinds, Patterns

_N_BETA_NODES = 48
_N_NODES = 20
_N_STEP_NODES = 8
_MOST_ON_GRID = 60  # repeat orders, above which densities on the grid may underflow
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
        xs, times = patterns.kinds
        x, n = patterns.x, patterns.n
        passed = xs.values + self._chances  # chances to leave that the customer has had; the last one he may have taken
        had = passed > 0
        before = np.where(had, passed - 1, 0.0)
        size = len(passed)
        last_is_after = np.where(had, 0.0, -np.inf)

        def evaluated(at: np.ndarray) -> Valued:
            r, alpha, a, b = np.exp(at)
            sums = np.concatenate([r + xs.values, b + passed, a + b + passed, [r, b, a + b]])
            of_r, of_b, of_ab, (r_0, b_0, ab_0) = _four(gammaln(sums), size)
            rate, stay = of_r - r_0 + r * at[1], ab_0 + of_b - b_0 - of_ab
            odds = at[2] - np.log(b + before) + last_is_after
            of_r, of_b, of_ab, (r_0, b_0, ab_0) = _four(digamma(sums), size)
            both = ab_0 - of_ab
            of_x = np.array([rate + stay, odds, of_r - r_0 + at[1], both, both + of_b - b_0, had / (b + before)])
            once, log_odds, by_r, by_a, by_b, by_last = xs.spread(of_x)
            at_time = alpha + times.values
            (log_last, log_end), (by_last_time, by_end) = times.spread(np.array([np.log(at_time), 1 / at_time]))
            rx, between = r + x, log_end - log_last
            left = log_odds + rx * between  # log odds of having left at t_x against being there at T
            gone, log_all = _share_and_log(left)
            value = once - rx * log_end + log_all
            scores = np.empty((4, len(x)))
            scores[0] = r * (by_r - log_end + gone * between)
            scores[1] = r - alpha * rx * (by_end + gone * (by_last_time - by_end))
            scores[2] = a * by_a + gone
            scores[3] = b * (by_b - gone * by_last)
            return summed(value, scores, n)

        return evaluated

    def starts(self, patterns: Patterns) -> list[list[float]]:
        """Return parameters to begin a fit at, in the scale of the patterns' own orders per week."""
        weeks = _weeks_per_order(patterns)
        return [
            [0.3, 0.4 * weeks, 0.8, 2.4],
            [1.0, weeks, 0.3, 3.0],
            [0.6, 0.7 * weeks, 1.0, 1.5],
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
        often = patterns.x > _MOST_ON_GRID
        parts = [patterns.only(chosen) for chosen in (~often, often) if chosen.any()]
        likelihoods = [_pareto_likelihood(part, _left_between(part)) for part in parts]

        def evaluated(at: np.ndarray) -> Valued:
            values, slopes, outers = zip(*(likelihood(at) for likelihood in likelihoods), strict=True)
            return sum(values), sum(slopes), lambda: sum(outer() for outer in outers)

        return evaluated

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
        log_scale, integrals = _each_by_itself(patterns)(r, alpha, s, beta)
        stays = -(r + patterns.x) * np.log(alpha + patterns.T) - s * np.log(beta + patterns.T)
        with np.errstate(divide="ignore"):
            return expit(stays - log_scale - np.log(s * integrals[0]))

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
        nodes, weights = _legendre(_N_NODES)
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


Integrals = Callable[[float, float, float, float], tuple[np.ndarray, np.ndarray]]
"""From r, alpha, s, beta to the log of a scale, (n,), and integrals over the times τ of leaving, t_x to T, (5, n).

Of f = (alpha + τ)^−(r + x) (beta + τ)^−(s + 1), over the scale, and of f times log(alpha + τ), 1 / (alpha + τ),
log(beta + τ), 1 / (beta + τ).
"""


def _pareto_likelihood(patterns: Patterns, integrals: Integrals) -> Likelihood:
    xs, ages = patterns.kinds[0], Kinds(patterns.T)
    x, n = patterns.x, patterns.n

    def evaluated(at: np.ndarray) -> Valued:
        r, alpha, s, beta = np.exp(at)
        rx = r + x
        log_alpha, log_beta = ages.spread(np.log(alpha + ages.values)), ages.spread(np.log(beta + ages.values))
        stays = -rx * log_alpha - s * log_beta
        log_scale, (whole, by_rate, by_alpha, by_leaving, by_beta) = integrals(r, alpha, s, beta)
        whole = np.maximum(whole, 1e-300)
        log_odds = log_scale + np.log(s * whole) - stays
        gone, log_all = _share_and_log(log_odds)
        here, share = 1 - gone, gone / whole
        constant = gammaln(r + xs.values) - gammaln(r) + r * at[1] + s * at[3]
        value = xs.spread(constant) + stays + log_all
        scores = np.empty((4, len(x)))
        of_x = digamma(r + xs.values) - digamma(r) + at[1]
        scores[0] = r * (xs.spread(of_x) - here * log_alpha - share * by_rate)
        scores[1] = r - alpha * rx * (here * ages.spread(1 / (alpha + ages.values)) + share * by_alpha)
        scores[2] = s * (at[3] - here * log_beta + gone / s - share * by_leaving)
        scores[3] = s - beta * (s * here * ages.spread(1 / (beta + ages.values)) + (s + 1) * share * by_beta)
        return summed(value, scores, n)

    return evaluated


def _left_between(patterns: Patterns) -> Integrals:
    """Return the integrals by the cheaper way: on a grid of all times that occur, or for each pattern by itself."""
    times = np.unique(np.concatenate([patterns.t_x, patterns.T]))
    xs = patterns.kinds[0]
    if len(xs.values) * len(times) * _N_STEP_NODES < len(patterns.x) * _N_NODES:
        return _on_grid(patterns, times)
    return _each_by_itself(patterns)


def _on_grid(patterns: Patterns, times: np.ndarray) -> Integrals:
    """Return the integrals as differences of sums over the steps between times: for one x they need no pattern."""
    xs = patterns.kinds[0]
    which = np.searchsorted(xs.values, patterns.x)
    start, end = np.searchsorted(times, patterns.t_x), np.searchsorted(times, patterns.T)
    earliest = np.full(len(xs.values), np.inf)
    np.minimum.at(earliest, which, patterns.t_x)
    nodes, weights = _legendre(_N_STEP_NODES)

    def integrals(r: float, alpha: float, s: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
        least = min(alpha, beta)
        levels = np.log(least + times)
        steps = np.diff(levels)
        level = levels[:-1, None] + steps[:, None] * nodes
        tau = np.exp(level) - least
        of_rate, of_leaving = np.log(alpha + tau), np.log(beta + tau)
        rx = (r + xs.values)[:, None, None]
        scale = -rx[:, 0, 0] * np.log(alpha + earliest) - (s + 1) * np.log(beta + earliest)
        # before the earliest last order of an x nothing is asked: it must only not overflow
        density = np.exp(np.minimum(level - (s + 1) * of_leaving - rx * of_rate - scale[:, None, None], 50))
        density *= steps[:, None] * weights
        each = np.empty((5, len(xs.values), len(times)))
        each[:, :, -1] = 0
        each[0, :, :-1] = density.sum(axis=2)
        for row, factor in enumerate((of_rate, 1 / (alpha + tau), of_leaving, 1 / (beta + tau)), start=1):
            each[row, :, :-1] = np.einsum("xtq,tq->xt", density, factor)
        until_end = each[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
        return scale.take(which), until_end[:, which, start] - until_end[:, which, end]

    return integrals


def _each_by_itself(patterns: Patterns) -> Integrals:
    """Return the integrals pattern by pattern: for times that hardly occur twice, and for large x."""
    x, t_x = patterns.x, patterns.t_x
    nodes, weights = _legendre(_N_NODES)

    def integrals(r: float, alpha: float, s: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
        rx, least = r + x, min(alpha, beta)
        # up to where the density is nothing; even in log(tau + least), where it is smooth
        end = np.minimum(patterns.T, (alpha + t_x) * np.exp(np.minimum(_NEGLIGIBLE / rx, 50)) - alpha)
        low = np.log(least + t_x)
        width = np.maximum(np.log(least + np.maximum(end, t_x)) - low, 0)
        level = low + nodes[:, None] * width
        tau = np.exp(level) - least
        of_rate, of_leaving = np.log(alpha + tau), np.log(beta + tau)
        scale = -rx * np.log(alpha + t_x) - (s + 1) * np.log(beta + t_x)
        density = np.exp(level - rx * of_rate - (s + 1) * of_leaving - scale) * weights[:, None] * width
        factors = (of_rate, 1 / (alpha + tau), of_leaving, 1 / (beta + tau))
        sums = [density.sum(axis=0), *(np.einsum("qi,qi->i", density, factor) for factor in factors)]
        return scale, np.stack(sums)

    return integrals


LAWS: dict[str, Law] = {law.id: law for law in (BgNbd(), MbgNbd(), ParetoNbd())}
"""The laws by id."""


def _four(values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return values[:size], values[size : 2 * size], values[2 * size : 3 * size], values[3 * size :]


def _share_and_log(log_odds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share that log odds are of, and the log of 1 / (1 − share); faster than expit and log_expit."""
    log_all = np.maximum(log_odds, 0.0) + np.log1p(np.exp(-np.abs(log_odds)))
    return np.exp(log_odds - log_all), log_all


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
    nodes, weights = _beta_nodes(float(a), float(b))
    return np.einsum("...q,q->...", quantity(nodes), weights)


@lru_cache(maxsize=4096)  # intervals ask for the same few distributions again and again
def _beta_nodes(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes and weights of Gauss's rule for beta(a, b), (n_nodes,) each."""
    n = np.arange(1, _N_BETA_NODES, dtype=float)
    total = a + b
    # recurrence of the Jacobi polynomials on [0, 1] (Golub & Welsch 1969)
    shift = total - 2 + 2 * np.arange(_N_BETA_NODES, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = 0.5 + ((a - 1) ** 2 - (b - 1) ** 2) / (2 * shift * (shift + 2))
        squared = n * (n + a - 1) * (n + b - 1) * (n + total - 2) / ((shift[1:] ** 2) * (shift[1:] ** 2 - 1))
    centre[0] = a / total
    squared[0] = a * b / (total**2 * (total + 1))
    from scipy.linalg import eigh_tridiagonal

    nodes, vectors = eigh_tridiagonal(centre, np.sqrt(squared))
    return np.clip(nodes, 1e-15, 1.0), vectors[0] ** 2


def _shrinking(s: float, log_ratio: np.ndarray) -> np.ndarray:
    """Return (1 − exp(−(s − 1) L)) / (s − 1), which is L where s is 1."""
    return log_ratio * exprel(-(s - 1) * log_ratio)


@cache
def _legendre(n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    return (nodes + 1) / 2, weights / 2


def _orders_at_random(rate: np.ndarray, stay: np.ndarray, random: np.random.Generator, *, most: np.ndarray) -> Patterns:
    """Return patterns of customers who order at their rate for a time, at most so often, one customer a pattern.

    Of w orders at even chance over the time, the k-th is a beta(k, w − k + 1) share of it.
    """
    wanted = random.poisson(rate * stay)
    x = np.minimum(wanted, most)
    last = np.where(x > 0, stay * random.beta(np.maximum(x, 1), wanted - x + 1.0), 0.0)
    return Patterns(x.astype(float), last, np.asarray(stay, dtype=float), np.ones(len(x)))
