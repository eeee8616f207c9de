"""A market's sheet: its headlines and tables, each number with n, interval, definition and window.

The one place where the families meet; the report, its machine-readable twin and `retention-kit metrics` all show this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError
from retention_kit.messages import Message
from retention_kit.metrics import base, cadence, differences, orders, retention, revenue
from retention_kit.metrics.changes import IN_A_YEAR, NO_CHANGE, Reading, where_it_changed, year_on_year
from retention_kit.metrics.group import compared_shares
from retention_kit.metrics.headline import Headline
from retention_kit.metrics.headlines import headlines
from retention_kit.metrics.rows import where
from retention_kit.metrics.sensitivity import sensitivity
from retention_kit.metrics.suppression import hide_near, hide_small
from retention_kit.metrics.survival import kaplan_meier, survival_at
from retention_kit.periods import first_date, label, period_of

_CELLS: dict[str, dict[str, list[str]]] = {
    # the end of one period is the start of the next: both must be large enough
    "active_base": {"n": ["n_start", "n_end"], "keys": ["rule", "period", "left_truncated"], "within": ["rule"]},
    "cohort_retention": {"n": ["n"], "keys": ["cohort", "age", "left_truncated"], "within": ["age"]},
    "pooled_retention": {"n": ["n"], "keys": ["age"]},
    "orders": {"n": ["n_customers"], "keys": ["period", "complete"]},
    "returned": {"n": ["n_observed"], "keys": ["cut", "value", "horizon_days"], "within": ["cut", "horizon_days"]},
}
"""Each table's columns of customers, the columns that name its rows, and which of its rows add up to a total."""


_NESTED: dict[str, dict] = {
    "brackets": {"n": "n_observed", "keys": ["first_day", "last_day"]},
    "windows": {"n": "n_start", "keys": ["window_days"]},
    "next_order": {"n": "n", "keys": ["nth"]},
    "sensitivity": {"n": "n", "keys": ["question", "definition", "kind"]},
}
"""The same of tables whose rows hold each other's customers: two of them must not differ by a few."""

_STEP_DAYS = 30
"""Days between two points of the survival curve that is shown."""


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
    refund_policy: str = ""
    reading: Reading = NO_CHANGE


