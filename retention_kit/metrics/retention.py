"""Cohort retention: who of those who came together is active at each age, and what they still bring.

Four questions, four kinds: `classic`, active exactly at an age; `unbounded`, at it or later; `cumulative`, at any age
from 1 to it; `bracket`, on some days of age. Ages are calendar periods since the cohort's, or, in brackets, 24-hour
days since each customer's first order. A cell that is not over at `as_of` is absent, and stands in no average, neither
above nor below the line.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from retention_kit.errors import MetricError
from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns
from retention_kit.metrics.registry import metric
from retention_kit.metrics.rows import where

BRACKETS = ((1, 7), (8, 14), (15, 30), (31, 60), (61, 90), (91, 180))
"""First and last day of age of each bracket, where no others are asked for."""

_COHORT = ["market", "grain", "cohort"]
_CELL = [*_COHORT, "age"]
_ENDLESS = 1_000_000


def _sized(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the closed cells with `n`, the cohort's size: its customers at age 0."""
    sizes = where(cohort_counts, age=0)[[*_COHORT, "n_active"]].rename(columns={"n_active": "n"})
    return where(cohort_counts, complete=1).merge(sizes, on=_COHORT, validate="many_to_one")


def _pooled(cells: pd.DataFrame, name: str, *, count: str, conf_level: float) -> pd.DataFrame:
    """Return a share at each age over all cohorts that have reached it, without those that are left-truncated."""
    ages = (
        where(cells, left_truncated=0)
        .groupby(["market", "grain", "age"], as_index=False)
        .agg(n_cohorts=("cohort", "size"), n=("n", "sum"), **{count: (count, "sum")})
    )
    return share_columns(ages, name, count=count, n="n", conf_level=conf_level)


