"""The kit's public API: an analyst's questions, each asked as the README asks it."""

import pandas as pd

import retention_kit as rk


def opened(*, as_of: str) -> rk.Shop:
    """Open the sample."""
    return rk.open("sample", as_of=as_of)


def first_cohort_table(shop: rk.Shop) -> pd.DataFrame:
    """Return the counts of cohorts by month, of all markets."""
    return shop.counts("cohort_counts", grain="month")


def market_table(shop: rk.Shop) -> rk.Table:
    """Return Denmark's cohort table: shares with their intervals, small groups hidden."""
    return shop.market("DK").cohorts(grain="month")


def changed_window(shop: rk.Shop) -> pd.DataFrame:
    """Return the customer sets of quarters, a customer being active for 60 days after an order."""
    return shop.window(days=60).counts("activity_counts", grain="quarter")


def changed_grain(shop: rk.Shop) -> pd.DataFrame:
    """Return the counts of cohorts by week, of all markets."""
    return shop.counts("cohort_counts", grain="week")


def integers(answer: pd.DataFrame) -> pd.DataFrame:
    """Return an answer's integers as rows of the markets' closed cells or quarters."""
    closed = answer[(answer["complete"] == 1) & (answer["market"] != "ALL")]
    if "rule" in closed:
        sets = ["n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed"]
        return closed.loc[closed["rule"] == "window", ["period", *sets, "market"]]
    return closed[["market", "cohort", "age", "n_active"]]