def market_sheet(
    tables: Mapping[str, pd.DataFrame],
    *,
    market: Market,
    as_of: str,
    grain: str,
    base_grain: str,
    min_cell: int,
    compared: pd.DataFrame | None = None,
    refund_policy: str = "",
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
    refund_policy : when a refund counts, `order` or `processed`, to be told beside the definitions.

    Raises
    ------
    MetricError : the customer sets do not add up (E = R + N + X, S = R + L), or the revenue bridge does not close.
    """
    reconcile(tables["activity_counts"])
    reconcile_revenue(tables["revenue_counts"])
    shown = {
        "active_base": _active_base(tables["activity_counts"], grain=base_grain),
        "cohort_retention": _cohorts(tables["cohort_counts"], grain=grain),
        "orders": _orders(tables["order_counts"], market=market, grain=grain),
        "returned": _returned(tables["cut_counts"]),
    }
    hidden = {name: hide_small(table, **_CELLS[name], min_cell=min_cell) for name, table in shown.items()}
    secret = _secret_cohorts(tables["cohort_counts"], hidden["cohort_retention"], grain=grain)
    hidden["orders"] = _without(hidden["orders"], _sums_of_few(secret, grain=grain, min_cell=min_cell))
    hidden["active_base"] = _without(
        hidden["active_base"], _newcomers_of_few(secret, grain=grain, over=base_grain, min_cell=min_cell)
    )
    pooled = _pooled(tables["cohort_counts"], hidden["cohort_retention"], grain=grain)
    hidden["pooled_retention"] = hide_small(pooled, **_CELLS["pooled_retention"], min_cell=min_cell)
    found = headlines(tables, market=market, as_of=as_of, base_grain=base_grain, min_cell=min_cell)
    ordered = {name: hidden[name] for name in _CELLS}
    customers = where(tables["order_counts"], grain="history")["n_customers"].iloc[0]
    grains = (grain, base_grain)
    ordered |= _nested(tables, market=market, customers=int(customers), grains=grains, min_cell=min_cell)
    ordered["survival"] = _survival(tables["lifetime_counts"], min_cell=min_cell)
    ordered["compared"] = _compared(compared, market=market)
    if "revenue_minor" in tables["order_counts"]:
        few = _parts_of_few(tables["order_counts"], hidden["orders"], grains=grains, min_cell=min_cell)
        ordered |= _revenue(tables, market=market, grain=base_grain, min_cell=min_cell, few=few)
    open_cells = _open_cells(tables["cohort_counts"], ordered["cohort_retention"], grain=grain)
    ordered["year_on_year"] = _year_on_year(open_cells, grain=grain)
    reading = where_it_changed(open_cells, grain=grain)
    last = where(hidden["active_base"], rule="window").tail(1)
    told = found if last.empty or not last["hidden"].any() else [_hidden_with_base(h, min_cell) for h in found]
    by_id = {headline.id: headline for headline in told}
    return Sheet(market, as_of, min_cell, grain, base_grain, by_id, ordered, refund_policy, reading)


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


def _nested(
    tables: Mapping[str, pd.DataFrame],
    *,
    market: Market,
    customers: int,
    grains: tuple[str, str],
    min_cell: int,
) -> dict[str, pd.DataFrame]:
    """Return the tables whose rows hold each other's customers, and none that differs by a few from what is shown."""
    grain, base_grain = grains
    windows = base.retention_by_window.frame(where(tables["window_counts"], grain=base_grain))
    following = cadence.next_order_share.frame(tables["gap_counts"][tables["gap_counts"]["nth"] < 5])
    shown = {
        "brackets": retention.bracket_retention.frame(tables["return_counts"]).drop(columns="market"),
        "windows": windows.drop(columns=["market", "grain", "period", "n_end"]),
        "next_order": following.drop(columns=["market", "n_days"]),
        "sensitivity": sensitivity(
            tables, grain=grain, base_grain=base_grain, activity_window_days=market.activity_window_days
        ),
    }
    totals = {"brackets": [customers], "sensitivity": [customers]}
    return {
        name: hide_near(table, **_NESTED[name], min_cell=min_cell, totals=totals.get(name, ()))
        for name, table in shown.items()
    }


def _survival(lifetime_counts: pd.DataFrame, *, min_cell: int) -> pd.DataFrame:
    """Return the survival of customers every thirty days, as long as enough of them are observed."""
    lives = lifetime_counts[lifetime_counts["kind"] == "orders"]
    columns = ["duration_days", "n", "survival", "lower", "upper", "hidden"]
    n = int(lives[["n_ended", "n_running"]].sum().sum())
    if n < min_cell:
        return pd.DataFrame(columns=columns)
    curve = kaplan_meier(lives, duration="duration_days", n_ended="n_ended", n_running="n_running")
    last = curve.loc[curve["n_at_risk"] >= min_cell, "duration"].iloc[-1]
    days = list(range(0, int(last) + 1, _STEP_DAYS))
    ends = {name: survival_at(curve, days, column=name) for name in ("survival", "lower", "upper")}
    return pd.DataFrame({"duration_days": days, "n": n, **ends, "hidden": False})


def _compared(compared: pd.DataFrame | None, *, market: Market) -> pd.DataFrame:
    """Return the shares of this market beside those of all others that are large enough to be shown."""
    if compared is None or market.code == GROUP:
        compared = compared_shares(pd.DataFrame(columns=["market", "metric", "count", "n"]))
    counts = compared.groupby("metric")["market"].size() if len(compared) else pd.Series(dtype=int)
    mine = compared[compared["market"] == market.code].reset_index(drop=True)
    return mine.assign(n_markets=mine["metric"].map(counts)).drop(columns="market")


def _revenue(
    tables: Mapping[str, pd.DataFrame], *, market: Market, grain: str, min_cell: int, few: set[int]
) -> dict[str, pd.DataFrame]:
    """Return where revenue came from in each closed period, and what moved it against the year before.

    Periods of `few` are not told: their revenue, less the shorter periods that are shown, would tell of a hidden one.
    """
    per_unit = market.minor_per_unit
    bridge = where(tables["revenue_counts"], grain=grain, complete=1)
    table = bridge[["period"]].copy()
    for name in ("opening", "expansion", "contraction", "lapsed", "reactivated", "new", "closing"):
        table[name] = bridge[f"{name}_minor"] / per_unit
    for rate in (revenue.net_revenue_retention, revenue.gross_revenue_retention, revenue.textbook_revenue_retention):
        table = table.merge(rate.frame(bridge)[["period", rate.__name__]], on="period")
    sizes = where(tables["activity_counts"], grain=grain, rule="period")[["period", "n_start", "n_end"]]
    table = table.merge(sizes, on="period")
    table = hide_small(table, n=["n_start", "n_end"], keys=["period"], min_cell=min_cell)
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
    change = hide_small(
        change.drop(columns=["market", "grain"]), n=["n_now", "n_then"], keys=["period"], min_cell=min_cell
    )
    told = {}
    for name, rows, back in (("revenue_bridge", table, 1), ("revenue_change", change, IN_A_YEAR[grain])):
        secret = {label(period + later, grain=grain) for period in few for later in (0, back)}
        told[name] = _without(_labelled(rows, "period", grain=grain), secret)
    return told


def _secret_cohorts(cohort_counts: pd.DataFrame, cohort_retention: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the cells of cohorts that are hidden: `cohort`, `age`, `period`, `size` of the cohort."""
    counts = _of_grain(cohort_counts, grain)
    sizes = counts[counts["age"] == 0].set_index("cohort")["n_active"]
    hidden = pd.MultiIndex.from_frame(cohort_retention.loc[cohort_retention["hidden"], ["cohort", "age"]])
    named = pd.MultiIndex.from_frame(_labelled(counts, "cohort", grain=grain)[["cohort", "age"]])
    cells = counts.loc[named.isin(hidden), ["cohort", "age"]]
    return cells.assign(period=cells["cohort"] + cells["age"], size=cells["cohort"].map(sizes))


def _sums_of_few(secret: pd.DataFrame, *, grain: str, min_cell: int) -> set[str]:
    """Return the periods whose total, less the cells shown, would tell of one hidden cohort, or of few people.

    The customers of a period are those of all cohorts at their ages: one diagonal.
    """
    alone = secret.groupby("period")["size"].agg(["size", "sum"])
    alone = alone[(alone["size"] == 1) | (alone["sum"] < min_cell)]
    return {label(period, grain=grain) for period in alone.index}


def _parts_of_few(
    order_counts: pd.DataFrame, orders_shown: pd.DataFrame, *, grains: tuple[str, str], min_cell: int
) -> set[int]:
    """Return the periods of the base whose revenue, less the periods of orders that are shown, would tell of a few."""
    grain, over = grains
    counts = _labelled(where(order_counts, grain=grain), "period", grain=grain).assign(
        number=where(order_counts, grain=grain)["period"].to_numpy()
    )
    secret = counts[counts["period"].isin(orders_shown.loc[orders_shown["hidden"], "period"])]
    parts: dict[int, list[int]] = {}
    for row in secret[secret["n_customers"] > 0].itertuples():
        for period in _overlapped(row.number, grain=grain, over=over):
            parts.setdefault(period, []).append(row.n_customers)
    return {period for period, sizes in parts.items() if len(sizes) == 1 or sum(sizes) < min_cell}


def _overlapped(period: int, *, grain: str, over: str) -> range:
    """Return the periods of one grain that a period of another lies in."""
    first, after = (first_date(period + step, grain=grain) for step in (0, 1))
    return range(period_of(first, grain=over), period_of(after - timedelta(days=1), grain=over) + 1)


def _newcomers_of_few(secret: pd.DataFrame, *, grain: str, over: str, min_cell: int) -> set[str]:
    """Return the periods of the base whose newcomers, less the cohorts that are shown, would tell of few people."""
    cohorts = secret[secret["age"] == 0]
    overlapping: dict[int, list[int]] = {}
    for row in cohorts.itertuples():
        for period in _overlapped(row.cohort, grain=grain, over=over):
            overlapping.setdefault(period, []).append(row.size)
    few = {period for period, sizes in overlapping.items() if len(sizes) == 1 or sum(sizes) < min_cell}
    return {label(period, grain=over) for period in few}


def _without(table: pd.DataFrame, periods: set[str]) -> pd.DataFrame:
    """Return a table with the numbers of some periods hidden too."""
    more = table["period"].isin(periods)
    numbers = [column for column in table.select_dtypes("float64") if column not in ("complete", "left_truncated")]
    found = table.assign(hidden=table["hidden"] | more)
    found.loc[more, numbers] = np.nan
    return found


def _hidden_with_base(headline: Headline, min_cell: int) -> Headline:
    """Return a headline of the base without its numbers, where the base of the period is hidden."""
    of_base = {"active_customers", "customer_retention_rate", "churn_rate"}
    if headline.id not in of_base | {"textbook_retention_rate", "textbook_churn_rate"}:
        return headline
    numbers = dict.fromkeys(["value", "n", "lower", "upper", "conf_level", "numerator", "denominator"])
    note = Message("hidden: it would tell of fewer than {n} customers", n=min_cell)
    return replace(headline, **numbers, hidden=True, note=headline.note if headline.hidden else note)


def _open_cells(cohort_counts: pd.DataFrame, cohort_retention: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the cells of cohorts that are shown: no reading tells of a hidden one."""
    counts = _of_grain(cohort_counts, grain)
    shown = pd.MultiIndex.from_frame(cohort_retention.loc[~cohort_retention["hidden"], ["cohort", "age"]])
    cells = pd.MultiIndex.from_frame(_labelled(counts, "cohort", grain=grain)[["cohort", "age"]])
    return counts[cells.isin(shown)]


def _year_on_year(cohort_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the share of each cohort and age beside that of the cohort a year before at the same age."""
    cells = year_on_year(cohort_counts, grain=grain)
    table = cells[["cohort", "age", "n", "n_then"]].assign(
        share=cells["n_active"] / cells["n"], share_then=cells["n_active_then"] / cells["n_then"]
    )
    return _labelled(table.sort_values(["cohort", "age"], ignore_index=True), "cohort", grain=grain)


def _of_grain(table: pd.DataFrame, grain: str) -> pd.DataFrame:
    return table[table["grain"] == grain].reset_index(drop=True)


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
    table = table.rename(columns={"growth_accounting": "quick_ratio"}).drop(columns=["market", "grain"])
    had_customers = ((table["n_start"] > 0) | (table["n_end"] > 0)).groupby(table["rule"]).cummax()
    return _labelled(table[had_customers].reset_index(drop=True), "period", grain=grain)


def _cohorts(cohort_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    table = retention.classic_retention.frame(_of_grain(cohort_counts, grain)).drop(columns=["market", "grain"])
    return _labelled(table, "cohort", grain=grain)


def _pooled(cohort_counts: pd.DataFrame, cohort_retention: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the pooled curve over the cells that are shown: no hidden one can be had by subtraction."""
    counts = _labelled(_of_grain(cohort_counts, grain), "cohort", grain=grain)
    open_cells = pd.MultiIndex.from_frame(cohort_retention.loc[~cohort_retention["hidden"], ["cohort", "age"]])
    shown = pd.MultiIndex.from_frame(counts[["cohort", "age"]]).isin(open_cells)
    return retention.pooled_retention.frame(counts.assign(complete=shown.astype(int))).drop(columns=["market", "grain"])


def _orders(order_counts: pd.DataFrame, *, market: Market, grain: str) -> pd.DataFrame:
    """Return customers, orders and money of each period; the running one stays, marked by `complete` 0."""
    counts = _of_grain(order_counts, grain)
    table = counts[["period", "complete", "n_customers", "n_orders"]]
    if "revenue_minor" in counts:
        value_of_order = orders.average_order_value.frame(counts, minor_per_unit=market.minor_per_unit)
        table = table.assign(revenue=counts["revenue_minor"] / market.minor_per_unit).merge(
            value_of_order[["period", "average_order_value"]], on="period", how="left"
        )
    return _labelled(table, "period", grain=grain)


def _returned(cut_counts: pd.DataFrame) -> pd.DataFrame:
    return differences.returned_share.frame(cut_counts).drop(columns="market")
