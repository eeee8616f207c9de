"""Revenue of customers: what those who were there spend now, and whether customers, frequency or baskets moved it.

All in the market's own currency, by rule `period`: S ordered in the period before, E in this one. Revenue of those who
came back after a pause is in neither retention rate; the textbook's has it.
"""

import numpy as np
import pandas as pd

from retention_kit.metrics.intervals import CONF_LEVEL, studentised_interval
from retention_kit.metrics.registry import metric

_KEYS = ["market", "grain", "period"]


def _closed(revenue_counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Return the closed periods, and their opening revenue where there is some."""
    closed = revenue_counts[revenue_counts["complete"] == 1].reset_index(drop=True)
    return closed, closed["opening_minor"].where(closed["opening_minor"] > 0)


@metric(
    unit="ratio of revenue",
    range=(0, None),
    source="by definition: (opening + expansion − contraction − lapsed) / opening",
)
def net_revenue_retention(revenue_counts: pd.DataFrame) -> pd.DataFrame:
    """Net revenue of this period from the customers of the period before, over their net revenue then: NRR.

    No share: customers who spend more make it pass 1. Revenue of customers who came back after a pause is not in it.

    Parameters
    ----------
    revenue_counts : (n_periods, 12), from `counts.revenue_counts`.

    Returns
    -------
    One row per market, grain and closed period: `opening_minor`, `kept_minor`, `net_revenue_retention`, NaN where
    there was no revenue before.
    """
    closed, opening = _closed(revenue_counts)
    kept = closed["opening_minor"] + closed["expansion_minor"] - closed["contraction_minor"] - closed["lapsed_minor"]
    table = closed[[*_KEYS, "opening_minor"]].assign(kept_minor=kept)
    return table.assign(net_revenue_retention=kept / opening)


@metric(unit="ratio of revenue", range=(None, 1), source="by definition: Σ min(now, then) / Σ then")
def gross_revenue_retention(revenue_counts: pd.DataFrame) -> pd.DataFrame:
    """Lesser of revenue now and then, customer by customer, over the net revenue then: GRR, which no growth can hide.

    Parameters
    ----------
    revenue_counts : (n_periods, 12), from `counts.revenue_counts`.

    Returns
    -------
    One row per market, grain and closed period: `opening_minor`, `least_minor`, `gross_revenue_retention`.
    """
    closed, opening = _closed(revenue_counts)
    least = closed["opening_minor"] - closed["contraction_minor"] - closed["lapsed_minor"]
    table = closed[[*_KEYS, "opening_minor"]].assign(least_minor=least)
    return table.assign(gross_revenue_retention=least / opening)


@metric(unit="ratio of revenue", range=(None, None), source="textbook: (closing − new) / opening")
def textbook_revenue_retention(revenue_counts: pd.DataFrame) -> pd.DataFrame:
    """Net revenue of this period from all but new customers, over the net revenue of the period before.

    It counts what customers spend who came back after a pause as if they had stayed. Shown beside the exact rate.

    Parameters
    ----------
    revenue_counts : (n_periods, 12), from `counts.revenue_counts`.

    Returns
    -------
    One row per market, grain and closed period: `opening_minor`, `textbook_revenue_retention`.
    """
    closed, opening = _closed(revenue_counts)
    ratio = (closed["closing_minor"] - closed["new_minor"]) / opening
    return closed[[*_KEYS, "opening_minor"]].assign(textbook_revenue_retention=ratio)


def revenue_retention_intervals(
    retained_revenue_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return NRR and GRR of the last closed period with their intervals, by drawing buckets of customers again.

    Parameters
    ----------
    retained_revenue_counts : (n_buckets, 9), from `counts.retained_revenue_counts`.

    Returns
    -------
    One row per market, grain and rate: `period`, `rate` (net_revenue_retention, gross_revenue_retention), `n`,
    customers at the start, `value`, `lower`, `upper`, bootstrap-t.
    """
    rows = []
    for (market, grain, period), buckets in retained_revenue_counts.groupby(_KEYS):
        n, then = int(buckets["n_start"].sum()), buckets["then_minor"].sum()
        for rate, column in (("net_revenue_retention", "now_minor"), ("gross_revenue_retention", "least_minor")):
            lower, upper = studentised_interval(
                buckets, numerator=column, denominator="then_minor", conf_level=conf_level
            )
            value = buckets[column].sum() / then if then > 0 else np.nan
            rows.append((market, grain, period, rate, n, value, lower, upper))
    return pd.DataFrame(rows, columns=[*_KEYS, "rate", "n", "value", "lower", "upper"])


@metric(
    unit="currency", range=(None, None), source="logarithmic mean: Ang 2004, LMDI-I; the effects add up to the change"
)
def revenue_change(order_counts: pd.DataFrame, *, minor_per_unit: int, periods_back: int) -> pd.DataFrame:
    """Change of net revenue against an earlier period, and how much of it is customers, frequency and order value.

    Revenue = customers × orders per customer × revenue per order. Each effect is the logarithmic mean of both revenues
    times the logarithm of its factor's ratio: no rest is left, and no order of the factors is preferred.

    Parameters
    ----------
    order_counts : (n_periods, 14), from `counts.order_counts`.
    minor_per_unit : minor units in one unit of the currency.
    periods_back : against which period: 4 of quarters, 12 of months for the year before.

    Returns
    -------
    One row per market, grain and closed period that has an earlier one with revenue in both: `n_then`, `n_now`,
    customers; `then`, `now`, `revenue_change`, `of_customers`, `of_frequency`, `of_order_value`, in units of currency.
    """
    named = order_counts[~order_counts["grain"].isin(["history", "last_year"])]
    now = named[(named["complete"] == 1) & (named["n_orders"] > 0) & (named["revenue_minor"] > 0)]
    numbers = ["n_customers", "n_orders", "revenue_minor"]
    now = now[[*_KEYS, *numbers]].reset_index(drop=True)
    earlier = now.assign(period=now["period"] + periods_back)
    both = now.merge(earlier, on=_KEYS, suffixes=("", "_then"))
    then, value = (both[name] / minor_per_unit for name in ("revenue_minor_then", "revenue_minor"))
    factors = {
        "of_customers": (both["n_customers"], both["n_customers_then"]),
        "of_frequency": (both["n_orders"] / both["n_customers"], both["n_orders_then"] / both["n_customers_then"]),
        "of_order_value": (value / both["n_orders"], then / both["n_orders_then"]),
    }
    mean = _logarithmic_mean(value.to_numpy(float), then.to_numpy(float))
    effects = {name: mean * np.log(one / other) for name, (one, other) in factors.items()}
    sizes = {"n_then": both["n_customers_then"], "n_now": both["n_customers"], "then": then, "now": value}
    return both[_KEYS].assign(**sizes, revenue_change=value - then, **effects)


def _logarithmic_mean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (a − b) / (ln a − ln b), a where they are equal."""
    equal = np.isclose(one, other, rtol=1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(equal, one, (one - other) / (np.log(one) - np.log(other)))
