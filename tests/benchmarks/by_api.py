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


def segment(shop: rk.Shop) -> pd.DataFrame:
    """Return the counts of cohorts by month of those who came by a partner's e-mail."""
    return shop.where("acquisition_channel = 'email_partner'").counts("cohort_counts", grain="month")


def segments(shop: rk.Shop) -> pd.DataFrame:
    """Return the counts of cohorts by month of each loyalty tier; who is in none is in no table of the analyst's."""
    tiers = shop.by("loyalty_tier")
    found = pd.concat([tiers[name].counts("cohort_counts", grain="month") for name in tiers])
    found[["market", "loyalty_tier"]] = found["market"].str.split(":", expand=True).to_numpy()
    return found[found["loyalty_tier"] != "none"]


def integers(answer: pd.DataFrame) -> pd.DataFrame:
    """Return an answer's integers as rows of the markets' closed cells or quarters."""
    closed = answer[(answer["complete"] == 1) & (answer["market"] != "ALL")]
    if "rule" in closed:
        sets = ["n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed"]
        return closed.loc[closed["rule"] == "window", ["period", *sets, "market"]]
    return closed[[*(name for name in ("loyalty_tier",) if name in closed), "market", "cohort", "age", "n_active"]]
