"""What purchase models say of customers from whom nothing, or nothing sensible, can be learned."""

import numpy as np
import pandas as pd
import pytest

from retention_kit.errors import MetricError, UsageError
from retention_kit.models import LAWS, fit_bdw, fit_purchases, fit_sbg, fit_spend, patterns
from retention_kit.models.patterns import checked


def rfm(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["frequency", "recency", "age", "n_customers"]).assign(unit_days=7)


def spend(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["n_days", "n_customers", "value"])


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "There is no customer to learn from.\n  try:   a market with orders, or a later as_of"),
        ([(0, 0, 5, 0)], "There is no customer to learn from.\n  try:   a market with orders, or a later as_of"),
        (
            [(2, 9, 5, 12)],
            "No customers can have made these patterns.\n"
            "  found: 1 patterns have their last order after the end of the observation (t_x > T)\n"
            "  try:   count them with `counts`: frequency ≥ 0, 0 ≤ recency ≤ age",
        ),
        (
            [(0, 2, 5, 12)],
            "No customers can have made these patterns.\n"
            "  found: 1 patterns have no repeat order and yet an age at the last one (x = 0, t_x > 0)\n"
            "  try:   count them with `counts`: frequency ≥ 0, 0 ≤ recency ≤ age",
        ),
        (
            [(1, float("nan"), 5, 12), (-1, 0, 5, 3)],
            "No customers can have made these patterns.\n"
            "  found: 1 patterns have a number that is not finite; 1 patterns have a number below 0\n"
            "  try:   count them with `counts`: frequency ≥ 0, 0 ≤ recency ≤ age",
        ),
    ],
    ids=["nobody", "no number", "t_x > T", "x = 0 and t_x > 0", "not finite and negative"],
)
def test_impossible_patterns_are_refused(rows, text):
    with pytest.raises(MetricError) as error:
        patterns(rfm(*rows) if rows else rfm((0, 0, 5, 0)).head(0))
    assert str(error.value) == text


def test_customers_who_have_been_observed_for_no_time_are_refused():
    with pytest.raises(MetricError) as error:
        patterns(rfm((0, 0, 0, 12)).assign(unit_days=1))
    assert str(error.value) == (
        "Nobody has been observed for any time (T = 0).\n"
        "  found: 12 customers who first ordered on the last day\n"
        "  try:   a later as_of"
    )


def test_an_infinite_number_of_customers_is_refused():
    with pytest.raises(MetricError, match="1 patterns have a number that is not finite"):
        checked([1], [2.0], [3.0], [np.inf])


@pytest.mark.parametrize("law", LAWS)
class TestALaw:
    def test_needs_fifty_repeat_buyers(self, law):
        with pytest.raises(MetricError) as error:
            fit_purchases(patterns(rfm((0, 0, 30, 600), (2, 8, 30, 38))), name="Denmark", law=law)
        assert str(error.value) == (
            "Denmark: 38 repeat buyers, too few for a purchase model of its own.\n"
            "  found: 638 customers; 50 repeat buyers are needed\n"
            "  try:   fit the markets together (models.pooled_purchases), or wait"
        )

    def test_learns_nothing_where_nobody_came_back(self, law):
        with pytest.raises(MetricError, match=r"^Denmark: fewer than 10 repeat buyers, too few for a purchase model"):
            fit_purchases(patterns(rfm((0, 0, 30, 600), (0, 0, 20, 10))), name="Denmark", law=law)

    def test_learns_nothing_from_one_customer(self, law):
        with pytest.raises(MetricError, match=r"^Denmark: fewer than 10 repeat buyers, too few"):
            fit_purchases(patterns(rfm((3, 20, 30, 1))), name="Denmark", law=law)

    def test_has_no_parameters_for_customers_who_are_all_alike(self, law):
        with pytest.raises(MetricError) as error:
            fit_purchases(patterns(rfm((3, 20, 30, 500))), name="Denmark", law=law)
        assert error.value.what.startswith(f"Denmark: {LAWS[law].name} ")
        assert error.value.to_try == ("another law, more customers, or the markets together (models.pooled_purchases)")

    def test_keeps_customers_of_the_last_day_without_being_led_astray(self, cdnow, law):
        late = cdnow.head(100).assign(frequency=0, recency=0, age=0)
        model = fit_purchases(patterns(pd.concat([cdnow, late])), name="CDNOW", law=law)
        alone = fit_purchases(patterns(cdnow), name="CDNOW", law=law)
        assert np.isfinite(model.fit.covariance).all()
        assert np.abs(model.parameters / alone.parameters - 1).max() < 0.2

    def test_predicts_finite_numbers_at_the_ends_of_every_scale(self, law):
        parameters = np.array([0.3, 5.0, 0.8, 2.0])
        extreme = checked(
            [0, 0, 1, 1, 2000, 3], [0, 0, 1e-9, 1000, 999, 0], [0, 5000, 1000, 1000, 1000, 1000], np.ones(6)
        )
        alive = LAWS[law].alive(parameters, extreme)
        later = LAWS[law].expected_later(parameters, extreme, np.array([1e-6, 52, 5200]))
        assert ((alive >= 0) & (alive <= 1)).all()
        assert np.isfinite(later).all()
        assert (later >= 0).all()
        assert (np.diff(later, axis=0) >= 0).all()


