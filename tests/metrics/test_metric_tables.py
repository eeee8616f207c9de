"""Called, a metric returns a table that knows itself; its errors name the table it takes."""

import pandas as pd
import pytest

from retention_kit import metrics
from retention_kit.errors import MetricError
from retention_kit.metrics import METRICS, metric
from retention_kit.table import Role, Table, as_raw, raw_name

BASE = pd.DataFrame(
    {
        "market": "DK", "grain": "quarter", "rule": "window", "period": [8100, 8101], "left_truncated": 0,
        "complete": 1,
        "n_start": [344, 6], "n_end": [354, 10], "n_new": [56, 4], "n_retained": [210, 3], "n_reactivated": [88, 3],
        "n_lapsed": [134, 3],
    }
)  # fmt: skip


def base(**facts) -> pd.DataFrame:
    return as_raw(BASE.copy(), "activity_counts", **facts)


def test_a_metric_returns_a_table_with_roles_unit_definition_and_source():
    table = metrics.customer_retention_rate(base())
    assert isinstance(table, Table)
    roles = {column.name or "interval": column.role for column in table.columns}
    assert roles == {
        "rule": Role.KEY, "period": Role.PERIOD, "n_start": Role.N, "n_retained": Role.COUNT,
        "customer_retention_rate": Role.SHARE, "interval": Role.SHARE,
    }  # fmt: skip
    assert table.definition.startswith("Share of the customers active at the start")
    assert table.source == "activity_counts"
    assert table.to_frame()["period"].tolist() == ["2025-Q1", "2025-Q2"]


def test_what_is_made_of_raw_counts_is_not_raw():
    assert raw_name(base()) == "activity_counts"
    assert raw_name(metrics.customer_retention_rate(base()).to_frame()) == ""


def test_its_plain_function_stays_reachable():
    pd.testing.assert_frame_equal(metrics.churn_rate.frame(BASE), metrics.churn_rate.function(BASE), check_like=False)


def test_groups_below_the_threshold_of_the_counts_are_hidden():
    table = metrics.customer_retention_rate(base(min_cell=10))
    assert table.frame["customer_retention_rate"].notna().tolist() == [True, False]
    assert table.text.splitlines()[-1].split() == ["window", "2025-Q2", "hidden", "hidden", "hidden"]
    assert metrics.customer_retention_rate(base(min_cell=1)).hidden is None


def test_a_metric_given_another_table_names_the_right_one():
    with pytest.raises(MetricError) as why:
        metrics.pooled_retention(base())
    assert str(why.value) == (
        "pooled_retention takes the counts table 'cohort_counts'.\n"
        "  found: activity_counts\n"
        '  try:   market.counts("cohort_counts")'
    )


def test_a_metric_given_a_frame_that_lacks_its_columns_names_the_right_one():
    with pytest.raises(MetricError) as why:
        metrics.customer_retention_rate(pd.DataFrame({"n": [1]}))
    assert str(why.value).startswith("customer_retention_rate takes the counts table 'activity_counts'.")


def test_a_metric_of_one_s_own_is_shown_like_ours_and_is_none_of_the_kit_s():
    @metric(unit="share of customers", range=(0, 1))
    def newcomer_share(activity_counts: pd.DataFrame) -> pd.DataFrame:
        """Share of the customers at the end of a period who are new.

        Of one's own.
        """
        return activity_counts[["period", "grain", "n_end"]].assign(
            newcomer_share=activity_counts["n_new"] / activity_counts["n_end"]
        )

    table = newcomer_share(base())
    assert table.text.splitlines()[0] == "Newcomer share"
    assert table.definition == "Share of the customers at the end of a period who are new."
    assert "15.8%" in table.text
    assert "newcomer_share" not in METRICS


def test_a_plain_decorator_suffices():
    @metric
    def orders_each(order_counts: pd.DataFrame) -> pd.DataFrame:
        """Orders of each customer."""
        return order_counts.assign(orders_each=order_counts["n_orders"] / order_counts["n_customers"])

    assert "2.50" in orders_each(pd.DataFrame({"n_orders": [5], "n_customers": [2]})).text
