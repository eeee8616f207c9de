"""What a market's forecast says of its customers: worth, payback, who is still there, the retention curve ahead.

What cannot be said is absent, and `notes` says why: a forecast that is withheld says nothing of anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_kit.config import Market
from retention_kit.errors import MetricError
from retention_kit.messages import N_, Message
from retention_kit.models.clv import (
    WEEKS_PER_MONTH,
    Dependence,
    NewCustomerClv,
    new_customer_clv,
    payback,
    predictions,
)
from retention_kit.models.fitting import CONF_LEVEL
from retention_kit.models.forecasts import MarketForecast

_WEEKS_IN = {
    "day": 1 / 7,
    "week": 1.0,
    "month": WEEKS_PER_MONTH,
    "quarter": 3 * WEEKS_PER_MONTH,
    "year": 12 * WEEKS_PER_MONTH,
}
_MOST_AGES = 36
_NOTHING = {
    "payback": ["month", "value", "lower", "upper", "acquisition_cost", "paid_back"],
    "predictions": [
        *("market", "frequency", "recency", "age", "n_customers", "alive", "orders"),
        *("expected_orders", "value_base_minor", "own_weight"),
    ],
    "activity": ["age", "activity", "lower", "upper"],
}


@dataclass(frozen=True)
class CustomerValue:
    """What is forecast of a market's customers over a horizon, discounted by a yearly rate.

    `orders_ahead`: expected order days of all customers in the next year, with an interval in which what the back-test
    was off is included; None where the forecast is withheld. `clv` of a new customer, or None. `acquisition_cost`, or
    None, with its origin. Tables, empty where there is nothing to say: `payback` by month, `activity` by age in periods
    of `grain`, and `predictions` by pattern, which are worked out when they are asked for. `notes` say why something is
    not there, by 'forecast', 'clv', 'payback'.
    """

    forecast: MarketForecast
    horizon_weeks: int
    yearly_rate: float
    orders_ahead: tuple[float, float, float] | None
    clv: NewCustomerClv | None
    acquisition_cost: float | None
    cost_origin: str
    payback: pd.DataFrame
    activity: pd.DataFrame
    grain: str
    rfm_counts: pd.DataFrame = field(repr=False)
    dependence: Dependence
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_still(self) -> float:
        """Return how many customers are expected to be still there."""
        known, found = self.forecast.patterns, self.forecast.market_model
        return 0.0 if self.orders_ahead is None else float((found.model.alive(known) * known.n).sum())

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Return what is expected of the customers of each pattern, from `models.predictions`; empty if withheld."""
        forecast, market = self.forecast, self.forecast.market
        if self.orders_ahead is None:
            return pd.DataFrame(columns=_NOTHING["predictions"])
        return predictions(
            self.rfm_counts,
            forecast.market_model.model,
            forecast.spend if self.clv is not None else None,
            name=market.name,
            seasons=forecast.seasons,
            as_of_day=forecast.as_of_day,
            weeks=self.horizon_weeks,
            yearly_rate=self.yearly_rate,
            gross_margin=market.gross_margin,
            dependence=self.dependence,
        )


