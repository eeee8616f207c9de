import math

import pytest

from retention_kit.config import Lifespan
from retention_kit.errors import MetricError
from retention_kit.metrics import Frequency, cltv, clv_simple, lifespan_from_churn, lifespan_in


def test_lifetime_value_is_order_value_times_frequency_times_lifespan():
    # 50 per order × 4 orders a year × 3 years = 600, of which 25 % gross margin
    facts = {"frequency": Frequency(4, per="year"), "lifespan": Lifespan(value=3, unit="year")}
    assert clv_simple(50.0, **facts) == 600
    assert clv_simple(50.0, **facts, gross_margin=0.25) == 150


def test_a_frequency_per_month_with_a_lifespan_in_years_is_an_error():
    with pytest.raises(MetricError) as error:
        clv_simple(50.0, frequency=Frequency(4, per="month"), lifespan=Lifespan(value=3, unit="year"))
    assert str(error.value) == (
        "Frequency and lifespan are in different units.\n"
        "  found: orders per month, a lifespan in years\n"
        "  try:   lifespan_in(lifespan, unit='month')"
    )


def test_the_same_lifespan_in_another_unit_gives_the_same_value():
    years = Lifespan(value=3, unit="year")
    months = lifespan_in(years, unit="month")
    assert (months.value, months.unit) == (36, "month")
    by_month = clv_simple(50.0, frequency=Frequency(4 / 12, per="month"), lifespan=months)
    assert by_month == pytest.approx(clv_simple(50.0, frequency=Frequency(4, per="year"), lifespan=years))
    assert lifespan_in(Lifespan(value=365.25, unit="week"), unit="year").value == pytest.approx(7)


def test_a_lifespan_is_one_over_churn_in_the_period_of_the_churn():
    assert lifespan_from_churn(1 / 4, per="quarter") == Lifespan(value=4, unit="quarter")
    assert lifespan_from_churn(1, per="month") == Lifespan(value=1, unit="month")
    assert lifespan_from_churn(0, per="month") is None


@pytest.mark.parametrize("churn_rate", [-0.1, 1.1, math.nan])
def test_a_churn_rate_that_is_no_share_is_an_error(churn_rate):
    with pytest.raises(MetricError) as error:
        lifespan_from_churn(churn_rate, per="month")
    assert str(error.value) == f"A churn rate is a share.\n  found: {churn_rate}\n  try:   a number from 0 to 1"


def test_what_it_cost_to_win_a_customer_may_be_more_than_he_is_worth():
    assert cltv(600.0, acquisition_cost=45.0) == 555
    assert cltv(40.0, acquisition_cost=45.0) == -5
