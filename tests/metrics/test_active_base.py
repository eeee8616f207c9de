import pandas as pd
import pytest

from retention_kit import metrics
from retention_kit.errors import MetricError
from retention_kit.periods import period_of

SETS = ["n_start", "n_end", "n_new", "n_retained", "n_reactivated", "n_lapsed"]


def activity(*rows, complete: int = 1) -> pd.DataFrame:
    """Return activity counts, one quarter a row, from S, E, N, R, X, L."""
    table = pd.DataFrame(rows, columns=SETS)
    return table.assign(
        market="DK", grain="quarter", rule="window", period=range(8096, 8096 + len(table)), complete=complete,
        left_truncated=0,
    )  # fmt: skip


# S = 1000, E = 1000, N = 300, X = 100: R = E − N − X = 600, L = S − R = 400
GUIDE = activity((1000, 1000, 300, 600, 100, 400))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.customer_retention_rate, 600 / 1000),
        (metrics.churn_rate, 400 / 1000),
        (metrics.textbook_retention_rate, (1000 - 300) / 1000),
        (metrics.textbook_churn_rate, (1000 - 1000) / 1000),
        (metrics.growth_accounting, (300 + 100) / 400),
    ],
)
def test_exact_rates_stand_beside_the_textbooks(metric, expected):
    assert metric.frame(GUIDE)[metric.__name__].tolist() == [expected]


def test_the_textbook_churn_of_the_guide_hides_forty_percent_behind_newcomers():
    exact, textbook = (
        metrics.churn_rate.frame(GUIDE)["churn_rate"][0],
        1 - metrics.textbook_retention_rate.frame(GUIDE).iloc[0, -1],
    )
    assert (exact, textbook) == pytest.approx((0.40, 0.30))


def test_the_textbook_retention_rate_can_pass_one():
    # S = 4, E = 6, N = 0, R = 3, X = 3, L = 1
    assert metrics.textbook_retention_rate.frame(activity((4, 6, 0, 3, 3, 1))).iloc[0, -1] == 6 / 4
    assert metrics.customer_retention_rate.frame(activity((4, 6, 0, 3, 3, 1)))["customer_retention_rate"][0] == 3 / 4


def test_a_period_that_is_not_over_has_no_rate():
    for metric in (metrics.customer_retention_rate, metrics.churn_rate, metrics.growth_accounting):
        assert metric.frame(activity((4, 6, 0, 3, 3, 1), complete=0)).empty


def test_without_customers_at_the_start_there_is_no_rate():
    nobody = activity((0, 5, 5, 0, 0, 0))
    for metric in (metrics.customer_retention_rate, metrics.churn_rate, metrics.textbook_retention_rate,
                   metrics.textbook_churn_rate, metrics.growth_accounting):  # fmt: skip
        assert metric.frame(nobody)[metric.__name__].isna().all()


def test_customers_that_add_up_reconcile():
    assert metrics.reconcile(GUIDE) is None


def test_customers_that_do_not_add_up_are_an_error_with_the_period():
    wrong = activity((1000, 1000, 300, 600, 100, 400), (1000, 1001, 300, 600, 100, 400))
    wrong["period"] = [period_of(pd.Timestamp(day).date(), grain="quarter") for day in ("2024-04-01", "2024-07-01")]
    with pytest.raises(MetricError) as error:
        metrics.reconcile(wrong)
    assert str(error.value) == (
        "The customers of a period do not add up: E = R + N + X and S = R + L must hold.\n"
        "  found: DK, 2024-Q3, rule window: n_start 1000, n_end 1001, n_new 300, n_retained 600, n_reactivated 100, "
        "n_lapsed 400\n"
        "  try:   count again without the counts store; if it stays, report it: it is a fault of the kit"
    )
    with pytest.raises(MetricError):
        metrics.reconcile(activity((1000, 1000, 300, 600, 100, 399)))


def test_the_identities_hold_in_every_period_of_the_sample(sample_counts):
    metrics.reconcile(sample_counts.tables["activity_counts"])
