"""The active base: who stayed, who left, who came, who came back; exact rates beside the textbook's.

S = active at the start, E = active at the end, N = new, R = retained, X = reactivated, L = lapsed.
A period that is not over at `as_of` has no rate: it is absent here.
"""

import pandas as pd

from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns
from retention_kit.metrics.registry import metric
from retention_kit.metrics.rows import where

_KEYS = ["market", "grain", "rule", "period", "left_truncated"]


def _closed(activity_counts: pd.DataFrame) -> pd.DataFrame:
    return activity_counts[activity_counts["complete"] == 1].reset_index(drop=True)


@metric(unit="share of customers", range=(0, 1), source="by definition: R / S", label=N_("Customer retention rate"))
def customer_retention_rate(activity_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of the customers active at the start of a period who are active at its end: R / S.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain, rule and closed period: `n_start`, `n_retained`, `customer_retention_rate` (NaN for
    S = 0), and `lower`, `upper`, Wilson.
    """
    closed = _closed(activity_counts)[[*_KEYS, "n_start", "n_retained"]]
    return share_columns(closed, "customer_retention_rate", count="n_retained", n="n_start", conf_level=conf_level)


@metric(unit="share of customers", range=(0, 1), source="by definition: L / S = 1 − CRR", label=N_("Churn rate"))
def churn_rate(activity_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of the customers active at the start of a period who are not active at its end: L / S.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain, rule and closed period: `n_start`, `n_lapsed`, `churn_rate` (NaN for S = 0), and
    `lower`, `upper`, Wilson.
    """
    closed = _closed(activity_counts)[[*_KEYS, "n_start", "n_lapsed"]]
    return share_columns(closed, "churn_rate", count="n_lapsed", n="n_start", conf_level=conf_level)


@metric(unit="ratio of customers", range=(0, None), source="textbook: (E − N) / S", label=N_("Textbook retention rate"))
def textbook_retention_rate(activity_counts: pd.DataFrame) -> pd.DataFrame:
    """Customers at the end who are not new, over customers at the start: (E − N) / S.

    No share: those who came back count as if they had stayed, so it can pass 1. Shown beside the exact rate.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain, rule and closed period: `textbook_retention_rate`, NaN for S = 0.
    """
    closed = _closed(activity_counts)
    ratio = (closed["n_end"] - closed["n_new"]) / closed["n_start"].where(closed["n_start"] > 0)
    return closed[_KEYS].assign(textbook_retention_rate=ratio)


@metric(unit="ratio of customers", range=(None, 1), source="textbook: (S − E) / S", label=N_("Textbook churn rate"))
def textbook_churn_rate(activity_counts: pd.DataFrame) -> pd.DataFrame:
    """Customers by which the base shrank, over customers at the start: (S − E) / S.

    No share: new customers hide those who left, so it can be negative. Shown beside the exact rate.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain, rule and closed period: `textbook_churn_rate`, NaN for S = 0.
    """
    closed = _closed(activity_counts)
    ratio = (closed["n_start"] - closed["n_end"]) / closed["n_start"].where(closed["n_start"] > 0)
    return closed[_KEYS].assign(textbook_churn_rate=ratio)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: active, and not new / all ever acquired before",
    label=N_("Active of all customers ever"),
)
def ever_customers_active_share(activity_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of all customers ever acquired before a period who order in it: nobody is ever let go.

    By rule `period` only. It falls as a business grows old: those who left long ago stay below the line.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain and closed period: `n_ever`, customers acquired before it, `n_active`, of them, with an
    order in it, `ever_customers_active_share`, `lower`, `upper`, Wilson; NaN where nobody had been acquired.
    """
    rows = where(activity_counts, rule="period").sort_values(["market", "grain", "period"], ignore_index=True)
    acquired = rows.groupby(["market", "grain"])["n_new"].cumsum() - rows["n_new"]
    rows = rows.assign(n_ever=acquired, n_active=rows["n_end"] - rows["n_new"])
    closed = _closed(rows)[["market", "grain", "period", "n_ever", "n_active"]]
    return share_columns(closed, "ever_customers_active_share", count="n_active", n="n_ever", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: R / S, by windows of other lengths",
    label=N_("Retention rate by activity window"),
)
def retention_by_window(window_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Customer retention rate of the last closed period, by the length of the activity window: how much it decides.

    Parameters
    ----------
    window_counts : (n_windows, 7), from `counts.window_counts`.

    Returns
    -------
    One row per market, grain, period and window_days: `n_start`, `n_retained`, `n_end`, `retention_by_window`,
    `lower`, `upper`, Wilson.
    """
    return share_columns(
        window_counts.reset_index(drop=True),
        "retention_by_window",
        count="n_retained",
        n="n_start",
        conf_level=conf_level,
    )


@metric(
    unit="customers gained per customer lost",
    range=(0, None),
    source="by definition: (N + X) / L",
    label=N_("Quick ratio"),
)
def growth_accounting(activity_counts: pd.DataFrame) -> pd.DataFrame:
    """Customers at the start, new, reactivated, lapsed and at the end of a period; quick ratio (N + X) / L.

    Parameters
    ----------
    activity_counts : (n_periods, 12), from `counts.activity_counts`.

    Returns
    -------
    One row per market, grain, rule and closed period: `n_start`, `n_new`, `n_reactivated`, `n_lapsed`, `n_end` and
    `growth_accounting`, the quick ratio, NaN for L = 0.
    """
    closed = _closed(activity_counts)
    gained = closed["n_new"] + closed["n_reactivated"]
    sets = ["n_start", "n_new", "n_reactivated", "n_lapsed", "n_end"]
    return closed[_KEYS + sets].assign(growth_accounting=gained / closed["n_lapsed"].where(closed["n_lapsed"] > 0))
