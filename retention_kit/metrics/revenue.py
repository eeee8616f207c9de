"""Revenue of customers: what those who were there spend now, and whether customers, frequency or baskets moved it.

All in the market's own currency, by rule `period`: S ordered in the period before, E in this one. Revenue of those who
came back after a pause is in neither retention rate; the textbook's has it.
"""

import numpy as np
import pandas as pd

from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, LEAST_FOR_MONEY, in_buckets, redrawn, studentised_interval
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
    label=N_("Net revenue retention"),
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


@metric(
    unit="ratio of revenue",
    range=(None, 1),
    source="by definition: Σ min(now, then) / Σ then",
    label=N_("Gross revenue retention"),
)
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


@metric(
    unit="ratio of revenue",
    range=(None, None),
    source="textbook: (closing − new) / opening",
    label=N_("Textbook revenue retention"),
)
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
    unit="currency",
    range=(None, None),
    source="logarithmic mean: Ang 2004, LMDI-I; the effects add up to the change",
    label=N_("Change of net revenue"),
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
    now, then = (both[[f"{name}{of}" for name in numbers]].to_numpy(float) for of in ("", "_then"))
    effects = _effects(now, then, minor_per_unit=minor_per_unit)
    money = {"then": then[:, 2] / minor_per_unit, "now": now[:, 2] / minor_per_unit}
    return both[_KEYS].assign(n_then=both["n_customers_then"], n_now=both["n_customers"], **money, **effects)


EFFECTS = ("revenue_change", "of_customers", "of_frequency", "of_order_value")
"""The change of revenue, and what it is made of."""


def revenue_change_intervals(
    period_bucket_counts: pd.DataFrame, *, minor_per_unit: int, periods_back: int, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return the intervals of a change of revenue and of its effects, by drawing buckets of customers again.

    A customer of both periods is drawn in both, so that what is told is the customers, not the calendar.

    Parameters
    ----------
    period_bucket_counts : (n_markets × grains × 16 periods × up to 200 buckets, 7), from `counts.period_bucket_counts`.
    minor_per_unit, periods_back : as of `revenue_change`.

    Returns
    -------
    One row per market, grain and period with the earlier one: of each effect `…_lower` and `…_upper`, in units of
    currency, percentiles; NaN where a period has fewer than 100 customers, too few to be drawn from.
    """
    rows = []
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    for (market, grain), of_grain in period_bucket_counts.groupby(["market", "grain"]):
        sums = {period: in_buckets(rows_, _FACTORS) for period, rows_ in of_grain.groupby("period")}
        for period, now in sums.items():
            then = sums.get(period - periods_back)
            if then is None:
                continue
            ends = dict.fromkeys([f"{name}_{end}" for name in EFFECTS for end in ("lower", "upper")], np.nan)
            if min(now[:, 0].sum(), then[:, 0].sum()) >= LEAST_FOR_MONEY:
                for name, drawn in _effects(redrawn(now), redrawn(then), minor_per_unit=minor_per_unit).items():
                    ends[f"{name}_lower"], ends[f"{name}_upper"] = np.nanquantile(drawn, tails)
            rows.append({"market": market, "grain": grain, "period": period, **ends})
    columns = [*_KEYS, *(f"{name}_{end}" for name in EFFECTS for end in ("lower", "upper"))]
    return pd.DataFrame(rows, columns=columns)


_FACTORS = ["n_customers", "n_orders", "revenue_minor"]


def _effects(now: np.ndarray, then: np.ndarray, *, minor_per_unit: int) -> dict[str, np.ndarray]:
    """Return the change of revenue and its effects by name; customers, orders and revenue are the columns of both."""
    with np.errstate(divide="ignore", invalid="ignore"):
        (customers, orders, money), (customers_then, orders_then, money_then) = now.T, then.T
        mean = _logarithmic_mean(money / minor_per_unit, money_then / minor_per_unit)
        return {
            "revenue_change": (money - money_then) / minor_per_unit,
            "of_customers": mean * np.log(customers / customers_then),
            "of_frequency": mean * np.log((orders / customers) / (orders_then / customers_then)),
            "of_order_value": mean * np.log((money / orders) / (money_then / orders_then)),
        }


def pooled_revenue_retention_intervals(
    age_bucket_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return the intervals of `pooled_revenue_retention`, by drawing buckets of customers again.

    Parameters
    ----------
    age_bucket_counts : (n_markets × grains × 25 ages × up to 200 buckets, 7), from `counts.age_bucket_counts`.

    Returns
    -------
    One row per market, grain and age: `n`, customers; `pooled_revenue_retention`; `lower`, `upper`, bootstrap-t; NaN
    where there are fewer than 100 customers.
    """
    rows = []
    for (market, grain, age), buckets in age_bucket_counts.groupby(["market", "grain", "age"]):
        n, start = int(buckets["n"].sum()), buckets["start_minor"].sum()
        ends = studentised_interval(
            buckets, numerator="revenue_minor", denominator="start_minor", conf_level=conf_level
        )
        value = buckets["revenue_minor"].sum() / start if start > 0 else np.nan
        rows.append((market, grain, age, n, value, *(ends if n >= LEAST_FOR_MONEY else (np.nan, np.nan))))
    return pd.DataFrame(rows, columns=["market", "grain", "age", "n", "pooled_revenue_retention", "lower", "upper"])


def _logarithmic_mean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return (a − b) / (ln a − ln b), a where they are equal."""
    equal = np.isclose(one, other, rtol=1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(equal, one, (one - other) / (np.log(one) - np.log(other)))
