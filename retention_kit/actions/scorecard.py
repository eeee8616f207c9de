"""What keeps customers: those who got something beside others who can be compared; an effect only where chance chose.

How sure a row can be is always told: randomised, by a test; matched, beside comparable customers; raw, beside whoever
did not get it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from retention_kit.actions.experiments import Trial
from retention_kit.actions.matching import (
    Difference,
    Sides,
    balance,
    e_value,
    e_value_of_interval,
    exact_difference,
    propensity_difference,
    raw_difference,
    sides,
)
from retention_kit.errors import unknown_name
from retention_kit.metrics.intervals import CONF_LEVEL

LEAST_MATCHED = 0.5
"""Share of those who got it with a comparable customer in their own stratum below which propensity is told instead."""
ALIKE = 0.1
"""Standardised mean difference below which two groups are taken for alike."""


@dataclass(frozen=True)
class Strategy:
    """Something a company does to keep customers: what tells who got it, against whom, and which column says so.

    `chosen`: customers choose it themselves, so that part of a difference is who they are.
    """

    value: str
    other: str
    column: str
    chosen: bool = False


STRATEGIES: Mapping[str, Strategy] = {
    "onboarding": Strategy("own language", "other language", "tickets.language, customers.language"),
    "communication": Strategy("reached in a week", "not reached", "engagement.kind", True),
    "translation": Strategy("own language", "another language", "tickets.language, customers.language"),
    "support": Strategy("within 24 hours", "slow", "tickets.first_response_at"),
    "loyalty": Strategy("joined within 30 days", "not joined", "customers.loyalty_joined_at", True),
    "personalisation": Strategy("campaign", "no campaign", "orders.campaign"),
    "feedback": Strategy("followed up", "not followed up", "surveys.followed_up_at"),
    "referral": Strategy("referred", "not referred", "customers.referred_by"),
    "values": Strategy("agrees", "does not agree", "surveys.question = 'values'", True),
    "payment": Strategy("local", "other", "orders.payment_method"),
    "education": Strategy("viewed content", "viewed nothing", "engagement.kind", True),
    "delivery": Strategy("on time", "late", "orders.promised_at, orders.delivered_at"),
    "discount": Strategy("discount", "full price", "orders.discount_amount, orders.coupon"),
    "second_coupon": Strategy("coupon", "no coupon", "orders.coupon"),
    "consistency": Strategy("every promise kept", "a promise broken", "orders.promised_at, tickets.first_response_at"),
}
"""The strategies that documents on retention across markets name, and how the data tell who got which."""
_COLUMNS = (
    "strategy",
    "strength",
    "method",
    "n_got",
    "n_without",
    "exposure",
    "coverage",
    "raw",
    "difference",
    "lower",
    "upper",
    "by_propensity",
    "matched_share",
    "overlap",
    "imbalance_before",
    "imbalance",
    "e_value",
    "e_value_of_interval",
    "more_returning",
    "more_returning_lower",
    "more_returning_upper",
    "more_money",
    "more_money_lower",
    "more_money_upper",
    "note",
    "column",
)


def scorecard(
    strategy_counts: pd.DataFrame,
    *,
    market: str,
    minor_per_unit: int,
    min_cell: int,
    trials: Sequence[Trial] = (),
    conf_level: float = CONF_LEVEL,
) -> pd.DataFrame:
    """Return one row per strategy: who gets it, and how he comes back beside comparable others of the market.

    Parameters
    ----------
    strategy_counts : of all markets, from `counts.strategy_counts`.
    market : its code.
    minor_per_unit : of the market's money.
    min_cell : with fewer customers on a side the row says so and shows no number.
    trials : tests read in this market, from `trial`: a row each, where nothing forbids reading them.

    Returns
    -------
    One row per test and per strategy, columns: `strategy`; `strength`: 'randomised', 'matched', 'raw' or 'none';
    `method`: 'test', 'exact', or 'propensity' where fewer than half find a comparable customer in their own stratum;
    `n_got`, `n_without`; `exposure`, the share who got it, and `coverage`, that in the other markets; `raw`;
    `difference`, `lower`, `upper`; `by_propensity`, the same difference by the other method; `matched_share`;
    `overlap`; `imbalance_before`, `imbalance`, the largest standardised mean difference; `e_value`,
    `e_value_of_interval`; `more_returning`, how many more of those without would come back if the difference were an
    effect, and `more_money`, what they would bring, in units of currency, both with `_lower`, `_upper`; `note`:
    'chosen', 'few', 'column', 'unlike' or ''; `column`, which would answer it.

    Raises
    ------
    UsageError : no customer of such a market was observed for 90 days (names the near miss).
    """
    markets = sorted(strategy_counts["market"].unique())
    if market not in markets:
        raise unknown_name("market with customers observed for 90 days", market, markets)
    counts = with_local_payment(strategy_counts)
    rows = [_tested(found) for found in trials if not found.faults and len(found.outcomes)]
    for key, strategy in STRATEGIES.items():
        of_all = counts[counts["strategy"] == key]
        here = of_all[of_all["market"] == market]
        row = {"strategy": key, "strength": "none", "method": "", "note": "column", "column": strategy.column}
        smaller, n = _smaller_side(here, strategy)
        if n and smaller < min_cell:
            row["note"] = "few"
        elif n:
            coverage = _exposure(of_all[of_all["market"] != market], strategy)
            row |= _compared(here, strategy, minor_per_unit=minor_per_unit, conf_level=conf_level)
            row |= {"coverage": coverage}
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=list(_COLUMNS))


def balances(strategy_counts: pd.DataFrame, *, market: str, min_cell: int) -> pd.DataFrame:
    """Return how far those who got each strategy differ from the others, before and after.

    Parameters as of `scorecard`.

    Returns
    -------
    One row per strategy and characteristic: `strategy` and the columns of `balance`.
    """
    counts = with_local_payment(strategy_counts)
    found = []
    for key, strategy in STRATEGIES.items():
        here = counts[(counts["strategy"] == key) & (counts["market"] == market)]
        if _smaller_side(here, strategy)[0] >= max(min_cell, 1):
            rows = balance(sides(here, value=strategy.value, other=strategy.other))
            found.append(rows.assign(strategy=key))
    columns = ["strategy", "characteristic", "before", "exact", "propensity"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def with_local_payment(strategy_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts with methods of payment told as 'local', used in one market only, or 'other'."""
    paid = strategy_counts["strategy"] == "payment"
    n_markets = strategy_counts[paid].groupby("value")["market"].nunique()
    local = strategy_counts["value"].map(n_markets) == 1
    if strategy_counts["market"].nunique() < 2:
        return strategy_counts[~paid]  # in one market every method is used in one market only
    return strategy_counts.assign(value=strategy_counts["value"].mask(paid, np.where(local, "local", "other")))


