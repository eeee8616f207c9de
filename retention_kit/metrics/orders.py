"""How often and for how much: frequency, order value, repeat customers."""

import pandas as pd

from retention_kit.messages import N_
from retention_kit.metrics.intervals import CONF_LEVEL, share_columns
from retention_kit.metrics.registry import metric

_KEYS = ["market", "grain", "period"]


def _closed(order_counts: pd.DataFrame) -> pd.DataFrame:
    return order_counts[order_counts["complete"] == 1].reset_index(drop=True)


@metric(
    unit="currency per order",
    range=(0, None),
    source="by definition: net revenue / kept orders",
    label=N_("Average order value"),
)
def average_order_value(order_counts: pd.DataFrame, *, minor_per_unit: int) -> pd.DataFrame:
    """Net revenue of kept orders over kept orders, in units of the market's currency.

    Parameters
    ----------
    order_counts : (n_periods, 14), from `counts.order_counts`.
    minor_per_unit : minor units in one unit of the currency: 100 for EUR, 1 for JPY.

    Returns
    -------
    One row per market, grain and closed period: `n_orders`, `average_order_value`, NaN where there is no order.
    """
    closed = _closed(order_counts)
    orders = closed["n_orders"].where(closed["n_orders"] > 0)
    value = closed["revenue_minor"] / minor_per_unit / orders
    return closed[[*_KEYS, "n_orders"]].assign(average_order_value=value)


@metric(
    unit="orders per customer in the period",
    range=(1, None),
    source="by definition: kept orders / customers",
    label=N_("Purchase frequency"),
)
def purchase_frequency(order_counts: pd.DataFrame) -> pd.DataFrame:
    """Kept orders over customers with at least one, in a stated length of time.

    It grows with that length: a frequency is read together with its period.

    Parameters
    ----------
    order_counts : (n_periods, 14), from `counts.order_counts`.

    Returns
    -------
    One row per market, grain and closed period: `n_customers`, `n_days` of the period, `purchase_frequency`, NaN
    where nobody ordered.
    """
    closed = _closed(order_counts)
    customers = closed["n_customers"].where(closed["n_customers"] > 0)
    return closed[[*_KEYS, "n_customers"]].assign(
        n_days=closed["next_day"] - closed["first_day"], purchase_frequency=closed["n_orders"] / customers
    )


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: ≥ 2 kept orders / ≥ 1",
    label=N_("Repeat customer rate, by orders"),
)
def repeat_customer_rate(order_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of the customers of a period who placed two or more kept orders in it.

    Parameters
    ----------
    order_counts : (n_periods, 14), from `counts.order_counts`.

    Returns
    -------
    One row per market, grain and closed period: `n_customers`, `n_repeat_customers`, `repeat_customer_rate`,
    `lower`, `upper`, Wilson.
    """
    closed = _closed(order_counts)[[*_KEYS, "n_customers", "n_repeat_customers"]]
    return share_columns(
        closed, "repeat_customer_rate", count="n_repeat_customers", n="n_customers", conf_level=conf_level
    )


@metric(
    unit="share of customers",
    range=(0, 1),
    source="by definition: ≥ 2 order days / ≥ 1",
    label=N_("Repeat customer rate"),
)
def repeat_customer_rate_by_days(order_counts: pd.DataFrame, *, conf_level: float = CONF_LEVEL) -> pd.DataFrame:
    """Share of the customers of a period with kept orders on two or more days of it: the default for behaviour.

    Orders of one day are one purchase occasion.

    Parameters
    ----------
    order_counts : (n_periods, 14), from `counts.order_counts`.

    Returns
    -------
    One row per market, grain and closed period: `n_customers`, `n_repeat_customers_by_days`,
    `repeat_customer_rate_by_days`, `lower`, `upper`, Wilson.
    """
    closed = _closed(order_counts)[[*_KEYS, "n_customers", "n_repeat_customers_by_days"]]
    return share_columns(
        closed,
        "repeat_customer_rate_by_days",
        count="n_repeat_customers_by_days",
        n="n_customers",
        conf_level=conf_level,
    )
