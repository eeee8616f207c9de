"""RFM segments and the concentration of value: who is worth most, and what became of whom.

Scores are cut at values, never through equals, and all markets share the cuts: a 5 means the same everywhere.
"""

import numpy as np
import pandas as pd

from retention_kit.messages import N_

SCORES = (2, 3, 4, 5)
SEGMENTS = {
    "champions": N_("ordered lately, and often"),
    "loyal": N_("order often; silent for a while"),
    "growing": N_("ordered lately, a few times"),
    "new": N_("ordered lately, for the first time"),
    "in between": N_("ordered a few times; silent for a while"),
    "slipping away": N_("used to order often; silent for long"),
    "long gone": N_("ordered seldom; silent for long"),
}
"""The segments, most valuable first, and what they are."""
TOP_SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def rfm_cuts(rfm_counts: pd.DataFrame, spend_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the cut points of recency, frequency and money, fifths of the customers of all markets together.

    A score of s goes to values beyond which, on the worse side, at least (s − 1) / 5 of the customers lie. Equal values
    are never parted: where half of all have ordered once, all of them score 1, and who has ordered twice scores 3.

    Parameters
    ----------
    rfm_counts, spend_counts : of all markets, without the group.

    Returns
    -------
    One row per `score` from 2 to 5: `recency`, greatest units since the last order; `frequency`, least order days;
    `money`, least net revenue in thousandths of the market's mean.
    """
    worst_first = rfm_counts.assign(recency=rfm_counts["age"] - rfm_counts["recency"])
    of_market = spend_counts.groupby("market")[["n_customers", "revenue_minor"]].transform("sum")
    mean = of_market["revenue_minor"] / of_market["n_customers"]
    money = np.floor(1000 * spend_counts["revenue_minor"] / spend_counts["n_customers"] / mean)
    return pd.DataFrame(
        {
            "score": SCORES,
            "recency": -_cuts(-worst_first["recency"], worst_first["n_customers"]),
            "frequency": _cuts(rfm_counts["frequency"] + 1, rfm_counts["n_customers"]),
            "money": _cuts(money, spend_counts["n_customers"]),
        }
    )


def segment(r_score: int, f_score: int) -> str:
    """Return the segment of scores of recency and frequency."""
    if r_score >= 4:
        return "champions" if f_score >= 4 else "growing" if f_score >= 2 else "new"
    if r_score == 3:
        return "loyal" if f_score >= 4 else "in between"
    return "slipping away" if f_score >= 3 else "long gone"


def segments(segment_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the segments of one market: how many customers, and what share of the revenue they brought.

    Parameters
    ----------
    segment_counts : from `counts.segment_counts`, of one market.

    Returns
    -------
    One row per segment with customers, most valuable first: `segment`, `meaning`, `n_customers`, `share_of_customers`,
    `revenue_minor`, `share_of_revenue`, `order_days` per customer.
    """
    named = segment_counts.assign(
        segment=[segment(r, f) for r, f in zip(segment_counts["r_score"], segment_counts["f_score"], strict=True)]
    )
    table = named.groupby("segment")[["n_customers", "n_order_days", "revenue_minor"]].sum()
    table = table.reindex([name for name in SEGMENTS if name in table.index]).reset_index()
    revenue = table["revenue_minor"].sum()
    return table.assign(
        meaning=table["segment"].map(SEGMENTS),
        share_of_customers=table["n_customers"] / table["n_customers"].sum(),
        share_of_revenue=table["revenue_minor"] / revenue if revenue > 0 else np.nan,
        order_days=table["n_order_days"] / table["n_customers"],
    )


def concentration(table: pd.DataFrame, *, value: str, by: str, min_cell: int) -> pd.DataFrame:
    """Return what share of the value the best customers hold.

    Parameters
    ----------
    table : rows of customers alike: `n_customers`, and
    value : the column of what they bring together.
    by : the column of what each brings, by which they are ordered; equals share alike.
    min_cell : least number of customers that a share is shown of.

    Returns
    -------
    One row per top share of the customers, 1 % to 50 %, that is of so many customers at least: `top_share`,
    `n_customers`, `share_of_value`. Empty where there is no value.
    """
    alike = table.groupby(by)[["n_customers", value]].sum().sort_index(ascending=False)
    n, total = alike["n_customers"].sum(), alike[value].sum()
    if total <= 0:
        return pd.DataFrame(columns=["top_share", "n_customers", "share_of_value"])
    reached = np.concatenate([[0.0], alike["n_customers"].cumsum() / n])
    held = np.concatenate([[0.0], alike[value].cumsum() / total])
    shares = np.array([share for share in TOP_SHARES if share * n >= min_cell])
    return pd.DataFrame(
        {
            "top_share": shares,
            "n_customers": np.round(shares * n).astype(int),
            "share_of_value": np.interp(shares, reached, held),
        }
    )


def _cuts(values: pd.Series, n: pd.Series) -> np.ndarray:
    """Return for each score the least value below which at least (score − 1) / 5 of the customers lie."""
    counted = n.groupby(values).sum().sort_index()
    below = (counted.cumsum() - counted) / counted.sum()
    least = []
    for score in SCORES:
        beyond = below[below >= (score - 1) / 5]
        least.append(beyond.index[0] if len(beyond) else counted.index[-1] + 1)
    return np.array(least, dtype="int64")
