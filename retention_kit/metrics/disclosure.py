"""Disclosure: every count of persons that a market's sheet prints, by name, and what holds between them.

A count has one name wherever it is printed: customers at the end of a quarter are those at the start of the next, and
of the card, the trend, the sensitivity table and the comparison. What a table's column needs to be printed is written
down here, and nowhere else.
"""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from retention_kit.metrics.changes import IN_A_YEAR
from retention_kit.metrics.rows import where
from retention_kit.periods import first_date, period_of
from retention_kit.protection import Publication

CUSTOMERS = "customers"
REPEAT_BY_DAYS = ("repeat", "days")
REPEAT = ("repeat", "orders")
LAST_YEAR = "customers of the last year"
MONEY = ("money", "history")
MONEY_OF_LAST_YEAR = ("money", "last_year")
OF_A_YEAR = ("visits", "amounts", "starts", "left")
"""Sums over the closed periods of a year: customers, amounts, customers at the start of each, those who left."""

LAST_ORDER_DAY = 5
"""From this order day on, `next_order_share` counts order days, not customers."""

MONTH_AFTER = ((30, 59), (1, 30))
"""Days of age that are a month after the first order, by two definitions."""

_ONCE, _HEADLINE, _RATE, _OF_ALL = 1, 3, 10, 20
"""How much is lost with a count: one on a card is told in sentences too, and what all ask for is the retention rate."""

Name = Hashable


def at(rule: str, grain: str, period: int) -> Name:
    """Return the name of the customers active at the end of a period, who are those at the start of the next."""
    return ("active", rule, grain, int(period))


def flow(of: str, rule: str, grain: str, period: int) -> Name:
    """Return the name of a part of a period's base: retained, lapsed, reactivated, new, or `kept`, end less new."""
    if of == "new" and rule == "period":
        return ("cohort", grain, int(period))  # first orders of a period, whoever asks
    return (of, rule, grain, int(period))


def observed(days: int) -> Name:
    """Return the name of the customers observed for that many times 24 hours."""
    return ("observed", int(days))


def returned(first_day: int, last_day: int | None = None) -> Name:
    """Return the name of those observed who ordered on some days of age, or from a day on."""
    return ("returned", int(first_day), last_day if last_day is None else int(last_day))


def printed(tables: Mapping[str, pd.DataFrame], *, grain: str, base_grain: str) -> Publication:
    """Return the counts that a sheet prints, and what holds between them.

    Parameters
    ----------
    tables : the market's counts tables by name.
    grain, base_grain : length of the periods of cohorts, and of retention.
    """
    found = Publication()
    _of_everybody(found, tables)
    closed = closed_base(tables["activity_counts"], grain=base_grain)
    _of_the_base(found, closed, grain=base_grain)
    _of_orders(found, tables["order_counts"], grain=grain)
    _of_cohorts(found, tables["cohort_counts"], grain=grain)
    _of_newcomers(found, closed, grain=grain, base_grain=base_grain)
    _of_windows(found, tables["window_counts"], closed, grain=base_grain)
    _of_money(found, tables["order_counts"], grain=grain)
    _of_money_of_the_base(found, tables["order_counts"], closed, grain=grain, base_grain=base_grain)
    return found


def hidden_in(
    tables: Mapping[str, pd.DataFrame], *, markets: Iterable[str], grain: str, base_grain: str, min_cell: int
) -> pd.DataFrame:
    """Return the counts that are hidden in all that is published of some markets: `market` and `name`, as JSON."""
    rows = []
    for code in markets:
        here = {name: table[table["market"] == code] for name, table in tables.items() if "market" in table}
        names = printed(here, grain=grain, base_grain=base_grain).hidden(min_cell=min_cell)
        rows += [(code, text) for text in sorted(json.dumps(name) for name in names)]
    return pd.DataFrame(rows, columns=["market", "name"], dtype="str")