def matched(two: Sides, *, conf_level: float = CONF_LEVEL) -> tuple[str, Difference, Difference]:
    """Return which method tells the difference of comparable customers, that difference, and that by propensity.

    Exact where at least half of those who got it have a comparable customer in their own stratum; else by propensity.
    """
    by_propensity = propensity_difference(two, conf_level=conf_level)
    if two.matched_share < LEAST_MATCHED:
        return "propensity", by_propensity, by_propensity
    return "exact", exact_difference(two, conf_level=conf_level), by_propensity


def _compared(here: pd.DataFrame, strategy: Strategy, *, minor_per_unit: int, conf_level: float) -> dict:
    two = sides(here, value=strategy.value, other=strategy.other)
    raw = raw_difference(two, conf_level=conf_level)
    method, found, by_propensity = matched(two, conf_level=conf_level)
    alike = balance(two)
    after = float(alike[method].max()) if len(alike) else 0.0
    n, n_other = int(two.n.sum()), int(two.n_other.sum())
    row = {
        "n_got": n,
        "n_without": n_other,
        "exposure": n / (n + n_other),
        "raw": raw.difference,
        "matched_share": two.matched_share,
        "overlap": two.overlap,
        "imbalance_before": float(alike["before"].max()) if len(alike) else 0.0,
        "imbalance": after,
        "by_propensity": by_propensity.difference,
        "strength": "matched",
        "method": method,
        "note": "chosen" if strategy.chosen else "",
        "column": "",
    }
    if method == "propensity" and after > ALIKE:
        found = raw  # neither way are the two groups alike
        row |= {"strength": "raw", "method": "", "note": "unlike", "by_propensity": np.nan, "imbalance": np.nan}
    without = here[here["value"] == strategy.other]
    returned = without["n_returned"].sum()
    of_one = without["later_minor"].sum() / returned / minor_per_unit if returned else np.nan
    return row | _sizes(found, n=n_other, money_of_one=of_one)


def _sizes(found: Difference, *, n: int, money_of_one: float) -> dict:
    row = {"difference": found.difference, "lower": found.lower, "upper": found.upper}
    row |= {"e_value": e_value(found.share_value, found.share_other), "e_value_of_interval": e_value_of_interval(found)}
    for name, end in (("", found.difference), ("_lower", found.lower), ("_upper", found.upper)):
        row |= {f"more_returning{name}": end * n, f"more_money{name}": end * n * money_of_one}
    return row


def _tested(found: Trial) -> dict:
    """Return the row of a test: chance chose, so that its difference is an effect."""
    ordered = found.outcomes.iloc[0]
    n = found.arms.set_index("arm")["n_observed"]
    row = {
        "strategy": f"{found.experiment}: {found.treatment}",
        "strength": "randomised",
        "method": "test",
        "n_got": int(n[found.treatment]),
        "n_without": int(n[found.control]),
        "exposure": n[found.treatment] / n.sum(),
        "raw": ordered["difference"],
        "note": "",
        "column": "",
    }
    money = found.outcomes[found.outcomes["unit"] == "money"]
    for name, end in (("", "difference"), ("_lower", "lower"), ("_upper", "upper")):
        row |= {end: ordered[end], f"more_returning{name}": ordered[end] * n[found.control]}
        row |= {f"more_money{name}": money[end].iloc[0] * n[found.control]} if len(money) else {}
    return row


def _smaller_side(rows: pd.DataFrame, strategy: Strategy) -> tuple[int, int]:
    """Return how many customers are on the smaller side, and on both."""
    n = [int(rows.loc[rows["value"] == value, "n_observed"].sum()) for value in (strategy.value, strategy.other)]
    return min(n), sum(n)


def _exposure(rows: pd.DataFrame, strategy: Strategy) -> float:
    got, without = (rows.loc[rows["value"] == v, "n_observed"].sum() for v in (strategy.value, strategy.other))
    return got / (got + without) if got + without else np.nan
