"""The tables of the papers: Fader, Hardie & Lee 2005; Schmittlein et al. 1987 on CDNOW; Fader & Hardie 2013."""

import numpy as np
import pytest
from by_customer import weekly, weighted
from scipy.special import hyp2f1

from retention_kit.models import fit_purchases, fit_spend, patterns
from retention_kit.models.laws import LAWS
from retention_kit.models.patterns import checked

PUBLISHED = {
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.43),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9594.97),
    "mbg_nbd": ({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.13),
}
WEEKS = np.array([0.1429, 1, 3, 31.8571, 32, 78])


@pytest.mark.parametrize("law", PUBLISHED)
def test_parameters_and_log_likelihood_on_cdnow_are_the_published_ones(cdnow, law):
    model = fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law)
    parameters, log_likelihood = PUBLISHED[law]
    assert {name: round(value, 3) for name, value in model.fit.estimates.items()} == parameters
    assert model.fit.log_likelihood == pytest.approx(log_likelihood, abs=0.01)  # two are printed cut, not rounded
    assert (model.n_customers, model.n_repeat_buyers) == (2357, 946)


@pytest.mark.parametrize("law", PUBLISHED)
def test_weighted_patterns_and_rows_of_customers_give_the_same_fit(cdnow, law):
    of_rows = fit_purchases(patterns(cdnow), name="CDNOW", law=law)
    of_patterns = fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law)
    assert of_patterns.parameters == pytest.approx(of_rows.parameters, rel=1e-6)
    assert of_patterns.fit.log_likelihood == pytest.approx(of_rows.fit.log_likelihood, rel=1e-9)
    assert of_patterns.fit.covariance == pytest.approx(of_rows.fit.covariance, rel=1e-4)


@pytest.mark.parametrize("law", PUBLISHED)
def test_whole_weeks_move_a_parameter_by_less_than_a_fifth_of_its_standard_error(cdnow, law):
    by_days = fit_purchases(patterns(weighted(cdnow)), name="CDNOW", law=law)
    by_weeks = fit_purchases(patterns(weekly(cdnow)), name="CDNOW", law=law)
    errors = np.array(list(by_days.fit.standard_errors().values()))
    assert (np.abs(by_weeks.parameters - by_days.parameters) < 0.2 * errors).all()


def test_expected_orders_of_a_new_customer_are_those_of_the_bg_nbd_table(cdnow):
    expected = fit_purchases(patterns(cdnow), name="CDNOW", law="bg_nbd").repeat_orders(WEEKS)["repeat_orders"]
    assert expected.round(4).tolist()[:5] == [0.0078, 0.0532, 0.1506, 1.0405, 1.0437]
    assert expected.iloc[5] == pytest.approx(1.8576, abs=5e-4)


def test_the_table_s_last_entry_is_what_a_series_cut_after_150_terms_gives(cdnow):
    r, alpha, a, b = fit_purchases(patterns(cdnow), name="CDNOW", law="bg_nbd").parameters
    t = WEEKS[5]
    nth = np.arange(150)
    terms = np.cumprod((r + nth) * (b + nth) / ((a + b - 1 + nth) * (nth + 1)) * t / (alpha + t))

    def expected(series: float) -> float:
        return (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * series)

    assert round(expected(1 + terms.sum()), 4) == 1.8576
    assert round(expected(hyp2f1(r, b, a + b - 1, t / (alpha + t))), 4) == 1.8580


def test_a_customer_of_two_repeat_orders_is_expected_to_make_1_226_more(cdnow):
    model = fit_purchases(patterns(cdnow), name="CDNOW", law="bg_nbd")
    one = checked([2], [30.43], [38.86], [1])
    assert round(float(model.expected_orders(one, weeks=39)[0]), 3) == 1.226


def test_gamma_gamma_of_the_946_repeat_buyers_is_the_published_one(cdnow_spend):
    model = fit_spend(cdnow_spend)
    assert {name: round(value, 2) for name, value in model.fit.estimates.items()} == {
        "p": 6.25,
        "q": 3.74,
        "gamma": 15.44,
    }
    assert model.n_customers == 946
    assert round(model.correlation, 2) == 0.11


@pytest.mark.parametrize("law", ["bg_nbd", "mbg_nbd"])
def test_expectations_equal_the_papers_formula_with_hyp2f1(law):
    r, alpha, a, b = parameters = np.array([0.243, 4.414, 0.793, 2.426])
    x, t_x, ages = np.array([0, 1, 4, 25.0]), np.array([0, 3.0, 30, 38]), np.array([39, 30, 38, 39.0])
    found = LAWS[law].expected_later(parameters, checked(x, t_x, ages, np.ones(4)), np.array([1.0, 26, 520]))
    chances = 0 if law == "bg_nbd" else 1
    for weeks, row in zip([1.0, 26, 520], found, strict=True):
        z, total = weeks / (alpha + ages + weeks), a + b + chances + x - 1
        stay = ((alpha + ages) / (alpha + ages + weeks)) ** (r + x) * hyp2f1(r + x, b + x + chances, total, z)
        passed = x + chances
        odds = np.where(passed > 0, a / (b + np.maximum(passed, 1) - 1), 0) * ((alpha + ages) / (alpha + t_x)) ** (
            r + x
        )
        assert row == pytest.approx(total / (a - 1) * (1 - stay) / (1 + odds), rel=1e-9)
