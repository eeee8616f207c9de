"""A market's headlines: the numbers a country manager reads first."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from retention_kit.config import Market
from retention_kit.messages import N_, Message, both
from retention_kit.metrics import base, cadence, orders
from retention_kit.metrics.headline import (
    LEAST_FOR_MONEY,
    ORDER,
    Headline,
    headline,
    money_interval,
    share_headline,
    window_of,
)
from retention_kit.metrics.intervals import CONF_LEVEL
from retention_kit.metrics.revenue import revenue_retention_intervals
from retention_kit.metrics.rows import where
from retention_kit.metrics.worth import worth_headlines
from retention_kit.periods import first_date

_RULE = "window"
_NONE_OVER = {
    "day": N_("no day is over yet"),
    "week": N_("no week is over yet"),
    "month": N_("no month is over yet"),
    "quarter": N_("no quarter is over yet"),
    "year": N_("no year is over yet"),
}
_OF_THOSE_BEFORE = {
    "day": N_("of those who ordered in the day before"),
    "week": N_("of those who ordered in the week before"),
    "month": N_("of those who ordered in the month before"),
    "quarter": N_("of those who ordered in the quarter before"),
    "year": N_("of those who ordered in the year before"),
}


def headlines(
    tables: Mapping[str, pd.DataFrame], *, market: Market, as_of: str, base_grain: str, min_cell: int
) -> list[Headline]:
    """Return the headlines of one market from its counts tables, nothing hidden.

    Those of the base are of the last closed period; those of orders of the whole history before `as_of`.
    """
    found = [
        *_of_orders(tables, market=market, as_of=as_of),
        *_of_the_base(tables["activity_counts"], as_of=as_of, grain=base_grain, market=market),
        _own_window(tables, as_of=as_of),
    ]
    if "revenue_minor" in tables["order_counts"]:
        found += _of_kept_revenue(tables["retained_revenue_counts"], as_of=as_of, grain=base_grain)
        found += worth_headlines(tables, market=market, as_of=as_of, base_grain=base_grain, min_cell=min_cell)
    by_id = {headline.id: headline for headline in found}
    return [by_id[name] for name in ORDER if name in by_id]


def _of_orders(tables: Mapping[str, pd.DataFrame], *, market: Market, as_of: str) -> Iterator[Headline]:
    history = where(tables["order_counts"], grain="history")
    row = history.iloc[0]
    n = int(row["n_customers"])
    facts: dict[str, Any] = {"window": window_of(row), "as_of": as_of, "n": n}
    yield headline("customers", n, unit="customers", **facts)
    yield headline("orders", row["n_orders"], unit="orders", **facts)
    for rate, count in (
        (orders.repeat_customer_rate_by_days, "n_repeat_customers_by_days"),
        (orders.repeat_customer_rate, "n_repeat_customers"),
    ):
        yield share_headline(rate.__name__, rate.frame(history).iloc[0], count=count, n="n_customers", facts=facts)
    frequency = orders.purchase_frequency.frame(history).iloc[0]
    yield headline(
        "purchase_frequency",
        frequency["purchase_frequency"],
        unit=f"orders per customer in {frequency['n_days']} days",
        numerator=int(row["n_orders"]),
        denominator=n,
        **money_interval(tables, grain="history", numerator="n_orders", denominator="n_customers"),
        **facts,
    )
    yield _yearly_frequency(tables, history_days=int(frequency["n_days"]), as_of=as_of)
    if "revenue_minor" in history:
        yield from _of_money(tables, history, market=market, facts=facts)


def _of_money(
    tables: Mapping[str, pd.DataFrame], history: pd.DataFrame, *, market: Market, facts: dict[str, Any]
) -> Iterator[Headline]:
    per_unit, row = market.minor_per_unit, history.iloc[0]
    revenue = row["revenue_minor"] / per_unit
    yield headline("revenue", revenue, unit="currency", currency=market.currency, **facts)
    yield headline(
        "average_order_value",
        orders.average_order_value.frame(history, minor_per_unit=per_unit)["average_order_value"].iloc[0],
        unit="currency per order",
        currency=market.currency,
        numerator=revenue,
        denominator=int(row["n_orders"]),
        **money_interval(tables, grain="history", numerator="revenue_minor", denominator="n_orders", per_unit=per_unit),
        **facts,
    )


def _yearly_frequency(tables: Mapping[str, pd.DataFrame], *, history_days: int, as_of: str) -> Headline:
    year = where(tables["order_counts"], grain="last_year").iloc[0]
    n = int(year["n_customers"])
    facts: dict[str, Any] = {
        "unit": "orders per customer and year",
        "window": window_of(year),
        "as_of": as_of,
        "n": n,
    }
    if history_days < year["next_day"] - year["first_day"]:
        return headline("purchase_frequency_per_year", None, note=N_("history is shorter than a year"), **facts)
    if n == 0:
        return headline("purchase_frequency_per_year", None, note=N_("nobody ordered in these twelve months"), **facts)
    return headline(
        "purchase_frequency_per_year",
        year["n_orders"] / n,
        numerator=int(year["n_orders"]),
        denominator=n,
        **money_interval(tables, grain="last_year", numerator="n_orders", denominator="n_customers"),
        **facts,
    )


def _own_window(tables: Mapping[str, pd.DataFrame], *, as_of: str) -> Headline:
    """Return the activity window that the market's own gaps between orders give; n is of customers."""
    history = where(tables["order_counts"], grain="history").iloc[0]
    window = cadence.activity_window.frame(tables["gap_counts"]).iloc[0]
    interval = window[["from_days", "to_days"]]
    ends = {} if interval.isna().any() else {"lower": float(interval.iloc[0]), "upper": float(interval.iloc[1])}
    return headline(
        "activity_window",
        window["activity_window"],
        unit="days",
        window=window_of(history),
        as_of=as_of,
        n=int(history["n_customers"]),
        note=both(
            Message(
                "90% of the gaps that close within {n} day do so in this time",
                "90% of the gaps that close within {n} days do so in this time",
                n=int(window["within_days"]),
            ),
            N_("gaps of one customer are taken as independent"),
        ),
        **(ends | {"conf_level": CONF_LEVEL} if ends else {}),
    )


