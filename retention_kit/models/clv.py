"""What a customer is worth: expected orders × expected value of an order × margin, over a horizon, discounted.

The horizon and the yearly rate are part of the number. The value of an order day is taken to say nothing of how many
there are: where it does, the two are not multiplied unless told.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.errors import MetricError
from retention_kit.models.fitting import CONF_LEVEL
from retention_kit.models.patterns import patterns
from retention_kit.models.purchases import WEEKS_PER_YEAR, PurchaseModel
from retention_kit.models.seasons import Seasons
from retention_kit.models.spend import SpendModel

WEEKS_PER_MONTH = WEEKS_PER_YEAR / 12
Dependence = Literal["refused", "accepted"]


@dataclass(frozen=True)
class NewCustomerClv:
    """What a new customer is expected to bring, the first order included, in units of currency.

    `orders` are order days within the horizon, not discounted; `value` is discounted, with `lower` and `upper`;
    `order_value`: mean value of these order days; `gross_margin`: None where `value` is revenue.
    """

    orders: float
    order_value: float
    value: float
    lower: float
    upper: float
    weeks: float
    yearly_rate: float
    gross_margin: float | None


def new_customer_clv(
    model: PurchaseModel,
    spend: SpendModel,
    *,
    name: str,
    weeks: float,
    yearly_rate: float,
    minor_per_unit: int,
    gross_margin: float | None = None,
    dependence: Dependence = "refused",
    conf_level: float = CONF_LEVEL,
) -> NewCustomerClv:
    """Return what a new customer is expected to bring within a horizon, discounted.

    Parameters
    ----------
    model, spend : fitted on a market's customers.
    name : of the market, as an error tells it.
    weeks : the horizon.
    yearly_rate : discount of a year; 0.1 is 10 %.
    minor_per_unit : minor units, which spend is in, in one unit of currency.
    gross_margin : share of revenue left after the cost of goods; None leaves revenue.
    dependence : 'accepted' multiplies orders and value even where they depend on each other.

    Raises
    ------
    MetricError : how often customers order and how much they spend are correlated by more than 0.3.
    """
    rows = _cumulative(
        model, spend, name=name, weeks=[weeks], yearly_rate=yearly_rate, dependence=dependence, conf_level=conf_level
    ).mul((1.0 if gross_margin is None else gross_margin) / minor_per_unit)
    value, lower, upper = rows.iloc[0]
    orders = 1 + float(model.repeat_orders(weeks)["repeat_orders"].iloc[0])
    order_value = (spend.first_day[0] + (orders - 1) * spend.mean) / orders / minor_per_unit
    return NewCustomerClv(orders, order_value, value, lower, upper, weeks, yearly_rate, gross_margin)


def payback(
    model: PurchaseModel,
    spend: SpendModel,
    *,
    name: str,
    acquisition_cost: float,
    months: int,
    yearly_rate: float,
    minor_per_unit: int,
    gross_margin: float,
    dependence: Dependence = "refused",
    conf_level: float = CONF_LEVEL,
) -> pd.DataFrame:
    """Return what a new customer has brought by the end of each month, beside what he cost to win.

    Parameters and errors as of `new_customer_clv`; `months` are counted from the first order.

    Returns
    -------
    (months + 1, 6): `month` from 0, the first order; `value`, `lower`, `upper`, discounted margin in units of currency;
    `acquisition_cost`; `paid_back`, whether `value` has reached it.
    """
    if not acquisition_cost >= 0:
        raise MetricError("An acquisition cost is at least 0.", found=f"{acquisition_cost}")
    month = np.arange(months + 1)
    rows = _cumulative(
        model,
        spend,
        name=name,
        weeks=month * WEEKS_PER_MONTH,
        yearly_rate=yearly_rate,
        dependence=dependence,
        conf_level=conf_level,
    ).mul(gross_margin / minor_per_unit)
    return rows.assign(
        month=month, acquisition_cost=float(acquisition_cost), paid_back=rows["value"] >= acquisition_cost
    )[["month", "value", "lower", "upper", "acquisition_cost", "paid_back"]]


def payback_month(table: pd.DataFrame, *, of: str = "value") -> int | None:
    """Return the first month by whose end the cost is paid back, 0 being the first order; None where none is.

    Parameters
    ----------
    table : from `payback`.
    of : 'value', or 'lower' or 'upper' for the ends of its interval.
    """
    reached = table.loc[table[of] >= table["acquisition_cost"], "month"]
    return int(reached.iloc[0]) if len(reached) else None


def predictions(
    rfm_counts: pd.DataFrame,
    model: PurchaseModel,
    spend: SpendModel | None,
    *,
    name: str,
    seasons: Seasons,
    as_of_day: int,
    weeks: float,
    yearly_rate: float,
    gross_margin: float | None = None,
    dependence: Dependence = "refused",
) -> pd.DataFrame:
    """Return what is expected of the customers of each pattern from now on.

    Parameters
    ----------
    rfm_counts : of one market, from `counts.rfm_counts`.
    as_of_day : first day not observed, since 1970-01-01.
    Others, and errors, as of `new_customer_clv`.

    Returns
    -------
    One row per pattern: its keys, `n_customers`; `alive`, the chance that such a customer has not left; `orders`,
    expected order days within the horizon; `expected_orders`, the same discounted; and for the worth of an order
    day, in minor units of margin, `value_base_minor` and `own_weight`: base + weight × the mean of the
    customer's own order days after the first.
    """
    if spend is not None and dependence == "refused":
        spend.refuse_dependence(name=name)
    known = seasons.adjusted(patterns(rfm_counts), as_of_day=as_of_day)
    ahead = seasons.weeks(as_of_day, weeks)
    share = 1.0 if gross_margin is None else gross_margin
    table = rfm_counts[rfm_counts["n_customers"] > 0][["market", "frequency", "recency", "age", "n_customers"]]
    weight = np.zeros(len(table)) if spend is None else spend.own_weight(table["frequency"])
    return table.assign(
        alive=model.alive(known),
        orders=model.expected_orders(known, weeks=ahead),
        expected_orders=model.discounted_orders(
            known, weeks=weeks, yearly_rate=yearly_rate, clock=lambda passed: seasons.weeks(as_of_day, passed)
        ),
        value_base_minor=0.0 if spend is None else share * (1 - weight) * spend.mean,
        own_weight=0.0 if spend is None else share * weight * spend.scale,
    ).reset_index(drop=True)


def _cumulative(
    model: PurchaseModel,
    spend: SpendModel,
    *,
    name: str,
    weeks,
    yearly_rate: float,
    dependence: Dependence,
    conf_level: float,
) -> pd.DataFrame:
    """Return discounted revenue of a new customer, in minor units, within each number of weeks, with its interval."""
    if dependence == "refused":
        spend.refuse_dependence(name=name)
    z = ndtri((1 + conf_level) / 2)
    first, first_error = spend.first_day
    rows = []
    for horizon in weeks:
        repeats, of_repeats = 0.0, 0.0
        if horizon > 0:
            repeats, _, _, of_log = model.mean_discounted_orders(weeks=horizon, yearly_rate=yearly_rate)
            of_repeats = repeats * of_log
        value = first + repeats * spend.mean
        errors = (first_error, of_repeats * spend.mean, repeats * spend.mean_error)
        of_value = float(np.linalg.norm(errors)) / value if value > 0 else 0.0
        rows.append((value, value * np.exp(-z * of_value), value * np.exp(z * of_value)))
    return pd.DataFrame(rows, columns=["value", "lower", "upper"])
