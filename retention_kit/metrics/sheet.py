"""A market's sheet: its headlines and tables, each number with n, interval, definition and window.

The one place where the families meet; the report, its machine-readable twin and `retention-kit metrics` all show this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError
from retention_kit.metrics import base, cadence, differences, disclosure, orders, retention, revenue
from retention_kit.metrics.changes import IN_A_YEAR, NO_CHANGE, Reading, where_it_changed, year_on_year
from retention_kit.metrics.group import compared_shares
from retention_kit.metrics.headline import Headline
from retention_kit.metrics.headlines import headlines
from retention_kit.metrics.rows import where
from retention_kit.metrics.sensitivity import sensitivity
from retention_kit.metrics.survival import kaplan_meier, survival_at
from retention_kit.periods import label

_STEP_DAYS = 30
"""Days between two points of the survival curve that is shown."""


@dataclass(frozen=True)
class Sheet:
    """The headlines and tables of one market, as of one instant.

    A hidden number is NaN; `hidden` says of each cell of each table whether it is, and a table's own column `hidden`
    whether a cell of the row is. What is not hidden and NaN is not there: nobody to take a share of.
    """

    market: Market
    as_of: str
    min_cell: int
    grain: str
    base_grain: str
    headlines: Mapping[str, Headline]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    hidden: Mapping[str, pd.DataFrame] = field(repr=False, default_factory=dict)
    refund_policy: str = ""
    segment: str = ""
    reading: Reading = NO_CHANGE

    @property
    def is_protected(self) -> bool:
        """Whether small groups are hidden; a profile's `min_cell = 1` shows everybody."""
        return self.min_cell > 1


