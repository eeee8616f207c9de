"""Models of purchase and renewal, fitted on weighted counts; each cites its paper and reproduces its table."""

from retention_kit.models.backtest import BackTest, back_test, back_tested_models
from retention_kit.models.fitting import Fit, Prior
from retention_kit.models.forecasts import Forecasts, MarketForecast, laws_compared, purchase_forecasts
from retention_kit.models.holdout import HoldoutResult
from retention_kit.models.laws import LAWS
from retention_kit.models.money import MoneyTest, back_test_money
from retention_kit.models.outlook import Outlook, acquisition_cost, outlook
from retention_kit.models.patterns import Patterns, patterns
from retention_kit.models.pooling import MarketModel, pooled_purchases
from retention_kit.models.purchases import PurchaseModel, fit_purchases
from retention_kit.models.renewals import RenewalForecast, RenewalTest, renewal_forecasts
from retention_kit.models.sbg import BetaDiscreteWeibull, ShiftedBetaGeometric, fit_bdw, fit_sbg
from retention_kit.models.seasons import Seasons, no_seasons, seasons
from retention_kit.models.segments import concentration, rfm_cuts, segments
from retention_kit.models.serialization import deserialized_forecast, deserialized_outlooks, serialized_forecasts
from retention_kit.models.spend import SpendModel, fit_spend
from retention_kit.models.worth import (
    NewCustomerWorth,
    new_customer_worth,
    payback,
    payback_month,
    predictions,
)

__all__ = [
    "LAWS",
    "BackTest",
    "BetaDiscreteWeibull",
    "Fit",
    "Forecasts",
    "HoldoutResult",
    "MarketForecast",
    "MarketModel",
    "MoneyTest",
    "NewCustomerWorth",
    "Outlook",
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
    "deserialized_forecast",
    "deserialized_outlooks",
    "fit_bdw",
    "fit_purchases",
    "fit_sbg",
    "fit_spend",
    "laws_compared",
    "new_customer_worth",
    "no_seasons",
    "outlook",
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
