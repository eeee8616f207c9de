"""What keeps customers: those who got something beside others who can be compared. Nothing here was randomised.

Compared are customers of the same market, cohort, acquisition channel and language, all still to come back on the day
by which it is known who got it. What is left is a difference: an effect only a test can show.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from retention_kit.errors import MetricError, unknown_name
from retention_kit.metrics.intervals import CONF_LEVEL

_STRATA = ["market", "cohort", "acquisition_channel", "language"]


@dataclass(frozen=True)
class Strategy:
    """Something a company does to keep customers: what tells who got it, against whom, and which column says so.

    `chosen`: customers choose it themselves, so that part of a difference is who they are.
    """

    name: str
    value: str
    other: str
    column: str
    chosen: bool = False


STRATEGIES: Mapping[str, Strategy] = {
    "onboarding": Strategy("localised onboarding", "own language", "other language", "tickets.language"),
    "communication": Strategy("follow-up within a week", "reached in a week", "not reached", "engagement.kind", True),
    "translation": Strategy("automated translation", "", "", "tickets.translated, for each contact"),
    "support": Strategy("support within a day", "within 24 hours", "slow", "tickets.first_response_at"),
    "loyalty": Strategy(
        "loyalty programme", "joined within 30 days", "not joined", "customers.loyalty_joined_at", True
    ),
    "personalisation": Strategy("first order from a campaign", "campaign", "no campaign", "orders.campaign"),
    "feedback": Strategy("low scores followed up", "followed up", "not followed up", "surveys.followed_up_at"),
    "referral": Strategy("referred by a customer", "referred", "not referred", "customers.referred_by"),
    "values": Strategy("shared values", "agrees", "does not agree", "surveys, the question 'values',", True),
    "payment": Strategy("local payment method", "local", "other", "orders.payment_method"),
    "education": Strategy("education", "viewed content", "viewed nothing", "engagement.kind", True),
    "delivery": Strategy("delivery on time", "on time", "late", "orders.promised_at and orders.delivered_at"),
    "coupon": Strategy("coupon on the first order", "coupon", "no coupon", "orders.coupon"),
}
"""The strategies that documents on retention across markets name, and how the data tell who got which."""


def matched_difference(
    strategy_counts: pd.DataFrame, *, value: str, other: str, conf_level: float = CONF_LEVEL
) -> dict[str, float]:
    """Return the difference in returned share of two values, raw and within strata of comparable customers.

    Strata are weighed as by Mantel and Haenszel (1959), n₁n₀ / (n₁ + n₀); the interval is Wald's on the weighted sum,
    with half a customer added to each side of a share, so that strata of a few are not taken as certain.

    Parameters
    ----------
    strategy_counts : of one strategy, from `counts.strategy_counts`, of any number of markets.
    value, other : the two values compared.

    Returns
    -------
    `n_value`, `n_other`, `raw`; `n_matched`, of those with `value`, with somebody to be compared with; `share_value`,
    `share_other`, of the matched, weighed alike; `difference`, `lower`, `upper`; `e_value`, `e_value_of_interval`.

    Raises
    ------
    MetricError : nobody to compare in any stratum.
    """
    rows = strategy_counts[strategy_counts["value"].isin([value, other])]
    wide = rows.pivot_table(
        index=_STRATA, columns="value", values=["n_observed", "n_returned"], aggfunc="sum", fill_value=0
    )
    columns = pd.MultiIndex.from_product([["n_observed", "n_returned"], [value, other]])
    wide = wide.reindex(columns=columns, fill_value=0)
    everybody = wide.sum()
    wide = wide[(wide["n_observed"] > 0).all(axis=1)]
    if wide.empty:
        raise MetricError(f"Nobody with '{value}' can be compared with anybody with '{other}'.")
    (n1, x1), (n0, x0) = ((wide["n_observed", v], wide["n_returned", v]) for v in (value, other))
    weight = n1 * n0 / (n1 + n0)
    weight = weight / weight.sum()
    p1, p0 = ((x1 / n1 * weight).sum(), (x0 / n0 * weight).sum())
    variance = sum(
        (weight**2 * ((x + 0.5) / (n + 1)) * (1 - (x + 0.5) / (n + 1)) / n).sum() for x, n in ((x1, n1), (x0, n0))
    )
    half = norm.ppf((1 + conf_level) / 2) * np.sqrt(variance)
    raw = [
        everybody["n_returned", v] / everybody["n_observed", v] if everybody["n_observed", v] else np.nan
        for v in (value, other)
    ]
    lower, upper = p1 - p0 - half, p1 - p0 + half
    near = lower if p1 > p0 else upper
    return {
        "n_value": int(everybody["n_observed", value]),
        "n_other": int(everybody["n_observed", other]),
        "raw": float(raw[0] - raw[1]),
        "n_matched": int(n1.sum()),
        "share_value": float(p1),
        "share_other": float(p0),
        "difference": float(p1 - p0),
        "lower": float(lower),
        "upper": float(upper),
        "e_value": e_value(p1, p0),
        "e_value_of_interval": 1.0 if lower <= 0 <= upper else e_value(p0 + near, p0),
    }


def e_value(share: float, other: float) -> float:
    """Return how strongly something hidden would have to go with both, as a risk ratio, to make this difference alone.

    VanderWeele & Ding 2017, Annals of Internal Medicine 167, 268-274.

    >>> round(e_value(0.39, 0.1), 2)
    7.26
    """
    if not (0 < share < 1 and 0 < other < 1):
        return np.nan
    ratio = max(share / other, other / share)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))


def scorecard(
    strategy_counts: pd.DataFrame, *, market: str, min_cell: int, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Return one row per strategy: who gets it, and how he comes back beside comparable others of the market.

    Parameters
    ----------
    strategy_counts : of all markets, from `counts.strategy_counts`.
    market : its code.
    min_cell : with fewer customers on a side the row says so and shows no number.

    Returns
    -------
    One row per strategy: `strategy`, `strength` ('matched', or 'no data'), `exposure`, the share who got it here, and
    `coverage`, in the other markets; `raw`; `difference`, `lower`, `upper`, matched; `matched_share` of those who got
    it; `e_value`, `e_value_of_interval`; `more_returning`, how many more of those without would come back if the
    difference were an effect; `note`, which column would answer where there is none.

    Raises
    ------
    UsageError : no customer of such a market was observed for 90 days (names the near miss).
    """
    markets = sorted(strategy_counts["market"].unique())
    if market not in markets:
        raise unknown_name("market with customers observed for 90 days", market, markets)
    counts = with_local_payment(strategy_counts)
    found = []
    for key, strategy in STRATEGIES.items():
        rows = counts[counts["strategy"] == key]
        here = rows[rows["market"] == market]
        sides = [here.loc[here["value"] == v, "n_observed"].sum() for v in (strategy.value, strategy.other)]
        row = {"strategy": strategy.name, "strength": "no data", "note": f"{strategy.column} would answer it"}
        if sum(sides) and min(sides) < min_cell:
            row["note"] = f"fewer than {min_cell} customers on one side"
        elif sum(sides):
            note = "customers choose it themselves: part of it is who they are" if strategy.chosen else ""
            row |= {"strength": "matched", "note": note} | _compared(
                here, rows, strategy, market, conf_level=conf_level
            )
        found.append(row)
    columns = ["strategy", "strength", "exposure", "coverage", "raw", "difference", "lower", "upper", "matched_share"]
    columns += ["e_value", "e_value_of_interval", "more_returning", "note"]
    return pd.DataFrame(found).reindex(columns=columns)


