"""The group's sheet: all markets side by side, what differs by more than chance, who moved, revenue at constant rates.

A number that is hidden in a market's report is hidden here too. A market with fewer than `min_cell` customers in a
number is in no row of it and in no sum: what is pooled is pooled over the markets that are shown, so that nothing can
be subtracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from retention_kit.config import GROUP, Market
from retention_kit.errors import MetricError
from retention_kit.messages import N_
from retention_kit.metrics import base, disclosure, orders, retention
from retention_kit.metrics.changes import IN_A_YEAR, LEAST_OF_A_SHARE, against_year_before, where_it_changed
from retention_kit.metrics.headline import Headline, headline, share_headline, window_of
from retention_kit.metrics.markets import benjamini_hochberg, compared_markets, mix_and_rate, mix_and_rate_interval
from retention_kit.metrics.rows import where
from retention_kit.periods import first_date, label
from retention_kit.protection import small_rows

SHARES = ("customer_retention_rate", "returned_share", "pooled_retention", "repeat_customer_rate_by_days")
"""The shares that markets are compared by."""

_ALARM = 0.05
_ENDS_OF_MIX = ("mix_lower", "mix_upper", "of_rate_lower", "of_rate_upper")
MIX_CUTS = ("acquisition_channel", "coupon", "season")


@dataclass(frozen=True)
class GroupSheet:
    """The tables of all markets together, as of one instant; `names` are of the markets in them, by code."""

    names: Mapping[str, str]
    as_of: str
    min_cell: int
    grain: str
    base_grain: str
    currency: str | None
    hidden: tuple[str, ...]
    headlines: Mapping[str, Headline]
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    segment: str = ""


def group_sheet(
    tables: Mapping[str, pd.DataFrame],
    *,
    markets: Mapping[str, Market],
    as_of: str,
    grain: str,
    base_grain: str,
    min_cell: int,
    money: tuple[str, int] | None,
    compared: pd.DataFrame | None = None,
    hidden: pd.DataFrame | None = None,
    segment: str = "",
) -> GroupSheet:
    """Return the sheet of all markets from their counts tables.

    Parameters
    ----------
    tables : counts tables by name, with the rows of all markets and of the group.
    markets : the markets with orders, by code.
    as_of : first instant not observed.
    grain, base_grain : length of the periods of cohorts, and of retention.
    min_cell : least number of customers about whom a number is shown.
    money : the group's currency and its minor units in a unit; None where there is none.
    compared, hidden : `market_comparison` of all markets, where it was worked out before.
    segment : of which customers the counts are; empty of all.

    Raises
    ------
    MetricError : the markets' customers and orders do not add up to the group's and its movers'.
    """
    reconcile_group(tables, markets=list(markets))
    history = tables["order_counts"].query("grain == 'history'").set_index("market")["n_customers"]
    shown = [code for code in markets if history[code] >= min_cell]
    if hidden is None:
        of = {"grain": grain, "base_grain": base_grain, "min_cell": min_cell}
        hidden = disclosure.hidden_in(tables, markets=shown, **of)
    hidden_in = {code: disclosure.names_of(hidden, code) for code in shown}
    shares = market_shares(tables, markets=shown, grain=grain, base_grain=base_grain)
    open_shares = _open(shares, hidden_in)
    secret = len(shown) < len(markets) or _few_more(where(tables["order_counts"], grain="history"), min_cell=min_cell)
    found = {
        "customers": _customers(tables, shown=shown, with_total=not secret),
        "compared": compared_shares(open_shares) if compared is None else compared,
        "mix": _mixes(tables["cut_counts"], markets=shown, hidden_in=hidden_in, min_cell=min_cell),
        "readings": _readings(tables["cohort_counts"], markets=shown, grain=grain, hidden_in=hidden_in),
        "anomalies": _anomalies(tables, markets=shown, grains=(grain, base_grain), hidden_in=hidden_in),
        "movers": _movers(tables["mover_counts"], markets=shown, min_cell=min_cell),
    }
    found["changes"] = where(found["anomalies"], metric="customer_retention_rate")
    if money is not None:
        facts = {"grains": (grain, base_grain), "per_unit": money[1], "min_cell": min_cell}
        found["revenue"] = _revenue(tables, markets=shown, **facts)
    names = {code: markets[code].name for code in shown}
    without = tuple(market.name for code, market in markets.items() if code not in shown)
    currency = None if money is None else money[0]
    small = set(shares["metric"]) - set(open_shares["metric"]) | set(shares.drop(open_shares.index)["metric"])
    told = {} if secret else _headlines(tables, as_of=as_of, base_grain=base_grain, small=small, min_cell=min_cell)
    return GroupSheet(names, as_of, min_cell, grain, base_grain, currency, without, told, found, segment)


def _headlines(
    tables: Mapping[str, pd.DataFrame], *, as_of: str, base_grain: str, small: set[str], min_cell: int
) -> dict[str, Headline]:
    """Return the group's headlines, customers of two markets once.

    None from which a small market could be had, or that, beside those of the markets, would tell of a few movers.
    """
    of_group = {name: table[table["market"] == GROUP] for name, table in tables.items() if "market" in table}
    history = of_group["order_counts"].query("grain == 'history'")
    row = history.iloc[0]
    facts = {"window": window_of(row), "as_of": as_of, "n": int(row["n_customers"])}
    found = [
        headline("customers", row["n_customers"], unit="customers", **facts),
        headline("orders", row["n_orders"], unit="orders", **facts),
    ]
    everywhere = where(tables["order_counts"], grain="history")
    if not _few_more(everywhere, column="n_repeat_customers_by_days", min_cell=min_cell):
        rate = orders.repeat_customer_rate_by_days.frame(history).iloc[0]
        counts = {"count": "n_repeat_customers_by_days", "n": "n_customers"}
        found.append(share_headline("repeat_customer_rate_by_days", rate, facts=facts, **counts))
    closed = of_group["activity_counts"].query("grain == @base_grain and rule == 'window' and complete == 1").tail(1)
    bases = tables["activity_counts"].query("grain == @base_grain and rule == 'window' and complete == 1")
    bases = bases[bases["period"].isin(closed["period"])]
    few = any(_few_more(bases, column=column, min_cell=min_cell) for column in ("n_start", "n_retained"))
    if len(closed) and "customer_retention_rate" not in small and not few:
        first, after = (first_date(closed["period"].iloc[0] + step, grain=base_grain) for step in (0, 1))
        kept = base.customer_retention_rate.frame(closed).iloc[0]
        facts = {"window": f"{first} to {after}", "as_of": as_of, "note": N_("active: by the window of each market")}
        found.append(share_headline("customer_retention_rate", kept, count="n_retained", n="n_start", facts=facts))
    return {one.id: one for one in found}


def reconcile_group(tables: Mapping[str, pd.DataFrame], *, markets: Sequence[str]) -> None:
    """Check that customers of the markets are the group's, and each mover once more for each further market.

    Raises
    ------
    MetricError : they are fewer than the group's, more than its movers explain, or the orders do not add up.
    """
    history = tables["order_counts"].query("grain == 'history'").set_index("market")
    of_markets, group = history.loc[list(markets)], history.loc[GROUP]
    more = int(of_markets["n_customers"].sum() - group["n_customers"])
    movers = int(tables["mover_counts"]["n_customers"].sum())
    fits = movers <= more <= movers * max(len(markets) - 1, 0) and (more > 0) == (movers > 0)
    if not fits or of_markets["n_orders"].sum() != group["n_orders"]:
        raise MetricError(
            "The markets do not add up to the group: Σ customers = group + movers, and Σ orders = group must hold.",
            found=f"Σ customers {of_markets['n_customers'].sum()}, group {group['n_customers']}, movers {movers}; "
            f"Σ orders {of_markets['n_orders'].sum()}, group {group['n_orders']}",
            to_try="count again without the counts store; if it stays, report it: it is a fault of the kit",
        )


def market_shares(
    tables: Mapping[str, pd.DataFrame], *, markets: Sequence[str], grain: str, base_grain: str
) -> pd.DataFrame:
    """Return the shares that markets are compared by, where anybody is in them.

    Columns `market`, `metric`, `count`, `n`; `of`, `counted`, the names of both in the market's report.
    """
    activity = tables["activity_counts"].query("grain == @base_grain and rule == 'window' and complete == 1")
    rates = base.customer_retention_rate.frame(activity).sort_values("period").groupby("market").tail(1)
    cut = tables["cut_counts"].query("cut == 'everybody' and horizon_days == 90")
    pooled = retention.pooled_retention.frame(tables["cohort_counts"].query("grain == @grain")).query("age == 1")
    history = orders.repeat_customer_rate_by_days.frame(tables["order_counts"].query("grain == 'history'"))
    rates = rates.assign(
        of=[disclosure.at("window", base_grain, period - 1) for period in rates["period"]],
        counted=[disclosure.flow("retained", "window", base_grain, period) for period in rates["period"]],
    )
    cut, pooled, history = (
        table.assign(of=[of] * len(table), counted=[counted] * len(table))
        for table, of, counted in (
            (cut, *(disclosure.cut("everybody", "everybody", 90, of=of) for of in ("observed", "returned"))),
            (pooled, ("pooled", grain, 1), ("pooled active", grain, 1)),
            (history, disclosure.CUSTOMERS, disclosure.REPEAT_BY_DAYS),
        )
    )
    named = {
        "customer_retention_rate": (rates, "n_retained", "n_start"),
        "returned_share": (cut, "n_returned", "n_observed"),
        "pooled_retention": (pooled, "n_active", "n"),
        "repeat_customer_rate_by_days": (history, "n_repeat_customers_by_days", "n_customers"),
    }
    rows = [
        table[["market", count, n, "of", "counted"]]
        .set_axis(["market", "count", "n", "of", "counted"], axis=1)
        .assign(metric=metric)
        for metric, (table, count, n) in named.items()
    ]
    found = pd.concat(rows, ignore_index=True)
    found = found[found["market"].isin(list(markets)) & (found["n"] > 0)]
    order = {code: nth for nth, code in enumerate(markets)}
    found = found.sort_values("market", key=lambda codes: codes.map(order), kind="stable")
    nth = found["metric"].map({name: nth for nth, name in enumerate(SHARES)})
    found = found.assign(nth=nth).sort_values("nth", kind="stable", ignore_index=True)
    return found[["market", "metric", "count", "n", "of", "counted"]]


def _open(shares: pd.DataFrame, hidden_in: Mapping[str, frozenset[disclosure.Name]]) -> pd.DataFrame:
    """Return the shares whose counts are hidden in no report; `of` and `counted` name them."""
    names = zip(shares["market"], shares["of"], shares["counted"], strict=True)
    return shares[[hidden_in[market].isdisjoint((of, counted)) for market, of, counted in names]]


def market_comparison(
    tables: Mapping[str, pd.DataFrame], *, markets: Sequence[str], grain: str, base_grain: str, min_cell: int
) -> dict[str, pd.DataFrame]:
    """Return what the reports of all markets need of each other: made once for all of them, and kept beside the counts.

    Parameters
    ----------
    tables : counts tables by name, with the rows of all markets.
    markets : codes of the markets with orders.
    grain, base_grain : length of the periods of cohorts, and of retention.
    min_cell : least number of customers with whom a market's share is compared.

    Returns
    -------
    `compared`, one row per share and market that is large enough: `metric`, `market`, and what `compared_markets` has;
    `hidden`, one row per count that is hidden in all that is published of a market.
    """
    shares = market_shares(tables, markets=markets, grain=grain, base_grain=base_grain)
    hidden = disclosure.hidden_in(tables, markets=markets, grain=grain, base_grain=base_grain, min_cell=min_cell)
    secret = {code: disclosure.names_of(hidden, code) for code in markets}
    return {"compared": compared_shares(_open(shares, secret)), "hidden": hidden}


def compared_shares(shares: pd.DataFrame) -> pd.DataFrame:
    """Return `compared_markets` of each share that at least two markets have, each corrected for all its markets."""
    found = [
        compared_markets(rows, count="count", n="n").assign(metric=metric)
        for metric, rows in shares.groupby("metric", sort=False)
        if len(rows) > 1
    ]
    if not found:
        return pd.DataFrame(columns=["metric", "market"])
    return pd.concat(found, ignore_index=True).set_index(["metric", "market"]).reset_index()


def _few_more(counts: pd.DataFrame, *, min_cell: int, column: str = "n_customers") -> bool:
    """Tell whether the markets together have a few more customers than the group: these are in several markets."""
    group = counts["market"] == GROUP
    more = counts.loc[~group, column].sum() - counts.loc[group, column].sum()
    return bool(0 < abs(more) < min_cell)


def _customers(tables: Mapping[str, pd.DataFrame], *, shown: Sequence[str], with_total: bool) -> pd.DataFrame:
    """Return customers and orders of each market; and of the group, where nobody hidden follows from it."""
    history = tables["order_counts"].query("grain == 'history'")
    codes = [*shown, *([GROUP] if with_total else [])]
    return history.set_index("market").loc[codes, ["n_customers", "n_orders"]].reset_index()


def _mixes(
    cut_counts: pd.DataFrame,
    *,
    markets: Sequence[str],
    hidden_in: Mapping[str, frozenset[disclosure.Name]],
    min_cell: int,
) -> pd.DataFrame:
    """Return for each market and cut how much of its difference from the others is mix, and how much rate.

    A market is left out of which its own report hides how many came back, of all or of a value of the cut.
    """
    cells = cut_counts.query("horizon_days == 90 and market in @markets")
    rows = []
    for cut in MIX_CUTS:
        of_cut = cells[cells["cut"] == cut]
        sizes = of_cut.groupby("market")["n_observed"].sum()
        secret = {code: _hidden_of_a_cut(of_cut, code, hidden_in[code]) for code in markets}
        large = [code for code in markets if sizes.get(code, 0) >= min_cell and not secret[code]]
        if len(large) < 2 or of_cut["value"].nunique() < 2:
            continue
        of_cut = of_cut[of_cut["market"].isin(large)]
        for code in large:
            values = mix_and_rate(of_cut, market=code)
            ends = mix_and_rate_interval(of_cut, market=code)
            sums = [int(values["n"].sum()), values["mix"].sum(), values["of_rate"].sum()]
            rows.append((cut, code, *sums, *(ends[name] for name in _ENDS_OF_MIX)))
    found = pd.DataFrame(rows, columns=["cut", "market", "n", "mix", "of_rate", *_ENDS_OF_MIX])
    return found.assign(difference=found["mix"] + found["of_rate"])


def _hidden_of_a_cut(of_cut: pd.DataFrame, market: str, secret: frozenset[disclosure.Name]) -> bool:
    """Tell whether a market's report hides a count of a cut, or of everybody."""
    own = of_cut[of_cut["market"] == market]
    rows = [("everybody", "everybody", 90), *own[["cut", "value", "horizon_days"]].itertuples(index=False, name=None)]
    return any(disclosure.cut(*row, of=of) in secret for row in rows for of in ("observed", "returned"))