def _of_kept_revenue(retained_revenue_counts: pd.DataFrame, *, as_of: str, grain: str) -> Iterator[Headline]:
    """Yield what the customers of the period before spent in the last closed one, net and gross of growth."""
    rates = revenue_retention_intervals(where(retained_revenue_counts, grain=grain))
    for row in rates.itertuples():
        first, after = (first_date(row.period + step, grain=grain) for step in (0, 1))
        sure = row.n >= LEAST_FOR_MONEY
        interval = {"lower": float(row.lower), "upper": float(row.upper), "conf_level": CONF_LEVEL} if sure else {}
        yield headline(
            row.rate,
            row.value,
            unit="ratio",
            window=f"{first} to {after}",
            as_of=as_of,
            n=int(row.n),
            note=both(_OF_THOSE_BEFORE[grain], N_("who came back after a pause is not in it")),
            **interval,
        )


def _of_the_base(activity_counts: pd.DataFrame, *, as_of: str, grain: str, market: Market) -> Iterator[Headline]:
    """Yield retention and churn of the last closed period."""
    closed = where(activity_counts, grain=grain, rule=_RULE, complete=1).tail(1)
    if closed.empty:
        note = _NONE_OVER[grain]
        for name in ("customer_retention_rate", "churn_rate"):
            yield headline(name, None, unit="share", window="", as_of=as_of, note=note)
        return
    row = closed.iloc[0]
    first, after = (first_date(row["period"] + step, grain=grain) for step in (0, 1))
    note = Message(
        "active: a kept order in the {n} day before",
        "active: a kept order in the {n} days before",
        n=market.activity_window_days,
    )
    if row["left_truncated"]:
        note = both(note, N_("the window at the start reaches back before the data begin"))
    facts: dict[str, Any] = {"window": f"{first} to {after}", "as_of": as_of, "note": note}
    yield headline("active_customers", row["n_end"], unit="customers", n=int(row["n_end"]), **facts)
    for rate, count in ((base.customer_retention_rate, "n_retained"), (base.churn_rate, "n_lapsed")):
        yield share_headline(rate.__name__, rate.frame(closed).iloc[0], count=count, n="n_start", facts=facts)
    n_start = int(row["n_start"])
    for ratio, numerator in (
        (base.textbook_retention_rate, row["n_end"] - row["n_new"]),
        (base.textbook_churn_rate, n_start - row["n_end"]),
    ):
        counts: dict[str, Any] = {"n": n_start, "numerator": int(numerator), "denominator": n_start}
        told = both(N_("no share, so it has no interval"), N_("shown beside the exact rate"))
        name = ratio.__name__
        yield headline(name, ratio.frame(closed).iloc[0][name], unit="ratio", **facts | {"note": told}, **counts)
