"""Python divides: counts tables become rates with intervals; one family a file."""

from retention_kit.metrics.base import (
    churn_rate,
    customer_retention_rate,
    ever_customers_active_share,
    growth_accounting,
    retention_by_window,
    textbook_churn_rate,
    textbook_retention_rate,
)
from retention_kit.metrics.cadence import (
    activity_window,
    days_between_orders,
    next_order_share,
    second_order_share,
    silent_share,
)
from retention_kit.metrics.differences import (
    difference_of_shares,
    equality_of_shares,
    returned_share,
    stratified_difference,
)
from retention_kit.metrics.group import GroupSheet, group_sheet, market_comparison
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
from retention_kit.metrics.revenue import (
    gross_revenue_retention,
    net_revenue_retention,
    revenue_change,
    revenue_retention_intervals,
    textbook_revenue_retention,
)
from retention_kit.metrics.sheet import Sheet, market_sheet, reconcile
from retention_kit.metrics.survival import (
    hazard,
    kaplan_meier,
    log_rank,
    median_lifetime,
    restricted_mean_lifetime,
    survival,
    survival_quantile,
)
from retention_kit.metrics.value import Frequency, cltv, clv_simple, lifespan_from_churn, lifespan_in

__all__ = [
    "BRACKETS",
    "METRICS",
    "Frequency",
    "GroupSheet",
    "Headline",
    "Metric",
    "Sheet",
    "activity_window",
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
    "days_between_orders",
    "difference_of_shares",
    "equality_of_shares",
    "ever_customers_active_share",
    "gross_revenue_retention",
    "group_sheet",
    "growth_accounting",
    "hazard",
    "kaplan_meier",
    "lifespan_from_churn",
    "lifespan_in",
    "log_rank",
    "market_comparison",
    "market_sheet",
    "median_lifetime",
    "metric",
    "net_revenue_retention",
    "next_order_share",
    "pooled_cumulative_retention",
    "pooled_retention",
    "pooled_revenue_retention",
    "pooled_unbounded_retention",
    "purchase_frequency",
    "reconcile",
    "repeat_customer_rate",
    "repeat_customer_rate_by_days",
    "restricted_mean_lifetime",
    "retention_by_window",
    "retention_from_day",
    "returned_share",
    "revenue_change",
    "revenue_retention_intervals",
    "second_order_share",
    "silent_share",
    "stratified_difference",
    "survival",
    "survival_quantile",
    "textbook_churn_rate",
    "textbook_retention_rate",
    "textbook_revenue_retention",
    "unbounded_retention",
    "wilson",
]