def with_local_payment(strategy_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with methods of payment told as 'local', used in one market only, or 'other'."""
    paid = strategy_counts["strategy"] == "payment"
    n_markets = strategy_counts[paid].groupby("value")["market"].nunique()
    local = strategy_counts["value"].map(n_markets) == 1
    if strategy_counts["market"].nunique() < 2:
        return strategy_counts[~paid]  # in one market every method is used in one market only
    return strategy_counts.assign(value=strategy_counts["value"].mask(paid, np.where(local, "local", "other")))


def _compared(here: pd.DataFrame, rows: pd.DataFrame, strategy: Strategy, market: str, *, conf_level: float) -> dict:
    try:
        found = matched_difference(here, value=strategy.value, other=strategy.other, conf_level=conf_level)
    except MetricError:
        return {"strength": "no data", "note": "nobody on one side is comparable with anybody on the other"}
    kept = ["raw", "difference", "lower", "upper", "e_value", "e_value_of_interval"]
    return {name: found[name] for name in kept} | {
        "exposure": found["n_value"] / (found["n_value"] + found["n_other"]),
        "coverage": _exposure(rows[rows["market"] != market], strategy),
        "matched_share": found["n_matched"] / found["n_value"],
        "more_returning": max(0.0, found["difference"]) * found["n_other"],
    }


def _exposure(rows: pd.DataFrame, strategy: Strategy) -> float:
    got, without = (rows.loc[rows["value"] == v, "n_observed"].sum() for v in (strategy.value, strategy.other))
    return got / (got + without) if got + without else np.nan
