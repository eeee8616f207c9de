"""Seasons: customers who come back order faster in December; a forecast must not read that as growth.

Time itself is stretched: a day counts as many days as its month has orders beside the average month. The laws of
purchase hold in that time as they do in plain weeks (their chance of leaving comes with orders, or, for Pareto/NBD,
runs with the same clock). It takes two whole years to tell a season from a trend.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.messages import N_, Message
from retention_kit.models.patterns import Patterns
from retention_kit.periods import date_of

MONTHS_NEEDED = 24
LEAST_ORDERS = 600
"""Repeat order days of the months used, below which chance would draw the season."""


@dataclass(frozen=True)
class Seasons:
    """How busy each month of the year is beside the average, (12,), January first; ones where it is not known."""

    factors: np.ndarray
    known: bool
    note: str

    def weeks(self, day: int, weeks: float) -> float:
        """Return so many weeks from a day (since 1970-01-01) on, each day counted as its month's factor."""
        return float(self._clock(day, day + round(weeks * 7))[-1] / 7)

    def adjusted(self, patterns: Patterns, *, as_of_day: int) -> Patterns:
        """Return patterns observed up to a day, in seasonal weeks; the same where no season is known."""
        if not self.known:
            return patterns
        first = as_of_day - int(np.ceil(patterns.T.max() * 7)) - 1
        clock = self._clock(first, as_of_day)

        def at(days_before: np.ndarray) -> np.ndarray:
            return np.interp(len(clock) - 1 - days_before, np.arange(len(clock)), clock)

        began = at(patterns.T * 7)
        last = at((patterns.T - patterns.t_x) * 7)
        ages, recency = (clock[-1] - began) / 7, (last - began) / 7
        recency = np.where(patterns.x > 0, np.clip(recency, 0, ages), 0.0)
        return Patterns(patterns.x, recency, np.maximum(ages, 0), patterns.n)

    def _clock(self, first: int, end: int) -> np.ndarray:
        """Return the seasonal days from a day to the start of each day up to another, (end − first + 1,)."""
        months = np.array([date_of(day).month - 1 for day in range(first, end)], dtype=int)
        return np.concatenate([[0.0], np.cumsum(self.factors[months])])


def no_seasons(note: str) -> Seasons:
    """Return seasons that change nothing, and why."""
    return Seasons(np.ones(12), False, note)


def seasons(order_counts: pd.DataFrame, activity_counts: pd.DataFrame, *, before_day: int) -> Seasons:
    """Return how busy each month of the year is, from repeat order days a day against the twelve months around it.

    New customers are left out: their number follows advertising. A month beside the mean of the year around it (half of
    the first and last month of thirteen) is free of a trend; with several years the mean of them is taken.

    Parameters
    ----------
    order_counts, activity_counts : of one market, with grain 'month'.
    before_day : only months that ended by this day are used.
    """
    months = order_counts.query("grain == 'month' and complete == 1 and next_day <= @before_day")
    new = activity_counts.query("grain == 'month' and rule == 'period'")[["period", "n_new"]]
    months = months.merge(new, on="period").sort_values("period").reset_index(drop=True)
    if len(months) < MONTHS_NEEDED:
        return no_seasons(
            Message("no season: {n} whole months are known, {least} are needed", n=len(months), least=MONTHS_NEEDED)
        )
    repeats = (months["n_order_days"] - months["n_new"]).to_numpy(dtype=float)
    if repeats.sum() < LEAST_ORDERS:
        return no_seasons(
            Message(
                "no season: {n} repeat orders are known, {least} are needed",
                n=round(repeats.sum()),
                least=LEAST_ORDERS,
            )
        )
    a_day = repeats / (months["next_day"] - months["first_day"]).to_numpy(dtype=float)
    around = np.convolve(a_day, np.r_[0.5, np.ones(11), 0.5] / 12, mode="valid")
    ratio = a_day[6 : 6 + len(around)] / np.maximum(around, 1e-12)
    of_year = months["period"].to_numpy()[6 : 6 + len(around)] % 12
    factors = np.array([ratio[of_year == month].mean() for month in range(12)])
    if not (np.isfinite(factors).all() and (factors > 0).all()):
        return no_seasons(N_("no season: a month of the year without repeat orders"))
    return Seasons(
        factors / factors.mean(), True, Message("season of {n} month", "season of {n} months", n=len(months))
    )