def _seen_later(last_seen_counts: pd.DataFrame, cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the closed cells with `n_at_or_later`: customers whose last active age is the cell's or a later one."""
    last = last_seen_counts.rename(columns={"last_age": "age", "n_customers": "n_last"})
    every = cohort_counts[_CELL].merge(last, on=_CELL, how="left").fillna({"n_last": 0})
    every = every.sort_values(_CELL, ascending=False)
    every["n_at_or_later"] = every.groupby(_COHORT)["n_last"].cumsum().astype("int64")
    return _sized(cohort_counts).merge(every[[*_CELL, "n_at_or_later"]], on=_CELL, validate="one_to_one")


def _returned_by(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the closed cells with `n_returned`: customers active at any age from 1 to the cell's."""
    cells = _sized(cohort_counts).sort_values(_CELL, ignore_index=True)
    return cells.assign(n_returned=cells.groupby(_COHORT)["n_first_return"].cumsum())


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: active at the age / cohort size",
    label=N_("Came back at the age"),
)
def classic_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of a cohort with a kept order exactly at each age, in whole periods since the cohort's; 1 at age 0.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain, cohort and age that is over: `n`, `n_active`, `classic_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _sized(cohort_counts)[[*_CELL, "left_truncated", "n", "n_active"]]
    return share_columns(cells, "classic_retention", count="n_active", n="n", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: Σ active / Σ size over complete cohorts",
    label=N_("Came back at the age"),
)
def pooled_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of customers with a kept order at each age, over all cohorts that have reached it.

    Large cohorts weigh more, so one small cohort cannot bend the curve. A left-truncated cohort holds customers of
    before the data begin, who are no newcomers: it is left out.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain and age: `n_cohorts`, `n`, `n_active`, `pooled_retention`, `lower`, `upper`, Wilson.
    """
    return _pooled(_sized(cohort_counts), "pooled_retention", count="n_active", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: last active at the age or later / cohort size",
    label=N_("Came back at the age or later"),
)
def unbounded_retention(
    last_seen_counts: pd.DataFrame, *, cohort_counts: pd.DataFrame, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of a cohort with a kept order at each age or at any later one that is observed; it never rises with age.

    Later orders can still come: the share of a young cohort is what is known so far, and compares only with cohorts
    observed as long.

    Parameters
    ----------
    last_seen_counts : (n_cells, 5), from `counts.last_seen_counts`.
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`: which ages are over, and how large each cohort is.

    Returns
    -------
    One row per market, grain, cohort and age that is over: `n`, `n_at_or_later`, `unbounded_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _seen_later(last_seen_counts, cohort_counts)[[*_CELL, "left_truncated", "n", "n_at_or_later"]]
    return share_columns(cells, "unbounded_retention", count="n_at_or_later", n="n", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: Σ at the age or later / Σ size",
    label=N_("Came back at the age or later"),
)
def pooled_unbounded_retention(
    last_seen_counts: pd.DataFrame, *, cohort_counts: pd.DataFrame, conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of customers with a kept order at each age or later, over all cohorts that have reached it.

    Parameters
    ----------
    last_seen_counts : (n_cells, 5), from `counts.last_seen_counts`.
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain and age: `n_cohorts`, `n`, `n_at_or_later`, `pooled_unbounded_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _seen_later(last_seen_counts, cohort_counts)
    return _pooled(cells, "pooled_unbounded_retention", count="n_at_or_later", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: active at an age from 1 to this / cohort size",
    label=N_("Came back by the age"),
)
def cumulative_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of a cohort with a kept order at any age from 1 to each age; 0 at age 0, and it never falls.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain, cohort and age that is over: `n`, `n_returned`, `cumulative_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _returned_by(cohort_counts)[[*_CELL, "left_truncated", "n", "n_returned"]]
    return share_columns(cells, "cumulative_retention", count="n_returned", n="n", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: Σ active at an age from 1 to this / Σ size",
    label=N_("Came back by the age"),
)
def pooled_cumulative_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of customers with a kept order at any age from 1 to each age, over all cohorts that have reached it.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain and age: `n_cohorts`, `n`, `n_returned`, `pooled_cumulative_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _returned_by(cohort_counts)
    return _pooled(cells, "pooled_cumulative_retention", count="n_returned", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: ordered on days a to b / observed past b",
    label=N_("Ordered in the stretch of days"),
)
def bracket_retention(
    return_counts: pd.DataFrame,
    *,
    brackets: Sequence[tuple[int, int]] = BRACKETS,
    conf_level: float = CONF_LEVEL,
) -> pd.DataFrame:
    """Share of customers with a kept order on the days a to b of their age, of those observed to the end of day b.

    Day 0 is the 24 hours from the first order on, by the market's clock. Brackets that begin with day 1 are
    cumulative: back by the end of day b.

    Parameters
    ----------
    return_counts : (n_cells, 6), from `counts.return_counts`.
    brackets : first and last day of each; their ends must be ends of stretches that were counted.

    Returns
    -------
    One row per market and bracket: `first_day`, `last_day`, `n_observed`, `n_returned`, `bracket_retention`,
    `lower`, `upper`, Wilson.

    Raises
    ------
    MetricError : a bracket ends within a stretch of days that was counted as one.
    """
    rows = [_bracket(return_counts, first, last, observed_from=last + 1) for first, last in brackets]
    table = pd.concat(rows, ignore_index=True).sort_values("market", kind="stable", ignore_index=True)
    return share_columns(table, "bracket_retention", count="n_returned", n="n_observed", conf_level=conf_level)


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: ordered on day d or later / observed past d",
    label=N_("Ordered on the day or later"),
)
def retention_from_day(
    return_counts: pd.DataFrame, *, days: Sequence[int] = (30, 60, 90, 180), conf_level: float = CONF_LEVEL
) -> pd.DataFrame:
    """Share of customers with a kept order on day d of their age or on any later one, of those whose day d is over.

    Unbounded: what comes after `as_of` is not in it, so that it grows with the time that customers are observed.

    Parameters
    ----------
    return_counts : (n_cells, 6), from `counts.return_counts`.
    days : first days of stretches that were counted; of a stretch of several days, all must be over.

    Returns
    -------
    One row per market and day: `first_day`, `n_observed`, `n_returned`, `retention_from_day`, `lower`, `upper`, Wilson.

    Raises
    ------
    MetricError : a day lies within a stretch of days that was counted as one.
    """
    rows = [_bracket(return_counts, day, _ENDLESS, observed_from=day + 1) for day in days]
    table = pd.concat(rows, ignore_index=True).sort_values("market", kind="stable", ignore_index=True)
    table = table.drop(columns="last_day")
    return share_columns(table, "retention_from_day", count="n_returned", n="n_observed", conf_level=conf_level)


def _bracket(return_counts: pd.DataFrame, first: int, last: int, *, observed_from: int) -> pd.DataFrame:
    """Return, of each market, who was observed and who ordered on some days of age."""
    from_day, to_day = (return_counts[name].to_numpy() for name in ("from_day", "to_day"))
    cut = ((from_day < first) & (to_day >= first)) | ((from_day <= last) & (to_day > last))
    if cut.any():
        split = return_counts.loc[cut].iloc[0]
        raise MetricError(
            f"The days {first} to {last} cut through a stretch of days that was counted as one.",
            found=f"days {split['from_day']} to {split['to_day']}",
            to_try=f"brackets = [[{first}, {last}]] in the profile, and count again",
        )
    of_market, markets = pd.factorize(return_counts["market"], sort=True)
    seen = return_counts["observed_day"].to_numpy() >= observed_from
    # the first stretch of a bracket in which somebody ordered tells of him, and no other one does
    firsts = (from_day >= first) & (from_day <= last) & (return_counts["before_day"].to_numpy() < first)
    n = return_counts["n_customers"].to_numpy()
    table = pd.DataFrame({"market": markets, "first_day": first, "last_day": last})
    for name, told in (("n_observed", seen & (from_day == 0)), ("n_returned", seen & firsts)):
        sums = np.zeros(len(markets), dtype="int64")
        np.add.at(sums, of_market[told], n[told])
        table[name] = sums
    return table


@metric(
    unit="ratio of revenue",
    range=(None, None),
    source="by definition: revenue at the age / revenue at age 0",
    label=N_("Revenue over that at age 0"),
)
def cohort_revenue_retention(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Net revenue of a cohort at each age over its net revenue at age 0, in the market's currency.

    No share: customers who spend more than at first make it pass 1.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain, cohort and age that is over: `n`, the cohort's size, `start_minor`, `revenue_minor`,
    `cohort_revenue_retention`, NaN where there was no revenue at age 0.
    """
    cells = _with_start(cohort_counts)[[*_CELL, "left_truncated", "n", "start_minor", "revenue_minor"]]
    return cells.assign(cohort_revenue_retention=_ratio(cells))


@metric(
    unit="ratio of revenue",
    range=(None, None),
    source="by definition: Σ revenue at the age / Σ revenue at age 0",
    label=N_("Revenue over that at age 0"),
)
def pooled_revenue_retention(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Net revenue at each age over that at age 0, over all cohorts that have reached it, in the market's currency.

    Parameters
    ----------
    cohort_counts : (n_cells, 10), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain and age: `n_cohorts`, `n`, `start_minor`, `revenue_minor`, `pooled_revenue_retention`.
    """
    sums = {name: (name, "sum") for name in ("n", "start_minor", "revenue_minor")}
    ages = (
        where(_with_start(cohort_counts), left_truncated=0)
        .groupby(["market", "grain", "age"], as_index=False)
        .agg(n_cohorts=("cohort", "size"), **sums)
    )
    return ages.assign(pooled_revenue_retention=_ratio(ages))


def _with_start(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    starts = where(cohort_counts, age=0, complete=1)[[*_COHORT, "revenue_minor"]]
    starts = starts.rename(columns={"revenue_minor": "start_minor"})
    return _sized(cohort_counts).merge(starts, on=_COHORT, validate="many_to_one")


def _ratio(cells: pd.DataFrame) -> pd.Series:
    return cells["revenue_minor"] / cells["start_minor"].where(cells["start_minor"] > 0)
