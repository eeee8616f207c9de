"""Models of purchase and renewal, fitted on weighted counts; each cites its paper and reproduces its table."""

from retention_kit.models.fitting import Fit, Prior
from retention_kit.models.laws import LAWS
from retention_kit.models.patterns import Patterns, patterns
from retention_kit.models.purchases import PurchaseModel, fit_purchases
from retention_kit.models.sbg import BetaDiscreteWeibull, ShiftedBetaGeometric, fit_bdw, fit_sbg
from retention_kit.models.spend import SpendModel, fit_spend

__all__ = [
    "LAWS",
    "BetaDiscreteWeibull",
    "Fit",
    "Patterns",
    "Prior",
    "PurchaseModel",
    "ShiftedBetaGeometric",
    "SpendModel",
    "fit_bdw",
    "fit_purchases",
    "fit_sbg",
    "fit_spend",
    "patterns",
]
