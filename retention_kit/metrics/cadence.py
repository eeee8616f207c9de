"""Cadence: how long until the next order, who places one, and how long a silence must be to mean something.

From the days between order days, closed by an order or still open at `as_of`. Who has been silent for a week only has
not failed to come back: open gaps leave the number at risk, as in survival.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns
from retention_kit.metrics.registry import metric
from retention_kit.metrics.rows import where
from retention_kit.metrics.survival import kaplan_meier, survival_at, survival_quantile

HORIZON_DAYS = 365
"""Days after an order within which a next one is looked for."""

WINDOW_SHARE = 0.9
"""Share of those who order again within the horizon that the derived activity window waits for."""

_GAP = {"duration": "gap_days", "n_ended": "n_closed", "n_running": "n_open"}


def _returned(gaps: pd.DataFrame, days: Sequence[int], *, conf_level: float) -> pd.DataFrame:
    """Return the Kaplan–Meier share with a next order day within days; NaN where nobody was observed that long."""
    curve = kaplan_meier(gaps, **_GAP, conf_level=conf_level)
    last = curve.iloc[-1]
    known = (np.asarray(days) <= last["duration"]) | (last["survival"] == 0)
    ends = {name: survival_at(curve, days, column=name) for name in ("survival", "lower", "upper")}
    at = {name: np.where(known, 1 - ends[of], np.nan) for name, of in
          (("share", "survival"), ("lower", "upper"), ("upper", "lower"))}  # fmt: skip
    return pd.DataFrame({"n": int(curve["n_at_risk"].iloc[0]), "n_days": days, **at})


@metric(
    unit="share of customers",
    range=(0, 1),
    source="Kaplan & Meier 1958: 1 − S(t) of the first gap",
    label=N_("Second order"),
)
def second_order_share(
    gap_counts: pd.DataFrame, *, days: Sequence[int] = (30, 60, 90, 180), conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of all customers with a second order day within so many days of the first, recent ones as far as seen.

    Beside `returned_share`, which asks only customers observed that long: this one uses all.

    Parameters
    ----------
    gap_counts : (n_gaps, 5), from `counts.gap_counts`.
    days : horizons.

    Returns
    -------
    One row per market and horizon: `n`, all customers, `n_days`, `second_order_share`, `lower`, `upper`, log-log
    Greenwood.
    """
    rows = [
        _returned(gaps, days, conf_level=conf_level).assign(market=market)
        for market, gaps in where(gap_counts, nth=1).groupby("market")
    ]
    return _gathered(rows, "second_order_share", ["market", "n_days", "n"])


