"""A market's headlines: the numbers a country manager reads first, each with all that is needed to argue with it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from retention_kit.config import Lifespan, Market
from retention_kit.metrics import base, orders, value
from retention_kit.metrics.intervals import CONF_LEVEL, bootstrap_interval
from retention_kit.metrics.registry import METRICS
from retention_kit.periods import date_of, first_date

_RULE = "window"
_LABELS = {
    "customers": "Customers",
    "orders": "Orders",
    "revenue": "Net revenue",
    "active_customers": "Active customers",
    "customer_retention_rate": "Customer retention rate",
    "textbook_retention_rate": "Textbook retention rate",
    "churn_rate": "Churn rate",
    "textbook_churn_rate": "Textbook churn rate",
    "repeat_customer_rate_by_days": "Repeat customer rate",
    "repeat_customer_rate": "Repeat customer rate, by orders",
    "purchase_frequency": "Purchase frequency",
    "purchase_frequency_per_year": "Purchase frequency per year",
    "average_order_value": "Average order value",
    "customer_lifespan": "Customer lifespan",
    "clv_simple": "Customer lifetime value (simple)",
    "cltv": "Lifetime value less acquisition cost",
}
_PLAIN_DEFINITIONS = {
    "customers": "Customers with at least one kept order.",
    "orders": "Kept orders: not cancelled, not fully refunded, with a positive amount.",
    "revenue": "Amounts of kept orders less refunds, in the market's currency.",
    "active_customers": "Customers with a kept order in the activity window before the end of the period.",
    "purchase_frequency_per_year": "Kept orders over customers with at least one, in the twelve months before as_of.",
    "customer_lifespan": "How long a customer stays: stated for the market, else 1 / churn rate.",
}


@dataclass(frozen=True)
class Headline:
    """One number of a market, with all that is needed to argue with it.

    `n` is the number of customers it is about. `value` is None where the number is hidden (a small cell) or
    cannot be had; `note` then says why. `window` is half open: its last date is not in it.
    """

    id: str
    label: str
    value: float | None
    unit: str
    definition: str
    window: str
    as_of: str
    n: int | None = None
    lower: float | None = None
    upper: float | None = None
    conf_level: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    currency: str | None = None
    note: str = ""
    hidden: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self)

    def unless_small(self, min_cell: int) -> "Headline":
        """Return it, or without any number where it is about fewer than `min_cell` customers."""
        if self.n is None or self.n == 0 or self.n >= min_cell:
            return self
        numbers = dict.fromkeys(["value", "n", "lower", "upper", "conf_level", "numerator", "denominator"])
        return replace(self, **numbers, hidden=True, note=f"hidden: fewer than {min_cell} customers")


def headlines(
    tables: Mapping[str, pd.DataFrame], *, market: Market, as_of: str, base_grain: str, min_cell: int
) -> list[Headline]:
    """Return the headlines of one market from its counts tables, small cells hidden.

    Those of the base are of the last closed period; those of orders of the whole history before `as_of`.
    """
    found = [
        *_of_orders(tables, market=market, as_of=as_of),
        *_of_the_base(tables["activity_counts"], as_of=as_of, grain=base_grain, market=market),
    ]
    by_id = {headline.id: headline.unless_small(min_cell) for headline in found}  # before anything is made of them
    worth = _of_value(by_id, tables, market=market, as_of=as_of, base_grain=base_grain, min_cell=min_cell)
    by_id |= {headline.id: headline.unless_small(min_cell) for headline in worth}
    return [by_id[name] for name in _LABELS if name in by_id]


def _headline(name: str, number: float | None, **facts: Any) -> Headline:
    definition = METRICS[name].definition if name in METRICS else _PLAIN_DEFINITIONS[name]
    absent = number is None or pd.isna(number)
    return Headline(
        id=name, label=_LABELS[name], value=None if absent else float(number), definition=definition, **facts
    )


def _window(row: pd.Series) -> str:
    return f"{date_of(row['first_day'])} to {date_of(row['next_day'])}"


def _of_orders(tables: Mapping[str, pd.DataFrame], *, market: Market, as_of: str) -> Iterator[Headline]:
    history = tables["order_counts"].query("grain == 'history'")
    row = history.iloc[0]
    n = int(row["n_customers"])
    facts: dict[str, Any] = {"window": _window(row), "as_of": as_of, "n": n}
    yield _headline("customers", n, unit="customers", **facts)
    yield _headline("orders", row["n_orders"], unit="orders", **facts)
    for rate, count in (
        (orders.repeat_customer_rate_by_days, "n_repeat_customers_by_days"),
        (orders.repeat_customer_rate, "n_repeat_customers"),
    ):
        yield _share(rate.__name__, rate(history).iloc[0], count=count, n="n_customers", facts=facts)
    frequency = orders.purchase_frequency(history).iloc[0]
    yield _headline(
        "purchase_frequency",
        frequency["purchase_frequency"],
        unit=f"orders per customer in {frequency['n_days']} days",
        numerator=int(row["n_orders"]),
        denominator=n,
        **_interval(tables, grain="history", numerator="n_orders", denominator="n_customers"),
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
    yield _headline("revenue", revenue, unit="currency", currency=market.currency, **facts)
    yield _headline(
        "average_order_value",
        orders.average_order_value(history, minor_per_unit=per_unit)["average_order_value"].iloc[0],
        unit="currency per order",
        currency=market.currency,
        numerator=revenue,
        denominator=int(row["n_orders"]),
        **_interval(tables, grain="history", numerator="revenue_minor", denominator="n_orders", per_unit=per_unit),
        **facts,
    )


def _yearly_frequency(tables: Mapping[str, pd.DataFrame], *, history_days: int, as_of: str) -> Headline:
    year = tables["order_counts"].query("grain == 'last_year'").iloc[0]
    n = int(year["n_customers"])
    facts: dict[str, Any] = {
        "unit": "orders per customer and year",
        "window": _window(year),
        "as_of": as_of,
        "n": n,
    }
    if history_days < year["next_day"] - year["first_day"]:
        return _headline("purchase_frequency_per_year", None, note="history is shorter than a year", **facts)
    if n == 0:
        return _headline("purchase_frequency_per_year", None, note="nobody ordered in these twelve months", **facts)
    return _headline(
        "purchase_frequency_per_year",
        year["n_orders"] / n,
        numerator=int(year["n_orders"]),
        denominator=n,
        **_interval(tables, grain="last_year", numerator="n_orders", denominator="n_customers"),
        **facts,
    )


def _interval(
    tables: Mapping[str, pd.DataFrame], *, grain: str, numerator: str, denominator: str, per_unit: int = 1
) -> dict[str, float]:
    drawn = tables["bucket_counts"].query("grain == @grain")
    found = bootstrap_interval(drawn, numerator=numerator, denominator=denominator)
    if found.empty:
        return {}
    lower, upper = found.loc[0, ["lower", "upper"]] / per_unit
    return {"lower": float(lower), "upper": float(upper), "conf_level": CONF_LEVEL}


def _share(name: str, row: pd.Series, *, count: str, n: str, facts: dict[str, Any]) -> Headline:
    of = int(row[n])
    if of == 0:
        return _headline(name, None, unit="share", note="nobody to take a share of: S = 0", **facts | {"n": 0})
    return _headline(
        name,
        row[name],
        unit="share",
        lower=float(row["lower"]),
        upper=float(row["upper"]),
        conf_level=CONF_LEVEL,
        numerator=int(row[count]),
        denominator=of,
        **facts | {"n": of},
    )


def _of_the_base(activity_counts: pd.DataFrame, *, as_of: str, grain: str, market: Market) -> Iterator[Headline]:
    """Yield retention and churn of the last closed period that begins with customers."""
    closed = activity_counts.query("grain == @grain and rule == @_RULE and complete == 1 and n_start > 0").tail(1)
    if closed.empty:
        note = f"no closed {grain} that begins with an active customer"
        for name in ("customer_retention_rate", "churn_rate"):
            yield _headline(name, None, unit="share", window="", as_of=as_of, note=note)
        return
    row = closed.iloc[0]
    first, after = (first_date(row["period"] + step, grain=grain) for step in (0, 1))
    days = market.activity_window_days
    note = f"active: a kept order in the {days} days before"
    if row["left_truncated"]:
        note += "; the window at the start reaches back before the data begin"
    facts: dict[str, Any] = {"window": f"{first} to {after}", "as_of": as_of, "note": note}
    yield _headline("active_customers", row["n_end"], unit="customers", n=int(row["n_end"]), **facts)
    for rate, count in ((base.customer_retention_rate, "n_retained"), (base.churn_rate, "n_lapsed")):
        yield _share(rate.__name__, rate(closed).iloc[0], count=count, n="n_start", facts=facts)
    n_start = int(row["n_start"])
    for ratio, numerator in (
        (base.textbook_retention_rate, row["n_end"] - row["n_new"]),
        (base.textbook_churn_rate, n_start - row["n_end"]),
    ):
        counts: dict[str, Any] = {"n": n_start, "numerator": int(numerator), "denominator": n_start}
        told = "no share, so it has no interval; shown beside the exact rate"
        name = ratio.__name__
        yield _headline(name, ratio(closed).iloc[0][name], unit="ratio", **facts | {"note": told}, **counts)


def _of_value(
    by_id: Mapping[str, Headline],
    tables: Mapping[str, pd.DataFrame],
    *,
    market: Market,
    as_of: str,
    base_grain: str,
    min_cell: int,
) -> Iterator[Headline]:
    if "average_order_value" not in by_id:
        return
    order_value, frequency, churn = (
        by_id[name] for name in ("average_order_value", "purchase_frequency_per_year", "churn_rate")
    )
    facts: dict[str, Any] = {"window": frequency.window, "as_of": as_of, "n": frequency.n}
    lifespan, origin = _lifespan(market, churn, base_grain=base_grain)
    yield _headline(
        "customer_lifespan",
        lifespan.value if lifespan else None,
        unit="years",
        **facts | {"n": churn.n, "window": churn.window},
        note=origin,
    )
    money: dict[str, Any] = {"unit": "currency per customer", "currency": market.currency, **facts}
    if lifespan is None or frequency.value is None or order_value.value is None:
        why = origin if lifespan is None else frequency.note or order_value.note
        yield _headline("clv_simple", None, note=why, **money)
        return
    worth = value.clv_simple(
        order_value.value,
        frequency=value.Frequency(frequency.value, per="year"),
        lifespan=lifespan,
        gross_margin=market.gross_margin,
    )
    of = "revenue" if market.gross_margin is None else f"gross margin of {market.gross_margin:.0%}"
    yield _headline(
        "clv_simple", worth, note=f"{of}; lifespan {lifespan.value:.2f} years, {origin}; no interval", **money
    )
    costs = tables["acquisition_counts"]
    yield _less_cost(worth, costs, market=market, money=money, min_cell=min_cell)


def _less_cost(worth: float, costs: pd.DataFrame, *, market: Market, money: dict[str, Any], min_cell: int) -> Headline:
    """Return the worth less the cost; a mean of fewer than `min_cell` customers would tell what they cost."""
    n_with_cost = int(costs["n_with_cost"].sum())
    if n_with_cost >= min_cell:
        cost = costs["cost_minor"].sum() / n_with_cost / market.minor_per_unit
        origin = f"acquisition cost: mean of the {n_with_cost:,} customers whose cost is known"
    elif market.acquisition_cost is not None:
        cost, origin = float(market.acquisition_cost), "acquisition cost: as stated for the market"
    else:
        return _headline("cltv", None, note="no acquisition cost is known for this market", **money)
    return _headline("cltv", value.cltv(worth, acquisition_cost=cost), note=origin, **money)


def _lifespan(market: Market, churn: Headline, *, base_grain: str) -> tuple[Lifespan | None, str]:
    """Return the lifespan in years, and where it comes from."""
    if market.lifespan is not None:
        return value.lifespan_in(market.lifespan, unit="year"), "as stated for the market"
    if churn.hidden:
        return None, "no lifespan: none is stated, and the churn rate is hidden"
    known = None if churn.value is None else value.lifespan_from_churn(churn.value, per=base_grain)
    if known is None:
        return None, "no lifespan: none is stated, and no churn is observed"
    return value.lifespan_in(known, unit="year"), f"1 / churn rate of a {base_grain}"