def _readings(
    cohort_counts: pd.DataFrame,
    *,
    markets: Sequence[str],
    grain: str,
    hidden_in: Mapping[str, frozenset[disclosure.Name]],
) -> pd.DataFrame:
    """Return of each market where in its cohorts and ages retention changed against the year before."""
    rows = []
    for code in markets:
        cells = disclosure.open_cells(cohort_counts[cohort_counts["market"] == code], hidden_in[code], grain=grain)
        reading = where_it_changed(cells, grain=grain)
        at = reading.at
        told = "" if at is None else str(at) if reading.kind == "age" else label(at, grain=grain)
        rows.append((code, reading.kind, told, reading.ratio, reading.lower, reading.upper, reading.p))
    return pd.DataFrame(rows, columns=["market", "kind", "at", "ratio", "lower", "upper", "p"])


def _anomalies(
    tables: Mapping[str, pd.DataFrame],
    *,
    markets: Sequence[str],
    grains: tuple[str, str],
    hidden_in: Mapping[str, frozenset[disclosure.Name]],
) -> pd.DataFrame:
    """Return each share of each market beside the year before, false alarms held down.

    `p_bh` is the larger of two corrections: over the markets of a share, and over all shares of all markets, so that
    what one share shows loosens no other one.
    """
    grain, base_grain = grains
    activity = where(tables["activity_counts"], grain=base_grain, rule="window", complete=1, left_truncated=0)
    ordered = where(tables["order_counts"], grain=base_grain, complete=1)
    cells = where(tables["cohort_counts"], grain=grain, left_truncated=0)
    sizes = where(cells, age=0).set_index(["market", "cohort"])["n_active"].rename("n")
    returned = where(cells, age=1, complete=1).join(sizes, on=["market", "cohort"])
    of_window = partial(disclosure.base_names, "window", base_grain)
    found = []
    for metric, rows, columns, length, names in (
        ("customer_retention_rate", activity, ("period", "n_retained", "n_start"), base_grain,
         lambda period: (of_window(period)["start"], of_window(period)["retained"])),
        ("repeat_customer_rate", ordered, ("period", "n_repeat_customers", "n_customers"), base_grain,
         lambda period: (disclosure.at("period", base_grain, period),) * 2),
        ("classic_retention", returned, ("cohort", "n_active", "n"), grain,
         lambda cohort: (disclosure.cell(grain, cohort, 0), disclosure.cell(grain, cohort, 1))),
    ):  # fmt: skip
        shares = rows[["market", *columns]].set_axis(["market", "period", "count", "n"], axis=1)
        shares = shares[shares["market"].isin(list(markets)) & (shares["n"] > 0)].assign(metric=metric)
        counted = [names(period) for period in shares["period"]]
        shares = _open(shares.assign(of=[of for of, _ in counted], counted=[of for _, of in counted]), hidden_in)
        rows = against_year_before(shares, grain=length)
        found.append(rows.assign(period=[label(period, grain=length) for period in rows["period"]]))
    together = pd.concat([rows for rows in found if len(rows)] or found[:1], ignore_index=True)
    together["p_bh"] = np.maximum(together["p_bh"], benjamini_hochberg(together["p"]))
    together["alarm"] = (together["p_bh"] < _ALARM) & (together[["n", "n_then"]].min(axis=1) >= LEAST_OF_A_SHARE)
    order = {code: nth for nth, code in enumerate(markets)}
    return together.sort_values("market", key=lambda codes: codes.map(order), kind="stable", ignore_index=True)


