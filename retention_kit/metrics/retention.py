"""Cohort retention: who of those who came together is active at each age.

A cell that is not over at `as_of` is absent, and stands in no average, neither above nor below the line.
"""

import pandas as pd

from retention_kit.metrics.intervals import CONF_LEVEL, share_columns
from retention_kit.metrics.registry import metric

_COHORT = ["market", "grain", "cohort"]


def _sized(cohort_counts: pd.DataFrame) -> pd.DataFrame:
    """Return the closed cells with `n`, the cohort's size: its customers at age 0."""
    sizes = cohort_counts.query("age == 0")[[*_COHORT, "n_active"]].rename(columns={"n_active": "n"})
    return cohort_counts.query("complete == 1").merge(sizes, on=_COHORT, validate="many_to_one")


@metric(unit="share of customers", range=(0, 1), source="by definition: active at the age / cohort size")
def classic_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of a cohort with a kept order exactly at each age, in whole periods since the cohort's; 1 at age 0.

    Parameters
    ----------
    cohort_counts : (n_cells, 9), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain, cohort and age that is over: `n`, `n_active`, `classic_retention`, `lower`,
    `upper`, Wilson.
    """
    cells = _sized(cohort_counts)[[*_COHORT, "age", "left_truncated", "n", "n_active"]]
    return share_columns(cells, "classic_retention", count="n_active", n="n", conf_level=conf_level)


@metric(unit="share of customers", range=(0, 1), source="by definition: Σ active / Σ size over complete cohorts")
def pooled_retention(cohort_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of customers with a kept order at each age, over all cohorts that have reached it.

    Large cohorts weigh more, so one small cohort cannot bend the curve. A left-truncated cohort holds customers of
    before the data begin, who are no newcomers: it is left out.

    Parameters
    ----------
    cohort_counts : (n_cells, 9), from `counts.cohort_counts`.

    Returns
    -------
    One row per market, grain and age: `n_cohorts`, `n`, `n_active`, `pooled_retention`, `lower`, `upper`, Wilson.
    """
    ages = (
        _sized(cohort_counts)
        .query("left_truncated == 0")
        .groupby(["market", "grain", "age"], as_index=False)
        .agg(n_cohorts=("cohort", "size"), n=("n", "sum"), n_active=("n_active", "sum"))
    )
    return share_columns(ages, "pooled_retention", count="n_active", n="n", conf_level=conf_level)