@metric(
    unit="share of customers",
    range=(0, 1),
    source="Kaplan & Meier 1958: 1 − S(horizon) of the n-th gap",
    label=N_("Next order"),
)
def next_order_share(
    gap_counts: pd.DataFrame, *, within_days: int = HORIZON_DAYS, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of the customers with n order days who have a next one within a horizon: order n → n + 1.

    From the fifth order day on, all are taken together: there `n` counts order days, not customers.

    Parameters
    ----------
    gap_counts : (n_gaps, 5), from `counts.gap_counts`.
    within_days : the horizon.

    Returns
    -------
    One row per market and nth: `n` who had n order days, `n_days`, `next_order_share`, `lower`, `upper`, log-log
    Greenwood.
    """
    rows = [
        _returned(gaps, [within_days], conf_level=conf_level).assign(market=market, nth=nth)
        for (market, nth), gaps in gap_counts.groupby(["market", "nth"])
    ]
    return _gathered(rows, "next_order_share", ["market", "nth", "n_days", "n"])


def _gathered(rows: list[pd.DataFrame], name: str, keys: list[str]) -> pd.DataFrame:
    columns = [*keys, name, "lower", "upper"]
    if not rows:
        return pd.DataFrame(columns=columns)
    return pd.concat(rows, ignore_index=True).rename(columns={"share": name})[columns]


@metric(
    unit="days",
    range=(0, None),
    source="by definition: quantiles of the Kaplan–Meier curve of gaps that close",
    label=N_("Days between orders"),
)
def days_between_orders(
    gap_counts: pd.DataFrame, *, quantiles: Sequence[float] = (0.25, 0.5, 0.75, 0.9), within_days: int = HORIZON_DAYS
) -> pd.DataFrame:
    """Days from one order day to the next, of the gaps that close within a horizon: quantiles, open gaps censored.

    The mean of the gaps that have closed by `as_of` would be too short: long gaps are still open.

    Parameters
    ----------
    gap_counts : (n_gaps, 5), from `counts.gap_counts`.
    quantiles : shares of those gaps.
    within_days : the horizon, or the longest time observed where that is shorter.

    Returns
    -------
    One row per market and quantile: `n`, all gaps, `quantile`, `within_days`, `days_between_orders`; NaN where
    nobody came back.
    """
    rows = []
    for market, gaps in gap_counts.groupby("market"):
        curve = kaplan_meier(gaps, **_GAP)
        horizon, closed = _closed_within(curve, within_days)
        for share in quantiles:
            days = survival_quantile(curve, 1 - share * closed) if closed > 0 else np.nan
            rows.append((market, share, int(curve["n_at_risk"].iloc[0]), horizon, days))
    return pd.DataFrame(rows, columns=["market", "quantile", "n", "within_days", "days_between_orders"])


@metric(
    unit="days",
    range=(1, None),
    source="by definition: 90 % of the gaps that close within a year, open gaps censored",
    label=N_("Activity window by its own gaps"),
)
def activity_window(
    gap_counts: pd.DataFrame,
    *,
    share: float = WINDOW_SHARE,
    within_days: int = HORIZON_DAYS,
    conf_level: float = CONF_LEVEL,
) -> pd.DataFrame:
    """Days of silence after which most of those who ever order again within a year would have: the market's own window.

    The gaps of one customer are taken as independent of each other: the interval is rather too short than too long.

    Parameters
    ----------
    gap_counts : (n_gaps, 5), from `counts.gap_counts`.
    share : of those who order again within the horizon, how many the window waits for.
    within_days : the horizon, or the longest time observed where that is shorter.

    Returns
    -------
    One row per market: `n` gaps, `within_days`, `activity_window`, and `from_days`, `to_days`, where the interval of
    the curve passes the same share; NaN where nobody came back.
    """
    rows = []
    for market, gaps in gap_counts.groupby("market"):
        curve = kaplan_meier(gaps, **_GAP, conf_level=conf_level)
        horizon, closed = _closed_within(curve, within_days)
        level = 1 - share * closed
        ends = [max(survival_quantile(curve, level, column=column), 1.0) if closed > 0 else np.nan for column in
                ("survival", "lower", "upper")]  # fmt: skip
        rows.append((market, int(curve["n_at_risk"].iloc[0]), horizon, *ends))
    return pd.DataFrame(rows, columns=["market", "n", "within_days", "activity_window", "from_days", "to_days"])


def _closed_within(curve: pd.DataFrame, within_days: int) -> tuple[int, float]:
    """Return the horizon that is observed, and the share of gaps that close within it."""
    horizon = min(within_days, int(curve["duration"].iloc[-1]))
    return horizon, float(1 - survival_at(curve, [horizon])[0])


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: by days since the last order day",
    label=N_("Customers by silence"),
)
def silent_share(
    gap_counts: pd.DataFrame, *, activity_window_days: int, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of all customers by their silence: active, in the activity window; dormant, up to twice it; lapsed, longer.

    Parameters
    ----------
    gap_counts : (n_gaps, 5), from `counts.gap_counts`.
    activity_window_days : the window, in days since the last order day.

    Returns
    -------
    One row per market and state: `state`, `n`, all customers, `n_customers`, `silent_share`, `lower`, `upper`, Wilson.
    """
    window = activity_window_days
    state = np.select(
        [gap_counts["gap_days"] <= window, gap_counts["gap_days"] <= 2 * window], ["active", "dormant"], "lapsed"
    )
    sums = gap_counts.assign(state=state).pivot_table(
        index="market", columns="state", values="n_open", aggfunc="sum", fill_value=0
    )
    sums = sums.reindex(columns=["active", "dormant", "lapsed"], fill_value=0)
    rows = sums.reset_index().melt("market", var_name="state", value_name="n_customers")
    rows = rows.sort_values(["market", "state"], ignore_index=True)
    rows.insert(2, "n", rows.groupby("market")["n_customers"].transform("sum"))
    return share_columns(rows, "silent_share", count="n_customers", n="n", conf_level=conf_level)
