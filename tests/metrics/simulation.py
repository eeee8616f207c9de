"""Small markets by chance: whether intervals cover, pooled shares come nearer, and corrected tests keep quiet.

`python tests/metrics/simulation.py` runs all of it a thousand times and prints what it found.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.metrics import bootstrap_interval, difference_of_shares, wilson
from retention_kit.metrics.changes import where_it_changed
from retention_kit.metrics.markets import benjamini_hochberg, compared_markets, holm, p_of_two_shares

SIZES = (20, 50, 100, 200)


@dataclass(frozen=True)
class Found:
    """What a number of simulated markets came to; shares of 1."""

    wilson: float
    newcombe: float
    money: float
    error_raw: float
    error_pooled: float
    any_alarm_holm: float
    any_alarm_bh: float
    any_reading: float


def simulated(n_runs: int, *, seed: int) -> Found:
    """Return coverage, errors and false alarms over so many runs; a run of 20 markets for each of the last four."""
    random = np.random.default_rng(seed)
    errors, alarms = _pooling(random, n_runs), _alarms(random, n_runs)
    return Found(
        wilson=_wilson(random, n_runs),
        newcombe=_newcombe(random, n_runs),
        money=_money(random, n_runs),
        error_raw=errors[0],
        error_pooled=errors[1],
        any_alarm_holm=alarms[0],
        any_alarm_bh=alarms[1],
        any_reading=_readings(random, max(n_runs // 5, 20)),
    )


def _wilson(random, n_runs: int) -> float:
    """Return how often Wilson's interval holds the share a market was drawn with."""
    n, share = random.integers(20, 201, n_runs * 20), random.uniform(0.05, 0.95, n_runs * 20)
    lower, upper = wilson(random.binomial(n, share), n)
    return float(((lower <= share) & (share <= upper)).mean())


def _newcombe(random, n_runs: int) -> float:
    """Return how often Newcombe's interval holds the difference of two markets' shares."""
    held = []
    for _ in range(n_runs):
        (n, m), (p, q) = random.integers(20, 201, 2), random.uniform(0.1, 0.9, 2)
        _, lower, upper = difference_of_shares(random.binomial(n, p), n, random.binomial(m, q), m)
        held.append(lower <= p - q <= upper)
    return float(np.mean(held))


def _money(random, n_runs: int) -> float:
    """Return how often the bootstrap by customer holds the order value of a market of 200 customers."""
    n_customers, held = 200, []
    for _ in range(n_runs):
        orders = random.geometric(0.4, n_customers)
        own_level = random.lognormal(4.0, 0.4, n_customers)  # a customer's orders are alike
        revenue = orders * own_level
        buckets = pd.DataFrame(
            {"bucket": random.integers(0, 200, n_customers), "n_orders": orders, "revenue_minor": revenue}
        )
        buckets = buckets.groupby("bucket", as_index=False).sum().assign(market="AA", grain="history")
        found = bootstrap_interval(buckets, numerator="revenue_minor", denominator="n_orders").iloc[0]
        held.append(found["lower"] <= np.exp(4.0 + 0.4**2 / 2) <= found["upper"])
    return float(np.mean(held))


def _markets(random, shares: np.ndarray) -> pd.DataFrame:
    n = random.integers(20, 201, len(shares))
    return pd.DataFrame({"market": range(len(shares)), "count": random.binomial(n, shares), "n": n})


def _pooling(random, n_runs: int) -> tuple[float, float]:
    """Return the mean squared error of raw and of pooled shares of 20 markets that differ."""
    raw, pooled = [], []
    for _ in range(max(n_runs // 10, 10)):
        shares = random.beta(12, 18, 20)
        found = compared_markets(_markets(random, shares), count="count", n="n")
        raw.append(((found["share"] - shares) ** 2).mean())
        pooled.append(((found["pooled"] - shares) ** 2).mean())
    return float(np.mean(raw)), float(np.mean(pooled))


def _alarms(random, n_runs: int) -> tuple[float, float]:
    """Return how often any of 20 markets with one share raises an alarm, by Holm and by Benjamini–Hochberg."""
    by_holm, by_bh = [], []
    for _ in range(n_runs):
        rows = _markets(random, np.full(20, 0.4))
        p = compared_p(rows)
        by_holm.append((holm(p) < 0.05).any())
        by_bh.append((benjamini_hochberg(p) < 0.05).any())
    return float(np.mean(by_holm)), float(np.mean(by_bh))


def compared_p(rows: pd.DataFrame) -> np.ndarray:
    """Return the p-values of each market against the others, as `compared_markets` has them, without the rest of it."""
    total, of = rows["count"].sum(), rows["n"].sum()
    return np.array([p_of_two_shares(c, n, total - c, of - n) for c, n in zip(rows["count"], rows["n"], strict=True)])


def _readings(random, n_runs: int) -> float:
    """Return how often a change is read where customers of 24 monthly cohorts never change."""
    return float(np.mean([where_it_changed(cohorts(random), grain="month").kind != "none" for _ in range(n_runs)]))


def cohorts(random, *, size: int = 120, n_cohorts: int = 24, share=lambda cohort, age: 1.0) -> pd.DataFrame:
    """Return cohort counts of customers who differ: some order every other month, many never again.

    `share` multiplies a customer's chance to order, by cohort and age.
    """
    rows = []
    for cohort in range(n_cohorts):
        own = random.beta(0.7, 2.1, size)
        later = range(1, n_cohorts - cohort)
        active = [int((random.random(size) < own * share(cohort, age)).sum()) for age in later]
        rows += [(cohort, age, n) for age, n in enumerate([size, *active])]
    table = pd.DataFrame(rows, columns=["cohort", "age", "n_active"])
    return table.assign(market="AA", grain="month", complete=1, left_truncated=0)


if __name__ == "__main__":
    found = simulated(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, seed=1)
    for name, value in vars(found).items():
        print(f"{name:16} {value:.5f}")