def customer_value(
    forecast: MarketForecast,
    rfm_counts: pd.DataFrame,
    acquisition_counts: pd.DataFrame,
    *,
    horizon_weeks: int,
    yearly_rate: float,
    months: int,
    min_cell: int,
    grain: str = "month",
    dependence: Dependence = "refused",
) -> CustomerValue:
    """Return what a forecast says of the customers of its market.

    Parameters
    ----------
    forecast : of the market, from `purchase_forecasts`.
    rfm_counts, acquisition_counts : of the market.
    horizon_weeks : how far worth reaches; the customers of now, and a new one.
    yearly_rate : discount of a year; 0.1 is 10 %.
    months : how far the payback and the retention curve reach.
    min_cell : least number of customers whose mean cost is used.
    grain : length of the periods of the retention curve; of many, the first 36 are told.
    dependence : 'accepted' multiplies orders and value even where they depend on each other.
    """
    market, model, spend = forecast.market, forecast.market_model, forecast.spend
    cost, origin = acquisition_cost(acquisition_counts, market=market, min_cell=min_cell)
    nothing = {name: pd.DataFrame(columns=_NOTHING[name]) for name in ("payback", "activity")}
    asked = {"grain": grain, "rfm_counts": rfm_counts, "dependence": dependence}
    if forecast.withheld or model is None:
        notes = dict.fromkeys(("forecast", "clv", "payback"), forecast.withheld)
        return CustomerValue(
            forecast, horizon_weeks, yearly_rate, None, None, cost, origin, **nothing, **asked, notes=notes
        )
    notes: dict[str, str] = {}
    terms = {
        "name": market.name,
        "yearly_rate": yearly_rate,
        "gross_margin": market.gross_margin,
        "dependence": dependence,
    }
    clv, paid = None, nothing["payback"]
    in_test = forecast.tested.money if forecast.tested is not None else None
    if in_test is not None and not in_test.holds:
        notes["clv"] = notes["payback"] = Message(
            "{market}: worth is withheld: in money, on the {weeks} weeks held out, a naive forecast was nearer "
            "({naive} beside {error}).",
            market=market.name,
            weeks=forecast.tested.weeks,
            **in_test.errors_told(),
        )
    elif spend is None:
        notes["clv"] = notes["payback"] = forecast.notes["spend"]
    else:
        try:
            in_money = {**terms, "minor_per_unit": market.minor_per_unit}
            clv = new_customer_clv(model.model, spend, weeks=horizon_weeks, **in_money)
            if cost is None or market.gross_margin is None:
                notes["payback"] = Message(
                    "{market}: no acquisition cost, or no gross margin, is known.", market=market.name
                )
            else:
                paid = payback(model.model, spend, acquisition_cost=cost, months=months, **in_money)
        except MetricError as error:
            notes["clv"] = notes["payback"] = error.what
    return CustomerValue(
        forecast,
        horizon_weeks,
        yearly_rate,
        _orders_ahead(forecast),
        clv,
        cost,
        origin,
        payback=paid,
        activity=_activity(forecast, months=months, grain=grain),
        notes=notes,
        **asked,
    )


def acquisition_cost(acquisition_counts: pd.DataFrame, *, market: Market, min_cell: int) -> tuple[float | None, str]:
    """Return what a customer cost to win, in units of currency, and where that comes from; None where it is not known.

    The mean over the customers whose cost is known, where they are enough; else as stated for the market.
    """
    n_with_cost = int(acquisition_counts["n_with_cost"].sum())
    if n_with_cost >= min_cell:
        cost = float(acquisition_counts["cost_minor"].sum()) / n_with_cost / market.minor_per_unit
        return cost, Message(
            "that of the {n} customer whose cost is known",
            "mean of the {n} customers whose cost is known",
            n=n_with_cost,
        )
    if market.acquisition_cost is not None:
        return float(market.acquisition_cost), N_("as stated for the market")
    return None, N_("not known")


def _orders_ahead(forecast: MarketForecast, *, conf_level: float = CONF_LEVEL) -> tuple[float, float, float]:
    expected, lower, upper = forecast.next_year
    # the law is not quite true: what it was off once is what it may be off again
    off = ndtri((1 + conf_level) / 2) * expected * abs(forecast.tested.error if forecast.tested is not None else 0.0)
    return (
        expected,
        max(expected - float(np.hypot(expected - lower, off)), 0.0),
        expected + float(np.hypot(upper - expected, off)),
    )


def _activity(forecast: MarketForecast, *, months: int, grain: str) -> pd.DataFrame:
    """Return the share of a cohort that orders in each period after its own.

    Customers come, on average, in the middle of their period: the k-th one after it is the ages k − ½ to k + ½.
    """
    weeks = _WEEKS_IN[grain]
    ages = range(1, min(max(int(months * WEEKS_PER_MONTH / weeks), 1), _MOST_AGES) + 1)
    periods = [((age - 0.5) * weeks, (age + 0.5) * weeks) for age in ages]
    return forecast.market_model.model.activity(periods).assign(age=list(ages))[_NOTHING["activity"]]
