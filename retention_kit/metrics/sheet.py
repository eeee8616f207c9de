"""A market's sheet: its headlines and tables, each number with n, interval, definition and window.

The one place where the families meet; the report, its machine-readable twin and `retention-kit metrics` all show this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from retention_kit.config import Market
from retention_kit.errors import MetricError
from retention_kit.metrics import base, differences, orders, retention
from retention_kit.metrics.headline import Headline
from retention_kit.metrics.headlines import headlines
from retention_kit.metrics.suppression import hide_small
from retention_kit.periods import label

_CELLS: dict[str, dict[str, list[str]]] = {
    # the end of one period is the start of the next: both must be large enough
    "active_base": {"n": ["n_start", "n_end"], "keys": ["rule", "period", "left_truncated"], "within": ["rule"]},
    "cohort_retention": {"n": ["n"], "keys": ["cohort", "age", "left_truncated"], "within": ["age"]},
    "pooled_retention": {"n": ["n"], "keys": ["age"]},
    "orders": {"n": ["n_customers"], "keys": ["period", "complete"]},
    "returned": {"n": ["n_observed"], "keys": ["cut", "value", "horizon_days"], "within": ["cut", "horizon_days"]},
}
"""Each table's columns of customers, the columns that name its rows, and which of its rows add up to a total."""


@dataclass(frozen=True)
class Sheet:
    """The headlines and tables of one market, as of one instant."""

    market: Market
    as_of: str
    min_cell: int
    grain: str
    base_grain: str
    headlines: Mapping[str, Headline]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)


def market_sheet(
    tables: Mapping[str, pd.DataFrame],
    *,
    market: Market,
    as_of: str,
    grain: str,
    base_grain: str,
    min_cell: int,
) -> Sheet:
    """Return the sheet of one market from its counts tables.

    Parameters
    ----------
    tables : the market's counts tables by name; none is changed.
    market : its names, money and assumptions.
    as_of : first instant not observed.
    grain : length of the periods of cohorts and trends.
    base_grain : length of the periods over which customers are retained or lost.
    min_cell : least number of customers about whom a rate is shown.

    Raises
    ------
    MetricError : the customer sets do not add up (E = R + N + X, S = R + L).
    """
    reconcile(tables["activity_counts"])
    shown = {
        "active_base": _active_base(tables["activity_counts"], grain=base_grain),
        "cohort_retention": _cohorts(tables["cohort_counts"], grain=grain),
        "orders": _orders(tables["order_counts"], market=market, grain=grain),
        "returned": _returned(tables["cut_counts"]),
    }
    hidden = {name: hide_small(table, **_CELLS[name], min_cell=min_cell) for name, table in shown.items()}
    pooled = _pooled(tables["cohort_counts"], hidden["cohort_retention"], grain=grain)
    hidden["pooled_retention"] = hide_small(pooled, **_CELLS["pooled_retention"], min_cell=min_cell)
    found = headlines(tables, market=market, as_of=as_of, base_grain=base_grain, min_cell=min_cell)
    ordered = {name: hidden[name] for name in _CELLS}
    return Sheet(market, as_of, min_cell, grain, base_grain, {h.id: h for h in found}, ordered)


def reconcile(activity_counts: pd.DataFrame) -> None:
    """Check that customers add up: retained + new + reactivated = end, retained + lapsed = start.

    Raises
    ------
    MetricError : they do not, with the numbers of the first period in which they do not.
    """
    end = activity_counts[["n_retained", "n_new", "n_reactivated"]].sum(axis=1)
    start = activity_counts[["n_retained", "n_lapsed"]].sum(axis=1)
    wrong = activity_counts[(end != activity_counts["n_end"]) | (start != activity_counts["n_start"])]
    if len(wrong):
        row = wrong.iloc[0]
        counts = ", ".join(f"{name} {row[name]}" for name in wrong if name.startswith("n_"))
        raise MetricError(
            "The customers of a period do not add up: E = R + N + X and S = R + L must hold.",
            found=f"{row['market']}, {label(row['period'], grain=row['grain'])}, rule {row['rule']}: {counts}",
            to_try="count again without the counts store; if it stays, report it: it is a fault of the kit",
        )


def _of_grain(table: pd.DataFrame, grain: str) -> pd.DataFrame:
    return table[table["grain"] == grain].reset_index(drop=True)


def _labelled(table: pd.DataFrame, column: str, *, grain: str) -> pd.DataFrame:
    return table.assign(**{column: [label(period, grain=grain) for period in table[column]]})


def _active_base(activity_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    counts = _of_grain(activity_counts, grain)
    keys = ["rule", "period"]
    table = base.growth_accounting(counts).merge(
        base.customer_retention_rate(counts)[[*keys, "n_retained", "customer_retention_rate", "lower", "upper"]],
        on=keys,
    )
    for other in (base.churn_rate, base.textbook_retention_rate, base.textbook_churn_rate):
        table = table.merge(other(counts)[[*keys, other.__name__]], on=keys)
    table = table.rename(columns={"growth_accounting": "quick_ratio"}).drop(columns=["market", "grain"])
    had_customers = ((table["n_start"] > 0) | (table["n_end"] > 0)).groupby(table["rule"]).cummax()
    return _labelled(table[had_customers].reset_index(drop=True), "period", grain=grain)


def _cohorts(cohort_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    table = retention.classic_retention(_of_grain(cohort_counts, grain)).drop(columns=["market", "grain"])
    return _labelled(table, "cohort", grain=grain)


def _pooled(cohort_counts: pd.DataFrame, cohort_retention: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the pooled curve over the cells that are shown: no hidden one can be had by subtraction."""
    counts = _labelled(_of_grain(cohort_counts, grain), "cohort", grain=grain)
    open_cells = pd.MultiIndex.from_frame(cohort_retention.loc[~cohort_retention["hidden"], ["cohort", "age"]])
    shown = pd.MultiIndex.from_frame(counts[["cohort", "age"]]).isin(open_cells)
    return retention.pooled_retention(counts.assign(complete=shown.astype(int))).drop(columns=["market", "grain"])


def _orders(order_counts: pd.DataFrame, *, market: Market, grain: str) -> pd.DataFrame:
    """Return customers, orders and money of each period; the running one stays, marked by `complete` 0."""
    counts = _of_grain(order_counts, grain)
    table = counts[["period", "complete", "n_customers", "n_orders"]]
    if "revenue_minor" in counts:
        value_of_order = orders.average_order_value(counts, minor_per_unit=market.minor_per_unit)
        table = table.assign(revenue=counts["revenue_minor"] / market.minor_per_unit).merge(
            value_of_order[["period", "average_order_value"]], on="period", how="left"
        )
    return _labelled(table, "period", grain=grain)


def _returned(cut_counts: pd.DataFrame) -> pd.DataFrame:
    return differences.returned_share(cut_counts).drop(columns="market")
