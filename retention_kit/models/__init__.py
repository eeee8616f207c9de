"""Models of purchase and renewal, fitted on weighted counts; each cites its paper and reproduces its table."""

from retention_kit.models.backtest import BackTest, back_test, back_tested_models
from retention_kit.models.clv import (
    NewCustomerClv,
    new_customer_clv,
    payback,
    payback_month,
    predictions,
)
from retention_kit.models.customer_value import CustomerValue, acquisition_cost, customer_value
from retention_kit.models.fitting import Fit, Prior
from retention_kit.models.forecasts import Forecasts, MarketForecast, laws_compared, purchase_forecasts
from retention_kit.models.holdout import HoldoutResult
from retention_kit.models.laws import LAWS
from retention_kit.models.money import MoneyTest, back_test_money
from retention_kit.models.patterns import Patterns, patterns
from retention_kit.models.pooling import MarketModel, pooled_purchases
from retention_kit.models.purchases import PurchaseModel, fit_purchases
from retention_kit.models.renewals import RenewalForecast, RenewalTest, renewal_forecasts
from retention_kit.models.sbg import BetaDiscreteWeibull, ShiftedBetaGeometric, fit_bdw, fit_sbg
from retention_kit.models.seasons import Seasons, no_seasons, seasons
from retention_kit.models.segments import concentration, rfm_cuts, segments
from retention_kit.models.serialization import customer_values, deserialized_forecast, serialized_forecasts
from retention_kit.models.spend import SpendModel, fit_spend

__all__ = [
    "LAWS",
    "BackTest",
    "BetaDiscreteWeibull",
    "CustomerValue",
    "Fit",
    "Forecasts",
    "HoldoutResult",
    "MarketForecast",
    "MarketModel",
    "MoneyTest",
    "NewCustomerClv",
    "Patterns",
    "Prior",
    "PurchaseModel",
    "RenewalForecast",
    "RenewalTest",
    "Seasons",
    "ShiftedBetaGeometric",
    "SpendModel",
    "acquisition_cost",
    "back_test",
    "back_test_money",
    "back_tested_models",
    "concentration",
    "customer_value",
    "customer_values",
    "deserialized_forecast",
    "fit_bdw",
    "fit_purchases",
    "fit_sbg",
    "fit_spend",
    "laws_compared",
    "new_customer_clv",
    "no_seasons",
    "patterns",
    "payback",
    "payback_month",
    "pooled_purchases",
    "predictions",
    "purchase_forecasts",
    "renewal_forecasts",
    "rfm_cuts",
    "seasons",
    "segments",
    "serialized_forecasts",
]