def market_sheet(
    tables: Mapping[str, pd.DataFrame],
    *,
    market: Market,
    as_of: str,
    grain: str,
    base_grain: str,
    min_cell: int,
    compared: pd.DataFrame | None = None,
    hidden: pd.DataFrame | None = None,
    refund_policy: str = "",
    segment: str = "",
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
    compared : `market_comparison` of all markets; this one is compared with none where not given.
    hidden : of the same, the counts that are hidden in all that is published of each; worked out here where not given.
    refund_policy : when a refund counts, `order` or `processed`, to be told beside the definitions.
    segment : of which customers the counts are, to be told likewise; empty of all.

    Raises
    ------
    MetricError : the customer sets do not add up (E = R + N + X, S = R + L), or the revenue bridge does not close.
    """
    reconcile(tables["activity_counts"])
    reconcile_revenue(tables["revenue_counts"])
    if hidden is None:
        secret = disclosure.printed(tables, grain=grain, base_grain=base_grain).hidden(min_cell=min_cell)
    else:
        secret = disclosure.names_of(hidden, market.code)
    told = headlines(tables, market=market, as_of=as_of, base_grain=base_grain, min_cell=min_cell)
    open_cells = disclosure.open_cells(tables["cohort_counts"], secret, grain=grain)
    sheet = Sheet(
        market,
        as_of,
        min_cell,
        grain,
        base_grain,
        headlines={headline.id: headline for headline in told},
        tables=_tables(tables, open_cells, compared, market=market, grains=(grain, base_grain), min_cell=min_cell),
        refund_policy=refund_policy,
        segment=segment,
        reading=where_it_changed(open_cells, grain=grain),
    )
    needs = disclosure.counts_of_headlines(tables["activity_counts"], base_grain=base_grain)
    return _protected(sheet, secret, needs=needs)


def _tables(
    tables: Mapping[str, pd.DataFrame],
    open_cells: pd.DataFrame,
    compared: pd.DataFrame | None,
    *,
    market: Market,
    grains: tuple[str, str],
    min_cell: int,
) -> dict[str, pd.DataFrame]:
    """Return the tables of a sheet, nothing hidden, their periods as numbers."""
    grain, base_grain = grains
    windows = base.retention_by_window.frame(where(tables["window_counts"], grain=base_grain))
    gaps = tables["gap_counts"]
    following = cadence.next_order_share.frame(gaps[gaps["nth"] < disclosure.LAST_ORDER_DAY])
    found = {
        "active_base": _active_base(tables["activity_counts"], grain=base_grain),
        "cohort_retention": _without_keys(retention.classic_retention.frame(_of_grain(tables["cohort_counts"], grain))),
        "pooled_retention": _without_keys(retention.pooled_retention.frame(_of_grain(tables["cohort_counts"], grain))),
        "orders": _orders(tables["order_counts"], market=market, grain=grain),
        "returned": differences.returned_share.frame(tables["cut_counts"]).drop(columns="market"),
        "brackets": retention.bracket_retention.frame(tables["return_counts"]).drop(columns="market"),
        "windows": windows.drop(columns=["market", "grain", "period", "n_end"]),
        "next_order": following.drop(columns=["market", "n_days"]),
        "sensitivity": sensitivity(
            tables, grain=grain, base_grain=base_grain, activity_window_days=market.activity_window_days
        ),
        "survival": _survival(tables["lifetime_counts"], min_cell=min_cell),
        "compared": _compared(compared, market=market),
    }
    if "revenue_minor" in tables["order_counts"]:
        found |= _revenue(tables, market=market, grain=base_grain)
    return found | {"year_on_year": _year_on_year(open_cells, grain=grain)}


def _protected(
    sheet: Sheet, secret: frozenset[disclosure.Name], *, needs: Mapping[str, tuple[disclosure.Name, ...]]
) -> Sheet:
    """Return a sheet in which nothing is told that a hidden count is needed for, and its periods are written out."""
    facts = {"grain": sheet.grain, "base_grain": sheet.base_grain}
    tables, hidden = {}, {}
    for name, table in sheet.tables.items():
        cells = disclosure.hidden_cells(table, name, secret, **facts)
        numbers = dict.fromkeys(disclosure.NEEDS.get(name, {}).keys() & set(table), "float64")
        shown = table.astype(numbers).drop(columns=["of", "counted"], errors="ignore")
        shown = shown.mask(cells) if cells.any(axis=None) else shown
        if name in disclosure.NEEDS and name != "year_on_year":
            shown = shown.assign(hidden=cells.any(axis=1))
        for column, length in _PERIODS.get(name, {}).items():
            shown = _labelled(shown, column, grain=facts[length])
        tables[name], hidden[name] = shown, cells.reindex(columns=shown.columns, fill_value=False)
    told = {
        name: one.hidden_with(needs[name], secret, min_cell=sheet.min_cell) for name, one in sheet.headlines.items()
    }
    return replace(sheet, headlines=told, tables=tables, hidden=hidden)


_PERIODS = {
    "active_base": {"period": "base_grain"},
    "cohort_retention": {"cohort": "grain"},
    "orders": {"period": "grain"},
    "revenue_bridge": {"period": "base_grain"},
    "revenue_change": {"period": "base_grain"},
    "year_on_year": {"cohort": "grain"},
}
"""The column of periods of each table that has one, and which of the sheet's grains they are."""


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


def reconcile_revenue(revenue_counts: pd.DataFrame) -> None:
    """Check that revenue adds up: opening + expansion − contraction − lapsed + reactivated + new = closing.

    Raises
    ------
    MetricError : it does not, with the amounts of the first period in which it does not.
    """
    if "opening_minor" not in revenue_counts:
        return
    sums = revenue_counts[["opening_minor", "expansion_minor", "reactivated_minor", "new_minor"]].sum(axis=1)
    sums -= revenue_counts[["contraction_minor", "lapsed_minor"]].sum(axis=1)
    wrong = revenue_counts[sums != revenue_counts["closing_minor"]]
    if len(wrong):
        row = wrong.iloc[0]
        amounts = ", ".join(f"{name} {row[name]}" for name in wrong if name.endswith("_minor"))
        raise MetricError(
            "The revenue of a period does not add up: "
            "opening + expansion − contraction − lapsed + reactivated + new = closing must hold.",
            found=f"{row['market']}, {label(row['period'], grain=row['grain'])}: {amounts}",
            to_try="count again without the counts store; if it stays, report it: it is a fault of the kit",
        )


def _survival(lifetime_counts: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    """Return the survival of customers every thirty days, as long as enough of them are observed."""
    lives = lifetime_counts[lifetime_counts["kind"] == "orders"]
    columns = ["duration_days", "n", "survival", "lower", "upper"]
    n = int(lives[["n_ended", "n_running"]].sum().sum())
    if n < min_cell:
        return pd.DataFrame(columns=columns)
    curve = kaplan_meier(lives, duration="duration_days", n_ended="n_ended", n_running="n_running")
    last = curve.loc[curve["n_at_risk"] >= min_cell, "duration"].iloc[-1]
    days = list(range(0, int(last) + 1, _STEP_DAYS))
    ends = {name: survival_at(curve, days, column=name) for name in ("survival", "lower", "upper")}
    return pd.DataFrame({"duration_days": days, "n": n, **ends})


def _compared(compared: pd.DataFrame | None, *, market: Market) -> pd.DataFrame:
    """Return the shares of this market beside those of all others that are large enough to be shown."""
    if compared is None or market.code == GROUP:
        compared = compared_shares(pd.DataFrame(columns=["market", "metric", "count", "n"]))
    counts = compared.groupby("metric")["market"].size() if len(compared) else pd.Series(dtype=int)
    mine = compared[compared["market"] == market.code].reset_index(drop=True)
    return mine.assign(n_markets=mine["metric"].map(counts)).drop(columns="market")


def _revenue(tables: Mapping[str, pd.DataFrame], *, market: Market, grain: str) -> dict[str, pd.DataFrame]:
    """Return where revenue came from in each closed period, and what moved it against the year before."""
    per_unit = market.minor_per_unit
    bridge = where(tables["revenue_counts"], grain=grain, complete=1)
    table = bridge[["period"]].copy()
    for name in ("opening", "expansion", "contraction", "lapsed", "reactivated", "new", "closing"):
        table[name] = bridge[f"{name}_minor"] / per_unit
    for rate in (revenue.net_revenue_retention, revenue.gross_revenue_retention, revenue.textbook_revenue_retention):
        table = table.merge(rate.frame(bridge)[["period", rate.__name__]], on="period")
    sizes = where(tables["activity_counts"], grain=grain, rule="period")[["period", "n_start", "n_end"]]
    table = table.merge(sizes, on="period")
    change = revenue.revenue_change.frame(
        _of_grain(tables["order_counts"], grain), minor_per_unit=per_unit, periods_back=IN_A_YEAR[grain]
    )
    change = change.merge(
        revenue.revenue_change_intervals(
            where(tables["period_bucket_counts"], grain=grain), minor_per_unit=per_unit, periods_back=IN_A_YEAR[grain]
        ),
        on=["market", "grain", "period"],
        how="left",
    )
    return {"revenue_bridge": table, "revenue_change": _without_keys(change)}


def _year_on_year(cohort_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the share of each cohort and age beside that of the cohort a year before at the same age."""
    cells = year_on_year(cohort_counts, grain=grain)
    table = cells[["cohort", "age", "n", "n_then"]].assign(
        share=cells["n_active"] / cells["n"], share_then=cells["n_active_then"] / cells["n_then"]
    )
    return table.sort_values(["cohort", "age"], ignore_index=True)


def _of_grain(table: pd.DataFrame, grain: str) -> pd.DataFrame:
    return table[table["grain"] == grain].reset_index(drop=True)


def _without_keys(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=["market", "grain"])


def _labelled(table: pd.DataFrame, column: str, *, grain: str) -> pd.DataFrame:
    return table.assign(**{column: [label(period, grain=grain) for period in table[column]]})


def _active_base(activity_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    counts = _of_grain(activity_counts, grain)
    keys = ["rule", "period"]
    table = base.growth_accounting.frame(counts).merge(
        base.customer_retention_rate.frame(counts)[[*keys, "n_retained", "customer_retention_rate", "lower", "upper"]],
        on=keys,
    )
    for other in (base.churn_rate, base.textbook_retention_rate, base.textbook_churn_rate):
        table = table.merge(other.frame(counts)[[*keys, other.__name__]], on=keys)
    table = _without_keys(table.rename(columns={"growth_accounting": "quick_ratio"}))
    had_customers = ((table["n_start"] > 0) | (table["n_end"] > 0)).groupby(table["rule"]).cummax()
    return table[had_customers].reset_index(drop=True)


def _orders(order_counts: pd.DataFrame, *, market: Market, grain: str) -> pd.DataFrame:
    """Return customers, orders and money of each period; the running one stays, marked by `complete` 0."""
    counts = _of_grain(order_counts, grain)
    table = counts[["period", "complete", "n_customers", "n_orders"]]
    if "revenue_minor" in counts:
        value_of_order = orders.average_order_value.frame(counts, minor_per_unit=market.minor_per_unit)
        table = table.assign(revenue=counts["revenue_minor"] / market.minor_per_unit).merge(
            value_of_order[["period", "average_order_value"]], on="period", how="left"
        )
    return table
