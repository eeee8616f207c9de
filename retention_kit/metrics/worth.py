"""What a customer of a market is worth, by the simple formula: its parts of the same year, periods and customers.

Frequency, churn and order value are of the closed periods of the last year. A customer is active in a period when
he ordered in it: he orders `frequency` times in each of the 1 / churn periods that he stays. Frequency per customer
of a whole year times a lifespan of the active base would cut his time twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from retention_kit.config import Lifespan, Market
from retention_kit.messages import N_, Message, Number, both
from retention_kit.metrics import value
from retention_kit.metrics.headline import Headline, headline, money_interval, units, window_of
from retention_kit.metrics.rows import where
from retention_kit.periods import first_date

_IN_A_YEAR = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}
_PER_ACTIVE = {
    "day": N_("{frequency} orders per active day, {origin}"),
    "week": N_("{frequency} orders per active week, {origin}"),
    "month": N_("{frequency} orders per active month, {origin}"),
    "quarter": N_("{frequency} orders per active quarter, {origin}"),
    "year": N_("{frequency} orders per active year, {origin}"),
}


def worth_headlines(
    tables: Mapping[str, pd.DataFrame], *, market: Market, as_of: str, base_grain: str, min_cell: int
) -> Iterator[Headline]:
    """Yield what customers have been worth so far, and what the simple formula says of one over his lifespan."""
    history = where(tables["order_counts"], grain="history").iloc[0]
    yield _so_far(tables, history, market=market, as_of=as_of)
    year, churned = _year(tables, grain=base_grain)
    n = int(where(tables["order_counts"], grain="last_year")["n_customers"].iloc[0])
    facts: dict[str, Any] = {"window": "", "as_of": as_of, "n": n}
    if len(year) < _IN_A_YEAR[base_grain]:
        yield from _absent(
            Message("fewer than a year's {units} are over", units=units(base_grain)), market=market, facts=facts
        )
        return
    first, after = (first_date(p, grain=base_grain) for p in (year["period"].iloc[0], year["period"].iloc[-1] + 1))
    facts["window"] = f"{first} to {after}"
    if year["n_orders"].sum() == 0:
        yield from _absent(N_("nobody ordered in the last year"), market=market, facts=facts)
        return
    yield from _of_a_year(tables, year, churned, market=market, facts=facts, base_grain=base_grain, min_cell=min_cell)


def _so_far(tables: Mapping[str, pd.DataFrame], history: pd.Series, *, market: Market, as_of: str) -> Headline:
    per_unit, n = market.minor_per_unit, int(history["n_customers"])
    return headline(
        "revenue_per_customer",
        history["revenue_minor"] / per_unit / n if n else None,
        unit="currency per customer",
        currency=market.currency,
        window=window_of(history),
        as_of=as_of,
        n=n,
        numerator=history["revenue_minor"] / per_unit,
        denominator=n,
        **money_interval(
            tables, grain="history", numerator="revenue_minor", denominator="n_customers", per_unit=per_unit
        ),
    )


def _year(tables: Mapping[str, pd.DataFrame], *, grain: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and the base, by rule 'period', of the last closed periods that make a year."""
    closed = where(tables["order_counts"], grain=grain, complete=1).tail(_IN_A_YEAR[grain])
    base = where(tables["activity_counts"], grain=grain, rule="period", left_truncated=0)
    return closed, base[base["period"].isin(closed["period"])]


def _absent(note: str, *, market: Market, facts: dict[str, Any]) -> Iterator[Headline]:
    yield headline("customer_lifespan", None, unit="years", note=note, **facts)
    money = {"unit": "currency per customer", "currency": market.currency}
    for name in ("clv_simple", "cltv"):
        yield headline(name, None, note=note, **money, **facts)


def _of_a_year(
    tables: Mapping[str, pd.DataFrame],
    year: pd.DataFrame,
    churned: pd.DataFrame,
    *,
    market: Market,
    facts: dict[str, Any],
    base_grain: str,
    min_cell: int,
) -> Iterator[Headline]:
    n_orders, n_customers = int(year["n_orders"].sum()), int(year["n_customers"].sum())
    frequency = value.Frequency(n_orders / n_customers, per=base_grain)
    yield headline(
        "purchase_frequency_per_period",
        frequency.value,
        unit=f"orders per active customer and {base_grain}",
        numerator=n_orders,
        denominator=n_customers,
        **facts,
    )
    lifespan, origin = _lifespan(market, churned, base_grain=base_grain)
    years = value.lifespan_in(lifespan, unit="year").value if lifespan else None
    yield headline("customer_lifespan", years, unit="years", note=origin, **facts)
    money = {"unit": "currency per customer", "currency": market.currency, **facts}
    if lifespan is None:
        yield headline("clv_simple", None, note=origin, **money)
        return
    worth = value.clv_simple(
        year["revenue_minor"].sum() / market.minor_per_unit / n_orders,
        frequency=frequency,
        lifespan=value.lifespan_in(lifespan, unit=base_grain),
        gross_margin=market.gross_margin,
    )
    of = N_("revenue")
    if market.gross_margin is not None:
        of = Message("gross margin of {share}", share=Number(market.gross_margin, is_share=True))
    made_of = Message(_PER_ACTIVE[base_grain], frequency=Number(frequency.value, 2), origin=origin)
    note = both(of, made_of, N_("no interval"))
    yield headline("clv_simple", worth, note=note, **money)
    yield _less_cost(worth, tables["acquisition_counts"], market=market, money=money, min_cell=min_cell)


def _lifespan(market: Market, churned: pd.DataFrame, *, base_grain: str) -> tuple[Lifespan | None, str]:
    """Return the lifespan, and where it comes from."""
    if market.lifespan is not None:
        return market.lifespan, Message(
            "lifespan {n} {units}, as stated for the market",
            n=Number(market.lifespan.value, 0 if market.lifespan.value.is_integer() else 1),
            units=units(market.lifespan.unit),
        )
    start, lapsed = int(churned["n_start"].sum()), int(churned["n_lapsed"].sum())
    known = value.lifespan_from_churn(lapsed / start, per=base_grain) if start else None
    if known is None:
        return None, N_("no lifespan: none is stated, and no churn is observed")
    return known, Message(
        "lifespan {n} {units}, 1 / churn rate of a year's {units}", n=Number(known.value, 1), units=units(base_grain)
    )


def _less_cost(worth: float, costs: pd.DataFrame, *, market: Market, money: dict[str, Any], min_cell: int) -> Headline:
    """Return the worth less the cost; a mean of fewer than `min_cell` customers would tell what they cost."""
    n_with_cost = int(costs["n_with_cost"].sum())
    if n_with_cost >= min_cell:
        cost = costs["cost_minor"].sum() / n_with_cost / market.minor_per_unit
        origin = Message(
            "acquisition cost: that of the {n} customer whose cost is known",
            "acquisition cost: mean of the {n} customers whose cost is known",
            n=n_with_cost,
        )
    elif market.acquisition_cost is not None:
        cost, origin = float(market.acquisition_cost), N_("acquisition cost: as stated for the market")
    else:
        return headline("cltv", None, note=N_("no acquisition cost is known for this market"), **money)
    return headline("cltv", value.cltv(worth, acquisition_cost=cost), note=origin, **money)