def _movers(mover_counts: pd.DataFrame, *, markets: Sequence[str], min_cell: int) -> pd.DataFrame:
    """Return from which market to which customers moved; pairs of few people are told together, or not at all."""
    pairs = mover_counts.query("market in @markets and to_market in @markets and market != to_market")
    pairs = pairs.sort_values("n_customers", ascending=False, ignore_index=True)
    keys = ["market", "to_market"]
    known = small_rows(pairs[[*keys, "n_customers"]], n=["n_customers"], keys=keys, min_cell=min_cell)["hidden"]
    large, rest = pairs.loc[~known, [*keys, "n_customers"]], int(pairs.loc[known, "n_customers"].sum())
    if known.sum() > 1 and rest >= min_cell:
        others = pd.DataFrame({"market": ["other"], "to_market": ["other"], "n_customers": [rest]})
        return pd.concat([large, others], ignore_index=True)
    return large.reset_index(drop=True)


def _revenue(
    tables: Mapping[str, pd.DataFrame], *, markets: Sequence[str], grains: tuple[str, str], per_unit: int, min_cell: int
) -> pd.DataFrame:
    """Return each market's revenue of a year's closed periods and of the year before, and what exchange rates did.

    `change` is at the rates of the days, `change_constant` at constant rates, `fx_effect` the difference of the two.
    The last row, `ALL`, is the sum of the markets shown.
    """
    shorter, grain = grains
    year = IN_A_YEAR[grain]
    sizes = tables["order_counts"].query("grain == @shorter and 0 < n_customers < @min_cell")
    with_few = {(row.market, first_date(row.period, grain=shorter)) for row in sizes.itertuples()}
    closed = tables["order_counts"].query("grain == @grain and complete == 1 and market in @markets")
    money = closed[["market", "period", "n_customers"]].merge(
        tables["converted_counts"].query("grain == @grain").drop(columns=["grain", "n_orders"]),
        on=["market", "period"],
        how="left",
    )
    money = money.fillna(0)
    columns = ["then", "now", "change", "then_constant", "now_constant", "change_constant", "fx_effect"]
    rows = []
    for code in markets:
        periods = money[money["market"] == code].sort_values("period").tail(2 * year)
        few = (periods["n_customers"] > 0) & (periods["n_customers"] < min_cell)
        if len(periods) < 2 * year or periods["n_without_rate"].sum() > 0 or few.any():
            continue
        first, after = (
            first_date(period, grain=grain) for period in (periods["period"].min(), periods["period"].max() + 1)
        )
        if any(market == code and first <= day < after for market, day in with_few):
            continue  # the year, less the months that the market's report shows, would be a month of a few customers
        then, now = (half[["order_date_minor", "constant_minor"]].sum() / per_unit for half in
                     (periods.head(year), periods.tail(year)))  # fmt: skip
        change, constant = now - then, now["constant_minor"] - then["constant_minor"]
        at_rates = [then["order_date_minor"], now["order_date_minor"], change["order_date_minor"]]
        at_constant = [then["constant_minor"], now["constant_minor"], constant]
        rows.append((code, *at_rates, *at_constant, change["order_date_minor"] - constant))
    found = pd.DataFrame(rows, columns=["market", *columns])
    if len(found) > 1:
        found.loc[len(found)] = [GROUP, *found[columns].sum()]
    return found
