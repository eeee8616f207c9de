"""CDNOW: the cohort triangle and the rates that the literature and the reference give."""

import pandas as pd
import pytest

from retention_kit import counts, ingest, metrics


@pytest.fixture(scope="module", params=["master", "sample"])
def cdnow(request, shared):
    source = ingest.source("cdnow", files={"orders": str(shared / "data" / f"cdnow_{request.param}.parquet")})
    return request.param, counts.count(source, as_of="1998-07-01", grains=["month", "quarter"]).of("US")


def test_the_1997_cohort_triangle_equals_the_reference(cdnow, shared):
    name, here = cdnow
    expected = pd.read_csv(shared / "data" / "reference" / f"cdnow_{name}_cohort_active.csv", index_col="cohort")
    cells = here.cohort_counts.query("grain == 'month' and complete == 1")
    found = cells.pivot(index="cohort", columns="age", values="n_active")
    assert found.index.tolist() == [1997 * 12, 1997 * 12 + 1, 1997 * 12 + 2]
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0, nan_ok=True)


def test_repeat_rates_by_rows_and_by_days_equal_the_reference(cdnow, shared):
    name, here = cdnow
    expected = pd.read_csv(shared / "data" / "reference" / "cdnow.csv", index_col="name")["value"]
    expected = pd.to_numeric(expected, errors="coerce")  # two of the values are dates
    history = here.order_counts.query("grain == 'history'")
    assert history["n_customers"].item() == expected[f"{name}_customers"]
    assert history["n_orders"].item() == expected[f"{name}_rows"]
    assert history["n_order_days"].item() == expected[f"{name}_purchase_days"]
    assert history["revenue_minor"].item() == round(expected[f"{name}_revenue"] * 100)
    by_rows = metrics.repeat_customer_rate.frame(history)["repeat_customer_rate"].item()
    by_days = metrics.repeat_customer_rate_by_days.frame(history)["repeat_customer_rate_by_days"].item()
    assert by_rows == pytest.approx(expected[f"{name}_repeat_rate(>=2 rows)"], rel=1e-12)
    assert by_days == pytest.approx(expected[f"{name}_repeat_rate(>=2 days)"], rel=1e-12)


def test_in_1997_q4_exact_retention_is_48_and_the_textbook_says_99_percent(cdnow):
    name, here = cdnow
    if name != "master":
        pytest.skip("the figure is of the whole data set")
    quarter = here.activity_counts.query("grain == 'quarter' and period == 1997 * 4 + 3 and rule == 'period'")
    exact = metrics.customer_retention_rate.frame(quarter)["customer_retention_rate"].item()
    textbook = metrics.textbook_retention_rate.frame(quarter)["textbook_retention_rate"].item()
    assert (round(exact, 3), round(textbook, 3)) == (0.484, 0.990)


def test_wilson_interval_of_month_1_of_the_first_cohort_is_13_98_to_15_55_percent(cdnow):
    name, here = cdnow
    if name != "master":
        pytest.skip("the figure is of the whole data set")
    cell = metrics.classic_retention.frame(here.cohort_counts.query("grain == 'month'")).query("age == 1").iloc[0]
    assert (round(cell["lower"], 4), round(cell["upper"], 4)) == (0.1398, 0.1555)


def test_month_1_retention_has_four_values_by_its_definition(cdnow):
    name, here = cdnow
    if name != "master":
        pytest.skip("the figures are of the whole data set")
    by_month = metrics.pooled_retention.frame(here.cohort_counts.query("grain == 'month'")).set_index("age")
    days = metrics.bracket_retention.frame(here.return_counts, brackets=[(30, 59), (1, 30)])
    from_30 = metrics.retention_from_day.frame(here.return_counts, days=[30])
    found = [
        by_month.loc[1, "pooled_retention"],  # in the calendar month after
        *days["bracket_retention"],  # on days 30 to 59; on days 1 to 30
        from_30["retention_from_day"].item(),  # on day 30 or later
    ]
    assert [round(share, 3) for share in found] == [0.149, 0.131, 0.175, 0.438]
    assert set(days["n_observed"]) == {23_570} == {by_month.loc[1, "n"], from_30["n_observed"].item()}


def test_three_cohorts_may_have_the_same_month_1_retention(cdnow):
    name, here = cdnow
    if name != "master":
        pytest.skip("the figure is of the whole data set")
    cells = metrics.classic_retention.frame(here.cohort_counts.query("grain == 'month'")).query("age == 1")
    statistic, p = metrics.equality_of_shares(cells["n_active"], cells["n"])
    assert (round(statistic, 2), round(p, 3)) == (4.86, 0.088)
