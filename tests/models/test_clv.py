"""What a customer is worth: by hand from its parts, never below zero, and refused where the parts do not multiply."""

import numpy as np
import pandas as pd
import pytest
from by_customer import weekly

from retention_kit.errors import MetricError
from retention_kit.models import (
    fit_purchases,
    fit_spend,
    new_customer_clv,
    no_seasons,
    patterns,
    payback,
    payback_month,
    predictions,
)

TERMS = {"name": "CDNOW", "yearly_rate": 0.15, "minor_per_unit": 1}


@pytest.fixture(scope="module")
def model(cdnow):
    return fit_purchases(patterns(weekly(cdnow)), name="CDNOW")


@pytest.fixture(scope="module")
def spend(cdnow_spend):
    return fit_spend(cdnow_spend)


def dependent(sign: float) -> pd.DataFrame:
    """Return customers who spend more, or less, the more often they order."""
    random = np.random.default_rng(7)
    n_days = random.integers(1, 12, 4000)
    mean = 30 * np.exp(sign * 0.12 * (n_days - 6)) * random.gamma(6, 1 / 6, 4000)
    return pd.DataFrame({"n_days": n_days, "n_customers": 1, "value": mean * n_days})


def test_the_mean_value_of_cdnow_s_orders_is_that_of_the_gamma_gamma(spend):
    p, q, gamma = spend.fit.estimates.values()
    assert spend.mean == pytest.approx(p * gamma / (q - 1))
    assert round(spend.mean, 2) == 35.17
    assert spend.mean_error == pytest.approx(spend.mean * 0.02, rel=0.5)


def test_who_ordered_seldom_is_drawn_to_everybody_s_mean(spend):
    p, q, gamma = spend.fit.estimates.values()
    assert spend.own_weight([1, 5, 100]).tolist() == pytest.approx([p * n / (p * n + q - 1) for n in (1, 5, 100)])
    assert spend.expected_value(1, 100.0) == pytest.approx((gamma + 100) * p / (p + q - 1))
    assert spend.expected_value(50, 100.0) == pytest.approx(100, rel=0.01)


def test_worth_is_orders_times_value_times_margin(model, spend):
    plain = new_customer_clv(model, spend, weeks=78, **TERMS | {"yearly_rate": 0.0})
    orders = 1 + model.repeat_orders(78)["repeat_orders"].iloc[0]
    assert plain.orders == pytest.approx(orders)
    assert plain.value == pytest.approx(orders * spend.mean)
    margin = new_customer_clv(model, spend, weeks=78, gross_margin=0.4, **TERMS | {"yearly_rate": 0.0})
    assert margin.value == pytest.approx(0.4 * plain.value)
    discounted = new_customer_clv(model, spend, weeks=78, **TERMS)
    assert 0 < discounted.lower < discounted.value < discounted.upper
    assert discounted.value < plain.value


def test_the_cost_is_paid_back_in_the_first_month_in_which_the_margin_reaches_it(model, spend):
    terms = {"months": 36, "gross_margin": 0.5, **TERMS}
    table = payback(model, spend, acquisition_cost=25.0, **terms)
    assert table["month"].tolist() == list(range(37))
    assert table.loc[0, "value"] == pytest.approx(spend.mean / 2)
    assert table["value"].is_monotonic_increasing
    month = payback_month(table)
    assert table.loc[month, "value"] >= 25 > table.loc[month - 1, "value"]
    assert payback_month(table, of="upper") <= month <= payback_month(table, of="lower")
    assert payback_month(payback(model, spend, acquisition_cost=0, **terms)) == 0
    assert payback_month(payback(model, spend, acquisition_cost=1e6, **terms)) is None
    with pytest.raises(MetricError, match=r"^An acquisition cost is at least 0\."):
        payback(model, spend, acquisition_cost=-1, **terms)


def test_predictions_are_finite_and_never_negative(model, spend, cdnow):
    table = weekly(cdnow).assign(market="US")
    found = predictions(
        table, model, spend, name="CDNOW", seasons=no_seasons("none"), as_of_day=10_000, weeks=52, yearly_rate=0.1
    )
    numbers = found.select_dtypes("number")
    assert np.isfinite(numbers).all(axis=None)
    assert (numbers >= 0).all(axis=None)
    assert found["alive"].max() < 1
    assert (found["expected_orders"] < found["orders"]).all()
    assert (found["orders"] * found["n_customers"]).sum() == pytest.approx(
        model.total_orders(patterns(weekly(cdnow)), weeks=52)[0]
    )


def test_orders_and_values_that_depend_on_each_other_are_told_and_refused(model, spend):
    assert spend.warning == (
        "Customers who order more often spend more on each order day (correlation 0.11): "
        "orders × value is too low for them."
    )
    assert fit_spend(dependent(0)).warning == ""
    less = fit_spend(dependent(-1))
    assert less.warning.startswith("Customers who order more often spend less on each order day (correlation -0.")
    with pytest.raises(MetricError) as error:
        new_customer_clv(model, less, weeks=52, **TERMS)
    assert error.value.what == "CDNOW: how often customers order and how much they spend depend on each other."
    assert error.value.found == f"correlation {less.correlation:.2f}, more than 0.3"
    assert error.value.to_try == (
        "show orders and value by themselves, or multiply them knowingly: dependence='accepted'"
    )
    assert new_customer_clv(model, less, weeks=52, dependence="accepted", **TERMS).value > 0


def test_a_discount_rate_below_zero_is_refused(model, spend):
    with pytest.raises(MetricError) as error:
        new_customer_clv(model, spend, weeks=52, **TERMS | {"yearly_rate": -0.1})
    assert str(error.value) == "A discount rate is at least 0.\n  found: -0.1\n  try:   0.1 for 10 % a year"


def test_binned_spend_gives_the_model_of_exact_spend(cdnow_spend, spend):
    mean = cdnow_spend["value"] / cdnow_spend["n_days"] * 100
    width = 10 ** np.maximum(np.floor(np.log10(mean)) - 1, 0)
    binned = cdnow_spend.assign(bin=mean // width * width)
    binned = binned.groupby(["n_days", "bin"], as_index=False)[["n_customers", "value"]].sum()
    found = fit_spend(binned)
    assert len(binned) < len(cdnow_spend) / 2
    assert found.mean == pytest.approx(spend.mean, rel=0.002)
    assert list(found.fit.estimates.values()) == pytest.approx(list(spend.fit.estimates.values()), rel=0.03)
