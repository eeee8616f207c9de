"""Python divides: counts tables become rates with intervals; one family a file."""

from retention_kit.metrics.base import (
    churn_rate,
    customer_retention_rate,
    growth_accounting,
    textbook_churn_rate,
    textbook_retention_rate,
)
from retention_kit.metrics.differences import (
    difference_of_shares,
    equality_of_shares,
    returned_share,
    stratified_difference,
)
from retention_kit.metrics.headline import Headline
from retention_kit.metrics.intervals import bootstrap_interval, wilson
from retention_kit.metrics.orders import (
    average_order_value,
    purchase_frequency,
    repeat_customer_rate,
    repeat_customer_rate_by_days,
)
from retention_kit.metrics.registry import METRICS, Metric, metric
from retention_kit.metrics.retention import (
    BRACKETS,
    bracket_retention,
    classic_retention,
    cohort_revenue_retention,
    cumulative_retention,
    pooled_cumulative_retention,
    pooled_retention,
    pooled_revenue_retention,
    pooled_unbounded_retention,
    retention_from_day,
    unbounded_retention,
)
from retention_kit.metrics.sheet import Sheet, market_sheet, reconcile
from retention_kit.metrics.value import Frequency, cltv, clv_simple, lifespan_from_churn, lifespan_in

__all__ = [
    "BRACKETS",
    "METRICS",
    "Frequency",
    "Headline",
    "Metric",
    "Sheet",
    "average_order_value",
    "bootstrap_interval",
    "bracket_retention",
    "churn_rate",
    "classic_retention",
    "cltv",
    "clv_simple",
    "cohort_revenue_retention",
    "cumulative_retention",
    "customer_retention_rate",
    "difference_of_shares",
    "equality_of_shares",
    "growth_accounting",
    "lifespan_from_churn",
    "lifespan_in",
    "market_sheet",
    "metric",
    "pooled_cumulative_retention",
    "pooled_retention",
    "pooled_revenue_retention",
    "pooled_unbounded_retention",
    "purchase_frequency",
    "reconcile",
    "repeat_customer_rate",
    "repeat_customer_rate_by_days",
    "retention_from_day",
    "returned_share",
    "stratified_difference",
    "textbook_churn_rate",
    "textbook_retention_rate",
    "unbounded_retention",
    "wilson",
]
