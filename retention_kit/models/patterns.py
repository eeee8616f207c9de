"""The patterns that purchase models are fitted on: customers with the same pattern have the same likelihood.

In the papers' symbols: x repeat order days, t_x the age at the last one, T the age; in weeks.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from retention_kit.errors import MetricError
from retention_kit.messages import Message, Number

LEAST_TOLD = 10
"""Customers below whom their number is not told."""
_DAYS_PER_WEEK = 7


@dataclass(frozen=True)
class Patterns:
    """Patterns of purchases, (n_patterns,) each: `x`, `t_x` and `T` in weeks, and `n`, how many customers have it."""

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    n: np.ndarray

    @property
    def n_customers(self) -> float:
        """Return how many customers the patterns are of."""
        return float(self.n.sum())

    @property
    def n_repeat_buyers(self) -> float:
        """Return how many of them ordered on another day than the first."""
        return float(self.n[self.x > 0].sum())

    def only(self, chosen: np.ndarray) -> "Patterns":
        """Return some of the patterns."""
        return Patterns(self.x[chosen], self.t_x[chosen], self.T[chosen], self.n[chosen])

    @cached_property
    def kinds(self) -> tuple["Kinds", "Kinds"]:
        """Return the different values of x, and of t_x and T together, and which of them each pattern has."""
        return Kinds(self.x), Kinds(np.stack([self.t_x, self.T]))


def told(n: float) -> Number | Message:
    """Return a number of customers as an error or a note may tell it: a few are not told."""
    return Number(int(n)) if n >= LEAST_TOLD else Message("fewer than {n}", n=LEAST_TOLD)


class Kinds:
    """The different values of an array: what depends on a value alone is worked out once for each."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, which = np.unique(values, return_inverse=True)
        self._which = which.reshape(np.shape(values))

    def spread(self, worked_out: np.ndarray) -> np.ndarray:
        """Return what was worked out for each value, for each element of the array."""
        return worked_out.take(self._which, axis=-1)


def patterns(rfm_counts: pd.DataFrame) -> Patterns:
    """Return the patterns of a market as the purchase models take them.

    `rfm_counts` has recency and age in whole units of `unit_days`: of the days that a unit hides half are added, so
    that weeks are not half a week too short; and half a day is taken from the age, which reaches from some hour of the
    first day to the end of the last. With `unit_days` 1 the numbers are taken as they are.

    Parameters
    ----------
    rfm_counts : `unit_days`, `frequency`, `recency`, `age`, `n_customers`; of one market, from `counts.rfm_counts`.

    Raises
    ------
    MetricError : no customers, a number that is not finite or below 0, a last order later than the age.
    """
    columns = ["unit_days", "frequency", "recency", "age", "n_customers"]
    unit, x, recency, age, n = (rfm_counts[column].to_numpy(dtype=float) for column in columns)
    known = n > 0
    if not known.any():
        raise MetricError("There is no customer to learn from.", to_try="a market with orders, or a later as_of")
    unit, x, recency, age, n = (values[known] for values in (unit, x, recency, age, n))
    faulty = (recency > age) | (age < 0)  # as counted: for `checked` to tell
    hidden = (unit - 1) / 2
    age = age * unit + np.where(unit > 1, hidden - 0.5, 0)
    recency = np.where(x > 0, recency * unit + hidden, recency * unit)
    recency = np.where(faulty, recency, np.minimum(recency, age))
    return checked(x, recency / _DAYS_PER_WEEK, age / _DAYS_PER_WEEK, n)


def checked(x: np.ndarray, t_x: np.ndarray, T: np.ndarray, n: np.ndarray) -> Patterns:  # noqa: N803
    """Return patterns, in weeks, that customers can have made.

    Raises
    ------
    MetricError : a number that is not finite or below 0, a last order later than the age, nobody observed.
    """
    x, t_x, T, n = (np.asarray(values, dtype=float) for values in (x, t_x, T, n))  # noqa: N806
    numbers = np.stack([x, t_x, T, n])
    faults = {
        "have a number that is not finite": ~np.isfinite(numbers).all(axis=0),
        "have a number below 0": (numbers < 0).any(axis=0),
        "have their last order after the end of the observation (t_x > T)": t_x > T,
        "have no repeat order and yet an age at the last one (x = 0, t_x > 0)": (x == 0) & (t_x > 0),
    }
    found = [f"{int(wrong.sum()):,} patterns {fault}" for fault, wrong in faults.items() if wrong.any()]
    if found:
        raise MetricError(
            "No customers can have made these patterns.",
            found="; ".join(found),
            to_try="count them with `counts`: frequency ≥ 0, 0 ≤ recency ≤ age",
        )
    if not (T > 0).any():
        raise MetricError(
            "Nobody has been observed for any time (T = 0).",
            found=f"{int(n.sum()):,} customers who first ordered on the last day",
            to_try="a later as_of",
        )
    return Patterns(x, t_x, T, n)