def test_a_law_that_is_not_there_names_the_near_miss():
    with pytest.raises(UsageError) as error:
        fit_purchases(patterns(rfm((3, 20, 30, 500))), name="Denmark", law="mbgnbd")
    assert error.value.what == "There is no purchase model 'mbgnbd'."
    assert error.value.to_try == "'mbg_nbd'"


@pytest.mark.parametrize("weeks", [0, -3, float("nan"), float("inf")])
def test_a_horizon_that_is_none_is_refused(cdnow, weeks):
    model = fit_purchases(patterns(cdnow), name="CDNOW")
    with pytest.raises(MetricError) as error:
        model.expected_orders(patterns(cdnow), weeks=weeks)
    assert str(error.value) == f"A horizon is a number of weeks above 0.\n  found: {weeks}"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [(2, 40, 900), (1, 3, 0), (1, 1, -5)],
            "The model of spend needs values above 0, on at least one day.\n"
            "  found: fewer than 10 customers with a value of 0 or below, or with no day\n"
            "  try:   leave them out: free orders say nothing of spend",
        ),
        (
            [(2, 40, float("nan"))],
            "A value of orders is not finite.\n  try:   look for the order with no amount",
        ),
        (
            [(2, 12, 900)],
            "Fewer than 30 customers, too few for a model of spend.\n  try:   wait, or take a longer history",
        ),
        (
            [(2, 40, 800), (1, 60, 600)],
            "All customers spend the same: there is no difference between them to learn.\n"
            "  found: 100 customers with one mean value\n"
            "  try:   multiply by that value",
        ),
    ],
    ids=["zero and negative", "not finite", "few", "all equal"],
)
def test_spend_that_teaches_nothing_is_refused(rows, text):
    with pytest.raises(MetricError) as error:
        fit_spend(spend(*rows))
    assert str(error.value) == text


def test_spend_of_a_few_giants_has_no_mean():
    random = np.random.default_rng(5)
    mean = 10 / random.gamma(0.5, 1, 3000)
    with pytest.raises(MetricError) as error:
        fit_spend(pd.DataFrame({"n_days": 3, "n_customers": 1, "value": 3 * mean * random.gamma(20, 1 / 20, 3000)}))
    assert error.value.what == "A few customers spend so much that the model of spend has no mean."


def test_a_life_table_with_a_number_that_is_not_finite_is_refused():
    table = pd.DataFrame({"duration": [1, 2], "n_ended": [3, float("nan")], "n_running": [0, 9]})
    for fit in (fit_sbg, fit_bdw):
        with pytest.raises(MetricError, match=r"^A life table has a number that is not finite\."):
            fit(table)


def test_a_life_table_of_one_duration_fits_many_models_and_therefore_none():
    with pytest.raises(MetricError) as error:
        fit_sbg(pd.DataFrame({"duration": [1], "n_ended": [30], "n_running": [70]}))
    assert error.value.what.startswith("The sBG of these renewals ")
    assert error.value.to_try == "more durations, or pool markets"