def names_of(hidden: pd.DataFrame, market: str) -> frozenset[Name]:
    """Return the counts of a market that are hidden, of the rows of `hidden_in`."""
    return frozenset(_name(json.loads(text)) for text in hidden.loc[hidden["market"] == market, "name"])


def _name(read: Any) -> Name:
    return tuple(_name(part) for part in read) if isinstance(read, list) else read


def closed_base(activity_counts: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the closed periods of each rule from the first in which anybody was active."""
    closed = where(activity_counts, grain=grain, complete=1).reset_index(drop=True)
    return closed[((closed["n_start"] > 0) | (closed["n_end"] > 0)).groupby(closed["rule"]).cummax()]


def _of_everybody(found: Publication, tables: Mapping[str, pd.DataFrame]) -> None:
    history = where(tables["order_counts"], grain="history").iloc[0]
    found.group(CUSTOMERS, history["n_customers"], weight=_OF_ALL)
    found.part(REPEAT_BY_DAYS, history["n_repeat_customers_by_days"], of=CUSTOMERS, weight=_HEADLINE)
    found.part(REPEAT, history["n_repeat_customers"], of=CUSTOMERS, weight=_HEADLINE)
    year = where(tables["order_counts"], grain="last_year")["n_customers"].iloc[0]
    found.group(LAST_YEAR, year, weight=_HEADLINE)
    gaps = tables["gap_counts"]
    for nth, n in gaps[gaps["nth"] < LAST_ORDER_DAY].groupby("nth")[["n_open", "n_closed"]].sum().sum(axis=1).items():
        found.group(order_day(nth), n)
    _of_observed(found, tables["return_counts"])
    _of_cuts(found, tables["cut_counts"])


def order_day(nth: int) -> Name:
    """Return the name of the customers with that many order days."""
    return CUSTOMERS if nth == 1 else ("order day", int(nth))


def _of_observed(found: Publication, return_counts: pd.DataFrame) -> None:
    """Add who is observed how long, and came back; of the rows of a table, who is in one is in those before."""
    from retention_kit.metrics import retention  # metrics are listed in the order they are imported: orders before it

    rows = retention.bracket_retention.frame(return_counts, brackets=(*retention.BRACKETS, *MONTH_AFTER))
    for row in rows.itertuples():
        found.group(observed(row.last_day + 1), row.n_observed)
        found.part(returned(row.first_day, row.last_day), row.n_returned, of=observed(row.last_day + 1))
    for row in retention.retention_from_day.frame(return_counts, days=[30]).itertuples():
        found.group(observed(31), row.n_observed)
        found.part(returned(30), row.n_returned, of=observed(31))
    if len(rows):
        for brackets in (retention.BRACKETS, MONTH_AFTER):
            _nest(found, [CUSTOMERS, *(observed(day + 1) for day in sorted(last for _, last in brackets))])


def _nest(found: Publication, names: Iterable[Name]) -> None:
    """Add what two groups differ by, each of which holds all of the next one."""
    for outer, inner in pairwise(names):
        found.difference(("between", outer, inner), of=outer, less=inner)


def cut(name: str, value: str, horizon_days: int, *, of: str = "observed") -> Name:
    """Return the name of the customers of a cut's value who are observed that long, or who returned by then."""
    return (of, name, value, int(horizon_days))


def _of_cuts(found: Publication, cut_counts: pd.DataFrame) -> None:
    """Add who came back by what is known of them; of whom it is not known is a group too, that nobody prints."""
    columns = ("cut", "landmark_days", "value", "horizon_days", "n_observed", "n_returned")
    known: dict[tuple[str, int], list[tuple[str, int, int]]] = {}
    for name, landmark, value, days, n, n_returned in _rows(cut_counts, columns):
        weight = _HEADLINE if name == "everybody" else _ONCE
        found.group(cut(name, value, days), n, weight=weight)
        found.part(cut(name, value, days, of="returned"), n_returned, of=cut(name, value, days), weight=weight)
        if landmark == 0:
            known.setdefault((name, days), []).append((value, n, n_returned))
    for (name, days), values in known.items():
        if name == "everybody":
            continue
        everybody = known["everybody", days][0]
        for nth, (of, rest) in enumerate((("observed", found.rest_group), ("returned", found.rest)), start=1):
            unknown = ("unknown", name, days, of)
            if everybody[1] == sum(n for _, n, _ in values):
                found.known(unknown, 0)  # that it is known of everybody is seen, or clear of itself: a season
            else:
                rest(unknown, everybody[nth] - sum(value[nth] for value in values))
            found.total(
                cut("everybody", "everybody", days, of=of),
                [unknown, *(cut(name, value[0], days, of=of) for value in values)],
            )


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> Iterable[tuple]:
    """Return the rows of some columns as plain values: faster to walk through than a frame."""
    return zip(*(table[column].tolist() for column in columns), strict=True)


def _of_the_base(found: Publication, rows: pd.DataFrame, *, grain: str) -> None:
    last = {rule: of_rule["period"].max() for rule, of_rule in rows.groupby("rule")}
    for row in rows.itertuples():
        names = base_names(row.rule, grain, row.period)
        is_told = row.rule == "window" and row.period == last[row.rule]
        weight = _HEADLINE if is_told else _ONCE
        found.group(names["start"], row.n_start, weight=_HEADLINE)
        found.group(names["end"], row.n_end, weight=_RATE if is_told else _HEADLINE)
        found.group(names["new"], row.n_new)
        found.group(names["reactivated"], row.n_reactivated)
        found.part(names["retained"], row.n_retained, of=names["start"], weight=_RATE)
        found.part(names["lapsed"], row.n_lapsed, of=names["start"], weight=_RATE)
        found.number(names["kept"], row.n_retained + row.n_reactivated, of=[names["start"]], weight=weight)
        found.total(names["start"], [names["retained"], names["lapsed"]])
        found.total(names["end"], [names["kept"], names["new"]])
        found.total(names["kept"], [names["retained"], names["reactivated"]])


def base_names(rule: str, grain: str, period: int) -> dict[str, Name]:
    """Return the names of the customer sets of a period: start, end, new, reactivated, retained, lapsed, kept."""
    sets = ("new", "reactivated", "retained", "lapsed", "kept")
    ends = {"start": at(rule, grain, period - 1), "end": at(rule, grain, period)}
    return ends | {of: flow(of, rule, grain, period) for of in sets}


def _of_orders(found: Publication, order_counts: pd.DataFrame, *, grain: str) -> None:
    for period, n in _rows(where(order_counts, grain=grain), ("period", "n_customers")):
        found.group(at("period", grain, period), n)


def _of_cohorts(found: Publication, cohort_counts: pd.DataFrame, *, grain: str) -> None:
    """Add cohorts at their ages: by period they are those who order in it, by age those of the pooled curve."""
    columns = ("cohort", "age", "n_active", "complete", "left_truncated")
    cells = list(_rows(where(cohort_counts, grain=grain), columns))
    sizes = {cohort: n for cohort, age, n, _, _ in cells if age == 0}
    by_period: dict[int, list[Name]] = {}
    by_age: dict[int, list[tuple[int, int]]] = {}
    for cohort, age, n, complete, left_truncated in cells:
        size, own = cell(grain, cohort, 0), cell(grain, cohort, age)
        if age == 0:
            (found.group if complete else found.rest_group)(size, n)
        if not complete:
            continue
        if age > 0:
            found.part(own, n, of=size)
            found.rest(("absent", *own), sizes[cohort] - n)
            found.total(size, [own, ("absent", *own)])
        by_period.setdefault(cohort + age, []).append(own)
        if not left_truncated:
            by_age.setdefault(age, []).append((cohort, n))
    for period, names in by_period.items():
        found.total(at("period", grain, period), names)
    for age, rows in by_age.items():
        n, active = ("pooled", grain, age), ("pooled active", grain, age)
        found.group(n, sum(sizes[cohort] for cohort, _ in rows), weight=_HEADLINE)
        found.total(n, [cell(grain, cohort, 0) for cohort, _ in rows])
        found.part(active, sum(n_active for _, n_active in rows), of=n, weight=_HEADLINE)
        found.total(active, [cell(grain, cohort, age) for cohort, _ in rows])
    found.total(CUSTOMERS, [cell(grain, cohort, 0) for cohort in sizes])


def cell(grain: str, cohort: int, age: int) -> Name:
    """Return the name of those of a cohort who are active at an age; at age 0 they are the cohort."""
    return ("cohort", grain, int(cohort)) if age == 0 else ("cell", grain, int(cohort), int(age))


def _of_newcomers(found: Publication, closed: pd.DataFrame, *, grain: str, base_grain: str) -> None:
    """Add that newcomers of a period are the cohorts of the shorter ones in it, and with all before, all ever.

    Those active at its end by the window are some of them; where they are as many, they are the same.
    """
    of_period = dict(_rows(where(closed, rule="period"), ("period", "n_new")))
    for period, n in _rows(where(closed, rule="window"), ("period", "n_new")):
        if period in of_period:
            gone = ("new and gone", base_grain, int(period))
            if of_period[period] == n:
                found.known(gone, 0)
            else:
                found.rest(gone, of_period[period] - n)
            found.total(cell(base_grain, period, 0), [flow("new", "window", base_grain, period), gone])
    rows = list(_rows(where(closed, rule="period"), ("period", "n_new", "n_retained", "n_reactivated")))
    if grain != base_grain:
        for period, *_ in rows:
            parts = parts_of(period, grain=grain, over=base_grain)
            if parts:
                names = [cell(grain, part, 0) for part in parts]
                found.total(cell(base_grain, period, 0), [name for name in names if name in found])
    if rows:
        period, _, n_retained, n_reactivated = rows[-1]
        found.group(("ever", base_grain), sum(n_new for _, n_new, *_ in rows[:-1]))
        found.number(flow("kept", "period", base_grain, period), n_retained + n_reactivated)
        found.total(("ever", base_grain), [cell(base_grain, before, 0) for before, *_ in rows[:-1]])


def parts_of(period: int, *, grain: str, over: str) -> list[int]:
    """Return the periods of a grain that make up one of another; none where they do not fit into it."""
    first, after = (first_date(period + step, grain=over) for step in (0, 1))
    parts = range(period_of(first, grain=grain), period_of(after - timedelta(days=1), grain=grain) + 1)
    fits = first_date(parts[0], grain=grain) == first and first_date(parts[-1] + 1, grain=grain) == after
    return list(parts) if fits and len(parts) > 1 else []


def within(days: int) -> tuple[Name, Name]:
    """Return the names of who ordered in some days before the last closed period, and of those retained in it."""
    return ("within", int(days)), ("within, retained", int(days))


def _of_windows(found: Publication, window_counts: pd.DataFrame, closed: pd.DataFrame, *, grain: str) -> None:
    """Add the last base by windows of other lengths, each of which holds the shorter ones; equal ones are the same."""
    rows = where(window_counts, grain=grain).sort_values("window_days")
    base_ = {row[0]: row[1:] for row in _rows(where(closed, rule="window"), ("period", "n_start", "n_retained"))}
    for period, days, *sizes in _rows(rows, ("period", "window_days", "n_start", "n_retained")):
        n, retained = within(days)
        found.group(n, sizes[0])
        found.part(retained, sizes[1], of=n)
        if base_.get(period) == tuple(sizes):
            names = base_names("window", grain, period)
            found.total(names["start"], [n])
            found.total(names["retained"], [retained])
    _nest(found, [within(days)[0] for days in reversed(rows["window_days"].tolist())])


def money(grain: str, period: int) -> Name:
    """Return the name of the amounts of a period: its orders, revenue and what is divided by them."""
    return ("money", grain, int(period))


def _of_money(found: Publication, order_counts: pd.DataFrame, *, grain: str) -> None:
    """Add the amounts of periods, each as if it were the number of its customers: small where they are few.

    Amounts add up over periods as customers do not: a hidden month is hidden together with others of the year and of
    the quarter, so that what is left of each total is of enough customers.
    """
    columns = ("period", "n_customers", "first_day", "next_day")
    periods = list(_rows(where(order_counts, grain=grain), columns))
    for period, n, *_ in periods:
        found.group(money(grain, period), n, weight=3)
        found.number(money(grain, period), n, of=[at("period", grain, period)], weight=0)
    found.number(MONEY, sum(n for _, n, *_ in periods), weight=_OF_ALL)
    found.total(MONEY, [money(grain, period) for period, *_ in periods])
    [(first_day, next_day)] = _rows(where(order_counts, grain="last_year"), columns[2:])
    inside = [row for row in periods if first_day <= row[2] and row[3] <= next_day]
    if inside and inside[0][2] == first_day and inside[-1][3] == next_day:
        found.number(MONEY_OF_LAST_YEAR, sum(n for _, n, *_ in inside), of=[LAST_YEAR], weight=_HEADLINE)
        found.total(MONEY_OF_LAST_YEAR, [money(grain, period) for period, *_ in inside])


def _of_money_of_the_base(
    found: Publication, order_counts: pd.DataFrame, base_: pd.DataFrame, *, grain: str, base_grain: str
) -> None:
    sizes = dict(_rows(where(order_counts, grain=grain), ("period", "n_customers")))
    closed = dict(_rows(where(order_counts, grain=base_grain, complete=1), ("period", "n_customers")))
    amounts = {}
    for period, n in closed.items():
        parts = parts_of(period, grain=grain, over=base_grain) if grain != base_grain else []
        parts = [part for part in parts if part in sizes]
        amounts[period] = sum(sizes[part] for part in parts) if parts else n
        found.group(at("period", base_grain, period), n)
        found.part(money(base_grain, period), amounts[period], of=at("period", base_grain, period), weight=4)
        if parts:
            found.total(money(base_grain, period), [money(grain, part) for part in parts])
    year = list(closed)[-IN_A_YEAR[base_grain] :]
    if len(year) == IN_A_YEAR[base_grain]:
        of_year = where(base_, rule="period", left_truncated=0)
        of_year = of_year[of_year["period"].isin(year)]
        _of_a_year(found, of_year, {period: closed[period] for period in year}, amounts, grain=base_grain)


def _of_a_year(
    found: Publication, base_: pd.DataFrame, sizes: Mapping[int, int], amounts: Mapping[int, int], *, grain: str
) -> None:
    """Add the sums over the closed periods of the last year, of which the simple lifetime value is made."""
    names = [base_names("period", grain, period) for period in base_["period"].tolist()]
    sums = {
        "visits": (sum(sizes.values()), [at("period", grain, period) for period in sizes]),
        "amounts": (sum(amounts[period] for period in sizes), [money(grain, period) for period in sizes]),
        "starts": (base_["n_start"].sum(), [of["start"] for of in names]),
        "left": (base_["n_lapsed"].sum(), [of["lapsed"] for of in names]),
    }
    for name, (n, parts) in sums.items():
        found.number(name, n, weight=_HEADLINE)
        found.total(name, parts)


_EFFECTS = ("revenue_change", "of_customers", "of_frequency", "of_order_value")
_SHARE = dict.fromkeys(("lower", "upper"), ("n", "counted"))
NEEDS: dict[str, dict[str, tuple[str, ...]]] = {
    "active_base": {
        "n_start": ("start",),
        "n_new": ("new",),
        "n_reactivated": ("reactivated",),
        "n_lapsed": ("lapsed",),
        "n_end": ("end",),
        "n_retained": ("retained",),
        "quick_ratio": ("end", "retained", "lapsed"),
        **dict.fromkeys(("customer_retention_rate", "lower", "upper"), ("start", "retained")),
        "churn_rate": ("start", "lapsed"),
        "textbook_retention_rate": ("start", "kept"),
        "textbook_churn_rate": ("start", "end"),
    },
    "cohort_retention": {"n": ("n",), "n_active": ("counted",), "classic_retention": ("n", "counted"), **_SHARE},
    "pooled_retention": {"n": ("n",), "n_active": ("counted",), "pooled_retention": ("n", "counted"), **_SHARE},
    "orders": {"n_customers": ("n",), **dict.fromkeys(("n_orders", "revenue", "average_order_value"), ("money",))},
    "returned": {"n_observed": ("n",), "n_returned": ("counted",), "returned_share": ("n", "counted"), **_SHARE},
    "brackets": {"n_observed": ("n",), "n_returned": ("counted",), "bracket_retention": ("n", "counted"), **_SHARE},
    "windows": {"n_start": ("n",), "n_retained": ("counted",), "retention_by_window": ("n", "counted"), **_SHARE},
    "next_order": dict.fromkeys(("n", "next_order_share", "lower", "upper"), ("n",)),
    "sensitivity": {"n": ("n",), "value": ("n", "counted"), **_SHARE},
    "survival": dict.fromkeys(("n", "survival", "lower", "upper"), ("n",)),
    "year_on_year": {"n": ("n",), "n_then": ("n_then",), "share": ("counted",), "share_then": ("counted_then",)},
    "revenue_bridge": {
        "opening": ("opening",),
        "closing": ("closing",),
        **dict.fromkeys(("expansion", "contraction"), ("opening", "closing", "retained")),
        "lapsed": ("lapsed",),
        "reactivated": ("reactivated",),
        "new": ("new",),
        **dict.fromkeys(("net_revenue_retention", "gross_revenue_retention"), ("opening", "closing", "retained")),
        "textbook_revenue_retention": ("opening", "closing", "kept"),
        "n_start": ("start",),
        "n_end": ("end",),
    },
    "revenue_change": {
        "n_then": ("n_then",),
        "n_now": ("n_now",),
        "then": ("then",),
        "now": ("now",),
        **{
            f"{effect}{end}": ("n_then", "n_now", "then", "now")
            for effect in _EFFECTS
            for end in ("", "_lower", "_upper")
        },
    },
}
"""Of each table, the counts that a column of numbers needs to be printed; a column that is not named is no number."""


def counts_of(table: str, row, *, grain: str, base_grain: str) -> dict[str, Name]:
    """Return the names of the counts that a row of a table prints, by what `NEEDS` calls them."""
    match table:
        case "active_base":
            return base_names(row.rule, base_grain, row.period)
        case "cohort_retention":
            return {"n": cell(grain, row.cohort, 0), "counted": cell(grain, row.cohort, row.age)}
        case "year_on_year":
            then = row.cohort - IN_A_YEAR[grain]
            cells = {"n": cell(grain, row.cohort, 0), "counted": cell(grain, row.cohort, row.age)}
            return cells | {"n_then": cell(grain, then, 0), "counted_then": cell(grain, then, row.age)}
        case "pooled_retention":
            return {"n": ("pooled", grain, row.age), "counted": ("pooled active", grain, row.age)}
        case "orders":
            return {"n": at("period", grain, row.period), "money": money(grain, row.period)}
        case "returned":
            return {
                "n": cut(row.cut, row.value, row.horizon_days),
                "counted": cut(row.cut, row.value, row.horizon_days, of="returned"),
            }
        case "brackets":
            return {"n": observed(row.last_day + 1), "counted": returned(row.first_day, row.last_day)}
        case "windows":
            return dict(zip(("n", "counted"), within(row.window_days), strict=True))
        case "next_order":
            return {"n": order_day(row.nth)}
        case "survival":
            return {"n": CUSTOMERS}
        case "revenue_bridge":
            ends = {"opening": money(base_grain, row.period - 1), "closing": money(base_grain, row.period)}
            return base_names("period", base_grain, row.period) | ends
        case "revenue_change":
            then = row.period - IN_A_YEAR[base_grain]
            periods = {"then": then, "now": row.period}
            return {
                **{f"n_{when}": at("period", base_grain, period) for when, period in periods.items()},
                **{when: money(base_grain, period) for when, period in periods.items()},
            }
        case "sensitivity":
            return {"n": row.of, "counted": row.counted}
    raise KeyError(table)


_OF_THE_BASE = (
    "active_customers",
    "customer_retention_rate",
    "churn_rate",
    "textbook_retention_rate",
    "textbook_churn_rate",
    "net_revenue_retention",
    "gross_revenue_retention",
)


def counts_of_headlines(activity_counts: pd.DataFrame, *, base_grain: str) -> dict[str, tuple[Name, ...]]:
    """Return the counts that each headline needs to be told, by its id."""
    closed = closed_base(activity_counts, grain=base_grain)
    found: dict[str, tuple[Name, ...]] = {
        "customers": (CUSTOMERS,),
        "orders": (MONEY,),
        "revenue": (MONEY,),
        "repeat_customer_rate_by_days": (CUSTOMERS, REPEAT_BY_DAYS),
        "repeat_customer_rate": (CUSTOMERS, REPEAT),
        "purchase_frequency": (CUSTOMERS, MONEY),
        "purchase_frequency_per_year": (LAST_YEAR, MONEY_OF_LAST_YEAR),
        "average_order_value": (MONEY,),
        "revenue_per_customer": (CUSTOMERS, MONEY),
        "activity_window": (CUSTOMERS,),
        "purchase_frequency_per_period": ("visits", "amounts"),
        "customer_lifespan": ("starts", "left"),
        **dict.fromkeys(("clv_simple", "cltv"), OF_A_YEAR),
        **dict.fromkeys(_OF_THE_BASE, ()),  # where no period is over that anybody was active in
    }
    for rule, rows in closed.groupby("rule"):
        last = rows["period"].iloc[-1]
        names = base_names(rule, base_grain, last)
        if rule == "window":
            found |= {
                "active_customers": (names["end"],),
                "customer_retention_rate": (names["start"], names["retained"]),
                "churn_rate": (names["start"], names["lapsed"]),
                "textbook_retention_rate": (names["start"], names["kept"]),
                "textbook_churn_rate": (names["start"], names["end"]),
            }
        if rule == "period":
            amounts = [money(base_grain, period) for period in (last - 1, last)]
            kept = (names["start"], names["retained"], *amounts)
            found |= dict.fromkeys(("net_revenue_retention", "gross_revenue_retention"), kept)
    return found


def hidden_cells(table: pd.DataFrame, name: str, secret: frozenset[Name], **facts) -> pd.DataFrame:
    """Return which cells of a table are hidden: those of which a count that they need is.

    Parameters
    ----------
    table : one of a sheet's, its periods as numbers.
    name : which one.
    secret : the counts that are hidden.
    """
    hidden = pd.DataFrame(False, index=table.index, columns=table.columns)
    if secret and name in NEEDS:
        rows = [counts_of(name, row, **facts) for row in table.itertuples()]
        for column, needs in NEEDS[name].items():
            if column in table:
                hidden[column] = [any(names[need] in secret for need in needs) for names in rows]
    return hidden


def open_cells(cohort_counts: pd.DataFrame, secret: frozenset[Name], *, grain: str) -> pd.DataFrame:
    """Return the cells of cohorts that are shown: no reading tells of a hidden one."""
    counts = where(cohort_counts, grain=grain).reset_index(drop=True)
    if not secret:
        return counts
    is_open = [
        not secret & {cell(grain, row.cohort, 0), cell(grain, row.cohort, row.age)} for row in counts.itertuples()
    ]
    return counts[is_open].reset_index(drop=True)
